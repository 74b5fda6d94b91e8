#!/usr/bin/env bats
# ipvlan, vlan, dummy and macvlan under two distribution kernels, beside the reference's binaries: the kernel here lacks
# the first three, and both of those are older than Linux 6.15, where a link called like one of the host's takes a detour.
# Each kernel is booted once, runs fixtures/links.sh, and the tests judge what was recorded there.

load lib/all
load lib/vm

KERNELS=(6.12 6.1)
PROGRAMS=(ipvlan vlan macvlan host-local)

setup_file() {
	vm_kernels ip "$CNIBOX:/bin/cnibox" "${PROGRAMS[@]/#/$REFERENCE/}" -- "$CNIBOX_TESTS/fixtures/links.sh"
}

refuses() { # NAME CODE MESSAGE
	assert_eq "$kernel: $1 fails" "$(state "$1")" 1 &&
		assert_json "$kernel: $1" "$(said "$1")" '[.code, .msg]' "$(jq -cn --arg m "$3" "[$2, \$m]")"
}

ALL=(ipvlan-l2 ipvlan-l3 ipvlan-l3s ipvlan-mtu ipvlan-dual vlan vlan-mtu macvlan)

# A link as far as the plugins decide; a result and addresses without what has no meaning.
of_link() {
	said "$1" | jq -S '.[0] | {ifname, mtu, kind: .linkinfo.info_kind, data: (.linkinfo.info_data | del(.usedbcqueuelen)),
		up: (.flags | index("UP") != null), link_index}'
}
of_result() {
	said "$1" | jq -S 'del(.dns, .interfaces[].mtu, .interfaces[].sandbox)' | sed -E "s/${2:-nothing}/MAC/"
}
of_addresses() {
	said "$1" | jq -S '[.[0].addr_info[] | select(.scope == "global") | [.local, .prefixlen, .broadcast]]'
}

@test "what should fail in the machine fails, and nothing else" {
	for kernel in "${KERNELS[@]}"; do
		assert_eq "$kernel: records that failed" \
			"$(awk '/^@begin / { name = $2 } /^@end [^0]/ { print name }' "$BATS_FILE_TMPDIR/$kernel" |
				grep -v '^wrong/' | sort | paste -sd' ')" \
			"chained/none chained/two gone/their-del peers/master-check peers/mode-check peers/mtu-check status/ipvlan-no-master status/macvlan-no-master status/vlan-no-master"
		assert_match "it is that kernel" "$(said node/kernel)" "^${kernel//./\\.}\.[0-9]"
	done
}

@test "every type and mode: ADD, traffic, CHECK, DEL and DEL again, with a link of that name on the host" {
	for kernel in "${KERNELS[@]}"; do
		for name in "${ALL[@]}"; do
			succeeds "$name/add"
			succeeds "$name/check"
			succeeds "$name/del"
			succeeds "$name/del-again"
			assert_eq "$kernel: $name: lo alone is left" "$(said "$name/links" | grep -c .)" 1
		done
		for name in ipvlan-l2 ipvlan-l3 ipvlan-l3s ipvlan-mtu ipvlan-dual vlan macvlan; do
			succeeds "$name/reaches"
		done
	done
}

@test "every type and mode: link, addresses, routes and result are those of the reference" {
	for kernel in "${KERNELS[@]}"; do
		for name in "${ALL[@]}"; do
			succeeds "$name/their-add"
			assert_eq "$kernel: $name: link" "$(of_link "$name/link")" "$(of_link "$name/their-link")"
			assert_eq "$kernel: $name: addresses" "$(of_addresses "$name/addresses")" "$(of_addresses "$name/their-addresses")"
			assert_eq "$kernel: $name: routes" "$(said "$name/routes")" "$(said "$name/their-routes")"
			assert_eq "$kernel: $name: result" "$(of_result "$name/add")" "$(of_result "$name/their-add")"
		done
		assert_json "$kernel: the modes" "$(for m in l2 l3 l3s; do said "ipvlan-$m/link"; done | jq -s -c .)" \
			'[.[][0].linkinfo.info_data.mode]' '["l2", "l3", "l3s"]'
		assert_json "$kernel: the VLAN" "$(said vlan/link)" '.[0].linkinfo.info_data | [.id, .protocol]' '[5, "802.1Q"]'
		assert_json "$kernel: the MTU" "$(said ipvlan-mtu/add)" '.interfaces[0].mtu' 1400
	done
}

