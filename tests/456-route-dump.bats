#!/usr/bin/env bats
# `cnibox route-dump` prints what `ip route` prints, letter for letter, and JSON what `ip -j route` does.

load lib/all
load lib/nodes
sandbox

setup() {
	sysctl -qw net.ipv6.conf.default.accept_dad=0
	ip link add va type veth peer name vb
	ip addr add 10.1.0.1/24 dev va
	ip addr add fd01::1/64 dev va nodad
	ip link set va up
	ip link set vb up
	wait_for "the kernel has given addresses" 5 settled
	ip route add 10.9.0.0/16 via 10.1.0.9 metric 50 mtu 1300 advmss 1200 proto static
	ip route add blackhole 10.8.0.0/16
	ip route add unreachable 10.8.1.0/24 metric 5
	ip route add 10.7.0.0/16 via 10.7.0.1 dev va onlink table 300 src 10.1.0.1
	ip route add 10.6.0.0/16 nexthop via 10.1.0.2 weight 2 nexthop via 10.1.0.3
	ip route add 10.5.0.0/24 via inet6 fd01::7 dev va
	ip route add 10.4.0.0/24 via 10.1.0.4 proto 118
	ip route add default via 10.1.0.8
	ip -6 route add fd09::/64 via fd01::9 mtu 1280
	ip -6 route add prohibit fd08::/64
	ip -6 route add fe80::7/128 dev va table local encap seg6local action End.DX2 oif vb
}

# The kernel has given both link-local addresses: their routes would come between our dump and theirs.
settled() { [[ $(ip -6 route show table local | grep -cE '^(local|multicast) (fe80|ff00)::') == 4 ]]; }

# iproute2 ends lines with a blank, or not.
text() { sed 's/ *$//'; }

same_text() { # OUR WORDS -- ip's
	local ours=() theirs=()

	while [[ $1 != -- ]]; do ours+=("$1"); shift; done
	shift
	theirs=("$@")
	assert_eq "route-dump ${ours[*]}" "$("$CNIBOX" route-dump "${ours[@]}" | text | sort)" "$(ip "${theirs[@]}" | text | sort)"
}

same_json() {
	local ours=() theirs=()

	while [[ $1 != -- ]]; do ours+=("$1"); shift; done
	shift
	theirs=("$@")
	assert_eq "route-dump -j ${ours[*]}" "$("$CNIBOX" route-dump -j "${ours[@]}" | jq -S -c '.[]' | sort)" \
		"$(ip -j "${theirs[@]}" | jq -S -c '.[]' | sort)"
}

@test "all tables, each family, text and JSON" {
	for how in same_text same_json; do
		$how -4 -- -4 route show table all
		$how -6 -- -6 route show table all
		$how -4 --table main -- -4 route
		$how -6 --table main -- -6 route
		$how -4 --table local -- -4 route show table local
		$how -4 --table 300 -- -4 route show table 300
	done
	assert "there is something to compare" test "$("$CNIBOX" route-dump | wc -l)" -gt 15
}

@test "by interface and by who made them" {
	assert_eq "static" "$("$CNIBOX" route-dump --protocol static | text)" \
		"10.9.0.0/16 via 10.1.0.9 dev va proto static metric 50 mtu 1300 advmss 1200"
	assert_eq "by number" "$("$CNIBOX" route-dump --protocol 118 | text)" "10.4.0.0/24 via 10.1.0.4 dev va proto 118"
	assert_match "by interface" "$("$CNIBOX" route-dump --dev lo --table local)" '^local 127\.0\.0\.0/8 dev lo'
}

@test "a link that is down shows" {
	ip link set vb down
	wait_for "the kernel has seen it" 10 eval 'ip route show default | grep -q linkdown' # it takes up to a second
	for how in same_text same_json; do
		$how -4 --table main -- -4 route
	done
	assert_match "the word" "$("$CNIBOX" route-dump --table main -4)" 'default via 10\.1\.0\.8 dev va linkdown'
}

