#!/usr/bin/env bats
# `cnibox doctor` and the other nodes of a network: who does not answer, and who has the addresses of another.

# shellcheck disable=SC2030,SC2031,SC2086 # each test is on its own; paths without blanks

load lib/all
load lib/nodes
load lib/doctor
sandbox forward

# This node is 192.0.2.1 with 10.5.1.0/24; n2 has 10.5.2.0/24.
setup() {
	nodes 2 host-gw
	ip -n n1 link del eth0
	ip addr add 192.0.2.1/24 dev under
	for i in 1 2; do
		"$CNIBOX" lease reserve --store $STORE "10.5.$i.0/24" "192.0.2.$i" >/dev/null
	done
}

doctor() { "$CNIBOX" doctor --store $STORE "$@"; }

@test "peers that are well, and a node that no store has" {
	is_well
	said=$("$CNIBOX" doctor)
	assert_eq "no store" "$said" "nothing is wrong"
	ip addr del 192.0.2.1/24 dev under
	is_well
}

@test "a node that does not answer, and one that nothing leads to" {
	ip -n n2 addr del 192.0.2.2/24 dev eth0
	finds peer 'node 192\.0\.2\.2 does not answer nobody on under has its address, and 10\.5\.2\.0/24 is leased to it'
	assert_eq "what ends it" "$remedy" "cnibox lease release --store $STORE 10.5.2.0/24"
	ip -n n2 link set eth0 down
	wait_for "no carrier" 5 eval '[[ $(cat /sys/class/net/under/operstate) == down ]]'
	finds peer 'node 192\.0\.2\.2 is not reached under, which leads to it, has no carrier'
	ip -n n2 addr add 192.0.2.2/24 dev eth0
	ip -n n2 link set eth0 up
	wait_for "a carrier" 5 eval '[[ $(cat /sys/class/net/under/operstate) == up ]]'
	is_well
	"$CNIBOX" lease reserve --store $STORE 10.5.3.0/24 198.51.100.3 >/dev/null
	finds peer 'there is no way to node 198\.51\.100\.3'
	ip route add 198.51.100.0/24 via 192.0.2.77
	finds peer 'the gateway to node 198\.51\.100\.3 does not answer nobody on under has the address 192\.0\.2\.77'
}

@test "two nodes with the same addresses" {
	cp $STORE/subnets/10.5.2.0-24 $STORE/subnets/10.5.2.0-23
	sed -i 's/192\.0\.2\.2/192.0.2.1/' $STORE/subnets/10.5.2.0-23
	finds peer 'nodes .* have the same addresses their subnets 10\.5\.2\.0/2. and 10\.5\.2\.0/2. overlap'
	assert_match "what ends it" "$remedy" 'cnibox lease release --store /run/store 10\.5\.2\.0/2'
	eval "$remedy"
	is_well
}
