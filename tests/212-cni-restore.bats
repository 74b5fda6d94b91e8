#!/usr/bin/env bats
# cnibox cni restore: somebody flushed the rules of every container; afterwards they are as they were.

load lib/all
load lib/runtime
sandbox forward

setup() {
	need nft iptables
	container blue red
	mkdir -p /run/plugins
	export CNI_PATH=/run/plugins:$PLUGINS
}

# list NAME [JQ]: a network in /etc/cni/net.d
list() {
	network_list "$1" '.plugins[0] += {macspoofchk: true, isDefaultGateway: true} | '"${2:-.}" >"/etc/cni/net.d/$1.conflist"
}

tool() {
	status=0
	output=$(deadline "$CNIBOX" cni "$@" 2>"$BATS_TEST_TMPDIR/stderr") || status=$?
	stderr=$(<"$BATS_TEST_TMPDIR/stderr")
	printf '+ cni %s\n%s\n  stderr: %s\n  exit status %s\n' "$*" "$output" "$stderr" "$status"
}

works() {
	tool "$@"
	[[ $status == 0 ]] || flunk "NOT: cni $* works" "$stderr"
}

# In whatever order the attachments came.
rules() { jq '.host.rules | sort' < <(snapshot); }

masqueraded() { # NAME: what the world sees of it is the node's address
	run_in "$1" ping -n -c 1 -W 2 192.0.2.2 >/dev/null && run_in "$1" ping -n -c 1 -W 2 2001:db8::2 >/dev/null
}

@test "after nft flush ruleset: everything is back as it was, and the world answers again" {
	local before backend
	outside_world
	for backend in nftables iptables; do
		list pods ".plugins[0].ipMasqBackend = \"$backend\""
		works add pods blue
		works add pods red
		assert "masqueraded" masqueraded blue
		before=$(rules)
		nft flush ruleset
		tool check pods blue
		assert_match "check knows" "$status $stderr" '^1 .*masquerade'
		refute "still masqueraded" masqueraded blue
		works restore
		assert_eq "a line for each" "$(awk 'NR > 1 { print $2, $3, $4, $5 }' <<<"$output")" $'eth0 pods restored -\neth0 pods restored -'
		works check pods blue
		works check pods red
		assert "masqueraded again" masqueraded blue
		assert "the other one" masqueraded red
		assert_eq "all rules, none twice" "$(rules)" "$before"
		works restore
		assert_eq "what is there is left alone" "$(rules)" "$before"
		works del pods blue
		works del pods red
		no_attachments
		nft flush ruleset # the shared table of the other form
	done
}

@test "after iptables -F, or when only the spoof check was flushed, the missing part comes back" {
	local before
	list pods '.plugins[0].ipMasqBackend = "iptables"'
	works add pods blue
	before=$(rules)
	iptables -t nat -F
	ip6tables -t nat -F POSTROUTING
	works restore pods
	assert_eq "the chains were there, their rules not" "$(rules)" "$before"
	nft flush table bridge nat
	works restore pods
	assert_eq "the chains of the spoof check were there" "$(rules)" "$before"
	nft delete table bridge nat
	works restore pods
	assert_eq "nothing of the spoof check was there" "$(rules)" "$before"
	works check pods blue
}

@test "a spoofed MAC is dropped again after restore, the container's own passes" {
	list pods
	works add pods blue
	pings blue 10.88.0.1
	nft flush ruleset
	ip -n blue link set eth0 address 02:00:00:00:00:66
	works restore
	run_in blue ip neigh flush dev eth0
	refute "another MAC than the runtime remembers" run_in blue ping -n -c 1 -W 1 10.88.0.1
	ip -n blue link set eth0 address "$(jq -r '.result.interfaces[2].mac' /var/lib/cni/results/pods-*)"
	wait_for "its own" 5 run_in blue ping -n -c 1 -W 1 10.88.0.1
}

@test "of one network only; of all, each with its own list, though the file has gone or has changed" {
	list pods
	list more '.plugins[0] += {bridge: "cni1", ipam: {type: "host-local", subnet: "10.89.0.0/24"}}'
	works add pods blue
	works add more red
	nft flush ruleset
	works restore more
	assert_eq "one attachment" "$(awk 'NR > 1 { print $3 }' <<<"$output")" more
	assert_eq "its rule" "$(masquerades | wc -l)" 1
	rm /etc/cni/net.d/more.conflist
	echo '{' >/etc/cni/net.d/pods.conflist
	works restore
	assert_eq "both" "$(awk 'NR > 1 { print $3 }' <<<"$output")" $'more\npods'
	assert_eq "all rules" "$(masquerades | wc -l)" 3
	rm -r /etc/cni/net.d
	works restore --json
	assert_json "as JSON" "$output" 'map([.network, .ifname, .outcome]) == [["more", "eth0", "restored"], ["pods", "eth0", "restored"]]'
}

@test "lists of every version, down to those that know neither CHECK nor prevResult" {
	local version
	for version in 0.1.0 0.2.0 0.3.1 0.4.0 1.0.0 1.1.0; do
		list pods ".cniVersion = \"$version\""
		works add pods blue
		nft flush ruleset
		works restore
		assert_eq "$version: the rules" "$(masquerades | wc -l)" 2
		works del pods blue
	done
}

