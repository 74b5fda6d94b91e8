#!/usr/bin/env bats
# shellcheck disable=SC2086 # paths of our own, without blanks
# An agent that is ended, or refused by the kernel, at each step of its first pass: the next one repairs all of it.

load lib/all
load lib/nodes
sandbox

setup() {
	need ping bridge strace
}

once() { # WRAP ...: status of one start on n1
	local status=0

	ASAN_OPTIONS=detect_leaks=0 nsenter --net=/run/netns/n1 timeout 10 "$@" "$CNIBOX" vxlan --store $STORE --iface eth0 \
		--subnet-file /run/n1/subnet.env --once >>$STORE/once.log 2>&1 3>&- || status=$?
	return $status
}

# Two peers that are files, and one that is stale; and how the node looks with and without.
prepare() {
	nodes 1 vxlan
	mkdir -p $STORE/subnets
	echo '{"PublicIP":"192.0.2.7","BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"02:00:00:00:00:07"}}' >$STORE/subnets/10.5.207.0-24
	echo '{"PublicIP":"192.0.2.8","BackendType":"host-gw"}' >$STORE/subnets/10.5.208.0-24
	once || flunk "NOT: the first start"
	good=$(state)
	once strace -f -qq -e trace=sendmsg -o /run/trace || flunk "NOT: under strace"
	blank
	once strace -qq -e trace=sendmsg -o /run/trace || flunk "NOT: under strace"
	steps=$(grep -c sendmsg /run/trace)
	assert_eq "the same" "$(state)" "$good"
	[[ $steps -ge 8 ]] || flunk "only $steps steps"
}

# As after a reboot, with something stale.
blank() {
	ip -n n1 link del flannel.1
	ip -n n1 route flush proto 118
	ip -n n1 route add 10.5.199.0/24 via 192.0.2.99 dev eth0 proto 118
}

@test "killed at each exchange of the first pass: the next start repairs all of it" {
	local i status
	prepare
	for ((i = 1; i <= steps; i++)); do
		blank
		status=0
		once strace -qq -o /dev/null -e inject=sendmsg:signal=KILL:when=$i || status=$?
		[[ $status == 137 || $i -ge $((steps - 1)) ]] || flunk "step $i: exit status $status"
		once || flunk "NOT: the start after step $i" "$(tail -n 3 $STORE/once.log)"
		assert_eq "after step $i" "$(state)" "$good"
	done
}

@test "SIGTERM at each exchange of the first pass ends it cleanly, and nothing of a peer's is torn" {
	local i status
	prepare
	for ((i = 1; i <= steps; i += 2)); do
		blank
		status=0
		once strace -qq -o /dev/null -e inject=sendmsg:signal=TERM:when=$i || status=$?
		assert_eq "step $i: exit status" "$status" 0
		once || flunk "NOT: the start after step $i"
		assert_eq "after step $i" "$(state)" "$good"
	done
}

@test "the kernel has no buffer, at any exchange: the agent tries again, and all is there" {
	local i pid
	prepare
	for ((i = 1; i <= steps; i += 3)); do
		blank
		ASAN_OPTIONS=detect_leaks=0 nsenter --net=/run/netns/n1 strace -qq -o /dev/null -e inject=sendmsg:error=ENOBUFS:when=$i \
			"$CNIBOX" vxlan --store $STORE --iface eth0 --subnet-file /run/n1/subnet.env >>$STORE/n1.log 2>&1 3>&- &
		pid=$!
		wait_for "all is there, step $i" 4 same_state "$good"
		kill "$(pgrep -P $pid)"
		wait $pid || :
	done
	assert_match "it was told" "$(<$STORE/n1.log)" 'No buffer space available'
}