@test "every type and mode: we check and remove what the reference made, and the other way round" {
	for kernel in "${KERNELS[@]}"; do
		for name in "${ALL[@]}"; do
			for step in our-check our-del again their-check their-del; do
				succeeds "$name/$step"
			done
			for who in our their; do
				assert_eq "$kernel: $name: lo alone is left" "$(said "$name/$who-links" | grep -c .)" 1
				assert_eq "$kernel: $name: no lease" "$(said "$name/$who-leases")" ""
			done
		done
	done
}

@test "addresses are announced: by ipvlan and macvlan as by the reference, by vlan, too" {
	for kernel in "${KERNELS[@]}"; do
		for name in ipvlan-l2 macvlan; do
			assert_match "$kernel: $name: theirs" "$(said "$name/their-settings")" 'arp_notify:1'
			assert_match "$kernel: $name: ours" "$(said "$name/settings")" 'arp_notify:1'
		done
		assert_match "$kernel: vlan" "$(said vlan/settings)" 'arp_notify:1'
		assert_match "$kernel: IPv6" "$(said ipvlan-dual/settings)" 'ndisc_notify:1'
	done
}

@test "ipvlan: containers of one master reach each other at once, in both families" {
	for kernel in "${KERNELS[@]}"; do
		succeeds peers/reach
		succeeds peers/reach6
		succeeds peers/other
		succeeds peers/path
		assert_match "$kernel: path goes by the master" "$(said peers/path)" 'parent +lan0 of host.*10\.1\.0\.3 is an address of p2'
		succeeds peers/path6
		assert_eq "$kernel: nothing is tentative" "$(said peers/tentative | grep -v fe80 | grep -c inet6 || true)" 0
	done
}

@test "ipvlan: CHECK names another mode, MTU or master" {
	for kernel in "${KERNELS[@]}"; do
		refuses peers/mode-check 999 "Interface eth0 is not in ipvlan mode l2"
		refuses peers/mtu-check 999 "Interface eth0 has MTU 1500, configured is 1300"
		refuses peers/master-check 999 "Interface eth0 is not on master eth0"
	done
}

@test "ipvlan: the master is the interface of the default route; CHECK and DEL do not need that any more" {
	for kernel in "${KERNELS[@]}"; do
		for step in add reaches check del; do
			succeeds "default/$step"
		done
	done
}

@test "ipvlan, chained: master and addresses of the plugin before" {
	for kernel in "${KERNELS[@]}"; do
		succeeds chained/add
		assert_json "$kernel: the result" "$(said chained/add)" '[[.interfaces[].name], .ips[0].address, .ips[0].interface, .routes[0].dst]' \
			'[["eth0"], "10.1.0.77/24", 0, "192.0.2.0/24"]'
		succeeds chained/reaches
		assert_match "$kernel: the route" "$(said chained/routes)" '192.0.2.0/24 via 10.1.0.1'
		succeeds chained/check
		succeeds chained/del
		assert_eq "$kernel: lo alone is left" "$(said chained/links | grep -c .)" 1
		refuses chained/two 7 "chained master failure. PrevResult lacks a single named interface"
		refuses chained/none 7 "no plugin name provided"
		assert_eq "$kernel: nothing was made" "$(said chained/links2 | grep -c .)" 1
	done
}

@test "vlan, linkInContainer: a VLAN of an interface in the container" {
	for kernel in "${KERNELS[@]}"; do
		for step in add reaches check del; do
			succeeds "inside/$step"
		done
		assert_eq "$kernel: lo and the master are left" "$(said inside/links | grep -c .)" 2
	done
}

