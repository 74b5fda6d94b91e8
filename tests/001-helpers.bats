#!/usr/bin/env bats
# The helpers themselves: a test environment that hides failures is worse than none.

load lib/all
sandbox

# An assertion that must fail: it does, and says so.
fails() {
	local seen

	if seen=$("$@"); then
		echo "did not fail: $*"
		return 1
	fi
	[[ $seen == *NOT* ]] || { echo "no description: $seen"; return 1; }
}

@test "a test runs in a node of its own" {
	assert_eq "only lo is there" "$(ip -j link | jq -c '[.[].ifname | select(. == "lo" or startswith("eth"))]')" '["lo"]'
	assert_eq "/run holds nothing of the machine" "$(ls -I mount /run)" $'lock\nnetns'
	assert_eq "no leases are there" "$(find /var/lib/cni -type f)" ""
	assert_eq "the host name is the node's" "$(hostname)" node
	assert "pid 1 is the test" test "$$" = 1
	touch /var/lib/cni/dirt /var/lib/cnibox/dirt /run/dirt
}

@test "the next test sees nothing of the one before" {
	refute "the file is there" test -e /var/lib/cni/dirt -o -e /var/lib/cnibox/dirt
	refute "the file is there" test -e /run/dirt
}

@test "assertions fail when what they say is not so" {
	fails assert "false is true" false
	fails refute "true is false" true
	fails assert_eq "a is b" a b
	fails assert_match "a matches b" a '^b$'
	fails assert_json "the name is x" '{"name": "y"}' '.name == "x"'
	fails assert_json "the name is x" '{"name": "y"}' .name x
	fails assert_json "this is JSON" 'no' .name x
	fails assert_same_json "equal" '{"a": 1}' '{"a": 2}'
	fails wait_for "never" 0.1 false
}

@test "assertions pass when it is" {
	assert "true is true" true
	refute "false is false" false
	assert_eq "a is a" a a
	assert_match "a matches" abc '^a.c$'
	assert_json "the name is y" '{"name": "y"}' .name y
	assert_json "a list" '{"a": [1, {"c": 2, "b": 3}]}' .a '[1, {"b": 3, "c": 2}]'
	assert_json "a filter" '{"a": [1]}' '.a | length == 1'
	assert_same_json "equal" '{"a": 1, "b": 2}' '{"b": 2, "a": 1}'
	wait_for "at once" 1 true
}

@test "WANT of assert_json is JSON or raw text, of one value or a line each" {
	assert_json "a word" '{"a": "x y"}' .a 'x y'
	assert_json "a quoted word" '{"a": "x y"}' .a '"x y"'
	assert_json "a number" '{"a": 5}' .a 5
	assert_json "lines" '{"a": [1, "b"]}' '.a[]' $'1\nb'
	assert_json "null" '{}' .a null
	assert_json "a definition, a remark" '{"a": 1}' 'def f: .a; f # one' 1
	assert_json "nothing" '{"a": []}' '.a[]' ''
	fails assert_json "a number" '{"a": 5}' .a 6
	fails assert_json "lines" '{"a": [1, "b"]}' '.a[]' 1
	fails assert_json "a filter that fails" '{"a": 1}' '.a.b' null
	fails assert_json "no filter" '{"a": 1}' '.a +' 1
}

@test "tests/run: all files once, then again what there is time for; what is left out is named" {
	mkdir -p "$BATS_TEST_TMPDIR/tests"
	cp "$CNIBOX_TESTS/run" "$BATS_TEST_TMPDIR/tests"
	printf '# Runs with musl, too\n@test "it" { echo "$BATS_TEST_FILENAME with ${CNIBOX##*/}" >>"$SEEN"; }\n' >"$BATS_TEST_TMPDIR/tests/100-a.bats"
	cp "$BATS_TEST_TMPDIR/tests/100-a.bats" "$BATS_TEST_TMPDIR/tests/500-b.bats"
	: >"$BATS_TEST_TMPDIR/musl" && chmod +x "$BATS_TEST_TMPDIR/musl"
	ran() { # RUN_UNTIL TEST_TURN: what it says, without times
		rm -f "$BATS_TEST_TMPDIR/seen"
		env -i PATH="${PATH//$BATS_LIBEXEC:/}" SEEN="$BATS_TEST_TMPDIR/seen" CNIBOX=plain RUN_UNTIL="$1" TEST_TURN="$2" \
			"$BATS_TEST_TMPDIR/tests/run" -j 1 -s sanitized -m "$BATS_TEST_TMPDIR/musl" | sed 's/ [0-9.]*s / /; s/  */ /g'
	}
	assert_eq "in time" "$(ran | sort)" "$(printf '%s\n' '5 passed, 0 failed' 'ok 1 100-a' 'ok 1 100-a, musl' 'ok 1 100-a, sanitized' 'ok 1 500-b' 'ok 1 500-b, musl')"
	assert_eq "with what" "$(sed "s|^$BATS_TEST_TMPDIR/tests/||" "$BATS_TEST_TMPDIR/seen" | sort)" \
		"$(printf '%s\n' 100-a.bats\ with\ {musl,plain,sanitized} 500-b.bats\ with\ {musl,plain})"
	assert_eq "late" "$(ran 1)" "$(printf '%s\n' '5 of 5 runs are left out, since the time is over:' \
		' 100-a' ' 500-b' ' 100-a, sanitized' ' 100-a, musl' ' 500-b, musl' 'no tests ran' '0 passed, 0 failed')"
	assert_match "another one comes first" "$(ran 1 1)" $'\n 500-b\n 100-a\n 100-a, musl\n 500-b, musl\n 100-a, sanitized\n'
}

