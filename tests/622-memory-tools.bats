#!/usr/bin/env bats
# shellcheck disable=SC2086,SC2206 # paths of our own, without blanks
# Memory runs out in a tool, or in an agent's pass: an allocation fails, of ours or of libc's own, alone or with all behind it. A tool says
# so and ends with status 1, or its answer is the same as ever; never a signal, never half an answer that looks whole.
# A sample; TEST_FULL=1 tries each.

load lib/all
load lib/nodes
load lib/scarce
sandbox forward

SAMPLE=${TEST_FULL:+1}
SAMPLE=${SAMPLE:-${TEST_SAMPLE:-31}}

setup_file() { link_scarce; }

setup() {
	need jq nft
	need_scarce
}

# strdup, opendir, open_memstream and others take it from the same place.
@test "what libc allocates for itself fails, too" {
	local name

	need objdump
	for name in strdup __alloc_dir __vasprintf_internal _IO_file_doallocate; do
		assert_match "$name" "$(objdump -d --disassemble=$name "$SCARCE")" "(call|jmp) .*<__wrap_malloc>"
	done
}

# It goes on without something, and says so: all else is as ever.
rest() { grep -v 'Cannot allocate memory' || :; }

# What moves by itself.
settled() { sed -E 's/[0-9.]+ ?(ms|us|s)\b/TIME/g'; }

# each WORD ...: every (SAMPLEth) allocation of that call fails
each() {
	local total n mode want well said status failed=0 tried=0 bad=()

	well=0
	want=$("$SCARCE" "$@" 2>&1) || well=$?
	want=$(settled <<<"$want")
	total=$(<"$SCARCE_COUNT")
	[[ $total -gt 20 ]] || flunk "only $total allocations"
	for mode in X=1 SCARCE_ALL=1; do
		for ((n = 1 + total % SAMPLE % total; n <= total; n += SAMPLE)); do
			status=0
			said=$(timeout --signal KILL 20 env "SCARCE_AT=$n" $mode "$SCARCE" "$@" 2>&1) || status=$?
			tried=$((tried + 1))
			[[ $(settled <<<"$said") == "$want" ]] || failed=$((failed + 1))
			[[ $status == "$well" && $(rest <<<"$said" | settled) == "$want" ]] ||
				[[ ${PARTLY:-} && $status == 0 && $said == *"$PARTLY"* && $said != *'  ?'* ]] ||
				[[ $status == 1 && $said =~ ("out of memory"|"Cannot allocate memory") ]] ||
				bad+=("$mode $n: status $status: $said")
		done
	done
	echo "# $*: $total allocations, $tried calls, $failed said something else" >&3
	[[ ${#bad[@]} == 0 ]] || flunk "NOT: $*" "${#bad[@]} of $tried" "as ever: status $well: $want" "${bad[@]}"
	[[ $failed -gt 0 ]]
}

node() {
	local name

	mkdir -p /etc/cni/net.d
	jq -n '{cniVersion: "1.1.0", name: "mynet", plugins: [
		{type: "bridge", bridge: "cni0", isGateway: true, ipMasq: true, ipMasqBackend: "nftables",
		 ipam: {type: "host-local", ranges: [[{subnet: "10.1.0.0/24"}], [{subnet: "fd01::/64"}]], routes: [{dst: "0.0.0.0/0"}]}},
		{type: "portmap", backend: "nftables", capabilities: {portMappings: true}}]}' >/etc/cni/net.d/10-mynet.conflist
	container blue red
	for name in blue red; do
		"$CNIBOX" cni add mynet "$name" >/dev/null
	done
}

@test "path" {
	node
	each path blue red
}

@test "path --json" {
	node
	each path --json blue red
}

one_link() { [[ $(ip -o link show type veth | wc -l) == 1 ]]; }

@test "doctor" {
	node
	each doctor
	ip netns del red
	wait_for "red's link is gone" 10 one_link
	each doctor --json
}

@test "lint" {
	node
	each lint /etc/cni/net.d/10-mynet.conflist
}

@test "ipam" {
	node
	each ipam list
	each ipam list --json
}

@test "graph" {
	node
	PARTLY='<-> ?' # which other end it is may be unknown, but no namespace is
	each graph
}

@test "cni restore" {
	node
	each cni restore
}

@test "the first pass of an agent" {
	nodes 1 host-gw '.SubnetMin = "10.5.40.0" | .SubnetMax = "10.5.40.0"'
	mkdir -p $STORE/subnets
	echo '{"PublicIP":"192.0.2.8","BackendType":"host-gw"}' >$STORE/subnets/10.5.208.0-24
	ip -n n1 link set lo up
	each_pass
}

each_pass() {
	local total n mode said status failed=0 tried=0 bad=()
	local -a agent=(nsenter --net=/run/netns/n1 timeout --signal KILL 20)
	local -a words=(hostgw-sync --store $STORE --iface eth0 --subnet-file /run/n1/subnet.env --once --once-timeout 5s)

	"${agent[@]}" "$SCARCE" "${words[@]}"
	total=$(<"$SCARCE_COUNT")
	good=$(peer_of)
	for mode in X=1 SCARCE_ALL=1; do
		for ((n = 1 + total % SAMPLE % total; n <= total; n += SAMPLE)); do
			ip -n n1 route flush proto 118
			status=0
			said=$("${agent[@]}" env CNIBOX_LOG=error "SCARCE_AT=$n" $mode "$SCARCE" "${words[@]}" 2>&1) || status=$?
			tried=$((tried + 1)) failed=$((failed + (status != 0)))
			[[ $status == 0 && $(peer_of) == "$good" ]] || [[ $status == 1 && $said =~ ("out of memory"|"Cannot allocate memory") ]] ||
				bad+=("$mode $n: status $status: $said")
			"${agent[@]}" "$CNIBOX" "${words[@]}" 2>/run/said || bad+=("$mode $n: the start after it: $(</run/said)")
			[[ $(peer_of) == "$good" ]] || bad+=("$mode $n: the start after it")
		done
	done
	echo "# a pass: $total allocations, $tried starts, $failed failed" >&3
	[[ ${#bad[@]} == 0 ]] || flunk "NOT: ${#bad[@]} of $tried" "${bad[@]}"
}