@test "another namespace, by name" {
	container ctr
	ip link set vb netns ctr
	ip -n ctr addr add 192.0.2.1/24 dev vb
	ip -n ctr link set vb up
	assert_match "its routes" "$("$CNIBOX" route-dump ctr --table main -4)" '^192\.0\.2\.0/24 dev vb proto kernel'
	status=0
	said=$("$CNIBOX" route-dump ctx 2>&1) || status=$?
	assert_match "one that is not there" "$status $said" '^1 route-dump: no namespace "ctx"; did you mean "ctr"\?$'
}

@test "words that mean nothing are told, and no routes is no error" {
	while IFS='~' read -r words want; do
		status=0
		# shellcheck disable=SC2086 # words
		said=$("$CNIBOX" route-dump $words 2>&1) || status=$?
		assert_eq "$words" "$status $said" "${want%% *} route-dump: ${want#* }"
	done <<-'CASES'
		--table mian~2 --table: main, local, default or all, or a number of 1 to 4294967295, is expected, not "mian"
		--protocol 300~2 --protocol: kernel, boot, static, dhcp ..., or a number of 1 to 255, is expected, not "300"
		--dev nope~1 there is no interface "nope"
		--peers --diff~2 either --peers or --diff
		-v~2 --verbose goes with --peers
	CASES
	assert_eq "nothing" "$("$CNIBOX" route-dump --table 4711)" ""
	assert_eq "nothing, as JSON" "$("$CNIBOX" route-dump --table 4711 --json)" "[]"
}

peers() { nsenter --net=/run/netns/n1 "$CNIBOX" route-dump --peers --store "$STORE" "$@"; }
verdict() { peers --json | jq -r '.[0].verdict'; }

@test "--peers: what each lease asks for, and what is wrong with it, one after the other" {
	nodes 2 vxlan
	agent n1
	agent n2
	ready n1 n2
	pod n1
	pod n2
	wait_for "traffic" 5 reach n1 n2
	assert_match "all is well" "$(peers)" "$(subnet n2) +192\.0\.2\.2 +vxlan +(1d|23h59m) +1450 +ok +ok +ok +ok"$'\n'
	assert_match "what passes the device, in all" "$(peers)" $'\nflannel.1 in all: [1-9][0-9]* packets sent, [1-9][0-9]* received, MTU 1450$'
	assert_eq "right, no more is said" "$(peers | grep -c expected)" 0
	agent_kill n1          # or it would mend all of it
	mac=$(ip -n n2 -j link show flannel.1 | jq -r '.[0].address')
	nsenter --net=/run/netns/n1 bridge fdb replace "$mac" dev flannel.1 dst 192.0.2.99
	assert_eq "a stale forwarding entry" "$(verdict)" "frames for its VXLAN end go nowhere, or to another node"
	assert_json "where it leads" "$(peers --json)" '.[0].fdb' 192.0.2.99
	assert_eq "as expected, and as it is" "$(peers | grep expected)" \
		"    fdb        expected $mac dev flannel.1 dst 192.0.2.2 / is $mac dev flannel.1 dst 192.0.2.99"
	assert_json "the same" "$(peers --json)" '.[0] | .expected.fdb, .actual.fdb' "$mac dev flannel.1 dst 192.0.2.2
$mac dev flannel.1 dst 192.0.2.99"
	ip -n n1 neigh replace "$(subnet n2 | sed 's,/.*,,')" lladdr 02:00:00:00:00:99 dev flannel.1 nud permanent
	assert_eq "a wrong MAC" "$(verdict)" "its VXLAN end has no hardware address here, or a wrong one"
	ip -n n1 route replace "$(subnet n2)" via 192.0.2.2
	assert_eq "a route elsewhere" "$(verdict)" "its route leads elsewhere: via 192.0.2.2"
	ip -n n1 route del "$(subnet n2)"
	status=0
	peers >/dev/null || status=$?
	assert_eq "no route, and the exit status" "$status $(verdict)" "1 there is no route to its subnet"
	node=$(subnet n2 | sed 's,/.*,,')
	assert_eq "all that is wrong" "$(peers | grep expected)" "$(printf '    %-9s  expected %s / is %s\n' \
		route "$(subnet n2) via $node dev flannel.1 onlink" missing \
		neighbour "$node dev flannel.1 lladdr $mac" "$node dev flannel.1 lladdr 02:00:00:00:00:99" \
		fdb "$mac dev flannel.1 dst 192.0.2.2" "$mac dev flannel.1 dst 192.0.2.99")"
	assert_json "what is missing" "$(peers --json)" '.[0] | .expected.mtu, .actual.route, .actual.mtu' $'1450\nnull\nnull'
	echo '{"PublicIP":"198.51.100.9","BackendType":"host-gw"}' >"$STORE/subnets/10.5.250.0-24"
	assert_json "one that is far" "$(peers --json)" '.[] | select(.subnet == "10.5.250.0/24") | .verdict' \
		"host-gw needs it on a network that both nodes are in"
}

