#!/usr/bin/env bats
# Every --json has a schema; what tools really print is as it says, has nothing that it does not describe, and all that it does.

# shellcheck disable=SC2317 # functions are handed to each_call
load lib/all
load lib/applets
load lib/enforce
load lib/nodes
load lib/schema
sandbox file forward

# One node for the file: two pods that policies are for, a network with two more, two nodes of an overlay beside it.
setup_file() {
	policy_node
	mkdir -p /run/plugins
	printf '#!/bin/sh\n%s\n' 'case $CNI_COMMAND in ADD) jq .prevResult ;; esac' >/run/plugins/foreign
	chmod +x /run/plugins/foreign
	echo '{ "cniVersion": "1.0.0", "name": "pods", "plugins": [
		{ "type": "bridge", "bridge": "cni0", "isGateway": true, "ipMasq": true, "ipMasqBackend": "nftables", "ipam": {
			"type": "host-local", "ranges": [ [ { "subnet": "10.9.0.0/28" } ] ], "routes": [ { "dst": "0.0.0.0/0" } ] } },
		{ "type": "foreign" } ] }' >/etc/cni/net.d/10-pods.conflist
	echo '{ "cniVersion": "1.1.0", "name": "lan", "plugins": [ { "type": "macvlan", "master": "to-db", "ipam": { "type": "dhcp" } } ] }' \
		>/etc/cni/net.d/20-lan.conflist
	echo '{ "cniVersion": "1.0.0", "name": "wrong", "plugins": [ { "type": "ptp", "ipam": { "type": "host-local",
		"ranges": [ [ { "subnet": "10.8.0.0/33" } ] ] } } ] }' >/etc/cni/net.d/30-wrong.conflist
	container blue red green
	for name in blue red green; do
		cni add --container-id "c-$name" pods "$name" >/dev/null
	done
	two vxlan
}

cni() { CNI_PATH=/run/plugins "$CNIBOX" cni "$@"; }

@test "every verb with --json has a schema, and every schema has its verb" {
	find_applets
	with_json() {
		! options_of "$@" | grep -qx -- --json || printf '%s\n' "$(IFS=-; echo "$*")"
	}
	assert_eq "schemas" "$(cd "$SCHEMAS" && printf '%s\n' *.json | sed 's/\.json$//')" "$(each_call with_json | sort)"
}

@test "schemas are well-formed, and describe every member" {
	mapfile -t names < <("$CNIBOX" list --plain | cut -d" " -f2)
	assert_eq "findings" "$(python3 "$CNIBOX_TESTS/lib/schema.py" "$SCHEMAS" --tidy "${names[@]}" 2>&1)" ""
}

@test "namespaces, the graph and the plugin folder" {
	nsenter --net=/run/netns/blue sleep 60 3>&- &
	sleeper=$!
	ip link add mv0 link to-web type macvlan
	keep netns-list "$CNIBOX" netns list --json
	keep netns-identify "$CNIBOX" netns identify blue --json
	keep graph "$CNIBOX" graph --json
	keep graph nsenter --net=/run/netns/n1 "$CNIBOX" graph --json
	keep install "$CNIBOX" install --dry-run --json
	kill $sleeper
}

# Another network: n3 with the relay, which has lost packets to a peer and to nobody.
a_relay() {
	local store=/run/relay

	mkdir -p $store/subnets
	echo '{"Network":"10.6.0.0/16","SubnetMin":"10.6.7.0","SubnetMax":"10.6.7.0","Backend":{"Type":"udp"}}' >$store/config
	echo '{"PublicIP":"192.0.2.2"}' >$store/subnets/10.6.8.0-24
	node_add n3 3
	nsenter --net=/run/netns/n3 "$CNIBOX" tun-relay --store $store --iface eth0 --subnet-file /run/n3/subnet.env 3>&- &
	wait_for "the relay" 5 ip -n n3 route get 10.6.8.1
	has_lost() {
		[[ $(nsenter --net=/run/netns/n3 "$CNIBOX" route-dump --peers --store "$store" --json |
			jq -c '[.[0] | .packets.lost, .device.lost | length]') == "[1,1]" ]]
	}
	nsenter --net=/run/netns/n3 ping -q -c 1 -W 1 -t 1 10.6.8.1 >/dev/null || :
	nsenter --net=/run/netns/n3 ping -q -c 1 -W 1 10.6.9.1 >/dev/null || :
	wait_for "losses" 5 has_lost
	keep route-dump nsenter --net=/run/netns/n3 "$CNIBOX" route-dump --peers --store $store --json
}

