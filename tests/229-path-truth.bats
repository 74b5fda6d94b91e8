#!/usr/bin/env bats
# What `cnibox path` says is what the kernel does: each packet is also sent.

# shellcheck disable=SC2030,SC2031 # each test is on its own

load lib/all
load lib/nodes
load lib/legacy
load lib/path
sandbox forward

setup() { path_node; }

lost() { refute "$1 does not reach $2" run_in "$1" ping -q -c 1 -W 1 "$2"; } # POD ADDRESS

@test "a policy of the legacy tables, and a rule in front of all of them" {
	need iptables-legacy-save
	iptables-legacy -A FORWARD -i other0 -j ACCEPT
	iptables-legacy -P FORWARD DROP
	lost blue 192.0.2.9
	stops filter 'policy drop of chain FORWARD \(table ip filter\)' blue 192.0.2.9
	mends blue 192.0.2.9
	pings blue 192.0.2.9
	iptables-legacy -t raw -A PREROUTING -s "$BLUE" -j DROP
	lost blue 192.0.2.9
	stops filter 'rule 1 of chain PREROUTING \(table ip raw\)' blue 192.0.2.9
	mends blue 192.0.2.9
	pings blue 192.0.2.9
}

@test "a source that a rule of somebody else changes" {
	nft delete table inet cni_plugins_masquerade
	nft 'table ip mine { chain out { type nat hook postrouting priority 100; ip saddr 10.1.0.0/24 oifname up0 snat to 192.0.2.1; }; }'
	pings blue 192.0.2.9
	is_ok blue 192.0.2.9
	assert_match "which" "$said" "masquerade +$BLUE becomes 192\.0\.2\.1"
	nft delete table ip mine
	iptables -t nat -A POSTROUTING -s 10.1.0.0/24 ! -o cni0 -j SNAT --to-source 192.0.2.1
	pings blue 192.0.2.9
	is_ok blue 192.0.2.9
	iptables -t nat -F
	iptables-legacy -t nat -A POSTROUTING -s 10.1.0.0/24 ! -o cni0 -j SNAT --to-source 192.0.2.1
	pings blue 192.0.2.9
	is_ok blue 192.0.2.9
}

@test "an answer to a source that was changed: on from there to who sent" {
	pings blue 192.0.2.9
	ip route del 10.1.0.0/24 dev cni0
	lost blue 192.0.2.9
	stops route 'host has no route to 10\.1\.0\.2 it is behind cni0' blue 192.0.2.9
	assert_json "it is the answer" "$said" '.hops[-1].answer' true
	mends blue 192.0.2.9
	pings blue 192.0.2.9
}

@test "an answer that leaves this node is not said to find back" {
	nft flush ruleset
	ip -n outside tuntap add wire mode tap
	ip -n outside link set wire up
	ip -n outside route add 10.1.0.0/24 dev wire
	is_ok blue 192.0.2.9
	assert_match "but so" "$said" 'ok: the packet arrives; the answer leaves outside by wire for 10\.1\.0\.2$'
	lost blue 192.0.2.9
}

@test "a mark that a rule sets to a number leads to another table" {
	nft 'table ip mine { chain in { type filter hook prerouting priority -150; iifname cni0 meta mark set 5; }; }'
	ip rule add fwmark 5 priority 50 table 55
	ip route add prohibit default table 55
	lost blue 192.0.2.9
	stops route 'a prohibit route has 192\.0\.2\.9' blue 192.0.2.9
	mends blue 192.0.2.9
}

@test "a rule that drops, and cannot be judged, is told" {
	nft 'table inet mine { chain f { type filter hook forward priority 0; ip daddr 192.0.2.9 ip ttl 63 drop; }; }'
	lost blue 192.0.2.9
	is_ok blue 192.0.2.9
	assert_match "in words" "$said" '! filter +may drop the packet: rule 1 of chain f \(table inet mine\)'
}

