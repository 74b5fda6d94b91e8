#!/usr/bin/env bats
# `ctr run --cni`: a list in /etc/cni/net.d, plugins in /opt/cni/bin; DEL comes with an empty CNI_NETNS, or never.

load lib/all
load lib/runtime
load lib/containerd
sandbox cgroup forward

setup() {
	need_root
	need_cgroups
	need containerd containerd-shim-runc-v2 runc ctr
	need_static_busybox
	our_plugins
	# ctr falls back on the distribution's plugins: they must not stand in for ours.
	[[ $PLUGINS == "$REFERENCE" || ! -d $REFERENCE ]] || mount -t tmpfs tmpfs "$REFERENCE"
	network_list pods >/etc/cni/net.d/10-pods.conflist
	containerd_start
	rootfs "$CONTAINERD/rootfs"
}

teardown() {
	containerd_stop
	[[ -n ${BATS_TEST_COMPLETED:-} || -n ${BATS_TEST_SKIPPED:-} ]] || containerd_log
}

ctr_run() {
	local name=$1

	shift
	# shellcheck disable=SC2086
	run_log ctr run ${CTR_OPTIONS:---rm} --cni --rootfs "$CONTAINERD/rootfs" "$name" /bin/sh -c "$*"
}

address_of() {
	ctr task exec --exec-id "look$RANDOM" "$1" /bin/ip -4 -o addr show eth0 | sed -n 's|.* inet \([0-9.]*\)/.*|\1|p'
}

@test "ctr: a container in the foreground reaches the world and leaves nothing" {
	local before
	outside_world
	ctr_run first true
	before=$(snapshot)
	ctr_run one 'ip addr show eth0; reach 192.0.2.2 && reach 2001:db8::2'
	no_attachments
	[[ $PLUGINS == "$REFERENCE" ]] || left "$before"
}

@test "ctr: containers in the background reach each other" {
	CTR_OPTIONS=-d ctr_run one 'exec tail -f /dev/null'
	CTR_OPTIONS=-d ctr_run two 'exec tail -f /dev/null'
	run_log ctr task exec --exec-id ping one /bin/reach "$(address_of two)"
	pings host "$(address_of one)"
}

@test "ctr: what a container in the background leaves, since nobody calls DEL, goes with GC" {
	[[ $PLUGINS != "$REFERENCE" ]] || missing "GC in the reference plugins"
	CTR_OPTIONS=-d ctr_run keep 'exec tail -f /dev/null'
	CTR_OPTIONS=-d ctr_run lost 'exec tail -f /dev/null'
	run_log ctr task kill -s KILL lost
	wait_for "it stops" 10 task_stopped lost
	run_log ctr task rm lost
	run_log ctr container rm lost
	assert_eq "the leases of both are there" "$(leases | wc -l)" 4

	cni_gc "$(gc_conf '[{"containerID": "default-keep", "ifname": "eth0"}]')"
	assert_eq "the leases of one" "$(leases | wc -l)" 2
	pings host "$(address_of keep)"
	assert_eq "the rules of one" "$(masquerades | wc -l)" 2

	run_log ctr task kill -s KILL keep
	wait_for "it stops" 10 task_stopped keep
	run_log ctr task rm keep
	# The tool knows the runtime's cache, too.
	run_log "$CNIBOX" cni gc --all pods
	no_attachments
}

task_stopped() {
	ctr task ls | grep -q "^$1 .*STOPPED"
}

gc_conf() {
	network_list pods '.plugins[0] + {name, cniVersion: "1.1.0", "cni.dev/valid-attachments": '"$1"'}'
}

@test "ctr: the whole chain, and what a forgotten container leaves of it" {
	local before
	need_chain
	whole_chain pods '.cniVersion = "1.0.0"' >/etc/cni/net.d/10-pods.conflist
	outside_world
	ctr_run first true
	before=$(snapshot)
	ctr_run one 'reach 192.0.2.2 && reach 2001:db8::2 && cat /proc/sys/net/core/somaxconn'
	no_attachments
	[[ $PLUGINS != "$REFERENCE" ]] || return 0
	left "$before"
	CTR_OPTIONS=-d ctr_run lost 'exec tail -f /dev/null'
	run_log ctr task kill -s KILL lost
	wait_for "it stops" 10 task_stopped lost
	run_log ctr task rm lost
	run_log ctr container rm lost
	refute "all of it is gone by itself" left "$before"
	run_log "$CNIBOX" cni gc --all pods
	left "$before"
	no_attachments
}
