#!/usr/bin/env bats
# The demo is the product's first impression: it works as root and as anybody, quickly, and leaves nothing.

load lib/all
sandbox

wide() { grep -E '^.{81}' || :; } # the lines that do not fit into 80 columns

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
	assert_eq "a terminal's width is enough" "$(wide <<<"$shown")" ""
	assert "in time" test $((${EPOCHREALTIME/./} - start)) -lt 10000000
}

@test "the demo works for an ordinary user, in a user namespace" {
	need_root       # who is no root has seen it above
	unshare --user true 2>/dev/null || missing "user namespaces"
	need setpriv
	mkdir -p /opt/cni/tree/tests          # the demo hides /run behind its own
	cp "$CNIBOX" /opt/cni/tree/cnibox
	cp "$CNIBOX_TOP"/tests/demo{,-cluster,-policy} /opt/cni/tree/tests
	as_nobody() { (cd /opt/cni/tree && CNIBOX=/opt/cni/tree/cnibox setpriv --reuid=65534 --regid=65534 --clear-groups bash "$@" 3>&-); }
	shown=$(as_nobody tests/demo)
	echo "$shown"
	assert_match "it ends well" "$shown" "both pods detached +ok, nothing left"
	assert_match "masquerade works too" "$shown" "outside, masqueraded +ok"
	shown=$(as_nobody tests/demo-policy)
	assert_match "policies" "$shown" "verify +nftables on n1: 0 damages"
	shown=$(as_nobody tests/demo-cluster)
	echo "$shown"
	assert_match "across nodes" "$shown" "vxlan +vxlan +12 of 12 ways"
	assert_match "the relay, or why not" "$shown" "udp +tun-relay +(12 of 12 ways|left out: this user cannot open /dev/net/tun)"
}

@test "and policies: a connection that passes, is denied, explained, and passes again" {
	shown=$("$CNIBOX_TOP/tests/demo-policy" 3>&-)
	echo "$shown"
	assert_eq "what becomes of it" "$(sed -n 's/^  web -> db, TCP 5201 *//p' <<<"$shown" | paste -sd' ')" "allowed denied allowed"
	assert_match "what would flip" "$shown" 'default/web -> default/db, TCP 5201, IPv4: would be denied'
	assert_match "why" "$shown" 'default/deny: it has no ingress rules'
	assert_match "all is gone" "$shown" 'cleanup +nftables: removed'
	assert_eq "a terminal's width is enough" "$(wide <<<"$shown")" ""
}

@test "and pods of two nodes that reach each other in each way, in under twenty seconds" {
	start=${EPOCHREALTIME/./}
	shown=$("$CNIBOX_TOP/tests/demo-cluster" 3>&-)
	echo "$shown"
	for way in "host-gw +hostgw-sync" "vxlan +vxlan" "udp +tun-relay"; do
		assert_match "$way" "$shown" "$way +12 of 12 ways +[0-9]+ ms +[0-9.]+ ms +[0-9.]+ Gbits/sec +[0-9.]+ MiB"
	done
	assert_eq "a terminal's width is enough" "$(wide <<<"$shown")" ""
	assert_match "the peer, in words" "$shown" '192\.0\.2\.2 +udp +1d +1472 +ok '
	assert "in time" test $((${EPOCHREALTIME/./} - start)) -lt 20000000
}

@test "the same with a cluster of three etcd members; another store is refused" {
	need etcd etcdctl
	shown=$(STORE=etcd "$CNIBOX_TOP/tests/demo-cluster" 3>&-)
	echo "$shown"
	assert_match "where the leases are" "$shown" "leases in an etcd cluster of 3 members"
	assert_eq "ways that work" "$(grep -c "12 of 12 ways" <<<"$shown")" 3
	status=0
	shown=$(STORE=etcdd "$CNIBOX_TOP/tests/demo-cluster" 2>&1) || status=$?
	assert_eq "a word that is wrong" "$status $shown" '2 demo: STORE is files or etcd, not "etcdd"'
}

@test "the demo says so, and fails, when pods do not reach each other" {
	mkdir -p /opt/cni/fake
	printf '#!/bin/sh\nexit 1\n' >/opt/cni/fake/ping
	chmod +x /opt/cni/fake/ping
	refute "it ends well" env PATH="/opt/cni/fake:$PATH" "$CNIBOX_TOP/tests/demo"
}