@test "rules that look at the port, or refuse" {
	serve outside 80
	ip rule add ipproto tcp dport 80 priority 60 table 56
	ip route add prohibit default table 56
	refute "TCP" test "$(fetch blue 192.0.2.9 80)" = hello
	is_ok blue 192.0.2.9
	stops route 'a prohibit route has 192\.0\.2\.9' blue 192.0.2.9 80
	mends blue 192.0.2.9 80
	ip rule add from "$BLUE" priority 70 blackhole
	lost blue 192.0.2.9
	stops route 'a blackhole route has 192\.0\.2\.9' blue 192.0.2.9
	mends blue 192.0.2.9
	pings blue 192.0.2.9
}

@test "a server that listens on another address than the one that is sent to" {
	nsenter --net="$(netns red)" -- busybox httpd -f -h /run -p 127.0.0.1:81 3>&- &
	wait_for "a server on loopback" 5 listens red 81
	refute "nobody reaches it" run_in blue bash -c "exec 5<>/dev/tcp/$RED/81"
	stops socket 'nothing in red listens on TCP port 81 .* does so on 127\.0\.0\.1' blue "$RED" 81
	is_ok red 127.0.0.1 81
	nsenter --net="$(netns red)" -- busybox httpd -f -h /run -p "$RED:82" 3>&- &
	wait_for "a server on its address" 5 listens red 82
	is_ok blue "$RED" 82
	assert "so it is" run_in blue bash -c "exec 5<>/dev/tcp/$RED/82"
	exec 5<>"/dev/udp/$RED/5001" # a client's socket takes nothing from others
	port=$(ss -Hun | awk '{ sub(/.*:/, "", $3); print $3 }')
	stops 'port map' "UDP port $port of this node is not mapped" blue 10.1.0.1 "$port/udp"
	exec 5>&-
}

@test "what a namespace sends to itself, and what is for all" {
	is_ok blue 127.0.0.2
	assert_match "by the local table" "$said" 'dev lo \(table local, rule 0\)'
	run_in blue ip link set lo down
	lost blue "$BLUE"
	stops link 'lo is down' blue "$BLUE"
	mends blue "$BLUE"
	pings blue "$BLUE"
	for to in 10.1.0.255 255.255.255.255 224.0.0.1; do
		status=0
		said=$(path blue $to 2>&1) || status=$?
		assert_eq "$to" "$status $said" "1 path: $to is for all on a link: a path leads to one receiver"
	done
}

@test "rp_filter where the packet is delivered, and a rule for the source that is sent" {
	sysctl -qw net.ipv4.conf.cni0.rp_filter=1
	ip route add "$BLUE/32" dev up0
	lost blue 10.1.0.1
	stops rp_filter "$BLUE is not expected to come in by cni0" blue 10.1.0.1
	ip route del "$BLUE/32" dev up0
	is_ok blue 10.1.0.1
	nsenter --net="$(netns blue)" -- nft "table ip mine { chain o { type filter hook output priority 0; ip saddr $BLUE oifname eth0 drop; }; }"
	lost blue "$RED"
	stops filter 'drops the packet: rule 1 of chain o \(table ip mine\)' blue "$RED"
	mends blue "$RED"
}

@test "a pod's port map reached by itself, through br_netfilter and past it" {
	serve green 80
	is_ok blue 192.0.2.1 8080
	assert_match "masqueraded" "$said" "masquerade +$BLUE becomes 10\.1\.0\.1"
	refute "all is judged" grep -q judged <<<"$said"
	assert_eq "from a neighbour" "$(fetch blue 192.0.2.1 8080)" hello
	if [[ $(cat /proc/sys/net/bridge/bridge-nf-call-iptables 2>/dev/null) == 1 ]]; then
		refute "with hairpin off" test "$(fetch green 192.0.2.1 8080)" = hello
		stops 'bridge port' "$(port_of green) does not send back" green 192.0.2.1 8080
		mends green 192.0.2.1 8080
		assert_eq "with hairpin on" "$(fetch green 192.0.2.1 8080)" hello
		bridge link set dev "$(port_of green)" hairpin off
		sysctl -qw net.bridge.bridge-nf-call-iptables=0
	fi
	assert_eq "past br_netfilter" "$(fetch green 192.0.2.1 8080)" hello
	is_ok green 192.0.2.1 8080
}

