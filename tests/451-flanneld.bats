#!/usr/bin/env bats
# shellcheck disable=SC2086,SC2012 # paths of our own, without blanks
# flanneld: flannel's flags, variables, statuses and files (flannel.md, sections 6 and 7); the way that the network names.

load lib/all
load lib/nodes
sandbox

AGENT=flanneld

setup() {
	need ping bridge jq
}

# flanneld WORD ...: in n1, for as long as it takes at most; what it says and its status
flanneld() {
	status=0
	said=$(nsenter --net=/run/netns/n1 timeout 5 "$CNIBOX" flanneld "$@" 2>&1) || status=$?
}

# flag  a value that is fine  one that is not (- = none is wrong)
FLAGS="
etcd-endpoints http://192.0.2.9:2379 -
etcd-prefix /coreos.com/network -
etcd-keyfile /k -
etcd-certfile /c -
etcd-cafile /a -
etcd-username u -
etcd-password secret -
iface eth0 -
iface-regex eth.* -
iface-can-reach 192.0.2.2 router
public-ip 192.0.2.1 nat
public-ipv6 fd77::1 nat
subnet-file /run/x -
subnet-lease-renew-margin 1439 1440
ip-masq true perhaps
ip-masq-fully-random-disable true perhaps
iptables-resync 5 often
iptables-forward-rules false perhaps
ip-blackhole-route true perhaps
healthz-ip 127.0.0.1 here
healthz-port 10256 65536
kube-subnet-mgr true perhaps
kube-api-url http://192.0.2.9:8080 -
kubeconfig-file /k -
kube-annotation-prefix flannel.alpha.coreos.com -
net-config-path /n -
set-node-network-unavailable false perhaps
v 4 loud
vmodule main=1 -
log_backtrace_at main.go:1 -"

