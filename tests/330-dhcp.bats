#!/usr/bin/env bats
# dhcp: plugin and daemon, with real servers (dnsmasq, udhcpd) and with a scripted one for what real ones do seldom.

load lib/all
load lib/dhcp
sandbox

setup() {
	need dnsmasq python3
	container ctr ctr2
	lan
}

# ---- a lease and its end ----

@test "a lease: address and routes in the container, CHECK finds it, DEL gives it back" {
	server_place srv 10.77.0.1
	dnsmasq_in srv 10.77.0.50 10.77.0.99
	daemon
	cni_add "$(dhcp_conf)"
	address=$(jq -r '.ips[0].address' <<<"$output")
	assert_match "from the server's range" "$address" '^10\.77\.0\.[5-9][0-9]/24$'
	assert_json "gateway and interface" "$output" '.ips[0] | [.gateway, .interface]' '["10.77.0.1", 2]'
	assert_json "the default route" "$output" .routes '[{"dst": "0.0.0.0/0", "gw": "10.77.0.1"}]'
	assert "the pod reaches the server" pings ctr 10.77.0.1
	cni_check "$(dhcp_conf)"
	assert_eq "the daemon lists it" "$(lease '| "\(.address) \(.state) \(.server)"' | tr -d '|')" "$address bound 10.77.0.1"
	cni_del "$(dhcp_conf)"
	wait_for "the server sees the release" 5 logged srv "DHCPRELEASE\(eth0\) ${address%/24}"
	assert_eq "the daemon has forgotten it" "$("$CNIBOX" dhcp leases)" ""
	assert_eq "so has the disk" "$(find /run/cni/dhcp.leases -name '*.json')" ""
	cni_del "$(dhcp_conf)"
}

@test "over macvlan, where a container is a host of the LAN" {
	server_place srv 10.77.0.1
	dnsmasq_in srv 10.77.0.50 10.77.0.99
	daemon
	ip link add up0 type veth peer name up1
	ip link set up1 master lan0 up
	ip link set up0 up
	network=$(dhcp_conf '.type = "macvlan" | .master = "up0" | del(.bridge)')
	cni_add "$network"
	assert "the pod reaches the server" pings ctr 10.77.0.1
	cni_check "$network"
	cni_del "$network"
	wait_for "the server sees the release" 5 logged srv DHCPRELEASE
}

@test "every version: ADD in its shape, CHECK, DEL, and DEL again" {
	server_place srv 10.77.0.1
	dnsmasq_in srv 10.77.0.50 10.77.0.99
	daemon
	for version in 0.1.0 0.2.0 0.3.0 0.3.1 0.4.0 1.0.0 1.1.0; do
		it=$(dhcp_conf ".cniVersion = \"$version\"")
		cni_add "$it"
		assert_json "$version" "$output" '.cniVersion == "'$version'" and ((.ip4.ip // .ips[0].address) | test("^10.77.0."))'
		[[ $version == 0.[123].* ]] || cni_check "$it"
		cni_del "$it"
		NO_PREV=1 cni_del "$it"
	done
}

@test "DEL gives back, whatever is missing: namespace, path, prevResult" {
	server_place srv 10.77.0.1
	dnsmasq_in srv 10.77.0.50 10.77.0.99
	daemon
	: >/run/plain
	for netns in '' /run/netns/none /run/plain; do
		cni_add "$(dhcp_conf)"
		: >/run/srv.log
		NO_PREV=1 cni_del "$(dhcp_conf)" CNI_NETNS="$netns"
		wait_for "the server sees the release, CNI_NETNS=$netns" 5 logged srv DHCPRELEASE
		ip -n ctr link del eth0 2>/dev/null || :
	done
}

@test "DEL gives back from a namespace that is gone but for the daemon" {
	server_place srv 10.77.0.1
	dnsmasq_in srv 10.77.0.50 10.77.0.99
	daemon
	cni_add "$(dhcp_conf)"
	ip netns del ctr
	cni_del "$(dhcp_conf)"
	wait_for "the server sees the release" 5 logged srv DHCPRELEASE
	wait_for "nothing holds the namespace" 5 no_veth
}
no_veth() { ! ip -o link show master lan0 | grep -v lan-; }

