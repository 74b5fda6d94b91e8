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

# ---- in the kernel: packets ------------------------------------------------------------------------------------

policy_backends() { # that this machine can carry
	local backend
	for backend in nftables iptables-nft iptables-legacy; do
		! unshare --net -- "$build/enforce" $backend remove >/dev/null 2>&1 || echo $backend
	done
}

# policy_node LABEL: a node with two of its pods, 10.1.0.67 and 10.1.0.57
policy_node() {
	local pod ns
	for ns in node from to; do ip netns add "policy-$1-$ns"; done
	for pod in from:67 to:57; do
		ns=policy-$1-${pod%:*}
		ip -n "policy-$1-node" link add "${pod%:*}" type veth peer name eth0 netns "$ns"
		ip -n "policy-$1-node" addr add 169.254.1.1/32 dev "${pod%:*}"
		ip -n "policy-$1-node" link set "${pod%:*}" up
		ip -n "policy-$1-node" route add "10.1.0.${pod#*:}" dev "${pod%:*}"
		ip -n "$ns" addr add "10.1.0.${pod#*:}/32" dev eth0
		ip -n "$ns" link set eth0 up
		ip -n "$ns" route add 169.254.1.1 dev eth0
		ip -n "$ns" route add default via 169.254.1.1
	done
	policy_in "$1" sysctl -qw net.ipv4.ip_forward=1
	nodes+=("$1" "policy-$1-node" "policy-$1-from/10.1.0.67" "policy-$1-to/10.1.0.57")
}
policy_in() { # LABEL COMMAND...
	nsenter --net="/run/netns/policy-$1-node" -- "${@:2}"
}

policy_flows() { # KIND: value["policy-KIND LABEL"] in nanoseconds
	local label median least
	while read -r label median least; do
		value["policy-$1 $label"]=$median
		value["policy-$1 $label least"]=$least
	done < <("$build/flows" "$1" "$((n > 5 ? n : 5))" 2000 7000 "${nodes[@]}")
}
ns() { calc 'printf "%.2f", (a - b) / 1000' "$(get "policy-$1" "$2")" "$(get "policy-$1" "$3")"; }

# 110 pods. "Tracked" is a node that tracks connections, as every node with services does, and has no policies; a bare
# node does not even do that. Medians, the contestants take turns.
row_policy_packets() {
	local backend count nodes=() backends=()
	mapfile -t backends < <(policy_backends)
	policy_node bare
	policy_node tracked
	policy_in tracked nft -f - <<<'table ip t { chain f { type filter hook forward priority 0; ct state established accept; }; }'
	for count in linear chains; do
		policy_node $count
		python3 "$here/policies.py" $count 1000 | policy_in $count nft -f -
	done
	for count in 100 1000 10000; do
		python3 "$here/policies.py" objects $count >"$work/policies-$count.json"
		for backend in "${backends[@]}"; do
			policy_node "$backend-$count"
			policy_in "$backend-$count" "$build/enforce" "$backend" here "$work/policies-$count.json" >"$work/enforced"
			! grep '^damage ' "$work/enforced" || failures+=("policies of $backend come back damaged")
			[ $count != 1000 ] || note "$backend, 1000 policies of 110 pods: groups, sets" sets "" \
				"$(awk '$1 == "groups" { g = $2 } $1 == "sets" { s = $2 } END { print g "," s }' "$work/enforced")"
		done
	done
	policy_flows established
	policy_flows new
	for backend in "${backends[@]}"; do
		below "established flow, 1000 policies, $backend, over tracked" us "" "$(ns established "$backend-1000" tracked)" 0.5
		note "... over bare" us "" "$(ns established "$backend-1000" bare)"
	done
	note "... flat list, over tracked" us "$(ns established linear tracked)" ""
	note "... chain for each pod, over tracked" us "$(ns established chains tracked)" ""
	for backend in "${backends[@]}"; do
		below "new flow, 1000 policies, $backend, over tracked" us "" "$(ns new "$backend-1000" tracked)" 3
		note "... over bare" us "" "$(ns new "$backend-1000" bare)"
		times "... 10000 policies against 100" "" "$(ratio "$(get policy-new "$backend-10000")" "$(get policy-new "$backend-100")")" 1.2
	done
	note "... flat list, over tracked" us "$(ns new linear tracked)" ""
	note "... chain for each pod, over tracked" us "$(ns new chains tracked)" ""
}

# ---- in the kernel: updates ------------------------------------------------------------------------------------

sum() { printf '%s\n' "$@" | awk '{ s += $1 } END { print s }'; }

