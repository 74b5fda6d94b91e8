#!/usr/bin/env bats
# shellcheck disable=SC2086,SC2012 # paths of our own, without blanks
# Agents between the two ways, over a reboot, and with others' hands on their devices.

load lib/all
load lib/nodes
sandbox

setup() {
	need ping bridge
}

lease_of() { # ADDRESS: names of the leases that have it
	grep -l "\"$1\"" $STORE/subnets/* | sed 's,.*/,,'
}

@test "DirectRouting: near peers by routes, far ones over VXLAN, and judged anew when this node's networks change" {
	two vxlan '.Backend.DirectRouting = true'
	assert_eq "near" "$(peer_of)" "$(subnet n2) via 192.0.2.2 dev eth0 "
	assert_eq "no neighbour" "$(ip -n n1 neigh show dev flannel.1 nud permanent)" ""
	echo '{"PublicIP":"198.51.100.9","BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"02:00:00:00:00:09"}}' >$STORE/subnets/10.5.250.0-24
	wait_for "far" 2 has "10.5.250.0/24 via 10.5.250.0 dev flannel.1 onlink" peer_of
	assert_match "its forwarding entry" "$(state)" '02:00:00:00:00:09 dst 198.51.100.9'
	ip -n n1 addr add 198.51.100.1/24 dev eth0
	wait_for "it is near now" 2 has "10.5.250.0/24 via 198.51.100.9 dev eth0" peer_of
	assert_eq "of VXLAN" "$(state | grep -c 02:00:00:00:00:09)" 0
	ip -n n1 addr del 198.51.100.1/24 dev eth0
	wait_for "it is far again" 2 has "10.5.250.0/24 via 10.5.250.0 dev flannel.1 onlink" peer_of
	wait_for "the near one is as it was" 2 has "$(subnet n2) via 192.0.2.2 dev eth0" peer_of
	ip -n n1 link set eth0 down
	ip -n n1 link set eth0 up
	wait_for "and after the link was away (D6)" 2 has "$(subnet n2) via 192.0.2.2 dev eth0" peer_of
	assert "traffic" reach n1 n2
}