@test "without a daemon: ADD says so with code 11, STATUS with 50, DEL and GC succeed" {
	text='error dialing DHCP daemon: dial unix /run/cni/dhcp.sock: connect: no such file or directory'
	before=$(snapshot host ctr)
	EXPECT=1 cni_add "$(dhcp_conf '.bridge = "cni9"')"
	assert_json "code and text" "$output" '[.code, .msg]' "[11, \"$text\"]"
	assert_eq "nothing is left" "$(snapshot host ctr)" "$before"
	EXPECT=1 cni_status "$(dhcp_conf '.cniVersion = "1.1.0"')"
	assert_json "code and text" "$output" '[.code, .msg]' "[50, \"$text\"]"
	EXPECT=1 cni_check "$(dhcp_conf)"
	cni_del "$(dhcp_conf)"
	cni_gc "$(dhcp_conf '.cniVersion = "1.1.0" | .["cni.dev/attachments"] = []')"
	mkdir /run/cni
	"$CNIBOX" dhcp daemon -socketpath /run/other.sock 3>&- &
	wait_for "another socket" 5 "$CNIBOX" dhcp leases -socketpath=/run/other.sock
	cni_status "$(dhcp_conf '.cniVersion = "1.1.0" | .ipam.daemonSocketPath = "/run/other.sock"')"
}

@test "DEL and GC without a daemon: the next one does not take the lease up again" {
	server_place srv 10.77.0.1
	dnsmasq_in srv 10.77.0.50 10.77.0.99
	daemon
	cni_add "$(dhcp_conf)"
	cni_add "$(dhcp_conf)" @ctr2
	kill -9 "$DAEMON"
	wait_for "it is dead" 5 gone "$DAEMON"
	cni_del "$(dhcp_conf)"
	assert_match "what that means" "$stderr" "not released: error dialing DHCP daemon"
	cni_gc "$(dhcp_conf '.cniVersion = "1.1.0"')"
	daemon
	assert_json "only the other" "$("$CNIBOX" dhcp leases --json)" '[.[].container]' '["ctr2"]'
	kill -9 "$DAEMON"
	wait_for "it is dead" 5 gone "$DAEMON"
	cni_gc "$(dhcp_conf '.cniVersion = "1.1.0" | .["cni.dev/valid-attachments"] = []')"
	daemon
	assert_eq "none" "$("$CNIBOX" dhcp leases)" ""
}

@test "GC: absent list nothing, a list exactly the stale ones, an empty one all of the network" {
	server_place srv 10.77.0.1
	dnsmasq_in srv 10.77.0.50 10.77.0.99
	daemon
	container ctr3
	for name in ctr ctr2; do
		cni_add "$(dhcp_conf)" "@$name"
	done
	cni_add "$(dhcp_conf '.name = "other"')" @ctr3
	cni_gc "$(dhcp_conf '.cniVersion = "1.1.0"')"
	assert_json "all are there" "$("$CNIBOX" dhcp leases --json)" length 3
	cni_gc "$(dhcp_conf '.cniVersion = "1.1.0" | .["cni.dev/attachments"] = [{containerID: "ctr", ifname: "eth0"}, {containerID: "ctr2", ifname: "eth1"}]')"
	assert_json "the stale one is gone" "$("$CNIBOX" dhcp leases --json)" '[.[].container] | sort' '["ctr", "ctr3"]'
	wait_for "its address was given back" 5 logged srv DHCPRELEASE 1
	cni_gc "$(dhcp_conf '.cniVersion = "1.1.0" | .["cni.dev/valid-attachments"] = []')"
	assert_json "only the other network's" "$("$CNIBOX" dhcp leases --json)" '[.[].container]' '["ctr3"]'
}

# ---- what is sent and asked for ----

