#!/usr/bin/env bats
# The sbr plugin: traffic of a container with two uplinks, every key, and removal in every strange form. That rules and
# routes are those of the reference is in 500-differential.

# Every test is a process of its own, and its variables end with it.
# shellcheck disable=SC2030,SC2031
load lib/all
sandbox forward

setup() {
	container ctr
}

# wire IFNAME N [ADDRESS ...]: an interface of the container, its peer on the host, up with these addresses
wire() {
	local ifname=$1 address

	ip link add "peer-$ifname" type veth peer name "$ifname" address "02:00:00:00:00:0$2" netns ctr
	ip link set "peer-$ifname" up
	ip -n ctr link set "$ifname" up
	shift 2
	for address; do
		[[ $address != *:* ]] || address+=" nodad"
		# shellcheck disable=SC2086
		ip -n ctr addr add dev "$ifname" $address
	done
}

# furnished: eth0 with two subnets, IPv6, and routes of every sort
furnished() {
	wire eth0 1 10.1.0.5/24 10.3.0.5/24 fd01::5/64
	ip -n ctr route add default via 10.1.0.1
	ip -n ctr route add 192.0.2.0/24 via 10.1.0.1 mtu 1400 metric 5 initcwnd 20 congctl reno
	ip -n ctr route add 192.0.2.0/24 via 10.3.0.1 metric 6
	ip -n ctr route add 198.51.100.0/24 dev eth0
	ip -n ctr route add 203.0.113.0/24 via 10.1.0.1 table 7
	ip -n ctr route add 198.18.0.0/24 nexthop via 10.1.0.1 weight 3 nexthop via 10.1.0.2
	ip -n ctr -6 route add default via fd01::1
	ip -n ctr -6 route add 2001:db8:2::/48 nexthop via fd01::1 nexthop via fd01::2
	wait_for "the link-local route" 5 grep -q fe80 <(ip -n ctr -6 route show)
}

PREV='{"cniVersion": "1.1.0", "interfaces": [{"name": "eth0", "sandbox": "/run/netns/ctr"}, {"name": "net1", "sandbox": "/run/netns/ctr"}],
	"ips": [{"interface": 0, "address": "10.1.0.5/24", "gateway": "10.1.0.1"}, {"interface": 0, "address": "10.3.0.5/24"},
		{"interface": 0, "address": "fd01::5/64", "gateway": "fd01::1"}, {"interface": 1, "address": "10.2.0.5/24", "gateway": "10.2.0.1"}]}'

# sbr [JQ]: the plugin alone, behind what PREV says
sbr() {
	jq -c --argjson prev "$PREV" '.cniVersion = "1.1.0" | .name = "tnet" | .type = "sbr" | .prevResult = $prev | '"${1:-.}" <<<'{}'
}

# Rules that are not the kernel's: from ADDRESS lookup TABLE
rules() { { ip -n ctr rule; ip -n ctr -6 rule; } | sed -n 's/^[0-9]*:\t//; /all/d; s/ *$//; p' | sort; }

