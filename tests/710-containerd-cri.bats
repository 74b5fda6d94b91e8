#!/usr/bin/env bats
# containerd's CRI plugin, the way a kubelet starts pods: loopback and the network at the same time, DEL twice.

load lib/all
load lib/runtime
load lib/containerd
sandbox cgroup forward

setup() {
	need_root
	need_cgroups
	need containerd containerd-shim-runc-v2 runc
	/usr/bin/python3 -c 'import grpc, grpc_tools.protoc' 2>/dev/null || missing "python3-grpcio and python3-grpc-tools"
	need_static_busybox
	our_plugins
}

# start [JQ]: with that change to the network's configuration.
start() {
	network_list pods "$@" >/etc/cni/net.d/10-pods.conflist
	containerd_start cri
	containerd_image
}

teardown() {
	containerd_stop
	[[ -n ${BATS_TEST_COMPLETED:-} || -n ${BATS_TEST_SKIPPED:-} ]] || containerd_log
}

# pod [OPTION ...] NAME: sets POD, BOX (its container), IPS.
pod() {
	local name=${*: -1}

	mapfile -t made < <(cri run "$@" localhost/box:1 /bin/sh -c "nc -ll -p 8000 -e echo 'I am $name' & exec tail -f /dev/null")
	POD=${made[0]} BOX=${made[1]}
	mapfile -t IPS < <(cri ips "$POD")
	echo "pod $name: $POD ${IPS[*]}"
}

pod_gone() {
	run_log cri stop "$1"
	run_log cri stop "$1"
	run_log cri remove "$1"
}

says() {
	[[ $(cri exec "$1" nc -w 2 "$2" 8000) == "$3" ]]
}

@test "cri: the network is ready" {
	start
	wait_for "the network" 5 cri ready
}

@test "cri: pods of both families reach each other and the world, and leave nothing" {
	local before a b a_box a_ips
	start
	outside_world
	pod first
	pod_gone "$POD"
	before=$(snapshot)

	pod a
	a=$POD a_box=$BOX a_ips=("${IPS[@]}")
	pod b
	b=$POD
	assert_match "a v4 address" "${IPS[0]}" '^10\.88\.0\.'
	assert_match "a v6 address" "${IPS[1]}" '^fd88::'
	wait_for "b's server answers" 5 says "$a_box" "${IPS[0]}" "I am b"
	wait_for "a's server answers over IPv6" 5 says "$BOX" "${a_ips[1]}" "I am a"
	run_log cri exec "$BOX" reach 192.0.2.2
	run_log cri exec "$BOX" reach 2001:db8::2
	assert_match "loopback is up" "$(cri exec "$BOX" ip addr show lo)" 'inet 127\.0\.0\.1/8'
	run_log pings host "${a_ips[0]}"

	pod_gone "$a"
	pod_gone "$b"
	left "$before"
	no_attachments
}

@test "cri: eight pods started together get eight addresses, and are removed together" {
	local i pids=() pid ids
	start
	for i in 1 2 3 4 5 6 7 8; do
		cri run "p$i" >"$BATS_TEST_TMPDIR/p$i" 2>&1 &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do
		wait "$pid" || { cat "$BATS_TEST_TMPDIR"/p*; false; }
	done
	assert_eq "eight v4 addresses" "$(leases | grep -c '^10\.')" 8
	assert_eq "eight v6 addresses" "$(leases | grep -c '^fd88:')" 8
	pids=()
	for i in 1 2 3 4 5 6 7 8; do
		ids=$(head -n 1 "$BATS_TEST_TMPDIR/p$i")
		cri remove "$ids" &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do
		wait "$pid"
	done
	no_attachments
}

