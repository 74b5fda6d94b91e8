#!/usr/bin/env bats
# Routes of several next hops, `cnibox path` follows by the one that the kernel takes, and says what the others would do: each packet
# is also sent.

# shellcheck disable=SC2030,SC2031 # each test is on its own

load lib/all
load lib/nodes
load lib/path
sandbox forward

FAR=203.0.113 FIRST=192.0.2.9 SECOND=198.51.100.9

# The namespaces outside and second are routers, and far is behind both.
setup() {
	local name

	path_node
	nft flush ruleset
	container second far
	ip link add up1 type veth peer name eth0 netns second
	ip link set up1 up
	ip -n second link set eth0 up
	for name in outside second; do
		ip -n far link add $name type veth peer name far netns $name
		ip -n far link set $name up
		ip -n $name link set far up
		run_in $name sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
	done
	ip addr add 198.51.100.1/24 dev up1
	ip -n second addr add 198.51.100.9/24 dev eth0
	ip -n second route add 10.1.0.0/24 via 198.51.100.1
	ip -n outside route add 10.1.0.0/24 via 192.0.2.1
	ip -n outside addr add 172.16.1.1/24 dev far
	ip -n far addr add 172.16.1.2/24 dev outside
	ip -n second addr add 172.16.2.1/24 dev far
	ip -n far addr add 172.16.2.2/24 dev second
	ip -n far route add 10.1.0.0/24 via 172.16.1.1
	ip -n outside route add $FAR.0/24 via 172.16.1.2
	ip -n second route add $FAR.0/24 via 172.16.2.2
	for i in 1 2 3 4 5 6; do
		ip -n far addr add $FAR.$i/32 dev lo
	done
}

# As path says, so it is: for every address; said for each is in $all.
all_true() {
	local i sent

	all=
	for i in 1 2 3 4 5 6; do
		sent=0 status=0
		run_in blue ping -q -c 1 -W 1 $FAR.$i >/dev/null || sent=1
		said=$(path blue $FAR.$i) || status=$?
		assert_eq "$FAR.$i: $said" "$status" "$sent"
		all+="$status $said"$'\n'
	done
}

@test "the one that the kernel takes, and the other" {
	ip route add $FAR.0/24 nexthop via "$FIRST" nexthop via "$SECOND"
	all_true
	assert_match "some take the one" "$all" "next hop +via ${SECOND//./\\.} dev up1 would do, too.*out +up0"
	assert_match "some the other" "$all" "next hop +via ${FIRST//./\\.} dev up0 would do, too.*out +up1"
	assert_match "by what" "$all" 'next hop +one of 2, chosen by the addresses'
	sysctl -qw net.ipv4.fib_multipath_hash_policy=1
	assert_match "and ports" "$(path blue $FAR.1)" "one of 2, chosen by the addresses and more, such as the sender's port"
}

@test "one that would stop it: only those that take it are stopped, the others are told" {
	ip route add $FAR.0/24 nexthop via "$FIRST" nexthop via "$SECOND"
	ip -n second route replace unreachable $FAR.0/24
	all_true
	assert_match "some are" "$all" $'\n  X route +an unreachable route has 203'
	assert_match "some not" "$all" "next hop +via ${SECOND//./\\.} dev up1 would stop it: route: an unreachable route has $FAR"
	assert_match "nor would they" "$all" "next hop +via ${FIRST//./\\.} dev up0 would do, too.*X route"
	remedy=$(grep -m 1 -o 'ip -n second .*' <<<"$all")
	eval "$remedy"
	ip -n second route add $FAR.0/24 via 172.16.2.2
	all_true
	refute "none is" grep -q 'would stop' <<<"$all"
}

@test "links that are down, and routes that go on without them or not" {
	ip route add $FAR.0/24 nexthop via "$FIRST" nexthop via "$SECOND"
	ip -n second link set eth0 down
	all_true
	assert_match "the other end" "$all" 'X link +eth0 of second, the other end of up1, is down'
	assert_match "and for those that do not take it" "$all" "via ${SECOND//./\\.} dev up1 would stop it: link: eth0 of second"
	ip route del $FAR.0/24
	sysctl -qw net.ipv4.conf.up1.ignore_routes_with_linkdown=1
	ip route add $FAR.0/24 nexthop via "$FIRST" nexthop via "$SECOND"
	all_true
	assert_match "dead" "$all" "next hop +via ${SECOND//./\\.} dev up1 is dead"
	refute "nothing is stopped" grep -q '^  X' <<<"$all"
	ip link set up1 down
	all_true
	refute "nothing is stopped" grep -q '^  X' <<<"$all"
}

@test "next hops as objects: one, a group, one that refuses" {
	ip nexthop add id 1 via "$FIRST" dev up0 || missing "next hops as objects"
	ip nexthop add id 2 via "$SECOND" dev up1
	ip nexthop add id 10 group 1/2
	ip route add $FAR.0/24 nhid 10
	all_true
	assert_match "both" "$all" 'next hop +one of 2'
	ip route replace $FAR.0/24 nhid 2
	all_true
	refute "one is no choice" grep -q 'next hop' <<<"$all"
	ip nexthop add id 3 blackhole
	ip route replace $FAR.0/24 nhid 3
	all_true
	stops route 'a blackhole route has 203\.0\.113\.1' blue $FAR.1
}