@test "dummy: it carries its address, is up, and goes" {
	for kernel in "${KERNELS[@]}"; do
		succeeds dummy/add
		assert_json "$kernel: the link" "$(said dummy/link)" '.[0] | [.ifname, .linkinfo.info_kind, (.flags | index("UP") != null)]' \
			'["eth0", "dummy", true]'
		assert_json "$kernel: the result" "$(said dummy/add)" '[.interfaces[0].name, .ips[0].address, .ips[0].interface]' \
			'["eth0", "10.1.0.2/24", 0]'
		assert_eq "$kernel: the address" "$(of_addresses dummy/addresses | jq -c .)" '[["10.1.0.2",24,"10.1.0.255"]]'
		succeeds dummy/check
		succeeds dummy/del
		succeeds dummy/del-again
		assert_eq "$kernel: lo alone is left" "$(said dummy/links | grep -c .)" 1
	done
}

@test "mistakes are named, the reference's words first, and nothing is left of what failed" {
	for kernel in "${KERNELS[@]}"; do
		assert_match "$kernel: a VLAN that the master has" "$(said wrong/twice | jq -r .msg)" \
			'^failed to create vlan: create vlan [a-z0-9]+: File exists \(8021q: VLAN device already exists\)$'
		refuses wrong/check 999 "Interface eth0 is in VLAN 5, configured is 6"
		refuses wrong/id 7 "invalid VLAN ID 4095 (must be between 0 and 4095 inclusive)"
		refuses wrong/no-master 7 '"master" field is required. It specifies the host interface name to create the VLAN for'
		refuses wrong/vlan-mtu 7 "invalid MTU 9000, must be [0, master MTU(1500)]"
		refuses wrong/ipvlan-mtu 7 "invalid MTU 9000, must be [0, master MTU(1500)]"
		refuses wrong/mode 7 'unknown ipvlan mode: "l4"'
		refuses wrong/no-default 999 "no default route interface found"
		for type in ipvlan vlan; do
			refuses "wrong/$type-ipam" 7 "$(said "wrong/their-$type-ipam" | jq -r .msg)"
		done
		refuses wrong/dummy-ipam 7 "dummy interface requires an IPAM configuration"
		for type in ipvlan vlan dummy; do
			refuses "wrong/$type-full" 7 "invalid range set 0: Network 10.8.0.0/31 too small to allocate from"
		done
		assert_eq "$kernel: lo alone is left" "$(said wrong/links | grep -c .)" 1
		assert_eq "$kernel: the lease of who had it before" "$(said wrong/leases | sed 's,.*/,,')" 10.5.0.2
	done
}

@test "DEL without the master, the namespace, the link or anything succeeds, and the lease is gone" {
	for kernel in "${KERNELS[@]}"; do
		refuses gone/their-del 999 "Link not found"
		for step in del del2 del3 never; do
			succeeds "gone/$step"
		done
		assert_eq "$kernel: no lease" "$(said gone/leases)" ""
		assert_eq "$kernel: lo alone is left" "$(said gone/links | grep -c .)" 1
	done
}

@test "STATUS: the kinds are there, a missing master is code 50, and nothing is made to find out" {
	for kernel in "${KERNELS[@]}"; do
		for type in ipvlan vlan macvlan; do
			succeeds "status/$type"
			refuses "status/$type-no-master" 50 'failed to lookup master "nosuch0": Link not found'
		done
		succeeds status/dummy
		succeeds status/ipvlan-chained
		assert_eq "$kernel: the links" "$(said status/after)" "$(said status/before)"
	done
}

@test "GC: an absent list deletes nothing, a list exactly the stale, an empty one all" {
	for kernel in "${KERNELS[@]}"; do
		succeeds gc/absent
		assert_eq "$kernel: both leases" "$(said gc/absent-leases | grep -c .)" 2
		succeeds gc/one
		assert_eq "$kernel: one lease" "$(said gc/one-leases | sed 's,.*/,,')" 10.9.0.3
		succeeds gc/all
		assert_eq "$kernel: none" "$(said gc/all-leases)" ""
	done
}
