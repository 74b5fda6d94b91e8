#!/usr/bin/env bats
# A minimal node: a distribution's kernel, cnibox as the only networking program, a shell. Two of them, with kernels of two
# generations, join one VXLAN network and their pods talk; rules are nftables' by netlink, since nothing else is there.

load lib/all
load lib/vm

KERNELS=(6.12 6.1)

# node NUMBER: everything that its image has beside the kernel and the shell
node_files() {
	local dir=$BATS_FILE_TMPDIR/node$1

	mkdir "$dir"
	jq -n --arg address "192.0.2.$1/24" '{cniVersion: "1.0.0", name: "uplink", plugins: [
		{type: "host-device", device: "eth0", ipam: {type: "static", addresses: [{address: $address}]}}]}' >"$dir/uplink.conflist"
	jq -n '{cniVersion: "1.1.0", name: "cbr0", plugins: [
		{type: "flannel", delegate: {isDefaultGateway: true, hairpinMode: true}},
		{type: "portmap", backend: "nftables", capabilities: {portMappings: true}},
		{type: "bandwidth", egressRate: 100000000, egressBurst: 10000000},
		{type: "firewall", backend: "nftables"}]}' >"$dir/pods.conflist"
	jq -n '{config: {Network: "10.5.0.0/16", Backend: {Type: "vxlan"}},
		subnets: {"10.5.1.0-24": {PublicIP: "192.0.2.1"}, "10.5.2.0-24": {PublicIP: "192.0.2.2"}}}' >"$dir/peers"
	# What the first process does is busybox's; then nothing of it is in PATH any more.
	cat >"$dir/script" <<-'END'
		note kernel uname -r
		modprobe -a virtio_pci virtio_net
		n=0
		until [ -e /sys/class/net/eth0 ] || [ $n = 50 ]; do n=$((n + 1)); sleep 0.1; done
		env -i TERM=dumb PATH=/node/bin /node/bin/sh /node/run
	END
	chmod 755 "$dir"/*
	files=("$(type -P dash):/node/bin/sh" "$CNIBOX:/node/bin/cnibox" "$TALK:/node/bin/talk" "$CNIBOX_TESTS/fixtures/minimal-node.sh:/node/run"
		"$dir/uplink.conflist:/etc/cni/net.d/uplink.conflist" "$dir/pods.conflist:/node/pods.conflist" "$dir/peers:/node/peers")
}

# boot NUMBER KERNEL: a machine whose network card is joined to the other's by two sockets
boot() {
	local files link=$BATS_FILE_TMPDIR/link
	local VM_APPEND="node=$1"
	local VM_QEMU=(-netdev "dgram,id=up,local.type=unix,local.path=$link$1,remote.type=unix,remote.path=$link$((3 - $1))"
		-device "virtio-net-pci,netdev=up,mac=02:00:00:00:00:0$1,romfile=")

	node_files "$1"
	vm_run "$2" "${files[@]}" -- "$BATS_FILE_TMPDIR/node$1/script" >"$BATS_FILE_TMPDIR/$1" 2>"$BATS_FILE_TMPDIR/$1.err"
}

setup_file() {
	local first failed=()

	VM_LACKS=$(vm_lacks "${KERNELS[@]}" | paste -sd' ')
	type -P dash >/dev/null || VM_LACKS+=" dash"
	export VM_LACKS
	[[ -z $VM_LACKS ]] || return 0
	TALK=$BATS_FILE_TMPDIR/talk
	gcc -O1 -static -o "$TALK" "$CNIBOX_TESTS/lib/talk.c"
	boot 1 "${KERNELS[0]}" &
	first=$!
	boot 2 "${KERNELS[1]}" || failed+=("node 2:" "$(<"$BATS_FILE_TMPDIR/2.err")")
	wait "$first" || failed+=("node 1:" "$(<"$BATS_FILE_TMPDIR/1.err")")
	[[ ${#failed[@]} == 0 ]] || flunk "${failed[@]}"
}

said() { vm_said "$BATS_FILE_TMPDIR/$node" "$1"; }

@test "two nodes without any other networking program: every step is done, on kernels of two generations" {
	for node in 1 2; do
		assert_match "it is that kernel" "$(said kernel)" "^${KERNELS[node - 1]//./\\.}\.[0-9]"
		assert_eq "node $node: steps that failed" "$(awk '/^@begin / { name = $2 } /^@end [^0]/ { print name }' "$BATS_FILE_TMPDIR/$node" | xargs)" ""
		assert_eq "node $node: steps" "$(grep -c '^@begin' "$BATS_FILE_TMPDIR/$node")" 16
		assert_eq "no other tool" "$(said others)" ""
	done
}

@test "there the tools tell what is: the peer is reached by VXLAN, the pod's attachment comes and goes" {
	for node in 1 2; do
		assert_match "node $node: peers" "$(said peers)" "10\.5\.$((3 - node))\.0/24 +192\.0\.2\.$((3 - node)) +vxlan .* ok +ok +ok +ok"
		assert_json "node $node: the pod has" "$(said attach)" '.ips[0].address' "10.5.$node.2/24"
		assert_match "node $node: the agent's rules" "$(said agent-log)" "there is no iptables here: rules are in nftables' form"
		assert_eq "node $node: attachments, after DEL" "$(said nothing-left | grep -c '^cnitool-')" 1
	done
}
