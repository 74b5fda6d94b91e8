#!/usr/bin/env bats
# shellcheck disable=SC2086,SC2012 # paths of our own, without blanks
# Two networks on the same nodes, with an agent each: neither touches what is the other's, while it runs or when it is cleaned
# up; and what an agent of this network had before it was changed goes.

load lib/all
load lib/nodes
load lib/legacy
sandbox forward

export FLANNELD_IP_MASQ=true
STORE2=/run/store2

on() { nsenter --net="/run/netns/$1" "${@:2}"; }

# network2 TYPE [JQ]: 10.6.0.0/16 beside 10.5.0.0/16; second NODE: its agent there
network2() {
	mkdir -p $STORE2
	jq -n -c --arg type "$1" '{Network: "10.6.0.0/16", Backend: {Type: $type, VNI: 2, Port: 8473}} | '"${2:-.}" >$STORE2/config
}
second() { # NODE [OPTION ...]
	CNIBOX_LOG=info nsenter --net="/run/netns/$1" "$CNIBOX" "$AGENT" --store $STORE2 --iface eth0 --subnet-file "/run/$1/second.env" "${@:2}" \
		>>$STORE2/$1.log 2>&1 3>&- &
	echo $! >$STORE2/$1.pid
	wait_for "$1 has its second subnet" 5 grep -q FLANNEL_MTU "/run/$1/second.env"
}
second_kill() {
	kill "$(<$STORE2/$1.pid)"
	wait "$(<$STORE2/$1.pid)" 2>/dev/null || :
}
second_ip() { sed -n 's,^FLANNEL_SUBNET=\(.*\)/.*,\1,p' "/run/$1/second.env"; }
second_reach() { on "$1" ping -q -c 1 -W 1 -I "$(second_ip "$1")" "$(second_ip "$2")" >/dev/null; }

both_networks() {
	local node

	for node in n1 n2; do
		second $node
		ip -n $node addr add "$(second_ip $node)/24" dev lo
	done
	wait_for "n1 reaches n2 in the second" 5 second_reach n1 n2
	wait_for "n2 reaches n1 in the second" 5 second_reach n2 n1
}

# All that the agents of n1 keep. Rules in an order that does not depend on who came first.
kept() {
	ip -n n1 route show proto 118
	ip -n n1 neigh show nud permanent
	ip -n n1 -br link | grep flannel | cut -d' ' -f1
	on n1 iptables-save | grep FLANNEL | sort
	on n1 nft list ruleset 2>/dev/null | grep "10\.[56]\." | sed "s/counter.*bytes [0-9]*//" | sort
}
same_kept() { [[ $(kept) == "$1" ]]; }
said() { cat $STORE/n1.log $STORE2/n1.log | grep -vc "looking at everything"; }

# Both agents look at everything a few times: nothing moves, and nobody repairs anything.
steady() {
	local before lines i

	wait_for "an end of the beginning" 5 settled
	before=$(kept) lines=$(said)
	for i in 1 2 3; do
		kill -HUP "$(agent_pid n1)" "$(<$STORE2/n1.pid)"
		on n1 ping -q -i 0.3 -c 2 -W 1 127.0.0.1 >/dev/null
		assert_eq "look $i" "$(kept)" "$before"
	done
	assert_eq "lines that the agents say" "$(said)" "$lines"
}
settled() {
	local lines

	lines=$(said)
	on n1 ping -q -i 0.7 -c 2 -W 1 127.0.0.1 >/dev/null
	[[ $(said) == "$lines" ]]
}

