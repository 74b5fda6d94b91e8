#!/usr/bin/env bats
# The host-device plugin: which device is meant, how it gets into the container and, whatever happens, back. The device
# is one end of a veth pair. Hardware is a tree that looks like sysfs, mounted over it; real hardware is in
# 920-vm-host-device.

load lib/all
sandbox

setup() {
	container ctr ctr2
	ip link add hd0 type veth peer name lan0
	ip link set lan0 up
	ip addr add 10.77.0.1/24 dev lan0
}

on_host() { ip -j link show "$1" 2>/dev/null | jq -c '.[0] | [.ifname, .ifalias, (.flags | index("UP") != null)]'; }
leases()  { find /var/lib/cni/networks -name '10.*' | wc -l; }
# mac NAME
mac() { ip -j link show "$1" | jq -r '.[0].address'; }

# fake_sysfs: /sys without any hardware. fake_device FOLDER [INTERFACE ...]: a device below /sys/devices
fake_sysfs() {
	local dir

	for dir in /sys/bus /sys/devices; do
		mount -t tmpfs -o mode=755 tmpfs $dir
	done
	mkdir -p /sys/bus/{pci,auxiliary}/{devices,drivers}
}
fake_device() {
	local folder=/sys/devices/$1

	shift
	mkdir -p "$folder"
	for interface; do
		mkdir -p "$folder/net/$interface"
	done
}
# fake_pci ADDRESS DRIVER [INTERFACE ...]; fake_auxiliary NAME [INTERFACE ...]
fake_pci() {
	fake_device "pci0000:00/$1" "${@:3}"
	ln -s "/sys/devices/pci0000:00/$1" "/sys/bus/pci/devices/$1"
	mkdir -p "/sys/bus/pci/drivers/$2"
	ln -s "/sys/bus/pci/drivers/$2" "/sys/devices/pci0000:00/$1/driver"
}
fake_auxiliary() {
	fake_device "pci0000:00/0000:00:09.0/$1" "${@:2}"
	ln -s "/sys/devices/pci0000:00/0000:00:09.0/$1" "/sys/bus/auxiliary/devices/$1"
}

@test "ADD moves the device, with the name and addresses it should have there; DEL brings it home" {
	mac=$(mac hd0)
	before=$(snapshot)
	cni_add "$(conf host-device '.ipam.routes = [{dst: "192.0.2.0/24", gw: "10.77.0.1"}]')"
	assert_same_json "the result" "$output" '{"cniVersion": "1.0.0",
		"interfaces": [{"name": "eth0", "mac": "'"$mac"'", "mtu": 1500, "sandbox": "/run/netns/ctr"}],
		"ips": [{"address": "10.77.0.2/24", "gateway": "10.77.0.1", "interface": 0}],
		"routes": [{"dst": "192.0.2.0/24", "gw": "10.77.0.1"}]}'
	refute "it is not on the host" ip link show hd0
	assert_json "the alias is the name on the host" "$(ip -n ctr -j link show eth0)" '.[0].ifalias' hd0
	assert "traffic" pings ctr 10.77.0.1
	assert "and into the container" pings host 10.77.0.2
	cni_check "$(conf host-device)"
	cni_del "$(conf host-device)"
	left "$before"
	NO_PREV=1 cni_del "$(conf host-device)"
	left "$before"
}

@test "without ipam the interface is up, without addresses" {
	l2=$(conf host-device 'del(.ipam)')
	before=$(snapshot)
	cni_add "$l2"
	assert_json "no addresses" "$output" 'has("ips") | not'
	assert_json "it is up" "$(ip -n ctr -j link show eth0)" '.[0].flags | index("UP") != null'
	cni_check "$l2"
	cni_del "$l2"
	left "$before"
}

@test "a device that is up on the host comes along, and its alternative names with it" {
	ip link set hd0 up
	ip link property add dev hd0 altname enp3s0np1-the-long-one
	cni_add "$(conf host-device '.device = "enp3s0np1-the-long-one"')"
	assert_json "the alias" "$(ip -n ctr -j link show eth0)" '.[0] | [.ifalias, .altnames]' \
		'["hd0", ["enp3s0np1-the-long-one"]]'
	cni_del "$(conf host-device '.device = "enp3s0np1-the-long-one"')"
	assert_eq "home again, and down" "$(on_host hd0)" '["hd0",null,false]'
}

