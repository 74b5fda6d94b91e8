# NetworkPolicies: what a large cluster costs to read and to compile for one node. Sourced by tests/bench/run.
# shellcheck shell=bash disable=SC2154

# 10 000 policies, 5 000 pods, 100 namespaces; the bars are those of the whole way.
row_policy() {
	local name number cpu=0
	local -A got
	python3 "$here/../lib/policy_oracle.py" bench 10000 5000 100 >"$work/policies.json"
	while read -r name number; do
		got[$name]=$number
	done < <("$build/compile" "$work/policies.json" node3)
	for name in read index compile; do
		note "10000 policies, 5000 pods: $name, CPU" ms "" "$(ms "${got[$name]}")"
		cpu=$((cpu + got[$name]))
	done
	below "... together" ms "" "$(ms "$cpu")" 1000
	below "... peak memory" MiB "" "$((got[peak] / 1024))" 200
	note "... rules for one node" rules "" "${got[rules]}"
	below "a pod comes on another node, elements alone: CPU" ms "" "$(ms $((got[churn] / 100)))" 5
}
