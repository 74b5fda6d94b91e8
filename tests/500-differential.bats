#!/usr/bin/env bats
# The same configurations through the reference's binaries and ours, in twin nodes: result, links, addresses, routes,
# rules, sysctls and files are equal, but for the differences that a fixture lists with their reasons.

load lib/all
load lib/fixture
sandbox

setup() {
	need iptables nft
	need_reference bridge host-local loopback ptp macvlan
}

same() {
	local name=$1 dir=$BATS_TEST_TMPDIR want

	in_node "$REFERENCE" fixture_observe "$name" "$dir/reference" >"$dir/reference.log" 2>&1 ||
		{ cat "$dir/reference.log"; return 1; }
	in_node "$PLUGINS" fixture_observe "$name" "$dir/ours" >"$dir/ours.log" 2>&1 || { cat "$dir/ours.log"; return 1; }
	fixture_comparable "$name" "$dir/reference" >"$dir/reference.json" || return
	fixture_comparable "$name" "$dir/ours" >"$dir/ours.json" || return
	want=$(jq 'if .fails then 1 else 0 end' "$(fixture_file "$name")") || return
	grep -q "^  \"status\": $want,\?$" "$dir/ours" || flunk "ADD does not exit $want" "$(<"$dir/ours.log")" || return
	diff -u --label reference --label ours "$dir/reference.json" "$dir/ours.json" || { cat "$dir/ours.log"; return 1; }
	[[ $want == 0 || $PLUGINS == "$REFERENCE" ]] ||
		diff -u --label before <(state .before) --label after <(state '.added | del(.files)')
}

# Router advertisements stay off on a bridge that was there before: another ADD may count on it.
state() {
	jq -S "$1"' | del(.host.sysctls[] | select(test("^ipv6/conf/cni0/accept_ra=")))' "$BATS_TEST_TMPDIR/ours"
}

@test "a difference is seen" {
	local seen=$BATS_TEST_TMPDIR/seen before
	in_node "$REFERENCE" fixture_observe bridge-gateway "$seen" >/dev/null 2>&1
	before=$(fixture_comparable bridge-gateway "$seen")
	assert_json "there is something to compare" "$before" '.status == 0 and .del == 0 and (.added.ctr.links | length) == 2'
	refute "a random address is left" grep -E '"([0-9a-f]{2}:){5}[0-9a-f]{2}"' <(grep -vE '(00|ff)(:(00|ff)){5}' <<<"$before")
	jq '.added.ctr.links[0].mtu = 1' "$seen" >"$seen.2"
	refute "the MTU makes no difference" test "$before" = "$(fixture_comparable bridge-gateway "$seen.2")"
}

@test "same: host-local" {
	each same host-local- '.reference | not'
}

@test "same: loopback" {
	each same loopback- '.reference | not'
}

@test "same: bridge with addresses, routes and names" {
	each same bridge- '(.reference or .conf.ipMasq or .fails or .args or (.conf.cniVersion != "1.0.0")) | not'
}

@test "same: bridge with other versions, arguments and keys, masquerade, failures" {
	each same bridge- '(.reference | not) and (.conf.ipMasq or .fails or .args or .conf.cniVersion != "1.0.0")'
}

@test "same: bandwidth" {
	need tc
	need_reference bandwidth
	each same bandwidth- '.reference | not'
}

@test "same: tuning" {
	need_reference tuning
	each same tuning- '.reference | not'
}

@test "same: ptp" {
	each same ptp- '.reference | not'
}

@test "same: macvlan" {
	each same macvlan- '.reference | not'
}

@test "same: host-device" {
	need_reference host-device
	each same host-device- '.reference | not'
}

@test "same: firewall" {
	need_reference firewall
	each same firewall- '.reference | not'
}

@test "same: static" {
	need_reference static
	each same static- '.reference | not'
}

@test "same: sbr" {
	need_reference sbr static
	each same sbr- '.reference | not'
}

@test "same: portmap" {
	need_reference portmap
	each same portmap- '.reference | not'
}

@test "same: every listed difference has a reason" {
	assert_eq "a difference without a reason" "$(jq -r 'select(.differences // [] | all(.why | length > 10) | not) | input_filename' \
		"$CNIBOX_TESTS"/fixtures/*.json)" ""
	assert "the common ones, too" jq -e 'all(.why | length > 10)' "$CNIBOX_TESTS/lib/differences.json"
}
