#!/usr/bin/env bats
# The bridge plugin, key by key, as a runtime calls it. What it shares with the reference is compared with the reference
# in 500-differential; failures and kills are in 600-failures.

load lib/all
sandbox

setup() {
	container ctr ctr2
}

# port KEY: of the container's host end, as `ip -d -j` prints it
port() { ip -d -j link show type veth | jq -r --arg key "$1" '.[] | select(.master == "cni0") | .linkinfo.info_slave_data[$key]'; }

@test "ADD joins the container to the bridge and says what it made" {
	cni_add "$(conf bridge)"
	assert_json "three interfaces: bridge, host end, container" "$output" '[.interfaces[] | .sandbox // "host"]' \
		'["host", "host", "/run/netns/ctr"]'
	assert_json "the address points to the container's" "$output" '.ips[0] | [.address, .gateway, .interface]' \
		'["10.77.0.2/24", "10.77.0.1", 2]'
	assert_json "the host end's name is the one in the kernel" "$(ip -j link show master cni0)" '.[0].ifname' \
		"$(jq -r '.interfaces[1].name' <<<"$output")"
	assert "the pod reaches its gateway" pings ctr 10.77.0.1
	cni_add "$(conf bridge)" @ctr2
	assert "pods reach each other" pings ctr 10.77.0.3
}

@test "the bridge has the gateway address, keeps its MAC and ignores router advertisements" {
	cni_add "$(conf bridge)"
	mac=$(ip -j link show cni0 | jq -r '.[0].address')
	assert_eq "result and kernel agree" "$(jq -r '.interfaces[0].mac' <<<"$output")" "$mac"
	for name in a b c d; do
		container "$name"
		cni_add "$(conf bridge)" "@$name"
	done
	assert_eq "more ports do not change it" "$(ip -j link show cni0 | jq -r '.[0].address')" "$mac"
	assert_eq "accept_ra of the bridge" "$(</proc/sys/net/ipv6/conf/cni0/accept_ra)" 0
	assert_eq "forwarding is on" "$(</proc/sys/net/ipv4/ip_forward)" 1
}

@test "isDefaultGateway adds a default route for each family, and only where none with a gateway is given" {
	cni_add "$(conf bridge '.isDefaultGateway = true | .isGateway = false | .ipam = {type: "host-local",
		ranges: [[{subnet: "10.77.0.0/24"}], [{subnet: "fd77::/64"}]]}')"
	assert_json "both default routes are in the result" "$output" '[.routes[] | [.dst, .gw]]' \
		'[["0.0.0.0/0", "10.77.0.1"], ["::/0", "fd77::1"]]'
	assert "IPv4 goes there" run_in ctr ip route get 192.0.2.1
	assert "IPv6 goes there" run_in ctr ip -6 route get 2001:db8::1
	assert "IPv6 works at once" pings ctr fd77::1
}

@test "a dual-stack address is not tentative: no wait for duplicate address detection" {
	cni_add "$(conf bridge '.ipam = {type: "host-local", ranges: [[{subnet: "10.77.0.0/24"}], [{subnet: "fd77::/64"}]]}')"
	assert_json "nothing is tentative" "$(run_in ctr ip -j -6 addr show dev eth0 scope global)" \
		'[.[].addr_info[]? | select(.tentative)] | length' 0
	assert_eq "accept_dad" "$(run_in ctr cat /proc/sys/net/ipv6/conf/eth0/accept_dad)" 0
}

@test "enabledad keeps duplicate address detection and waits for it" {
	cni_add "$(conf bridge '.enabledad = true | .ipam = {type: "host-local", ranges: [[{subnet: "fd77::/64"}]]}')"
	assert_eq "accept_dad" "$(run_in ctr cat /proc/sys/net/ipv6/conf/eth0/accept_dad)" 1
	assert_json "settled when ADD returns" "$(run_in ctr ip -j -6 addr show dev eth0 scope global)" \
		'[.[].addr_info[]? | select(.tentative)] | length' 0
}

@test "enabledad: who keeps adding addresses in the container does not keep ADD" {
	for ((i = 0; i < 3000; i++)); do
		echo "addr add fd99::$((i % 9 + 1))/64 dev eth0"
		echo "addr del fd99::$(((i + 8) % 9 + 1))/64 dev eth0"
	done >/run/noise
	run_in ctr bash -c 'while :; do ip -force -batch /run/noise; done' >/dev/null 2>&1 3>&- &
	noise=$!
	CNI_WRAP=(timeout 12)
	EXPECT=1 cni_add "$(conf bridge '.enabledad = true | .ipam.subnet = "fd77::/64"')"
	kill "$noise"
	assert_match "it gave up" "$output" "still tentative after 5 s|DADFAILED"
}

