#!/usr/bin/env bats
# shellcheck disable=SC2086 # paths of our own, without blanks
# Agents whose store is Kubernetes: nodes' podCIDRs and annotations, as flannel's kube subnet manager has them (flannel.md,
# section 3), before an API server of ours that real kubectl is content with.

load lib/all
load lib/kube
sandbox

setup() {
	need ping bridge python3 jq
	[[ -x ${CNIBOX%/*}/cnibox-store ]] || missing "cnibox-store (libcurl's development files)"
}

# Two nodes with agents, pods that reach each other.
two() { # TYPE [JQ]
	cluster 2 "$@"
	AGENT=$([[ $1 == vxlan ]] && echo vxlan || echo hostgw-sync)
	kube n1
	kube n2
	ready n1 n2
	pod n1
	pod n2
	wait_for "n1 reaches n2" 5 reach n1 n2
	wait_for "n2 reaches n1" 5 reach n2 n1
}
routes() { ip -n n1 route show proto 118; }
mac()    { ip -n "$1" -j link show flannel.1 | jq -r '.[0].address'; }

@test "vxlan: podCIDRs are the subnets, annotations are flannel's byte for byte, the node is told to be up" {
	two vxlan
	assert_eq "subnet" "$(subnet n1)" 10.5.1.0/24
	assert_eq "annotations" "$(annotations n1)" "$(jq -nc --arg mac "$(mac n1)" \
		'{"backend-data": "{\"VNI\":1,\"VtepMAC\":\"\($mac)\"}", "backend-type": "vxlan", "kube-subnet-manager": "true", "public-ip": "192.0.2.1"}')"
	assert_eq "routes" "$(routes)" "10.5.2.0/24 via 10.5.2.0 dev flannel.1 onlink "
	wait_for "the condition" 3 is '["False","FlannelIsUp","Flannel is running on this node"]' condition n1
	api log >$KUBE/log
	assert_eq "patches of n1" "$(grep -c 'PATCH.*/n1/status' $KUBE/log)" 2
	assert_eq "others' parts" "$(api get n1 | jq -c '[.spec.podCIDR, .metadata.annotations["node.alpha.kubernetes.io/ttl"]]')" '["10.5.1.0/24","0"]'
}

@test "host-gw: no data is null; what somebody takes away is back; a node that is gone has no route, one that is back is itself" {
	two host-gw
	want='{"backend-data":"null","backend-type":"host-gw","kube-subnet-manager":"true","public-ip":"192.0.2.1"}'
	assert_eq "annotations" "$(annotations n1)" "$want"
	api annotate n1 $PREFIX/public-ip- $PREFIX/kube-subnet-manager-
	wait_for "they are back" 3 is "$want" annotations n1
	api annotate n1 $PREFIX/public-ipv6=fd77::66
	wait_for "what is not ours to say is taken away" 3 is "$want" annotations n1
	assert_eq "routes" "$(routes)" "10.5.2.0/24 via 192.0.2.2 dev eth0 "
	api delete n2
	wait_for "a node that is gone has no route" 3 lacks 10.5.2.0 routes
	api delete n1
	wait_for "our own is missed" 3 grep -q 'Kubernetes has no node "n1"' $STORE/n1.log
	api node n1 10.5.1.0/24
	wait_for "one that comes back is annotated" 5 is "$want" annotations n1
	wait_for "and told to be up" 5 is '["False","FlannelIsUp","Flannel is running on this node"]' condition n1
}

@test "the MAC is kept over a reboot; public-ip-overwrite is told to the others, for whom a card's checksums are wrong; node-public-ip chooses the interface" {
	cluster 2 vxlan
	AGENT=vxlan
	kube n1
	ready n1
	wait_for "annotations" 3 is 192.0.2.1 annotation n1 public-ip
	was=$(mac n1)
	assert_eq "checksums by the card" "$(tx_checksum n1 flannel.1)" 1
	agent_kill n1
	ip -n n1 link del flannel.1
	rm -r /run/n1
	api annotate n1 $PREFIX/public-ip-overwrite=203.0.113.9 $PREFIX/node-public-ip=192.0.2.101
	ip -n n1 addr add 192.0.2.101/24 dev eth0
	kube n1
	ready n1
	assert_eq "MAC" "$(mac n1)" "$was"
	wait_for "the public address" 3 is 203.0.113.9 annotation n1 public-ip
	wait_for "checksums by the kernel" 5 is 0 tx_checksum n1 flannel.1
	api annotate n1 $PREFIX/public-ip-overwrite-
	wait_for "the node's again" 3 is 192.0.2.101 annotation n1 public-ip
	agent_kill n1
	ip -n n1 link del flannel.1
	kube n1
	wait_for "and the card's checksums" 5 is 1 tx_checksum n1 flannel.1
	api annotate n1 $PREFIX/public-ip-overwrite=192.0.2.1
	wait_for "another of the node's addresses" 3 is 192.0.2.1 annotation n1 public-ip
	assert_eq "is no NAT" "$(tx_checksum n1 flannel.1)" 1
}

@test "the node's address changes, and is told; kill -9 and a boot without the API server: all from the node's own disk" {
	local file=/var/lib/cnibox/remembered/run-n1-subnet.env before

	two host-gw
	nsenter --net=/run/netns/n1 sysctl -qw net.ipv4.conf.eth0.promote_secondaries=1
	ip -n n1 addr replace 192.0.2.101/24 dev eth0
	ip -n n1 addr del 192.0.2.1/24 dev eth0
	wait_for "the new address" 10 is 192.0.2.101 annotation n1 public-ip
	wait_for "the peer's route follows" 3 has "10.5.1.0/24 via 192.0.2.101" ip -n n2 route
	wait_for "it is remembered" 15 grep -q 192.0.2.101 $file
	before=$(routes)
	api_down
	agent_kill n1 KILL
	ip -n n1 route flush proto 118
	rm -r /run/n1
	kube n1
	ready n1
	assert_eq "the subnet" "$(subnet n1)" 10.5.1.0/24
	wait_for "the peers" 3 is "$before" routes
	api_up
	wait_for "and all is well with it" 15 grep -q "the store is well again" $STORE/n1.log
	assert_eq "the peers" "$(routes)" "$before"
}

@test "VXLAN, kill -9 during traffic: no packet is lost, the next agent adopts the device, and the node's object is as it was" {
	two vxlan
	wait_for "the condition" 3 has FlannelIsUp condition n1
	before=$(api get n1)
	killed_amid_traffic next_kube
	wait_for "it has looked at everything" 5 grep -q "everything is in place" $STORE/n1.log
	assert_eq "its object" "$(api get n1)" "$before"
}

next_kube() {
	: >$STORE/n1.log
	kube n1
}

@test "podCIDR: awaited when there is none, refused outside of the network, and no node is said to be none" {
	cluster 0 host-gw
	node_add n1 1
	AGENT=hostgw-sync
	kube n1
	wait_for "no node" 3 grep -q 'Kubernetes has no node "n1"' $STORE/n1.log
	api node n1
	wait_for "no podCIDR" 3 grep -q 'node "n1" pod cidr not assigned' $STORE/n1.log
	api node n1 10.6.1.0/24
	wait_for "another network" 3 grep -q 'node "n1" has 10.6.1.0/24, which is not in the network 10.5.0.0/16' $STORE/n1.log
	assert_eq "annotations" "$(annotations n1)" "{}"
	api node n1 10.5.1.0/24
	ready n1
	assert_eq "subnet" "$(subnet n1)" 10.5.1.0/24
	assert "the agent has lived on" kill -0 "$(agent_pid n1)"
}

@test "a network's configuration that is none is said to be so; one that is mended is taken" {
	cluster 1 host-gw
	mv $STORE/config $STORE/right
	echo '{oops' >$STORE/config
	AGENT=hostgw-sync
	kube n1
	wait_for "what is wrong" 5 grep -q "network configuration: " $STORE/n1.log
	mv $STORE/right $STORE/config
	ready n1
	refute "its store's process was lost" grep -q "process has ended" $STORE/n1.log
}

# A node NUMBER that an agent elsewhere has annotated, and its route on both.
other() { # NUMBER WHY
	api node "x$1" "10.5.$1.0/24"
	api annotate "x$1" $PREFIX/kube-subnet-manager=true $PREFIX/backend-type=host-gw $PREFIX/public-ip=192.0.2.77
	wait_for "n1 hears of a node after $2" 10 has "10.5.$1.0/24 via 192.0.2.77" routes
	wait_for "n2 hears of a node after $2" 10 has "10.5.$1.0/24 via 192.0.2.77" ip -n n2 route
}
lists() { api log | grep -c "limit=100"; }

@test "a watch that is cut, forgotten (410), or whose server starts anew or dies unseen goes on; heartbeats are nobody's work" {
	two host-gw
	api log >/dev/null
	api cut
	other 11 "a cut"
	assert_eq "lists: the watch goes on" "$(lists)" 0
	api expire
	api cut
	other 12 "410"
	assert_eq "lists" "$(lists)" 2
	ip link set u1 nomaster
	api annotate x11 $PREFIX/public-ip=192.0.2.76
	api delete x12
	api expire
	api cut
	ip link set u1 master under
	wait_for "what has changed before a list is applied (D4)" 10 has "10.5.11.0/24 via 192.0.2.76" routes
	assert "without the node that is gone" lacks 10.5.12.0 routes
	api_down
	api_up
	other 13 "a new server"
	ip link set u200 down
	api_down
	api_up
	ip link set u200 up
	other 14 "a server that died unseen"
	api log >/dev/null
	api annotate n2 example.org/heartbeat=1
	api annotate x11 $PREFIX/public-ip=192.0.2.78
	wait_for "a changed node" 3 has "10.5.11.0/24 via 192.0.2.78" routes
	assert_eq "requests meanwhile" "$(api log)" ""
}

@test "a cluster restored from a backup, with older revisions: all of it is listed, changes are heard, and our own part is kept" {
	two host-gw
	api_down
	jq '.revision = 20 | .objects.nodes[].metadata.resourceVersion = "15"' $KUBE/state >$KUBE/new
	mv $KUBE/new $KUBE/state
	api_up
	other 15 "an older one"
	api annotate n1 $PREFIX/public-ip-
	wait_for "ours is back" 10 is 192.0.2.1 annotation n1 public-ip
}

change_n1() { api annotate n1 $PREFIX/kube-subnet-manager=true $PREFIX/backend-type=host-gw $PREFIX/public-ip=192.0.2.1; }

@test "what a watch tells together with an answer is told" {
	cluster 1 host-gw
	export -f api change_n1
	export KUBE PREFIX API
	assert_eq "a change, then none" "$(nsenter --net=/run/netns/n1 python3 "$CNIBOX_TESTS/lib/engine.py" "${CNIBOX%/*}/cnibox-store" \
		"{\"kubeSubnetMgr\": true, \"kubeApiUrl\": \"http://$API:8080\", \"netConfigPath\": \"$STORE/config\", \"nodeName\": \"n1\"}" \
		again bash -c change_n1)" "1 0"
}

@test "a lease that lasts as its node does has no figure of its life" {
	cluster 1 host-gw
	AGENT=hostgw-sync
	kube n1 --healthz-port $PORT --store-silence 2s
	ready n1
	wait_for "ready" 5 has "cnibox_ready 1" get n1 /metrics
	refute "a figure" has lease_left get n1 /metrics
	kill -USR1 "$(agent_pid n1)"
	wait_for "for a person" 5 grep -q "; a lease without end" $STORE/n1.log
}

@test "nodes that make no sense, and those of another network, cost nobody else anything (D1)" {
	two vxlan
	before=$(routes)
	api node bad1 10.5.101.0/24
	api annotate bad1 $PREFIX/kube-subnet-manager=true $PREFIX/backend-type=vxlan "$PREFIX/backend-data={oops" $PREFIX/public-ip=192.0.2.101
	api node bad2 10.5.102.0/24
	api annotate bad2 $PREFIX/kube-subnet-manager=true $PREFIX/backend-type=vxlan $PREFIX/public-ip=here
	api node bad3 10.5.103.0/24 10.5.104.0/24
	api annotate bad3 $PREFIX/kube-subnet-manager=true $PREFIX/backend-type=host-gw $PREFIX/public-ip=192.0.2.103
	api node other 10.5.105.0/24
	api annotate other example.org/kube-subnet-manager=true example.org/backend-type=host-gw example.org/public-ip=192.0.2.105
	wait_for "it is told" 3 grep -q "3 entries of the store are no leases" $STORE/n1.log
	api node good 10.5.106.0/24
	api annotate good $PREFIX/kube-subnet-manager=true $PREFIX/backend-type=host-gw $PREFIX/public-ip=192.0.2.106
	wait_for "a good one" 3 has "10.5.106.0/24 via 192.0.2.106" routes
	assert_eq "others" "$(routes | grep -v 10.5.106)" "$before"
	kill "$(agent_pid n1)"
	kube n1 --kube-annotation-prefix example.org
	wait_for "the other network" 3 has "10.5.105.0/24 via 192.0.2.105" routes
}

@test "dual stack: both podCIDRs, both addresses; a change of the IPv6 half alone is heard" {
	two vxlan '.EnableIPv6 = true | .IPv6Network = "fd00:5::/48"'
	assert_json "annotations" "$(annotations n1)" '.["public-ipv6"] == "fd77::1" and (.["backend-v6-data"] | fromjson | .VNI == 1 and (.VtepMAC | length == 17))'
	assert_match "subnet.env" "$(</run/n1/subnet.env)" "FLANNEL_IPV6_SUBNET=fd00:5:0:1::1/64"
	wait_for "a route" 3 has "fd00:5:0:2::/64" ip -n n1 -6 route show proto 118
	api annotate n1 $PREFIX/public-ipv6-overwrite=2001:db8::9
	wait_for "NAT of IPv6: the card makes no checksums there" 5 is 0 tx_checksum n1 flannel-v6.1
	assert_eq "of IPv4 it does" "$(tx_checksum n1 flannel.1)" 1
	wait_for "the peer is told" 3 has "dst 2001:db8::9" nsenter --net=/run/netns/n2 bridge fdb show dev flannel-v6.1
	agent_kill n2
	api annotate n2 "$PREFIX/backend-v6-data={\"VNI\":1,\"VtepMAC\":\"02:00:00:00:00:66\"}"
	wait_for "the new MAC" 3 has 02:00:00:00:00:66 ip -n n1 neigh show dev flannel-v6.1
}

@test "a pod's service account: token, CA and variables, the node's name by its pod; a token that is renewed is taken" {
	need openssl
	local account=/run/secrets/kubernetes.io/serviceaccount

	mkdir -p $KUBE $account
	certificates
	API_LATE=1 cluster 0 host-gw
	api_up cert=$PKI/server.crt key=$PKI/server.key tokens=first
	node_add n1 1
	api node n1 10.5.1.0/24
	api pod kube-system cnibox-x7 n1
	cp $PKI/ca.crt $account/ca.crt
	echo first >$account/token
	AGENT=hostgw-sync ACCESS=''
	export KUBERNETES_SERVICE_HOST=$API KUBERNETES_SERVICE_PORT=6443 POD_NAME=cnibox-x7 POD_NAMESPACE=kube-system
	kube n1
	ready n1
	api tokens second
	api cut
	wait_for "it is told" 5 grep -qF "the API server does not know us (401 Unauthorized)" $STORE/n1.log
	echo second >$account/token
	api node n2 10.5.2.0/24
	api annotate n2 $PREFIX/kube-subnet-manager=true $PREFIX/backend-type=host-gw $PREFIX/public-ip=192.0.2.2
	wait_for "the new token" 8 has "10.5.2.0/24 via 192.0.2.2" routes
}

@test "a kubeconfig with certificates in it; what the role lacks is named; the condition is left alone where that is wished" {
	need openssl
	mkdir -p $KUBE
	certificates
	API_LATE=1 cluster 0 host-gw
	api_up cert=$PKI/server.crt key=$PKI/server.key ca=$PKI/ca.crt
	node_add n1 1
	api node n1 10.5.1.0/24
	cat >$KUBE/config <<-YAML
		apiVersion: v1
		kind: Config
		current-context: here
		clusters:
		- name: c
		  cluster: {server: "https://$API:6443", certificate-authority: ../pki/ca.crt}
		contexts:
		- {name: here, context: {cluster: c, user: u}}
		users:
		- name: u
		  user:
		    client-certificate-data: $(base64 -w0 $PKI/admin.crt)
		    client-key-data: $(base64 -w0 $PKI/admin.key)
	YAML
	api deny patch nodes/status
	AGENT=hostgw-sync ACCESS="--kubeconfig-file $KUBE/config --node-name n1"
	kube n1 --set-node-network-unavailable=false
	wait_for "what is missing" 5 grep -qF 'User "admin" cannot patch resource "nodes/status" in API group "" at the cluster scope; what our role lacks: resources ["nodes/status"], verbs ["patch"]' $STORE/n1.log
	api allow
	ready n1
	wait_for "annotations" 3 is 192.0.2.1 annotation n1 public-ip
	assert_eq "condition" "$(condition n1)" '["True","NoRouteCreated","no route"]'
	agent_kill n1
	sed -i 's/client-certificate-data:.*/exec: {command: aws}/; /client-key-data/d' $KUBE/config
	kube n1
	wait_for "no other programs" 3 grep -qF 'user "u": exec is not supported; use a token, a tokenFile or a client certificate' $STORE/n1.log
}

pages() {
	api log >>$KUBE/log
	[[ $(grep -c "nodes?limit=100" $KUBE/log) == "$1" ]]
}

@test "many nodes come in pages, and again after a history that is gone" {
	cluster 1 vxlan '.Network = "10.0.0.0/8"'
	api fill 250
	AGENT=vxlan
	kube n1
	ready n1
	wait_for "all routes" 5 is 250 eval 'routes | wc -l'
	assert_eq "pages" "$(api log | grep -c "nodes?limit=100")" 3
	api expire
	api cut
	wait_for "pages again" 10 pages 3
	api delete many249
	wait_for "one less" 10 is 249 eval 'routes | wc -l'
}

@test "--release: the node's annotations go with the agent, and its peers have no way to it" {
	two host-gw
	agent_kill n2
	: >$STORE/n2.log
	kube n2 --release
	wait_for "it is there again" 5 grep -q "everything is in place" $STORE/n2.log
	agent_kill n2
	assert_eq "annotations" "$(annotations n2)" "{}"
	wait_for "n1 has no way to it" 5 lacks 10.5.2.0 routes
}

@test "tools: who has what, for as long as its node is there; nothing to reserve; a dead node's part is taken away" {
	two host-gw
	lease() { nsenter --net=/run/netns/n1 "$CNIBOX" lease "$1" --kube-subnet-mgr --kube-api-url http://$API:8080 --net-config-path $STORE/config "${@:2}" 2>&1; }
	assert_json "list" "$(lease list --json)" 'map([.subnet, .node, .type, .left]) == [["10.5.1.0/24", "192.0.2.1", "host-gw", "as its node"],
		["10.5.2.0/24", "192.0.2.2", "host-gw", "as its node"]]'
	assert_eq "lines: podCIDRs are nobody's to choose" "$(lease list | wc -l)" 3
	assert_match "usage" "$(lease usage)" "this store says which subnet a node has: nodes take none out of it"
	assert_match "show" "$(lease show 10.5.2.7)" "10.5.2.0/24 +- +192.0.2.2"
	assert_match "reserve" "$(lease reserve 10.5.9.0/24 192.0.2.9)" "in Kubernetes a node's podCIDR is its subnet: there is nothing to reserve"
	agent_kill n2
	run_log lease release 10.5.2.0/24
	assert_eq "annotations" "$(annotations n2)" "{}"
	wait_for "no route any more" 3 lacks 10.5.2.0 routes
}

# Real clients, as many as there are. They cannot be asked of tests/deps: Debian's package clashes with what the build image
# brings, so even under TEST_STRICT=1 their absence is only told.
kubectls() {
	local found

	found=$(ls /usr/lib/google-cloud-sdk/bin/kubectl.1.?? 2>/dev/null || type -P kubectl || :)
	[[ -n $found ]] || skip "missing: kubectl"
	echo "$found"
}

@test "the API server of these tests is one to real clients: get, watch, annotate, patch of status, describe" {
	local clients kubectl

	[[ -z ${CNIBOX_SANITIZED:-} ]] || skip "nothing of ours but the tests is in it"
	need openssl
	clients=$(kubectls)
	mkdir -p $KUBE
	certificates
	API_LATE=1 cluster 0
	api_up cert=$PKI/server.crt key=$PKI/server.key tokens=t
	api node n1 10.5.1.0/24
	for kubectl in $clients; do
		client() { nsenter --net=/run/netns/api "$kubectl" --server https://$API:6443 --certificate-authority $PKI/ca.crt --token ${TOKEN-t} --cache-dir $KUBE/cache "$@" 2>&1; }
		assert_json "get" "$(client get node n1 -o json)" '.spec.podCIDR == "10.5.1.0/24"'
		client get nodes -w -o json --request-timeout 10s >$KUBE/watched 3>&- &
		assert_match "annotate" "$(client annotate node n1 --overwrite example.org/by="${kubectl##*/}")" "^node/n1 annotate"
		assert_eq "patch" "$(client patch node n1 --subresource=status --type=strategic -p '{"metadata": {"annotations": {"example.org/by": "patch"}},
			"spec": {"podCIDR": "192.0.2.0/24"}, "status": {"conditions": [{"type": "NetworkUnavailable", "reason": "By", "message": "'"${kubectl##*/}"'"}]}}')" "node/n1 patched"
		assert_json "what came of it" "$(client get node n1 -o json)" '.spec.podCIDR == "10.5.1.0/24" and (.status.conditions | length == 2)
			and .metadata.annotations["example.org/by"] == "patch" and .status.conditions[0].message == "'"${kubectl##*/}"'"'
		assert_match "describe" "$(client describe node n1)" "PodCIDR: +10.5.1.0/24"
		wait_for "the watch saw it" 5 grep -q "\"message\": \"${kubectl##*/}\"" $KUBE/watched
		kill %% 2>/dev/null || :
	done
	assert_match "another token" "$(TOKEN=x client get nodes)" "Unauthorized|must be logged in"
	api deny list nodes
	assert_match "forbidden" "$(client get nodes)" 'cannot list resource "nodes" in API group "" at the cluster scope'
}

teardown() {
	[[ -n ${BATS_TEST_COMPLETED:-} ]] || tail -n 20 $STORE/*.log $KUBE/api.log 2>/dev/null
}