@test "hwaddr" {
	ip link set hd0 address 02:00:00:00:00:0a
	by=$(conf host-device 'del(.device) | .hwaddr = "02:00:00:00:00:0A"')
	cni_add "$by"
	assert_json "found" "$output" '.interfaces[0].mac' 02:00:00:00:00:0a
	cni_check "$by"
	cni_del "$by"
	assert_eq "home again" "$(on_host hd0)" '["hd0",null,false]'
}

@test "hwaddr of InfiniBand, which has 20 bytes" {
	mount -t tmpfs tmpfs /sys/class/net
	mkdir /sys/class/net/{hd0,lan0}
	long=80:00:00:48:fe:80:00:00:00:00:00:00:f4:52:14:03:00:7b:cb:a1
	echo $long >/sys/class/net/hd0/address
	echo ${long/80:/81:} >/sys/class/net/lan0/address
	infiniband=$(conf host-device "del(.device) | .hwaddr = \"${long^^}\"")
	cni_add "$infiniband"
	refute "it is not on the host" ip link show hd0
	cni_check "$infiniband"
	cni_del "$infiniband"
	assert_eq "home again" "$(on_host hd0)" '["hd0",null,false]'
	EXPECT=1 cni_add "$(jq -c '.hwaddr |= sub("80"; "82")' <<<"$infiniband")"
	assert_json "another" "$output" .msg "failed to find host device: failed to find physical interface"
}

@test "kernelpath, pciBusID and runtimeConfig.deviceID, on the buses PCI and auxiliary, of virtio too" {
	fake_sysfs
	fake_pci 0000:03:00.1 mlx5_core hd0
	fake_pci 10000:04:0a.7 virtio-pci
	fake_device pci0000:00/10000:04:0a.7/virtio3 hd0
	fake_auxiliary mlx5_core.sf.4 hd0
	mkdir -p /sys/devices/platform/dev
	ln -s /sys/devices/pci0000:00/0000:03:00.1 /sys/devices/platform/dev/card
	while IFS='~' read -r change runtime pci; do
		it=$(conf host-device "del(.device) | .cniVersion = \"1.1.0\" | .capabilities.deviceID = true | $change")
		RUNTIME=$runtime cni_add "$it"
		assert_json "$change $runtime" "$output" '.interfaces[0].pciID' "$pci"
		refute "it is not on the host" ip link show hd0
		RUNTIME=$runtime cni_del "$it"
		assert_eq "home again" "$(on_host hd0)" '["hd0",null,false]'
	done <<-'TABLE'
		.kernelpath = "/sys/devices/pci0000:00/0000:03:00.1"~null~null
		.kernelpath = "/sys/devices/platform/dev/card/"~null~null
		.pciBusID = "0000:03:00.1"~null~0000:03:00.1
		.PCIBUSID = "10000:04:0A.7"~null~10000:04:0a.7
		.~{"deviceID": "0000:03:00.1"}~0000:03:00.1
		.~{"deviceID": "mlx5_core.sf.4"}~null
		.pciBusID = "0000:99:00.0"~{"deviceID": "10000:04:0a.7"}~10000:04:0a.7
		.pciBusID = "0000:99:00.0"~{"deviceID": "mlx5_core.sf.4"}~null
	TABLE
}

@test "device comes before hwaddr, hwaddr before kernelpath, kernelpath before pciBusID" {
	fake_sysfs
	ip link add other0 type veth peer name other1
	fake_pci 0000:03:00.0 e1000e other0
	fake_pci 0000:03:00.1 e1000e hd0
	while read -r change; do
		cni_add "$(conf host-device "del(.device) | $change")"
		refute "$change" ip link show hd0
		cni_del "$(conf host-device "del(.device) | $change")"
	done <<-TABLE
		.device = "hd0" | .hwaddr = "$(mac other0)" | .kernelpath = "/sys/devices/x" | .pciBusID = "0000:03:00.0"
		.hwaddr = "$(mac hd0)" | .kernelpath = "/sys/devices/pci0000:00/0000:03:00.0" | .pciBusID = "0000:03:00.0"
		.kernelpath = "/sys/devices/pci0000:00/0000:03:00.1" | .pciBusID = "0000:03:00.0"
	TABLE
}

