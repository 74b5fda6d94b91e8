#!/usr/bin/env bats
# `cnibox path` follows a packet as the kernel would, and names the first thing that stops it, with what mends it.

# shellcheck disable=SC2030,SC2031 # each test is on its own

load lib/all
load lib/nodes
load lib/path
sandbox forward

setup() {
	[[ $BATS_TEST_DESCRIPTION == *nodes* ]] || path_node
}

@test "a path that is well says so, and a packet passes it" {
	serve green 80
	is_ok blue "$RED"
	pings blue "$RED"
	is_ok blue red
	is_ok blue 192.0.2.9
	pings blue 192.0.2.9
	is_ok blue green 80/tcp
	assert_eq "TCP" "$(fetch blue "$GREEN" 80)" hello
	is_ok outside 192.0.2.1 8080
	assert_eq "a mapped port" "$(fetch outside 192.0.2.1 8080)" hello
	is_ok 192.0.2.9 192.0.2.1 8080
	is_ok host red
	is_ok "$BLUE" "$RED"
	is_ok blue 10.1.0.1
}

@test "what it tells on the way: names of links, rules, neighbours, and what becomes of addresses" {
	said=$(path blue 192.0.2.9)
	assert_match "route and rule" "$said" 'route +default via 10\.1\.0\.1 dev eth0 \(table main, rule 32766\)'
	assert_match "port" "$said" "bridge port +$(port_of blue) of cni0: forwarding"
	assert_match "masquerade" "$said" "masquerade +$BLUE becomes 192\.0\.2\.1"
	ip rule add from "$BLUE" table 77 priority 500
	ip route add default via 192.0.2.9 table 77
	assert_match "another table" "$(path blue 192.0.2.9)" 'default via 192\.0\.2\.9 dev up0 \(table 77, rule 500\)'
	serve green 80
	assert_match "port map" "$(path outside 192.0.2.1 8080)" \
		"port map +192\.0\.2\.1 port 8080 leads to $GREEN port 80, container .* of network \"mynet\""
	assert_json "its form" "$(path blue red --json)" '.version, .from, .to, .stopped, .mtu' $'1\nblue\n10.1.0.3\nfalse\n1500'
}

@test "a link that is down: the pod's, its end on the host, the other pod's" {
	ip -n blue link set eth0 down
	stops link 'eth0 is down' blue "$RED"
	mends blue "$RED"
	ip -n blue route add default via 10.1.0.1
	ip link set "$(port_of blue)" down
	stops link "$(port_of blue) of host, the other end of eth0, is down" blue "$RED"
	mends blue "$RED"
	ip -n red link set eth0 down
	stops link 'eth0 of red, the other end of veth.*, is down' blue "$RED"
	mends blue "$RED"
	ip link set cni0 down
	stops link 'cni0 is down' blue "$RED"
	mends blue "$RED"
}

@test "a route that is missing, or refuses" {
	ip -n blue route del default
	stops route 'blue has no route to 192\.0\.2\.9' blue 192.0.2.9
	mends blue 192.0.2.9
	ip route add unreachable 192.0.2.9/32
	stops route 'a unreachable route has 192\.0\.2\.9|an unreachable route has' blue 192.0.2.9
	mends blue 192.0.2.9
	for type in prohibit blackhole; do
		ip route add $type 192.0.2.8/30
		stops route "a $type route has 192\.0\.2\.9" blue 192.0.2.9
		mends blue 192.0.2.9
	done
}

@test "a stale forwarding entry of the bridge, and a stale neighbour" {
	bridge fdb replace "$(mac_of red)" dev "$(port_of green)" master static sticky
	stops FDB "$(mac_of red) is behind $(port_of green) in cni0.s table, and behind $(port_of red) in truth" blue "$RED"
	mends blue "$RED"
	ip -n blue neigh replace "$RED" lladdr 02:00:00:00:00:99 dev eth0 nud permanent
	stops neighbour "$RED is 02:00:00:00:00:99 here, and $(mac_of red) in truth" blue "$RED"
	mends blue "$RED"
}

@test "forwarding is off" {
	sysctl -qw net.ipv4.ip_forward=0
	stops forwarding 'host does not forward IPv4 packets that come in by cni0' blue 192.0.2.9
	is_ok blue "$RED"
	mends blue 192.0.2.9
	sysctl -qw net.ipv4.conf.cni0.forwarding=0
	stops forwarding 'host does not forward IPv4 packets that come in by cni0' blue 192.0.2.9
	mends blue 192.0.2.9
}