@test "thin leaves every Nth, of few all, and all with TEST_FULL=1" {
	local many=({1..9}) few=(a b) all=({1..9})
	thin many 3
	assert_match "many" "${many[*]}" '^(1 4 7|2 5 8|3 6 9)$'
	thin few 3
	assert_eq "few" "${few[*]}" "a b"
	TEST_FULL=1 thin all 3
	assert_eq "all" "${all[*]}" "1 2 3 4 5 6 7 8 9"
}

@test "wait_for sees a condition come true" {
	(read -rt 0.2 <> <(:) || :; touch "$BATS_TEST_TMPDIR/there") 3>&- &
	wait_for "the file" 5 test -e "$BATS_TEST_TMPDIR/there"
}

@test "deadline ends a command that hangs" {
	local code=0
	deadline 0.2 tail -f /dev/null || code=$?
	assert_eq "timeout's status" "$code" 124
}

@test "what is missing is a skip, and a failure under TEST_STRICT=1" {
	skip() { echo "skipped: $1"; }
	assert_eq "the tool is named" "$(TEST_STRICT='' need bash no-such-tool)" "skipped: missing: no-such-tool"
	assert_eq "nothing is missing" "$(need bash)" ""
	refute "strict passes" env TEST_STRICT=1 bash -c 'source "$1"; need no-such-tool' - "$CNIBOX_TESTS/lib/assert.bash"
}

@test "a snapshot shows links, addresses, routes, rules, sysctls and files, and goes back" {
	local before
	container ctr
	before=$(snapshot)
	ip link add v0 type veth peer name eth0 netns ctr
	ip addr add 10.1.2.3/24 dev v0
	ip addr add fd01::3/64 dev v0
	ip link set v0 up
	ip route add 10.9.0.0/24 via 10.1.2.9
	iptables -w -t nat -A POSTROUTING -j MASQUERADE
	nft add table inet t '{ chain c { type filter hook input priority 0; tcp dport 9 drop; }; set s { type ipv4_addr; }; }'
	mkdir -p /var/lib/cni/networks/n
	printf 'ctr\r\neth0' >/var/lib/cni/networks/n/10.1.2.3
	echo 1 >/proc/sys/net/ipv4/ip_forward
	local now; now=$(snapshot)
	assert_json "the link" "$now" '.host.links | any(.ifname == "v0")'
	assert_json "the v4 address" "$now" '.host.addresses[] | select(.ifname == "v0") | .addresses | any(.local == "10.1.2.3")'
	assert_json "the v6 address" "$now" '.host.addresses[] | select(.ifname == "v0") | .addresses | any(.local == "fd01::3")'
	assert_json "the route" "$now" '.host.routes | any(.dst == "10.9.0.0/24")'
	assert_json "the iptables rule" "$now" '.host.rules | any(. == "iptables-save nat -A POSTROUTING -j MASQUERADE")'
	assert_json "the nft rule" "$now" '.host.rules | any(test("\"dport\"") and test("drop"))'
	assert_json "the lease" "$now" '.host.files == ["/var/lib/cni/networks/n/10.1.2.3: ctr||eth0"]'
	assert_json "the sysctl" "$now" '.host.sysctls | index("ipv4/ip_forward=1") != null'
	fails left "$before"

	ip link del v0
	iptables -w -t nat -F POSTROUTING
	nft delete table inet t
	rm -r /var/lib/cni/networks
	echo 0 >/proc/sys/net/ipv4/ip_forward
	left "$before"
}

@test "a snapshot of a container is its own" {
	container ctr
	ip link add v0 type veth peer name eth0 netns ctr
	assert_json "eth0" "$(snapshot ctr)" '.ctr.links | map(.ifname)' '["eth0", "lo"]'
	assert_json "v0" "$(snapshot)" '.host.links | map(.ifname)' '["lo", "v0"]'
}

@test "plugins are called as a runtime calls them" {
	need_reference bridge host-local
	PLUGINS=$REFERENCE
	local before
	container ctr ctr2
	cni_add "$(conf bridge)"
	assert_json "the first address" "$output" '.ips[0].address' 10.77.0.2/24
	cni_check "$(conf bridge)"
	cni_del "$(conf bridge)"
	before=$(snapshot)
	cni_add "$(conf bridge '.mtu = 1400')" @ctr2 CNI_IFNAME=net1
	assert_json "the interface" "$(snapshot ctr2)" '.ctr2.links[] | select(.ifname == "net1") | .mtu' 1400
	pings host 10.77.0.3
	cni_del "$(conf bridge '.mtu = 1400')" @ctr2 CNI_IFNAME=net1
	left "$before"
	EXPECT=1 cni_add "$(conf bridge)" CNI_NETNS=
	assert_json "the error" "$output" .msg "required env variables [CNI_NETNS] missing"
	fails cni_add "$(conf bridge)" CNI_NETNS=
}

@test "a list runs in order, with the results handed on and the runtime's configuration filtered" {
	need_reference bridge host-local tuning
	PLUGINS=$REFERENCE
	container ctr
	local list; list=$(jq -n --argjson b "$(conf bridge)" '{cniVersion: "1.0.0", name: "tnet",
		plugins: [$b, {type: "tuning", capabilities: {mac: true}}]}')
	RUNTIME='{"mac": "02:11:22:33:44:55", "other": 1}' cni_add "$list"
	assert_json "tuning set the address" "$output" '.interfaces[2].mac' 02:11:22:33:44:55
	cni_check "$list"
	cni_del "$list"
}
