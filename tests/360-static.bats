#!/usr/bin/env bats
# The static IPAM plugin: every key and where addresses may come from; and the route attributes of CNI 1.1, which it and
# host-local hand to the main plugins.

# Every test is a process of its own, and its variables end with it.
# shellcheck disable=SC2030,SC2031

load lib/all
sandbox

setup() {
	container ctr
}

# message CONF [VARIABLE=value ...]: code and message that ADD fails with
message() {
	EXPECT=1 cni_add "$@" >"$BATS_TEST_TMPDIR/log" || { cat "$BATS_TEST_TMPDIR/log"; return 1; }
	jq -r '"\(.code) \(.msg)"' <<<"$output"
}

addresses() { jq -c '[.ips[]? | [.address, .gateway]]' <<<"$output"; }

# ---- what it says ----

@test "ADD gives what the configuration says: addresses, routes, dns" {
	cni_add "$(conf static '.cniVersion = "1.1.0" | .ipam.addresses += [{address: "fd77::5/64"}]
		| .ipam.dns = {nameservers: ["192.0.2.53"], domain: "example", search: ["a.example"], options: ["ndots:2"]}
		| .ipam.routes = [{dst: "0.0.0.0/0"}, {dst: "10.9.8.7/16", gw: "10.77.0.9"},
			{dst: "::/0", gw: "fd77::1", mtu: 1300, advmss: 1200, priority: 7, table: 100, scope: 0}]')"
	assert_same_json "the result" "$output" '{"cniVersion": "1.1.0",
		"ips": [{"address": "10.77.0.5/24", "gateway": "10.77.0.1"}, {"address": "fd77::5/64"}],
		"routes": [{"dst": "0.0.0.0/0"}, {"dst": "10.9.8.7/16", "gw": "10.77.0.9"},
			{"dst": "::/0", "gw": "fd77::1", "mtu": 1300, "advmss": 1200, "priority": 7, "table": 100, "scope": 0}],
		"dns": {"nameservers": ["192.0.2.53"], "domain": "example", "search": ["a.example"], "options": ["ndots:2"]}}'
	cni_add "$(conf static '.ipam.addresses = []')"
	assert_same_json "no address at all is legal" "$output" '{"cniVersion": "1.0.0"}'
	cni_add "$(conf static 'del(.ipam.addresses)')"
	assert_same_json "nor is the key needed" "$output" '{"cniVersion": "1.0.0"}'
}

@test "keys count in any case, as runtimes write them" {
	cni_add '{"cniVersion": "1.0.0", "Name": "tnet", "type": "static", "IPAM": {"Addresses": [{"ADDRESS": "10.77.0.5/24", "GateWay": "10.77.0.1"}]},
		"RuntimeConfig": {"IPs": []}}'
	assert_eq "the address" "$(addresses)" '[["10.77.0.5/24","10.77.0.1"]]'
	cni_add '{"cniVersion": "1.0.0", "name": "tnet", "type": "static", "ipam": {}, "RuntimeConfig": {"IPs": ["10.77.0.6/24"]}}'
	assert_eq "of the runtime" "$(addresses)" '[["10.77.0.6/24",null]]'
}

@test "CNI_ARGS: IP adds addresses, GATEWAY goes to the addresses whose subnet it is in" {
	cni_add "$(conf static 'del(.ipam.addresses[0].gateway)')" \
		CNI_ARGS="IP=10.78.0.5/16, fd77::5/64;GATEWAY=10.77.0.1,10.78.9.9 ,fd77::1"
	assert_eq "all of them" "$(addresses)" \
		'[["10.77.0.5/24","10.77.0.1"],["10.78.0.5/16","10.78.9.9"],["fd77::5/64","fd77::1"]]'
	cni_add "$(conf static)" CNI_ARGS="GATEWAY=10.99.0.1"
	assert_eq "a gateway of another subnet changes nothing" "$(addresses)" '[["10.77.0.5/24","10.77.0.1"]]'
	cni_add "$(conf static)" CNI_ARGS="IP=;GATEWAY=;IgnoreUnknown=1;K8S_POD_NAME=x"
	assert_eq "empty ones neither" "$(addresses)" '[["10.77.0.5/24","10.77.0.1"]]'
}

