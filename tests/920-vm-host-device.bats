#!/usr/bin/env bats
# host-device with real hardware, as far as an emulator's network card is: on the PCI bus, with a driver of its own, and
# given back by the kernel when the container's namespace ends. Each kernel is booted once with two cards on one wire, runs
# fixtures/host-device.sh, and the tests judge what was recorded there.

load lib/all
load lib/vm

KERNELS=(6.12 6.1)

# Both cards are ports of a hub inside qemu.
VM_QEMU=(-netdev "hubport,id=a,hubid=1" -device "virtio-net-pci,netdev=a,mac=02:00:00:00:00:0a,addr=0x10,romfile="
	-netdev "hubport,id=b,hubid=1" -device "virtio-net-pci,netdev=b,mac=02:00:00:00:00:0b,addr=0x11,romfile=")

VM_DEADLINE=400
VM_APPEND="security=selinux selinux=1"

setup_file() {
	vm_kernels ip "$CNIBOX:/bin/cnibox" "$REFERENCE/host-device" "$REFERENCE/host-local" \
		-- "$CNIBOX_TESTS/fixtures/host-device.sh"
}

# card RECORD: name, alias and whether it is up, of the card that `ip` printed
card() { said "$1" | jq -c '[.ifname, .ifalias, (.flags | index("UP") != null)]'; }
home() { assert_eq "$kernel: $1: it is home, down, without alias" "$(card "$1")" '["eth0",null,false]'; }
# no_lease RECORD
no_lease() { assert_eq "$kernel: $1: the address is free" "$(said "$1" | tr -d '\n')" 0; }

@test "what should fail in the machine fails, and nothing else" {
	for kernel in "${KERNELS[@]}"; do
		assert_eq "$kernel: records that failed" \
			"$(awk '/^@begin / { name = $2 } /^@end [^0]/ { print name }' "$BATS_FILE_TMPDIR/$kernel" | sort | paste -sd' ')" \
			"selinux/taken selinux/without status/lent taken/add unbound/add unplug/add unplug/status"
		assert_match "it is that kernel" "$(said kernel)" "^${kernel//./\\.}\.[0-9]"
		assert_eq "$kernel: the card is where it should be" "$(said pci | tr -d '\n')" eth0
	done
}

@test "by device, pciBusID, deviceID, hwaddr and kernelpath: a card moves, works, and comes home" {
	for kernel in "${KERNELS[@]}"; do
		for name in name pci id mac path; do
			assert_json "$kernel: $name: the result" "$(said $name/add)" '.interfaces[0] | [.mac, .mtu, .pciID]' \
				'["02:00:00:00:00:0a", 1500, "0000:00:10.0"]'
			assert_json "$kernel: $name: in the container" "$(said $name/link)" '.[0] | [.ifalias, (.flags | index("UP") != null)]' \
				'["eth0", true]'
			for step in add pings check del again; do
				succeeds $name/$step
			done
			home $name/card
			no_lease $name/leases
		done
	done
}

@test "the container died first: the kernel returns the card under a wrong name, DEL gives it its own" {
	for kernel in "${KERNELS[@]}"; do
		for name in died died-name died-empty died-prev died-prev-mac; do
			assert_eq "$kernel: $name: what the kernel does" "$(card $name/died)" '["net1","eth0",false]'
		done
		assert_eq "$kernel: the container's name is taken on the host" "$(card died-taken/died)" '["dev2","eth0",false]'
		assert_eq "$kernel: one name for both" "$(card died-same/died)" '["eth0","eth0",false]'
		for name in died died-taken died-name died-same died-empty died-prev died-prev-mac; do
			succeeds $name/del
			home $name/card
			no_lease $name/leases
		done
		assert_json "$kernel: prevResult has the address of the bus" "$(said died-prev/add)" '.interfaces[0].pciID' 0000:00:10.0
	done
}

@test "the container died, and no DEL came: GC gives the name back, and so does the next ADD" {
	for kernel in "${KERNELS[@]}"; do
		assert_eq "$kernel: what the kernel does" "$(card gc/died)" '["net1","eth0",false]'
		succeeds gc/gc
		home gc/card
		no_lease gc/leases
		assert_eq "$kernel: once more" "$(card next/died)" '["net1","eth0",false]'
		for step in readd pings del olddel; do
			succeeds next/$step
		done
		home next/card
	done
}

@test "a name that is taken in the container: the card stays as it was" {
	for kernel in "${KERNELS[@]}"; do
		assert_json "$kernel: the message" "$(said taken/add)" .msg \
			"failed to move link eth0: the container has an interface net1 already"
		assert_eq "$kernel: as before" "$(said taken/after)" "$(said taken/before)"
		no_lease taken/leases
	done
}

@test "what the reference lent comes home by us, what we lent by the reference, also when the container died" {
	for kernel in "${KERNELS[@]}"; do
		for step in theirs/add theirs/pings theirs/check theirs/del ours/add ours/check ours/del theirs/dead-add theirs/dead-del; do
			succeeds $step
		done
		home theirs/card
		home theirs/dead-card
		no_lease theirs/leases
		assert_eq "$kernel: the reference of that age leaves its alias" "$(card ours/card)" '["eth0","eth0",false]'
	done
}

@test "STATUS: 50 while a container has the card, 51 when it is not plugged in; DEL succeeds, ADD may be tried again" {
	for kernel in "${KERNELS[@]}"; do
		succeeds status/home
		assert_json "$kernel: lent" "$(said status/lent)" .code 50
		assert_json "$kernel: unplugged" "$(said unplug/status)" '[.code, .msg]' \
			'[51, "the device 0000:00:10.0 is not plugged in: who has it lost it"]'
		succeeds unplug/del
		succeeds unplug/again
		assert_json "$kernel: ADD" "$(said unplug/add)" '[.code, .msg]' \
			'[11, "failed to find host device: no pci device 0000:00:10.0"]'
		no_lease unplug/leases
		home unplug/card
		assert_json "$kernel: without a driver" "$(said unbound/add)" .msg \
			"failed to find host device: no net directory under pci device 0000:00:10.0"
		succeeds unbound/del
	done
}

@test "a tap under these kernels" {
	for kernel in "${KERNELS[@]}"; do
		for step in add check del; do
			succeeds tap/$step
		done
		assert_json "$kernel: what it is" "$(said tap/link)" '.[0] | [.mtu, .address, (.linkinfo.info_data
			| .type, .multi_queue, .persist, .pi, .vnet_hdr, .user, .group)]' \
			'[1400, "02:00:00:00:00:0c", "tap", true, true, false, true, 107, 108]'
		assert_json "$kernel: nothing is left" "$(said tap/links)" 'map(.ifname)' '["lo"]'
	done
}

@test "selinuxContext: the tap is made by a program of that context, ours" {
	for kernel in "${KERNELS[@]}"; do
		assert_json "$kernel: where it is not mounted" "$(said selinux/without)" .msg \
			"failed to create tap: failed set socket label: SELinux is not enabled on this node"
		for step in mount add check del; do
			succeeds selinux/$step
		done
		assert_json "$kernel: what it is" "$(said selinux/link)" '.[0].linkinfo.info_data
			| [.type, .multi_queue, .persist, .user, .group]' '["tap", true, true, 0, 108]'
		assert_json "$kernel: the words of the program that made it" "$(said selinux/taken)" .msg \
			'failed to create tap: as "system_u:system_r:container_t:s0": tun add: there is an interface lo already'
	done
}
