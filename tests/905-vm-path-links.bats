#!/usr/bin/env bats
# What `cnibox path` says of ipvlan in its modes, of links on a bridge or a dummy, and of filters of tc is what becomes of the
# packet, under two distribution kernels: the kernel here has none of these. As 904, with fixtures/path-links-vm.sh.

load lib/all
load lib/vm

KERNELS=(6.12 6.1)

setup_file() {
	export VM_DEADLINE=${VM_DEADLINE:-400}
	cat "$CNIBOX_TESTS"/fixtures/path-{vm-cases,links-vm}.sh >"$BATS_FILE_TMPDIR/script"
	vm_kernels ip bridge nft tc "$CNIBOX:/bin/cnibox" -- "$BATS_FILE_TMPDIR/script"
}

@test "what reaches its end is said to, and nothing else" {
	for kernel in "${KERNELS[@]}"; do
		assert_match "it is that kernel" "$(said kernel)" "^${kernel//./\\.}\.[0-9]"
		told_truly 60
	done
}

@test "ipvlan in mode l2, private and vepa" {
	for kernel in "${KERNELS[@]}"; do
		for flag in private vepa; do
			stops l2/$flag 'X link eth0 of a is no ipvlan link of mode bridge the node passes nothing between it and eth0 of b'
			succeeds l2/$flag/mended
		done
	done
}

@test "ipvlan in modes l3 and l3s: who routes, whose hooks, and who does not answer" {
	for kernel in "${KERNELS[@]}"; do
		for mode in l3 l3s; do
			assert_match "$kernel: who routes" "$(said $mode/out)" "parent +u0 of host, MTU 1500, which routes \(mode $mode\)"
			stops $mode/to-host 'X link an ipvlan link does not reach the node below it host gets the packet, and sends its answer by u0'
			stops $mode/silent 'X neighbour eth0 of a does not answer for 10\.7\.0\.2 nobody is answered by an ipvlan link of mode l3'
			stops $mode/no-way-back 'X route out has no route to 10\.7\.0\.2'
			for hook in output postrouting; do
				assert_match "$kernel: $mode/out/host/$hook" "$(said $mode/out/host/$hook)" $'\nhost, u0\n.* X filter +drops the packet: rule 1 of chain f'
			done
		done
		for name in l3/in/pod/prerouting l3/in/pod/input l3s/in/host/prerouting l3s/in/host/input l3/sibling/pod/input; do
			stops $name 'X filter drops the packet: rule 1 of chain f'
		done
		stops l3/masquerade 'X route host has no route to 10\.7\.0\.2'
		succeeds l3s/masquerade
	done
}

@test "macvlan links on a bridge, and links that have no other end" {
	for kernel in "${KERNELS[@]}"; do
		succeeds bridge/{sibling,to-pod,from-pod,ipvlan,to-ipvlan} dummy/{own,siblings}
		stops bridge/to-host 'X link a macvlan link does not reach the node below it'
		stops dummy/beyond 'X link d0 is a dummy link it has no other end'
		stops dummy/no-wire 'X link d0 is a dummy link'
	done
}

@test "filters of tc: what they match and do, and what cannot be judged" {
	for kernel in "${KERNELS[@]}"; do
		stops tc/egress 'X tc drops the packet: the matchall filter of priority 5 at the egress of p_q .* tc filter del dev p_q egress pref 5'
		stops tc/matchall 'X tc drops the packet: the matchall filter of priority 5 at the ingress of p_p'
		succeeds tc/{egress,matchall}/mended tc/other-family tc/behind-a-pass tc/flower-other tc/flower-port tc/ifb
		stops tc/after-others 'X tc drops the packet: the matchall filter of priority 6'
		stops tc/flower 'X tc drops the packet: the flower filter of priority 3'
		stops tc/u32 'X tc drops the packet: the u32 filter of priority 4'
		stops tc/old 'X tc drops the packet: the matchall filter of priority 4 at the ingress of p_p'
		stops tc/no-ifb 'X filter drops the packet: rule 1 of chain c \(table netdev m\)'
		for name in tc/flower-unknown tc/u32-unknown; do
			assert_match "$kernel: $name" "$(said $name)" '! tc +may stop the packet: the (flower|u32) filter .*not judged here'
		done
	done
}