@test "args.cni.ips replaces all addresses, runtimeConfig.ips replaces them again" {
	args='.args.cni.ips = ["10.79.0.5/24", "fd79::5/64"]'
	cni_add "$(conf static "$args")" CNI_ARGS="IP=10.78.0.5/16"
	assert_eq "args" "$(addresses)" '[["10.79.0.5/24",null],["fd79::5/64",null]]'
	RUNTIME='{"ips": ["10.80.0.5/24"]}' cni_add "$(conf static "$args | .capabilities.ips = true")" \
		CNI_ARGS="IP=10.78.0.5/16;GATEWAY=10.80.0.1"
	assert_eq "runtimeConfig" "$(addresses)" '[["10.80.0.5/24",null]]'
	RUNTIME='{"ips": ["10.80.0.5/24"]}' cni_add "$(conf static '.ipam = {type: "static"} | .capabilities.ips = true')"
	assert_eq "alone" "$(addresses)" '[["10.80.0.5/24",null]]'
}

@test "errors have the reference's words, and codes say whose mistake it is" {
	while IFS='~' read -r change variable want; do
		assert_eq "$change $variable" "$(message "$(conf static "$change")" "$variable")" "$want"
	done <<-'TABLE'
		del(.ipam)~CNI_ARGS=~7 IPAM config missing 'ipam' key
		.ipam.addresses[0].address = "10.77.0.5"~CNI_ARGS=~7 the 'address' field is expected to be in CIDR notation, got: '10.77.0.5'
		.ipam.addresses[0].address = "10.77.0.555/24"~CNI_ARGS=~7 the 'address' field is expected to be in CIDR notation, got: '10.77.0.555/24'
		del(.ipam.addresses[0].address)~CNI_ARGS=~7 the 'address' field is expected to be in CIDR notation, got: ''
		.~CNI_ARGS=IP=10.77.0.6~4 the 'ip' field is expected to be in CIDR notation, got: '10.77.0.6'
		.~CNI_ARGS=IP=10.77.0.6/24,~4 the 'ip' field is expected to be in CIDR notation, got: ''
		.~CNI_ARGS=GATEWAY=10.77.0.1,x~4 invalid gateway address: x
		.args.cni.ips = ["10.77.0.6"]~CNI_ARGS=~7 an entry in the 'ips' field is NOT in CIDR notation, got: '10.77.0.6'
		.runtimeConfig.ips = ["10.77.0.6/24", "x"]~CNI_ARGS=~7 an entry in the 'ips' field is NOT in CIDR notation, got: 'x'
		.~CNI_ARGS=ip=10.77.0.6/24~4 ARGS: unknown args ["ip=10.77.0.6/24"]
		.cniVersion = "0.2.0" | .ipam.addresses += [{address: "10.77.0.6/24"}]~CNI_ARGS=~7 CNI version 0.2.0 does not support more than 1 address per family
		.ipam.addresses[0].gateway = "x"~CNI_ARGS=~7 ipam.addresses[0].gateway: "x" is not an IP address
		.ipam.addresses = {}~CNI_ARGS=~6 ipam.addresses: expected a list, found object
		.ipam.routes = [{gw: "10.77.0.1"}]~CNI_ARGS=~7 ipam.routes[0].dst: required
	TABLE
	EXPECT=1 cni_add "$(conf static '.runtimeConfig.ips = ["10.77.0.6/24", "x"]')"
	assert_json "the details say which entry" "$output" .details 'runtimeConfig.ips[1]'
}