@test "routes, peers, leases" {
	ip link add va type veth peer name vb
	ip addr add 10.1.9.1/24 dev va
	ip addr add fd09::1/64 dev va nodad
	ip link set va up
	ip link set vb up
	ip route add 10.19.0.0/16 via 10.1.9.9 metric 50 mtu 1300 advmss 1200 proto static
	ip route add blackhole 10.18.0.0/16
	ip route add 10.16.0.0/16 nexthop via 10.1.9.2 weight 2 nexthop via 10.1.9.3
	ip route add 10.15.0.0/24 via inet6 fd09::7 dev va
	ip -6 route add fe80::7/128 dev va table local encap seg6local action End.DX2 oif vb
	keep route-dump "$CNIBOX" route-dump --json
	ip -n n1 route add 192.0.2.2 dev eth0 mtu 1400 # a narrow way
	keep route-dump nsenter --net=/run/netns/n1 "$CNIBOX" route-dump --peers --store "$STORE" --json
	ip -n n1 route del 192.0.2.2 dev eth0
	cp -r "$STORE" /run/other
	for lease in /run/other/subnets/*; do
		jq -c 'if .PublicIP == "192.0.2.2" then .BackendData.VtepMAC = "02:00:00:00:00:99" else . end' "$lease" >/run/changed
		cp /run/changed "$lease"
	done
	keep route-dump nsenter --net=/run/netns/n1 "$CNIBOX" route-dump --diff --store /run/other --json
	a_relay
	echo '{"PublicIP":"192.0.2.8","PublicIPv6":"fd77::8","BackendType":"vxlan"}' >"$STORE/subnets/10.5.248.0-24&fd05:8::-64"
	"$CNIBOX" lease reserve 10.5.249.0/24 192.0.2.9 --store "$STORE"
	keep lease-list "$CNIBOX" lease list --store "$STORE" --json
	keep lease-usage "$CNIBOX" lease usage --store "$STORE" --json
	keep lease-show "$CNIBOX" lease show 192.0.2.9 --store "$STORE" --json
	"$CNIBOX" lease watch --store "$STORE" --json >/run/watched 3>&- &
	watch=$!
	wait_for "what is there" 5 grep -q 10.5.249 /run/watched
	rm "$STORE"/subnets/10.5.24[89]*
	wait_for "what goes" 5 grep -q removed /run/watched
	kill $watch
	keep lease-watch cat /run/watched
}

@test "a packet's path" {
	keep path "$CNIBOX" path blue 10.9.0.3 80 --json
	keep path nsenter --net=/run/netns/n1 "$CNIBOX" path "$(pod_ip n1)" "$(pod_ip n2)" --store "$STORE" --json
	ip -n blue route del default
	keep path "$CNIBOX" path blue 192.0.2.1 --json
	keep path "$CNIBOX" path web 10.9.0.2 --json
}

@test "networks, attachments, addresses, and what is left of them" {
	keep cni-list cni list --json
	keep lint "$CNIBOX" lint /etc/cni/net.d --json
	keep cni-status cni status lan --json
	keep cni-status cni status pods --json
	keep ipam-list "$CNIBOX" ipam list --json
	ip netns del green
	printf 'one' >/var/lib/cni/networks/pods/10.9.0.9
	: >/var/lib/cni/networks/pods/10.9.0.10
	keep ipam-list "$CNIBOX" ipam list --json
	keep ipam-show "$CNIBOX" ipam show --json
	jq -c 'del(.result)' </var/lib/cni/results/pods-c-red-eth0 >/run/damaged
	cp /run/damaged /var/lib/cni/results/pods-c-red-eth0
	keep cni-restore cni restore --json
	keep doctor "$CNIBOX" doctor --json
	keep ipam-release "$CNIBOX" ipam release one --json
	touch -d '1 hour ago' /var/lib/cni/networks/pods/*
	keep ipam-gc "$CNIBOX" ipam gc --json
}

@test "policies: objects, verdicts, and what is in force" {
	need nft
	backend=nftables
	cat >/run/cluster.yaml <<-'Y'
	apiVersion: policy.networking.k8s.io/v1alpha2
	kind: ClusterNetworkPolicy
	metadata: {name: guard}
	spec:
	  tier: Admin
	  priority: 10
	  subject: {namespaces: {}}
	  ingress:
	  - {name: probes, action: Accept, from: [{pods: {namespaceSelector: {}, podSelector: {matchLabels: {app: probe}}}}]}
	  - {action: Pass, from: [{namespaces: {}}]}
	Y
	given 'pods; deny db; allow db web 81'
	keep policy-iptables-apply apply -n --json
	keep policy-iptables-explain policy explain web db 80 -f /run/objects.yaml -f /run/cluster.yaml --json
	keep policy-iptables-explain policy explain web db 81 -f /run/objects.yaml --backend nftables --json
	keep policy-iptables-explain policy explain db db 81 -f /run/objects.yaml --json
	keep policy-iptables-explain policy explain 192.0.2.1 192.0.2.2 81 -f /run/objects.yaml --json
	keep policy-iptables-matrix policy matrix -f /run/objects.yaml --json
	{ cat /run/objects.yaml; policy_yaml nobody nobody "ingress: []"; } >/run/more.yaml
	keep policy-iptables-lint policy lint -f /run/more.yaml --json
	keep policy-iptables-verify verify --json
	apply --cut --json >/run/applied
	keep policy-iptables-apply cat /run/applied
	nft flush chain inet "$(nft list tables | sed -n 's/.* \(cnibox.*\)/\1/p')" \
		"$(nft list chains | sed -n '/cnibox/,/^}/s/.*chain \([^ ]*\) {/\1/p' | head -n 1)"
	keep policy-iptables-apply apply -n --json
	given 'pods; deny web'
	keep policy-iptables-apply apply -n --json
	keep policy-iptables-verify verify --repair --json
	given 'pods; allow web db 82'
	keep policy-iptables-apply apply -n --json
	keep policy-iptables-cleanup policy cleanup --json
	nft "add table inet t; add chain inet t out { type filter hook forward priority 0; }
		add rule inet t out ip daddr 10.1.0.3 udp dport 53 log group 7 prefix CNIBOX-OUT-0123456789abcdef drop"
	policy top --group 7 --packets 1 --json -f /run/objects.yaml >/run/top 3>&- &
	top=$!
	wait_for "top listens" 10 grep -q '^ *7 ' /proc/net/netfilter/nfnetlink_log
	run_in web bash -c 'echo x >/dev/udp/10.1.0.3/53'
	wait $top
	keep policy-iptables-top cat /run/top
}

# What takes another user, a server, a broken kernel or a container runtime, and is no more than a word; dhcp's are in 332-dhcp-daemon.
rare() {
	cat <<-'M'
	doctor problems.failure
	graph unseen
	netns-list container
	netns-list unseen
	policy-iptables-apply cut
	policy-iptables-apply removed
	M
}

@test "all of it is as described, and all that is described was there" {
	kept_is_described
	# two members of one definition are one
	alike() { sed 's/[.]egress/.ingress/; s/ chains[.]/ sets./' "$@" | sort -u; }
	python3 "$CNIBOX_TESTS/lib/schema.py" "$SCHEMAS" --members | grep -v '^dhcp-leases ' | alike >/run/described
	assert_eq "members that no tool printed" "$(comm -23 /run/described <(alike /run/members) | grep -vxFf <(rare))" ""
}
