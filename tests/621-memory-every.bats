#!/usr/bin/env bats
# Memory runs out in any verb of any plugin: an allocation fails, alone or with all behind it. The call says so in one error
# and ends with status 1, never by a signal; the DEL that follows leaves nothing. A sample; TEST_FULL=1 tries each.

load lib/all
load lib/every
load lib/scarce
sandbox forward

SAMPLE=${TEST_FULL:+1}
SAMPLE=${SAMPLE:-${TEST_SAMPLE:-41}}

setup_file() { link_scarce; }

# disturb VERB VARIABLE ...: on a kernel that lacks the links, that may be what is said, too.
disturb() {
	every_call "$@"
	case $status in
	0) every_answers "$1" ;;
	1) jq -e -s --arg weak "$WEAK" 'length == 1 and (.[0].msg | test("out of memory|Cannot allocate memory") or
		($weak != "" and startswith("this kernel has no ")))' >/dev/null <<<"$output" ;;
	*) false ;;
	esac || flunk "$PLUGIN: $*: status $status: $output$(<"$BATS_TEST_TMPDIR/stderr")" || return
	[[ $status == 0 ]] || FAILED=$((FAILED + 1))
}

fails() { # VERB
	local verb=$1 mode n total whole=false bad=()

	[[ $verb != @(ADD|DEL|GCALL) ]] || whole=true
	every_standing "$verb"
	every_works "$verb"
	total=$(<"$SCARCE_COUNT")
	every_works DEL
	$whole || every_standing "$verb"
	for mode in X=1 SCARCE_ALL=1; do
		for ((n = 1 + total % SAMPLE; n <= total; n += SAMPLE)); do
			! $whole || every_standing "$verb"
			disturb "$verb" "SCARCE_AT=$n" $mode || bad+=("$n")
			! $whole || every_works DEL
			TRIED=$((TRIED + 1))
		done
	done
	[[ $verb != @(GC|CHECK) ]] || every_works CHECK
	every_works DEL
	[[ ${#bad[@]} == 0 ]] || flunk "NOT: $PLUGIN $verb: ${bad[*]}"
}

every() { # PLUGIN
	local verb before

	TRIED=0 FAILED=0
	need_scarce
	PROGRAMS=${SCARCE%/*}
	every_ready "$1"
	before=$(every_state)
	for verb in ADD DEL CHECK GC GCALL STATUS VERSION; do
		fails "$verb" || return
	done
	every_left "$before"
	echo "# $1: $TRIED calls, $FAILED of them failed" >&3
	[[ $FAILED -gt 0 ]]
}

@test "bandwidth" {
	every bandwidth
}

@test "bridge" {
	every bridge
}

@test "dhcp" {
	every dhcp
}

@test "dummy" {
	every dummy
}

@test "firewall" {
	every firewall
}

@test "flannel" {
	every flannel
}

@test "host-device" {
	every host-device
}

@test "host-local" {
	every host-local
}

@test "ipvlan" {
	every ipvlan
}

@test "loopback" {
	every loopback
}

@test "macvlan" {
	every macvlan
}

@test "portmap" {
	every portmap
}

@test "ptp" {
	every ptp
}

@test "sbr" {
	every sbr
}

@test "static" {
	every static
}

@test "tap" {
	every tap
}

@test "tuning" {
	every tuning
}

@test "vlan" {
	every vlan
}

@test "vrf" {
	every vrf
}

@test "no plugin is left out" {
	assert_eq "tests" "$(sed -nE 's/^\tevery ([a-z-]+)$/\1/p' "$BATS_TEST_FILENAME")" \
		"$(find "$CNIBOX_TOP/applets/cni" -name '*.c' -printf '%f\n' | sed 's/\.c$//' | sort)"
}
