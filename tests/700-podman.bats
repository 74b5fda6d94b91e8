#!/usr/bin/env bats
# podman with its CNI back end: the plugins under test are the only ones that it finds.

load lib/all
load lib/runtime
sandbox cgroup forward

setup() {
	need_root
	need_cgroups
	need podman runc conmon
	need_static_busybox
	our_plugins
	mkdir -p /etc/cni/net.d
	network_list pods >/etc/cni/net.d/pods.conflist
	podman_home
	rootfs /run/podman/rootfs
	tar -C /run/podman/rootfs -c . | deadline podman import -q - localhost/box:1
}

podman_run() {
	local name=$1

	shift
	run_log deadline 30 podman run -d --name "$name" --stop-timeout 0 "$@" localhost/box:1 \
		sh -c 'nc -ll -p 8000 -e echo "I am $HOSTNAME" & exec tail -f /dev/null' 3>&-
}

address() {
	podman inspect "$1" | jq -r ".[0].NetworkSettings.Networks.pods.$2"
}

@test "podman: containers get addresses of both families, reach each other and the world, and leave nothing" {
	local before a b
	outside_world
	# The bridge stays; it is not what a container leaves.
	podman_run first
	deadline podman rm -f first
	before=$(snapshot)

	podman_run one --hostname one
	podman_run two --hostname two
	a=$(address one IPAddress) b=$(address two IPAddress)
	refute "both have the same address" test "$a" = "$b"
	assert_match "an address of the range" "$a" '^10\.88\.0\.'
	assert_json "a lease for each" "$(leases | jq -R . | jq -s 'length')" . 4
	run_log deadline podman exec one reach "$b"
	run_log deadline podman exec two reach "$(address one GlobalIPv6Address)"
	wait_for "two's server answers" 5 podman_fetch one "$b" "I am two"
	run_log deadline podman exec one reach 192.0.2.2
	run_log deadline podman exec one reach 2001:db8::2

	run_log deadline podman rm -f one two
	left "$before"
	no_attachments
}

podman_fetch() {
	[[ $(deadline podman exec "$1" nc -w 2 "$2" 8000) == "$3" ]]
}

@test "podman: a container keeps working over stop and start" {
	podman_run one --hostname one
	run_log deadline podman stop one
	no_attachments
	run_log deadline podman start one 3>&-
	pings host "$(address one IPAddress)"
	run_log deadline podman rm -f one
	no_attachments
}

@test "podman: the address and hardware address that the user asks for" {
	podman_run one --ip 10.88.0.77 --mac-address 02:00:00:00:00:77
	assert_eq "the address" "$(address one IPAddress)" 10.88.0.77
	assert_match "the hardware address" "$(deadline podman exec one ip link show eth0)" 02:00:00:00:00:77
	run_log deadline podman rm -f one
	no_attachments
}

@test "podman: a second network, attached and detached while the container runs" {
	network_list more '.plugins[0].bridge = "cni1" | .plugins[0].ipam = {type: "host-local", subnet: "10.89.0.0/24"}' \
		>/etc/cni/net.d/more.conflist
	podman_run one
	run_log deadline podman network connect more one
	assert_match "eth1" "$(deadline podman exec one ip addr show eth1)" '10\.89\.0\.'
	run_log deadline podman network disconnect more one
	refute "eth1 is there" deadline podman exec one ip link show eth1
	run_log deadline podman rm -f one
	no_attachments
}

@test "podman: five containers at once get five addresses" {
	local i pids=() pid
	for i in 1 2 3 4 5; do
		podman_run "c$i" >"$BATS_TEST_TMPDIR/c$i.log" 2>&1 &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do
		wait "$pid" || { cat "$BATS_TEST_TMPDIR"/c*.log; false; }
	done
	assert_eq "five v4 leases" "$(leases | grep -c '^10\.')" 5
	run_log deadline podman rm -f c1 c2 c3 c4 c5
	no_attachments
}

# ---- the chain of a node: bridge, portmap, firewall, bandwidth, tuning ----

reaches() { # FROM ADDRESS PORT TEXT
	[[ $(fetch "$1" "$2" "$3") == "$4" ]]
}

@test "podman -p: a port is reached from outside, on localhost, from another container and from itself; then it is closed" {
	local before
	need_chain
	whole_chain pods >/etc/cni/net.d/pods.conflist
	outside_world
	podman_run first -p 8080:8000
	deadline podman rm -f first
	before=$(snapshot)

	podman_run web --hostname web -p 8080:8000 -p 192.0.2.1:9000-9002:8000-8002
	podman_run other
	wait_for "from outside" 5 reaches world 192.0.2.1 8080 "I am web"
	wait_for "from outside, over IPv6" 5 reaches world 2001:db8::1 8080 "I am web"
	reaches host 127.0.0.1 8080 "I am web" || flunk "NOT: from the node, over localhost"
	reaches world 192.0.2.1 9000 "I am web" || flunk "NOT: a range of ports on one address"
	refute "the range is on another address" fetch host 10.88.0.1 9000
	run_log podman_port other 192.0.2.1 8080 "I am web"
	run_log podman_port web 192.0.2.1 8080 "I am web"
	assert_eq "the sysctl" "$(deadline podman exec web cat /proc/sys/net/core/somaxconn)" 500
	run_log deadline podman exec web reach 192.0.2.2

	run_log deadline podman restart web 3>&-
	wait_for "after a restart" 5 reaches world 192.0.2.1 8080 "I am web"
	run_log deadline podman rm -f web other
	refute "the port is still open" fetch world 192.0.2.1 8080
	left "$before"
	no_attachments
}

podman_port() { # CONTAINER ADDRESS PORT TEXT
	[[ $(deadline podman exec "$1" nc -w 2 "$2" "$3") == "$4" ]]
}

@test "podman: after somebody flushed all rules, cni restore opens the ports again" {
	need_chain
	[[ $PLUGINS != "$REFERENCE" ]] || missing "the verb restore in the reference plugins"
	whole_chain pods >/etc/cni/net.d/pods.conflist
	outside_world
	podman_run web --hostname web -p 8080:8000
	wait_for "from outside" 5 reaches world 192.0.2.1 8080 "I am web"
	nft flush ruleset
	refute "the port is open" fetch world 192.0.2.1 8080
	refute "the world answers" deadline podman exec web ping -c 1 -W 1 192.0.2.2
	run_log "$CNIBOX" cni restore --path "$PLUGINS" -v
	wait_for "from outside" 5 reaches world 192.0.2.1 8080 "I am web"
	run_log deadline podman exec web reach 192.0.2.2
	reaches host 127.0.0.1 8080 "I am web" || flunk "NOT: from the node, over localhost"
	run_log deadline podman rm -f web
	no_attachments
}