@test "every flag of flannel's is taken, with one dash, with two and from the environment; a wrong value is told" {
	container n1
	while read -r flag good bad; do
		[[ -n $flag ]] || continue
		variable=FLANNELD_${flag//-/_} variable=${variable^^}
		flanneld "-$flag=$good" -version
		assert_eq "-$flag=$good" "$status" 0
		flanneld "--$flag=$good" --version
		assert_eq "--$flag=$good" "$status" 0
		export "$variable=$good"
		flanneld --version
		assert_eq "$variable=$good" "$status" 0
		if [[ $bad != - ]]; then
			export "$variable=$bad"
			flanneld --version
			assert_eq "$variable=$bad" "$status" 2
			assert_match "it is named" "$said" "^flanneld: \\\$$variable: \"?$bad"
		fi
		unset "$variable"
	done <<<"$FLAGS"
	flanneld -etcd-prefix /x -iface eth0 -iface eth1 --ip-masq -v 4 --version
	assert_eq "a value as a word of its own" "$status" 0
	export EVENT_QUEUE_DEPTH=x CONT_WHEN_CACHE_NOT_READY=x WIREGUARD_KEY_FILE=x POD_NAME=x POD_NAMESPACE=x
	flanneld --version
	assert_match "the version, where flannel says it" "$said" '^cnibox .*flanneld$'
	assert_eq "not on standard output" "$(nsenter --net=/run/netns/n1 "$CNIBOX" flanneld --version 2>/dev/null)" ""
}

@test "the help names every variable of flannel's that counts" {
	local help name

	help=$("$CNIBOX" help flanneld | sed 's/^# *//' | tr '\n' ' ')
	assert_eq "other ones that are read" "$(grep -ohE 'getenv\("(NODE|POD)_[A-Z]*"\)' -r "$CNIBOX_TOP/lib/remote" | tr -d '"' | sort -u | xargs)" \
		"getenv(POD_NAME) getenv(POD_NAMESPACE)"
	for name in NODE_NAME POD_NAME POD_NAMESPACE NOTIFY_SOCKET; do
		assert_match "help" "$help" "flannel's other variables[^.]*[^_A-Z]${name}[^_A-Z][^.]*count"
	done
}

@test "statuses: 2 for wrong words, 1 for what cannot be, 0 after SIGTERM" {
	nodes 1 host-gw
	while read -r want words; do
		flanneld $words
		assert_eq "$words" "$status" "$want"
	done <<-END
		2 --nosuch
		2 -nosuch=1
		2 --subnet-lease-renew-margin=0
		2 --healthz-port=-1
		2 --store $STORE --kube-subnet-mgr
		2 --store $STORE --etcd-endpoints=http://127.0.0.1:1
		1 --store $STORE --healthz-port=80 --healthz-ip=198.51.100.1
	END
	jq -c '.Backend.Type = "ipsec"' $STORE/config >$STORE/new && mv $STORE/new $STORE/config
	flanneld --store $STORE --iface eth0 --subnet-file /run/n1/subnet.env
	assert_eq "another backend" "$status" 1
	assert_match "it is named, with those that there are" "$said" 'flanneld: backend "ipsec" is not served here; .*vxlan.*host-gw'
	echo '{"Network":"10.5.0.0/16","Backend":{"Type":"Host-GW"}}' >$STORE/config
	agent n1
	ready n1
	pid=$(agent_pid n1)
	kill "$pid"
	status=0
	wait "$pid" || status=$?
	assert_eq "on SIGTERM" "$status" 0
}

@test "a network without Backend is udp, as for flannel, and the log says so (D20)" {
	nodes 1 vxlan 'del(.Backend)'
	flanneld --store $STORE --iface eth0 --once --subnet-file /run/n1/subnet.env
	assert_match "it is told" "$said" 'the network names no Backend.* "udp", as for flannel'
}

@test "flags decide: the interface, the address that is published, masquerade in subnet.env" {
	nodes 1 host-gw
	FLANNELD_SUBNET_FILE=/run/n1/env FLANNELD_IP_MASQ=true FLANNELD_PUBLIC_IP=192.0.2.1 FLANNELD_IFACE=eth0 flanneld --store $STORE --once
	assert_eq "from the environment" "$(sed 's/[0-9]*\.1\/24/N/' /run/n1/env)" \
		$'FLANNEL_NETWORK=10.5.0.0/16\nFLANNEL_SUBNET=10.5.N\nFLANNEL_MTU=1500\nFLANNEL_IPMASQ=true'
	FLANNELD_IP_MASQ=true flanneld --store $STORE -ip-masq=false -iface 192.0.2.1 --once -subnet-file /run/n1/env2
	assert_match "a flag wins" "$(</run/n1/env2)" FLANNEL_IPMASQ=false
	assert_eq "one lease" "$(ls $STORE/subnets | wc -l)" 1
}

# published FLAG ...: the addresses in the lease of a node that is new to the store, or the last line of what is said
published() {
	rm -rf $STORE/subnets /run/n1
	flanneld --store $STORE --once --subnet-file /run/n1/subnet.env "$@"
	jq -r '"\(.PublicIP // "") \(.PublicIPv6 // "")" | gsub("^ | $"; "")' $STORE/subnets/* 2>/dev/null || tail -n 1 <<<"$said"
}

# n1 with another interface, eth7, at 198.51.100.1 and .7, and one without address
interfaces() {
	nodes 1 vxlan "${1:-.}"
	ip -n n1 link add eth7 type bridge
	ip -n n1 addr add 198.51.100.1/24 dev eth7
	ip -n n1 addr add 198.51.100.7/24 dev eth7
	ip -n n1 link add none type bridge
	for link in eth7 none; do ip -n n1 link set $link up; done
}

@test "the interface: by name, address, pattern, the way to an address, a local public address, the default route" {
	interfaces
	while read -r want flags; do
		assert_eq "$flags" "$(published $flags)" "$want"
	done <<-'END'
		198.51.100.1 --iface=eth7
		198.51.100.7 --iface=198.51.100.7
		192.0.2.1    --iface-regex=eth
		198.51.100.1 --iface-regex=^(eth|ens)7$
		198.51.100.7 --iface-regex=^198[.].*[.]7$
		198.51.100.1 --iface-regex=(?i)\bETH7\b
		198.51.100.1 --iface-can-reach=198.51.100.200
		192.0.2.1    --iface-can-reach=192.0.2.200
		198.51.100.7 --public-ip=198.51.100.7
		203.0.113.9  --public-ip=203.0.113.9 --iface=eth7
	END
	ip -n n1 route add default via 198.51.100.254
	assert_eq "the default route" "$(published)" 198.51.100.1
}

@test "the interface: flags whose value is empty are not given; a pattern in the environment may have commas" {
	interfaces
	ip -n n1 route add default via 198.51.100.254
	assert_eq "empty values" "$(published --iface= --iface-regex= --iface-can-reach= --public-ip= --public-ipv6= --healthz-ip=)" 198.51.100.1
	assert_eq "over the environment" "$(FLANNELD_PUBLIC_IP=203.0.113.9 published --public-ip=)" 198.51.100.1
	assert_eq "a pattern" "$(FLANNELD_IFACE_REGEX='^192[.]0[.][0-9]{1,3}[.]1$' published)" 192.0.2.1
	assert_match "a number is not empty" "$(published --healthz-port=)" 'healthz-port: "" is not an integer'
}

@test "the interface: what does not fit leaves it to the next flag, names before patterns before the way to an address" {
	interfaces
	while read -r want flags; do
		assert_eq "$flags" "$(published $flags)" "$want"
	done <<-'END'
		198.51.100.1 --iface=ens3 --iface=eth7
		198.51.100.1 --iface=none --iface=eth7
		198.51.100.1 --iface-regex=eth0 --iface=eth7
		198.51.100.1 --iface-can-reach=192.0.2.9 --iface=eth7
		192.0.2.1    --iface=ens3 --iface-regex=eth.*
		198.51.100.1 --iface=none --iface-regex=^ens --iface-regex=^none$ --iface-regex=eth7 --iface-can-reach=192.0.2.9
		198.51.100.1 --iface=ens3 --iface-regex=^ens --iface-can-reach=198.51.100.200
	END
	ip -n n1 route add default via 192.0.2.254
	assert_match "none of them fits, and the default route is not asked for" "$(published --iface=none --iface=ens3 --iface-regex=^ens)" \
		"interface none has no IPv4 address; there is no interface and no address ens3 \\(--iface\\); no interface and no address matches --iface-regex \^ens"
	assert_match "a pattern that is none ends the search" "$(published --iface=ens3 '--iface-regex=(?m)eth' --iface-regex=eth7)" \
		'--iface-regex: "\(\?m\)eth" is no pattern .*: leave "m" out'
}

@test "IPv6: the address that is published, and an interface of both families" {
	interfaces '.EnableIPv6 = true | .IPv6Network = "fd00:5::/48"'
	assert_eq "the interface's" "$(published --iface=eth0)" "192.0.2.1 fd77::1"
	assert_eq "another" "$(published --iface=eth0 --public-ipv6=fd99::9)" "192.0.2.1 fd99::9"
	assert_eq "one that lacks a family does not fit" "$(published --iface=eth7 --iface=fd77::1)" "192.0.2.1 fd77::1"
}

@test "it runs the way that the network names, with the other agents" {
	nodes 3 vxlan
	agent n1
	AGENT=vxlan agent n2
	ready n1 n2
	pod n1
	pod n2
	wait_for "n1 reaches n2" 5 reach n1 n2
	wait_for "n2 reaches n1" 5 reach n2 n1
	echo '{"Network":"10.5.0.0/16","Backend":{"Type":"host-gw"}}' >$STORE/config
	wait_for "a change is told" 3 grep -q "configuration has changed: restart" $STORE/n1.log
	agent n3 # a node of the other way beside them
	ready n3
	wait_for "n1 has a route to it, through its address" 5 has "$(subnet n3) via 192.0.2.3 dev eth0" ip -n n1 route show proto 118
	assert "n2 is reached as before" reach n1 n2
}

@test "EnableIPv4 false: an IPv6 network, with its lease, routes and subnet.env" {
	nodes 2 host-gw '{EnableIPv4: false, EnableIPv6: true, IPv6Network: "fd00:5::/48", Backend}'
	agent n1
	agent n2
	ready n1 n2
	assert_match "subnet.env" "$(</run/n1/subnet.env)" \
		'^FLANNEL_IPV6_NETWORK=fd00:5::/48'$'\n''FLANNEL_IPV6_SUBNET=fd00:5:0:[0-9a-f]+::1/64'$'\n''FLANNEL_MTU='
	wait_for "a route" 3 has "via fd77::2" ip -n n1 -6 route show proto 118
	assert_eq "none of IPv4" "$(ip -n n1 route show proto 118)" ""
}

lease_of_flannel() {
	mkdir -p $STORE/subnets
	echo '{"PublicIP":"192.0.2.1","PublicIPv6":null,"BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"02:00:00:00:00:01"},"Expires":"2999-01-01T00:00:00Z"}' \
		>$STORE/subnets/10.5.7.0-24
}

@test "without Backend it relays; etcd that does not answer is told within two seconds (D18), and no password ever (D19)" {
	[[ -e $(dirname "$CNIBOX")/cnibox-store ]] || missing "cnibox-store"
	nodes 2 vxlan 'del(.Backend)'
	agent n1
	agent n2
	ready n1 n2
	pod n1
	pod n2
	wait_for "n1 reaches n2 through the relay" 5 reach n1 n2
	agent_kill n1
	rm $STORE/n1.log
	FLANNELD_ETCD_PASSWORD=geheim FLANNELD_ETCD_USERNAME=root CNIBOX_LOG=debug nsenter --net=/run/netns/n1 "$CNIBOX" flanneld -v=9 -iface eth0 \
		>$STORE/n1.log 2>&1 3>&- &
	pid=$!
	wait_for "it is told, with flannel's default address" 2 grep -q "warning.*127.0.0.1:\(4001\|2379\)" $STORE/n1.log
	assert "the agent goes on trying" kill -0 $pid
	assert_eq "no password in the log" "$(grep -c geheim $STORE/n1.log)" 0
	store=$(pgrep -P $pid)
	refute "nor in what ps shows" grep -qa geheim /proc/$pid/cmdline /proc/$store/cmdline
	kill $pid
}

# What flanneld leaves on a node, made by hand.
as_flannel_left_it() {
	ip -n n1 link add flannel.1 address 02:00:00:00:00:01 mtu 1450 type vxlan id 1 dstport 8472 nolearning local 192.0.2.1 dev eth0
	ip -n n1 addr add 10.5.7.0/32 dev flannel.1
	ip -n n1 link set flannel.1 up
	mkdir -p /run/n1
	printf '%s\n' FLANNEL_NETWORK=10.5.0.0/16 FLANNEL_SUBNET=10.5.7.1/24 FLANNEL_MTU=1450 FLANNEL_IPMASQ=true >/run/n1/subnet.env
	ip -n n1 route add "$(subnet n2)" via "$(subnet n2 | sed 's,/.*,,')" dev flannel.1 onlink
	ip -n n1 neigh add "$(subnet n2 | sed 's,/.*,,')" lladdr "$(ip -n n2 -j link show flannel.1 | jq -r '.[0].address')" dev flannel.1 nud permanent
	nsenter --net=/run/netns/n1 bridge fdb add "$(ip -n n2 -j link show flannel.1 | jq -r '.[0].address')" dev flannel.1 dst 192.0.2.2
}

@test "a node of flannel's changes over without losing a packet: device, MAC, subnet, subnet.env, and the CNI plugin on top" {
	nodes 2 vxlan
	lease_of_flannel
	agent n2
	ready n2
	pod n2
	as_flannel_left_it
	pod n1
	wait_for "traffic before" 5 reach n1 n2
	index=$(ip -n n1 -j link show flannel.1 | jq '.[0].ifindex')
	nsenter --net=/run/netns/n1 ping -q -i 0.01 -c 100 -W 1 -I "$(pod_ip n1)" "$(pod_ip n2)" >$STORE/ping 2>&1 3>&- &
	ping=$!
	agent n1 -ip-masq
	wait_for "it has taken over" 3 has "$(subnet n2)" ip -n n1 route show proto 118
	wait "$ping"
	assert_match "packets" "$(<$STORE/ping)" "100 packets transmitted, 100 received"
	wait_for "all is in place" 3 grep -q "everything is in place" $STORE/n1.log
	assert_json "the device is the same, with its MAC" "$(ip -n n1 -j link show flannel.1)" \
		".[0] | .ifindex == $index and .address == \"02:00:00:00:00:01\""
	assert_eq "subnet.env" "$(</run/n1/subnet.env)" \
		$'FLANNEL_NETWORK=10.5.0.0/16\nFLANNEL_SUBNET=10.5.7.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true'
	container pod1
	ip -n n1 addr flush dev lo
	nsenter --net=/run/netns/n1 sysctl -qw net.ipv4.ip_forward=1
	said=$(CNI_COMMAND=ADD CNI_CONTAINERID=c1 CNI_IFNAME=eth0 CNI_NETNS=/run/netns/pod1 CNI_PATH=$PLUGINS nsenter --net=/run/netns/n1 \
		$PLUGINS/flannel <<<'{"cniVersion":"1.0.0","name":"f","type":"flannel","subnetFile":"/run/n1/subnet.env","delegate":{"bridge":"b5"}}')
	assert_json "a pod of it" "$said" '.ips[0].address' 10.5.7.2/24
	assert "reaches the other node's" nsenter --net=/run/netns/pod1 ping -q -c 1 -W 2 "$(pod_ip n2)"
}