# The table's routes, both families: "DST via GW dev IF"
table() {
	{ ip -n ctr -j -4 route show table all; ip -n ctr -j -6 route show table all; } | jq -r -s --arg table "$1" 'add
		| map(select((.table // "main") == $table)
		| "\(.dst)\(if .gateway then " via \(.gateway)" elif .nexthops then " via \([.nexthops[].gateway] | join("+"))" else "" end) dev \(.dev // .nexthops[0].dev)" +
		(if .prefsrc then " src \(.prefsrc)" else "" end))[]' | sort
}

# All that sbr could change.
state() {
	ip -n ctr -4 rule
	ip -n ctr -6 rule
	{ ip -n ctr -d -4 route show table all; ip -n ctr -d -6 route show table all; } | grep -v 'table local' | sort
	ls -l /run/netns
}

# ---- traffic ----

# Two networks, each with a bridge of its own; the host drops what comes in by the wrong one.
uplinks() { # JQ for the second network's list
	echo 1 >/proc/sys/net/ipv4/conf/all/rp_filter
	container world
	ip link add up0 type veth peer name eth0 netns world
	ip addr add 192.0.2.1/24 dev up0
	ip -6 addr add 2001:db8::1/64 dev up0 nodad
	ip link set up0 up
	ip -n world addr add 192.0.2.9/24 dev eth0
	ip -n world -6 addr add 2001:db8::9/64 dev eth0 nodad
	ip -n world link set eth0 up
	ip -n world route add default via 192.0.2.1
	ip -n world -6 route add default via 2001:db8::1
	cni_add "$(conf bridge '.name = "a" | .bridge = "cni-a" | .isDefaultGateway = true | .ipam = {type: "host-local",
		ranges: [[{subnet: "10.1.0.0/24"}], [{subnet: "fd01::/64"}]]}')"
	SECOND=$(conf bridge '{cniVersion, name: "b", plugins: [.bridge = "cni-b" | .isGateway = true | .ipam = {type: "host-local",
		ranges: [[{subnet: "10.2.0.0/24"}], [{subnet: "fd02::/64"}]]}, {type: "sbr"}]} | '"${1:-.}")
	cni_add "$SECOND" CNI_IFNAME=net1
	echo 1 >/proc/sys/net/ipv4/conf/cni-a/rp_filter
	echo 1 >/proc/sys/net/ipv4/conf/cni-b/rp_filter
	echo 1 >/proc/sys/net/ipv6/conf/all/forwarding
}

# leaves_by SOURCE DESTINATION
leaves_by() {
	run_in ctr ip -j route get "$2" from "$1" | jq -r '.[0].dev'
}

reached() {
	[[ $(fetch world "$1" 8080) == through ]]
}

@test "answers leave by the interface that the request came in by" {
	uplinks
	serve ctr 8080 through
	for address in 10.1.0.2 10.2.0.2 fd01::2 fd02::2; do
		wait_for "$address answers" 5 pings world $address
		wait_for "and serves" 10 reached $address
	done
	for address in 10.2.0.2 fd02::2; do
		world=192.0.2.9
		[[ $address != *:* ]] || world=2001:db8::9
		assert_eq "what $address sends" "$(leaves_by $address $world)" net1
		assert "it can speak first, too" run_in ctr busybox ping -c 1 -W 2 -I $address $world
	done
	assert_eq "everything else" "$(run_in ctr ip -j route get 192.0.2.9 | jq -r '.[0].dev')" eth0
}

@test "without it they would not" {
	uplinks 'del(.plugins[1])'
	assert "the first network" pings world 10.1.0.2
	refute "the second" pings world 10.2.0.2
}

@test "a chain's DEL leaves the other network, its CHECK is content; nothing is left of rules" {
	uplinks
	cni_check "$SECOND" CNI_IFNAME=net1
	cni_del "$SECOND" CNI_IFNAME=net1
	assert_eq "rules" "$(rules)" ""
	assert "the first network" pings world 10.1.0.2
	cni_add "$SECOND" CNI_IFNAME=net1
	assert_eq "tables are used again" "$(rules)" $'from 10.2.0.3 lookup 100\nfrom fd02::3 lookup 101'
	assert "a second time" pings world 10.2.0.3
}

# ---- what it makes ----

@test "each address has a rule and a table with its default route and the routes of its subnet; the main table has none" {
	furnished
	cni_add "$(sbr)"
	assert_same_json "the result is the previous one" "$output" "$PREV"
	assert_eq "rules" "$(rules)" $'from 10.1.0.5 lookup 100\nfrom 10.3.0.5 lookup 101\nfrom fd01::5 lookup 102'
	assert_eq "of 10.1.0.5" "$(table 100 | grep -v :)" "10.1.0.0/24 dev eth0 src 10.1.0.5
192.0.2.0/24 via 10.1.0.1 dev eth0
198.18.0.0/24 via 10.1.0.1+10.1.0.2 dev eth0
198.51.100.0/24 dev eth0
default via 10.1.0.1 dev eth0"
	assert_eq "of 10.3.0.5, which has no gateway" "$(table 101 | grep -v :)" "10.3.0.0/24 dev eth0 src 10.3.0.5
192.0.2.0/24 via 10.3.0.1 dev eth0
198.51.100.0/24 dev eth0"
	assert_eq "of fd01::5" "$(table 102 | grep :)" "2001:db8:2::/48 via fd01::1+fd01::2 dev eth0
default via fd01::1 dev eth0
fd01::/64 dev eth0
fe80::/64 dev eth0"
	assert_eq "in the main table" "$(table main)" ""
	assert_eq "another table is not touched" "$(table 7)" "203.0.113.0/24 via 10.1.0.1 dev eth0"
	assert_match "what a route had it keeps" "$(ip -n ctr route show table 100 192.0.2.0/24)" \
		'metric 5 mtu 1400 initcwnd 20 congctl reno'
	assert_match "weights, too" "$(ip -n ctr route show table 100 198.18.0.0/24 | tr '\n' ' ')" 'weight 3.*weight 1'
	cni_check "$(sbr)"
}