@test "an MTU that is too large: lost on a bridge, told by a router" {
	ip -n red link set eth0 mtu 1400
	status=0
	said=$(path --json blue "$RED") || status=$?
	assert_json "it arrives, but not all" "$said" '.arrives, ([.hops[].facts[] | select(.level == "large")][0] | .what, .text)' \
		$'true\nMTU\neth0 takes 1400 bytes, less than the 1500 that are sent'
	assert_eq "and the status says so" "$status" 1
	refute "a large packet does not" run_in blue ping -q -c 1 -W 1 -M "do" -s 1472 "$RED"
	assert "a small one does" run_in blue ping -q -c 1 -W 1 "$RED"
	remedy=$(jq -r '[.hops[].facts[] | select(.level == "large")][0].remedy' <<<"$said")
	mends blue "$RED"
	ip link set up0 mtu 1300
	assert_json "by a router" "$(path --json blue 192.0.2.9)" '[.hops[].facts[] | select(.level == "note")][0].text' \
		'up0 takes 1300 bytes, less than the 1500 that are sent'
}

@test "the packet filter: a rule, a policy, a rule that the mark of another chain leads to" {
	nft add table ip mine
	nft add chain ip mine fw '{ type filter hook forward priority 0; policy accept; }'
	nft add chain ip mine deny
	nft add rule ip mine deny ip daddr 192.0.2.9 drop comment '"not there"'
	nft add rule ip mine fw ip saddr "$BLUE" jump deny
	stops filter 'drops the packet: rule 1 of chain deny \(table ip mine\): not there' blue 192.0.2.9
	is_ok red 192.0.2.9
	mends blue 192.0.2.9
	nft chain ip mine fw '{ policy drop; }'
	stops filter 'policy drop of chain fw \(table ip mine\)' blue 192.0.2.9
	mends blue 192.0.2.9
	if type -t iptables >/dev/null; then
		iptables -I FORWARD -s "$BLUE" -p tcp --dport 80 -j REJECT
		is_ok blue 192.0.2.9
		stops filter 'rejects the packet: rule 1 of chain FORWARD \(table ip filter\)' blue 192.0.2.9 80
	fi
}

@test "a rule that cannot be judged, and a drop behind it: maybe" {
	nft add table ip mine
	nft add chain ip mine fw '{ type filter hook forward priority 0; policy accept; }'
	nft add rule ip mine fw ip ttl gt 10 accept
	nft add rule ip mine fw ip saddr "$BLUE" drop
	is_ok blue 192.0.2.9
	assert_match "in words" "$said" '! filter +may drop the packet: rule 2 of chain fw \(table ip mine\)'
}

@test "NetworkPolicies that are in force" {
	only80
	serve red 80
	serve red 81
	is_ok blue "$RED" 81
	"$CNIBOX" policy-iptables apply --node n1 -f /run/objects.json --backend nftables >/dev/null
	is_ok blue "$RED" 80
	assert_match "which" "$said" 'policy +allowed by policies \(nftables\), ingress: ingress by default/only80'
	stops policy 'denied by policies \(nftables\), ingress: ingress by default/only80' blue "$RED" 81
	assert_match "who tells why" "$(eval "$remedy -f /run/objects.json" || :)" 'only80'
	refute "and so it is" test "$(fetch blue "$RED" 81)" = hello
	is_ok host "$RED" 81
	"$CNIBOX" policy-iptables cleanup >/dev/null
	is_ok blue "$RED" 81
}

@test "masquerading that is missing" {
	nft delete table inet cni_plugins_masquerade
	stops route "outside has no route to $BLUE $BLUE left host without being masqueraded" blue 192.0.2.9
	ip -n outside link del eth0
	ip tuntap add up0 mode tap
	ip link set up0 up
	ip addr add 192.0.2.1/24 dev up0
	stops masquerade "$BLUE is not masqueraded network mynet asks for it" blue 192.0.2.9
	mends blue 192.0.2.9
}

@test "an address that two pods have" {
	ip -n green addr add "$RED/24" dev eth0
	stops address "$RED is in use twice" blue "$RED"
	stops address "$RED is in use twice: in red and in green" red "$BLUE"
	mends blue "$RED"
}

@test "a wrong gateway" {
	ip -n blue route replace default via 10.1.0.77
	stops gateway "nobody on cni0 has the gateway's address 10\.1\.0\.77 cni0 of host is 10\.1\.0\.1" blue 192.0.2.9
	mends blue 192.0.2.9
	stops neighbour 'nobody on cni0 has 10\.1\.0\.88' blue 10.1.0.88
}