@test "hairpinMode and portIsolation are port options, off by default" {
	cni_add "$(conf bridge)"
	assert_eq "hairpin by default" "$(port hairpin)" false
	assert_eq "isolated by default" "$(port isolated)" false
	cni_del "$(conf bridge)"
	cni_add "$(conf bridge '.hairpinMode = true | .portIsolation = true')"
	assert_eq "hairpin when asked" "$(port hairpin)" true
	assert_eq "isolated when asked" "$(port isolated)" true
}

@test "portIsolation: two isolated pods do not reach each other, but the gateway" {
	cni_add "$(conf bridge '.portIsolation = true')"
	cni_add "$(conf bridge '.portIsolation = true')" @ctr2
	assert "the gateway" pings ctr 10.77.0.1
	refute "the other pod" pings ctr 10.77.0.3
}

@test "promiscMode sets the bridge promiscuous, an existing one too" {
	cni_add "$(conf bridge)"
	cni_add "$(conf bridge '.promiscMode = true')" @ctr2
	assert_json "PROMISC is on" "$(ip -j link show cni0)" '.[0].flags | index("PROMISC") != null'
}

@test "mtu applies to bridge and both ends, and is reported" {
	cni_add "$(conf bridge '.mtu = 1400')"
	assert_json "bridge and host end" "$(ip -j link show)" '[.[] | select(.ifname | test("cni0|veth")) | .mtu] | unique' '[1400]'
	assert_json "container" "$(run_in ctr ip -j link show eth0)" '.[0].mtu' 1400
	assert_json "result" "$output" '.interfaces[2].mtu' 1400
}

@test "MAC: CNI_ARGS < args.cni.mac < runtimeConfig.mac" {
	cni_add "$(conf bridge)" CNI_ARGS="IgnoreUnknown=1;MAC=c2:11:22:33:44:01"
	assert_json "CNI_ARGS" "$output" '.interfaces[2].mac' c2:11:22:33:44:01
	assert_json "in the kernel" "$(run_in ctr ip -j link show eth0)" '.[0].address' c2:11:22:33:44:01
	cni_del "$(conf bridge)"
	cni_add "$(conf bridge '.args.cni.mac = "c2:11:22:33:44:02"')" CNI_ARGS="IgnoreUnknown=1;K8S_POD_NAME=p;MAC=c2:11:22:33:44:01"
	assert_json "args.cni.mac wins" "$output" '.interfaces[2].mac' c2:11:22:33:44:02
	cni_del "$(conf bridge)"
	RUNTIME='{"mac": "c2:11:22:33:44:03"}' cni_add \
		"$(conf bridge '.args.cni.mac = "c2:11:22:33:44:02" | .capabilities.mac = true')"
	assert_json "runtimeConfig.mac wins" "$output" '.interfaces[2].mac' c2:11:22:33:44:03
}

@test "without ipam the interface is up, without addresses; CHECK and DEL work" {
	before=$(snapshot)
	l2=$(conf bridge 'del(.ipam)')
	cni_add "$l2"
	assert_json "no addresses" "$output" 'has("ips") | not'
	assert_json "it is up" "$(run_in ctr ip -j link show eth0)" '.[0].flags | index("UP") != null'
	cni_check "$l2"
	cni_del "$l2"
	ip link del cni0
	left "$before"
}

@test "disableContainerInterface leaves the container's side down" {
	cni_add "$(conf bridge 'del(.ipam) | .disableContainerInterface = true')"
	assert_json "it is down" "$(run_in ctr ip -j link show eth0)" '.[0].flags | index("UP") == null'
	EXPECT=1 cni_add "$(conf bridge '.disableContainerInterface = true')" @ctr2
	assert_json "not with IPAM" "$output" '.msg' "cannot use IPAM when DisableContainerInterface flag is set"
	assert_json "a mistake in the configuration" "$output" .code 7
}

