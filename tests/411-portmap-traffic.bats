#!/usr/bin/env bats
# portmap with real packets, in both forms: a mapped port is reached from outside, from another container, from the
# container itself, from the host at every address of it; connections from before do not stand in the way.

load lib/all
load lib/portmap
sandbox forward

setup() {
	need_root
	need nft iptables-save ip6tables-save
	node
}

# A node with an uplink, a neighbour outside, two containers on a bridge.
node() {
	local name

	container outside ctr1 ctr2
	ip link add up0 type veth peer name eth0 netns outside
	ip addr add 192.0.2.1/24 dev up0
	ip addr add 192.0.2.9/24 dev up0
	ip addr add fd02::1/64 dev up0 nodad
	ip link set up0 up
	ip -n outside addr add 192.0.2.2/24 dev eth0
	ip -n outside addr add fd02::2/64 dev eth0 nodad
	ip -n outside link set eth0 up
	ip -n outside route add 10.77.0.0/24 via 192.0.2.1
	echo 1 >/proc/sys/net/ipv6/conf/all/forwarding
	for name in ctr1 ctr2; do
		cni_add "$(bridge)" @$name >/dev/null
	done
}

bridge() {
	conf bridge '.isDefaultGateway = true | .hairpinMode = true | .ipam = {type: "host-local",
		ranges: [[{subnet: "10.77.0.0/24", rangeStart: "10.77.0.11"}], [{subnet: "fd77::/64", rangeStart: "fd77::11"}]]}'
}

# map BACKEND NAME MAPPING ... / unmap BACKEND NAME: portmap of a container that the bridge plugin has connected.
map() {
	RUNTIME=$(ports "${@:3}") cni_add "$(chained "$1" "$2")" "@$2" CNI_IFNAME=eth0 >"$BATS_TEST_TMPDIR/map.out" || { cat "$BATS_TEST_TMPDIR/map.out"; return 1; }
}

unmap() {
	RUNTIME=null cni_del "$(chained "$1" "$2")" "@$2"
}

chained() {
	portmap "$1" 1 | jq -c --slurpfile prev "$BATS_TEST_TMPDIR/$2.json" '.prevResult = $prev[0] | .name = "pnet"'
}

keep_results() {
	local name

	for name in ctr1 ctr2; do
		cp "$(cni_cache tnet $name eth0)" "$BATS_TEST_TMPDIR/$name.json"
	done
}

server() { # NAMESPACE NAME PROTOCOL PORT ...
	nsenter --net="$(netns "$1")" -- "$CNIBOX_TESTS/lib/ports.py" serve "${@:2}" >"$BATS_TEST_TMPDIR/server.$*" 2>&1 3>&- &
	wait_for "server $*" 5 grep -q ready "$BATS_TEST_TMPDIR/server.$*"
}

ask() { # FROM PROTOCOL ADDRESS PORT [SOURCE-PORT]
	run_in "$1" "$CNIBOX_TESTS/lib/ports.py" ask "${@:2}"
}

answers() { # DESCRIPTION WANT FROM PROTOCOL ADDRESS PORT
	local seen

	seen=$(ask "${@:3}" 2>&1) || :
	assert_eq "$1" "$seen" "$2"
}

@test "a port is reached from everywhere, at every address of the host, and nowhere else" {
	local backend

	keep_results
	server ctr1 one tcp 80 81
	server ctr1 one udp 53
	server host node tcp 8080
	server outside other tcp 8080
	for backend in iptables nftables; do
		map $backend ctr1 8080:80 8053:53/udp 8081:81/tcp@192.0.2.9
		answers "$backend: outside, IPv4" "one 80 192.0.2.2" outside tcp 192.0.2.1 8080
		answers "$backend: outside, IPv6" "one 80 fd02::2" outside tcp fd02::1 8080
		answers "$backend: outside, UDP" "one 53 192.0.2.2" outside udp 192.0.2.1 8053
		answers "$backend: another address" "one 80 192.0.2.2" outside tcp 192.0.2.9 8080
		answers "$backend: another container, at the uplink's address" "one 80 10.77.0.1" ctr2 tcp 192.0.2.1 8080
		answers "$backend: at the gateway's" "one 80 10.77.0.1" ctr2 tcp 10.77.0.1 8080
		answers "$backend: IPv6" "one 80 fd77::1" ctr2 tcp fd02::1 8080
		answers "$backend: the container itself" "one 80 10.77.0.1" ctr1 tcp 192.0.2.1 8080
		answers "$backend: itself, IPv6" "one 80 fd77::1" ctr1 tcp fd02::1 8080
		answers "$backend: localhost" "one 80 10.77.0.1" host tcp 127.0.0.1 8080
		answers "$backend: localhost, UDP" "one 53 10.77.0.1" host udp 127.0.0.1 8053
		assert_match "$backend: the host at its own address" "$(ask host tcp 192.0.2.1 8080)" '^one 80 '
		answers "$backend: one address only" "one 81 192.0.2.2" outside tcp 192.0.2.9 8081
		assert_match "$backend: not at the other" "$(ask outside tcp 192.0.2.1 8081 2>&1 || :)" refused
		# What passes through is not for us, and neighbours that talk to each other are not masqueraded.
		answers "$backend: somebody else's port" "other 8080 10.77.0.12" ctr2 tcp 192.0.2.2 8080
		answers "$backend: a neighbour" "one 80 10.77.0.12" ctr2 tcp 10.77.0.11 80
		unmap $backend ctr1
		answers "$backend: afterwards" "node 8080 192.0.2.2" outside tcp 192.0.2.1 8080
		assert_eq "$backend: nothing is left" "$(remains)" ""
	done
}

