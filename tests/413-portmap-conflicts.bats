#!/usr/bin/env bats
# portmap: a port is one container's. Whoever wants one that another has is told so, whatever form its rules have and
# whoever made them; what belongs to nobody any more is replaced; many at once do not get in each other's way.

load lib/all
load lib/portmap
sandbox forward

setup() {
	portmap_setup
}

# backend of the first, its mapping, backend of the second, its mapping, the message's port
@test "a port that another container has is refused, in words that name it" {
	local row first mine second yours text
	local -a rows=(
		'iptables 8080:80 iptables 8080:81 8080/tcp'
		'iptables 8080:80 iptables 8080:81/tcp@192.0.2.1 8080/tcp of 192.0.2.1'
		'iptables 8080:80/tcp@192.0.2.1 iptables 8080:81 8080/tcp'
		'iptables 8080:80/tcp@192.0.2.1 iptables 8080:81/tcp@192.0.2.1 8080/tcp of 192.0.2.1'
		'nftables 8080:80 nftables 8080:81 8080/tcp'
		'nftables 8080:80 nftables 8080:81/tcp@192.0.2.1 8080/tcp of 192.0.2.1'
		'nftables 8080:80/tcp@192.0.2.1 nftables 8080:81 8080/tcp'
		'nftables 8080:80/tcp@192.0.2.1 nftables 8080:81/tcp@192.0.2.1 8080/tcp of 192.0.2.1'
		'nftables 8080:80/udp@fd00::1 nftables 8080:81/udp 8080/udp'
		'iptables 8080:80 nftables 8080:81 8080/tcp'
	)

	for row in "${rows[@]}"; do
		read -r first mine second yours text <<<"$row"
		RUNTIME=$(ports "$mine") cni_add "$(portmap "$first" 1)" @ctr1
		RUNTIME=$(ports 9999:80 "$yours") EXPECT=1 cni_add "$(portmap "$second" 2)" @ctr2
		assert_json "$row: message" "$output" .msg "host port $text is taken by container ctr1 of network \"tnet\""
		assert_json "$row: code" "$output" .code 11
		assert_eq "$row: nothing of it is there" "$(nft list ruleset | grep -c 9999)" 0
		RUNTIME=$(ports "$yours") cni_del "$(portmap "$second" 2)" @ctr2
		RUNTIME=$(ports "$mine") cni_check "$(portmap "$first" 1)" @ctr1
		cni_del "$(portmap "$first" 1)" @ctr1
		RUNTIME=$(ports "$yours") cni_add "$(portmap "$second" 2)" @ctr2
		cni_del "$(portmap "$second" 2)" @ctr2
	done
}

@test "ports that only look alike are no conflict" {
	local backend

	for backend in iptables nftables; do
		RUNTIME=$(ports 8080:80 8081:80/tcp@192.0.2.1) cni_add "$(portmap $backend 1)" @ctr1
		RUNTIME=$(ports 8080:80/udp 8081:80/tcp@192.0.2.2 8081:80/udp) cni_add "$(portmap $backend 2)" @ctr2
		RUNTIME=$(ports 8080:80 8081:80/tcp@192.0.2.1) cni_check "$(portmap $backend 1)" @ctr1
		RUNTIME=$(ports 8080:80/udp 8081:80/tcp@192.0.2.2 8081:80/udp) cni_check "$(portmap $backend 2)" @ctr2
		cni_del "$(portmap $backend 1)" @ctr1
		RUNTIME=$(ports 8080:80/udp 8081:80/tcp@192.0.2.2 8081:80/udp) cni_check "$(portmap $backend 2)" @ctr2
		RUNTIME=$(ports 8081:80/tcp@192.0.2.2) EXPECT=1 cni_add "$(portmap $backend 1)" @ctr1
		cni_del "$(portmap $backend 1)" @ctr1
		cni_del "$(portmap $backend 2)" @ctr2
	done
}

@test "a port of a rule that the reference made is refused, too" {
	need_reference portmap bridge host-local
	RUNTIME=$(ports 8080:80) PLUGINS=$REFERENCE cni_add "$(portmap "" 1)" @ctr1
	RUNTIME=$(ports 8080:80) EXPECT=1 cni_add "$(portmap iptables 2)" @ctr2
	assert_json "message" "$output" .msg 'host port 8080/tcp is taken by container ctr1 of network "tnet"'
	cni_del "$(portmap iptables 2)" @ctr2
	nft flush ruleset
	reference_nft other 10.78.0.9 8080
	RUNTIME=$(ports 8080:80) EXPECT=1 cni_add "$(portmap nftables 2)" @ctr2
	assert_json "message" "$output" .msg 'host port 8080/tcp is taken by container other'
}

@test "the same container may come again, and rules of somebody who had its address are replaced" {
	local backend

	for backend in iptables nftables; do
		RUNTIME=$(ports 8080:80 8081:81/udp) cni_add "$(portmap $backend 1)" @ctr1
		RUNTIME=$(ports 8080:80 8082:82) cni_add "$(portmap $backend 1)" @ctr1
		RUNTIME=$(ports 8080:80 8082:82) cni_add "$(portmap $backend 1)" @ctr1
		assert_eq "$backend: what it has now" "$(mapped)" "8080 8082"
		# The container is gone without a DEL, and its address is another's.
		RUNTIME=$(ports 8080:80) cni_add "$(portmap $backend 1)" @ctr9
		assert_eq "$backend: what its successor has" "$(mapped)" "8080"
		refute "$backend: whose it was" grep -E 'ctr1' <(nft list ruleset; xt_rules)
		RUNTIME=null cni_del "$(portmap $backend 9)" @ctr9
		assert_eq "$backend: nothing is left" "$(remains)" ""
	done
}

@test "32 at once, with half of them leaving: exactly the right rules" {
	local backend i

	for backend in iptables nftables; do
		at_once ADD $backend 100 7999:80
		for i in {1..32}; do
			at_once ADD $backend "$i" "$((8000 + i)):80" "$((8000 + i)):80/udp" 3>&- &
		done
		wait
		assert_eq "$backend: refused" "$(cat "$BATS_TEST_TMPDIR/refused" 2>/dev/null)" ""
		assert_eq "$backend: all are there" "$(mapped | wc -w)" 33
		for i in {1..32}; do
			((i % 2)) && at_once DEL $backend "$i" 3>&- &
			((i % 2)) || at_once ADD $backend "$((100 + i))" "$((9000 + i)):80" 3>&- &
		done
		wait
		assert_eq "$backend: refused" "$(cat "$BATS_TEST_TMPDIR/refused" 2>/dev/null)" ""
		assert_eq "$backend: half left, half came" "$(mapped)" "$(echo 7999 {8002..8032..2} {9002..9032..2})"
		cni_gc "$(portmap $backend 1 '.cniVersion = "1.1.0" | .["cni.dev/valid-attachments"] = []')"
		assert_eq "$backend: and all of them" "$(remains)" ""
		nft flush ruleset
	done
}

@test "a port that 16 want at once is one's" {
	local backend i

	for backend in nftables iptables; do
		for i in {1..16}; do
			at_once ADD $backend "$i" 8080:80 3>&- &
		done
		wait
		assert_eq "$backend: refused" "$(grep -c 'host port 8080/tcp is taken by container ctr' "$BATS_TEST_TMPDIR/refused")" 15
		rm "$BATS_TEST_TMPDIR/refused"
		nft flush ruleset
	done
}
