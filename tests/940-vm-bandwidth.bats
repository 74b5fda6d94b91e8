#!/usr/bin/env bats
# The bandwidth plugin under two distribution kernels: what a look at a queueing discipline answers has changed between
# them, and ifb is a module there that may be missing. Each kernel is booted once, runs fixtures/bandwidth.sh, and the
# tests judge what was recorded there.

load lib/all
load lib/vm

KERNELS=(6.12 6.1)

setup_file() {
	vm_kernels ip tc "$CNIBOX:/bin/cnibox" "$REFERENCE/bandwidth" -- "$CNIBOX_TESTS/fixtures/bandwidth.sh"
}

has() { # STATE REGEX
	assert_match "$kernel: $1" "$(said "$1")" "$2"
}

@test "limits, their CHECK, other limits in place, DEL" {
	for kernel in "${KERNELS[@]}"; do
		succeeds add ours-answers check again big-check big-answers one del
		has ours 'tbf 1: dev veth0 root refcnt [0-9]+ rate 16Mbit burst 20000b/1 mpu 0b lat 25(\.0)?ms'
		has ours 'tbf 1: dev bwp0b1d667c23fd root refcnt [0-9]+ rate 8Mbit burst 10000b/1 mpu 0b lat 25(\.0)?ms'
		has ours 'Egress Redirect to device bwp0b1d667c23fd'
		has ours 'alias tnet/ctr/eth0'
		has big 'dev veth0 root refcnt [0-9]+ rate 1Mbit burst 34359738b/1'
		has big 'dev bwp0b1d667c23fd root refcnt [0-9]+ rate 8Kbit burst 27487[67]b/1'
		refute "$kernel: one direction is free" grep -q 'tbf 1: dev veth0' <<<"$(said egress)"
		assert_eq "$kernel: nothing is left" "$(said deleted)" "$(said before)"
	done
}

@test "the same numbers as the reference's, also to its CHECK and after its DEL" {
	for kernel in "${KERNELS[@]}"; do
		succeeds reference theirs-check theirs-del after-theirs after-theirs-answers
		assert_eq "$kernel: queueing disciplines" "$(said theirs | grep ^qdisc)" "$(said ours | grep ^qdisc)"
	done
}

@test "a queueing discipline of somebody else is refused" {
	for kernel in "${KERNELS[@]}"; do
		has foreign 'veth0 has one that is not ours: pfifo, handle 5:'
		succeeds end
	done
}

@test "STATUS says when the kernel has no ifb" {
	for kernel in "${KERNELS[@]}"; do
		succeeds status
		assert_json "$kernel: 50" "$(said no-ifb)" '[.code, .msg]' '[50, "this kernel has no ifb links (try: modprobe ifb)"]'
		has no-ifb-add 'create ifb bwp0b1d667c23fd: Operation not supported'
	done
}
