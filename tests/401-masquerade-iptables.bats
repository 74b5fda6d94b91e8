#!/usr/bin/env bats
# The iptables form without its program: where iptables-nft has made the table, the rules are written by netlink, and
# no tool can tell them from those of iptables-restore. Everywhere else the program is run.

load lib/all
load lib/firewall
sandbox forward

CHAIN=CNI-3cbe386fe84733aef8ea9d42            # network tnet, container ctr1
ADDRESSES=(10.1.0.5/20 10.2.0.5/24 fd00::5/60)

setup() {
	PLUGINS=$PLUGINS:$REFERENCE          # an IPAM plugin of the reference will do
	need_root
	need nft iptables-save ip6tables-save strace
}

# The tables as the first ADD after boot leaves them.
tables() {
	local program

	for program in iptables ip6tables; do
		"$program" -t nat -A POSTROUTING -j ACCEPT
		"$program" -t nat -D POSTROUTING -j ACCEPT
	done
}

# All that the programs and nft say about both families.
listings() {
	local program

	for program in iptables ip6tables; do
		"$program"-save -t nat | grep -v '^#'
		"$program" -t nat -S
		"$program" -t nat -L -n -v -x --line-numbers
	done 2>&1
	nft -a list ruleset 2>/dev/null | sed 's/ # handle.*//'
	nft --debug=netlink list ruleset 2>/dev/null | sed -E 's/^(ip6? nat [^ ]+) .*/\1/'
}

@test "the first ADD runs one program for each family, later ones none" {
	assert_eq "the first" "$(programs add iptables tnet ctr1 eth0 "${ADDRESSES[@]}")" $'iptables-restore\nip6tables-restore'
	assert_eq "the second" "$(programs add iptables tnet ctr2 eth0 10.1.0.6/24 fd00::6/64)" ""
	assert_eq "another interface" "$(programs add iptables tnet ctr2 eth1 10.3.0.6/24 fd01::6/64)" ""
	assert_eq "the same again" "$(programs add iptables tnet ctr2 eth1 10.3.0.6/24 fd01::6/64)" ""
	firewall check tnet ctr1 eth0 "${ADDRESSES[@]}"
	firewall check tnet ctr2 eth0 10.1.0.6/24 10.3.0.6/24 fd00::6/64 fd01::6/64
	assert_eq "no jump is doubled" "$(xt_rules | grep -c -- '-A POSTROUTING')" 7
	firewall gc tnet
	assert_eq "nothing is left" "$(xt_rules)" ""
	assert_eq "the tables are" "$(programs add iptables tnet ctr3 eth0 10.1.0.7/24 fd00::7/64)" ""
}

@test "no tool tells our rules from those of iptables-restore" {
	local theirs

	firewall add iptables tnet ctr1 eth0 "${ADDRESSES[@]}"
	theirs=$(listings)
	assert_match "there are rules" "$theirs" "-A $CHAIN ! -d ff00::/8 .* -j MASQUERADE"
	nft flush ruleset
	tables
	assert_eq "programs" "$(programs add iptables tnet ctr1 eth0 "${ADDRESSES[@]}")" ""
	# Chains are listed in the order of their making.
	assert_eq "the same, in both families" "$(listings | sort)" "$(sort <<<"$theirs")"
	nft flush ruleset
	tables
	# A chain that is there already is filled anew by both.
	iptables -t nat -N "$CHAIN"
	iptables-restore --noflush <<-END
		*nat
		:$CHAIN - [0:0]
		-A $CHAIN -d 10.1.0.0/20 -m comment --comment "name: \"tnet\" id: \"ctr1\"" -j ACCEPT
		-A $CHAIN ! -d 224.0.0.0/4 -m comment --comment "name: \"tnet\" id: \"ctr1\"" -j MASQUERADE
		-A POSTROUTING -s 10.1.0.5/32 -m comment --comment "name: \"tnet\" id: \"ctr1\"" -j $CHAIN
		COMMIT
	END
	theirs=$(listings)
	nft flush ruleset
	tables
	iptables -t nat -N "$CHAIN"
	assert_eq "programs" "$(programs add iptables tnet ctr1 eth0 10.1.0.5/20)" ""
	assert_eq "the same" "$(listings)" "$theirs"
}

@test "the programs check, save, restore and delete our rules as their own" {
	local before program rule

	tables
	assert_eq "programs" "$(programs add iptables tnet ctr1 eth0 "${ADDRESSES[@]}")" ""
	before=$(xt_rules)
	for program in iptables ip6tables; do
		while read -r rule; do
			eval "$program -t nat -C ${rule#-A }" || flunk "$program -C ${rule#-A }"
		done < <("$program-save" -t nat | grep ^-A)
		"$program-save" -c >"$BATS_TEST_TMPDIR/saved"
		"$program-restore" -c <"$BATS_TEST_TMPDIR/saved"
	done
	assert_eq "saved and restored" "$(xt_rules)" "$before"
	firewall del tnet ctr1 eth0
	assert_eq "what was restored is removed" "$(xt_rules)" ""
	assert_eq "programs" "$(programs add iptables tnet ctr1 eth0 "${ADDRESSES[@]}")" ""
	for program in iptables ip6tables; do
		while read -r rule; do
			eval "$program -t nat -D ${rule#-A }" || flunk "$program -D ${rule#-A }"
		done < <("$program-save" -t nat | grep '^-A POSTROUTING')
		"$program" -t nat -F "$CHAIN"
		"$program" -t nat -X "$CHAIN"
	done
	assert_eq "removed by them" "$(xt_rules)" ""
}

