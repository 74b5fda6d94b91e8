#!/usr/bin/env bats
# portmap in the nftables form under two distribution kernels, which load its modules on demand, and with SCTP, which not
# every kernel has. Each kernel is booted once, runs fixtures/portmap-vm.sh, and the tests judge what was recorded there.

load lib/all
load lib/vm

KERNELS=(6.12 6.1)

setup_file() {
	local -a cc

	read -ra cc <"${CNIBOX%/*}/flags"
	"${cc[0]}" -O1 -static "$CNIBOX_TESTS/lib/talk.c" -o "$BATS_FILE_TMPDIR/talk"
	vm_kernels ip "$CNIBOX:/bin/cnibox" "$BATS_FILE_TMPDIR/talk:/bin/talk" -- "$CNIBOX_TESTS/fixtures/portmap-vm.sh"
}

said()  { vm_said "$BATS_FILE_TMPDIR/$kernel" "$1" | sed '/^$/d'; }

@test "ADD, CHECK, ADD again and DEL succeed, with modules that nobody loaded before" {
	local name

	for kernel in "${KERNELS[@]}"; do
		assert_match "it is that kernel" "$(said kernel)" "^${kernel//./\\.}\.[0-9]"
		for name in add check again del; do
			assert_eq "$kernel: $name: $(said $name)" "$(state $name)" 0
		done
	done
}

@test "TCP, UDP and SCTP are reached from outside, from the container itself and from localhost" {
	local from

	for kernel in "${KERNELS[@]}"; do
		for from in outside outside6 self localhost; do
			assert_eq "$kernel: $from, TCP" "$(said $from/tcp/8080)" "tcp 80"
			assert_eq "$kernel: $from, UDP" "$(said $from/udp/8053)" "udp 53"
			assert_eq "$kernel: $from, SCTP" "$(said $from/sctp/8090)" "sctp 90"
		done
		assert_eq "$kernel: SCTP at one address" "$(said address)" "sctp 90"
		assert_eq "$kernel: and nobody after DEL" "$(state gone)" 1
	done
}
