# For tests with real container runtimes: an image made by hand, a network list, state that must be gone afterwards.
#
#   rootfs DIR            a root file system of busybox, and a program `reach ADDRESS`: ping with patience
#   network_list NAME [JQ] a configuration list of the bridge plugin under test, for /etc/cni/net.d
#   whole_chain NAME [JQ] the same with portmap, firewall, bandwidth and tuning behind it, as nodes have it
#   need_chain            its plugins are there
#   our_plugins           fail unless CNI_PATH's bridge is what is to be tested
#   podman_home           podman with nothing but what is in this node: its files, the network list `pods`, our plugins
#   no_attachments        nothing of any container is left on this node: ports, namespaces, rules, leases, results
# shellcheck shell=bash

rootfs() {
	local dir=$1

	mkdir -p "$dir"/{bin,etc,proc,sys,dev,tmp,var,run,root}
	cp "$(type -P busybox)" "$dir/bin/busybox"
	"$dir/bin/busybox" --install -s "$dir/bin" 2>/dev/null || :
	# Links made by --install name the path it was called by; inside, it is /bin/busybox.
	find "$dir/bin" -type l -exec ln -sf /bin/busybox {} \;
	echo root:x:0:0:root:/root:/bin/sh >"$dir/etc/passwd"
	# The first packets may wait for duplicate address detection on the bridge.
	cat >"$dir/bin/reach" <<-'END'
		#!/bin/sh
		for try in 1 2 3 4 5; do
			ping -c 1 -W 1 "$1" && exit 0
		done
		exit 1
	END
	chmod +x "$dir/bin/reach"
}

need_static_busybox() {
	need busybox
	! ldd "$(type -P busybox)" >/dev/null 2>&1 || missing "a static busybox"
}

network_list() {
	jq -n --arg name "$1" '{cniVersion: "0.4.0", name: $name, plugins: [{
		type: "bridge", bridge: "cni0", isGateway: true, ipMasq: true, hairpinMode: true,
		ipam: {type: "host-local", routes: [{dst: "0.0.0.0/0"}, {dst: "::/0"}],
			ranges: [[{subnet: "10.88.0.0/24"}], [{subnet: "fd88::/64"}]]}}]} | '"${2:-.}"
}

whole_chain() {
	network_list "$1" '.plugins[0].isDefaultGateway = true | del(.plugins[0].ipam.routes) | .plugins += [
		{type: "portmap", capabilities: {portMappings: true}},
		{type: "firewall"},
		{type: "bandwidth", capabilities: {bandwidth: true}},
		{type: "tuning", sysctl: {"net.core.somaxconn": "500"}}] | '"${2:-.}"
}

need_chain() {
	need iptables tc
	need_plugin bridge host-local loopback portmap firewall bandwidth tuning
}

our_plugins() {
	need_plugin bridge host-local loopback
}

need_plugin() {
	local name

	for name; do
		[[ -x $PLUGINS/$name ]] || flunk "no plugin \"$name\" in $PLUGINS; is it built?"
	done
}

podman_home() {
	mkdir -p /run/podman
	mount -t tmpfs tmpfs /run/podman
	# The machine's bounding set may lack CAP_SYS_RESOURCE, so limits must not be raised.
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
		default_network = "pods"
	END
	cat >/run/podman/storage.conf <<-END
		[storage]
		driver = "vfs"
		graphroot = "/run/podman/storage"
		runroot = "/run/podman/run"
	END
	export CONTAINERS_CONF=/run/podman/containers.conf CONTAINERS_STORAGE_CONF=/run/podman/storage.conf HOME=/run/podman
}

# The world outside of the node: 192.0.2.2 behind a router, which has no route back to the containers.
outside_world() {
	container world
	ip link add up0 type veth peer name up0 netns world
	echo 0 >/proc/sys/net/ipv6/conf/up0/accept_dad
	nsenter --net=/run/netns/world -- sh -c 'echo 0 >/proc/sys/net/ipv6/conf/up0/accept_dad'
	ip addr add 192.0.2.1/24 dev up0
	ip addr add 2001:db8::1/64 dev up0
	ip link set up0 up
	ip -n world addr add 192.0.2.2/24 dev up0
	ip -n world addr add 2001:db8::2/64 dev up0
	ip -n world link set up0 up
}

no_attachments() {
	assert_json "no port on the bridge" "$(ip -d -j link)" '[.[] | select(.linkinfo.info_kind == "veth" and .ifname != "up0")] | length' 0
	# The reference forgets them when DEL comes without a namespace, or when the addresses are gone.
	[[ $PLUGINS == "$REFERENCE" ]] || assert_eq "no masquerade rule" "$(masquerades)" ""
	assert_eq "no lease" "$(find /var/lib/cni/networks -type f ! -name lock ! -name 'last_reserved_ip.*' 2>/dev/null)" ""
	assert_eq "no cached result" "$(find /var/lib/cni/results -type f 2>/dev/null)" ""
}

# One line for each container and address whose packets get masqueraded.
masquerades() {
	{
		snapshot_iptables | grep -E -- '-A POSTROUTING .*-j CNI-[0-9a-f]{24}$' || :
		nft list table inet cni_plugins_masquerade 2>/dev/null | grep ' masquerade' || :
	} | sort
}

leases() {
	find /var/lib/cni/networks -type f ! -name lock ! -name 'last_reserved_ip.*' -printf '%f\n' 2>/dev/null | sort
}