@test "several interfaces have different tables, also when all ADDs come at once" {
	wire eth0 1 10.1.0.5/24
	prev='{"cniVersion": "1.1.0", "interfaces": [], "ips": []}'
	for n in 1 2 3 4 5 6 7 8; do
		wire "net$n" "$n" "10.9.$n.5/24" "fd09:$n::5/64"
		prev=$(jq -c --arg n "$n" '.interfaces += [{name: "net\($n)", sandbox: "/run/netns/ctr"}]
			| .ips += [{address: "10.9.\($n).5/24", gateway: "10.9.\($n).1", interface: (.interfaces | length - 1)},
				{address: "fd09:\($n)::5/64", gateway: "fd09:\($n)::1", interface: (.interfaces | length - 1)}]' <<<"$prev")
	done
	before=$(state)
	for command in ADD CHECK DEL; do
		pids=()
		for n in 1 2 3 4 5 6 7 8; do
			CNI_COMMAND=$command CNI_CONTAINERID=ctr CNI_NETNS=/run/netns/ctr CNI_IFNAME=net$n CNI_PATH=$PLUGINS \
				"$PLUGINS/sbr" <<<"$(PREV=$prev sbr)" >"$BATS_TEST_TMPDIR/out.$n" &
			pids+=($!)
		done
		for pid in "${pids[@]}"; do
			wait "$pid" || flunk "$command" "$(cat "$BATS_TEST_TMPDIR"/out.*)"
		done
		[[ $command != ADD ]] ||
			assert_eq "tables" "$(rules | sed 's/.*lookup //' | sort -n | paste -sd' ')" "$(seq -s' ' 100 115)"
	done
	assert_eq "rules" "$(rules)" ""
	assert_eq "tables" "$(ip -n ctr route show table all | grep -c 'table 1[01][0-9]')" 0
}

@test "tables that a rule or a route uses are passed over" {
	furnished
	ip -n ctr rule add from 192.0.2.7 table 100
	ip -n ctr -6 rule add from 2001:db8::7 table 101
	ip -n ctr route add 192.0.2.7 dev eth0 table 102
	ip -n ctr -6 route add 2001:db8::7 dev eth0 table 104
	cni_add "$(sbr)"
	assert_eq "rules" "$(rules | grep -v 'from \(192\|2001\)')" \
		$'from 10.1.0.5 lookup 103\nfrom 10.3.0.5 lookup 105\nfrom fd01::5 lookup 106'
	cni_del "$(sbr)"
	assert_eq "they stay" "$(rules)" $'from 192.0.2.7 lookup 100\nfrom 2001:db8::7 lookup 101'
	assert_eq "their routes, too" "$(table 102; table 104)" $'192.0.2.7 dev eth0\n2001:db8::7 dev eth0'
}

@test "table: rules into it, and nothing else" {
	furnished
	ip -n ctr route add default via 10.3.0.1 table 5000
	before=$(table main)
	cni_add "$(sbr '.table = 5000')"
	assert_eq "rules" "$(rules)" $'from 10.1.0.5 lookup 5000\nfrom 10.3.0.5 lookup 5000\nfrom fd01::5 lookup 5000'
	assert_eq "the main table" "$(table main)" "$before"
	cni_check "$(sbr '.table = 5000')"
	EXPECT=1 cni_check "$(sbr '.table = 5001')"
	assert_json "CHECK knows which" "$output" .msg "there is no rule from 10.1.0.5 to table 5001"
	cni_del "$(sbr '.table = 5000')"
	assert_eq "rules after DEL" "$(rules)" ""
	assert_eq "the table is somebody else's" "$(table 5000)" "default via 10.3.0.1 dev eth0"
}

@test "table with the routes of IPAM in it, as the reference documents it" {
	list=$(conf bridge '{cniVersion: "1.1.0", name: "b", plugins: [.bridge = "cni-b" | .isGateway = true | .ipam = {type: "static",
		addresses: [{address: "10.2.0.5/24", gateway: "10.2.0.1"}], routes: [{dst: "0.0.0.0/0", table: 5000}]}, {type: "sbr", table: 5000}]}')
	cni_add "$list"
	assert_eq "what it sends" "$(leaves_by 10.2.0.5 198.51.100.1)" eth0
	assert_eq "nothing else has a way out" "$(run_in ctr ip route get 198.51.100.1 2>&1)" "RTNETLINK answers: Network is unreachable"
	cni_check "$list"
	cni_del "$list"
}