@test "a device with several interfaces: the first in the alphabet" {
	fake_sysfs
	fake_pci 0000:03:00.1 mlx4_core zz0 hd0 hd1
	cni_add "$(conf host-device 'del(.device) | .pciBusID = "0000:03:00.1"')"
	refute "it is the first" ip link show hd0
}

@test "drivers of user space: nothing is moved, addresses are reserved and reported, CHECK and DEL agree" {
	fake_sysfs
	n=0
	for driver in uio_pci_generic igb_uio vfio-pci; do
		n=$((n + 1))
		fake_pci "0000:03:00.$n" $driver
		dpdk=$(conf host-device "del(.device) | .cniVersion = \"1.1.0\" | .pciBusID = \"0000:03:00.$n\"")
		cni_add "$(jq -c 'del(.ipam)' <<<"$dpdk")"
		assert_json "$driver: the interface" "$output" . '{"cniVersion": "1.1.0",
			"interfaces": [{"name": "eth0", "sandbox": "/run/netns/ctr", "pciID": "0000:03:00.'$n'"}]}'
	done
	before=$(snapshot host ctr)
	cni_add "$dpdk"
	assert_json "the address" "$output" '.ips | map([.address, .interface])' '[["10.77.0.2/24", 0]]'
	assert_json "nothing is in the container" "$(ip -n ctr -j link)" length 1
	cni_check "$dpdk"
	cni_status "$dpdk"
	EXPECT=1 NO_PREV=1 cni_check "$dpdk"
	assert_json "CHECK" "$output" .msg "Required prevResult missing"
	cni_del "$dpdk"
	assert_eq "nothing is left" "$(snapshot host ctr)" "$before"
}

@test "DEL in user-space mode leaves alone what the container calls by that name" {
	fake_sysfs
	fake_pci 0000:03:00.1 vfio-pci
	dpdk=$(conf host-device 'del(.device) | .pciBusID = "0000:03:00.1"')
	cni_add "$dpdk"
	ip -n ctr link add eth0 type bridge
	ip -n ctr link set eth0 alias web
	cni_del "$dpdk"
	assert "it is still there" ip -n ctr link show eth0
}

@test "mistakes in the configuration are named, with code 7, and change nothing" {
	fake_sysfs
	before=$(snapshot)
	while IFS='~' read -r change message; do
		EXPECT=1 cni_add "$(conf host-device "del(.device) | $change")"
		assert_json "$change" "$output" .msg "$message"
		assert_json "code of $change" "$output" .code 7
		[[ $change == .runtimeConfig* ]] || continue
		NO_PREV=1 cni_del "$(conf host-device "del(.device) | $change")"
	done <<-'TABLE'
		.~specify either "device", "hwaddr", "kernelpath" or "pciBusID"
		.device = ""~specify either "device", "hwaddr", "kernelpath" or "pciBusID"
		.hwaddr = "02:00:00"~failed to find host device: failed to parse MAC address "02:00:00"
		.kernelpath = "/sys/class/net/hd0"~failed to find host device: kernel device path "/sys/class/net/hd0" must be absolute and begin with /sys/devices/
		.kernelpath = "sys/devices/x"~failed to find host device: kernel device path "sys/devices/x" must be absolute and begin with /sys/devices/
		.kernelpath = "/sys/devices/../class/net/hd0"~failed to find host device: kernel device path "/sys/devices/../class/net/hd0" leads elsewhere
		.kernelpath = "/sys/devices/.."~failed to find host device: kernel device path "/sys/devices/.." leads elsewhere
		.pciBusID = "../.."~failed to find host device: pciBusID: "../.." is not a PCI address such as 0000:03:00.1
		.pciBusID = "03:00.1"~failed to find host device: pciBusID: "03:00.1" is not a PCI address such as 0000:03:00.1
		.pciBusID = "0000:03:00.8"~failed to find host device: pciBusID: "0000:03:00.8" is not a PCI address such as 0000:03:00.1
		.runtimeConfig.deviceID = "0000:03:00.1"~runtime config DeviceID 0000:03:00.1 not found or unsupported
		.runtimeConfig.deviceID = "../../../etc"~runtime config DeviceID ../../../etc not found or unsupported
		.runtimeConfig.deviceID = "."~runtime config DeviceID . not found or unsupported
	TABLE
	EXPECT=1 cni_add "$(conf host-device '.device = 5')"
	assert_json "a wrong type" "$output" '[.code, .msg]' \
		'[6, "failed to load netconf: device: expected a string, found number"]'
	left "$before"
}