@test "cri: a pod that cannot get an address fails with the plugin's words, and leaves nothing" {
	local before said one
	start '.plugins[0].ipam = {type: "host-local", subnet: "10.88.0.0/30"}'
	one=$(cri run one)
	before=$(snapshot)
	said=$(cri run two 2>&1) || :
	assert_match "the reason" "$said" 'no IP addresses available in range set'
	assert_eq "one lease" "$(leases)" 10.88.0.2
	left "$before"
	pod_gone "$one"
	no_attachments
}

# ---- the chain of a node: bridge, portmap, firewall, bandwidth, tuning; containerd spells its keys HostPort, IngressRate ----

# reaches FROM ADDRESS PORT TEXT: a TCP server there says so
reaches() {
	[[ $(fetch "$1" "$2" "$3") == "$4" ]]
}

# The discipline that limits what a pod gets is on the host's end of its veth pair, that for what it sends on an ifb.
shaped() {
	tc qdisc show | sed -n 's/^qdisc tbf .* dev \([a-z]*\).* rate \([^ ]*\) .*/\1 \2/p' | sort
}

@test "cri: the whole chain: host ports from everywhere, limits, rules, sysctls; and nothing of it is left" {
	local before address
	need_chain
	whole_chain pods >/etc/cni/net.d/10-pods.conflist
	containerd_start cri
	containerd_image
	outside_world
	# The first pod leaves the bridge and what the pods share.
	pod --port 8080:8000 first
	pod_gone "$POD"
	before=$(snapshot)

	pod --port 8080:8000 --port 5353:53/udp --annotation kubernetes.io/ingress-bandwidth=80M \
		--annotation kubernetes.io/egress-bandwidth=40M web
	web=$POD web_box=$BOX
	for address in 192.0.2.1 2001:db8::1; do
		wait_for "from outside, $address" 5 reaches world "$address" 8080 "I am web"
	done
	reaches host 127.0.0.1 8080 "I am web" || flunk "NOT: from the node, over localhost"
	reaches host 192.0.2.1 8080 "I am web" || flunk "NOT: from the node, over its address"
	assert "from the pod itself" says_at "$BOX" 192.0.2.1 8080 "I am web"
	pod other
	assert "from another pod" says_at "$BOX" 192.0.2.1 8080 "I am web"
	assert "from another pod, over IPv6" says_at "$BOX" 2001:db8::1 8080 "I am web"
	refute "another port is open" fetch world 192.0.2.1 8081
	assert_eq "both directions are limited" "$(shaped | sed 's/^veth.*/in &/; s/^bwp.*/out &/; s/ [a-z0-9]* / /')" $'out 40Mbit\nin 80Mbit'
	assert_eq "the sysctl" "$(cri exec "$web_box" cat /proc/sys/net/core/somaxconn)" 500

	iptables -P FORWARD DROP
	ip6tables -P FORWARD DROP
	assert "the firewall lets pods out where the node lets nobody" cri exec "$web_box" reach 192.0.2.2
	assert "over IPv6, too" cri exec "$web_box" reach 2001:db8::2
	iptables -P FORWARD ACCEPT
	ip6tables -P FORWARD ACCEPT

	pod_gone "$web"
	refute "the port is still open" fetch world 192.0.2.1 8080
	pod_gone "$POD"
	left "$before"
	no_attachments
}

says_at() { # CONTAINER ADDRESS PORT TEXT
	[[ $(cri exec "$1" nc -w 2 "$2" "$3") == "$4" ]]
}

@test "cri: two pods cannot have the same host port; the second one fails and leaves nothing" {
	local before said
	[[ $PLUGINS != "$REFERENCE" ]] || missing "port conflicts in the reference plugins"
	need_chain
	whole_chain pods >/etc/cni/net.d/10-pods.conflist
	containerd_start cri
	containerd_image
	one=$(cri run --port 8080:80 one)
	before=$(snapshot)
	said=$(cri run --port 8080:80 two 2>&1) || :
	assert_match "the reason" "$said" '8080'
	left "$before"
	pod_gone "$one"
	no_attachments
}
