#!/usr/bin/env bats
# shellcheck disable=SC2086 # paths of our own, without blanks
# Two nodes, each with a containerd of its own, the flannel chain that k3s writes, and an agent: pod to pod across them.

load lib/all
load lib/runtime
load lib/containerd
load lib/nodes
sandbox cgroup forward

setup() {
	need_root
	need_cgroups
	need containerd containerd-shim-runc-v2 runc iptables ping
	/usr/bin/python3 -c 'import grpc, grpc_tools.protoc' 2>/dev/null || missing "python3-grpcio and python3-grpc-tools"
	need_static_busybox
	need_plugin flannel bridge host-local loopback portmap
}

# In the node's network, with what a node has for itself.
containerd() {
	exec nsenter --net=/run/netns/$NODE unshare --mount --propagation private -- sh -ec '
		for dir in /var/lib/cni /run/netns; do mount -t tmpfs tmpfs "$dir"; done
		mount --bind "/run/$1/net.d" /etc/cni/net.d
		shift
		exec containerd "$@"' sh $NODE "$@"
}

on() { # NODE: whose containerd is talked to
	NODE=$1 CONTAINERD=/run/containerd-$1
}

node_start() {
	on "$1"
	mkdir -p /run/$1/net.d /var/lib/cni
	jq -n --arg env /run/$1/subnet.env '{name: "cbr0", cniVersion: "1.0.0", plugins: [
		{type: "flannel", subnetFile: $env, delegate: {hairpinMode: true, forceAddress: true, isDefaultGateway: true}},
		{type: "portmap", capabilities: {portMappings: true}}]}' >/run/$1/net.d/10-flannel.conflist
	containerd_start cri
	PIDS+=("$CONTAINERD_PID")
	containerd_image
	wait_for "the network of $1" 5 cri ready
}

teardown() {
	local node

	for CONTAINERD_PID in "${PIDS[@]}"; do containerd_stop; done
	[[ -n ${BATS_TEST_COMPLETED:-} || -n ${BATS_TEST_SKIPPED:-} ]] || for node in n1 n2; do
		on $node
		containerd_log
		tail -n 5 $STORE/$node.log
	done
}

# start NODE [OPTION ...]: a pod there that says its node's name; sets POD_NODE, BOX_NODE, IP_NODE.
start() {
	local node=$1 made

	shift
	on $node
	mapfile -t made < <(cri run "$@" localhost/box:1 /bin/sh -c "nc -ll -p 8000 -e echo 'pod on $node' & exec tail -f /dev/null")
	printf -v POD_$node %s "${made[0]}"
	printf -v BOX_$node %s "${made[1]}"
	printf -v IP_$node %s "$(cri ips "${made[0]}" | head -n 1)"
}

says() { # NODE BOX ADDRESS TEXT
	on $1
	[[ $(cri exec "$2" nc -w 2 "$3" 8000) == "$4" ]]
}

# The second address of a pod, and a packet of full size to it from the other's.
reach_v6() { # MTU
	local ip6

	on n2
	ip6=$(cri ips "$POD_n2" | sed -n 2p)
	assert_match "an IPv6 address" "$ip6" "^fd05:"
	on n1
	wait_for "n1's pod reaches n2's by IPv6" 5 cri exec "$BOX_n1" ping -6 -c 1 -W 2 -s $(($1 - 48)) "$ip6"
}

pod_to_pod() { # TYPE MTU [JQ]
	nodes 2 $1 "${3:-.}"
	case $1 in
	vxlan) AGENT=vxlan ;;
	udp) AGENT=tun-relay ;;
	*) AGENT=hostgw-sync ;;
	esac
	agent n1 --ip-masq
	agent n2 --ip-masq
	ready n1 n2
	PIDS=()
	node_start n1
	node_start n2
	start n1 one
	start n2 --port 8080:8000 two
	assert_match "an address of n1's subnet" "$IP_n1" "^$(subnet n1 | sed 's,0/24,,; s,\.,\\.,g')"
	assert_match "an address of n2's subnet" "$IP_n2" "^$(subnet n2 | sed 's,0/24,,; s,\.,\\.,g')"
	wait_for "n1's pod hears n2's" 5 says n1 "$BOX_n1" "$IP_n2" "pod on n2"
	wait_for "n2's pod hears n1's" 5 says n2 "$BOX_n2" "$IP_n1" "pod on n1"
	on n1
	assert_match "the pod's MTU" "$(cri exec "$BOX_n1" cat /sys/class/net/eth0/mtu)" "^$2\$"
	assert "packets of that size" cri exec "$BOX_n1" ping -c 1 -W 2 -s $(($2 - 28)) "$IP_n2"
	assert "and in parts" cri exec "$BOX_n1" ping -c 1 -W 2 -s 4000 "$IP_n2"
	assert_eq "no rule masquerades between pods" "$(nsenter --net=/run/netns/n1 iptables-save -t nat | grep -c -- "CNI-[0-9a-f]\{24\}.*MASQUERADE")" 0
	wait_for "n2's host port, from n1" 3 host_port
	[[ -z ${3:-} ]] || reach_v6 $2
	agent_kill n1 KILL
	if [[ $1 == udp ]]; then # pods keep what they have while the next agent takes the device over
		agent n1 --ip-masq
		wait_for "with the next agent" 5 says n1 "$BOX_n1" "$IP_n2" "pod on n2"
	else
		assert "without an agent, too" says n1 "$BOX_n1" "$IP_n2" "pod on n2"
	fi
	on n1
	run_log cri stop "$POD_n1"
	run_log cri remove "$POD_n1"
	assert_eq "what is left of it" "$(ip -n n1 -d -j link | jq '[.[] | select(.linkinfo.info_kind == "veth" and .master == "cni0")] | length')" 0
	assert "the bridge has the address that a next pod needs" ip -n n1 addr show cni0
}

host_port() { [[ $(fetch n1 192.0.2.2 8080) == "pod on n2" ]]; }

@test "containerd: pod to pod across nodes over VXLAN, with the chain of k3s" {
	pod_to_pod vxlan 1450
}

@test "containerd: pod to pod across nodes by host-gw, with the chain of k3s" {
	pod_to_pod host-gw 1500
}

@test "containerd: pod to pod across nodes by the relay, in both families" {
	pod_to_pod udp 1452 '.EnableIPv6 = true | .IPv6Network = "fd05::/48"'
}