@test "the reference finds our rules, adds none, and removes them" {
	local conf ours

	need_reference bridge host-local
	tables
	conf=$(conf bridge '.ipMasq = true | .ipam = {type: "host-local", ranges: [[{subnet: "10.77.0.0/24"}], [{subnet: "fd77::/64"}]]}')
	container ctr1
	CNI_WRAP=(env ASAN_OPTIONS=detect_leaks=0 strace -f -qq -e "trace=execve" -e signal=none -o "$BATS_TEST_TMPDIR/trace")
	cni_add "$conf" @ctr1
	CNI_WRAP=()
	assert_eq "programs" "$(grep -c 'execve.*tables' "$BATS_TEST_TMPDIR/trace")" 0
	ours=$(xt_rules)
	assert_match "there are rules" "$ours" "$CHAIN"
	# The node has lost the container, but not the rules: it comes again, with the same addresses.
	ip netns del ctr1
	rm -rf /var/lib/cni/networks
	container ctr1
	PLUGINS=$REFERENCE cni_add "$conf" @ctr1
	assert_eq "it adds none" "$(xt_rules)" "$ours"
	PLUGINS=$REFERENCE cni_del "$conf" @ctr1
	assert_eq "it removes them" "$(xt_rules)" ""
}

@test "a table that iptables-nft has not made, or a kernel that refuses: the program decides" {
	nft add table ip nat
	assert_eq "no base chain" "$(programs add iptables tnet ctr1 eth0 10.1.0.5/24)" "iptables-restore"
	firewall check tnet ctr1 eth0 10.1.0.5/24
	assert_eq "then there is one" "$(programs add iptables tnet ctr2 eth0 10.1.0.6/24)" ""

	nft flush ruleset
	nft 'add table ip nat; add chain ip nat POSTROUTING { type nat hook postrouting priority 50; }'
	assert_match "another priority" "$("$FIREWALL" add iptables tnet ctr1 eth0 10.1.0.5/24 2>&1)" \
		'iptables-restore: exit status [0-9]+: .*POSTROUTING'

	nft flush ruleset
	nft 'add table ip nat; add chain ip nat POSTROUTING'
	assert_match "not a base chain" "$("$FIREWALL" add iptables tnet ctr1 eth0 10.1.0.5/24 2>&1)" \
		'iptables-restore: exit status [0-9]+: .*POSTROUTING'

	# Nothing can jump to a base chain, so that everybody is refused.
	nft flush ruleset
	tables
	nft add chain ip nat "$CHAIN" '{ type nat hook postrouting priority 101; }'
	assert_match "the program's words" "$("$FIREWALL" add iptables tnet ctr1 eth0 10.1.0.5/24 2>&1)" \
		'iptables-restore: exit status [0-9]+: '
	assert_eq "nothing of it stays" "$(xt_rules | grep -c -- -A)" 0
}

@test "the legacy variant is always left to its program" {
	use_legacy
	firewall add iptables tnet ctr1 eth0 10.1.0.5/24
	assert_eq "the second" "$(programs add iptables tnet ctr2 eth0 10.1.0.6/24)" $'iptables-legacy-save\niptables-restore'
	assert_eq "nf_tables has nothing" "$(nft list ruleset)" ""
	firewall check tnet ctr2 eth0 10.1.0.6/24
}

# One of 16 writers: three times a chain and a jump, as a program that runs beside us makes them.
restorer() { # NUMBER
	local n

	for n in 1 2 3; do
		iptables-restore --noflush -w 30 <<-END || echo "$1" >>"$BATS_TEST_TMPDIR/refused"
			*nat
			:OTHER-$1-$n - [0:0]
			-A OTHER-$1-$n -j ACCEPT
			-A POSTROUTING -s 192.0.2.$1/32 -j OTHER-$1-$n
			COMMIT
		END
	done
}

@test "32 of ours beside 16 iptables-restore: nothing is lost or doubled" {
	local i

	tables
	for i in {1..32}; do
		"$FIREWALL" add iptables tnet "c$i" eth0 "10.1.0.$i/24" "fd00::$i/64" 3>&- || echo "c$i" >>"$BATS_TEST_TMPDIR/refused" &
		((i % 2)) || restorer $((i / 2)) 3>&- &
	done
	wait
	assert_eq "refused" "$(cat "$BATS_TEST_TMPDIR/refused" 2>/dev/null)" ""
	for i in {1..32}; do
		assert "c$i is masqueraded" "$FIREWALL" check tnet "c$i" eth0 "10.1.0.$i/24" "fd00::$i/64"
	done
	assert_eq "our chains" "$(xt_rules | grep -c '^:CNI-')" 64
	assert_eq "our jumps" "$(xt_rules | grep -c -- '-A POSTROUTING.*-j CNI-')" 64
	assert_eq "our rules" "$(xt_rules | grep -c -- '-A CNI-')" 128
	assert_eq "theirs" "$(iptables-save -t nat | grep -c -- '-A POSTROUTING.*-j OTHER')" 48
	assert_eq "in their chains" "$(iptables-save -t nat | grep -c -- '-A OTHER')" 48
}
