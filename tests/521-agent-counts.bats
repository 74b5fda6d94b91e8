#!/usr/bin/env bats
# shellcheck disable=SC2086 # paths of our own, without blanks
# What agents cost, as counts, which do not depend on how fast or busy the machine is; times are for `make bench`.

load lib/all
load lib/nodes
sandbox

setup() {
	need strace
	MARK=0
}

# A node with N leases of others by host-gw, and an agent at rest.
many() {
	nodes 1 host-gw
	AGENT=hostgw-sync
	mkdir -p $STORE/subnets
	ip -n n1 addr add 172.16.255.1/16 dev eth0
	awk -v n="$1" -v dir=$STORE/subnets 'BEGIN {
		for (i = 0; i < n; i++) {
			file = sprintf("%s/10.5.%d.%d-30", dir, int(i / 60), i % 60 * 4)
			printf "{\"PublicIP\":\"172.16.%d.%d\",\"BackendType\":\"host-gw\"}\n", int(i / 250), 2 + i % 250 >file
			close(file)
		}
	}'
	CNIBOX_LOG=info nsenter --net=/run/netns/n1 strace -f -qq -o /run/trace "$CNIBOX" hostgw-sync --store $STORE --iface eth0 \
		--subnet-file /run/n1/subnet.env >$STORE/n1.log 2>&1 3>&- &
	wait_for "all routes" 10 routes "$1"
	wait_for "it is at rest" 5 at_rest
}

routes() { [[ $(ip -n n1 route show proto 118 | wc -l) == "$1" ]]; }

# Nothing is written to the trace for longer than an agent waits before it tidies up.
at_rest() {
	local size

	size=$(stat -c %s /run/trace)
	read -rt 1.3 <> <(:) || :
	[[ $(stat -c %s /run/trace) == "$size" ]]
}

mark() { MARK=$(stat -c %s /run/trace); }
since() { tail -c +$((MARK + 1)) /run/trace; }
count() { since | grep -cE "$1" || :; }

# Bytes of the messages between the store's process and the agent.
told() { since | sed -nE 's/.* (write|sendto)\([0-9]+, "\{.*"(\.\.\.)?, ([0-9]+).*/\3/p' | awk '{ n += $1 } END { print n }'; }

@test "1000 leases are read once each; another one costs one read, and the repair of a route no look at the store" {
	many 1000
	assert_eq "reads at first" "$(count 'openat\([^)]*10\.5\.[0-9.]+-30"')" 1000
	mark
	echo '{"PublicIP":"172.16.77.77","BackendType":"host-gw"}' >$STORE/subnets/10.5.250.0-24
	wait_for "its route" 2 routes 1001
	wait_for "it is at rest" 5 at_rest
	assert_eq "what is read of it" "$(count 'openat\([^)]*10\.5\.250\.0-24"')" 1
	assert_eq "of others" "$(count 'openat\([^)]*10\.5\.[0-9.]+-30"')" 0
	said=$(told)
	[[ ${said:-0} -gt 0 && $said -lt 1000 ]] || flunk "NOT only the new one: the store told the agent $said bytes"
	mark
	ip -n n1 route del 10.5.250.0/24
	wait_for "its route is back" 2 routes 1001
	wait_for "it is at rest" 5 at_rest
	assert_eq "of the store" "$(count 'openat\(')" 0
	sends=$(count 'sendmsg\(')
	[[ $sends -le 6 ]] || flunk "NOT: $sends netlink sends" "$(since | grep sendmsg | cut -c1-100)"
	echo "# $sends netlink sends, $(count '^[0-9]+ +[a-z0-9_]+\(') system calls"
}

@test "1000 routes that are all gone come back in few batches, an agent at rest does nothing, nor does its store" {
	many 1000
	mark
	ip -n n1 route flush proto 118
	wait_for "all are back" 5 routes 1000
	wait_for "it is at rest" 5 at_rest
	sends=$(count 'sendmsg\(')
	[[ $sends -le 60 ]] || flunk "NOT: $sends netlink sends"
	mark
	read -rt 2 <> <(:) || :
	assert_eq "at rest" "$(since)" ""
}
