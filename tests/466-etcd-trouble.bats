#!/usr/bin/env bats
# shellcheck disable=SC2086,SC2206,SC2030,SC2031 # paths of our own, without blanks; each test is a process
# etcd as it is on a bad day: not there, restarted, slow, with users, and a store process that is killed.

load lib/all
load lib/nodes
load lib/etcd
sandbox

setup() {
	need etcd etcdctl
	[[ -x ${CNIBOX%/*}/cnibox-store ]] || missing "cnibox-store (libcurl's development files)"
	AGENT=hostgw-sync
}

store_pid() { pgrep -P "$(agent_pid "$1")" cnibox-store; }
store_is_new() { local pid; pid=$(store_pid "$1") && [[ $pid != "$2" ]]; }
peers_of() { ip -n "$1" route show proto 118; }
put_lease() { etcd put "$ETCD_PREFIX/subnets/$1" "$2" >/dev/null; }

@test "etcd is not there at start: that is told within two seconds, and when it comes all goes well (D18)" {
	nodes 1 host-gw
	etcd_start
	etcd_network host-gw
	etcd_kill e1
	PLACE=(--etcd-endpoints "http://192.0.2.201:2379,http://192.0.2.250:2379,http://nowhere.invalid:2379")
	agent n1
	wait_for "it is told" 2 grep -q "etcd: 192.0.2.201:2379: Connection refused" $STORE/n1.log
	etcd_member e1
	ready n1
	assert_match "said" "$(<$STORE/n1.log)" 'the store is well again'
}

@test "etcd goes and comes back: the data plane stays, and changes are seen at once" {
	nodes 2 host-gw
	etcd_start
	etcd_network host-gw
	agent n1
	agent n2
	ready n1 n2
	wait_for "routes" 2 has "$(subnet n2) via" peers_of n1
	before=$(peers_of n1)
	etcd_kill e1
	wait_for "it is told" 3 grep -q "etcd: 192.0.2.201:2379: Connection refused" $STORE/n1.log
	assert_eq "the routes stay" "$(peers_of n1)" "$before"
	etcd_member e1
	wait_for "etcd" 10 etcd_healthy
	put_lease 10.5.204.0-24 '{"PublicIP":"192.0.2.7","BackendType":"host-gw"}'
	wait_for "a new peer" 2 has 10.5.204.0 peers_of n1
	# A process that hangs is no better than one that is gone.
	kill -STOP "$(agent_pid e1)"
	: >$STORE/n1.log
	wait_for "that it hangs is told" 12 grep -qE "192.0.2.201:2379.*(timed out|does not answer)" $STORE/n1.log
	kill -CONT "$(agent_pid e1)"
	put_lease 10.5.205.0-24 '{"PublicIP":"192.0.2.7","BackendType":"host-gw"}'
	wait_for "another new peer" 4 has 10.5.205.0 peers_of n1
}

@test "the store's process is killed: another one takes over, no lease and no route is touched" {
	nodes 2 host-gw
	etcd_start
	etcd_network host-gw
	agent n1
	agent n2
	ready n1 n2
	wait_for "routes" 2 has "$(subnet n2) via" peers_of n1
	before=$(peers_of n1) leases=$(etcd_leases)
	pid=$(store_pid n1)
	kill -KILL "$pid"
	wait_for "another one" 4 store_is_new n1 "$pid"
	put_lease 10.5.204.0-24 '{"PublicIP":"192.0.2.7","BackendType":"host-gw"}'
	wait_for "a new peer" 3 has 10.5.204.0 peers_of n1
	etcd del $ETCD_PREFIX/subnets/10.5.204.0-24
	wait_for "gone again" 2 lacks 10.5.204.0 peers_of n1
	assert_eq "routes" "$(peers_of n1)" "$before"
	assert_eq "leases" "$(etcd_leases)" "$leases"
	agent_kill n1
	assert_eq "processes that are left" "$(pgrep -P "$pid" || true)$(pgrep -a cnibox-store | wc -l)" 1
}

# cnibox-store by itself, from the host: see engine.py.
engine() { python3 "$CNIBOX_TESTS/lib/engine.py" "${CNIBOX%/*}/cnibox-store" "{\"etcdEndpoints\": \"$ETCD\"}" "$@"; }

@test "another etcd at the same address, with older revisions, as after a backup: all of it is read, and changes are heard" {
	local i

	nodes 1 host-gw
	ETCD_OPTIONS=(--listen-client-urls http://0.0.0.0:2379)
	etcd_start
	node_add spare 210
	ip -n e1 addr add 192.0.2.250/32 dev eth0
	PLACE=(--etcd-endpoints http://192.0.2.250:2379)
	etcd_network host-gw
	for ((i = 0; i < 20; i++)); do put_lease 10.5.200.0-24 "{\"PublicIP\":\"192.0.2.$((i + 20))\",\"BackendType\":\"host-gw\"}"; done
	agent n1
	ready n1
	wait_for "a peer" 5 has "10.5.200.0/24 via 192.0.2.39" peers_of n1
	nsenter --net=/run/netns/spare etcd --name spare --data-dir $STORE/spare.etcd --logger zap --unsafe-no-fsync \
		--listen-client-urls http://0.0.0.0:2379 --advertise-client-urls http://192.0.2.210:2379 \
		--listen-peer-urls http://127.0.0.1:2380 >/dev/null 2>&1 3>&- &
	ETCD=http://192.0.2.210:2379
	wait_for "the other one" 15 etcd_healthy
	etcd_network host-gw
	put_lease 10.5.200.0-24 '{"PublicIP":"192.0.2.20","BackendType":"host-gw"}'
	ip -n e1 addr del 192.0.2.250/32 dev eth0
	ip -n spare addr add 192.0.2.250/32 dev eth0
	ip -n n1 neigh flush to 192.0.2.250
	wait_for "as it is there" 20 has "10.5.200.0/24 via 192.0.2.20" peers_of n1
	wait_for "and this node's lease" 20 has 192.0.2.1 etcd_leases
	put_lease 10.5.201.0-24 '{"PublicIP":"192.0.2.21","BackendType":"host-gw"}'
	wait_for "a new peer" 20 has 10.5.201.0 peers_of n1
}

@test "what a watch tells together with an answer is told" {
	need python3
	nodes 0
	etcd_start
	etcd_network host-gw
	put_lease 10.5.204.0-24 '{"PublicIP":"192.0.2.7","BackendType":"host-gw"}'
	assert_eq "a change, then none" "$(engine again env ETCDCTL_API=3 etcdctl --endpoints $ETCD put $ETCD_PREFIX/subnets/10.5.205.0-24 '{"PublicIP":"192.0.2.8"}')" "1 0"
}

@test "users: a token that etcd no longer knows is renewed, the password is nowhere to be seen (D19), and refusals are told" {
	nodes 2 host-gw
	etcd_start
	etcd_network host-gw
	etcd_users
	said=$("$CNIBOX" lease list "${PLACE[@]}" 2>&1) && flunk "NOT refused"
	assert_eq "no user" "$said" "lease list: 192.0.2.201:2379: etcd wants a user (--etcd-username)"
	said=$("$CNIBOX" lease list "${PLACE[@]}" --etcd-username flannel --etcd-password wrong 2>&1) && flunk "NOT refused"
	assert_match "wrong password" "$said" "log in to etcd as flannel: 192.0.2.201:2379: .*invalid user ID or password"
	said=$("$CNIBOX" lease list "${PLACE[@]}" --etcd-prefix /other --etcd-username flannel --etcd-password se-cr-et 2>&1) && flunk "NOT refused"
	assert_match "not allowed" "$said" "user flannel of etcd may not do this: .*permission denied"
	PLACE+=(--etcd-username flannel)
	export FLANNELD_ETCD_PASSWORD=se-cr-et
	CNIBOX_LOG=debug agent n1
	agent n2
	ready n1 n2
	wait_for "routes" 2 has "$(subnet n2) via" peers_of n1
	assert_eq "the password in words" "$(cat /proc/[0-9]*/cmdline | grep -ac 'se-cr[-]et')" 0
	for pid in $(store_pid n1); do
		assert_eq "the program's environment" "$(tr '\0' '\n' <"/proc/$pid/environ" | grep -c ETCD_PASSWORD=)" 1
	done
	# Tokens are in a member's memory: a restart loses them.
	etcd_kill e1
	etcd_member e1
	wait_for "etcd" 10 etcd_healthy
	put_lease 10.5.204.0-24 '{"PublicIP":"192.0.2.7","BackendType":"host-gw"}'
	wait_for "a new peer" 3 has 10.5.204.0 peers_of n1
	assert_eq "in the logs" "$(cat $STORE/n*.log | grep -c se-cr-et)" 0
}

@test "no configuration, a broken one, and one that comes later" {
	nodes 1 host-gw
	etcd_start
	agent n1
	wait_for "none" 2 grep -q "the store has no network configuration: key $ETCD_PREFIX/config of etcd" $STORE/n1.log
	etcd put $ETCD_PREFIX/config '{"Network":'
	wait_for "broken" 2 grep -q "network configuration: " $STORE/n1.log
	etcd_network host-gw
	ready n1
}
