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
	join
}

join() {
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

# Time in which a token ends.
tokens_end() { run_in n1 ping -q -i 0.5 -c 9 -W 1 192.0.2.2 >/dev/null || :; }

@test "tokens that end, and a compaction while a node is cut off from members that go and come" {
	need ping
	nodes 2 host-gw
	mkdir -p $PKI
	openssl genrsa -out $PKI/token.key 2048
	openssl rsa -in $PKI/token.key -pubout -out $PKI/token.pub
	ETCD_OPTIONS=(--auth-token "jwt,pub-key=$PKI/token.pub,priv-key=$PKI/token.key,sign-method=RS256,ttl=3s")
	etcd_start 3 tls
	etcd_network host-gw
	etcd_users
	PLACE+=(--etcd-username flannel)
	export FLANNELD_ETCD_PASSWORD=se-cr-et
	assert_match "a name in the certificate" "$(lease list "${PLACE[@]}")" \
		"192.0.2.20[123]:2379: etcd has users, and takes no certificate with a common name then \(--etcd-certfile\): one without CN"
	PKI_SUBJECT=/O=nodes pki_cert client DNS:client
	join
	put_lease 10.5.204.0-24 192.0.2.7
	wait_for "a peer" 5 has 10.5.204.0 peers_of n1
	ip link set u1 nomaster
	tokens_end
	wait_for "a write" 10 put_lease 10.5.204.0-24 192.0.2.9
	put_lease 10.5.205.0-24 192.0.2.7
	etcd compaction "$(etcd get x -w json | tail -n 1 | jq .header.revision)"
	for member in e1 e2 e3; do
		etcd_kill $member
		etcd_member $member
		wait_for "$member again" 15 etcd_healthy
	done
	ip link set u1 master under
	wait_for "the changed one" 15 has "10.5.204.0/24 via 192.0.2.9" peers_of n1
	assert "the new one" has "10.5.205.0/24 via" peers_of n1
	wait_for "at the other node, too" 15 has "10.5.205.0/24 via" peers_of n2
	assert "its tokens had ended" grep -q "failed to parse a JWT token" $STORE/e1.log $STORE/e2.log $STORE/e3.log
	refute "it was refused for long" grep -q "etcd wants a user" $STORE/n1.log
}

@test "kill -9 of an agent during traffic: no packet is lost, its store ends with it, its lease is the one it had" {
	need ping
	two
	pod n1
	pod n2
	wait_for "n1 reaches n2" 5 reach n1 n2
	leases=$(etcd_leases) store=$(pgrep -P "$(agent_pid n1)" cnibox-store)
	killed_amid_traffic agent_after "$store"
	assert_eq "leases" "$(etcd_leases)" "$leases"
	assert_eq "etcd's leases" "$(etcd lease list | grep -c '^[0-9a-f]*$')" 2
}

agent_after() { # its predecessor's STORE
	wait_for "its store ends" 5 ended "$1"
	agent n1
}
ended() { ! kill -0 "$1" 2>/dev/null; }

@test "certificates: a CA alone, and what is wrong is named" {
	nodes 0
	etcd_start 1 tls
	etcd_network host-gw
	pki_ca other
	pki_cert stranger DNS:stranger clientAuth other
	ca=(--etcd-endpoints "$ETCD" --etcd-cafile $PKI/ca.crt)
	none=$'no leases in the store\n255 of 255 subnets are free'
	assert_eq "all of it right" "$(lease list "${PLACE[@]}")" "$none"
	assert_eq "certificates, and no scheme" "$(lease list "${PLACE[@]}" --etcd-endpoints "${ETCD//https:\/\/}")" "$none"
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
	wait_for "said" 20 has "extendedKeyUsage = serverAuth, clientAuth" lease list "${PLACE[@]}"
	# TLS of the server alone.
	etcd_kill e1
	pki_cert e1 IP:192.0.2.201
	nsenter --net=/run/netns/e1 etcd --name p --data-dir $STORE/plain --logger zap --unsafe-no-fsync \
		--listen-client-urls https://192.0.2.201:2379 --advertise-client-urls https://192.0.2.201:2379 \
		--listen-peer-urls http://127.0.0.1:2380 --cert-file $PKI/e1.crt --key-file $PKI/e1.key >/dev/null 2>&1 3>&- &
	wait_for "a CA alone is enough" 20 ca_alone
}

ca_alone() { [[ $(lease list "${ca[@]}") == "no leases in the store" ]]; }