@test "a range of ports arrives port by port" {
	local backend

	keep_results
	server ctr1 one tcp 80 81 82
	for backend in iptables nftables; do
		RUNTIME='{"portMappings": [{"hostPort": 9000, "containerPort": 80, "protocol": "tcp", "range": 3}]}' \
			cni_add "$(chained $backend ctr1)" @ctr1
		answers "$backend: the first" "one 80 192.0.2.2" outside tcp 192.0.2.1 9000
		answers "$backend: the last" "one 82 fd02::2" outside tcp fd02::1 9002
		assert_match "$backend: one behind it" "$(ask outside tcp 192.0.2.1 9003 2>&1 || :)" refused
		unmap $backend ctr1
	done
}

@test "masqAll hides who asks, without snat nobody is hidden" {
	local backend

	keep_results
	server ctr1 one tcp 80
	for backend in iptables nftables; do
		RUNTIME=$(ports 8080:80) cni_add "$(chained $backend ctr1 | jq -c '.masqAll = true')" @ctr1
		answers "$backend: masqAll" "one 80 10.77.0.1" outside tcp 192.0.2.1 8080
		unmap $backend ctr1
		RUNTIME=$(ports 8080:80) cni_add "$(chained $backend ctr1 | jq -c '.snat = false')" @ctr1
		answers "$backend: no snat" "one 80 192.0.2.2" outside tcp 192.0.2.1 8080
		unmap $backend ctr1
	done
}

@test "UDP connections from before are forgotten on ADD and on DEL, others are not" {
	local backend

	need_conntrack
	keep_results
	nft 'add table inet watch; add chain inet watch c { type filter hook prerouting priority 0; }; add rule inet watch c ct state new counter'
	server host node udp 8053
	server ctr1 one udp 53
	server ctr2 two udp 53
	server outside other udp 8053
	for backend in iptables nftables; do
		# A client that sends from one port for ever.
		answers "$backend: before" "node 8053 192.0.2.2" outside udp 192.0.2.1 8053 5000
		answers "$backend: somebody else's port of that number" "other 8053 10.77.0.12" ctr2 udp 192.0.2.2 8053 5001
		map $backend ctr1 8053:53/udp
		answers "$backend: mapped" "one 53 192.0.2.2" outside udp 192.0.2.1 8053 5000
		assert "$backend: the other connection is still there" tracked 192.0.2.2 8053 5001
		unmap $backend ctr1
		refute "$backend: nothing leads to a container that is gone" tracked 192.0.2.1 8053 5000
		map $backend ctr2 8053:53/udp
		answers "$backend: another container" "two 53 192.0.2.2" outside udp 192.0.2.1 8053 5000
		unmap $backend ctr2
		answers "$backend: afterwards" "node 8053 192.0.2.2" outside udp 192.0.2.1 8053 5000
		assert "$backend: the other connection is still there" tracked 192.0.2.2 8053 5001
	done
}

need_conntrack() {
	[[ -e /proc/net/nf_conntrack ]] || missing "/proc/net/nf_conntrack"
}

tracked() { # DESTINATION PORT SOURCE-PORT
	grep -E "dst=$1 sport=$3 dport=$2 " /proc/net/nf_conntrack
}

# A container that has no 127.0.0.0/8 of its own may send there.
@test "127.0.0.1 of the host is not open to its neighbours" {
	keep_results
	map nftables ctr1 8080:80
	assert_eq "packets for it may come in" "$(cat /proc/sys/net/ipv4/conf/cni0/route_localnet)" 1
	nft -f - <<-'NFT'
		table ip watch {
		  counter seen { }
		  chain prerouting { type filter hook prerouting priority -250;
		    iifname "cni0" ip daddr 127.0.0.1 counter name seen
		  }
		}
	NFT
	run_in ctr2 sh -c 'echo 1 >/proc/sys/net/ipv4/conf/all/route_localnet'
	run_in ctr2 ip route del local 127.0.0.0/8 dev lo table local
	run_in ctr2 ip route del local 127.0.0.1 dev lo table local
	run_in ctr2 ip route add 127.0.0.1/32 via 10.77.0.1
	ask ctr2 udp 127.0.0.1 7070 2>/dev/null || :
	assert_eq "packets that came in" "$(nft -j list counter ip watch seen | jq '.nftables[].counter.packets // empty')" 0
	nft flush chain ip cni_hostport ports_martians
	ask ctr2 udp 127.0.0.1 7070 2>/dev/null || :
	assert_eq "without our rule" "$(nft -j list counter ip watch seen | jq '.nftables[].counter.packets // empty')" 1
}
