#!/usr/bin/env bats
# The binary with musl: it builds from the distribution's sources, is small, and does its work.

load lib/all
sandbox

# Once for the file; the plugins alone first, so that what stays in build-musl is the whole.
setup_file() {
	local built=$CNIBOX_TOP/build-musl/cnibox

	[[ -z ${CNIBOX_SANITIZED:-} && -e $CNIBOX_TOP/build/musl/complete ]] && type -t musl-gcc >/dev/null || return 0
	{
		make -s -C "$CNIBOX_TOP" -j2 MUSL=1 APPLETS=cni all && strip -o "$BATS_FILE_TMPDIR/plugins" "$built" &&
			make -s -C "$CNIBOX_TOP" -j2 MUSL=1 all && strip -o "$BATS_FILE_TMPDIR/cnibox" "$built"
	} >"$BATS_FILE_TMPDIR/log" 2>&1 3>&- || :
}

setup() {
	[[ -z ${CNIBOX_SANITIZED:-} ]] || skip "once is enough"
	need musl-gcc make strip readelf
	[[ -e $CNIBOX_TOP/build/musl/complete ]] || missing "build/musl, with archives of libraries (make static)"
	all=$BATS_FILE_TMPDIR/cnibox plugins=$BATS_FILE_TMPDIR/plugins
	assert "it is built: $(tail -n 3 "$BATS_FILE_TMPDIR/log")" test -x "$all"
}

@test "one static binary, as hardened as the other, that has everything but the program for remote stores" {
	assert_match "PIE" "$(readelf -h "$all")" 'Type: +DYN'
	assert_match "RELRO" "$(readelf -lW "$all")" GNU_RELRO
	assert_match "stack" "$(readelf -lW "$all")" 'GNU_STACK[^E]*RW '
	assert_eq "nothing is loaded" "$(readelf -lWd "$all" | grep -cE 'INTERP|NEEDED|TEXTREL' || true)" 0
	assert_eq "its applets" "$("$all" list --plain)" "$("$CNIBOX" list --plain)"
	assert_eq "or the plugins alone" "$("$plugins" list --plain)" "$("$CNIBOX" list --plain | grep '^cni ')"
	assert_match "what is left out is told" "$(<"$BATS_FILE_TMPDIR/log")" 'without cnibox-store [(]etcd, Kubernetes[)]: libcurl'
}

@test "it is as small as README says" {
	assert "all applets: $(stat -c %s "$all")" test "$(stat -c %s "$all")" -le $((1130 * 1024))
	assert "the plugins: $(stat -c %s "$plugins")" test "$(stat -c %s "$plugins")" -le $((520 * 1024))
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
