#!/usr/bin/env bats
# shellcheck disable=SC2086,SC2206,SC2030,SC2031 # paths of our own, without blanks; each test is a process
# Leases in etcd: flannel's keys and values byte for byte (flannel.md, section 2), and what flannel does wrong with them is
# not repeated (section 8.1).
# Runs with musl, too.

load lib/all
load lib/nodes
load lib/etcd
sandbox

setup() {
	need etcd etcdctl bridge
	[[ -x ${CNIBOX%/*}/cnibox-store ]] || missing "cnibox-store (libcurl's development files)"
}

# Nodes with agents of that network, which have their leases.
start() { # N TYPE [JQ]
	local i

	nodes "$1" "$2"
	etcd_start
	etcd_network "${@:2}"
	AGENT=$([[ $2 == vxlan ]] && echo vxlan || echo hostgw-sync)
	for ((i = 1; i <= $1; i++)); do agent "n$i"; done
	for ((i = 1; i <= $1; i++)); do ready "n$i"; done
}

lease() { "$CNIBOX" lease "$@" "${PLACE[@]}"; }
put_lease() { etcd put "$ETCD_PREFIX/subnets/$1" "$2" >/dev/null; }
lease_key() { echo "$ETCD_PREFIX/subnets/$(subnet "$1" | tr / -)"; }
store_pid() { pgrep -P "$(agent_pid "$1")" cnibox-store; }
store_gone() { [[ $(store_pid "$1") != "$2" ]]; }
# The etcd lease of a key, its TTL granted and left.
etcd_lease() { etcd get "$1" -w json | grep -o '"lease":[0-9]*' | grep -o '[0-9]*' || echo 0; } # jq would round it
ttl() { etcd lease timetolive "$(printf %x "$1")" -w json | jq -r '"\(."granted-ttl") \(.ttl)"'; }
peers_of() { ip -n "$1" route show proto 118; }

@test "keys and values are flannel's, byte for byte; the lease is one of 24 hours, kept by the same etcd lease" {
	start 2 vxlan
	mac=$(ip -n n1 -j link show flannel.1 | jq -r '.[0].address')
	assert_match "key" "$(lease_key n1)" '^/coreos.com/network/subnets/10\.5\.[0-9]+\.0-24$'
	assert_eq "value" "$(etcd get --print-value-only "$(lease_key n1)")" \
		"{\"PublicIP\":\"192.0.2.1\",\"PublicIPv6\":null,\"BackendType\":\"vxlan\",\"BackendData\":{\"VNI\":1,\"VtepMAC\":\"$mac\"}}"
	assert_eq "keys" "$(etcd get --prefix --keys-only / | grep -c .)" 3
	id=$(etcd_lease "$(lease_key n1)")
	assert_match "its life" "$(ttl "$id")" '^86400 863[0-9][0-9]|86400$'
	assert_match "list" "$(lease list)" "$(subnet n1) .*192.0.2.1 +vxlan +$mac +1d"
	wait_for "routes" 2 has "$(subnet n2) via" peers_of n1
	# Another start, and the lease of etcd is the same: nothing is left over until it expires.
	agent_kill n1
	: >$STORE/n1.log
	agent n1
	wait_for "it is back" 5 grep -q "this node has" $STORE/n1.log
	assert_eq "etcd's leases" "$(etcd lease list | grep -c '^[0-9a-f]*$')" 2
	assert_eq "the same one" "$(etcd_lease "$(lease_key n1)")" "$id"
}

memory() { awk '/^VmRSS/ { print $2 }' "/proc/$1/status"; }

@test "an agent at rest does not wake up, and needs less than 4 MiB" {
	local woken

	[[ -z ${CNIBOX_SANITIZED:-} ]] || skip "a sanitized one needs more"
	need strace readelf
	start 2 vxlan
	wait_for "routes" 2 has "$(subnet n2) via" peers_of n1
	wait_for "addresses have settled" 5 settled n1
	# A busy machine settles late: three seconds without a call have to come, at the third try at last.
	for _ in 1 2 3; do
		timeout 3 strace -f -qq -o $STORE/trace -p "$(agent_pid n1)" || :
		woken=$(grep -vE 'resuming|restart_syscall|detached|strace: ' $STORE/trace) || break
	done
	assert_eq "at rest" "$woken" ""
	assert "memory" test "$(memory "$(agent_pid n1)")" -lt 4096
	# Of shared libraries, thirty come with the system's libcurl; a static program has all it needs.
	readelf -lW "${CNIBOX%/*}/cnibox-store" | grep -q INTERP ||
		assert "memory with the store's process" test $(($(memory "$(agent_pid n1)") + $(memory "$(store_pid n1)"))) -lt 4096
}

settled() { ! ip -n "$1" -6 addr show tentative | grep -q inet6; }

keep() { "${CNIBOX%/*}/http" etcd "$ETCD" prefix "$ETCD_PREFIX" keep "subnets/$1"; }
left() { ttl "$1" | cut -d' ' -f2; }
older() { [[ $(left "$1") -le 86396 ]]; }
# Twice, should it take seconds to ask.
renewed() { keep "$2" >/run/kept && [[ $(left "$1") -gt 86396 ]]; }

@test "a lease is kept before a quarter of its life is over: its life begins anew, and what is gone or too short is told" {
	local id short revision

	[[ -x ${CNIBOX%/*}/http ]] || missing "${CNIBOX%/*}/http (make tests)"
	start 1 host-gw
	id=$(etcd_lease "$(lease_key n1)")
	wait_for "it is some seconds old" 20 older "$id"
	wait_for "it is as new" 20 renewed "$id" "$(subnet n1 | tr / -)"
	assert_eq "what is said" "$(</run/kept)" kept
	assert_eq "the same lease" "$(etcd_lease "$(lease_key n1)")" "$id"
	revision=$(etcd get x -w json | jq .header.revision)
	assert_eq "once more" "$(keep "$(subnet n1 | tr / -)")" kept
	assert_eq "without a word to watchers" "$(etcd get x -w json | jq .header.revision)" "$revision"
	put_lease 10.5.201.0-24 '{"PublicIP":"192.0.2.7"}'
	assert_eq "a reservation has no end" "$(keep 10.5.201.0-24)" kept
	assert_eq "no such key" "$(keep 10.5.202.0-24)" gone
	short=$(etcd lease grant 600 | grep -oE '[0-9a-f]{10,}')
	etcd put --lease "$short" "$ETCD_PREFIX/subnets/10.5.203.0-24" '{"PublicIP":"192.0.2.8"}' >/dev/null
	assert_eq "one of ten minutes is none of a day" "$(keep 10.5.203.0-24)" gone
	etcd lease revoke "$short" >/dev/null
	assert_eq "it is gone" "$(keep 10.5.203.0-24)" gone
	etcd_kill e1
	assert_match "nobody is there" "$(keep "$(subnet n1 | tr / -)")" '^error: .*192.0.2.201'
}

left_is() { [[ $(node_metric n1 lease_left_seconds) =~ ^$1 ]]; }

@test "how long the lease lives is what etcd says: in metrics, and for who asks the agent" {
	local short key value

	nodes 1 host-gw
	etcd_start
	etcd_network host-gw
	AGENT=hostgw-sync
	agent n1 --healthz-port $PORT --store-silence 2s
	ready n1
	wait_for "a day" 10 left_is '86[34]'
	key=$(lease_key n1) value=$(etcd get --print-value-only "$(lease_key n1)")
	short=$(etcd lease grant 5000 | grep -oE '[0-9a-f]{10,}')
	etcd put --lease "$short" "$key" "$value" >/dev/null
	wait_for "an hour and some, as etcd says" 10 left_is '4[89]'
	kill -USR1 "$(agent_pid n1)"
	wait_for "the same for a person" 5 grep -qE "; 1h2[0-3]m[0-9s]* left of the lease" $STORE/n1.log
	etcd put "$key" "$value" >/dev/null
	wait_for "a reservation has no figure" 10 lacks lease_left get n1 /metrics
}

@test "dual stack is one key; host-gw has no data; another prefix is another network" {
	start 1 host-gw '.EnableIPv6 = true | .IPv6Network = "2001:cafe:42::/48"'
	assert_match "key and value" "$(etcd_leases)" \
		'^10\.5\.[0-9]+\.0-24&2001:cafe:42:[0-9a-f]+::-64 \{"PublicIP":"192.0.2.1","PublicIPv6":"fd77::1","BackendType":"host-gw"\}$'
	agent_kill n1
	rm /run/n1/subnet.env*
	etcd put /other/config '{"Network":"10.9.0.0/16","Backend":{"Type":"host-gw"}}'
	agent n1 --etcd-prefix /other/
	wait_for "its subnet" 5 grep -q 10.9 /run/n1/subnet.env
	assert_match "key" "$(etcd get --prefix --keys-only /other/subnets)" '^/other/subnets/10\.9\.[0-9]+\.0-24$'
}

@test "the key is the prefix as flannel joins it, whatever its slashes; an endpoint may lack its scheme" {
	local at prefix

	nodes 0
	etcd_start
	while read -r at prefix; do
		etcd put "$at/config" '{"Network":"10.5.0.0/16"}' >/dev/null
		"$CNIBOX" lease reserve 10.5.7.0/24 192.0.2.7 --etcd-endpoints 192.0.2.201:2379 --etcd-prefix "$prefix"
		assert_eq "$prefix" "$(etcd get --prefix --keys-only "" | grep subnets)" "$at/subnets/10.5.7.0-24"
		etcd del "$at/subnets/10.5.7.0-24" >/dev/null
	done <<-'END'
		/a/b /a/b//
		a/b a/b
		a/b a//b/
		/x/y //x//y
	END
	PLACE=(--etcd-endpoints HTTP://192.0.2.201:2379/)
	assert_match "a scheme in capitals" "$(lease list --etcd-prefix a/b)" '255 of 255'
	PLACE=(--etcd-endpoints unix:///run/etcd)
	said=$(lease list 2>&1) && flunk "NOT refused"
	assert_match "a socket" "$said" '^lease list: "unix:///run/etcd" in --etcd-endpoints: http://HOST:PORT or'
}

@test "a reservation stays one (D9), a revoked lease is taken again (D10), an address that changes takes the lease along (D11)" {
	nodes 2 host-gw
	etcd_start
	etcd_network host-gw
	put_lease 10.5.77.0-24 '{"PublicIP":"192.0.2.1"}'
	AGENT=hostgw-sync
	agent n1
	agent n2
	ready n1 n2
	assert_eq "the reserved subnet" "$(subnet n1)" 10.5.77.0/24
	assert_eq "it has no lease" "$(etcd_lease "$(lease_key n1)")" 0
	assert_eq "but our type" "$(etcd get --print-value-only "$(lease_key n1)")" '{"PublicIP":"192.0.2.1","PublicIPv6":null,"BackendType":"host-gw"}'
	was=$(lease_key n2) id=$(etcd_lease "$(lease_key n2)")
	run_log etcd lease revoke "$(printf %x "$id")"
	wait_for "taken again" 2 has PublicIP etcd get "$was"
	assert "with another etcd lease" test "$(etcd_lease "$was")" != "$id"
	assert "the agent lives" kill -0 "$(agent_pid n2)"
	nsenter --net=/run/netns/n2 sysctl -qw net.ipv4.conf.eth0.promote_secondaries=1
	ip -n n2 addr replace 192.0.2.102/24 dev eth0
	ip -n n2 addr del 192.0.2.2/24 dev eth0
	wait_for "the lease has the new address" 3 has 192.0.2.102 etcd get "$was"
	wait_for "the peer's route follows" 2 has "via 192.0.2.102" peers_of n1
	assert_eq "leases" "$(etcd_leases | wc -l)" 2
	agent_kill n2
	ip -n n2 addr replace 192.0.2.103/24 dev eth0
	ip -n n2 addr del 192.0.2.102/24 dev eth0
	agent n2
	wait_for "the newest, over a restart" 3 has 192.0.2.103 etcd get "$was"
	assert_eq "leases" "$(etcd_leases | wc -l)" 2
}

@test "--release: the key and its lease in etcd go with the agent, and nothing is remembered of it" {
	nodes 1 host-gw
	etcd_start
	etcd_network host-gw
	AGENT=hostgw-sync agent n1 --release
	ready n1
	file=/var/lib/cnibox/remembered/run-n1-subnet.env
	wait_for "it is remembered" 15 test -e $file
	agent_kill n1
	assert_eq "keys" "$(etcd_leases)" ""
	assert_eq "etcd's leases" "$(etcd lease list | grep -c '^[0-9a-f]*$')" 0
	refute "remembered" test -e $file
	# A store that is away holds up nothing.
	: >$STORE/n1.log
	AGENT=hostgw-sync agent n1 --release
	wait_for "its lease" 5 grep -q "everything is in place" $STORE/n1.log
	etcd_kill e1
	agent_kill n1
	assert_match "it is said" "$(<$STORE/n1.log)" "the lease stays in the store until it ends: "
}

@test "what is no lease costs no peer anything (D1), and a peer that changes leaves nothing behind (D2, D3)" {
	start 2 vxlan
	wait_for "routes" 2 has "$(subnet n2) via" peers_of n1
	before=$(peers_of n1)
	put_lease hello world
	put_lease 10.5.200.0-24 '{"PublicIP": 7}'
	put_lease 10.5.201.0-24 $'\xff\xfe'
	put_lease $'10.5.202.0-24\x01' '{"PublicIP":"192.0.2.9"}'
	put_lease 10.5.203.0-24 "$(printf '[%.0s' {1..3000})"
	wait_for "it is told" 2 grep -q "5 entries of the store are no leases" $STORE/n1.log
	assert_eq "the peers" "$(peers_of n1)" "$before"
	put_lease 10.5.204.0-24 '{"publicip":"192.0.2.7","BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"02-00-00-00-00-07"}}'
	wait_for "a new peer" 2 has "02:00:00:00:00:07" ip -n n1 neigh show dev flannel.1
	put_lease 10.5.204.0-24 '{"PublicIP":"192.0.2.8","BackendType":"host-gw"}'
	wait_for "another way" 2 has "10.5.204.0/24 via 192.0.2.8 dev eth0" peers_of n1
	refute "of VXLAN is left" has "02:00:00:00:00:07" ip -n n1 neigh show dev flannel.1
	etcd del "$ETCD_PREFIX/subnets/10.5.204.0-24"
	wait_for "gone" 2 lacks 10.5.204 peers_of n1
	# A node of flannel's whose address has changed: another lease, the same MAC, and the one of before for a day (D11).
	put_lease 10.5.207.0-24 '{"PublicIP":"192.0.2.7","BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"02:00:00:00:00:07"}}'
	put_lease 10.5.206.0-24 '{"PublicIP":"192.0.2.8","BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"02:00:00:00:00:07"}}'
	wait_for "the newer one counts" 2 has "02:00:00:00:00:07 dst 192.0.2.8" nsenter --net=/run/netns/n1 bridge fdb show dev flannel.1
	put_lease 10.5.207.0-24 '{"PublicIP":"192.0.2.7","BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"02:00:00:00:00:08"}}'
	wait_for "two again" 2 has "02:00:00:00:00:08 dst 192.0.2.7" nsenter --net=/run/netns/n1 bridge fdb show dev flannel.1
}

@test "compaction while a node is cut off: what has changed meanwhile is applied (D4)" {
	start 2 host-gw
	put_lease 10.5.204.0-24 '{"PublicIP":"192.0.2.7","BackendType":"host-gw"}'
	put_lease 10.5.205.0-24 '{"PublicIP":"192.0.2.8","BackendType":"host-gw"}'
	wait_for "peers" 2 has "10.5.205.0/24 via" peers_of n1
	ip link set u1 nomaster
	put_lease 10.5.204.0-24 '{"PublicIP":"192.0.2.9","BackendType":"host-gw"}'
	etcd del "$ETCD_PREFIX/subnets/10.5.205.0-24"
	put_lease 10.5.206.0-24 '{"PublicIP":"192.0.2.10","BackendType":"host-gw"}'
	run_log etcd compaction "$(etcd get x -w json | jq .header.revision)"
	etcd_kill e1
	etcd_member e1
	wait_for "etcd again" 10 etcd_healthy
	ip link set u1 master under
	wait_for "the changed one" 8 has "10.5.204.0/24 via 192.0.2.9" peers_of n1
	assert "the new one" has "10.5.206.0/24 via 192.0.2.10" peers_of n1
	assert "without the deleted one" lacks 10.5.205 peers_of n1
}

@test "ten nodes that start at once get ten subnets of ten (D8)" {
	nodes 10 host-gw
	etcd_start
	# Twelve of /26 fit between these bounds; two are others'.
	etcd_network host-gw '.Network = "10.5.0.0/22" | .SubnetLen = 26 | .SubnetMin = "10.5.1.0" | .SubnetMax = "10.5.3.192"'
	put_lease 10.5.1.0-26 '{"PublicIP":"192.0.2.98"}'
	put_lease 10.5.1.64-26 '{"PublicIP":"192.0.2.99"}'
	AGENT=hostgw-sync
	for i in {1..10}; do agent n$i; done
	for i in {1..10}; do
		wait_for "n$i has its subnet" 15 grep -q FLANNEL_MTU /run/n$i/subnet.env
	done
	assert_eq "different subnets" "$(grep -h ^FLANNEL_SUBNET /run/n*/subnet.env | sort -u | wc -l)" 10
	assert_eq "etcd's leases" "$(etcd lease list | grep -c '^[0-9a-f]*$')" 10
	all() { [[ $(peers_of n1 | wc -l) == 9 ]]; } # two have no type: they are reserved
	wait_for "routes to all others" 5 all
}

@test "the tools: show, reserve, watch and release, by the same words as in files" {
	local watch status=0

	start 1 host-gw
	lease watch >/run/watch 3>&- &
	watch=$!
	wait_for "what is there" 10 has "added    $(subnet n1)  192.0.2.1  host-gw" cat /run/watch
	assert_json "show" "$(lease show 192.0.2.1 --json)" '[.[] | .subnet]' "[\"$(subnet n1)\"]"
	lease reserve 10.5.199.0/24 192.0.2.7
	assert_eq "the value" "$(etcd get --print-value-only "$ETCD_PREFIX/subnets/10.5.199.0-24")" '{"PublicIP":"192.0.2.7","PublicIPv6":null}'
	assert_eq "no etcd lease: it does not end" "$(etcd_lease "$ETCD_PREFIX/subnets/10.5.199.0-24")" 0
	wait_for "an addition" 10 has "added    10.5.199.0/24  192.0.2.7" cat /run/watch
	lease reserve 10.5.199.0/24 192.0.2.8 2>/run/err || status=$?
	assert_eq "another's" "$status $(</run/err)" "1 lease reserve: 10.5.199.0/24 belongs to 192.0.2.7"
	lease release 10.5.199.0/24
	wait_for "a removal" 10 has "removed  10.5.199.0/24  192.0.2.7" cat /run/watch
	assert_eq "it is gone" "$(etcd get "$ETCD_PREFIX/subnets/10.5.199.0-24")" ""
	kill "$watch"
}