@test "flannel hands it to its delegate" {
	mkdir -p /run/flannel
	printf '%s\n' FLANNEL_NETWORK=10.1.0.0/16 FLANNEL_SUBNET=10.1.17.1/24 FLANNEL_MTU=1450 FLANNEL_IPMASQ=false >/run/flannel/subnet.env
	jq -n '{cniVersion: "0.3.1", name: "cbr0", plugins: [{type: "flannel", delegate: {isDefaultGateway: true}}]}' >/etc/cni/net.d/cbr0.conflist
	works add cbr0 blue
	nft flush ruleset
	works restore
	assert_eq "the rule" "$(masquerades | wc -l)" 1
	rm /run/flannel/subnet.env
	nft flush ruleset
	works restore -v
	assert_match "each plugin is told with --verbose" "$stderr" "^RESTORE flannel: $PLUGINS/flannel in process, [0-9.]+ ms"
	assert_eq "the rule, without the lease" "$(masquerades | wc -l)" 1
	works del cbr0 blue
}

@test "a namespace that has gone is told, a plugin that is not ours is named, a failure is one line and exit status 1" {
	printf '#!/bin/sh\n[ $CNI_COMMAND = ADD ] && { cat >/run/in; jq .prevResult /run/in; } || cat >/dev/null\n' >/run/plugins/other
	chmod +x /run/plugins/other
	list pods '.plugins += [{type: "other"}]'
	works add pods blue
	works add pods red
	ip netns del red
	nft flush ruleset
	works restore
	assert_match "the one that is alive" "$output" 'eth0 +pods +restored +other +-'
	assert_match "the one that has gone" "$output" 'eth0 +pods +gone +- +no namespace /run/netns/red'
	assert_eq "rules of the living only" "$(masquerades | wc -l)" 2
	ip -n blue link del eth0
	nft flush ruleset
	tool restore --json
	assert_eq "the exit status" "$status" 1
	assert_json "the failure" "$output" '[.[] | select(.outcome == "failed")] | length == 1 and (.[0].message |
		test("^plugin type=\"bridge\" failed \\(restore\\): .*eth0")) and .[0].notOurs == ["other"]'
}

@test "a damaged record is an error, and does not keep the others from being restored" {
	list pods
	works add pods blue
	works add pods red --container-id zz
	truncate -s 20 /var/lib/cni/results/pods-zz-eth0
	nft flush ruleset
	tool restore
	assert_eq "the exit status" "$status" 1
	assert_match "the file" "$stderr" '^cni restore: cached attachment /var/lib/cni/results/pods-zz-eth0: '
	assert_match "the other" "$output" 'eth0 +pods +restored'
	assert_eq "its rules" "$(masquerades | wc -l)" 2
}

@test "nothing remembered: quiet success; a name that is no network's is refused" {
	works restore
	assert_eq "nothing is printed" "$output$stderr" ""
	works restore --json
	assert_json "an empty list" "$output" '. == []'
	list pods
	works restore pods
	tool restore pod
	assert_eq "the exit status" "$status" 1
	assert_match "the nearest name" "$stderr" 'no network "pod" in /etc/cni/net.d; did you mean "pods"\?'
}

@test "the chain of a node: port maps and firewall rules come back, too, in every form" {
	local before masq port fire program
	need_chain
	outside_world
	serve blue 8000 "I am blue"
	export CAP_ARGS='{"portMappings": [{"hostPort": 8080, "containerPort": 8000, "protocol": "tcp"},
			{"hostPort": 5353, "containerPort": 53, "protocol": "udp", "hostIP": "192.0.2.1"}],
		"bandwidth": {"ingressRate": 80000000, "ingressBurst": 8000000}}'
	while read -r masq port fire; do
		whole_chain pods ".plugins[0] += {ipMasqBackend: \"$masq\", macspoofchk: true} | .plugins[1].backend = \"$port\"
			| .plugins[2].backend = \"$fire\"" >/etc/cni/net.d/pods.conflist
		works add pods blue
		[[ $(fetch world 192.0.2.1 8080) == "I am blue" ]] || flunk "NOT: the port is open"
		before=$(rules)
		works restore
		assert_eq "$masq, $port, $fire: nothing was missing" "$(rules)" "$before"
		nft flush ruleset
		tool check pods blue
		assert_eq "check knows" "$status" 1
		refute "the port is open" fetch world 192.0.2.1 8080
		works restore
		assert_json "every plugin is ours" "$("$CNIBOX" cni restore --json)" '[.[] | .outcome, .notOurs] == ["restored", null]'
		assert_eq "$masq, $port, $fire: all rules, none twice" "$(rules)" "$before"
		works check pods blue
		wait_for "the port is open" 5 port_open
		assert "masqueraded" masqueraded blue
		[[ $port != iptables ]] || for program in iptables ip6tables; do
			$program -F
			$program -t nat -F
		done
		works restore
		assert_eq "$masq, $port, $fire: after iptables -F, all rules, none twice" "$(rules)" "$before"
		works del pods blue
		nft flush ruleset
	done <<-'FORMS'
		iptables iptables iptables
		nftables nftables nftables
		nftables iptables iptables
	FORMS
}

port_open() {
	[[ $(fetch world 192.0.2.1 8080) == "I am blue" && $(fetch world 2001:db8::1 8080) == "I am blue" &&
		$(fetch host 127.0.0.1 8080) == "I am blue" ]]
}
