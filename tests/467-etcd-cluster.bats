#!/usr/bin/env bats
# shellcheck disable=SC2086,SC2206,SC2030,SC2031 # paths of our own, without blanks; each test is a process
# Three members of etcd with TLS and client certificates: the leader dies, a network is cut, a quorum is lost; and certificates
# that are wrong.

load lib/all
load lib/nodes
load lib/etcd
sandbox

setup() {
	need etcd etcdctl openssl
	[[ -x ${CNIBOX%/*}/cnibox-store ]] || missing "cnibox-store (libcurl's development files)"
	AGENT=hostgw-sync
}

peers_of() { ip -n "$1" route show proto 118; }
put_lease() { etcd put "$ETCD_PREFIX/subnets/$1" "{\"PublicIP\":\"$2\",\"BackendType\":\"host-gw\"}"; }
lease() { "$CNIBOX" lease "$@" 2>&1; }
# The member that the stream of a node's store goes to.
member_of() { run_in "$1" ss -Htn state established dport = :2379 | grep -o '192.0.2.20[0-9]' | sort | uniq -c | sort -rn | awk 'NR == 1 { sub(/.*20/, "e", $2); print $2 }'; }

two() {
	nodes 2 host-gw
	etcd_start 3 tls
	etcd_network host-gw
	agent n1
	agent n2
	ready n1 n2
	wait_for "routes" 2 has "$(subnet n2) via" peers_of n1
}

@test "the leader is killed, comes back, and the next one is cut off: every change arrives" {
	two
	leader=$(etcd_leader)
	etcd_kill "$leader"
	wait_for "a write" 10 put_lease 10.5.204.0-24 192.0.2.7
	wait_for "a new peer" 7 has 10.5.204.0 peers_of n1
	assert "at the other node, too" wait_for "there" 3 has 10.5.204.0 peers_of n2
	etcd_member "$leader"
	wait_for "it is back" 10 etcd_healthy
	# Cut off, without a word on either side, is whichever member n1 watches.
	cut=$(member_of n1)
	ip link set "u20${cut#e}" nomaster
	wait_for "a write" 10 put_lease 10.5.205.0-24 192.0.2.7
	wait_for "a new peer" 10 has 10.5.205.0 peers_of n1
	ip link set "u20${cut#e}" master under
	wait_for "healed" 10 etcd_healthy
	wait_for "a write" 5 put_lease 10.5.206.0-24 192.0.2.7
	wait_for "a new peer" 3 has 10.5.206.0 peers_of n1
	assert_eq "our leases" "$(etcd_leases | grep -c 'PublicIPv6')" 2
}

@test "without a quorum that is told, and the data plane stays; with one again changes arrive" {
	two
	before=$(peers_of n1)
	etcd_kill e1
	etcd_kill e2
	wait_for "it is told" 15 grep -q warning $STORE/n1.log
	assert_eq "the routes" "$(peers_of n1)" "$before"
	etcd_member e1
	wait_for "a write" 15 put_lease 10.5.204.0-24 192.0.2.7
	wait_for "a new peer" 5 has 10.5.204.0 peers_of n1
	wait_for "all is well" 5 grep -q "the store is well again" $STORE/n1.log
}

@test "certificates: a CA alone, and what is wrong is named" {
	nodes 0
	etcd_start 1 tls
	etcd_network host-gw
	pki_ca other
	pki_cert stranger DNS:stranger clientAuth other
	ca=(--etcd-endpoints "$ETCD" --etcd-cafile $PKI/ca.crt)
	assert_eq "all of it right" "$(lease list "${PLACE[@]}")" ""
	assert_match "no client certificate" "$(lease list "${ca[@]}")" '192.0.2.201:2379.*certificate'
	assert_match "a stranger's" "$(lease list "${ca[@]}" --etcd-certfile $PKI/stranger.crt --etcd-keyfile $PKI/stranger.key)" \
		"192.0.2.201:2379.*refuses our certificate.*stranger.crt"
	assert_match "another's key" "$(lease list "${ca[@]}" --etcd-certfile $PKI/client.crt --etcd-keyfile $PKI/stranger.key)" \
		"our certificate $PKI/client.crt and key $PKI/stranger.key cannot be used"
	assert_match "the wrong CA" "$(lease list "${PLACE[@]}" --etcd-cafile $PKI/other.crt)" "does not hold against $PKI/other.crt"
	# The members ask for client certificates, and the gateway has only the server's: it must be both (flannel.md, 2.7).
	etcd_kill e1
	pki_cert e1 IP:192.0.2.201 serverAuth
	etcd_member e1
	wait_for "said" 10 has "extendedKeyUsage = serverAuth, clientAuth" lease list "${PLACE[@]}"
	# TLS of the server alone.
	etcd_kill e1
	pki_cert e1 IP:192.0.2.201
	nsenter --net=/run/netns/e1 etcd --name p --data-dir $STORE/plain --logger zap --unsafe-no-fsync \
		--listen-client-urls https://192.0.2.201:2379 --advertise-client-urls https://192.0.2.201:2379 \
		--listen-peer-urls http://127.0.0.1:2380 --cert-file $PKI/e1.crt --key-file $PKI/e1.key >/dev/null 2>&1 3>&- &
	wait_for "a CA alone is enough" 10 ca_alone
}

ca_alone() { [[ $(lease list "${ca[@]}") == "" ]]; }