@test "forceAddress replaces another gateway address; without it ADD says which and changes nothing" {
	cni_add "$(conf bridge)"
	other=$(conf bridge '.ipam.subnet = "10.78.0.0/24" | .name = "other"')
	before=$(snapshot host ctr2)
	EXPECT=1 cni_add "$other" @ctr2
	assert_json "the message" "$output" '.msg' 'failed to set bridge addr: "cni0" already has an IP address different from 10.78.0.1/24'
	assert_match "what is there, and the way out" "$(jq -r .details <<<"$output")" 'cni0 has 10.77.0.1/24.*forceAddress'
	assert_eq "nothing has changed" "$(snapshot host ctr2)" "$before"
	cni_add "$(jq -c '.forceAddress = true' <<<"$other")" @ctr2
	assert_json "one address, the new one" "$(ip -j -4 addr show cni0)" '[.[0].addr_info[].local]' '["10.78.0.1"]'
}

@test "a failed ADD returns the address that forceAddress replaced" {
	cni_add "$(conf bridge)"
	cni_del "$(conf bridge)"
	before=$(snapshot host ctr2)
	need strace
	other=$(conf bridge '.ipam.subnet = "10.78.0.0/24" | .name = "other" | .forceAddress = true')
	# The first is the lock, the second reads whether forwarding is on.
	CNI_WRAP=(strace -qq -o /dev/null -P /proc/sys/net/ipv4/ip_forward -e 'trace=?open,openat'
		-e 'inject=?open,openat:error=EACCES:when=2+')
	EXPECT=1 cni_add "$other" @ctr2
	CNI_WRAP=()
	assert_match "the step that failed" "$(jq -r .msg <<<"$output")" "failed to enable forwarding"
	assert_eq "nothing has changed" "$(snapshot host ctr2)" "$before"
}

@test "a link of another kind under the bridge's name is refused" {
	ip link add cni0 type veth peer name other0
	EXPECT=1 cni_add "$(conf bridge)"
	assert_json "message" "$output" '.msg' 'failed to create bridge "cni0": "cni0" already exists but is not a bridge'
}

@test "dots in the names of interfaces are no paths" {
	dots=$(conf bridge '.bridge = "br..0" | .ipam.subnet = "fd77::/64"')
	cni_add "$dots" CNI_IFNAME=eth..1
	assert_eq "accept_ra of the bridge" "$(</proc/sys/net/ipv6/conf/br..0/accept_ra)" 0
	assert_eq "ndisc_notify in the container" "$(run_in ctr cat /proc/sys/net/ipv6/conf/eth..1/ndisc_notify)" 1
	cni_del "$dots" CNI_IFNAME=eth..1
}

@test "a taken interface name in the container is an error that names it, and nothing is left" {
	cni_add "$(conf bridge)"
	before=$(snapshot host ctr)
	EXPECT=1 cni_add "$(conf bridge '.name = "second"')"
	assert_match "message" "$(jq -r .msg <<<"$output")" 'container veth name \("eth0"\) peer provided \("veth[0-9a-f]{8}"\) already exists'
	assert_eq "nothing has changed" "$(snapshot host ctr)" "$before"
}

@test "mistakes in the configuration are named, with code 7, and change nothing" {
	before=$(snapshot)
	while IFS='~' read -r change message; do
		for command in add check; do
			EXPECT=1 NO_PREV=1 "cni_$command" "$(conf bridge "$change")"
			assert_json "$change" "$output" .msg "$message"
			assert_json "code of $change" "$output" .code 7
		done
	done <<-'TABLE'
		.vlan = 4095~invalid VLAN ID 4095 (must be between 0 and 4094)
		.mtu = 67~invalid MTU 67 (must be 0 or between 68 and 65535)
		.vlan = -1~invalid VLAN ID -1 (must be between 0 and 4094)
		.vlanTrunk = [{minID: 0, maxID: 5}]~incorrect trunk minID parameter
		.vlanTrunk = [{minID: 1, maxID: 4095}]~incorrect trunk maxID parameter
		.vlanTrunk = [{id: 4095}]~incorrect trunk id parameter
		.vlanTrunk = [{minID: 5}]~minID and maxID should be configured simultaneously, maxID is missing
		.vlanTrunk = [{maxID: 5}]~minID and maxID should be configured simultaneously, minID is missing
		.vlanTrunk = [{minID: 9, maxID: 5}]~minID is greater than maxID in trunk parameter
		.hairpinMode = true | .promiscMode = true~cannot set hairpin mode and promiscuous mode at the same time
		.ipMasq = true | .ipMasqBackend = "ebtables"~unknown ipmasq backend "ebtables"
	TABLE
	left "$before"
}