@test "a device that is not there: the message says what was looked for, code 11" {
	fake_sysfs
	fake_pci 0000:03:00.1 mlx5_core
	fake_pci 0000:03:00.2 mlx5_core
	mkdir /sys/devices/pci0000:00/0000:03:00.2/net
	before=$(snapshot)
	while IFS='~' read -r change message; do
		EXPECT=1 cni_add "$(conf host-device "del(.device) | $change")"
		assert_json "$change" "$output" .msg "failed to find host device: $message"
		assert_json "code of $change" "$output" .code 11
	done <<-'TABLE'
		.device = "hd9"~Link not found
		.hwaddr = "02:00:00:00:00:99"~failed to find physical interface
		.kernelpath = "/sys/devices/pci0000:00"~failed to find network devices at "/sys/devices/pci0000:00/net"
		.pciBusID = "0000:99:00.0"~no pci device 0000:99:00.0
		.pciBusID = "0000:03:00.1"~no net directory under pci device 0000:03:00.1
		.pciBusID = "0000:03:00.2"~failed to find device name for pci address 0000:03:00.2: its interface is in another network namespace
	TABLE
	left "$before"
	cni_add "$(conf host-device)"
	EXPECT=1 cni_add "$(conf host-device)" @ctr2
	assert_json "while a container has it" "$output" '[.code, .msg]' '[11, "failed to find host device: Link not found"]'
	assert_eq "one address is reserved" "$(leases)" 1
}

# ---- names that are taken ----

@test "the name is taken in the container: nothing changes, on the host neither" {
	ip -n ctr link add eth0 type bridge
	ip link set hd0 up
	ip addr add 198.51.100.1/24 dev hd0
	before=$(snapshot host ctr)
	EXPECT=1 cni_add "$(conf host-device)"
	assert_json "the message" "$output" .msg "failed to move link hd0: the container has an interface eth0 already"
	assert_eq "nothing has changed" "$(snapshot host ctr)" "$before"
	cni_del "$(conf host-device)"
	assert_eq "DEL does not take what is not ours" "$(snapshot host ctr)" "$before"
}

@test "the name that it has on the host is taken in the container" {
	ip -n ctr link add hd0 type bridge
	cni_add "$(conf host-device)"
	assert "traffic" pings ctr 10.77.0.1
	cni_del "$(conf host-device)"
	assert_eq "home again" "$(on_host hd0)" '["hd0",null,false]'
	assert "the other one stays" ip -n ctr link show hd0
}

@test "its name is taken on the host meanwhile: it comes back under another, and gets its own when that is free" {
	cni_add "$(conf host-device)"
	ip link add hd0 type bridge
	cni_del "$(conf host-device)"
	assert_json "it is here, the alias tells whose" "$(ip -j link)" '[.[] | select(.ifalias == "hd0") | .ifname | test("^dev[0-9]+$")]' '[true]'
	cni_del "$(conf host-device)"
	ip link del hd0
	cni_del "$(conf host-device)"
	assert_eq "home again" "$(on_host hd0)" '["hd0",null,false]'
}

@test "a name that the container's root made up is not given to a device of the host" {
	for alias in ../../etc dev%d 'two words'; do
		cni_add "$(conf host-device)"
		ip -n ctr link set eth0 alias "$alias"
		cni_del "$(conf host-device)"
		assert_json "alias \"$alias\": no such name" "$(ip -j link)" 'map(.ifname) | sort' '["lan0", "lo"]'
		ip -n ctr link set eth0 netns $$ name hd0 alias ""
		rm -rf /var/lib/cni/networks
	done
}

# ---- failures ----

# What moving can change, quicker than a snapshot.
state() {
	ip -j link | jq -c 'map([.ifname, .ifindex, .ifalias, .master, (.flags | index("UP") != null)])'
	ip -4 -br addr
	ip -6 -o addr show scope global
	ip -4 route show table all type unicast
	ip -6 route show table all type unicast | grep -v fe80:
	ip -n ctr -j link | jq -c 'map(.ifname)'
	leases
}