@test "--peers: how much fits into a packet on the way, and each thing in full" {
	nodes 2 vxlan
	agent n1
	agent n2
	ready n1 n2
	wait_for "the route" 5 peer_of
	wait_for "all of it" 5 eval '[[ $(verdict) == ok ]]'
	agent_kill n1
	node=$(subnet n2 | sed 's,/.*,,') mac=$(ip -n n2 -j link show flannel.1 | jq -r '.[0].address')
	assert_eq "in full" "$(peers -v | grep expected)" "$(printf '    %-9s  expected %s / is %s\n' \
		route "$(subnet n2) via $node dev flannel.1 onlink"{,} \
		neighbour "$node dev flannel.1 lladdr $mac"{,} fdb "$mac dev flannel.1 dst 192.0.2.2"{,} mtu 1450{,})"
	# a node behind a narrow way: 50 bytes are put around each packet
	ip -n n1 route add 192.0.2.2 dev eth0 mtu 1400
	status=0
	said=$(peers) || status=$?
	assert_match "a narrow way" "$status $said" "^1 .*vxlan +(1d|23h59m) +1350 +ok +ok +ok +packets to it may have 1350 bytes, not 1450"
	assert_match "beside what should be" "$said" $'\n    mtu        expected 1450 / is 1350\n'
	ip -n n1 route del 192.0.2.2 dev eth0
	ip -n n1 link set flannel.1 mtu 1300
	assert_eq "a device changed by hand" "$(verdict)" "packets to it may have 1300 bytes, not 1450"
	assert_json "as JSON" "$(peers --json)" '.[0] | .expected.mtu, .actual.mtu, .device.mtu' $'1450\n1300\n1300'
	assert_match "its lease" "$(peers --json | jq -r '.[0].left')" '^(1d|23h59m)$'
}

@test "--peers of the relay: one route for all of them, and a relay behind it" {
	nodes 2 udp
	AGENT=tun-relay
	agent n1
	agent n2
	ready n1 n2
	pod n1
	pod n2
	wait_for "traffic" 5 reach n1 n2
	assert_match "all is well" "$(peers)" "$(subnet n2) +192\.0\.2\.2 +udp +(1d|23h59m) +1472 +ok +- +- +ok"$'\n'
	agent_kill n1
	assert_eq "the relay has ended" "$(verdict)" "no relay is at work behind this node's device"
	ip -n n1 route del 10.5.0.0/16
	assert_eq "no route" "$(verdict)" "there is no route to its subnet"
	ip -n n1 link del flannel0
	assert_eq "no device" "$(verdict)" "it is reached in a way that this node does not have"
}

difference() { # it, and the exit status in front
	local said status=0

	said=$(nsenter --net=/run/netns/n1 "$CNIBOX" route-dump --diff --store "$STORE" "$@" 2>&1) || status=$?
	printf '%s%s' "$status" "${said:+$'\n'$said}"
}