@test "a wrong type is a decode error with the path" {
	EXPECT=1 cni_add "$(conf bridge '.mtu = "large"')"
	assert_json "code" "$output" .code 6
	assert_json "path" "$output" .msg 'failed to load netconf: mtu: expected an integer, found string'
	EXPECT=1 cni_add "$(conf bridge '.vlanTrunk = [{id: 1}, {id: []}]')"
	assert_json "path with index" "$output" .msg 'failed to load netconf: vlanTrunk[1].id: expected an integer, found list'
}

@test "DEL cleans whatever else the configuration has become" {
	before=$(snapshot host ctr)
	cni_add "$(conf bridge '.ipMasq = true')"
	NO_PREV=1 cni_del "$(conf bridge '.ipMasq = true | .mtu = "large" | .vlan = 9999 | .hairpinMode = true | .promiscMode = true
		| .vlanTrunk = 5 | .ipMasqBackend = "ebtables" | .ipam.subnet = "nonsense"')"
	ip link del cni0
	echo 0 >/proc/sys/net/ipv4/ip_forward
	assert_eq "nothing is left" "$(snapshot host ctr)" "$before"
}

@test "DEL removes the pair also when the container gave its interface another name" {
	cni_add "$(conf bridge)"
	port=$(jq -r '.interfaces[1].name' <<<"$output")
	ip -n ctr link set eth0 down name mine
	cni_del "$(conf bridge)"
	refute "the host's end is there" ip link show "$port"
	refute "the container's end is there" ip -n ctr link show mine
	assert_eq "no lease" "$(cd /var/lib/cni/networks/tnet && echo 10.*)" '10.*'
}

@test "macspoofchk: a frame with another source MAC does not pass, the pod's own does" {
	spoof=$(conf bridge '.macspoofchk = true')
	cni_add "$spoof"
	cni_add "$spoof" @ctr2
	assert "its own passes" pings ctr 10.77.0.3
	cni_check "$spoof"
	run_in ctr ip link set eth0 address 02:00:00:00:00:77
	refute "another is dropped" pings ctr 10.77.0.3
	nft flush chain bridge nat "cni-br-iface-ctr-eth0"
	EXPECT=1 cni_check "$spoof"
	cni_del "$spoof"
	cni_del "$spoof" @ctr2
	assert_json "no rules are left" "$(nft -j list ruleset)" '[.nftables[] | select(.rule)] | length' 0
}

@test "a reused address is announced: neighbours learn the new MAC at once" {
	cni_add "$(conf bridge)" CNI_ARGS="IgnoreUnknown=1;MAC=c2:11:22:33:44:01"
	cni_add "$(conf bridge)" @ctr2
	assert "ctr2 knows ctr" pings ctr2 10.77.0.2
	cni_del "$(conf bridge)"
	cni_add "$(conf bridge)" CNI_ARGS="IgnoreUnknown=1;MAC=c2:11:22:33:44:02;IP=10.77.0.2"
	wait_for "the neighbour entry has the new MAC" 1 knows ctr2 10.77.0.2 c2:11:22:33:44:02
}
knows() { run_in "$1" ip neigh show "$2" | grep -q "$3"; }

@test "CHECK passes after ADD and names what somebody changed" {
	all=$(conf bridge '.ipMasq = true | .isDefaultGateway = true')
	while IFS='~' read -r damage message; do
		cni_add "$all"
		cni_check "$all"
		eval "$damage"
		EXPECT=1 cni_check "$all"
		assert_match "$damage" "$(jq -r .msg <<<"$output")" "$message"
		cni_del "$all"
		ip link set cni0 promisc off
	done <<-'TABLE'
		run_in ctr ip addr del 10.77.0.2/24 dev eth0~Failed to match addr 10.77.0.2/24 on interface eth0
		run_in ctr ip route del default~Expected Route 0.0.0.0/0 via 10.77.0.1 not found in routing table
		run_in ctr ip link set eth0 address 02:00:00:00:00:77~Mac .* doesn't match container Mac
		ip link set cni0 promisc on~promisc
		ip link set "$(ip -j link show master cni0 | jq -r ".[0].ifname")" nomaster~not connected to bridge cni0
		rm /var/lib/cni/networks/tnet/10.*~Failed to find address added by container ctr
		iptables -t nat -F POSTROUTING~masquerade
	TABLE
}