@test "every version: ADD in its shape, CHECK from 0.4.0, DEL, DEL again" {
	for version in 0.1.0 0.2.0 0.3.0 0.3.1 0.4.0 1.0.0 1.1.0; do
		it=$(conf static ".cniVersion = \"$version\" | .ipam.addresses += [{address: \"fd77::5/64\"}]")
		cni_add "$it"
		case $version in
		0.[12].0)      assert_json "$version" "$output" '[.ip4.ip, .ip6.ip]' '["10.77.0.5/24", "fd77::5/64"]' ;;
		0.3.* | 0.4.0) assert_json "$version" "$output" '[.ips[].version]' '["4", "6"]' ;;
		*)             assert_json "$version" "$output" '[.ips[] | has("version")]' '[false, false]' ;;
		esac
		assert_json "$version: itself" "$output" .cniVersion "$version"
		[[ $version == 0.[123].* ]] || cni_check "$it"
		cni_del "$it"
		cni_del "$it"
		assert_eq "DEL prints nothing" "$output" ""
	done
}

@test "DEL, GC and STATUS: nothing is kept, so nothing can be missing" {
	: >/run/plain
	before=$(snapshot)
	for netns in "" /run/netns/gone /run/plain; do
		cni_del "$(conf static)" CNI_NETNS="$netns"
	done
	cni_del "$(conf static '.ipam = {type: "static", addresses: [{address: "x"}]}')"
	cni_del "$(conf static 'del(.ipam)')"
	for list in '[]' '[{"containerID": "ctr", "ifname": "eth0"}]'; do
		cni_gc "$(conf static ".cniVersion = \"1.1.0\" | .[\"cni.dev/valid-attachments\"] = $list")"
	done
	cni_gc "$(conf static '.cniVersion = "1.1.0"')"
	cni_status "$(conf static '.cniVersion = "1.1.0"')"
	assert_eq "nothing is said" "$output" ""
	EXPECT=1 cni_status "$(conf static '.cniVersion = "1.1.0" | .ipam.addresses[0].address = "x"')"
	left "$before"
}

@test "CHECK: each address must be in prevResult, on this interface, with its gateway" {
	check() { # EXPECT JQ: CHECK with the result of ADD behind a main plugin, changed
		EXPECT=$1 cni_check "$(conf static '.ipam.addresses += [{address: "fd77::5/64"}]' | jq -c --argjson prev "$prev" \
			".prevResult = (\$prev | $2)")"
	}
	prev='{"cniVersion": "1.0.0", "interfaces": [{"name": "eth0"}, {"name": "eth0", "sandbox": "/run/netns/ctr"},
			{"name": "net1", "sandbox": "/run/netns/ctr"}],
		"ips": [{"address": "10.77.0.5/24", "gateway": "10.77.0.1", "interface": 1},
			{"address": "fd77::5/64", "gateway": "fd77::1", "interface": 1}, {"address": "10.99.0.5/24", "interface": 2}]}'
	check 0 .
	check 0 'del(.ips[].interface)'
	check 0 'del(.interfaces[].sandbox)'
	check 0 '.ips += [.ips[0] + {"gateway": "10.77.0.9"}]'
	while IFS='~' read -r change reason; do
		check 1 "$change"
		assert_match "$change" "$(jq -r .msg <<<"$output")" "^static: Failed to match addr $reason"
	done <<-'TABLE'
		.ips[0].gateway = "10.77.0.2"~10.77.0.5/24 on interface eth0: prevResult does not have gateway 10.77.0.1
		del(.ips[0].gateway)~10.77.0.5/24 on interface eth0: prevResult does not have gateway 10.77.0.1
		del(.ips[0])~10.77.0.5/24 on interface eth0: it is not in prevResult
		.ips[1].interface = 2~fd77::5/64 on interface eth0: it is not in prevResult
		.ips[1].interface = 0~fd77::5/64 on interface eth0: it is not in prevResult
		.ips[1].interface = 9~fd77::5/64 on interface eth0: it is not in prevResult
		.ips[1].address = "fd77::5/48"~fd77::5/64 on interface eth0: it is not in prevResult
	TABLE
	EXPECT=1 NO_PREV=1 cni_check "$(conf static)"
	assert_json "without prevResult" "$output" '[.code, .msg]' '[7, "Required prevResult missing"]'
}