@test "macvlan pods: from outside, and when they are kept apart" {
	container left right
	for i in left right; do
		ip link add link up0 name m0 netns $i type macvlan mode private
		ip -n $i link set m0 up
	done
	ip -n left addr add 192.0.2.21/24 dev m0
	ip -n right addr add 192.0.2.22/24 dev m0
	pings outside 192.0.2.21
	is_ok outside 192.0.2.21
	is_ok 192.0.2.77 192.0.2.21
	lost left 192.0.2.22
	stops link 'm0 of left is no macvlan link of mode bridge' left 192.0.2.22
	eval "$remedy"
	lost left 192.0.2.22
	stops link 'm0 of right is no macvlan link of mode bridge' left 192.0.2.22
	mends left 192.0.2.22
	ip -n left neigh flush all
	pings left 192.0.2.22
}

@test "the node's route to a pod on a link of its own" {
	jq -n '{cniVersion: "1.0.0", name: "pp", plugins: [{type: "ptp", ipam: {type: "host-local",
		ranges: [[{subnet: "10.9.0.0/24"}]], routes: [{dst: "0.0.0.0/0"}]}}]}' >/etc/cni/net.d/11-pp.conflist
	container lone
	"$CNIBOX" cni add pp lone >/dev/null
	is_ok blue 10.9.0.2
	ip route del 10.9.0.2
	lost blue 10.9.0.2
	stops route 'host has no route to 10\.9\.0\.2 it is at the other end of veth' blue 10.9.0.2
	mends blue 10.9.0.2
	pings blue 10.9.0.2
	stops route 'host has no route to 203\.0\.113\.1' blue 203.0.113.1
	assert_match "no pod is a gateway" "$remedy" 'via GATEWAY$'
}

@test "sets and verdict maps that rules look into" {
	nft 'table inet mine { set bad { type ipv4_addr; flags interval; elements = { 192.0.2.4-192.0.2.12 }; }
		chain f { type filter hook forward priority 0; policy drop; ct state vmap { established : accept, invalid : drop }
			ip daddr @bad tcp dport { 80, 443 } reject; iifname { "cni0", "other0" } oifname != { "other0" } accept; }; }'
	pings blue 192.0.2.9
	is_ok blue 192.0.2.9
	refute "all is judged" grep -q judged <<<"$said"
	stops filter 'rejects the packet: rule 2 of chain f \(table inet mine\)' blue 192.0.2.9 80
	serve outside 80
	refute "and it is so" test "$(fetch blue 192.0.2.9 80)" = hello
	mends blue 192.0.2.9 80
	assert_eq "and mended" "$(fetch blue 192.0.2.9 80)" hello
	lost outside "$BLUE"
	ip -n outside route add 10.1.0.0/24 via 192.0.2.1
	stops filter 'policy drop of chain f' outside "$BLUE"
	nft 'add map inet mine to { type ipv4_addr . ipv4_addr : verdict; flags interval; }; add rule inet mine f ip saddr . ip daddr vmap @to;
		add element inet mine to { 192.0.2.0/24 . 10.1.0.2-10.1.0.3 : accept }'
	pings outside "$BLUE"
	is_ok outside "$BLUE"
	lost outside "$GREEN"
	stops filter 'policy drop of chain f' outside "$GREEN"
}

@test "remedies know the names of links: with a dot, and another than eth0" {
	ip link add up1.7 type veth peer name eth1 netns outside
	ip link set up1.7 up
	ip addr add 198.51.100.1/24 dev up1.7
	ip -n outside addr add 198.51.100.9/24 dev eth1
	ip -n outside link set eth1 up
	ip -n outside route add 10.1.0.0/24 via 198.51.100.1
	sysctl -qw net/ipv4/conf/up1.7/forwarding=0
	stops forwarding 'come in by up1\.7' 198.51.100.9 "$BLUE"
	mends 198.51.100.9 "$BLUE"
	ip link set up0 mtu 1300
	ip -n blue link set eth0 down
	ip -n blue link set eth0 name net7
	ip -n blue link set net7 up
	ip -n blue route add default via 10.1.0.1
	assert_json "the link's name" "$(path --json blue 192.0.2.9)" '[.hops[].facts[] | select(.level == "note")][0].remedy' \
		'ip -n blue link set net7 mtu 1300'
}
