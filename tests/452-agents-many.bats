#!/usr/bin/env bats
# shellcheck disable=SC2086,SC2012 # paths of our own, without blanks
# Agents among many, and in both families.

load lib/all
load lib/nodes
sandbox

setup() {
	need ping bridge
}

v6_state() {
	ip -n n1 -6 route show proto 118
	ip -n n1 -6 neigh show dev flannel-v6.1 nud permanent
	nsenter --net=/run/netns/n1 bridge fdb show dev flannel-v6.1
}
same_v6_state() { [[ $(v6_state) == "$1" ]]; }

lease_of() { # ADDRESS: names of the leases that have it
	grep -l "\"$1\"" $STORE/subnets/* | sed 's,.*/,,'
}

@test "ten nodes race for ten subnets: each gets one (A9); the eleventh says so, keeps trying, and gets what is given back" {
	local i
	nodes 11 host-gw '.SubnetMin = "10.5.1.0" | .SubnetMax = "10.5.10.0"'
	AGENT=hostgw-sync
	for i in {1..10}; do agent n$i; done
	ready n{1..10}
	assert_eq "leases" "$(ls $STORE/subnets | sort -V)" "$(printf '10.5.%d.0-24\n' {1..10})"
	for i in {1..10}; do
		assert "n$i lives" kill -0 "$(agent_pid n$i)"
		wait_for "n$i has a route to each other" 5 routes n$i 9
	done
	agent n11
	wait_for "the eleventh says why" 3 grep -q "out of subnets: all 10 leases of the network are taken" $STORE/n11.log
	agent_kill n3
	rm $STORE/subnets/"$(lease_of 192.0.2.3)"
	wait_for "the eleventh has one" 4 test -e /run/n11/subnet.env
	assert_eq "it is the one that was given back" "$(subnet n11)" "$(subnet n3)"
	assert_eq "how often it said so" "$(grep -c "out of subnets" $STORE/n11.log)" 1
	for i in {1..11}; do [[ $i == 3 ]] || agent_kill n$i; done
}

routes() { [[ $(ip -n "$1" route show proto 118 | wc -l) == "$2" ]]; }

@test "dual stack over VXLAN: traffic in both families, and what somebody deletes of IPv6 is back" {
	local damage before
	two vxlan '.EnableIPv6 = true | .IPv6Network = "fd00:5::/48"'
	wait_for "over IPv6" 5 reach6 n1 n2
	wait_for "and back" 5 reach6 n2 n1
	before=$(v6_state)
	for damage in "ip -n n1 -6 route flush proto 118" "ip -n n1 -6 neigh flush dev flannel-v6.1 nud permanent" \
		"ip -n n1 link set flannel-v6.1 down" "ip -n n1 link del flannel-v6.1"; do
		run_log $damage
		wait_for "repaired after: $damage" 2 same_v6_state "$before"
	done
	assert "over IPv6 again" reach6 n1 n2
	assert_eq "the value is flannel's, with both ends" "$(jq -c 'del(.Expires) | keys_unsorted' $STORE/subnets/"$(lease_of 192.0.2.1)")" \
		'["PublicIP","PublicIPv6","BackendType","BackendData","BackendV6Data"]'
}

@test "dual stack by host-gw: routes through both of the nodes' addresses, also after the link was away" {
	two host-gw '.EnableIPv6 = true | .IPv6Network = "fd00:5::/48"'
	wait_for "over IPv6" 5 reach6 n1 n2
	assert_match "the route" "$(ip -n n1 -6 route show proto 118)" 'via fd77::2 dev eth0'
	nsenter --net=/run/netns/n1 sysctl -qw net.ipv6.conf.eth0.keep_addr_on_down=1
	run_log ip -n n1 link set eth0 down
	run_log ip -n n1 link set eth0 up
	wait_for "IPv4" 3 reach n1 n2
	wait_for "IPv6" 5 reach6 n1 n2
}

ipv6_only() { # TYPE
	nodes 2 "$1" '.EnableIPv4 = false | del(.Network) | .EnableIPv6 = true | .IPv6Network = "fd00:5::/48"'
	agent n1
	ready n1
	agent n2
	ready n2
	assert_eq "leases" "$(ls $STORE/subnets | wc -l)" 2
	assert_eq "of nodes" "$(jq -r .PublicIPv6 $STORE/subnets/* | sort)" $'fd77::1\nfd77::2'
	refute "a null, at which flannel drops all its peers (D1)" grep -q null $STORE/subnets/*
	assert_eq "subnet.env" "$(grep -c 'FLANNEL_\(NETWORK\|SUBNET\)' /run/n1/subnet.env)" 0
	ip -n n1 addr add "$(sed -n 's/^FLANNEL_IPV6_SUBNET=//p' /run/n1/subnet.env)" dev lo nodad
	ip -n n2 addr add "$(sed -n 's/^FLANNEL_IPV6_SUBNET=//p' /run/n2/subnet.env)" dev lo nodad
	wait_for "traffic" 5 reach6 n1 n2
	wait_for "and back" 5 reach6 n2 n1
}

@test "IPv6 only, by VXLAN: each node has a subnet of its own (D12), and traffic" {
	ipv6_only vxlan
}

@test "IPv6 only, by host-gw: each node has a subnet of its own (D12), and traffic" {
	AGENT=hostgw-sync
	ipv6_only host-gw
}
