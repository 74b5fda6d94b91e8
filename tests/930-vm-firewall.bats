#!/usr/bin/env bats
# firewall on a node without iptables whose bridges do not ask anybody (no br_netfilter): the policies hold all the same.
# A kernel that can look at frames of a bridge is needed, which not every one is.

load lib/all
load lib/vm

KERNELS=(6.12 6.1)

setup_file() {
	vm_kernels ip nft "$CNIBOX:/bin/cnibox" -- "$CNIBOX_TESTS/fixtures/firewall-vm.sh"
}

@test "what should fail in the machine fails, and nothing else" {
	for kernel in "${KERNELS[@]}"; do
		assert_match "it is that kernel" "$(said kernel)" "^${kernel//./\\.}\.[0-9]"
		assert_eq "$kernel: records that failed" \
			"$(awk '/^@begin / { name = $2 } /^@end [^0]/ { print name }' "$BATS_FILE_TMPDIR/$kernel" | sort | xargs)" \
			"again/neighbour flushed isolated/neighbour-4 isolated/neighbour-6 isolated/other-4 isolated/other-6 path same-bridge/other-4 same-bridge/other-6"
	done
}

@test "path says what stops a frame between the ports of an isolated bridge" {
	for kernel in "${KERNELS[@]}"; do
		assert_match "$kernel" "$(said path)" 'X filter +drops the packet: rule 1 of chain forward [(]table bridge cni_firewall[)]: between ports of an isolated bridge'
	done
}

@test "nothing but the policies blocks, and a bridge that is flushed is told and isolated again" {
	for kernel in "${KERNELS[@]}"; do
		assert_json "CHECK says what is missing" "$(said flushed)" '.msg | test("rules that isolate the ports of bridge br3a not found")'
		assert_match "frames" "$(said rules)" 'meta ibrname @isolated drop comment "between ports of an isolated bridge"'
		assert_match "whose ports" "$(said rules)" 'elements = \{ "br3[ab]",\s*"br3[ab]" \}'
		assert_match "it stays" "$(said shared)" 'br3a'
	done
}
