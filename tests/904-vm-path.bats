#!/usr/bin/env bats
# What `cnibox path` says of VLANs is what becomes of the packet, under two distribution kernels: the kernel
# here has none of these. Each kernel is booted once, runs fixtures/path-vm.sh, and the tests judge what was recorded there.

load lib/all
load lib/vm

KERNELS=(6.12 6.1)

setup_file() {
	export VM_DEADLINE=${VM_DEADLINE:-300}
	cat "$CNIBOX_TESTS"/fixtures/path-vm{-cases,}.sh >"$BATS_FILE_TMPDIR/script"
	vm_kernels ip bridge nft "$CNIBOX:/bin/cnibox" -- "$BATS_FILE_TMPDIR/script"
}

@test "what reaches its end is said to, and nothing else" {
	for kernel in "${KERNELS[@]}"; do
		assert_match "it is that kernel" "$(said kernel)" "^${kernel//./\\.}\.[0-9]"
		told_truly 50
		mapfile -t mended < <(sed -n 's,^@begin \(.*/mended\)$,\1,p' "$BATS_FILE_TMPDIR/$kernel")
		succeeds "${mended[@]}"
	done
}

@test "VLANs of a bridge: which port or bridge lacks which, and who gets frames with a tag that nobody takes" {
	for kernel in "${KERNELS[@]}"; do
		stops vlan/other 'X VLAN p_c is not in VLAN 10 '
		stops vlan/one-way 'X neighbour what answers for 10\.1\.0\.4 in VLAN 10 does not come back frames without tag that come in by p_c are in VLAN 20'
		stops vlan/comes-tagged 'X VLAN frames for b have the tag of VLAN 10 no VLAN link on eth0 of b takes those'
		stops vlan/none 'X VLAN p_a has no VLAN of its own'
		stops vlan/not-self 'X VLAN br0 is not in VLAN 10 .* bridge vlan add dev br0 vid 10 self'
		stops vlan/self-untagged 'X neighbour what answers for 10\.1\.0\.1 in VLAN 10 does not come back frames without tag that come in by br0 are in VLAN 1 '
		stops vlan/host-untagged 'frames of that VLAN come out of br0 without a tag .* vlan add dev br0 vid 10 self'
		stops vlan/trunk-lacks 'X VLAN p_t is not in VLAN 10 .* bridge vlan add dev p_t vid 10 $'
		stops vlan/routed-none 'X VLAN p_d is not in VLAN 20'
	done
}

@test "VLAN links: of a bridge, of a pod on a trunk, and of a pod that got one of the node's" {
	for kernel in "${KERNELS[@]}"; do
		for name in from-host out in routed trunk to-trunk trunk-gateway plugin to-plugin; do
			succeeds "vlan/$name"
			refute "$kernel: $name is followed to its end" grep -q 'ok: leaves' <<<"$(said "vlan/$name")"
		done
		assert_match "$kernel: with its tag" "$(said vlan/trunk)" 'parent +eth0 of t, MTU 1500, with the tag of VLAN 10'
		assert_match "$kernel: and by its link" "$(said vlan/not-self/mended)" 'VLAN +frames of VLAN 10 are br0\.10.s of host'
		stops vlan/no-link 'X VLAN eth0 has no VLAN link for VLAN 6'
	done
}

@test "VRFs: their tables, what the packet filter sees, and who is in them" {
	for kernel in "${KERNELS[@]}"; do
		assert_match "$kernel: the table" "$(said vrf/out)" '192\.0\.2\.0/24 dev p_out \(table 10, VRF red\)'
		stops vrf/other 'X route VRF red of host has no route to 10\.3\.0\.2 it is at the other end of p_c, which is in VRF blue'
		stops vrf/leak-one-way 'X route VRF blue of host has no route to 10\.1\.0\.2'
		stops vrf/astray 'X address the answer to 10\.1\.0\.2 of a comes to d both have that address'
		stops vrf/from-host 'X route host has no route to 10\.1\.0\.2 its VRF red has one'
		stops vrf/missing 'X route VRF red of host has no route to 192\.0\.2\.9 .*dev p_out vrf red'
		stops vrf/by-port 'X link p_a is a port of br0'
		stops vrf/down 'X link red is down'
		stops vrf/no-rule 'X route no rule of host has the tables of VRFs asked'
		stops vrf/from-pod 'X route b has no route to 10\.1\.0\.2 its VRF v1 has one, .* ip -n b vrf exec v1 COMMAND'
		for name in forward input prerouting; do
			stops "vrf/$name-vrf" 'X filter drops the packet: rule 1 of chain f'
		done
	done
}
