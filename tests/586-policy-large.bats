#!/usr/bin/env bats
# 10 000 policies, 5 000 pods, 100 namespaces: one node applies its part, and finds nothing to do the second time.

load lib/all
load lib/enforce
sandbox

@test "10 000 policies are applied" {
	python3 "$CNIBOX_TESTS/lib/policy_oracle.py" bench 10000 5000 100 >/run/objects.yaml
	for backend in $(backends); do
		apply --node node0
		assert_eq "$backend: nothing the second time" "$(apply --node node0)" "$backend on node0: nothing to do"
		policy cleanup
	done
}
