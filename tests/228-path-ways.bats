#!/usr/bin/env bats
# `cnibox path` on all ways: IPv6, legacy tables, and between nodes by routes and by the relay, whose end is found from the token
# on the other node. VLANs, and pods of ipvlan, are in 900 and 903: the kernel here has neither.

# shellcheck disable=SC2030,SC2031 # each test is on its own

load lib/all
load lib/legacy
load lib/nodes
load lib/relay
load lib/path
sandbox forward

setup() {
	case $BATS_TEST_DESCRIPTION in
	*nodes*) ;;
	*legacy*) use_legacy && path_node ;;
	*) dual ;;
	esac
}

BLUE6=fd01::2 RED6=fd01::3 OUTSIDE6=2001:db8::9

dual() {
	path_node '.plugins[0].ipam |= (.ranges += [[{subnet: "fd01::/64"}]] | .routes += [{dst: "::/0"}])'
	ip addr add 2001:db8::1/64 dev up0 nodad
	ip -n outside addr add $OUTSIDE6/64 dev eth0 nodad
	for pod in blue red green; do
		wait_for "its addresses" 5 sure_of_addresses $pod
	done
}

@test "IPv6: well, and masqueraded" {
	is_ok blue $RED6
	pings blue $RED6
	is_ok blue $OUTSIDE6
	assert_match "masquerade" "$said" "masquerade +$BLUE6 becomes 2001:db8::1"
	pings blue $OUTSIDE6
	is_ok $BLUE6 $RED6
	is_ok blue fd01::1
}

@test "IPv6: links that are down" {
	ip link set "$(port_of blue)" down
	stops link "$(port_of blue) of host, the other end of eth0, is down" blue $RED6
	mends blue $RED6
	ip link set cni0 down
	stops link 'cni0 is down' blue $RED6
	ip link set cni0 up
	ip -n blue link set eth0 down # and its addresses go
	stops link 'eth0 is down' blue $RED6
}

@test "IPv6: routes that are missing, or refuse; forwarding is off" {
	ip -n blue -6 route del default
	stops route "blue has no route to $OUTSIDE6" blue $OUTSIDE6
	mends blue $OUTSIDE6
	for type in unreachable prohibit blackhole; do
		ip -6 route add $type $OUTSIDE6/128
		stops route "an? $type route has $OUTSIDE6" blue $OUTSIDE6
		mends blue $OUTSIDE6
	done
	sysctl -qw net.ipv6.conf.all.forwarding=0
	stops forwarding 'host does not forward IPv6 packets that come in by cni0' blue $OUTSIDE6
	mends blue $OUTSIDE6
}

@test "IPv6: a stale neighbour, a wrong gateway, an address that two have, no masquerading" {
	ip -n blue neigh replace $RED6 lladdr 02:00:00:00:00:99 dev eth0 nud permanent
	stops neighbour "$RED6 is 02:00:00:00:00:99 here, and $(mac_of red) in truth" blue $RED6
	mends blue $RED6
	ip -n blue -6 route replace default via fd01::77
	stops gateway "nobody on cni0 has the gateway's address fd01::77 cni0 of host is fd01::1" blue $OUTSIDE6
	mends blue $OUTSIDE6
	ip -n green addr add $RED6/64 dev eth0 nodad
	stops address "$RED6 is in use twice" blue $RED6
	mends blue $RED6
	nft delete table inet cni_plugins_masquerade
	stops route "outside has no route to $BLUE6 $BLUE6 left host without being masqueraded" blue $OUTSIDE6
	mends blue $OUTSIDE6
}

@test "IPv6: the packet filter" {
	nft add table ip6 mine
	nft add chain ip6 mine fw '{ type filter hook forward priority 0; policy accept; }'
	nft add rule ip6 mine fw ip6 daddr $OUTSIDE6 drop
	stops filter 'drops the packet: rule 1 of chain fw \(table ip6 mine\)' blue $OUTSIDE6
	is_ok blue 192.0.2.9
	mends blue $OUTSIDE6
}

