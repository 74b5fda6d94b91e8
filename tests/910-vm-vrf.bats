#!/usr/bin/env bats
# The vrf plugin under two distribution kernels (the kernel here may lack VRFs), beside the reference's. Each kernel is
# booted once, runs fixtures/vrf.sh, and the tests judge what was recorded there.

load lib/all
load lib/vm

KERNELS=(6.12 6.1)

setup_file() {
	export VM_DEADLINE=${VM_DEADLINE:-300}
	vm_kernels ip "$CNIBOX:/bin/cnibox" "$REFERENCE/vrf" -- "$CNIBOX_TESTS/fixtures/vrf.sh"
}

# The lists of a record as one.
all()   { said "$1" | jq -c -s add; }

# refused NAME CODE MESSAGE
refused() {
	assert_eq "$kernel: $1 fails" "$(state "$1")" 1
	assert_json "$kernel: $1: code" "$(said "$1")" .code "$2"
	assert_match "$kernel: $1: message" "$(said "$1" | jq -r .msg)" "$3"
}

# Routes and rules of a state, without what the kernel adds and removes with an address.
routes() {
	all "$1" | jq -c '.[] | select(.dst or .src) | select(.protocol != "kernel") | del(.flags, .nexthops[]?.flags)' | sort
}

# Those, too, but for link-local addresses, which come when they come.
everything() {
	all "$1" | jq -c '.[] | select(.dst or .src) | select(.dst // "" | startswith("fe80::") | not) | del(.flags)' | sort
}

addresses() {
	all "$1" | jq -c '.[] | select(.ifname == "eth0") | .addr_info[]? | select(.scope == "global") | {local, prefixlen, nodad, tentative}' |
		sort
}

global() {
	all "$1" | jq -c '[.[].addr_info[]?.local | select(startswith("fe80") | not)] | sort'
}

# Names of links with their masters: eth0@blue
links() {
	all "$1" | jq -r '[.[] | select(.ifname) | .ifname + "@" + (.master // "")] | unique | join(" ")'
}

# Names of VRFs with their tables
vrfs() {
	all "$1" | jq -r '[.[] | select(.linkinfo.info_kind == "vrf") | "\(.ifname)=\(.linkinfo.info_data.table)"] | unique | join(" ")'
}

@test "what should fail in the machine fails, and nothing else" {
	for kernel in "${KERNELS[@]}"; do
		assert_eq "$kernel: records that failed" \
			"$(awk '/^@begin / { name = $2 } /^@end [^0]/ { print name }' "$BATS_FILE_TMPDIR/$kernel" | sort | paste -sd' ')" \
			"missing/nothing-made overlap/blue-right overlap/red-left pair/again pair/check-left pair/check-name pair/check-table pair/other-table pair/taken undone/add wrong/loopback wrong/no-interface wrong/no-prev wrong/not-a-vrf"
	done
}

@test "ADD: every route of the interface is in the VRF's table afterwards, with all that it had" {
	for kernel in "${KERNELS[@]}"; do
		for keep in 1 0; do
			succeeds "twins/ours$keep/add"
			assert_json "$kernel: there is something to move" "$(routes "twins/ours$keep/before" | jq -s length)" '. >= 14'
			assert_eq "$kernel: routes" "$(routes "twins/ours$keep/after" | grep -v l3mdev | jq -c -S . | sort)" \
				"$(routes "twins/ours$keep/before" | jq -c -S 'if .src or .table then . else .table = "1" end' | sort)"
		done
	done
}

@test "ADD: IPv6 addresses stay, whether the kernel keeps those of a link that goes down or not" {
	for kernel in "${KERNELS[@]}"; do
		for keep in 1 0; do
			assert_eq "$kernel: addresses" "$(addresses "twins/ours$keep/after")" "$(addresses "twins/ours$keep/before")"
			assert_match "$kernel: there are some" "$(addresses "twins/ours$keep/after")" 'fd01::5.*nodad'
		done
	done
}

