# Fixtures: tests/fixtures/*.json, one configuration each, run through one implementation in a node of its own.
#
#   about        what it is
#   conf         the network configuration; one with "plugins" is a list, run in order as libcni does
#   args         CNI_ARGS; ifname: CNI_IFNAME (default eth0)
#   prepare      shell lines run before, on the host
#   fails        true: ADD must fail
#   reference    why only we can run it (a feature that the packaged reference lacks)
#   check        why the reference's CHECK fails on it
#   differences  where we differ from the reference, each {ignore: jq path, why}: what does not say why, must be equal.
#                Those of every fixture are in lib/differences.json.
#
#   each FUNCTION [PATTERN [FILTER]]  in a test: call it for fixtures; in_node PLUGINS FUNCTION ...: in a new node
#   fixture_load NAME             sets FIXTURE_CONF, FIXTURE_VARIABLES (for cni_add ...), FIXTURE_PREPARE, FIXTURE_CHECK,
#                                 FIXTURE_FAILS
#   fixture_observe NAME FILE     ADD, CHECK and DEL in this node; what was seen goes to FILE
#   fixture_mixed NAME ADDER REMOVER ...  pairs of plugin directories: what one adds, the other checks and removes
#   fixture_comparable NAME FILE  what was seen, less the listed differences, with random names and addresses replaced
# shellcheck shell=bash

fixture_file() {
	echo "$CNIBOX_TESTS/fixtures/$1.json"
}

