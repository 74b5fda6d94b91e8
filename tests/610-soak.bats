#!/usr/bin/env bats
# A bad week in a minute: attachments made and removed by many at once, some of the calls killed half way. Nothing may be
# left, and no address may be two pods'. SOAK_COUNT is for the long one (`make soak`: 10000 for each back end).

load lib/all
sandbox forward

COUNT=${SOAK_COUNT:-250} WORKERS=32 KILLED=10

setup() {
	need_root
	need gcc jq
	gcc -D_GNU_SOURCE -O1 -o "$BATS_TEST_TMPDIR/soak" "$CNIBOX_TESTS/lib/soak.c"
	for ((i = 0; i < WORKERS; i++)); do
		container "w$i"
	done
}

# What attachments may leave: chains and tables that all share stay, as the reference plugins' do.
remains() {
	ls /var/lib/cni/networks/soak
	ls /var/lib/cni/results
	ip -o link show | awk '{ print $2 }'
	iptables-save | { grep '^-A' || :; }
	nft list ruleset | { grep -E 'comment|elements' || :; }
	for ((i = 0; i < WORKERS; i++)); do
		ip -n "w$i" -o link show | awk '{ print $2 }'
	done
}

soak() { # BACKEND
	mkdir -p /etc/cni/net.d
	jq -n --arg backend "$1" '{cniVersion: "1.0.0", name: "soak", plugins: [
		{type: "bridge", bridge: "cni0", isDefaultGateway: true, ipMasq: true, ipMasqBackend: $backend,
		 ipam: {type: "host-local", subnet: "10.77.0.0/16"}},
		{type: "portmap", backend: $backend, capabilities: {portMappings: true}},
		{type: "bandwidth", ingressRate: 100000000, ingressBurst: 10000000, egressRate: 100000000, egressBurst: 10000000},
		{type: "tuning", sysctl: {"net.ipv4.conf.eth0.arp_notify": "1"}},
		{type: "firewall", backend: $backend}]}' >/etc/cni/net.d/soak.conflist
	container first
	run_log "$CNIBOX" cni add soak first --capability-args '{"portMappings": [{"hostPort": 8080, "containerPort": 80, "protocol": "tcp"}]}'
	run_log "$CNIBOX" cni del soak first
	remains >"$BATS_TEST_TMPDIR/before"
	run_log "$BATS_TEST_TMPDIR/soak" "$CNIBOX" soak "$COUNT" $WORKERS $KILLED
	remains >"$BATS_TEST_TMPDIR/after"
	assert_eq "what is left" "$(diff "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/after")" ""
}

@test "attachments of 32 at once with calls killed leave nothing, and no address is doubled: nftables" {
	soak nftables
}

@test "the same with iptables" {
	need iptables
	soak iptables
}
