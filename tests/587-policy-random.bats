#!/usr/bin/env bats
# Random policies in a kernel: real connections against the evaluator in another language (lib/policy_random.py), by every
# back end. POLICY_SEEDS=50 tries more.

load lib/all
sandbox

SEEDS=${POLICY_SEEDS:-6}

setup() {
	need_root
	need python3 unshare iptables-nft iptables-legacy
}

# random BACKEND
random() {
	local seed asked=0 denied=0 n open

	for ((seed = 1; seed <= SEEDS; seed++)); do
		deadline 120 unshare --net -- python3 -B "$CNIBOX_TESTS/lib/policy_random.py" "$CNIBOX" "$1" "kernel/$seed" >"$BATS_TEST_TMPDIR/said" 2>&1 ||
			flunk "$(<"$BATS_TEST_TMPDIR/said")"
		read -r n open <<<"$(sed -n 's/.*: \([0-9]*\) connections, \([0-9]*\) allowed/\1 \2/p' "$BATS_TEST_TMPDIR/said")"
		asked=$((asked + n)) denied=$((denied + n - open))
	done
	echo "$asked connections, $denied denied"
	[[ $denied -gt $((SEEDS * 10)) && $asked -gt $((denied + SEEDS * 10)) ]] || flunk "hardly any"
}

@test "nftables: what the oracle allows comes through, and nothing else" {
	random nftables
}

@test "iptables-nft: what the oracle allows comes through, and nothing else" {
	random iptables-nft
}

@test "iptables-legacy: what the oracle allows comes through, and nothing else" {
	random iptables-legacy
}