@test "GBP and another VNI, port and MTU are the device's; one of another shape is made anew, with its MAC" {
	local mac
	nodes 1 vxlan
	agent n1
	ready n1
	mac=$(ip -n n1 -j link show flannel.1 | jq -r '.[0].address')
	agent_kill n1
	jq -c '.Backend += {GBP: true, MTU: 1300, Port: 4789}' $STORE/config >/run/config
	mv /run/config $STORE/config
	agent n1
	wait_for "subnet.env" 3 grep -q FLANNEL_MTU=1250 /run/n1/subnet.env
	assert_json "the device" "$(ip -n n1 -d -j link show flannel.1)" ".[0] | .mtu == 1250 and .address == \"$mac\" and
		(.linkinfo.info_data | .gbp == true and .port == 4789)"
	agent_kill n1
	jq -c '.Backend.VNI = 77' $STORE/config >/run/config
	mv /run/config $STORE/config
	agent n1
	wait_for "a device of its own" 3 ip -n n1 link show flannel.77
	wait_for "the lease" 2 grep -q '"VNI":77' $STORE/subnets/*
}

@test "a reboot: the device comes back with its MAC, or, where nothing is remembered, peers follow the new one" {
	local mac was
	two vxlan
	mac=$(ip -n n1 -j link show flannel.1 | jq -r '.[0].address') was=$(subnet n1)
	agent_kill n1
	ip -n n1 link del flannel.1
	agent n1
	wait_for "traffic" 3 reach n2 n1
	assert_eq "its MAC" "$(ip -n n1 -j link show flannel.1 | jq -r '.[0].address')" "$mac"
	agent_kill n1
	ip -n n1 link del flannel.1
	rm /run/n1/subnet.env*
	agent n1
	ready n1
	assert_eq "the subnet" "$(subnet n1)" "$was"
	wait_for "traffic, with nothing remembered" 3 reach n2 n1
}

@test "flannel.1 that somebody renamed gets its name back, with all that was on it" {
	two vxlan
	mac=$(ip -n n1 -j link show flannel.1 | jq -r '.[0].address')
	ip -n n1 link set flannel.1 down
	ip -n n1 link set flannel.1 name other
	wait_for "its name" 5 ip -n n1 link show flannel.1
	wait_for "traffic" 5 reach n1 n2
	assert_eq "its MAC" "$(ip -n n1 -j link show flannel.1 | jq -r '.[0].address')" "$mac"
	assert_eq "devices" "$(ip -n n1 -j link show type vxlan | jq length)" 1
	wait_for "the other way" 5 reach n2 n1
}

@test "what others keep on flannel.1, learnt or static, stays; ours comes back beside it" {
	two vxlan
	nsenter --net=/run/netns/n1 bridge fdb add 02:00:00:00:aa:01 dev flannel.1 dst 192.0.2.50 dynamic
	nsenter --net=/run/netns/n1 bridge fdb add 02:00:00:00:aa:02 dev flannel.1 dst 192.0.2.51 static
	ip -n n1 neigh add 10.5.200.7 lladdr 02:00:00:00:aa:03 dev flannel.1 nud stale
	ip -n n1 route add 10.99.0.0/24 via 192.0.2.2 dev eth0 proto static
	run_log ip -n n1 route flush proto 118
	wait_for "ours is back" 2 reach n1 n2
	assert_match "learnt" "$(state)" '02:00:00:00:aa:01 dst 192.0.2.50'
	assert_match "static" "$(state)" '02:00:00:00:aa:02 dst 192.0.2.51'
	assert_match "a neighbour" "$(ip -n n1 neigh show dev flannel.1)" '10.5.200.7 lladdr 02:00:00:00:aa:03'
	assert_match "a route" "$(ip -n n1 route)" '10.99.0.0/24 via 192.0.2.2'
}

@test "host-gw says which peer it cannot reach, once" {
	two host-gw
	echo '{"PublicIP":"198.51.100.9","BackendType":"host-gw"}' >$STORE/subnets/10.5.250.0-24
	wait_for "it is told" 2 grep -qF "1 of 2 peers cannot be reached: 198.51.100.9, which has 10.5.250.0-24: host-gw needs it on a network that both nodes are in" $STORE/n1.log
	run_log ip -n n1 route flush proto 118
	wait_for "ours is back" 2 reach n1 n2
	assert_eq "how often" "$(grep -c "cannot be reached" $STORE/n1.log)" 1
}

@test "near is what the kernel's routes say: a /32 address with a route to the link; a way by a gateway is none, from then on" {
	nodes 1 vxlan '.Backend.DirectRouting = true'
	ip -n n1 addr flush dev eth0 scope global
	ip -n n1 addr add 192.0.2.1/32 dev eth0
	ip -n n1 route add 192.0.2.0/24 dev eth0 src 192.0.2.1
	mkdir -p $STORE/subnets
	echo '{"PublicIP":"192.0.2.9","BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"02:00:00:00:00:09"}}' >$STORE/subnets/10.5.250.0-24
	echo '{"PublicIP":"192.0.2.8","BackendType":"host-gw"}' >$STORE/subnets/10.5.240.0-24
	agent n1 --resync 0s
	wait_for "it is direct" 5 has "10.5.250.0/24 via 192.0.2.9 dev eth0" peer_of
	assert_match "the other" "$(peer_of)" "10.5.240.0/24 via 192.0.2.8 dev eth0"
	# By a gateway of that link: heard of at once.
	ip -n n1 route add 192.0.2.8/31 via 192.0.2.254
	wait_for "the other end" 5 has "10.5.250.0/24 via 10.5.250.0 dev flannel.1" peer_of
	wait_for "no way to the other" 5 lacks 10.5.240.0 peer_of
	ip -n n1 route del 192.0.2.8/31
	wait_for "direct again" 5 has "10.5.250.0/24 via 192.0.2.9 dev eth0" peer_of
	wait_for "the other" 5 has "10.5.240.0/24 via 192.0.2.8 dev eth0" peer_of
	# By another interface: the same.
	ip -n n1 link add other0 type bridge
	ip -n n1 link set other0 up
	ip -n n1 addr add 198.51.100.1/24 dev other0
	ip -n n1 route add 192.0.2.9/32 dev other0
	wait_for "not by this link" 5 has "10.5.250.0/24 via 10.5.250.0 dev flannel.1" peer_of
	ip -n n1 route del 192.0.2.9/32
	wait_for "by this link" 5 has "10.5.250.0/24 via 192.0.2.9 dev eth0" peer_of
	ip -n n1 route add 192.0.2.9/32 dev other0
	wait_for "by the other one" 5 has "10.5.250.0/24 via 10.5.250.0 dev flannel.1" peer_of
	ip -n n1 link set other0 down # nobody is told of its routes
	wait_for "the other one is down" 5 has "10.5.250.0/24 via 192.0.2.9 dev eth0" peer_of
	ip -n n1 link set other0 up
	ip -n n1 route add 192.0.2.9/32 dev other0
	wait_for "and up" 5 has "10.5.250.0/24 via 10.5.250.0 dev flannel.1" peer_of
	assert_match "what route-dump says" "$(nsenter --net=/run/netns/n1 "$CNIBOX" route-dump --peers "${PLACE[@]}" || :)" '10\.5\.250\.0/24 .*ok'
}

@test "near is what rules say, too: a table that they have asked for any packet; none for some" {
	nodes 1 host-gw
	AGENT=hostgw-sync
	ip -n n1 addr flush dev eth0 scope global
	ip -n n1 addr add 192.0.2.1/32 dev eth0
	ip -n n1 route add 192.0.2.0/24 dev eth0 src 192.0.2.1 table 100
	ip -n n1 rule add from 192.0.2.1 lookup 100
	mkdir -p $STORE/subnets
	echo '{"PublicIP":"192.0.2.9","BackendType":"host-gw"}' >$STORE/subnets/10.5.250.0-24
	agent n1 --resync 0s
	ready n1
	wait_for "it is far" 5 grep -q "host-gw needs it on a network that both nodes are in" $STORE/n1.log
	ip -n n1 rule add lookup 100
	kill -HUP "$(agent_pid n1)" # of rules nobody tells
	wait_for "it is direct" 5 has "10.5.250.0/24 via 192.0.2.9 dev eth0" peer_of
	assert_match "what route-dump says" "$(nsenter --net=/run/netns/n1 "$CNIBOX" route-dump --peers "${PLACE[@]}" || :)" '10\.5\.250\.0/24 .*ok'
	# what happens in that table is heard of
	ip -n n1 route add 192.0.2.9 via 192.0.2.254 dev eth0 table 100
	wait_for "a gateway" 5 lacks 10.5.250.0 peer_of
	ip -n n1 route del 192.0.2.9 table 100
	wait_for "and none" 5 has "10.5.250.0/24 via 192.0.2.9 dev eth0" peer_of
	ip -n n1 route add default via 192.0.2.254 dev eth0 onlink table 99
	ip -n n1 rule add lookup 99 prio 50
	kill -HUP "$(agent_pid n1)"
	wait_for "another table comes before" 5 lacks 10.5.250.0 peer_of
	ip -n n1 route add 192.0.2.0/24 dev eth0
	wait_for "the table of the route itself knows" 5 has "10.5.250.0/24 via 192.0.2.9 dev eth0" peer_of
}

@test "a lease whose node is gone leaves its peers when it ends" {
	two host-gw
	echo '{"PublicIP":"192.0.2.9","BackendType":"host-gw","Expires":"'"$(date -u -d +2sec +%FT%TZ)"'"}' >$STORE/subnets/10.5.250.0-24
	wait_for "it has a route" 2 has 10.5.250.0 peer_of
	wait_for "and none when it has ended" 5 lacks 10.5.250.0 peer_of
	assert_match "the others" "$(peer_of)" "$(subnet n2)"
	echo '{"PublicIP":"192.0.2.9","BackendType":"host-gw","Expires":"2020-01-01T00:00:00Z"}' >$STORE/subnets/10.5.251.0-24
	echo '{"PublicIP":"192.0.2.8","BackendType":"host-gw"}' >$STORE/subnets/10.5.252.0-24
	wait_for "a later one" 2 has 10.5.252.0 peer_of
	refute "the old one has a route" has 10.5.251.0 peer_of
}

@test "a node whose subnet is another's by now ends and says so, and leaves its pods' ways as they are (D10)" {
	local was before status=0
	two host-gw
	was=$(subnet n1) before=$(state)
	echo '{"PublicIP":"192.0.2.9","BackendType":"host-gw"}' >$STORE/subnets/"${was/\//-}"
	wait "$(agent_pid n1)" || status=$?
	assert_eq "exit status" "$status" 1
	assert_match "said" "$(tail -n 1 $STORE/n1.log)" "another node has ${was/\//-} by now: 192\.0\.2\.9, with ${was/\//-}$"
	assert_eq "it has taken no other" "$(find $STORE/subnets -type f | wc -l)" 2
	assert_eq "the data plane" "$(state)" "$before"
	assert_match "the other's lease" "$(<$STORE/subnets/"${was/\//-}")" 192.0.2.9
}

@test "two leases with one MAC do not push each other out for ever; a subnet that nodes are in takes nothing away" {
	local n link
	two vxlan
	link=$(ip -n n1 route show 192.0.2.0/24)
	echo '{"PublicIP":"192.0.2.9","BackendType":"host-gw"}' >$STORE/subnets/192.0.2.0-24
	wait_for "it is told of that one" 2 grep -q "192.0.2.9, which has 192.0.2.0-24: its subnet takes in the network of the nodes" $STORE/n1.log
	echo '{"PublicIP":"192.0.2.7","BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"02:00:00:00:00:07"}}' >$STORE/subnets/10.5.201.0-24
	echo '{"PublicIP":"192.0.2.8","BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"02:00:00:00:00:07"}}' >$STORE/subnets/10.5.202.0-24
	wait_for "both have a neighbour" 2 has "10.5.202.0 lladdr 02:00:00:00:00:07" state
	assert_match "one of them is told" "$(nsenter --net=/run/netns/n1 "$CNIBOX" route-dump --peers "${PLACE[@]}" || :)" '10\.5\.20[12]\.0/24 .*another node.s VXLAN end'
	nsenter --net=/run/netns/n1 ping -q -i 0.2 -c 3 -W 1 127.0.0.1 >/dev/null
	n=$(wc -l <$STORE/n1.log)
	nsenter --net=/run/netns/n1 ping -q -i 0.5 -c 3 -W 1 127.0.0.1 >/dev/null
	assert_eq "lines that it says meanwhile" "$(($(wc -l <$STORE/n1.log) - n))" 0
	assert_eq "the way to the nodes" "$(ip -n n1 route show 192.0.2.0/24)" "$link"
	assert "traffic" reach n1 n2
}

@test "a lease of foreign addresses, and one that no node can have, are told once, and take nothing from others" {
	local before mac
	two vxlan
	before=$(state) mac=$(ip -n n2 -j link show flannel.1 | jq -r '.[0].address')
	put() { echo "{\"PublicIP\":\"$2\",\"BackendType\":\"$3\",\"BackendData\":{\"VNI\":1,\"VtepMAC\":\"$4\"}}" >$STORE/subnets/$1; }
	put 8.8.8.0-24 192.0.2.9 host-gw 02:00:00:00:00:01
	put 198.51.100.0-24 192.0.2.10 vxlan "$mac" # as n2's, and newer: frames for n2 would go there
	wait_for "foreign ones are told" 5 grep -qE "2 of 3 peers cannot be reached: .*: its subnet is not in the network" $STORE/n1.log
	put 10.5.201.0-24 192.0.2.9 vxlan 00:00:00:00:00:00
	put 10.5.202.0-24 192.0.2.9 vxlan ff:ff:ff:ff:ff:ff
	put 10.5.203.0-24 224.0.0.1 vxlan 02:00:00:00:00:03
	put 10.5.204.0-24 255.255.255.255 vxlan 02:00:00:00:00:04
	wait_for "the others are no leases" 5 grep -q "4 entries of the store are no leases" $STORE/n1.log
	assert_eq "what n1 has" "$(state)" "$before"
	assert_match "for a person" "$(nsenter --net=/run/netns/n1 "$CNIBOX" route-dump --peers "${PLACE[@]}" || :)" '8\.8\.8\.0/24 .*its subnet is not in the network'
	assert_match "lease list says why" "$("$CNIBOX" lease list "${PLACE[@]}" 2>&1)" "subnets/10.5.203.0-24 is no lease: PublicIP and PublicIPv6: 224.0.0.1 is no node's address"
	assert_eq "how often" "$(grep -c "4 entries of the store" $STORE/n1.log)" 1
	assert "traffic" reach n1 n2
}

@test "from VXLAN to host-gw, node by node, and back: everybody reaches everybody, and no packet is lost" {
	local way node ping
	nodes 3 vxlan
	for node in n1 n2 n3; do AGENT=vxlan agent $node; done
	ready n1 n2 n3
	for node in n1 n2 n3; do pod $node; done
	all_reach
	nsenter --net=/run/netns/n1 ping -i 0.01 -W 1 -I "$(pod_ip n1)" "$(pod_ip n2)" >$STORE/ping 2>&1 3>&- &
	ping=$!
	for way in host-gw vxlan; do
		for node in n1 n2 n3; do
			agent_kill $node
			AGENT=$([[ $way == vxlan ]] && echo vxlan || echo hostgw-sync)
			agent $node --mixed
			wait_for "$node is $way" 3 grep -q "\"$way\"" $STORE/subnets/"$(lease_of 192.0.2.${node#n})"
			all_reach
		done
		wait_for "all by $way" 2 via "$([[ $way == vxlan ]] && echo flannel.1 || echo eth0)"
		assert "the device is there, for whoever has not heard yet" ip -n n1 link show flannel.1
	done
	kill -INT $ping
	wait $ping || :
	assert_match "packets" "$(tail -n 2 $STORE/ping)" ', 0% packet loss'
}

has_no() { ! ip -n "$1" link show "$2" >/dev/null 2>&1; }

@test "what a way leaves over goes some time after the move: its device, but none of another network" {
	local node
	two vxlan
	ip -n n1 link add flannel.7 type vxlan id 7 dstport 4789 local 192.0.2.1 dev eth0
	ip -n n1 addr add 10.99.0.0/32 dev flannel.7
	for node in n1 n2; do
		agent_kill $node
		AGENT=hostgw-sync agent $node --mixed --resync 1s
	done
	for node in n1 n2; do wait_for "flannel.1 of $node is gone" 15 has_no $node flannel.1; done
	assert "traffic" reach n1 n2
	agent_kill n1
	AGENT=vxlan agent n1 --resync 1s
	wait_for "back to VXLAN" 5 has "inet 10.5." ip -n n1 addr show flannel.1
	agent_kill n1
	jq -c '.Backend.VNI = 77' $STORE/config >/run/config
	mv /run/config $STORE/config
	AGENT=vxlan agent n1 --resync 1s
	wait_for "another number: the device of the old one is gone" 15 has_no n1 flannel.1
	assert "its own stays" ip -n n1 link show flannel.77
	assert "another network's, too" ip -n n1 link show flannel.7
}

all_reach() {
	local a b

	for a in n1 n2 n3; do
		for b in n1 n2 n3; do
			[[ $a == "$b" ]] || wait_for "$a reaches $b" 4 reach $a $b
		done
	done
}

via() { [[ $(ip -n n1 route show proto 118 | grep -c "dev $1") == 2 ]]; }
