#!/usr/bin/env bats
# A node as k3s has it: one multi-call binary in the plugin folder and links to it, the list flannel, portmap, bandwidth,
# and a lease that the flannel daemon wrote; under containerd and podman.

load lib/all
load lib/runtime
load lib/containerd
sandbox cgroup forward

setup() {
	need_root
	need_cgroups
	need containerd containerd-shim-runc-v2 runc iptables tc
	/usr/bin/python3 -c 'import grpc, grpc_tools.protoc' 2>/dev/null || missing "python3-grpcio and python3-grpc-tools"
	need_static_busybox
	one_binary
	mkdir -p /run/flannel
	list >/etc/cni/net.d/10-flannel.conflist
}

teardown() {
	containerd_stop
	[[ -n ${BATS_TEST_COMPLETED:-} || -n ${BATS_TEST_SKIPPED:-} ]] || containerd_log
}

# The folder as k3s lays it out: nothing but one file and names for it.
one_binary() {
	local name

	PLUGINS=/run/k3s/cni
	mkdir -p $PLUGINS
	cp "$CNIBOX" $PLUGINS/cni
	for name in bandwidth bridge firewall flannel host-local loopback portmap; do
		[[ -e $CNIBOX_TOP/applets/cni/$name.c ]] || flunk "no plugin \"$name\"" || return
		ln -s cni $PLUGINS/$name
	done
}

# Key by key what k3s writes into its list.
list() {
	jq -n '{name: "cbr0", cniVersion: "1.0.0", plugins: [
		{type: "flannel", delegate: {hairpinMode: true, forceAddress: true, isDefaultGateway: true}},
		{type: "portmap", capabilities: {portMappings: true}},
		{type: "bandwidth", capabilities: {bandwidth: true}}]}'
}

# The daemon masquerades with its own rule, which leaves traffic inside of the network alone.
lease() {
	cat >/run/flannel/subnet.env <<-END
		FLANNEL_NETWORK=10.42.0.0/16
		FLANNEL_SUBNET=10.42.0.1/24
		FLANNEL_IPV6_NETWORK=2001:cafe:42::/56
		FLANNEL_IPV6_SUBNET=2001:cafe:42::1/64
		FLANNEL_MTU=1450
		FLANNEL_IPMASQ=true
	END
	iptables -t nat -A POSTROUTING -s 10.42.0.0/16 ! -d 10.42.0.0/16 -j MASQUERADE
	ip6tables -t nat -A POSTROUTING -s 2001:cafe:42::/56 ! -d 2001:cafe:42::/56 -j MASQUERADE
}

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

reaches() { # FROM ADDRESS PORT TEXT
	[[ $(fetch "$1" "$2" "$3") == "$4" ]]
}

nothing_kept() {
	no_attachments
	assert_eq "no configuration of a delegate" "$(find /var/lib/cni/flannel -type f)" ""
}

@test "k3s: pods get addresses of the lease, reach each other and the world, host ports are open; nothing is left" {
	local before a b
	lease
	containerd_start cri
	containerd_image
	outside_world
	pod --port 8080:8000 first
	pod_gone "$POD"
	before=$(snapshot)

	pod --port 8080:8000 --annotation kubernetes.io/ingress-bandwidth=80M a
	a=$POD a_box=$BOX a_ip=${IPS[0]} a_ip6=${IPS[1]}
	pod b
	b=$POD
	assert_match "an address of the lease" "$a_ip ${IPS[0]}" '^10\.42\.0\.[0-9]+ 10\.42\.0\.[0-9]+$'
	assert_match "of both families" "${IPS[1]}" '^2001:cafe:42::'
	assert_match "the daemon's MTU" "$(cri exec "$BOX" ip link show eth0)" 'mtu 1450'
	assert_match "a route to the flannel network, and the default" "$(cri exec "$BOX" ip route)" '10\.42\.0\.0/16 via 10\.42\.0\.1'
	[[ $(cri exec "$BOX" nc -w 2 "$a_ip" 8000) == "I am a" ]] || flunk "NOT: from pod to pod"
	[[ $(cri exec "$BOX" nc -w 2 "$a_ip6" 8000) == "I am a" ]] || flunk "NOT: from pod to pod, over IPv6"
	run_log cri exec "$BOX" reach 192.0.2.2
	run_log cri exec "$BOX" reach 2001:db8::2
	wait_for "the host port from outside" 5 reaches world 192.0.2.1 8080 "I am a"
	wait_for "over IPv6" 5 reaches world 2001:db8::1 8080 "I am a"
	reaches host 127.0.0.1 8080 "I am a" || flunk "NOT: the host port over localhost"
	[[ $(cri exec "$a_box" nc -w 2 192.0.2.1 8080) == "I am a" ]] || flunk "NOT: the host port from the pod itself"
	assert_eq "the limit" "$(tc qdisc show | grep -c '^qdisc tbf .* rate 80Mbit')" 1
	assert_eq "the configurations of two delegates" "$(find /var/lib/cni/flannel -type f | wc -l)" 2
	assert_eq "the delegate does not masquerade, too" "$(masquerades)" ""

	pod_gone "$a"
	pod_gone "$b"
	left "$before"
	nothing_kept
}

@test "k3s: before the daemon has a lease, a pod fails with the words that people look up; then the next try works" {
	local said
	containerd_start cri
	containerd_image
	said=$(cri run early 2>&1) || :
	assert_match "the reason" "$said" "failed to load flannel 'subnet.env' file: open /run/flannel/subnet.env: no such file or directory. Check the flannel pod log for this node."
	nothing_kept
	lease
	pod late
	assert_match "an address" "${IPS[0]}" '^10\.42\.0\.'
	rm /run/flannel/subnet.env
	pod_gone "$POD"
	nothing_kept
}

@test "k3s: podman on the same list" {
	need podman conmon
	lease
	outside_world
	mkdir -p /run/podman
	mount -t tmpfs tmpfs /run/podman
	cat >/run/podman/containers.conf <<-END
		[containers]
		default_ulimits = ["nofile=1024:4096", "nproc=4096:4096"]
		log_driver = "k8s-file"
		[engine]
		cgroup_manager = "cgroupfs"
		events_logger = "file"
		runtime = "runc"
		tmp_dir = "/run/podman/tmp"
		[network]
		network_backend = "cni"
		cni_plugin_dirs = ["$PLUGINS"]
		network_config_dir = "/etc/cni/net.d"
		default_network = "cbr0"
	END
	printf '[storage]\ndriver = "vfs"\ngraphroot = "/run/podman/storage"\nrunroot = "/run/podman/run"\n' >/run/podman/storage.conf
	export CONTAINERS_CONF=/run/podman/containers.conf CONTAINERS_STORAGE_CONF=/run/podman/storage.conf HOME=/run/podman
	rootfs /run/podman/rootfs
	tar -C /run/podman/rootfs -c . | deadline podman import -q - localhost/box:1
	run_log deadline 30 podman run -d --name web --network cbr0 --stop-timeout 0 -p 8080:8000 localhost/box:1 \
		nc -ll -p 8000 -e echo "I am web" 3>&-
	wait_for "the host port from outside" 5 reaches world 192.0.2.1 8080 "I am web"
	run_log deadline podman exec web reach 192.0.2.2
	run_log deadline podman rm -f web
	nothing_kept
}