# A device that is in use.
use() {
	ip link set hd0 up master br0 alias "uplink of the lab"
	ip addr add 198.51.100.1/24 brd + dev hd0 label hd0:1
	ip addr add 198.51.100.2/32 dev hd0 scope link
	ip addr add 198.51.100.3 peer 198.51.100.77/32 dev hd0 valid_lft 3000 preferred_lft 2000
	ip addr add fd51::1/64 dev hd0 nodad
	ip route add 203.0.113.0/24 via 198.51.100.9 metric 7
	ip route add default via 198.51.100.9 table 100
	ip -6 route add 2001:db8::/32 via fd51::9 mtu 1300
	ip route add 203.0.114.0/24 nexthop via 198.51.100.9 dev hd0 nexthop via 198.51.100.8 dev hd0
}

@test "ADD fails at any step: addresses, routes, master, alias, all that moving takes away is back" {
	need strace
	ip link add br0 type bridge
	CNI_WRAP=(strace -qq -o /run/count -e trace=sendmsg)
	ip link set hd0 up
	cni_add "$(conf host-device)"
	n=$(grep -c sendmsg /run/count)
	cni_del "$(conf host-device)"
	use
	ip -n ctr link add taken0 index "$(</sys/class/net/hd0/ifindex)" type bridge
	before=$(state)
	assert "there is something to lose" test "$(grep -c hd0 <<<"$before")" -ge 10
	whole=$(snapshot host ctr)
	for ((i = 1; i <= n; i++)); do
		CNI_WRAP=(strace -qq -o /run/trace -e trace=sendmsg -e "inject=sendmsg:error=ENOBUFS:when=$i")
		EXPECT=1 cni_add "$(conf host-device)"
		assert_eq "send $i fails: nothing has changed" "$(state)" "$before"
	done
	assert_eq "nothing at all" "$(snapshot host ctr)" "$whole"
	assert "every step was tried" test "$n" -gt 7
}

@test "IPAM fails, or a route cannot be: the device is as it was" {
	ip link set hd0 up
	ip addr add 198.51.100.1/24 dev hd0
	before=$(snapshot host ctr)
	EXPECT=1 cni_add "$(conf host-device '.ipam.subnet = "nonsense"')"
	assert_eq "IPAM fails" "$(snapshot host ctr)" "$before"
	EXPECT=1 cni_add "$(conf host-device '.ipam.routes = [{dst: "192.0.2.0/24", gw: "203.0.113.1"}]')"
	assert_match "the kernel refuses" "$(jq -r .msg <<<"$output")" "add route 192.0.2.0/24 via 203.0.113.1"
	assert_eq "a route fails" "$(snapshot host ctr)" "$before"
}

@test "an ADD that is killed at any system call: DEL cleans up" {
	need strace
	before=$(state)
	for ((i = 1; ; i++)); do
		CNI_WRAP=(strace -qq -o /dev/null -e trace=sendmsg -e "inject=sendmsg:signal=KILL:when=$i")
		EXPECT=any cni_add "$(conf host-device)"
		CNI_WRAP=()
		[[ $status != 0 ]] || break
		NO_PREV=1 cni_del "$(conf host-device)"
		assert_eq "killed at $i" "$(state)" "$before"
	done
	assert "it was killed more than once" test "$i" -gt 5
}

# ---- DEL ----

@test "DEL succeeds whatever is missing, and the address is released each time" {
	: >/run/plain
	before=$(snapshot)
	while IFS='~' read -r damage change variable; do
		cni_add "$(conf host-device)"
		eval "$damage"
		NO_PREV=1 cni_del "$(conf host-device "$change")" ${variable:+"$variable"}
		assert_eq "$damage $change $variable: the address is free" "$(leases)" 0
		[[ -e /run/netns/ctr ]] || container ctr
		! ip -n ctr link show eth0 >/dev/null || ip -n ctr link set eth0 netns $$ name hd0 alias ""
		ip link show hd0 >/dev/null || ip link add hd0 address 02:00:00:00:00:0b type veth peer name lan0
		ip addr replace 10.77.0.1/24 dev lan0
		ip link set lan0 up
	done <<-'TABLE'
		:~.~CNI_NETNS=
		:~.~CNI_NETNS=/run/netns/gone
		:~.~CNI_NETNS=/run/plain
		ip netns del ctr~.~
		ip -n ctr link del eth0~.~
		ip -n ctr link set eth0 alias ""~.~
		:~del(.device)~
		:~.device = "gone0"~
		:~del(.device) | .pciBusID = "0000:99:00.0"~
		:~del(.device) | .runtimeConfig.deviceID = "0000:99:00.0"~
		:~del(.device) | .hwaddr = "nonsense"~
	TABLE
	assert_json "a device is there" "$(snapshot)" '[.host.links[].ifname] | sort' '["hd0", "lan0", "lo"]'
	assert_json "and nothing else" "$before" '[.host.links[].ifname] | sort' '["hd0", "lan0", "lo"]'
}