# ---- the attributes of routes, applied by the main plugins ----

# Every attribute once, in both families, for the configuration of a main plugin: IPAM's addresses and these routes.
ROUTES='[
	{"dst": "192.0.2.0/24",     "gw": "10.77.0.1", "mtu": 1300},
	{"dst": "198.51.100.7/24",  "gw": "10.77.0.9", "advmss": 1200},
	{"dst": "203.0.113.0/24",   "priority": 50},
	{"dst": "203.0.113.0/24",   "gw": "10.77.0.9", "priority": 60},
	{"dst": "198.18.0.0/16",    "table": 1000},
	{"dst": "198.19.0.0/16",    "scope": 253},
	{"dst": "198.20.0.0/16",    "scope": 0, "table": 0},
	{"dst": "0.0.0.0/0",        "mtu": 1301, "advmss": 1201, "priority": 51, "table": 1001, "scope": 0},
	{"dst": "2001:db8:1::/48",  "gw": "fd77::1", "mtu": 1300},
	{"dst": "2001:db8:2::7/48", "gw": "fd77::9", "advmss": 1200},
	{"dst": "2001:db8:3::/48",  "priority": 50},
	{"dst": "2001:db8:3::/48",  "gw": "fd77::9", "priority": 60},
	{"dst": "2001:db8:4::/48",  "table": 1000},
	{"dst": "2001:db8:5::/48",  "scope": 253},
	{"dst": "2001:db8:6::/48",  "scope": 0, "table": 0},
	{"dst": "::/0",             "mtu": 1301, "advmss": 1201, "priority": 51, "table": 1001, "scope": 0}]'

# What the kernel has of them, one line for each, without what ptp adds. IPv6 knows no scope, and its metric 1024 is none.
routes() {
	{ ip -n ctr -j -4 route show table all; ip -n ctr -j -6 route show table all; } | jq -r -s 'add
		| map(select(.protocol != "kernel" and .prefsrc == null and .dev == "eth0" and .type != "local" and .type != "multicast"))
		| map("\(.dst) via \(.gateway // "-") mtu \(.metrics[0].mtu // "-") advmss \(.metrics[0].advmss // "-") metric \(.metric // 0)" +
			" table \(.table // "main") scope \(.scope // "global")" | sub("metric 1024"; "metric 0"))[]' | sort
}

WANT='0.0.0.0/0 via 10.77.0.1 mtu 1301 advmss 1201 metric 51 table 1001 scope global
192.0.2.0/24 via 10.77.0.1 mtu 1300 advmss - metric 0 table main scope global
198.18.0.0/16 via 10.77.0.1 mtu - advmss - metric 0 table 1000 scope global
198.19.0.0/16 via - mtu - advmss - metric 0 table main scope link
198.20.0.0/16 via 10.77.0.1 mtu - advmss - metric 0 table main scope global
198.51.100.0/24 via 10.77.0.9 mtu - advmss 1200 metric 0 table main scope global
203.0.113.0/24 via 10.77.0.1 mtu - advmss - metric 50 table main scope global
203.0.113.0/24 via 10.77.0.9 mtu - advmss - metric 60 table main scope global
::/0 via fd77::1 mtu 1301 advmss 1201 metric 51 table 1001 scope global
2001:db8:1::/48 via fd77::1 mtu 1300 advmss - metric 0 table main scope global
2001:db8:2::/48 via fd77::9 mtu - advmss 1200 metric 0 table main scope global
2001:db8:3::/48 via fd77::1 mtu - advmss - metric 50 table main scope global
2001:db8:3::/48 via fd77::9 mtu - advmss - metric 60 table main scope global
2001:db8:4::/48 via fd77::1 mtu - advmss - metric 0 table 1000 scope global
2001:db8:5::/48 via - mtu - advmss - metric 0 table main scope global
2001:db8:6::/48 via fd77::1 mtu - advmss - metric 0 table main scope global'