# From nothing to 10 000 policies, and a pod of another node that comes and goes.
row_policy_apply() {
	local backend name cpu wall step
	local -A got
	python3 "$here/../lib/policy_oracle.py" bench 10000 5000 100 >"$work/policies.json"
	python3 "$here/policies.py" objects 1000 >"$work/without.json"
	python3 "$here/policies.py" objects 1000 1 >"$work/with.json"
	while read -r backend; do
		node "policy-$backend"
		step=0
		while read -r name cpu wall; do
			[ "$name" != plan ] || step=$((step + 1))
			got[$step $name]=$cpu got[$step $name wall]=$wall
		done < <(nsenter --net="/run/netns/policy-$backend" -- "$build/enforce" "$backend" node3 "$work/policies.json")
		below "10000 policies for a node from nothing, $backend, wall" ms "" "$(ms "$(sum "${got[1 plan wall]}" "${got[1 write wall]}")")" 3000
		note "... CPU" ms "" "$(ms "$(sum "${got[1 plan]}" "${got[1 write]}")")"
		note "... of it compiling, wall" ms "" "$(ms "${got[1 plan wall]}")"
		note "... read back and compared, wall" ms "" "$(ms "${got[1 again wall]}")"
		nsenter --net="/run/netns/policy-$backend" -- "$build/enforce" "$backend" remove
		step=0
		while read -r name cpu wall; do
			[ "$name" != plan ] || step=$((step + 1))
			got[$step $name]=$cpu
		done < <(nsenter --net="/run/netns/policy-$backend" -- "$build/enforce" "$backend" here \
			"$work/without.json" "$work/with.json" "$work/without.json")
		below "a pod of another node comes, $backend: written, CPU" ms "" "$(ms "${got[2 write]}")" 5
		below "... goes" ms "" "$(ms "${got[3 write]}")" 5
		note "... elements" elements "" "${got[2 elements_changed]}"
		below "... groups and sets made, changed or gone" things "" \
			"$(sum "${got[2 new_sets]}" "${got[2 old_sets]}" "${got[2 new_groups]}" "${got[2 old_groups]}" "${got[2 groups_changed]}")" 0
	done < <(policy_backends)
}

# ---- in the kernel: from an event to traffic ---------------------------------------------------------------------

# The daemon, 1000 pods, 1000 policies, in a folder: a policy, and a pod elsewhere, that come as files and go.
row_policy_landing() {
	local backend what coming going folder nodes=() pid
	local -A ports=([policy]=7001 [pod]=7000)
	mkdir "$work/landing"
	python3 "$here/policies.py" objects 1000 500 >"$work/all.json"
	# The pod that comes and goes is the one that sends, as if it were elsewhere.
	jq -c '.items |= map(select(.status.podIP != "10.1.0.67"))' "$work/all.json" >"$work/without.json"
	jq -c '.items[] | select(.status.podIP == "10.1.0.67") | .spec.nodeName = "there"' "$work/all.json" >"$work/landing/pod.json"
	jq -n -c '{"matchLabels": {"app": "app5"}} as $to | {"matchLabels": {"app": "app6"}} as $from | [{"protocol": "UDP", "port": 7001}] as $ports |
		{"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "landing", "namespace": "ns5"}, "spec": {
			"podSelector": {"matchExpressions": [{"key": "app", "operator": "In", "values": ["app5", "app6"]}]},
			"ingress": [{"from": [{"podSelector": $from}], "ports": $ports}],
			"egress": [{"to": [{"podSelector": $to}], "ports": $ports}], "policyTypes": ["Ingress", "Egress"]}}' >"$work/landing/policy.json"
	while read -r backend; do
		policy_node "landing-$backend"
		folder=$work/landing/$backend
		mkdir "$folder"
		cp "$work/all.json" "$folder"
		nsenter --net="/run/netns/policy-landing-$backend-node" -- ip link set lo up
		nsenter --net="/run/netns/policy-landing-$backend-node" -- "$ours/cnibox" policy-iptables watch --node here --backend "$backend" \
			--file "$folder" --socket "$work/landing/socket" --healthz-port 0 --resync 0 2>"$work/landing/log" &
		pid=$!
		for what in policy pod; do
			[ $what != pod ] || { cp "$work/without.json" "$folder/.new" && mv "$folder/.new" "$folder/all.json"; }
			coming='' going=''
			read -r coming going < <("$here/landing.py" "${nodes[-2]}" "${nodes[-1]}" "${ports[$what]}" \
				"$work/landing/$what.json" "$folder/$what.json" "$((n > 5 ? 7 : 3))") || :
			below "1000 pods, $backend: a $what comes, until it passes" ms "" "${coming:-10000}" 100
			below "... goes, until it is stopped" ms "" "${going:-10000}" 100
		done
		kill $pid && wait $pid || :
	done < <(policy_backends)
}
