#!/usr/bin/env bats
# shellcheck disable=SC2086,SC2012 # paths of our own, without blanks
# A network whose leases stand in a file that people write (--peers-file), and nodes that only look on (--observe).

load lib/all
load lib/nodes
sandbox

PEERS=/run/peers/peers.json

setup() {
	need ping bridge jq
	mkdir -p ${PEERS%/*} $STORE
}

# peers TYPE [JQ]: n1 and n2 in the file
peers() {
	jq -n --arg type "$1" '{config: {Network: "10.5.0.0/16", Backend: {Type: $type}},
		subnets: {"10.5.1.0-24": {PublicIP: "192.0.2.1"}, "10.5.2.0-24": {PublicIP: "192.0.2.2"}}} | '"${2:-.}" >$PEERS.new
	mv $PEERS.new $PEERS
}

static() { # NODE [OPTION ...]
	local node=$1

	shift
	nsenter --net="/run/netns/$node" "$CNIBOX" flanneld --peers-file $PEERS --iface eth0 --subnet-file "/run/$node/subnet.env" "$@" \
		>>"$STORE/$node.log" 2>&1 3>&- &
	echo $! >"$STORE/$node.pid"
}

@test "a file of peers makes a network, by routes and over VXLAN, whose MACs follow from the addresses" {
	nodes 2
	for type in host-gw vxlan; do
		peers $type
		static n1
		static n2
		ready n1 n2
		assert_eq "the subnets are the file's" "$(subnet n1) $(subnet n2)" "10.5.1.0/24 10.5.2.0/24"
		pod n1
		pod n2
		wait_for "$type: n1 reaches n2" 5 reach n1 n2
		wait_for "$type: n2 reaches n1" 5 reach n2 n1
		agent_kill n1
		agent_kill n2
		rm -r /run/n1 /run/n2
		ip -n n1 addr flush dev lo
		ip -n n2 addr flush dev lo
	done
	assert_eq "the file is as it was" "$(jq -c .subnets $PEERS)" '{"10.5.1.0-24":{"PublicIP":"192.0.2.1"},"10.5.2.0-24":{"PublicIP":"192.0.2.2"}}'
	assert_eq "and alone" "$(ls -A ${PEERS%/*})" peers.json
}

@test "the file is watched: a peer comes, changes, goes; what is broken changes nothing; a MAC that it names is set" {
	nodes 2
	peers vxlan '.subnets["10.5.1.0-24"].BackendData = {VNI: 1, VtepMAC: "02:00:00:00:00:0a"}'
	static n1 --healthz-port 10256
	ready n1
	assert_json "the device's MAC" "$(ip -n n1 -j link show flannel.1)" '.[0].address' 02:00:00:00:00:0a
	peers vxlan '.subnets["10.5.1.0-24"].BackendData = {VNI: 1, VtepMAC: "02:00:00:00:00:0b"} |
		.subnets["10.5.3.0-24"] = {PublicIP: "192.0.2.3", BackendType: "host-gw"}'
	wait_for "a peer more" 3 has "10.5.3.0/24 via 192.0.2.3 dev eth0" ip -n n1 route show proto 118
	wait_for "another MAC of its own" 3 has 02:00:00:00:00:0b ip -n n1 link show flannel.1
	before=$(ip -n n1 route show proto 118)
	echo '{ "config": ' >$PEERS
	wait_for "what is broken is told, by its place" 3 grep -q "$PEERS: line 2, column 0" $STORE/n1.log
	assert_eq "the peers stay" "$(ip -n n1 route show proto 118)" "$before"
	peers vxlan '.subnets["10.5.1.0-24"].BackendData = {VNI: 1, VtepMAC: "02:00:00:00:00:0b"} | .subnets.hello = 7'
	wait_for "one goes, a while after the trouble" 8 lacks 10.5.3.0 ip -n n1 route show proto 118
	assert_match "the other stays, whatever else is there" "$(ip -n n1 route show proto 118)" "10.5.2.0/24 via 10.5.2.0 dev flannel.1"
}

@test "a node that is not in the file is told so; lease shows what the file says, and changes nothing" {
	nodes 3
	peers host-gw
	static n3
	wait_for "it is told" 3 grep -q "$PEERS has no entry with an address of this node, which would say .*192.0.2.3.*--observe" $STORE/n3.log
	assert_eq "no subnet" "$(cat /run/n3/subnet.env 2>&1)" "cat: /run/n3/subnet.env: No such file or directory"
	assert_match "lease" "$("$CNIBOX" lease list --peers-file $PEERS)" "10.5.2.0/24 .*192.0.2.2 .*host-gw"
	refute "a reservation" "$CNIBOX" lease reserve --peers-file $PEERS 10.5.9.0/24 192.0.2.9
	said=$("$CNIBOX" lease list --peers-file /run/peers/none 2>&1) && flunk "NOT refused"
	assert_match "a file that is not there" "$said" "/run/peers/none: No such file"
}

@test "one that observes reaches all pods, by routes and over VXLAN, and has no lease, no subnet, no subnet.env" {
	for type in host-gw vxlan; do
		[[ $type == host-gw ]] && nodes 2 $type || jq -c '.Backend.Type = "vxlan"' <<<'{"Network":"10.5.0.0/16"}' >$STORE/config
		AGENT=flanneld agent n1
		ready n1
		AGENT=flanneld agent n2 --observe
		wait_for "it is told" 3 grep -q "everything is in place" $STORE/n2.log
		pod n1
		wait_for "$type: it reaches the pod" 3 nsenter --net=/run/netns/n2 ping -q -c 1 -W 1 "$(pod_ip n1)"
		assert_eq "one lease" "$(ls $STORE/subnets | wc -l)" 1
		assert_eq "no subnet.env" "$(find /run/n2 -type f ! -name "*.lock")" ""
		nsenter --net=/run/netns/n2 "$CNIBOX" flanneld --store $STORE --iface eth0 --observe --once --subnet-file /run/n2/once
		agent_kill n1
		agent_kill n2
		rm -r /run/n1 /run/n2 $STORE/subnets $STORE/n2.log
		ip -n n1 addr flush dev lo
	done
}
