#!/usr/bin/env bats
# shellcheck disable=SC2086 # paths of our own, without blanks
# A narrow way between two nodes, of which the kernel learns by a packet that a router refused: who is told, and what to set.

load lib/all
load lib/nodes
load lib/doctor
sandbox forward

on() { nsenter --net="/run/netns/$1" "${@:2}"; }
doctor() { on n1 "$CNIBOX" doctor --store $STORE "$@"; }
peer() { on n1 "$CNIBOX" route-dump --peers --store $STORE --json | jq -r ".[0] | $1"; }

# n1, a router r, and n2 behind it, where no more than 1400 bytes get through.
routed() { # [JQ]
	nodes 1 vxlan "$@"
	container r
	container n2
	ip link add u9 type veth peer name left netns r
	ip link set u9 master under up
	ip -n r link add right mtu 1400 type veth peer name eth0 netns n2
	ip -n r addr add 192.0.2.254/24 dev left
	ip -n r addr add fd77::254/64 dev left nodad
	ip -n r addr add 198.51.100.254/24 dev right
	ip -n r addr add fd78::254/64 dev right nodad
	ip -n n2 addr add 198.51.100.2/24 dev eth0
	ip -n n2 addr add fd78::2/64 dev eth0 nodad
	for link in "r left" "r right" "n2 eth0"; do
		ip -n ${link% *} link set ${link#* } up
	done
	on r sysctl -q -w net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
	ip -n n1 route add 198.51.100.0/24 via 192.0.2.254
	ip -n n1 -6 route add fd78::/64 via fd77::254
	ip -n n2 route add default via 198.51.100.254
	ip -n n2 -6 route add default via fd78::254
}

learns() { # a packet of full size to the other node is refused on the way
	on n1 ping -q -c 1 -W 1 -M "do" -s 1472 198.51.100.2 >/dev/null || :
	has "mtu 1400" ip -n n1 route get 198.51.100.2
}

@test "IPv4: the kernel learns of it, route-dump and doctor tell; with the MTU that they name all is well" {
	routed
	agent n1
	agent n2
	ready n1 n2
	pod n1
	pod n2
	wait_for "the nodes' pods" 5 reach n1 n2
	assert_eq "nothing is known yet" "$(peer '[.verdict, .pathMtu] | tostring')" '["ok",null]'
	is_well
	wait_for "the kernel learns" 5 learns
	assert_eq "the verdict" "$(peer '.verdict, .pathMtu, .actual.mtu')" \
		"packets to it may have 1350 bytes, not 1450: the way to its node carries 1400 (\"MTU\": 1400 in the network's Backend)
1400
1350"
	finds peer "packets for pods of node 198.51.100.2 are too large for the way to it it carries 1400 bytes, so that 1350 fit, and pods send up to 1450"
	assert_eq "what to set" "$remedy" "\"MTU\": 1400 in the network's Backend"
	# as it is said, with agents that read it
	agent_kill n1
	agent_kill n2
	jq -c '.Backend.MTU = 1400' $STORE/config >$STORE/config.new
	mv $STORE/config.new $STORE/config
	agent n1
	agent n2
	wait_for "its MTU" 5 has "FLANNEL_MTU=1350" cat /run/n1/subnet.env
	wait_for "all of it" 5 eval '[[ $(peer .verdict) == ok ]]'
	assert "the kernel still knows" has "mtu 1400" ip -n n1 route get 198.51.100.2
	is_well
	assert "a packet of full size" on n1 ping -q -c 1 -W 1 -M "do" -s 1322 -I "$(pod_ip n1)" "$(pod_ip n2)"
}

@test "IPv6" {
	routed '.EnableIPv6 = true | .IPv6Network = "fd05::/48" | .EnableIPv4 = false | del(.Network)'
	agent n1
	agent n2
	wait_for "the way to n2" 5 eval '[[ $(peer .verdict 2>/dev/null) == ok ]]'
	learns6() {
		on n1 ping -6 -q -c 1 -W 1 -M "do" -s 1452 fd78::2 >/dev/null || :
		has "mtu 1400" ip -n n1 -6 route get fd78::2
	}
	wait_for "the kernel learns" 5 learns6
	assert_eq "the verdict" "$(peer .verdict)" \
		"packets to it may have 1330 bytes, not 1430: the way to its node carries 1400 (\"MTU\": 1400 in the network's Backend)"
}