@test "ADD: nothing is missing that the reference has: link, addresses, routes, rules" {
	for kernel in "${KERNELS[@]}"; do
		for keep in 1 0; do
			succeeds "twins/reference$keep/add"
			assert_eq "$kernel: links" "$(links "twins/ours$keep/after")" "$(links "twins/reference$keep/after")"
			assert_eq "$kernel: VRF" "$(vrfs "twins/ours$keep/after")" "$(vrfs "twins/reference$keep/after")"
			assert_eq "$kernel: it is" "$(vrfs "twins/ours$keep/after")" blue=1
			assert_eq "$kernel: addresses" "$(addresses "twins/ours$keep/after" | jq -c 'del(.nodad)')" \
				"$(addresses "twins/reference$keep/after" | jq -c 'del(.nodad)')"
			assert_eq "$kernel: routes of the reference that we lack" \
				"$(comm -13 <(everything "twins/ours$keep/after") <(everything "twins/reference$keep/after"))" ""
		done
	done
}

@test "what the reference joined we check and separate, and the other way round" {
	for kernel in "${KERNELS[@]}"; do
		for name in check check-ours-by-reference check-reference-by-ours del-ours-by-reference del-reference-by-ours del-ours \
			del-reference; do
			succeeds "twins/$name"
		done
		for keep in 1 0; do
			assert_eq "$kernel: the VRF is gone" "$(links "twins/ours-links$keep")" "eth0@ lo@"
			assert_eq "$kernel: all is as after the reference alone" \
				"$(routes "twins/ours-links$keep" | grep -v '"table":"500"')" "$(routes twins/reference-links0)"
		done
	done
}

@test "two VRFs with the same addresses: each reaches its own world, and is reached from there" {
	for kernel in "${KERNELS[@]}"; do
		for name in blue red blue-gateway red-gateway blue-gateway6 red-gateway6 blue-left red-right from-left from-right; do
			succeeds "overlap/$name"
		done
		assert_eq "$kernel: tables" "$(vrfs overlap/links)" "blue=1 red=2"
		for name in blue-right red-left; do
			assert_eq "$kernel: $name does not" "$(state "overlap/$name")" 1
		done
		succeeds overlap/del
		succeeds overlap/red-still
		assert_eq "$kernel: the other one is left" "$(links overlap/left-links)" "eth0@ lo@ net1@red red@"
	done
}

@test "two interfaces in one VRF: it goes with the last" {
	for kernel in "${KERNELS[@]}"; do
		succeeds pair/first
		succeeds pair/second
		assert_eq "$kernel: both are members" "$(links pair/links)" "blue@ eth0@blue lo@ net1@blue"
		assert_eq "$kernel: table" "$(vrfs pair/links)" blue=77
		succeeds pair/check
		succeeds pair/del
		assert_eq "$kernel: one is left" "$(links pair/one-left)" "blue@ eth0@ lo@ net1@blue"
		succeeds pair/del-gone
		assert_eq "$kernel: its interface was gone, the VRF goes" "$(links pair/none-left)" "eth0@ lo@"
		succeeds pair/del-again
	done
}

@test "ADD and CHECK say what is wrong, in the reference's words" {
	for kernel in "${KERNELS[@]}"; do
		refused pair/again 999 '^interface net1 has already a master set: blue$'
		refused pair/taken 999 '^interface net1 has already a master set: blue$'
		refused pair/other-table 999 '^VRF blue already exist with different routing table 77$'
		refused pair/check-table 999 '^VRF blue has routing table 77, not 78$'
		refused pair/check-name 999 '^VRF red: Link not found$'
		refused pair/check-left 999 '^Failed to find net1 associated to vrf blue$'
		refused wrong/no-interface 999 '^could not get link by name eth7: Link not found$'
		refused wrong/not-a-vrf 999 '^Netlink lo is not a VRF$'
		refused wrong/no-prev 7 '^missing prevResult from earlier plugin$'
		assert_eq "$kernel: no VRF is made for an interface that has one" "$(links pair/not-made)" "blue@ eth0@blue lo@ net1@blue"
	done
}

@test "a failed ADD leaves nothing behind" {
	for kernel in "${KERNELS[@]}"; do
		refused wrong/loopback 999 '^could not set vrf blue as master of lo: .*Can not enslave loopback device'
		assert_eq "$kernel: links" "$(links wrong/after)" "$(links wrong/before)"
		assert_eq "$kernel: routes" "$(routes wrong/after | grep -v l3mdev)" "$(routes wrong/before)"
		assert_eq "$kernel: addresses" "$(global wrong/after)" \
			"$(global wrong/before)"
	done
}