@test "provide, fromArg, request, skipDefault and the client id are what the server gets" {
	server_place srv 10.77.0.1
	scripted_in srv '{address: "10.77.0.50", server: "10.77.0.1"}'
	daemon
	cni_add "$(dhcp_conf '.ipam += {provide: [{option: "host-name", value: "no", fromArg: "K8S_POD_NAME"},
		{option: "vendor-class-identifier", value: "pods"}, {option: "77", value: "user"}, {option: "12", value: ""},
		{option: "user-class", fromArg: "NONE"}], request: [{option: "121"}, {option: "routers"}, {option: "42"}]}')" \
		CNI_ARGS='IgnoreUnknown=1;K8S_POD_NAME=web-0'
	for type in discover request; do
		assert_json "$type: host name" "$(seen srv "map(select(.type == \"$type\")) | .[0].options")" '."12"' "$(hex web-0)"
		assert_json "$type: vendor and user class" "$(seen srv "map(select(.type == \"$type\")) | .[0].options")" \
			'[."60", ."77"]' "[\"$(hex pods)\", \"$(hex user)\"]"
		assert_json "$type: asked for, each once" "$(seen srv "map(select(.type == \"$type\")) | .[0].options")" '."55"' 79032a01
		assert_json "$type: the client id" "$(seen srv "map(select(.type == \"$type\")) | .[0].options")" '."61"' \
			"00$(hex ctr/tnet/eth0)"
	done
	assert_json "REQUEST names server and address" "$(seen srv 'map(select(.type == "request")) | .[0].options')" '[."54", ."50"]' \
		'["0a4d0001", "0a4d0032"]'
	cni_del "$(dhcp_conf)"
	wait_for "RELEASE" 5 has_seen srv 'any(.type == "release")'
	assert_json "RELEASE: to the server alone, client id, no more" "$(seen srv 'map(select(.type == "release")) | .[0]')" \
		'[.to, .ciaddr, (.options | keys)]' '["10.77.0.1", "10.77.0.50", ["53", "54", "61"]]'
	cni_add "$(dhcp_conf '.ipam += {request: [{skipDefault: true, option: "1"}], provide: [{option: "dhcp-client-identifier", value: "me"}]}')"
	assert_json "only what is listed" "$(seen srv 'last.options')" '[."55", ."61"]' "[\"01\", \"$(hex me)\"]"
}

@test "an id of any length: the client id is cut at 254 bytes" {
	server_place srv 10.77.0.1
	scripted_in srv '{address: "10.77.0.50", server: "10.77.0.1"}'
	daemon
	long=$(printf 'c%.0s' {1..300})
	variables=(CNI_CONTAINERID="$long" CNI_NETNS=/run/netns/ctr CNI_IFNAME=eth0 CNI_PATH="$PLUGINS")
	cni_exec bridge "$(dhcp_conf)" CNI_COMMAND=ADD "${variables[@]}"
	assert_eq "ADD" "$status" 0
	assert_json "255 bytes with the type" "$(seen srv '.[0].options."61"')" 'length / 2' 255
	cni_exec bridge "$(dhcp_conf)" CNI_COMMAND=DEL "${variables[@]}"
	assert_eq "DEL" "$status" 0
}

@test "mistakes in the configuration: code 7 or 6 and a text that names them" {
	while IFS='~' read -r change code text; do
		EXPECT=1 cni_add "$(dhcp_conf "$change")" CNI_ARGS="IgnoreUnknown=1;LONG=$(printf 'x%.0s' {1..256})"
		assert_json "code of $change" "$output" .code "$code"
		assert_match "$change" "$(jq -r .msg <<<"$output")" "$text"
		cni_del "$(dhcp_conf "$change")"
	done <<-'TABLE'
		.ipam.provide = [{option: "no-such", value: "x"}]~7~Can not parse option "no-such"
		.ipam.provide = [{option: "0", value: "x"}]~7~Can not parse option "0"
		.ipam.provide = [{option: "256", value: "x"}]~7~Can not parse option "256"
		.ipam.provide = [{option: "1x", value: "x"}]~7~Can not parse option "1x"
		.ipam.request = [{option: "-1"}]~7~ipam.request: Can not parse option "-1"
		.ipam.provide = [{option: "12", value: ("x" * 256)}]~7~value too long for option "12"
		.ipam.provide = [{option: "12", fromArg: "LONG"}]~4~value too long for option "12" from CNI_ARGS LONG
		.ipam.provide = [{value: "x"}]~7~ipam.provide\[0\]
		.ipam.provide = "x"~6~ipam.provide
		.ipam.priority = "x"~6~ipam.priority
		.ipam.daemonSocketPath = ("/" + "x" * 200)~11~error dialing DHCP daemon
	TABLE
}

@test "classless routes win over static ones and router; router 0.0.0.0 means on the link" {
	server_place srv 10.77.0.1
	# 0.0.0.0/0 via 10.77.0.9; 192.0.2.0/24 via 0.0.0.0; 198.51.100.128/25 via 10.77.0.8
	scripted_in srv '{address: "10.77.0.50", server: "10.77.0.1", router: "10.77.0.1",
		options: {"121": "000a4d0009 18c00002 00000000 19c6336480 0a4d0008", "33": "c00002000a4d0007"}}'
	script srv '.options."121" |= gsub(" "; "")'
	daemon
	cni_add "$(dhcp_conf '.cniVersion = "1.1.0" | .ipam.priority = 300')"
	assert_json "in the result" "$output" '[.routes[] | [.dst, .gw, .scope, .priority]]' \
		'[["0.0.0.0/0", "10.77.0.9", null, 300], ["192.0.2.0/24", "0.0.0.0", 253, 300], ["198.51.100.128/25", "10.77.0.8", null, 300]]'
	assert_json "in the container" "$(run_in ctr ip -j route)" '[.[] | select(.protocol != "kernel") | [.dst, .gateway, .scope, .metric]] | sort' \
		'[["192.0.2.0/24", null, "link", 300], ["198.51.100.128/25", "10.77.0.8", null, 300], ["default", "10.77.0.9", null, 300]]'
	cni_check "$(dhcp_conf '.cniVersion = "1.1.0" | .ipam.priority = 300')"
	cni_del "$(dhcp_conf)"
	script srv '.options = {"33": "c00002000a4d0007ac1000000a4d0006"}'
	cni_add "$(dhcp_conf)"
	assert_json "classes and router" "$output" '[.routes[] | [.dst, .gw]]' \
		'[["192.0.2.0/24", "10.77.0.7"], ["172.16.0.0/16", "10.77.0.6"], ["0.0.0.0/0", "10.77.0.1"]]'
	cni_del "$(dhcp_conf)"
	script srv '.options = {"121": "000a4d"}'
	cni_add "$(dhcp_conf)"
	assert_json "a broken list is none" "$output" '[.routes[].dst]' '["0.0.0.0/0"]'
}

@test "name servers and domain that were asked for are in the result, a domain that is none is not" {
	server_place srv 10.77.0.1
	scripted_in srv "{address: \"10.77.0.50\", server: \"10.77.0.1\",
		options: {\"6\": \"0a4d00010a4d0002\", \"15\": \"$(hex example.org)\"}}"
	daemon
	cni_add "$(dhcp_conf '.ipam.request = [{option: "6"}, {option: "15"}]')"
	assert_json "dns" "$output" .dns '{"nameservers": ["10.77.0.1", "10.77.0.2"], "domain": "example.org"}'
	cni_del "$(dhcp_conf)"
	script srv ".options.\"15\" = \"$(hex $'a\nb')\""
	cni_add "$(dhcp_conf)"
	assert_json "no domain" "$output" '.dns | has("domain") | not'
}

@test "an ACK without a mask is an error, and the address is given back" {
	server_place srv 10.77.0.1
	scripted_in srv '{address: "10.77.0.50", server: "10.77.0.1", mask: ""}'
	daemon
	before=$(snapshot host ctr)
	EXPECT=1 cni_add "$(dhcp_conf '.bridge = "lan0"')"
	assert_json "the reference's text" "$output" .msg "error calling DHCP.Allocate: DHCP option Subnet Mask not found in DHCPACK"
	for _ in 1 2 3 4 5; do # the interface is removed at once: what is on its way may go with it
		has_seen srv 'any(.type == "release" and .ciaddr == "10.77.0.50")' && break
		EXPECT=1 cni_add "$(dhcp_conf)"
	done
	assert "RELEASE" has_seen srv 'any(.type == "release" and .ciaddr == "10.77.0.50")'
	assert_eq "nothing is left" "$(snapshot host ctr)" "$before"
	script srv '.mask = "255.0.255.0"'
	EXPECT=1 cni_add "$(dhcp_conf)"
	assert_match "nor a mask with a hole" "$(jq -r .msg <<<"$output")" '255.0.255.0 is no mask'
}

@test "-broadcast asks for answers to all, and only then" {
	server_place srv 10.77.0.1
	scripted_in srv '{address: "10.77.0.50", server: "10.77.0.1"}'
	daemon
	cni_add "$(dhcp_conf)"
	assert_json "not asked" "$(seen srv 'map(.flags) | unique')" . '[0]'
	kill "$DAEMON"
	wait "$DAEMON"
	daemon -broadcast
	: >/run/srv.seen
	cni_add "$(dhcp_conf)" @ctr2
	assert_json "asked" "$(seen srv 'map(.flags) | unique')" . '[32768]'
}