@test "CHECK without prevResult, or with another namespace in it, is refused" {
	cni_add "$(conf bridge)"
	EXPECT=1 NO_PREV=1 cni_check "$(conf bridge)"
	assert_json "no prevResult" "$output" .msg "Required prevResult missing"
	EXPECT=1 cni_check "$(conf bridge)" CNI_NETNS=/run/netns/ctr2
	assert_match "another sandbox" "$(jq -r .msg <<<"$output")" \
		"Sandbox in prevResult /run/netns/ctr doesn't match configured netns: /run/netns/ctr2|not found"
}

@test "GC: an absent list deletes nothing, a list exactly the stale, an empty one all" {
	gc=$(conf bridge '.cniVersion = "1.1.0" | .ipMasq = true')
	cni_add "$gc"
	cni_add "$gc" @ctr2
	all=$(snapshot)
	cni_gc "$gc"
	left "$all"
	cni_gc "$(jq -c '."cni.dev/valid-attachments" = [{containerID: "ctr2", ifname: "eth0"}]' <<<"$gc")"
	assert_eq "one lease" "$(cd /var/lib/cni/networks/tnet && echo 10.*)" 10.77.0.3
	assert_eq "one pod's rules" "$(iptables-save -t nat | grep -c -- '-A POSTROUTING')" 1
	cni_gc "$(jq -c '."cni.dev/attachments" = []' <<<"$gc")"
	assert_eq "no lease" "$(cd /var/lib/cni/networks/tnet && echo 10.*)" '10.*'
	assert_eq "no rules" "$(iptables-save -t nat | grep -c -- '-A' || true)" 0
}

@test "GC removes spoof checks whose port is gone, and no others" {
	spoof=$(conf bridge 'del(.ipam) | .macspoofchk = true')
	cni_add "$spoof"
	cni_add "$spoof" @ctr2
	run_in ctr ip link del eth0
	cni_gc "$(jq -c '.cniVersion = "1.1.0" | ."cni.dev/valid-attachments" = []' <<<"$spoof")"
	assert_json "one jump is left" "$(nft -j list chain bridge nat PREROUTING)" \
		'[.nftables[].rule? // empty | .comment]' '["macspoofchk-ctr2-eth0"]'
	assert_json "and that pod's chains" "$(nft -j list table bridge nat)" \
		'[.nftables[].chain? // empty | .name] | sort' \
		'["PREROUTING", "cni-br-iface-ctr2-eth0", "cni-br-iface-ctr2-eth0-mac"]'
}

@test "GC gets rid of spoof checks that were made twice, or are there in part" {
	spoof=$(conf bridge 'del(.ipam) | .macspoofchk = true')
	cni_add "$spoof"
	run_in ctr ip link del eth0
	cni_add "$spoof"
	run_in ctr ip link del eth0
	cni_add "$spoof" @ctr2
	run_in ctr2 ip link del eth0
	nft flush chain bridge nat cni-br-iface-ctr2-eth0
	nft delete chain bridge nat cni-br-iface-ctr2-eth0-mac
	nft add rule bridge nat PREROUTING iifname nix0 counter comment '"macspoofchk-of-somebody-else"'
	cni_gc "$(jq -c '.cniVersion = "1.1.0" | ."cni.dev/valid-attachments" = []' <<<"$spoof")"
	assert_json "no jump is left" "$(nft -j list chain bridge nat PREROUTING)" \
		'[.nftables[].rule? // empty | .comment]' '["macspoofchk-of-somebody-else"]'
	assert_json "nor a chain" "$(nft -j list table bridge nat)" \
		'[.nftables[].chain? // empty | .name] | sort' '["PREROUTING"]'
}

@test "STATUS asks the IPAM plugin: a full pool is code 50" {
	tiny=$(conf bridge '.cniVersion = "1.1.0" | .ipam.subnet = "10.77.0.0/30"')
	cni_status "$tiny"
	cni_add "$tiny"
	EXPECT=1 cni_status "$tiny"
	assert_json "not available" "$output" .code 50
}