# What the kernel does with hardware when its namespace ends: down, and called as it was in there.
kernel_returns() {
	ip -n ctr link set eth0 netns $$ name "$1"
	ip link set "$1" down
	ip netns del ctr
}

@test "the container died first: DEL gives the device its name back" {
	fake_sysfs
	fake_pci 0000:03:00.1 mlx5_core eth0 dev7
	while IFS='~' read -r name change runtime prev; do
		[[ -e /run/netns/ctr ]] || container ctr
		it=$(conf host-device "del(.device) | .capabilities.deviceID = true | $change")
		cni_add "$(conf host-device)"
		kernel_returns "$name"
		rm -rf /sys/devices/pci0000:00/0000:03:00.1/net
		mkdir -p "/sys/devices/pci0000:00/0000:03:00.1/net/$name"
		RUNTIME=$runtime NO_PREV=$prev cni_del "$it"
		assert_eq "$name $change $runtime" "$(on_host hd0)" '["hd0",null,false]'
		assert_eq "the address is free" "$(leases)" 0
	done <<-TABLE
		eth0~.device = "hd0"~null~1
		dev7~.device = "hd0"~null~1
		eth0~.hwaddr = "$(mac hd0)"~null~1
		eth0~.pciBusID = "0000:03:00.1"~null~1
		dev7~.~{"deviceID": "0000:03:00.1"}~1
		eth0~.kernelpath = "/sys/devices/pci0000:00/0000:03:00.1"~null~1
		eth0~.~null~
	TABLE
}

@test "the container died first, and no DEL came by: the next ADD finds the device, and its name is not forgotten" {
	fake_sysfs
	fake_pci 0000:03:00.1 mlx5_core eth0 # as the kernel returned it
	for change in . 'del(.device) | .pciBusID = "0000:03:00.1"' 'del(.device) | .hwaddr = "'"$(mac hd0)"'"'; do
		[[ -e /run/netns/ctr ]] || container ctr
		cni_add "$(conf host-device)"
		kernel_returns eth0
		cni_add "$(conf host-device "$change")" @ctr2
		assert "$change: traffic" pings ctr2 10.77.0.1
		cni_del "$(conf host-device)" @ctr2
		NO_PREV=1 cni_del "$(conf host-device 'del(.device)')"
		assert_eq "$change: home again" "$(on_host hd0)" '["hd0",null,false]'
	done
}

@test "DEL finds the device when the container has renamed it" {
	while IFS='~' read -r change prev; do
		cni_add "$(conf host-device)"
		ip -n ctr link set eth0 down
		ip -n ctr link set eth0 name wan0 up
		NO_PREV=$prev cni_del "$(conf host-device "$change")"
		assert_eq "$change: home again" "$(on_host hd0)" '["hd0",null,false]'
	done <<-TABLE
		.~1
		.~
		del(.device) | .hwaddr = "$(mac hd0)"~1
		del(.device) | .pciBusID = "0000:99:00.0"~
		del(.device)~
	TABLE
	ip -n ctr link add other0 type bridge
	ip -n ctr link set other0 alias web
	cni_del "$(conf host-device)"
	cni_del "$(conf host-device 'del(.device)')"
	assert "another link of the container stays" ip -n ctr link show other0
}

@test "links of the host with an alias of their own keep their names" {
	ip link set hd0 alias storage
	before=$(snapshot)
	for change in . 'del(.device) | .hwaddr = "'"$(mac hd0)"'"'; do
		cni_del "$(conf host-device "$change")" CNI_NETNS=
		left "$before"
	done
	# Under the container's name, but in use.
	ip link set hd0 name eth0
	ip link set eth0 up
	before=$(snapshot)
	cni_del "$(conf host-device 'del(.device) | .hwaddr = "'"$(mac eth0)"'"')" CNI_NETNS=
	left "$before"
}