@test "the kernel refuses a route when the interface is a member already: all is as before" {
	for kernel in "${KERNELS[@]}"; do
		refused undone/add 999 '^could not set vrf blue as master of eth0: add route 2001:db8:9::/48 in table 1: Invalid argument'
		assert_eq "$kernel: links" "$(links undone/after)" "$(links undone/before)"
		assert_eq "$kernel: routes" "$(everything undone/after | grep -v l3mdev)" "$(everything undone/before)"
		assert_eq "$kernel: addresses" "$(addresses undone/after)" "$(addresses undone/before)"
		succeeds undone/again
	done
}

@test "a route by a next hop object, which the kernel deletes with the link, is there by its gateway" {
	for kernel in "${KERNELS[@]}"; do
		succeeds objects/add
		assert_json "$kernel: the route" "$(said objects/routes)" '[.[] | [.dst, .gateway]]' '[["192.0.2.0/24", "10.1.0.1"]]'
	done
}

@test "STATUS is content with such a kernel" {
	for kernel in "${KERNELS[@]}"; do
		succeeds wrong/status
		assert_eq "$kernel: it says nothing" "$(said wrong/status)" ""
	done
}

@test "DEL misses nothing: namespace, path, plain file, VRF, prevResult; and cleans after a killed ADD" {
	for kernel in "${KERNELS[@]}"; do
		for name in no-netns no-path plain-file no-vrf not-a-vrf no-prev killed elsewhere; do
			succeeds "missing/$name"
		done
		assert_match "$kernel: no file is made" "$(said missing/nothing-made)" "No such file"
		assert_eq "$kernel: the VRF of a killed ADD is gone" "$(links missing/killed-after)" "eth0@ lo@"
		assert_eq "$kernel: an interface that is in another VRF stays there, and a VRF with other members stays" \
			"$(links missing/elsewhere-after)" "blue@ eth0@red lo@ member@blue red@ stays@"
	done
}

@test "table: the first that no VRF, rule or route uses" {
	for kernel in "${KERNELS[@]}"; do
		succeeds tables/first
		succeeds tables/second
		assert_eq "$kernel: 1 has a route, 2 a rule, 4 a VRF" "$(vrfs tables/links)" "blue=3 red=5 taken=4"
	done
}

@test "all interfaces of a pod at once: one VRF for those that share it, a table for each VRF" {
	for kernel in "${KERNELS[@]}"; do
		succeeds many/add
		assert_eq "$kernel: members" "$(links many/links)" \
			"lo@ net1@shared net2@shared net3@shared net4@own4 net5@own5 net6@own6 own4@ own5@ own6@ shared@"
		assert_json "$kernel: tables" "$(all many/links)" \
			'[.[] | select(.linkinfo.info_kind == "vrf") | .linkinfo.info_data.table] | sort' '[1,2,3,4]'
	done
}

@test "behind ptp: its routes on the link move along, and the pod is reached at once" {
	for kernel in "${KERNELS[@]}"; do
		for name in ptp vrf ping ping6 from-host check del; do
			succeeds "chain/$name"
		done
		assert_json "$kernel: the result is the previous one" "$(said chain/vrf)" '[.ips[].address]' '["10.5.0.2/24", "fd05::2/64"]'
		assert_json "$kernel: default routes" "$(all chain/state)" \
			'[.[] | select(.dst == "default") | [.gateway, .table]]' '[["10.5.0.1", "1"], ["fd05::1", "1"]]'
	done
}

@test "an address whose duplicates were looked for is not looked for again" {
	for kernel in "${KERNELS[@]}"; do
		succeeds dad/settled
		succeeds dad/add
		assert_json "$kernel: not tentative" "$(said dad/addresses)" \
			'[.[].addr_info[] | select(.scope == "global") | [.local, .tentative]]' '[["fd01::5", null]]'
		succeeds dad/ping
	done
}

@test "behind sbr: the tables of the addresses stay" {
	for kernel in "${KERNELS[@]}"; do
		succeeds sources/sbr
		succeeds sources/vrf
		succeeds sources/sbr-check
		assert_json "$kernel: routes" "$(said sources/routes)" '[.[].dst] | sort' '["10.1.0.0/24", "default"]'
	done
}