@test "--diff: what an agent would do; when one has done it, nothing" {
	nodes 2 vxlan '.SubnetMax = "10.5.63.0"'
	agent n1
	agent n2
	ready n1 n2
	wait_for "all of it" 5 eval '[[ $(verdict) == ok ]]'
	assert_eq "nothing to do" "$(difference)" 0
	assert_json "as JSON" "$(difference --json | tail -n +2)" . '[]'
	agent_kill n1
	subnet=$(subnet n2) node=$(subnet n2 | sed 's,/.*,,') mac=$(ip -n n2 -j link show flannel.1 | jq -r '.[0].address')
	ip -n n1 route replace "$subnet" via 192.0.2.2
	ip -n n1 route add 10.5.77.0/24 via 192.0.2.2 proto 118
	nsenter --net=/run/netns/n1 bridge fdb del "$mac" dev flannel.1 dst 192.0.2.2
	ip -n n1 neigh replace "$node" lladdr 02:00:00:00:00:99 dev flannel.1 nud permanent
	before=$(state)
	assert_eq "all of it, each once" "$(difference | sort)" "$(sort <<-EOF
	3
	- neigh  $node dev flannel.1 lladdr 02:00:00:00:00:99
	+ neigh  $node dev flannel.1 lladdr $mac
	+ fdb    $mac dev flannel.1 dst 192.0.2.2
	- route  $subnet via 192.0.2.2 dev eth0
	+ route  $subnet via $node dev flannel.1 proto 118 onlink
	- route  10.5.77.0/24 via 192.0.2.2 dev eth0 proto 118
	EOF
	)"
	assert_json "as JSON" "$(difference --json | tail -n +2)" '.[] | select(.kind == "route" and (.would | not)) | .was' \
		"10.5.77.0/24 via 192.0.2.2 dev eth0 proto 118"
	assert_eq "nothing was done" "$(state)" "$before"
	agent n1
	wait_for "done by an agent" 5 eval '[[ $(difference) == 0 ]]'
	agent_kill n1
	ip -n n1 link del flannel.1
	assert_eq "no device" "$(difference)" $'3\n+ link   flannel.1 type vxlan id 1 local 192.0.2.1 dev eth0 dstport 8472 nolearning'
	rm "$STORE/config"
	assert_match "no network" "$(difference)" $'^1\nroute-dump: '
}

@test "--diff: nothing, in both families, beside host-gw, and with a blackhole for the node's own subnet" {
	nodes 1 vxlan '.EnableIPv6 = true | .IPv6Network = "fd05::/48"'
	agent n1 --ip-blackhole-route
	ready n1
	echo '{"PublicIP":"192.0.2.7","PublicIPv6":"fd77::7","BackendType":"host-gw"}' >"$STORE/subnets/10.5.250.0-24&fd05:0:0:250::-64"
	wait_for "its route" 5 has 10.5.250.0/24 peer_of
	wait_for "all of it" 5 eval '[[ $(difference) == 0 ]]'
	assert "the blackhole" test -n "$(ip -n n1 route show type blackhole)"
	agent_kill n1
	ip -n n1 -6 route replace fd05:0:0:250::/64 via fd77::9
	assert_eq "IPv6" "$(difference)" "3
- route  fd05:0:0:250::/64 via fd77::9 dev eth0
+ route  fd05:0:0:250::/64 via fd77::7 dev eth0 proto 118"
}

@test "--diff: devices' MTU, MAC and addresses, which an agent puts right" {
	nodes 1 vxlan '.EnableIPv6 = true | .IPv6Network = "fd05::/48" | .SubnetMax = "10.5.63.0"'
	agent n1
	ready n1
	wait_for "all of it" 5 eval '[[ $(difference) == 0 ]]'
	agent_kill n1
	own=$(subnet n1 | sed 's,/.*,/32,') own6=$(ip -n n1 -j addr show flannel-v6.1 | jq -r '.[0].addr_info[] | select(.scope == "global") | .local')
	mac=$(ip -n n1 -j link show flannel.1 | jq -r '.[0].address')
	ip -n n1 link set flannel.1 mtu 1300 address 02:00:00:00:00:77
	ip -n n1 addr add 10.5.99.1/32 dev flannel.1
	ip -n n1 addr add 192.0.3.1/32 dev flannel.1 # is in no network
	ip -n n1 addr del "$own" dev flannel.1
	ip -n n1 addr del "$own6/128" dev flannel-v6.1
	assert_eq "each of them" "$(difference)" "3
- link   flannel.1 mtu 1300
+ link   flannel.1 mtu 1450
- link   flannel.1 address 02:00:00:00:00:77
+ link   flannel.1 address $mac
- addr   10.5.99.1/32 dev flannel.1
+ addr   $own dev flannel.1
+ addr   $own6/128 dev flannel-v6.1"
	ip -n n1 link set flannel.1 down
	assert_match "down" "$(difference)" $'\n- link   flannel.1 down\n\\+ link   flannel.1 up\n'
	assert_json "as JSON" "$(difference --json | tail -n +2)" '.[] | select(.kind == "addr" and .was) | .was' "10.5.99.1/32 dev flannel.1"
	agent n1
	wait_for "done by an agent" 5 eval '[[ $(difference) == 0 ]]'
}