@test "a port that is not mapped, and one that nobody listens on" {
	stops 'port map' 'TCP port 8081 of this node is not mapped' outside 192.0.2.1 8081
	stops socket 'nothing in green listens on TCP port 80' outside 192.0.2.1 8080
	stops socket 'nothing in red listens on UDP port 53' blue "$RED" 53/udp
	serve green 80
	is_ok outside 192.0.2.1 8080
	stops 'port map' 'TCP port 8081 of this node is not mapped' outside 192.0.2.1 8081
	serve red 80
	cnibox cni del mynet red >/dev/null # the remedy, with its words filled in
	remedy=${remedy/NETWORK/mynet} remedy=${remedy/NAME/red}
	remedy=${remedy/\[...\]/[{\"hostPort\":8081,\"containerPort\":80,\"protocol\":\"tcp\"\}]}
	remedy=${remedy#*: }
	mends outside 192.0.2.1 8081
}

@test "ports of the bridge: isolated, blocked, hairpin" {
	bridge link set dev "$(port_of blue)" isolated on
	bridge link set dev "$(port_of red)" isolated on
	stops 'bridge port' "are isolated" blue "$RED"
	mends blue "$RED"
	bridge link set dev "$(port_of blue)" state 0
	stops 'bridge port' "$(port_of blue) is disabled, not forwarding" blue "$RED"
	mends blue "$RED"
}

@test "rp_filter, where answers would go another way" {
	sysctl -qw net.ipv4.conf.cni0.rp_filter=1
	is_ok blue 192.0.2.9
	ip route add "$BLUE/32" dev up0
	stops rp_filter "$BLUE is not expected to come in by cni0" blue 192.0.2.9
	assert_match "what mends it" "$remedy" 'net.ipv4.conf.cni0.rp_filter=2'
}

@test "macvlan pods: with each other, and not with their node" {
	container left right
	for i in left right; do
		ip link add link up0 name m0 netns $i type macvlan mode bridge
		ip -n $i link set m0 up
	done
	ip -n left addr add 192.0.2.21/24 dev m0
	ip -n right addr add 192.0.2.22/24 dev m0
	is_ok left 192.0.2.22
	stops link 'a macvlan link does not reach the node below it' left 192.0.2.1
}

@test "words that make no sense" {
	for words in "blue" "blue 10.1.0.3 0" "blue 10.1.0.3 80/icmp" "--continue x blue" ""; do
		status=0
		# shellcheck disable=SC2086 # words
		said=$(path $words 2>&1) || status=$?
		assert_eq "path $words: $said" "$status" 2
	done
	for words in "bleu 10.1.0.3" "blue 10.1.0" "--continue 1,2,3" "10.1.0.2 fd00::1"; do
		status=0
		# shellcheck disable=SC2086 # words
		said=$(path $words 2>&1) || status=$?
		assert_eq "path $words: $said" "$status" 1
	done
	assert_match "the nearest name" "$(path bleu red 2>&1 || :)" 'no namespace "bleu"; did you mean "blue"'
	assert_json "nothing was changed" "$(path blue red --json)" '[.hops[].facts[] | select(.what == "neighbour")][0].level' fact
}

@test "two nodes with VXLAN: to the tunnel here, and on from the token there" {
	nodes 2 vxlan
	for i in n1 n2; do run_in "$i" sysctl -qw net.ipv4.ip_forward=1; done
	join_two
	said=$(on n1 "$(pod_ip n1)" "$(pod_ip n2)")
	assert_json "it leaves" "$said" '.leaves, .stopped, .verdict' $'true\nfalse\nleaves for node 192.0.2.2, in VXLAN 1'
	assert_json "with the lease" "$said" '[.hops[].facts[] | select(.what == "lease")][0].text' "$(subnet n2) is node 192.0.2.2, way vxlan"
	token=$(jq -r .token <<<"$said")
	assert_json "and arrives there" "$(on n2 --continue "$token")" '.arrives, .verdict' $'true\nthe packet arrives'
	status=0
	said=$(on n1 --continue "$token") || status=$?
	assert_json "but not on another node" "$said" '[.hops[].facts[]][0].text' "192.0.2.2 is no address of this node"
	agent_kill n1
	mac=$(ip -n n2 -j link show flannel.1 | jq -r '.[0].address')
	nsenter --net=/run/netns/n1 bridge fdb replace "$mac" dev flannel.1 dst 192.0.2.99
	said=$(on n1 "$(pod_ip n1)" "$(pod_ip n2)") || :
	stop='[.hops[].facts[] | select(.level == "stop")][0]'
	assert_json "a stale forwarding entry" "$said" "$stop | .what, .text" \
		$'FDB\n'"frames for $mac go to node 192.0.2.99"
	remedy=$(jq -r "$stop.remedy" <<<"$said")
	# shellcheck disable=SC2086 # words
	run_in n1 $remedy
	assert_json "is mended" "$(on n1 "$(pod_ip n1)" "$(pod_ip n2)")" '.leaves' true
	ip -n n1 route del "$(subnet n2)"
	assert_json "no route to the peer" "$(on n1 "$(pod_ip n1)" "$(pod_ip n2)" || :)" "$stop | .what, .text" \
		$'route\n'"there is no route to $(subnet n2)"
	agent_kill n2
	ip -n n2 link del flannel.1
	assert_json "no device there" "$(on n2 --continue "$token" || :)" "$stop | .text" "this node has no VXLAN device of VNI 1"
}
