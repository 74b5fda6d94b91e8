#!/usr/bin/env bats
# The gate at which bridge, ptp and flannel hold ADD until the node's agent has the pod's policies in force (`policy` in their
# configuration).

load lib/all
load lib/enforce
load lib/watch
sandbox file forward

WHO="IgnoreUnknown=1;K8S_POD_NAMESPACE=default"

setup_file() {
	policy_node
}

setup() {
	backend=nftables
	container ctr
}

teardown() {
	watch_stop
	cni_del "$(gated ptp)" CNI_ARGS="$WHO;K8S_POD_NAME=db" || :
	umount /run/netns/ctr
	rm -rf /run/netns/ctr "$OBJECTS" /var/lib/cni/*
	policy cleanup
}

# A pod of this node that has no address yet, as the API tells of it at first.
pending() { # NAME [UID]
	printf -- '---\n%s\n' "{apiVersion: v1, kind: Pod, metadata: {name: $1, labels: {app: $1}, uid: ${2:-u1}}, spec: {nodeName: n1}}"
}
gated() { # TYPE [JQ]
	conf "$1" '.type = "'"$1"'" | .ipam.routes = [{dst: "0.0.0.0/0"}] | .policy = {socket: "/run/policy.sock", timeout: "8s"} | '"${2:-.}"
}
add() { # TYPE [JQ [ARG ...]]: of pod default/db
	cni_add "$(gated "$1" "${2:-.}")" "CNI_ARGS=$WHO;K8S_POD_NAME=db${3:+;$3}"
}
up() { # what ADD has made answers
	IPV4[ctr]=$(jq -r '.ips[0].address | split("/")[0]' <<<"$output")
	echo_in ctr
}

@test "ADD returns when the pod is isolated with its address: nothing came through after it" {
	for type in ptp bridge; do
		put policy 'deny db; pods | sed "s/name: db/name: other/"; pending db'
		watch --resync 0
		add $type
		up
		assert "$type: isolated as ADD has returned" blocked web ctr 80
		assert "$type: the node reaches it" reaches host ctr 80
		assert_eq "$type: let in" "$(metric gate_let_in_total)" 1
		put policy 'deny db; allow db web 80; pods | sed "s/name: db/name: other/"; pending db'
		wait_for "$type: and it is a pod as others" 10 reaches web ctr 80
		put policy 'deny db; pods | sed "s/name: db/name: other/"; pending db another'
		wait_for "$type: another pod of that name has no address" 10 metric_is local_pods 2
		cni_del "$(gated $type)" "CNI_ARGS=$WHO;K8S_POD_NAME=db"
		watch_end
		rm "$OBJECTS"/*
		policy cleanup
	done
}

@test "ADD waits for a pod that the agent has not heard of, and for another incarnation of it" {
	put policy 'deny db; pods | sed "s/name: db/name: other/"'
	watch --resync 0
	add ptp . K8S_POD_UID=u2 &
	waiting=$!
	wait_for "it waits" 5 metric_is gate_waiting 1
	put pending 'pending db u1'
	wait_for "the agent knows one of that name" 5 metric_is objects 4
	assert_eq "that is another one" "$(metric gate_waiting)" 1
	put pending 'pending db u2'
	wait $waiting
	assert_eq "let in" "$(metric gate_let_in_total)" 1
}

@test "not in time: ADD fails with the reason and is undone, or goes on where that is allowed" {
	put policy 'deny db; pods | sed "s/name: db/name: other/"'
	watch --resync 0
	before=$(snapshot)
	EXPECT=1 add ptp '.policy.timeout = "500ms"'
	assert_json "the error" "$output" '[.code, .msg]' \
		'[11, "policies of pod default/db are not in force: the agent has not heard of it"]'
	left "$before"
	assert_eq "counted" "$(metric gate_late_total)" 1
	add ptp '.policy.timeout = "500ms" | .policy.onTimeout = "allow"'
	assert_match "a warning" "$stderr" 'policies of pod default/db may not be in force yet'
	up
	assert "nothing isolates it" reaches web ctr 80
}

@test "no agent: denied or allowed as configured; one that is only starting is waited for" {
	before=$(snapshot)
	EXPECT=1 add ptp '.policy.timeout = "300ms"'
	assert_match "the error" "$output" 'the agent of policies does not listen at /run/policy.sock'
	left "$before"
	EXPECT=1 cni_add "$(gated ptp)"
	assert_match "no pod" "$output" 'policy: which pod\? CNI_ARGS has no K8S_POD_NAMESPACE and K8S_POD_NAME'
	left "$before"
	put policy 'deny db; pending db'
	add ptp &
	waiting=$!
	watch --resync 0
	wait $waiting
	assert_eq "let in" "$(metric gate_let_in_total)" 1
	assert_eq "the socket is for root alone" "$(stat -c %a /run/policy.sock)" 600
}

# pods_are 'COMMANDS': of the agent's objects, the pod of that name
pods_are() { put policy "deny db; pods | sed 's/name: db/name: other/'; $1"; }

@test "an agent that is killed leaves pods isolated that it let in, and so does the next one, until their objects say their addresses" {
	for backend in iptables-nft nftables; do
		pods_are 'pending db'
		watch --resync 0
		add ptp
		up
		assert_eq "$backend: for root alone" "$(stat -c %a /run/policy.sock.told)" 600
		watch_end KILL
		assert "$backend: isolated without an agent" blocked web ctr 80
		watch --resync 0
		assert_eq "$backend: nothing is written" "$(metric writes_total)" 0
		assert "$backend: isolated with the next one" blocked web ctr 80
		watch_end KILL
		policy cleanup
		assert "$backend: somebody opened it" reaches web ctr 80
		watch --resync 0
		assert "$backend: the next one closes it again" blocked web ctr 80
		pods_are "pod_yaml db ${IPV4[ctr]} fd01::77"
		wait_for "$backend: its object says it, and it is kept no more" 10 test ! -s /run/policy.sock.told
		assert "$backend: isolated" blocked web ctr 80
		watch_end
		rm "$OBJECTS"/*
		policy cleanup
		cni_del "$(gated ptp)" "CNI_ARGS=$WHO;K8S_POD_NAME=db"
	done
}

@test "what an agent was told of a pod that is another by now, and a file that is none, count for nothing" {
	pods_are 'pending db'
	watch --resync 0
	add ptp
	up
	watch_end KILL
	pods_are 'pending db another'
	watch --resync 0
	assert "another pod of that name" reaches web ctr 80
	assert "it is forgotten" test ! -s /run/policy.sock.told
	watch_end KILL
	printf 'x\n{"namespace": "default"}\n\n{"namespace": "default", "name": "db", "ips": ["%s"]}\n' "${IPV4[ctr]}" >/run/policy.sock.told
	watch --resync 0
	assert "the line that is one" blocked web ctr 80
	assert "the others are told of" said '/run/policy.sock.told: '
}

@test "flannel: what its delegate has built is undone when the pod is not in force in time" {
	mkdir -p /run/flannel
	printf 'FLANNEL_%s\n' NETWORK=10.77.0.0/16 SUBNET=10.77.0.1/24 MTU=1450 IPMASQ=false >/run/flannel/subnet.env
	before=$(snapshot)
	config=$(gated flannel 'del(.ipam) | .subnetFile = "/run/flannel/subnet.env" | .policy.timeout = "300ms" | .delegate = {type: "ptp"}')
	EXPECT=1 cni_add "$config" "CNI_ARGS=$WHO;K8S_POD_NAME=db"
	assert_match "the error" "$output" 'the agent of policies does not listen'
	left "$before"
	put policy 'deny db; pending db; pods | sed "s/name: db/name: other/"'
	watch --resync 0
	cni_add "$config" "CNI_ARGS=$WHO;K8S_POD_NAME=db"
	up
	assert "isolated" blocked web ctr 80
	cni_del "$config" "CNI_ARGS=$WHO;K8S_POD_NAME=db"
}
