#!/usr/bin/env bats
# The binary with musl: it builds from the distribution's sources, is small, and does its work.

load lib/all
load lib/nodes
load lib/relay
sandbox

setup_file() {
	local from=$CNIBOX_TOP/build-musl

	[[ -z ${CNIBOX_SANITIZED:-} && -x $from/cnibox-plugins && -x $from/cnibox-store ]] && type -t strip >/dev/null || return 0
	for program in cnibox cnibox-plugins cnibox-store; do strip -o "$BATS_FILE_TMPDIR/$program" "$from/$program"; done
}

setup() {
	[[ -z ${CNIBOX_SANITIZED:-} ]] || skip "once is enough"
	need musl-gcc make strip readelf
	all=$BATS_FILE_TMPDIR/cnibox plugins=$BATS_FILE_TMPDIR/cnibox-plugins store=$BATS_FILE_TMPDIR/cnibox-store
	[[ -x $all ]] || missing "build-musl (make musl)"
}

@test "static binaries, as hardened as the others: one of everything, and the one for remote stores with its TLS" {
	local program

	for program in "$all" "$store"; do
		assert_match "PIE" "$(readelf -h "$program")" 'Type: +DYN'
		assert_match "RELRO" "$(readelf -lW "$program")" GNU_RELRO
		assert_match "stack" "$(readelf -lW "$program")" 'GNU_STACK[^E]*RW '
		assert_eq "nothing is loaded" "$(readelf -lWd "$program" | grep -cE 'INTERP|NEEDED|TEXTREL' || true)" 0
	done
	assert_eq "its applets" "$("$all" list --plain)" "$("$CNIBOX" list --plain)"
	assert_eq "or the plugins alone" "$("$plugins" list --plain)" "$("$CNIBOX" list --plain | grep '^cni ')"
	assert_match "what is left out is told" "$(make -s -n -C "$CNIBOX_TOP" MUSL=1 MUSL_DEPS=/none without-store)" \
		'without cnibox-store [(]etcd, Kubernetes[)]: there is no /none/lib/libcurl.a'
}

@test "it is as small as README says" {
	assert "all applets: $(stat -c %s "$all")" test "$(stat -c %s "$all")" -le $((1190 * 1024))
	assert "the plugins: $(stat -c %s "$plugins")" test "$(stat -c %s "$plugins")" -le $((520 * 1024))
	assert "remote stores: $(stat -c %s "$store")" test "$(stat -c %s "$store")" -le $((780 * 1024))
}

@test "it attaches containers to a bridge, checks and detaches them, with all applets and with the plugins alone" {
	local PLUGINS=$BATS_TEST_TMPDIR/bin program conf

	container ctr ctr2
	mkdir "$PLUGINS"
	conf=$(conf bridge '.ipMasq = true | .ipMasqBackend = "nftables"')
	for program in "$all" "$plugins"; do
		for name in bridge host-local; do install "$program" "$PLUGINS/$name"; done
		cni_add "$conf"
		assert_json "its gateway" "$output" '.ips[0].gateway' '"10.77.0.1"'
		cni_add "$conf" @ctr2
		assert "pods reach each other" pings ctr "$(jq -r '.ips[0].address | split("/")[0]' <<<"$output")"
		cni_check "$conf"
		cni_del "$conf"
		cni_del "$conf" @ctr2
		assert_eq "no port is left" "$(ip -j link show type veth | jq length)" 0
	done
}

# What is put beside a datagram, and sent along with a message, has another shape there.
@test "two nodes reach each other through its relay" {
	DATAPATH=user
	CNIBOX=$all
	relay_setup
	two
	transfer n1 n2 3000000
}
