#!/usr/bin/env bats
# The VLAN keys of the bridge plugin, and the normal path on the smallest node there can be, under two distribution
# kernels: VLAN filtering is a build option that not every kernel has. Each kernel is booted once, runs
# fixtures/bridge-vlan.sh, and the tests judge what was recorded there.

load lib/all
load lib/vm

KERNELS=(6.12 6.1)

setup_file() {
	vm_kernels ip bridge "$CNIBOX:/bin/cnibox" "$REFERENCE/bridge" "$REFERENCE/host-local" \
		-- "$CNIBOX_TESTS/fixtures/bridge-vlan.sh"
}

# The VLANs that `bridge vlan show` gave for a port: 1pu 10 11; p = port VLAN of what comes in untagged, u = goes out so
vlans() {
	said "$1" | jq -r '[.[].vlans[] | range(.vlan; (.vlanEnd // .vlan) + 1) as $id | "\($id)" +
		((.flags // []) | (if index("PVID") then "p" else "" end) + (if index("Egress Untagged") then "u" else "" end))]
		| join(" ")'
}

# The configuration of a bridge that counts here.
bridge_of() {
	said "$1" | jq -c '.[0].linkinfo.info_data | [.vlan_filtering, .vlan_default_pvid, .vlan_protocol]'
}

@test "what should fail in the machine fails, and nothing else" {
	for kernel in "${KERNELS[@]}"; do
		assert_eq "$kernel: records that failed" \
			"$(awk '/^@begin / { name = $2 } /^@end [^0]/ { print name }' "$BATS_FILE_TMPDIR/$kernel" | sort | paste -sd' ')" \
			"access/back access/doctor-together access/moved-check access/other access/path-other failed/fresh/add failed/shared/add failed/vlan/add trunk/less-check trunk/reaches-not"
		assert_match "it is that kernel" "$(said node/kernel)" "^${kernel//./\\.}\.[0-9]"
	done
}

@test "vlan: pods in one VLAN reach each other, pods in different ones do not" {
	for kernel in "${KERNELS[@]}"; do
		assert_eq "$kernel: VLANs of the port" "$(vlans access/vlans)" "1u 100pu"
		succeeds access/same
		fails access/other
		fails access/back
		succeeds access/moved
	done
}

@test "vlan: path names the VLAN that a port is not in, and what mends it does" {
	for kernel in "${KERNELS[@]}"; do
		succeeds access/path-same
		assert_match "$kernel: a port's VLAN" "$(said access/path-same)" 'bridge port +veth[0-9a-f]+ of acc0: forwarding, VLAN 100'
		fails access/path-other
		assert_match "$kernel: what stops it" "$(said access/path-other)" 'X VLAN +veth[0-9a-f]+ is not in VLAN 100'
		succeeds access/path-moved
	done
}

@test "vlan: doctor holds addresses against each other within a VLAN, and not between two" {
	for kernel in "${KERNELS[@]}"; do
		succeeds access/doctor-apart
		assert_match "$kernel: together" "$(said access/doctor-together)" '10\.7\.7\.7 is in use twice: in a1 and in a2'
	done
}

@test "vlan: ports and bridge are as the reference's plugin makes them" {
	for kernel in "${KERNELS[@]}"; do
		succeeds reference/add
		assert_eq "$kernel: the port" "$(vlans access/vlans)" "$(vlans reference/vlans)"
		assert_eq "$kernel: the bridge itself" "$(vlans access/bridge-vlans)" "$(vlans reference/bridge-vlans)"
		assert_eq "$kernel: the bridge's options" "$(bridge_of access/bridge)" "$(bridge_of reference/bridge)"
		assert_eq "$kernel: filtering, default VLAN, protocol" "$(bridge_of access/bridge)" '[1,1,"802.1Q"]'
	done
}

@test "CHECK fails when somebody put the port into another VLAN, and says so" {
	for kernel in "${KERNELS[@]}"; do
		succeeds access/check
		fails access/moved-check
		assert_match "$kernel: message" "$(said access/moved-check | jq -r .msg)" '^bridge "acc0": port is not in VLAN 200$'
		succeeds trunk/check
		assert_match "$kernel: message" "$(said trunk/less-check | jq -r .msg)" '^bridge "trunk0": port is not in VLAN 11$'
	done
}

@test "vlanTrunk: ids, ranges and mixtures, with vlan and without, with VLAN 1 kept and not" {
	for kernel in "${KERNELS[@]}"; do
		while read -r name want; do
			succeeds "trunk/$name/add"
			assert_eq "$kernel: $name" "$(vlans "trunk/$name/vlans")" "$want"
		done <<-END
			single 1pu 10
			mixed 1pu 10 11 12 20 22 30 31 40
			all 1pu $(seq -s ' ' 2 4094)
			default 1pu 2
			ends 1pu 4094
			both 10 11 12 100pu
			within 98 99 100pu 101 102
			same 100pu
			keep 1u 98 99 100pu 101 102
			access 4094pu
			one 1pu
			none 1pu
		END
	done
}

@test "vlanTrunk: tagged frames reach the pods in that VLAN, those of other VLANs nobody" {
	for kernel in "${KERNELS[@]}"; do
		succeeds trunk/tag-in
		succeeds trunk/tag-out
		succeeds trunk/reaches
		fails trunk/reaches-not
	done
}

@test "isGateway with vlan: the gateway is an interface of that VLAN, in the result, shared by its pods" {
	for kernel in "${KERNELS[@]}"; do
		assert_json "$kernel: the fourth interface" "$(said gateway/add)" '[.interfaces[].name] | .[0], .[2], .[3]' \
			$'gw0\neth0\ngw0.100'
		assert_json "$kernel: its MAC" "$(said gateway/add)" '.interfaces[3].mac' "$(said gateway/link | jq -r '.[0].address')"
		assert_json "$kernel: ips are the pod's" "$(said gateway/add)" '[.ips[].interface] | unique' '[2]'
		assert_json "$kernel: its addresses" "$(said gateway/address)" \
			'[.[0].addr_info[] | select(.scope == "global") | "\(.local)/\(.prefixlen)"]' '["10.1.0.1/24", "fd01::1/64"]'
		assert_json "$kernel: the bridge has none" "$(said gateway/bridge-address)" '[.[] | .addr_info[]?]' '[]'
		assert_eq "$kernel: its port is in the VLAN alone" "$(vlans gateway/vlans)" 100pu
		succeeds gateway/reached
		succeeds gateway/reached6
		assert_json "$kernel: the second pod gets the same" "$(said gateway/add2)" '.interfaces[3]' \
			"$(said gateway/add | jq -c '.interfaces[3]')"
		assert_eq "$kernel: one link more for it" "$(said gateway/links2)" $(($(said gateway/links) + 1))
		succeeds gateway/peers
	done
}

@test "isGateway with vlan: another VLAN has its own gateway, and the node routes between them" {
	for kernel in "${KERNELS[@]}"; do
		assert_json "$kernel: the result" "$(said gateway/other)" '.interfaces[3].name' gw0.200
		assert_eq "$kernel: its port" "$(vlans gateway/other-vlans)" 200pu
		succeeds gateway/routed
	done
}

@test "isGateway with vlan: CHECK, DEL and DEL again; the gateway stays for the others" {
	for kernel in "${KERNELS[@]}"; do
		succeeds gateway/check
		succeeds gateway/del
		succeeds gateway/del-again
		assert_eq "$kernel: the port is gone, the gateway is not (two links came with the other VLAN's, one with its pod)" \
			"$(said gateway/links3)" $(($(said gateway/links2) + 3 - 1))
		succeeds gateway/still
		succeeds gateway/check2
	done
}

@test "isGateway with vlan: a gateway that a killed ADD left incomplete is completed" {
	for kernel in "${KERNELS[@]}"; do
		succeeds gateway/half
		assert_eq "$kernel: its port is in the VLAN" "$(vlans gateway/half-vlans)" 300pu
		succeeds gateway/half-reached
	done
}

@test "isGateway with vlan: the first pods of a VLAN, all at once, share one gateway" {
	for kernel in "${KERNELS[@]}"; do
		succeeds gateway/parallel
		assert_eq "$kernel: a link for each, and the pair" "$(said gateway/links5)" $(($(said gateway/links4) + 6 + 2))
		assert_eq "$kernel: its port" "$(vlans gateway/parallel-vlans)" 500pu
		succeeds gateway/parallel-reached
	done
}

@test "a failed ADD leaves links, addresses, routes, VLANs and leases as they were" {
	for kernel in "${KERNELS[@]}"; do
		for name in fresh vlan shared; do
			fails "failed/$name/add"
			assert_match "$kernel: $name fails where it should" "$(said "failed/$name/add" | jq -r .msg)" \
				'^failed to set bridge addr: .* already has an IP address different from'
			assert_json "$kernel: $name: there was something to compare" "$(said "failed/$name/before" | jq -s length)" '. >= 4'
			assert_eq "$kernel: $name" "$(said "failed/$name/after" | jq .)" "$(said "failed/$name/before" | jq .)"
		done
		succeeds failed/shared/still
	done
}

@test "the smallest node: kernel, busybox and our binary attach a pod, masquerade it, and take it back" {
	for kernel in "${KERNELS[@]}"; do
		assert_eq "$kernel: programs on the node" "$(said node/programs | grep . | sort)" \
			"$(printf '%s\n' /bin/busybox /bin/cnibox "$REFERENCE"/{bridge,host-local} "$(type -P ip)" "$(type -P bridge)" | sort)"
		assert_json "$kernel: two addresses" "$(said node/add)" '[.ips[].address]' '["10.88.0.2/24", "fd88::2/64"]'
		assert_match "$kernel: netns list has the pod" "$(said node/list)" 'blue .* eth0 .*10\.88\.0\.2/24, fd88::2/64'
		succeeds node/gateway
		succeeds node/world
		succeeds node/check
		assert_match "$kernel: cni list has the attachment" "$(said node/networks)" 'eth0 +pods +10\.88\.0\.2/24, fd88::2/64'
		succeeds node/del
		assert_json "$kernel: a second time" "$(said node/again)" '.ips | length' 2
		succeeds node/redel
		assert_json "$kernel: no port is left" "$(said node/links)" length 0
	done
}
