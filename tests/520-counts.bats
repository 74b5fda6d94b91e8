#!/usr/bin/env bats
# What a call may cost, as counts: netlink sends, system calls, programs, memory. Times are for `make bench`; these do
# not depend on how fast or busy the machine is, so that a test can hold on to them.

load lib/all
sandbox forward

SENDS=6                  # of rtnetlink, for the whole of a bridge ADD
SYSTEM_CALLS=249
MEMORY=2047              # KiB, resident

setup() {
	need_root
	need strace
	TRACE=$BATS_TEST_TMPDIR/trace
}

plain() {
	conf bridge '.isDefaultGateway = true'
}

masquerading() {
	conf bridge '.isDefaultGateway = true | .ipMasq = true | .ipMasqBackend = "'"$1"'"'
}

dual() {
	masquerading "$1" | jq -c '.ipam = {type: "host-local", ranges: [[{subnet: "10.77.0.0/24"}], [{subnet: "fd77::/64"}]]}'
}

# An ADD under strace, on a node that has seen one before: bridge, folders and shared chains are there.
traced_add() { # CONF
	container first ctr
	cni_add "$1" @first
	CNI_WRAP=(strace -f -qq -o "$TRACE")
	cni_add "$1" @ctr
	CNI_WRAP=()
}

count() { # REGEX: lines of the trace that match
	grep -cE "$1" "$TRACE" || :
}

# What was executed, without the plugin itself.
programs() {
	grep -v ' = -1' "$TRACE" | sed -nE 's/.* execve\("([^"]*)".*/\1/p' | sed '1d; s,.*/,,' | sort | uniq -c | sed 's/^ *//'
}

at_most() { # DESCRIPTION GOT LIMIT
	echo "# $1: $2 (limit $3)"
	[[ $2 -le $3 ]] || flunk "NOT at most $3: $1: $2" "$(awk '{ sub(/\(.*/, "", $2); n[$2]++ } END { for (c in n) print n[c], c }' "$TRACE" | sort -rn)"
}

sends() {
	count ' (sendmsg|sendto|sendmmsg)\('
}

@test "a bridge ADD with an address takes one process, at most 6 netlink sends and fewer than 250 system calls" {
	traced_add "$(plain)"
	assert_eq "further programs" "$(programs)" ""
	at_most "netlink sends" "$(sends)" $SENDS
	at_most "system calls" "$(count ' [a-z0-9_]+\(')" $SYSTEM_CALLS
	assert_eq "processes and threads" "$(count ' (fork|vfork|clone|clone3)\(')" 0
}

@test "a dual-stack ADD takes one send more, for the gateway of the other family, and does not wait" {
	traced_add "$(plain | jq -c '.ipam = {type: "host-local", ranges: [[{subnet: "10.77.0.0/24"}], [{subnet: "fd77::/64"}]]}')"
	at_most "netlink sends" "$(sends)" $((SENDS + 1))
	assert_eq "sleeps" "$(count ' (nanosleep|clock_nanosleep)\(')" 0
}

@test "masquerading with nftables takes no program, and three sends more for both families" {
	traced_add "$(dual nftables)"
	assert_eq "further programs" "$(programs)" ""
	at_most "netlink sends" "$(sends)" $((SENDS + 1 + 3))
	at_most "system calls" "$(count ' [a-z0-9_]+\(')" $SYSTEM_CALLS
}

@test "masquerading with iptables takes one iptables-restore for each family once, then none" {
	container boot
	CNI_WRAP=(strace -f -qq -o "$TRACE")
	cni_add "$(dual iptables)" @boot
	CNI_WRAP=()
	assert_eq "the first after boot" "$(programs)" $'1 ip6tables-restore\n1 iptables-restore'
	traced_add "$(dual iptables)"
	assert_eq "further programs" "$(programs)" ""
	at_most "netlink sends" "$(sends)" $((SENDS + 1 + 5))
	at_most "system calls" "$(count ' [a-z0-9_]+\(')" $SYSTEM_CALLS
}

@test "the cost of an ADD stays the same with forty pods" {
	local calls

	traced_add "$(plain)"
	calls=$(count ' [a-z0-9_]+\(')
	for i in {1..40}; do
		container "pod$i"
		cni_add "$(plain)" "@pod$i" >/dev/null
	done
	container last
	CNI_WRAP=(strace -f -qq -o "$TRACE")
	cni_add "$(plain)" @last
	CNI_WRAP=()
	at_most "system calls" "$(count ' [a-z0-9_]+\(')" $((calls + 10))
	at_most "netlink sends" "$(sends)" $SENDS
}

@test "a call stays below 2 MiB of memory, a fraction of the reference's" {
	local bench=${BENCH:-$CNIBOX_TOP/build/bench} peak

	[[ -x $bench ]] || missing "$bench (make tests)"
	container c0 node
	plain >"$BATS_TEST_TMPDIR/conf.json"
	run_log "$bench" -n 5 our node "$PLUGINS/bridge" "$BATS_TEST_TMPDIR/conf.json" | tee "$BATS_TEST_TMPDIR/out"
	for verb in ADD DEL; do
		peak=$(awk -v verb=$verb '$2 == verb { print $5 }' "$BATS_TEST_TMPDIR/out")
		assert_eq "wrong answers" "$(awk -v verb=$verb '$2 == verb { print $7 }' "$BATS_TEST_TMPDIR/out")" 0
		at_most "$verb: KiB resident" "$peak" $MEMORY
	done
}
