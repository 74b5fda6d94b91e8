#!/usr/bin/env bats
# shellcheck disable=SC2086,SC2012 # paths of our own, without blanks
# What goes wrong around an agent: its store, its process, the kernel's answers. The data plane stays, and what is missing comes.

load lib/all
load lib/nodes
sandbox

setup() {
	need ping bridge
}

warnings() { # NODE TEXT
	grep -c "$2" "$STORE/$1.log" || :
}

wait_seconds() { # time in which something would have been said, or done, again
	nsenter --net=/run/netns/n1 ping -q -i 0.5 -c "$((2 * $1))" -W 1 127.0.0.1 >/dev/null
}

@test "the store's folder is moved away and comes back: peers stay, it is told once, and later leases are seen" {
	local before
	two vxlan
	before=$(state)
	mv $STORE/subnets $STORE/away
	wait_for "it is told" 3 grep -q "watch store" $STORE/n1.log
	wait_seconds 2
	assert_eq "how often" "$(warnings n1 'warning:')" 1
	assert_eq "the peers" "$(state)" "$before"
	run_log ip -n n1 route flush proto 118
	wait_for "what is deleted meanwhile is back" 2 same_state "$before"
	mv $STORE/away $STORE/subnets
	wait_for "it is well" 3 grep -q "the store is well again" $STORE/n1.log
	echo '{"PublicIP":"192.0.2.9","BackendType":"host-gw"}' >$STORE/subnets/10.5.250.0-24
	wait_for "a new peer" 2 has 10.5.250.0 peer_of
	rm $STORE/subnets/10.5.250.0-24
	wait_for "is as before, once the store is trusted again" 7 same_state "$before"
}

@test "the whole store is deleted, or has another's configuration: the data plane stays as it is" {
	local before
	two host-gw
	before=$(state)
	mv $STORE/config $STORE/config.away
	echo 'no JSON' >$STORE/config
	wait_for "it is told" 3 grep -q "network configuration" $STORE/n1.log
	rm $STORE/config
	wait_for "it is told, too" 3 grep -q "the store has no network configuration" $STORE/n1.log
	rm -r $STORE/subnets
	wait_seconds 2
	assert_eq "the peers" "$(state)" "$before"
	assert "traffic" reach n1 n2
	mkdir -m 700 $STORE/subnets
	mv $STORE/config.away $STORE/config
	wait_for "both are registered again" 5 registered 2
	wait_for "as they were" 3 same_state "$before"
	assert_eq "it was never otherwise" "$(cat $STORE/n?.log | grep -c ' 1 removed')" 0
	assert "n1 lives" kill -0 "$(agent_pid n1)"
}

registered() { [[ $(ls $STORE/subnets | wc -l) == "$1" ]]; }

@test "a configuration of several lines is read whole; what lasts is said once, not each second" {
	nodes 1 host-gw
	AGENT=hostgw-sync
	jq . $STORE/config >/run/config
	mv /run/config $STORE/config
	agent n1
	ready n1
	agent_kill n1
	agent n1 --iface nope
	wait_for "no such interface" 3 grep -q "no interface and no address eth0\|no interface and no address nope" $STORE/n1.log ||
		wait_for "it works by the other one" 1 grep -q "in place" $STORE/n1.log
	agent_kill n1
	CNIBOX_LOG=info nsenter --net=/run/netns/n1 timeout 4 "$CNIBOX" hostgw-sync --store $STORE --iface nope --subnet-file /run/n1/subnet.env \
		>$STORE/nope.log 2>&1 3>&- || :
	assert_eq "how often" "$(grep -c "no interface and no address nope" $STORE/nope.log)" 1
}

@test "a second agent for the same node is refused; one for another network of the node is not" {
	local said
	nodes 1 host-gw
	AGENT=hostgw-sync
	agent n1
	ready n1
	said=$(nsenter --net=/run/netns/n1 timeout 5 "$CNIBOX" hostgw-sync --store $STORE --iface eth0 --subnet-file /run/n1/subnet.env 2>&1) &&
		flunk "NOT refused"
	assert_eq "the words" "$said" "hostgw-sync: another agent is at work for this node: it holds /run/n1/subnet.env.lock"
	nsenter --net=/run/netns/n1 timeout 5 "$CNIBOX" hostgw-sync --store $STORE --iface eth0 --subnet-file /run/other/subnet.env --once
	agent_kill n1 KILL
	agent n1
	wait_for "the next one is not" 3 grep -q "in place" $STORE/n1.log
}

@test "kill -9 of the store's process: it is started again, peers stay, later leases are seen" {
	local before
	two vxlan
	before=$(state)
	kill -KILL "$(pgrep -P "$(agent_pid n1)")"
	wait_for "it is told" 2 grep -q "the store's process has ended" $STORE/n1.log
	assert_eq "the peers" "$(state)" "$before"
	echo '{"PublicIP":"192.0.2.9","BackendType":"host-gw"}' >$STORE/subnets/10.5.250.0-24
	wait_for "a new peer" 4 has 10.5.250.0 peer_of
	assert_eq "processes of it" "$(pgrep -c -P "$(agent_pid n1)")" 1
}

# Somebody's lease of 10.5.N.0/24, or none any more, and n1 has seen it.
other_node() { # N
	echo "{\"PublicIP\":\"192.0.2.$1\",\"BackendType\":\"host-gw\"}" >$STORE/new
	mv $STORE/new "$STORE/subnets/10.5.$1.0-24"
	wait_for "n1 sees $1" 5 has "10.5.$1.0/24 via" peer_of
}
no_other_node() {
	rm "$STORE/subnets/10.5.$1.0-24"
	wait_for "n1 sees that $1 is gone" 5 lacks "10.5.$1.0/24 via" peer_of
}

@test "four fifths of the subnets are taken: it is told once, and again only when it was less meanwhile" {
	local n
	nodes 1 host-gw '.SubnetMin = "10.5.40.0" | .SubnetMax = "10.5.49.0"'
	AGENT=hostgw-sync
	mkdir -p $STORE/subnets
	echo '{"PublicIP":"192.0.2.1"}' >$STORE/subnets/10.5.40.0-24
	agent n1
	ready n1
	for n in 41 42 43 44 45 46 250; do
		other_node $n
	done
	assert_eq "seven of ten, and one that is not of them" "$(warnings n1 warning:)" 0
	other_node 47
	assert_eq "eight" "$(grep warning: $STORE/n1.log)" "cnibox: warning: 8 of the network's 10 subnets are taken: 2 are free"
	other_node 48
	assert_eq "nine" "$(warnings n1 warning:)" 1
	no_other_node 48
	no_other_node 47
	other_node 47
	assert_eq "eight again, after seven" "$(warnings n1 'warning: 8 of')" 2
	agent_kill n1
	: >$STORE/n1.log
	agent n1 --observe
	wait_for "one that observes" 5 grep -q "everything is in place" $STORE/n1.log
	assert_eq "has no subnet to be short of" "$(warnings n1 warning:)" 0
}