@test "gateways: in place of those of the addresses, one of a family" {
	furnished
	cni_add "$(sbr '.gateways = ["fd01::9", "10.1.0.9"] | .prevResult.ips |= map(select(.address | startswith("10.3") | not))')"
	assert_eq "IPv4" "$(table 100 | grep '^default')" $'default via 10.1.0.1 dev eth0'
	assert_eq "IPv6" "$(table 101 | grep '^default')" $'default via fd01::1 dev eth0'
	cni_del "$(sbr)"
	ip -n ctr link del eth0
	wire eth0 1 10.1.0.5/24 fd01::5/64
	cni_add "$(sbr '.gateways = ["10.1.0.9"] | .prevResult.ips |= map(select(.address | startswith("10.3") | not))')"
	assert_eq "no route of the main table has another one" "$(table 100 | grep '^default')" "default via 10.1.0.9 dev eth0"
	assert_eq "the other family keeps its own" "$(table 101 | grep '^default')" "default via fd01::1 dev eth0"
	cni_del "$(sbr)"
	for gateways in '["10.1.0.1", "10.1.0.2"]' '["fd01::1", "10.1.0.1", "fd01::2"]'; do
		EXPECT=1 cni_add "$(sbr ".gateways = $gateways")"
		assert_json "one too many" "$output" .code 7
		assert_match "says which" "$(jq -r .msg <<<"$output")" '^gateways\[[12]\]: there is an IPv[46] gateway already$'
	done
	EXPECT=1 cni_add "$(sbr '.gateways = ["10.99.0.1"]')"
	assert_match "out of reach" "$(jq -r .msg <<<"$output")" '^route by source on eth0: add route 0.0.0.0/0 via 10.99.0.1: '
}

@test "addSourceHints: subnets stay in the main table, with the address as source" {
	furnished
	cni_add "$(sbr '.addSourceHints = true')"
	assert_eq "the main table" "$(table main)" "10.1.0.0/24 dev eth0 src 10.1.0.5
10.3.0.0/24 dev eth0 src 10.3.0.5
198.51.100.0/24 dev eth0
fd01::/64 dev eth0 src fd01::5
fe80::/64 dev eth0"
	assert_match "an address's own table" "$(table 100)" 'default via 10.1.0.1'
	cni_check "$(sbr '.addSourceHints = true')"
}

@test "routes through a gateway that is in no address's subnet are not lost" {
	wire eth0 1 10.1.0.5/32 fd01::5/128
	ip -n ctr route add 169.254.1.1 dev eth0
	ip -n ctr route add default via 169.254.1.1 dev eth0
	ip -n ctr route add 192.0.2.0/24 via 192.0.2.1 dev eth0 onlink
	ip -n ctr -6 route add default via fe80::1 dev eth0 expires 600
	cni_add "$(sbr '.prevResult.ips = [{address: "10.1.0.5/32", interface: 0}, {address: "fd01::5/128", interface: 0}]')"
	assert_match "IPv4" "$(ip -n ctr route show table 100)" 'default via 169.254.1.1 dev eth0'
	assert_match "on the link" "$(ip -n ctr route show table 100)" '192.0.2.0/24 via 192.0.2.1 dev eth0 onlink'
	assert_match "a router that announced itself, for as long as it said" "$(ip -n ctr -6 route show table 101)" \
		'default via fe80::1 dev eth0 .*expires (600|59[0-9])sec'
	assert_eq "the main table" "$(table main)" ""
}