# applied CONF: every attribute is in the kernel, in the result, and content for CHECK
applied() {
	cni_add "$1" || return
	assert_eq "in the kernel" "$(routes | sed 's/^default via 10/0.0.0.0\/0 via 10/; s/^default via fd/::\/0 via fd/' | sort)" \
		"$(sort <<<"$WANT")" || return
	assert_same_json "in the result" "$(jq '.routes' <<<"$output")" \
		"$(jq 'map(.)' <<<"$ROUTES")" || return
	assert_json "the MTU of the interface" "$output" '.interfaces[] | select(.sandbox) | .mtu' "${2:-1500}" || return
	cni_check "$1" || return
	ip -n ctr route del 198.18.0.0/16 table 1000
	EXPECT=1 cni_check "$1" || return
	assert_match "CHECK misses one in another table" "$(jq -r .msg <<<"$output")" '^Expected Route 198.18.0.0/16 ' || return
	cni_del "$1" || return
}

with_static() {
	conf bridge ".cniVersion = \"1.1.0\" | del(.isGateway) | .ipam = {type: \"static\", routes: $ROUTES,
		addresses: [{address: \"10.77.0.5/24\", gateway: \"10.77.0.1\"}, {address: \"fd77::5/64\", gateway: \"fd77::1\"}]} | ${1:-.}"
}

@test "route attributes through static: mtu, advmss, priority, table, scope, in IPv4 and IPv6" {
	applied "$(with_static)"
}

@test "route attributes through host-local, with duplicate address detection" {
	applied "$(conf bridge ".cniVersion = \"1.1.0\" | del(.isGateway) | .enabledad = true | .ipam = {type: \"host-local\",
		routes: $ROUTES, ranges: [[{subnet: \"10.77.0.0/24\"}], [{subnet: \"fd77::/64\"}]]}")"
}

@test "route attributes through ptp, where the gateway is all there is on the link; the MTU of its interface" {
	ROUTES=${ROUTES//::9/::1} ROUTES=${ROUTES//.0.9/.0.1} WANT=${WANT//::9/::1} WANT=${WANT//.0.9/.0.1}
	applied "$(with_static '.type = "ptp" | .mtu = 1400')" 1400
}

@test "a route's MTU is what the container sends by" {
	cni_add "$(with_static '.isGateway = true')"
	assert_match "IPv4" "$(run_in ctr ip route get 192.0.2.1)" 'mtu 1300'
	assert_match "IPv6" "$(run_in ctr ip -6 route get 2001:db8:1::1)" 'mtu 1300'
	assert_match "the better metric wins" "$(run_in ctr ip route get 203.0.113.1)" 'via 10.77.0.1 '
	assert "and the gateway is there" pings ctr 10.77.0.1
	refute "a packet above the path's MTU is not sent whole" run_in ctr busybox ping -c 1 -W 1 -s 1400 192.0.2.1
}

@test "wrong attributes are blamed by their path" {
	while IFS='~' read -r change want; do
		assert_eq "$change" "$(message "$(with_static "$change")")" "$want"
	done <<-'TABLE'
		.ipam.routes[0].mtu = -1~7 ipam.routes[0].mtu: -1 is out of range 0..4294967295
		.ipam.routes[0].mtu = "1300"~6 ipam.routes[0].mtu: expected an integer, found string
		.ipam.routes[0].scope = 256~7 ipam.routes[0].scope: 256 is out of range 0..255
	TABLE
	EXPECT=1 cni_add "$(with_static '.ipam.routes = [{dst: "192.0.2.0/24", gw: "10.99.0.1"}]')"
	assert_match "a gateway out of reach: the kernel's words" "$(jq -r .msg <<<"$output")" \
		'add route 192.0.2.0/24 via 10.99.0.1: .*[Nn]exthop'
}