@test "rules and policies in legacy tables" {
	iptables-legacy -I FORWARD -s "$BLUE" -d 192.0.2.9 -j DROP
	stops filter 'drops the packet: rule 1 of chain FORWARD' blue 192.0.2.9
	mends blue 192.0.2.9
	only80
	serve red 80
	serve red 81
	"$CNIBOX" policy-iptables apply --node n1 -f /run/objects.json --backend iptables-legacy >/dev/null
	assert "in legacy tables" grep -q . <(iptables-legacy-save -t filter)
	is_ok blue "$RED" 80
	stops policy 'denied by policies \(iptables-legacy\), ingress: ingress by default/only80' blue "$RED" 81
	"$CNIBOX" policy-iptables cleanup >/dev/null
	is_ok blue "$RED" 81
}

# leaves WAY: the packet leaves n1, and arrives on n2 by the token; again after $1 was broken and the agent was started again
leaves() { # VERDICT
	said=$(on n1 "$(pod_ip n1)" "$(pod_ip n2)")
	assert_json "it leaves" "$said" '.leaves, .stopped, .verdict' $'true\nfalse\n'"$1"
	token=$(jq -r .token <<<"$said")
	assert_json "and arrives there" "$(on n2 --continue "$token")" '.arrives, .verdict' $'true\nthe packet arrives'
}

stop='[.hops[].facts[] | select(.level == "stop")][0]'

# What the agent's first pass mends.
started_again() { # VERDICT
	assert_json "what mends it" "$said" "$stop | .remedy | startswith(\"start the node's agent\")" true
	agent n1
	wait_for "n1 reaches n2" 5 reach n1 n2
	leaves "$1"
}

@test "two nodes with routes: to the wire here, and on from the token there" {
	nodes 2 host-gw
	AGENT=hostgw-sync
	join_two
	verdict="leaves host by eth0 for 192.0.2.2"
	leaves "$verdict"
	assert_json "with the lease" "$said" '[.hops[].facts[] | select(.what == "lease")][0].text' "$(subnet n2) is node 192.0.2.2, way host-gw"
	agent_kill n1 KILL
	ip -n n1 route del "$(subnet n2)"
	said=$(on n1 "$(pod_ip n1)" "$(pod_ip n2)" || :)
	assert_json "no route" "$said" "$stop | .what, .text" $'route\n'"there is no route to $(subnet n2)"
	started_again "$verdict"
	ip -n n2 addr del "$(pod_ip n2)/24" dev lo
	assert_json "nobody has it there" "$(on n2 --continue "$token" || :)" '.stopped' true
}

relay_is() { # WORDS
	assert_json "the relay" "$said" '[.hops[].facts[] | select(.what == "relay")][0].text' "$1"
}

reads_nobody() { [[ $(ip -n "$1" -j link show flannel0 | jq -r '.[0].operstate') == DOWN ]]; }

@test "two nodes with the relay's process: to the device here, and on from the token there" {
	PLACE+=(--datapath user) AGENT=tun-relay
	nodes 2 udp
	join_two
	leaves "leaves for node 192.0.2.2, by the relay"
	assert_json "with the lease" "$said" '[.hops[].facts[] | select(.what == "lease")][0].text' "$(subnet n2) is node 192.0.2.2, way udp"
	relay_is "a process"
	agent_kill n1
	wait_for "n1's process has ended" 5 reads_nobody n1
	said=$(on n1 "$(pod_ip n1)" "$(pod_ip n2)" || :)
	assert_json "without the relay" "$said" "$stop | .what, .text" $'relay\nnobody reads from flannel0'
	started_again "leaves for node 192.0.2.2, by the relay"
	agent_kill n2
	wait_for "n2's process has ended" 5 reads_nobody n2
	said=$(on n2 --continue "$token" || :)
	assert_json "nor there" "$said" "$stop | .what, .text" $'relay\nnobody reads from flannel0'
	ip -n n2 link del flannel0
	said=$(on n2 --continue "$token" || :)
	assert_json "no device there" "$said" "$stop | .text" "this node has no device of a relay"
}

@test "two nodes with the relay's programs in the kernel, which go on without its process" {
	DATAPATH=kernel
	relay_setup
	two
	leaves "leaves for node 192.0.2.2, by the relay"
	relay_is "programs in the kernel"
	agent_kill n1
	agent_kill n2
	wait_for "n1's process has ended" 5 reads_nobody n1
	assert "packets pass" reach n1 n2
	leaves "leaves for node 192.0.2.2, by the relay"
	relay_is "programs in the kernel; its process does not run"
}