@test "no rule of somebody else goes with DEL, and another interface with the same address keeps its own" {
	furnished
	wire net1 2 10.1.0.5/24
	ip -n ctr rule add from 10.1.0.5 to 192.0.2.0/24 lookup 200
	ip -n ctr rule add from 10.1.0.5 fwmark 1 lookup 201
	ip -n ctr rule add from 10.1.0.0/24 lookup 202
	ip -n ctr rule add from 10.1.0.5 lookup main
	ip -n ctr rule add not from 10.1.0.5 lookup 203
	others=$(rules)
	cni_add "$(sbr)"
	twin='.prevResult.ips = [{address: "10.1.0.5/24", interface: 1, gateway: "10.1.0.1"}]'
	cni_add "$(sbr "$twin")" CNI_IFNAME=net1
	cni_del "$(sbr)"
	assert_eq "what is left" "$(rules)" "$(printf '%s\nfrom 10.1.0.5 lookup 103' "$others" | sort)"
	ip -n ctr link del eth0
	cni_del "$(sbr)"
	assert_match "also when the interface is gone" "$(rules)" 'from 10.1.0.5 lookup 103'
	cni_del "$(sbr "$twin")" CNI_IFNAME=net1
	assert_eq "and in the end" "$(rules)" "$others"
}

# ---- removal ----

@test "DEL by us and by the reference, of what either made" {
	need_reference sbr
	furnished
	for adder in "$REFERENCE" "$PLUGINS"; do
		for remover in "$PLUGINS" "$REFERENCE"; do
			PLUGINS=$adder cni_add "$(sbr '.cniVersion = "1.0.0" | .prevResult.cniVersion = "1.0.0"')"
			assert_eq "rules" "$(rules | wc -l)" 3
			PLUGINS=$remover cni_del "$(sbr '.cniVersion = "1.0.0" | .prevResult.cniVersion = "1.0.0"')"
			assert_eq "rules after DEL by $remover" "$(rules)" ""
			[[ $remover == "$REFERENCE" ]] ||
				assert_eq "no route is left in the tables" "$(table 100; table 101; table 102)" ""
			ip -n ctr link del eth0
			furnished
		done
	done
}

@test "DEL without namespace succeeds and makes no file" {
	: >/run/netns/plain
	before=$(snapshot; ls /run/netns)
	for netns in "" /run/netns/gone /run/netns/plain/x /run/netns/plain /run/nowhere/gone; do
		cni_del "$(sbr)" CNI_NETNS="$netns"
		assert_eq "DEL says nothing" "$output$stderr" ""
	done
	assert_eq "nothing was made" "$(snapshot; ls /run/netns)" "$before"
	for command in ADD CHECK; do
		CNI_COMMAND=$command EXPECT=1 cni_${command,,} "$(sbr)" CNI_NETNS=/run/netns/gone
		assert_json "$command" "$output" '[.code, .msg]' \
			'[8, "failed to open netns \"/run/netns/gone\": failed to Statfs \"/run/netns/gone\": no such file or directory"]'
	done
	assert_eq "nothing was made" "$(snapshot; ls /run/netns)" "$before"
}

@test "DEL finds the rules by prevResult when the interface is gone, and by the interface without prevResult" {
	furnished
	cni_add "$(sbr)"
	cni_del "$(sbr 'del(.prevResult)')"
	assert_eq "rules" "$(rules)" ""
	assert_eq "tables" "$(table 100; table 101; table 102)" ""
	cni_del "$(sbr 'del(.prevResult)')"
	ip -n ctr link del eth0
	furnished
	cni_add "$(sbr)"
	ip -n ctr link del eth0
	assert_eq "rules stay when a link goes" "$(rules | wc -l)" 3
	cni_del "$(sbr)"
	assert_eq "rules" "$(rules)" ""
	cni_del "$(sbr)"
	cni_del "$(sbr 'del(.prevResult)')"
}

@test "a mistake in keys that DEL does not need, or in prevResult, does not stop it" {
	furnished
	cni_add "$(sbr)"
	cni_del "$(sbr '.gateways = 7 | .addSourceHints = "x" | .prevResult = {cniVersion: "9.9"}')"
	assert_eq "rules" "$(rules)" ""
}

