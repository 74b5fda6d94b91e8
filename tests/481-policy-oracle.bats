#!/usr/bin/env bats
# cnibox against an evaluator in another language (lib/policy_oracle.py), written from the contract and not from the C
# code: random sets of policies, every pod and some addresses, over both families. Each answer is asked of the objects
# and of the rules compiled for the nodes. POLICY_SETS=20000 for longer.

load lib/all
sandbox

@test "random policies: objects, compiled rules and the oracle agree" {
	need python3
	[[ -z ${CNIBOX_SANITIZED:-} ]] || POLICY_SETS=${POLICY_SETS:-200}
	run_log deadline 300 python3 "$CNIBOX_TESTS/lib/policy_oracle.py" compare "$CNIBOX" "${POLICY_SETS:-2000}" 0
}