@test "the config's dns wins over the IPAM plugin's" {
	printf 'nameserver 192.0.2.53\nsearch ipam.test\n' >/run/resolv.conf
	with=$(conf bridge '.ipam.resolvConf = "/run/resolv.conf"')
	cni_add "$with"
	assert_json "IPAM's" "$output" .dns '{"nameservers": ["192.0.2.53"], "search": ["ipam.test"]}'
	cni_del "$with"
	cni_add "$(jq -c '.dns.nameservers = ["198.51.100.53"]' <<<"$with")"
	assert_json "the config's" "$output" .dns '{"nameservers": ["198.51.100.53"]}'
}

@test "IPAM runs in process when CNI_PATH leads to our binary, else the file found is executed" {
	need strace
	CNI_WRAP=(strace -f -qq -e trace=execve -o /run/trace)
	cni_add "$(conf bridge)"
	assert_eq "one program ran" "$(grep -c 'execve(.*= 0' /run/trace)" 1
	CNI_WRAP=()
	cni_del "$(conf bridge)"
	mkdir /run/path
	cat >/run/path/host-local <<-'SCRIPT'
		#!/bin/sh
		cat >/run/stdin
		env | grep ^CNI_ >/run/environment
		echo '{"cniVersion": "1.0.0", "ips": [{"address": "10.77.0.7/24"}]}'
	SCRIPT
	chmod +x /run/path/host-local
	cni_add "$(conf bridge '.unknownKey = {"kept": [1, 2]}')" CNI_PATH="/run/path:$PLUGINS"
	assert_json "the foreign plugin's address" "$output" '.ips[0].address' 10.77.0.7/24
	assert_json "it got the whole configuration" "$(</run/stdin)" '.unknownKey.kept' '[1, 2]'
	assert_match "and the environment" "$(</run/environment)" 'CNI_COMMAND=ADD'
}

@test "the error of an IPAM plugin comes back as it is, and the host is as it was" {
	before=$(snapshot host ctr)
	mkdir /run/path
	cat >/run/path/host-local <<-'SCRIPT'
		#!/bin/sh
		echo "$CNI_COMMAND" >>/run/commands
		[ "$CNI_COMMAND" = ADD ] || exit 0
		echo '{"code": 117, "msg": "no more addresses today", "details": "come back tomorrow"}'
		exit 1
	SCRIPT
	chmod +x /run/path/host-local
	EXPECT=1 cni_add "$(conf bridge)" CNI_PATH="/run/path:$PLUGINS"
	assert_json "code, message, details" "$output" '[.code, .msg, .details]' \
		'[117, "no more addresses today", "come back tomorrow"]'
	assert_eq "DEL followed ADD" "$(tr '\n' ' ' </run/commands)" "ADD DEL "
	assert_eq "nothing has changed" "$(snapshot host ctr)" "$before"
}

@test "ADD does not wait for ever behind a lock that is not ours" {
	exec {lock}</proc/sys/net/ipv4/ip_forward
	flock --exclusive "$lock"
	cni_add "$(conf bridge)"
	exec {lock}<&-
	EXPECT=1 cni_add "$(conf bridge)" # the lock is free again: a failure takes nothing of the first away
	assert "the bridge is there" ip link show cni0
}

@test "an IPAM plugin that takes its time to release holds up no other ADD" {
	mkdir /run/path
	mkfifo /run/released
	cat >/run/path/slow <<-'SCRIPT'
		#!/bin/sh
		[ "$CNI_COMMAND" = ADD ] && exec echo '{"cniVersion": "1.0.0", "ips": [
			{"address": "10.77.0.7/24", "gateway": "10.77.0.1"}, {"address": "10.78.0.7/24", "gateway": "10.78.0.1"}]}'
		touch /run/releasing
		exec cat /run/released
	SCRIPT
	chmod +x /run/path/slow
	(EXPECT=1 cni_add "$(conf bridge '.isGateway = true | .ipam = {type: "slow"} | .cniVersion = "1.0.0"')" \
		CNI_PATH="/run/path:$PLUGINS") >/run/slow.log 2>&1 3>&- &
	slow=$!
	wait_for "it undoes its gateway, and releases" 10 test -e /run/releasing
	CNI_WRAP=(timeout 1)
	cni_add "$(conf bridge '.bridge = "other0"')" @ctr2
	echo >/run/released
	wait "$slow"
	assert_match "what had failed" "$(</run/slow.log)" "already has an IP address different from 10.78.0.1/24"
	refute "its bridge is gone" ip link show cni0
}