@test "every version: ADD, CHECK from 0.4.0, DEL, DEL again" {
	for version in 0.1.0 0.2.0 0.3.0 0.3.1 0.4.0 1.0.0 1.1.0; do
		wire eth0 1 10.1.0.5/24 fd01::5/64
		list=$(conf sbr ".cniVersion = \"$version\"")
		case $version in
		0.[12].0) prev='{"ip4": {"ip": "10.1.0.5/24", "gateway": "10.1.0.1"}, "ip6": {"ip": "fd01::5/64", "gateway": "fd01::1"}}' ;;
		*)        prev=$(jq -c '.ips |= map(select(.interface == 0 and (.address | startswith("10.3") | not)))' <<<"$PREV") ;;
		esac
		it=$(jq -c --argjson prev "$prev" '.cniVersion as $v | .prevResult = ($prev | .cniVersion = $v)' <<<"$list")
		cni_add "$it"
		assert_json "$version" "$output" .cniVersion "$version"
		assert_eq "rules" "$(rules)" $'from 10.1.0.5 lookup 100\nfrom fd01::5 lookup 101'
		[[ $version == 0.[123].* ]] || cni_check "$it"
		cni_del "$it"
		cni_del "$it"
		assert_eq "rules" "$(rules)" ""
		ip -n ctr link del eth0
	done
}

# ---- CHECK, GC, STATUS, mistakes ----

@test "CHECK misses a rule, a default route, a subnet's route; what a later plugin did is fine" {
	furnished
	cni_add "$(sbr)"
	ip -n ctr link set eth0 mtu 1400
	ip -n ctr route replace default via 10.1.0.2 table 100
	ip -n ctr addr del 10.3.0.5/24 dev eth0
	cni_check "$(sbr '.prevResult.ips[0].gateway = "10.1.0.2"')"
	# shellcheck disable=SC2086
	while IFS='~' read -r break fix message; do
		run_log ip -n ctr $break
		EXPECT=1 cni_check "$(sbr)"
		assert_json "$break" "$output" .msg "$message"
		run_log ip -n ctr $fix
		cni_check "$(sbr)"
	done <<-'TABLE'
		rule del from 10.1.0.5~rule add from 10.1.0.5 table 100~there is no rule from 10.1.0.5
		-6 rule del from fd01::5~-6 rule add from fd01::5 table 102~there is no rule from fd01::5
		route del default table 100~route add default via 10.1.0.1 dev eth0 table 100~table 100 of 10.1.0.5 has no default route
		-6 route del default table 102~-6 route add default via fd01::1 dev eth0 table 102~table 102 of fd01::5 has no default route
	TABLE
	ip -n ctr route del 10.1.0.0/24 table 100
	EXPECT=1 cni_check "$(sbr 'del(.prevResult.ips[].gateway)')"
	assert_json "without a gateway it is the subnet" "$output" .msg "table 100 of 10.1.0.5 has no route to its subnet"
	EXPECT=1 cni_check "$(sbr)" CNI_IFNAME=eth9
	assert_json "no interface" "$output" .msg "Cannot find network interface eth9: Link not found"
	EXPECT=1 NO_PREV=1 cni_check "$(sbr 'del(.prevResult)')"
	assert_json "no prevResult" "$output" '[.code, .msg]' '[7, "Required prevResult missing"]'
}

@test "GC and STATUS: all of its state is in the container" {
	before=$(snapshot host ctr)
	cni_status "$(sbr 'del(.prevResult)')"
	for list in '[]' '[{"containerID": "ctr", "ifname": "eth0"}]'; do
		cni_gc "$(sbr "del(.prevResult) | .[\"cni.dev/valid-attachments\"] = $list")"
	done
	cni_gc "$(sbr 'del(.prevResult)')"
	assert_eq "nothing changes" "$(snapshot host ctr)" "$before"
}