# ---- CHECK, GC, STATUS ----

@test "CHECK names what somebody changed" {
	all=$(conf host-device '.ipam.routes = [{dst: "0.0.0.0/0"}]')
	mac=$(mac hd0)
	while IFS='~' read -r damage message; do
		cni_add "$all"
		cni_check "$all"
		eval "$damage"
		EXPECT=1 cni_check "$all"
		assert_match "$damage" "$(jq -r .msg <<<"$output")" "$message"
		cni_del "$all"
		ip link set hd0 address "$mac"
	done <<-'TABLE'
		ip -n ctr addr del 10.77.0.2/24 dev eth0~Failed to match addr 10.77.0.2/24 on interface eth0
		ip -n ctr addr flush dev eth0~Failed to match addr 10.77.0.* on interface eth0
		ip -n ctr route del default~Expected Route 0.0.0.0/0 not found in routing table
		ip -n ctr link set eth0 address 02:00:00:00:00:77~Interface eth0 Mac .* doesn't match container Mac
	TABLE
	cni_add "$all"
	EXPECT=1 NO_PREV=1 cni_check "$all"
	assert_json "without prevResult" "$output" '[.code, .msg]' '[7, "Required prevResult missing"]'
	ip -n ctr link set eth0 down
	ip -n ctr link set eth0 name eth1
	EXPECT=1 cni_check "$all"
	assert_match "gone" "$(jq -r .msg <<<"$output")" "Container Interface name in prevResult: eth0 not found"
}

@test "GC: an absent list deletes nothing, a list exactly the stale, an empty one all; a returned device gets its name" {
	gc=$(conf host-device '.cniVersion = "1.1.0"')
	ip link add hd2 type veth peer name hd3
	cni_add "$gc"
	cni_add "$(jq -c '.device = "hd2"' <<<"$gc")" @ctr2
	cni_gc "$gc"
	assert_eq "no list" "$(leases)" 2
	cni_gc "$(jq -c '."cni.dev/valid-attachments" = [{containerID: "ctr2", ifname: "eth0"}]' <<<"$gc")"
	assert_eq "one lease" "$(cd /var/lib/cni/networks/tnet && echo 10.*)" 10.77.0.3
	assert "what a container has stays there" ip -n ctr2 link show eth0
	kernel_returns eth0
	cni_gc "$(jq -c '."cni.dev/attachments" = []' <<<"$gc")"
	assert_eq "no lease" "$(leases)" 0
	assert_eq "home again" "$(on_host hd0)" '["hd0",null,false]'
	assert "what a container has stays there" ip -n ctr2 link show eth0
}

@test "STATUS: 50 when the device is not here, 51 when it is not plugged in, and the IPAM plugin is asked" {
	fake_sysfs
	fake_pci 0000:03:00.1 mlx5_core hd0
	st=$(conf host-device '.cniVersion = "1.1.0"')
	cni_status "$st"
	cni_status "$(jq -c 'del(.device)' <<<"$st")"
	cni_status "$(jq -c 'del(.device) | .pciBusID = "0000:03:00.1"' <<<"$st")"
	cni_add "$st"
	while IFS='~' read -r change code message; do
		EXPECT=1 cni_status "$(jq -c "$change" <<<"$st")"
		assert_json "$change" "$output" .code "$code"
		assert_match "$change" "$(jq -r .msg <<<"$output")" "$message"
	done <<-'TABLE'
		.~50~a container has it, or it is missing: Link not found
		del(.device) | .pciBusID = "0000:99:00.0"~51~the device 0000:99:00.0 is not plugged in
		del(.device) | .kernelpath = "/sys/devices/gone"~51~the device /sys/devices/gone is not plugged in
		del(.device) | .pciBusID = "nonsense"~7~is not a PCI address
	TABLE
	cni_del "$st"
	tiny=$(jq -c '.ipam.subnet = "10.77.0.0/30" | .name = "tiny"' <<<"$st")
	cni_status "$tiny"
	cni_add "$tiny"
	cni_del "$tiny" CNI_CONTAINERID=other
	EXPECT=1 cni_status "$(jq -c 'del(.device)' <<<"$tiny")"
	assert_json "a full pool" "$output" .code 50
}