@test "--diff: the relay's device, which has the addresses of both families" {
	nodes 1 udp '.EnableIPv6 = true | .IPv6Network = "fd05::/48"'
	AGENT=tun-relay
	agent n1
	ready n1
	wait_for "all of it" 5 eval '[[ $(difference) == 0 ]]'
	agent_kill n1
	ip -n n1 link set flannel0 mtu 1400
	ip -n n1 addr del "$(subnet n1 | sed 's,/.*,/32,')" dev flannel0
	assert_eq "each once" "$(difference)" "3
- link   flannel0 mtu 1400
+ link   flannel0 mtu 1452
+ addr   $(subnet n1 | sed 's,/.*,/32,') dev flannel0
+ route  10.5.0.0/16 dev flannel0 proto 118"
}

@test "--peers on a node of flanneld's making, and on one that is in no network" {
	nodes 1 vxlan
	ip -n n1 link add flannel.1 type vxlan id 1 dstport 8472 nolearning local 192.0.2.1 dev eth0
	ip -n n1 link set flannel.1 up
	mkdir -p "$STORE/subnets"
	echo '{"PublicIP":"192.0.2.1","BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"02:00:00:00:00:01"}}' >"$STORE/subnets/10.5.1.0-24"
	echo '{"PublicIP":"192.0.2.2","BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"02:00:00:00:00:02"}}' >"$STORE/subnets/10.5.2.0-24"
	ip -n n1 neigh add 10.5.2.0 lladdr 02:00:00:00:00:02 dev flannel.1 nud permanent
	nsenter --net=/run/netns/n1 bridge fdb add 02:00:00:00:00:02 dev flannel.1 dst 192.0.2.2
	ip -n n1 route add 10.5.2.0/24 via 10.5.2.0 dev flannel.1 onlink
	assert_match "all is well" "$(peers)" '10\.5\.2\.0/24 +192\.0\.2\.2 +vxlan +reserved +1450 +ok +ok +ok +ok'$'\n'
	assert_eq "an agent would take it over" "$(difference)" "3
- link   flannel.1 address $(ip -n n1 -j link show flannel.1 | jq -r '.[0].address')
+ link   flannel.1 address 02:00:00:00:00:01
+ addr   10.5.1.0/32 dev flannel.1
- route  10.5.2.0/24 via 10.5.2.0 dev flannel.1 onlink
+ route  10.5.2.0/24 via 10.5.2.0 dev flannel.1 proto 118 onlink
+ rule   iptables -t filter -A FLANNEL-FWD -s 10.5.0.0/16 -m comment --comment \"flanneld forward\" -j ACCEPT
+ rule   iptables -t filter -A FLANNEL-FWD -d 10.5.0.0/16 -m comment --comment \"flanneld forward\" -j ACCEPT
+ rule   iptables -t filter -A FORWARD -m comment --comment \"flanneld forward\" -j FLANNEL-FWD"
	status=0
	said=$("$CNIBOX" route-dump --peers --store "$STORE" 2>&1) || status=$?
	assert_eq "here is no node" "$status $said" "1 route-dump: none of the 2 leases is this node's"
}