@test "mistakes are told, with their code, and change nothing" {
	wire eth0 1 10.1.0.5/24
	before=$(snapshot host ctr)
	while IFS='~' read -r change code message; do
		EXPECT=1 cni_add "$(sbr "$change")"
		assert_json "$change" "$output" '[.code, .msg]' "$(jq -cn --arg m "$message" "[$code, \$m]")"
	done <<-'TABLE'
		del(.prevResult)~7~This plugin must be called as chained plugin
		.prevResult.ips = []~7~No IP addresses supplied on interface: eth0
		.prevResult.ips |= map(select(.interface == 1))~7~No IP addresses supplied on interface: eth0
		.prevResult.cniVersion = "0.4.0"~6~could not parse prevResult: result type supports [1.0.0 1.1.0] but unmarshalled CNIVersion is "0.4.0"
		.table = 0~7~failed to parse network configuration: table: 0 is out of range 1..4294967295
		.table = "x"~6~failed to parse network configuration: table: expected an integer, found string
		.gateways = ["x"]~7~failed to parse network configuration: gateways[0]: "x" is not an IP address
	TABLE
	EXPECT=1 cni_add "$(sbr)" CNI_IFNAME=net1
	assert_json "no interface" "$output" .msg "Cannot find network interface net1: Link not found"
	assert_eq "nothing has changed" "$(snapshot host ctr)" "$before"
}

# ---- failures ----

# inject CALL FAULT WHEN [JQ]: ADD under strace
inject() {
	status=0
	output=$(CNI_COMMAND=ADD CNI_CONTAINERID=ctr CNI_NETNS=/run/netns/ctr CNI_IFNAME=eth0 CNI_PATH=$PLUGINS \
		deadline strace -f -qq -o /dev/null -e "inject=$1:${2:-error=ENOBUFS}:when=$3" "$PLUGINS/sbr" <<<"$(sbr "${4:-.}")") ||
		status=$?
}

@test "whichever exchange with the kernel fails, rules and routes are as before" {
	need strace
	export ASAN_OPTIONS=detect_leaks=0
	furnished
	before=$(state)
	failures=0
	for call in sendmsg recvmsg sendto socket flock; do
		for ((n = 1; n <= 40; n++)); do
			inject $call "error=$([[ $call == socket ]] && echo EMFILE || echo ENOBUFS)" "$n"
			[[ $status != 0 ]] || break
			failures=$((failures + 1))
			assert_json "$call $n: one error" "$output" '.code > 0 and (.msg | length > 5)'
			assert_eq "$call $n: as before" "$(state)" "$before"
		done
		cni_del "$(sbr)"
		ip -n ctr link del eth0
		furnished
	done
	assert "there were some: $failures" test "$failures" -ge 15
}

@test "a route that the kernel refuses: rules, tables and the main table are as before" {
	furnished
	before=$(state)
	EXPECT=1 cni_add "$(sbr '.prevResult.ips[2].gateway = "fd99::1"')"
	assert_match "the reason" "$(jq -r .msg <<<"$output")" '^route by source on eth0: add route ::/0 via fd99::1: No route to host'
	assert_eq "as before" "$(state)" "$before"
}

@test "killed at any system call of an ADD, the DEL that follows leaves no rule and no table" {
	need strace
	export ASAN_OPTIONS=detect_leaks=0
	total=$(furnished >/dev/null 2>&1; CNI_COMMAND=ADD CNI_CONTAINERID=ctr CNI_NETNS=/run/netns/ctr CNI_IFNAME=eth0 CNI_PATH=$PLUGINS \
		strace -qq -o /dev/stdout "$PLUGINS/sbr" <<<"$(sbr)" 2>/dev/null | grep -cE '^(sendmsg|recvmsg|flock|socket)')
	[[ $total -gt 10 ]] || flunk "only $total calls"
	for ((n = 1; n <= total; n++)); do
		inject sendmsg,recvmsg,flock,socket signal=KILL "$n"
		cni_del "$(sbr 'del(.prevResult)')"
		assert_eq "$n: rules" "$(rules)" ""
		assert_eq "$n: tables" "$(table 100; table 101; table 102; table 103; table 104; table 105)" ""
	done
}

@test "a lock that somebody holds for ever is an error after a while, code 11" {
	need strace
	furnished
	inject flock error=EWOULDBLOCK 1+
	assert_json "it gives up" "$output" '.code == 11 or (.msg | test("lock"))'
	before=$(state)
	assert_eq "nothing has changed" "$(state)" "$before"
}
