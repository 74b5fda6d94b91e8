#!/usr/bin/env bats
# shellcheck disable=SC2086,SC2034 # paths of our own, without blanks; what the libraries read
# `cnibox policy-iptables watch` with the Kubernetes API as its source: list and watch, with an API server of ours.

load lib/all
load lib/enforce
load lib/watch
load lib/kube
sandbox file forward

SOURCE="--kube-api-url http://192.0.2.200:8080"

setup_file() {
	policy_node
	mkdir -p $KUBE
	container api
	ip link add to-api type veth peer name eth0 netns api
	ip link set to-api up
	ip addr add 192.0.2.201/24 dev to-api
	ip -n api addr add $API/24 dev eth0
	ip -n api link set eth0 up
}

setup() {
	need python3 jq
	[[ -x ${CNIBOX%/*}/cnibox-store ]] || missing "cnibox-store (libcurl's development files)"
	backend=nftables
	rm -f $KUBE/state
}

teardown() {
	watch_stop
	[[ ! -e $KUBE/pid ]] || api_down
	policy cleanup
}

# Objects of enforce.bash into the API server.
api_put() { # COMMANDS
	local object

	while read -r object; do
		api put "$object"
	done < <(eval "$1" | python3 -c 'import json, sys, yaml
for object in yaml.safe_load_all(sys.stdin):
    if object:
        object["metadata"].setdefault("namespace", "default")
        print(json.dumps(object))')
}
start() { # [OPTION=VALUE ...]
	api_up "$@"
	api put '{"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": "default"}}'
	api put '{"kind": "Node", "apiVersion": "v1", "metadata": {"name": "n1"}, "spec": {"podCIDRs": ["10.1.0.0/24"]}}'
	api_put 'pods; deny db; allow db web 80'
}
requests() { api log | grep -c "$1" || :; }

@test "what is listed is in force, what is watched lands, and goes; nothing but lists and watches is asked" {
	start
	watch --resync 0
	assert "allowed" reaches web db 80
	assert "denied" blocked web db 81
	api_put 'allow db web 81'
	wait_for "a policy comes" 10 reaches web db 81
	api drop NetworkPolicy default/allow-db-web-81
	wait_for "and goes" 10 blocked web db 81
	compiled=$(metric compiled_total)
	api_put 'pod_yaml web2 192.0.2.2 2001:db8::2 | sed "s/n1/n2/; s/app: web2/app: web/"'
	wait_for "a pod of another node comes" 10 reaches outside db 80
	api drop Pod default/web2
	wait_for "and goes" 10 blocked outside db 80
	assert_eq "nothing was compiled for it" "$(metric compiled_total)" "$compiled"
	api log >$KUBE/log
	assert_eq "verbs" "$(cut -d' ' -f1 $KUBE/log | sort -u)" GET
	assert_eq "watches" "$(grep -c 'watch=true' $KUBE/log)" 4
	assert_eq "what is not there is looked for once" "$(grep -c clusternetworkpolicies $KUBE/log)" 1
}

@test "a ClusterNetworkPolicy counts when there is such a kind" {
	start
	api crd on
	watch --resync 0
	api put '{"kind": "ClusterNetworkPolicy", "apiVersion": "policy.networking.k8s.io/v1alpha2", "metadata": {"name": "shut"}, "spec": {"tier": "Admin", "priority": 1, "subject": {"namespaces": {}}, "ingress": [{"action": "Deny", "from": [{"namespaces": {}}]}]}}'
	wait_for "denied by it" 10 blocked web db 80
	api drop ClusterNetworkPolicy shut
	wait_for "without it" 10 reaches web db 80
}

@test "connections that are cut are resumed where they were; a history that is gone (410) is listed anew" {
	start
	watch --resync 0
	api log >/dev/null
	api cut
	api_put 'allow db web 81'
	wait_for "what came meanwhile" 10 reaches web db 81
	api log >$KUBE/log
	assert_eq "nothing was listed" "$(grep -c 'limit=250' $KUBE/log)" 0
	api expire
	api drop NetworkPolicy default/allow-db-web-81
	api expire
	api cut
	wait_for "what went meanwhile" 10 blocked web db 81
	assert "listed" test "$(requests 'networkpolicies?limit=')" -ge 1
	assert "in force all the time" reaches web db 80
}

@test "a cluster restored from a backup, with older revisions: all of it is listed, and what changes then lands" {
	start
	watch --resync 0
	assert "allowed" reaches web db 80
	api_down
	jq '.revision = 20 | del(.objects.networkpolicies["default/allow-db-web-80"]) |
		.objects[][].metadata.resourceVersion = "15"' $KUBE/state >$KUBE/new
	mv $KUBE/new $KUBE/state
	api_up
	wait_for "what the backup lacks goes" 10 blocked web db 80
	api_put 'allow db web 81'
	wait_for "and what comes lands" 10 reaches web db 81
}

@test "an API server that is gone: what is in force stays, not ready is said why; when it is back, all is taken up" {
	start
	watch --resync 0 --store-silence 1s
	before=$(in_force)
	api_down
	wait_for "the reason" 10 said "the API server: "
	wait_for "which is another soon" 10 said "Connection refused"
	wait_for "not ready" 10 eval '[[ $(readiness) == *"the API server was heard last"* ]]'
	assert_eq "in force" "$(in_force)" "$before"
	watch_end KILL
	: >$WATCH_LOG
	watch_start --resync 0
	wait_for "one that starts meanwhile says so" 10 eval '[[ $(readiness) == *"Connection refused"* ]]'
	assert_eq "and leaves it" "$(in_force)" "$before"
	assert_eq "once, though five kinds of objects are not told of" "$(grep -c "Connection refused" $WATCH_LOG)" 1
	api_up
	wait_for "ready" 15 watch_ready
	wait_for "and when it is back" 5 said "the API server tells of everything again"
	assert_eq "that once, too" "$(grep -c "tells of .* again" $WATCH_LOG)" 1
	assert_eq "nothing is written" "$(metric writes_total)" 0
	api_put 'allow db web 81'
	wait_for "and on" 10 reaches web db 81
}

@test "what the role lacks is said; an object that is refused leaves the one before it; a source process that dies is started again" {
	api_up
	api deny list networkpolicies
	api put '{"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": "default"}}'
	api_put 'pods; deny db'
	: >$WATCH_LOG
	watch_start --resync 0
	wait_for "what it lacks" 10 said 'what our role lacks: resources ["networkpolicies"], verbs ["list"]'
	assert "nothing is in force before all has been told" reaches web db 80
	api allow
	wait_for "denied" 15 blocked web db 80
	before=$(in_force)
	api_put 'deny db | sed "s/\[Ingress\]/[Sideways]/"'
	wait_for "the path and the reason" 10 said 'refused: networkpolicy default/deny-db: spec.policyTypes[0]: "Sideways" is not Ingress or Egress'
	assert_eq "in force" "$(in_force)" "$before"
	kill -KILL "$(pgrep -P "$watch_pid")"
	wait_for "another one" 10 metric_is source_restarts_total 1
	api_put 'deny db; allow db web 80'
	wait_for "that tells of changes" 15 reaches web db 80
}

@test "a kubeconfig and TLS; the process that asks has no right over this node" {
	certificates
	start "cert=$PKI/server.crt" "key=$PKI/server.key" tokens=secret
	cat >$KUBE/config <<-E
	apiVersion: v1
	kind: Config
	current-context: c
	contexts: [{name: c, context: {cluster: k, user: u}}]
	clusters: [{name: k, cluster: {server: "https://$API:6443", certificate-authority: $PKI/ca.crt}}]
	users: [{name: u, user: {token: secret}}]
	E
	SOURCE="--kubeconfig-file $KUBE/config"
	watch --resync 0
	assert "in force" blocked web db 81
	status=/proc/$(pgrep -P "$watch_pid")/status
	assert_eq "its capabilities" "$(grep -h '^Cap[^B]' "$status" | cut -f2 | sort -u)" 0000000000000000
	# The daemon itself has no others left to give, and cannot take these off the bound of what starts.
	assert_eq "what a program that it starts could have" "$(($(sed -n 's/^CapBnd:\t/0x/p' "$status") & ~0x3004)) $(sed -n 's/^NoNewPrivs:\t//p' "$status")" "0 1"
}