fixture_load() {
	local -a lines

	mapfile -t lines < <(jq -c -r '.conf, (.cniVersion // .conf.cniVersion // "0.1.0"), .args // "", .ifname // "", (.check | not), (.fails // false),
		(.prepare // [])[]' "$(fixture_file "$1")")
	FIXTURE_CONF=${lines[0]} FIXTURE_VARIABLES=() FIXTURE_CHECK=${lines[4]} FIXTURE_FAILS=${lines[5]}
	[[ ${lines[1]} != 0.[123].* ]] || FIXTURE_CHECK=false
	[[ -z ${lines[2]} ]] || FIXTURE_VARIABLES+=("CNI_ARGS=${lines[2]}")
	[[ -z ${lines[3]} ]] || FIXTURE_VARIABLES+=("CNI_IFNAME=${lines[3]}")
	FIXTURE_PREPARE=$(printf '%s\n' "${lines[@]:6}")
}

# Every file with its content: here counters and locks count, too. Ours keeps an index of leases beside them, and notes on
# whom the firewall admitted.
fixture_files() {
	local file text

	find /var/lib/cni /run/cni -type f ! -path '*/.cnibox/*' ! -path '/run/cni/firewall/*' 2>/dev/null | sort | while read -r file; do
		text=$(<"$file")
		printf '%s: %s\n' "$file" "${text//[$'\r\n']/|}"
	done
}

fixture_observe() {
	local name=$1 file=$2 dir=$2.d add check=null node

	mkdir -p "$dir"
	container ctr
	fixture_load "$name"
	bash -ex <<<"$FIXTURE_PREPARE" || return
	for node in host ctr; do
		echo null >"$dir/before-$node"
		[[ $FIXTURE_FAILS == false ]] || snapshot_in $node >"$dir/before-$node"
	done
	EXPECT=any cni_add "$FIXTURE_CONF" "${FIXTURE_VARIABLES[@]}"
	add=$status
	printf '%s' "$output" >"$dir/output"
	snapshot_in host >"$dir/host"
	snapshot_in ctr >"$dir/ctr"
	fixture_files >"$dir/files"
	if [[ $add == 0 && $FIXTURE_CHECK == true ]]; then
		EXPECT=any cni_check "$FIXTURE_CONF" "${FIXTURE_VARIABLES[@]}"
		check=$status
	fi
	EXPECT=any cni_del "$FIXTURE_CONF" "${FIXTURE_VARIABLES[@]}"
	snapshot_in host >"$dir/after"
	jq -n -S --argjson add "$add" --argjson check "$check" --argjson del "$status" --rawfile output "$dir/output" \
		--slurpfile host "$dir/host" --slurpfile ctr "$dir/ctr" --slurpfile after "$dir/after" --rawfile files "$dir/files" \
		--slurpfile before "$dir/before-host" --slurpfile before_ctr "$dir/before-ctr" '{
			before: {host: $before[0], ctr: $before_ctr[0]},
			status: $add, result: ($output | fromjson? // .), $check, $del, after: $after[0],
			added: {host: $host[0], ctr: $ctr[0], files: ($files | split("\n"))}}' >"$file"
}

# The bridge is made before the first snapshot, since it stays.
fixture_mixed() {
	local name=$1 adder remover before links

	shift
	container ctr warm
	fixture_load "$name"
	bash -ex <<<"$FIXTURE_PREPARE" || return
	links=$(ip -n ctr -o link | wc -l)
	PLUGINS=$1 cni_add "$FIXTURE_CONF" "${FIXTURE_VARIABLES[@]}" @warm || return
	PLUGINS=$1 cni_del "$FIXTURE_CONF" "${FIXTURE_VARIABLES[@]}" @warm || return
	before=$(snapshot)
	while [[ $# -ge 2 ]]; do
		adder=$1 remover=$2
		shift 2
		echo "== $adder adds, $remover removes"
		PLUGINS=$adder cni_add "$FIXTURE_CONF" "${FIXTURE_VARIABLES[@]}" || return
		[[ $FIXTURE_CHECK == false ]] ||
			PLUGINS=$remover cni_check "$FIXTURE_CONF" "${FIXTURE_VARIABLES[@]}" || return
		PLUGINS=$remover cni_del "$FIXTURE_CONF" "${FIXTURE_VARIABLES[@]}" || return
		left "$before" || return
		assert_eq "links of the container" "$(ip -n ctr -o link | wc -l)" "$links" || return
	done
}

# Names of veths, and hardware addresses that nobody chose, are numbered as they come. Chosen ones begin with
# 02:00:00:00:00.
fixture_comparable() {
	local differences

	differences=$(jq -r -s '.[0] + (.[1].differences // []) | map("(\(.ignore))") | "del(" + join(", ") + ")"' \
		"$CNIBOX_TESTS/lib/differences.json" "$(fixture_file "$1")") || return
	jq -S --arg reference "$REFERENCE" --arg plugins "$PLUGINS" '
		(tojson | split("[\($reference)]") | join("[PLUGINS]") | split("[\($plugins)]") | join("[PLUGINS]")) as $text
		| [$text | match("veth[0-9a-f]{8}|([0-9a-f]{2}:){5}[0-9a-f]{2}"; "g").string]
		| reduce .[] as $word ([]; if index([$word]) then . else . + [$word] end)
		| map(select(test("^02:00:00:00:00:|^00:00:00:00:00:00$|^ff:ff:ff:ff:ff:ff$") | not))
		| (map(select(startswith("veth"))) | to_entries | map(.kind = "veth"))
		  + (map(select(startswith("veth") | not)) | to_entries | map(.kind = "mac"))
		| reduce .[] as $one ($text; split($one.value) | join("\($one.kind)-\($one.key + 1)"))
		| fromjson | '"$differences" "$2"
}

# In a test: each FUNCTION [PATTERN [FILTER]] calls it for fixtures of that name that jq's filter says yes to, of
# many for every second one (thin). The failing ones are shown. FIXTURE=name restricts to one, for debugging.
each() {
	local function=$1 name failed=() ran=0
	local -a names

	mapfile -t names < <(jq -r "select(${3:-true}) | input_filename" "$CNIBOX_TESTS"/fixtures/"${2:-}"*.json)
	[[ ${#names[@]} -gt 0 ]] || flunk "no fixture matches \"${2:-}\""
	[[ ${#names[@]} -le 3 || -n ${FIXTURE:-} ]] || thin names 2
	for name in "${names[@]}"; do
		name=${name##*/} name=${name%.json}
		[[ ${FIXTURE:-$name} == "$name" ]] || continue
		ran=$((ran + 1))
		"$function" "$name" >"$BATS_TEST_TMPDIR/log" 2>&1 && continue
		failed+=("$name")
		printf '==== %s: %s\n' "$name" "$(jq -r .about "$(fixture_file "$name")")"
		cat "$BATS_TEST_TMPDIR/log"
	done
	echo "$ran fixtures"
	[[ ${#failed[@]} == 0 ]] || flunk "failed: ${failed[*]}"
}

# in_node PLUGINS FUNCTION ...: one of these functions in a new node.
in_node() {
	local plugins=$1

	shift
	PLUGINS=$plugins sandbox_run -- bash "$CNIBOX_TESTS/lib/fixture.bash" "$@"
}

if [[ ${BASH_SOURCE[0]} == "$0" ]]; then
	# shellcheck source=/dev/null
	source "$(dirname "$0")/all.bash"
	BATS_TEST_TMPDIR=$(mktemp -d "${TMPDIR:-/tmp}/fixture.XXXXXX")
	trap 'rm -rf "$BATS_TEST_TMPDIR"' EXIT
	"$@"
fi