# As rules stand in a chain that an agent has filled.
in_order() { sed -E 's/.* -s 10.6.[0-9.]+\/24 -d/1&/; t; s/.*POSTRTG -s 10.6.0.0\/16 -d/2&/; t; s/.*POSTRTG ! -s .*RETURN/3&/; t
	s/.*POSTRTG -s .*/4&/; t; s/.*POSTRTG ! -s.*/5&/; t; s/.*FWD -s.*/6&/; t; s/^/7/' | sort | sed 's/^[0-9]//'; }

# The second network's agent ends, its things go; the first one's agent has nothing to repair.
second_cleanup() {
	local before=$1

	second_kill n1
	said=$(on n1 timeout 10 "$CNIBOX" $AGENT --store $STORE2 --subnet-file /run/n1/second.env --cleanup)
	assert_eq "what is left" "$(kept)" "$before"
	refute "repairs" grep -q repaired $STORE/n1.log
}

@test "vxlan with two numbers, rules in the iptables form: steady, both reach their pods; the cleanup of one" {
	two vxlan
	first=$(kept)
	network2 vxlan
	both_networks
	steady
	assert "n1 reaches n2" reach n1 n2
	assert_match "its masquerade rules" "$(kept)" '-A FLANNEL-POSTRTG -s 10.6.0.0/16 ! -d 224'
	# Lines that are missing come back beside the other network's.
	both=$(kept)
	on n1 iptables -t nat -F FLANNEL-POSTRTG
	on n1 iptables -F FLANNEL-FWD
	wait_for "both networks' rules are back" 5 same_kept "$both"
	: >$STORE/n1.log
	second_cleanup "$first"
	assert_match "said" "$said" "removed interface flannel.2"
	# each line that was taken out of the chains which are the first one's, too
	assert_eq "said of rules" "$(grep 'removed rule\|removed iptables' <<<"$said")" "$(sort -u <<<"$both" | grep 10.6 |
		sed -n 's/^-A FLANNEL-POSTRTG/removed rule iptables -t nat &/p; s/^-A FLANNEL-FWD/removed rule iptables -t filter &/p' | in_order)"
	assert "n1 still reaches n2" reach n1 n2
}

@test "host-gw in the nftables form, one of them without masquerade" {
	AGENT=hostgw-sync
	two host-gw '.EnableNFTables = true'
	first=$(kept)
	network2 host-gw '.EnableNFTables = true'
	FLANNELD_IP_MASQ=false both_networks
	steady
	assert "n1 reaches n2" reach n1 n2
	assert_match "its forward rules" "$(kept)" "ip saddr 10.6.0.0/16 accept"
	both=$(kept)
	on n1 nft flush chain ip flannel-ipv4 forward
	on n1 nft flush chain ip flannel-ipv4 postrtg
	wait_for "both networks' rules are back" 5 same_kept "$both"
	: >$STORE/n1.log
	second_cleanup "$first"
	# The first one's, with the second there.
	second n1
	wait_for "the second's rules" 5 has 10.6.0.0/16 kept
	agent_kill n1
	said=$(on n1 timeout 10 "$CNIBOX" $AGENT --store $STORE --subnet-file /run/n1/subnet.env --cleanup)
	lacks "10.5." kept || flunk "NOT gone: $(kept)"
	assert_match "its rules are told of" "$said" "removed rule nft ip flannel-ipv4 forward ip saddr 10\.5\.0\.0/16 accept"
	lacks "10.6." echo "$said" || flunk "NOT only what was removed: $said"
	assert_match "the second's route" "$(kept)" "10.6.*via 192.0.2.2"
}

@test "legacy tables" {
	use_legacy
	AGENT=hostgw-sync
	two host-gw
	first=$(kept)
	network2 host-gw
	both_networks
	steady
	: >$STORE/n1.log
	second_cleanup "$first"
}

@test "a network that is another one by now: what the agent had of the old one goes, with the rules" {
	AGENT=hostgw-sync
	two host-gw
	assert_match "a route" "$(kept)" "10.5.*via 192.0.2.2"
	agent_kill n1
	rm $STORE/subnets/*
	jq -c '.Network = "10.7.0.0/16"' $STORE/config >/run/config
	mv /run/config $STORE/config
	agent n1
	wait_for "the new one" 5 grep -q FLANNEL_NETWORK=10.7.0.0/16 /run/n1/subnet.env
	wait_for "nothing of the old one" 3 lacks "10.5." kept
	assert_match "the new one's rules" "$(kept)" "10.7.0.0/16"
}
