#!/usr/bin/env bats
# The demo is the product's first impression: it works as root and as anybody, quickly, and leaves nothing.

load lib/all
sandbox

@test "make demo shows two pods that reach each other and the world, in under ten seconds" {
	start=${EPOCHREALTIME/./}
	shown=$("$CNIBOX_TOP/tests/demo" 3>&-)
	echo "$shown"
	for row in "pod-a attached" "pod-b attached"; do
		assert_match "$row" "$shown" "$row +10\.88\.0\.[23], fd88::[23]"
	done
	for row in "pod-a -> pod-b, IPv4" "pod-a -> pod-b, IPv6" "pod-a -> node \(its gateway\)" "pod-b -> outside, masqueraded"; do
		assert_match "$row" "$shown" "$row +ok, [0-9.]+ ms"
	done
	assert_match "all is gone" "$shown" "both pods detached +ok, nothing left"
	assert "in time" test $((${EPOCHREALTIME/./} - start)) -lt 10000000
}

@test "the demo works for an ordinary user, in a user namespace" {
	[[ $EUID == 0 ]] || skip "we are one already"
	unshare --user true 2>/dev/null || missing "user namespaces"
	need setpriv
	cp "$CNIBOX" "$BATS_TEST_TMPDIR/cnibox" && chmod -R a+rX "$BATS_TEST_TMPDIR"
	cp "$CNIBOX_TOP/tests/demo" /run/demo
	mkdir -p /run/tree/tests && cp "$CNIBOX_TOP/tests/demo" /run/tree/tests/demo && cp "$CNIBOX" /run/tree/cnibox
	shown=$(cd /run/tree && CNIBOX=/run/tree/cnibox setpriv --reuid=65534 --regid=65534 --clear-groups \
		bash tests/demo 3>&-)
	echo "$shown"
	assert_match "it ends well" "$shown" "both pods detached +ok, nothing left"
	assert_match "masquerade works too" "$shown" "outside, masqueraded +ok"
}

@test "the demo says so, and fails, when pods do not reach each other" {
	mkdir -p /run/bin
	printf '#!/bin/sh\nexit 1\n' >/run/bin/ping
	chmod +x /run/bin/ping
	refute "it ends well" env PATH="/run/bin:$PATH" "$CNIBOX_TOP/tests/demo"
}
