#!/usr/bin/env bats
# The ptp plugin, key by key, as a runtime calls it: the pair, its addresses and routes on both sides, masquerade, and
# what is left when something goes wrong. It is compared with the reference in 500-differential and 510-mixed.

load lib/all
load lib/inject
load lib/runtime
sandbox

setup() {
	container ctr ctr2
}

dual() {
	conf ptp '.ipam = {type: "host-local", ranges: [[{subnet: "10.77.0.0/24"}], [{subnet: "fd77::/64"}]],
		routes: [{dst: "0.0.0.0/0"}, {dst: "::/0"}]} | '"${1:-.}"
}

port() { jq -r '.interfaces[0].name' <<<"$output"; }

# routes FAMILY NAMESPACE: one to a line, without what the kernel adds of itself
routes() {
	run_in "$2" ip "-$1" route | grep -v '^fe80' | sed -E 's/ (pref medium|metric 1024|linkdown)//g; s/ +$//' | sort
}

# An IPAM plugin that says what is in /run/ipam.json, and remembers what it was called for.
ipam_saying() {
	mkdir -p /run/path
	echo "$1" >/run/ipam.json
	cat >/run/path/saying <<-'SCRIPT'
		#!/bin/sh
		echo "$CNI_COMMAND" >>/run/commands
		[ "$CNI_COMMAND" != ADD ] || cat /run/ipam.json
	SCRIPT
	chmod +x /run/path/saying
}

@test "ADD makes the pair and says so: host end first, addresses at the container's end" {
	cni_add "$(dual)"
	assert_json "two interfaces" "$output" '[.interfaces[] | .sandbox // "host"]' '["host", "/run/netns/ctr"]'
	assert_json "the addresses are the second's" "$output" '[.ips[] | [.address, .gateway, .interface]]' \
		'[["10.77.0.2/24", "10.77.0.1", 1], ["fd77::2/64", "fd77::1", 1]]'
	assert_json "MAC and MTU of the host end" "$(ip -j link show "$(port)")" '.[0] | [.address, .mtu]' \
		"$(jq -c '.interfaces[0] | [.mac, .mtu]' <<<"$output")"
	assert_json "and of the container's" "$(run_in ctr ip -j link show eth0)" '.[0] | [.address, .mtu]' \
		"$(jq -c '.interfaces[1] | [.mac, .mtu]' <<<"$output")"
	assert_eq "the host learns no routes from the container" "$(<"/proc/sys/net/ipv6/conf/$(port)/accept_ra")" 0
}

@test "addresses and routes of both sides: the gateway is the host's end, all else goes through it" {
	cni_add "$(dual)"
	port=$(port)
	assert_json "addresses of the host end" "$(ip -j addr show "$port")" \
		'[.[0].addr_info[] | select(.scope == "global") | "\(.local)/\(.prefixlen)"]' '["10.77.0.1/32", "fd77::1/128"]'
	assert_json "of the container's" "$(run_in ctr ip -j addr show eth0)" \
		'[.[0].addr_info[] | select(.scope == "global") | "\(.local)/\(.prefixlen)"]' '["10.77.0.2/24", "fd77::2/64"]'
	assert_eq "the host's routes" "$(routes 4 host; routes 6 host | grep -v proto)" \
		"10.77.0.2 dev $port scope host"$'\n'"fd77::2 dev $port"
	assert_eq "the container's" "$(routes 4 ctr)" "$(printf '%s\n' '10.77.0.0/24 via 10.77.0.1 dev eth0 src 10.77.0.2' \
		'10.77.0.1 dev eth0 scope link src 10.77.0.2' 'default via 10.77.0.1 dev eth0')"
	assert_eq "the container's, IPv6" "$(routes 6 ctr)" "$(printf '%s\n' 'default via fd77::1 dev eth0' \
		'fd77::/64 via fd77::1 dev eth0 src fd77::2' 'fd77::1 dev eth0 src fd77::2')"
}

@test "the routes stay when the interface goes down and up again" {
	cni_add "$(dual)"
	before=$(routes 4 ctr | grep -v default)
	run_in ctr ip link set eth0 down
	run_in ctr ip link set eth0 up
	refute "a subnet route of the kernel's own" grep -q 'proto kernel' <(run_in ctr ip -4 route)
	assert_match "there was something to lose" "$before" 'via 10.77.0.1'
}

@test "containers reach the host, each other, and the world, at once and in both families" {
	outside_world
	ip -n world route add 10.77.0.0/24 via 192.0.2.1
	ip -n world -6 route add fd77::/64 via 2001:db8::1
	cni_add "$(dual)"
	cni_add "$(dual)" @ctr2
	for place in host ctr; do
		assert_json "$place: nothing is tentative" "$(run_in $place ip -j -6 addr show scope global)" \
			'[.[].addr_info[]? | select(.tentative)] | length' 0
	done
	for address in 10.77.0.1 fd77::1 10.77.0.3 fd77::3 192.0.2.2 2001:db8::2; do
		assert "ctr reaches $address" pings ctr $address
	done
	assert "the host reaches it" pings host 10.77.0.2
	assert "the host reaches it, IPv6" pings host fd77::2
	assert "the world reaches it" pings world 10.77.0.3
}

@test "a TCP server in one container is reached from the other" {
	cni_add "$(conf ptp)"
	cni_add "$(conf ptp)" @ctr2
	serve ctr2 8080 words
	assert_eq "what it says" "$(fetch ctr 10.77.0.3 8080)" words
	assert_eq "also to the host" "$(fetch host 10.77.0.3 8080)" words
}

@test "mtu applies to both ends, and is reported" {
	cni_add "$(conf ptp '.mtu = 1400')"
	assert_json "host end" "$(ip -j link show "$(port)")" '.[0].mtu' 1400
	assert_json "container" "$(run_in ctr ip -j link show eth0)" '.[0].mtu' 1400
	assert_json "result" "$output" '[.interfaces[].mtu]' '[1400, 1400]'
}

@test "route attributes of CNI 1.1 are applied" {
	cni_add "$(conf ptp '.ipam.routes = [{dst: "192.0.2.0/24", mtu: 1280, advmss: 1200, priority: 50},
		{dst: "198.51.100.0/24", table: 77}, {dst: "203.0.113.0/24", gw: "10.77.0.1"}] | .cniVersion = "1.1.0"')"
	assert_json "mtu, advmss, metric" "$(run_in ctr ip -j route show 192.0.2.0/24)" \
		'.[0] | [.gateway, .metric, .metrics[0].mtu, .metrics[0].advmss]' '["10.77.0.1", 50, 1280, 1200]'
	assert_json "table" "$(run_in ctr ip -j route show table 77)" '.[0].dst' 198.51.100.0/24
	cni_check "$(conf ptp '.ipam.routes = [{dst: "192.0.2.0/24", mtu: 1280, advmss: 1200, priority: 50},
		{dst: "198.51.100.0/24", table: 77}, {dst: "203.0.113.0/24", gw: "10.77.0.1"}] | .cniVersion = "1.1.0"')"
}

@test "ipMasq, both back ends: the world sees the host, and every DEL takes the rules away" {
	outside_world
	need nft iptables
	echo 1 | tee /proc/sys/net/ipv4/ip_forward >/proc/sys/net/ipv6/conf/all/forwarding
	before=$(inject_state)
	for backend in iptables nftables; do
		masq=$(dual ".ipMasq = true | .ipMasqBackend = \"$backend\"")
		for form in normal nowhere gone no-link no-prev; do
			[[ -e /run/netns/ctr ]] || container ctr
			cni_add "$masq"
			assert_eq "two rules" "$(masquerades | wc -l)" 2
			[[ $form != normal ]] || { pings ctr 192.0.2.2; pings ctr 2001:db8::2; cni_check "$masq"; }
			case $form in
			normal)  cni_del "$masq" ;;
			nowhere) cni_del "$masq" CNI_NETNS= ;;
			gone)    ip netns del ctr; cni_del "$masq"; container ctr ;;
			no-link) ip -n ctr link del eth0; cni_del "$masq" ;;
			no-prev) NO_PREV=1 cni_del "$masq" ;;
			esac
			inject_unchanged "$backend, $form" "$before"
		done
	done
}

@test "several addresses with one gateway, single addresses, and routes of either family" {
	ipam_saying '{"cniVersion": "1.0.0", "ips": [{"address": "10.1.0.5/24", "gateway": "10.1.0.1"},
		{"address": "10.1.0.6/24", "gateway": "10.1.0.1"}, {"address": "10.9.0.5/32", "gateway": "10.1.0.1"},
		{"address": "fd01::5/128", "gateway": "fd01::1"}], "routes": [{"dst": "0.0.0.0/0"}, {"dst": "::/0"}]}'
	cni_add "$(conf ptp '.ipam = {type: "saying"}')" CNI_PATH="/run/path:$PLUGINS"
	cni_check "$(conf ptp '.ipam = {type: "saying"}')" CNI_PATH="/run/path:$PLUGINS"
	for address in 10.1.0.5 10.1.0.6 10.9.0.5 fd01::5; do
		assert "the host reaches $address" pings host $address
	done
	assert "out" run_in ctr ping -c 1 -W 2 -I 10.9.0.5 10.1.0.1
	assert_eq "called for" "$(tr '\n' ' ' </run/commands)" "ADD CHECK "
}

@test "an address without a gateway is an error that says so, and it is given back" {
	before=$(snapshot host ctr)
	ipam_saying '{"cniVersion": "1.0.0", "ips": [{"address": "10.1.0.5/24"}]}'
	EXPECT=1 cni_add "$(conf ptp '.ipam = {type: "saying"}')" CNI_PATH="/run/path:$PLUGINS"
	assert_json "code and message" "$output" '[.code, .msg]' '[7, "address 10.1.0.5/24 has no gateway"]'
	assert_match "and what to do" "$(jq -r .details <<<"$output")" "the host's end of the pair is the gateway"
	assert_eq "DEL followed ADD" "$(tr '\n' ' ' </run/commands)" "ADD DEL "
	ipam_saying '{"cniVersion": "1.0.0", "ips": []}'
	EXPECT=1 cni_add "$(conf ptp '.ipam = {type: "saying"}')" CNI_PATH="/run/path:$PLUGINS"
	assert_json "no address at all" "$output" .msg "IPAM plugin returned missing IP config"
	assert_eq "nothing has changed" "$(snapshot host ctr)" "$before"
}

@test "a host route that a lost container left behind does not keep the address from working" {
	ip link add lost0 type veth peer name lost1
	ip link set lost0 up
	ip link set lost1 up
	ip route add 10.77.0.2/32 dev lost0 scope host
	cni_add "$(conf ptp)"
	assert "the host reaches it" pings host 10.77.0.2
	cni_check "$(conf ptp)"
}

@test "a failed ADD puts back the host routes that it replaced" {
	ip link add lost0 type veth peer name lost1
	ip link set lost0 up
	ip link set lost1 up
	ip route add 10.77.0.2/32 dev lost0 scope host proto 77
	ip route add 10.77.0.2/32 dev lost0 metric 7
	ip -6 route add fd77::2/128 dev lost0 mtu 1300
	before=$(inject_state)
	echo 0 >/run/readonly
	mount --bind /run/readonly /proc/sys/net/ipv4/ip_forward
	mount -o remount,bind,ro /proc/sys/net/ipv4/ip_forward
	EXPECT=1 cni_add "$(dual)"
	umount /proc/sys/net/ipv4/ip_forward
	assert_match "it failed at its last step" "$(jq -r .msg <<<"$output")" ip_forward
	inject_unchanged "after the failed ADD" "$before"
}

@test "mistakes in the configuration are named, with code 7, and change nothing" {
	before=$(snapshot host ctr)
	while IFS='~' read -r change message; do
		EXPECT=1 cni_add "$(conf ptp "$change")"
		assert_json "$change" "$output" '[.code, .msg]' "[7, $(jq -cn --arg m "$message" '$m')]"
	done <<-'TABLE'
		.mtu = 67~invalid MTU 67 (must be 0 or between 68 and 65535)
		.ipMasq = true | .ipMasqBackend = "pf"~unknown ipmasq backend "pf"
		del(.ipam)~no plugin name provided
		.ipam = {}~no plugin name provided
	TABLE
	EXPECT=1 cni_add "$(conf ptp '.mtu = "large"')"
	assert_json "a wrong type" "$output" '[.code, .msg]' \
		'[6, "failed to load netconf: mtu: expected an integer, found string"]'
	EXPECT=1 cni_add "$(conf ptp)" CNI_NETNS=/run/netns/nowhere
	assert_json "a namespace that is not there" "$output" .code 8
	assert_eq "nothing has changed" "$(snapshot host ctr)" "$before"
	cni_add "$(conf ptp)"
	EXPECT=1 cni_add "$(conf ptp '.name = "second" | .ipam.subnet = "10.78.0.0/24"')"
	assert_match "a name that is taken" "$(jq -r .msg <<<"$output")" \
		'container veth name \("eth0"\) peer provided \("veth[0-9a-f]{8}"\) already exists'
	cni_check "$(conf ptp)"
}

@test "the config's dns wins over the IPAM plugin's" {
	printf 'nameserver 192.0.2.53\n' >/run/resolv.conf
	with=$(conf ptp '.ipam.resolvConf = "/run/resolv.conf"')
	cni_add "$with"
	assert_json "IPAM's" "$output" .dns '{"nameservers": ["192.0.2.53"]}'
	cni_del "$with"
	cni_add "$(jq -c '.dns.nameservers = ["198.51.100.53"]' <<<"$with")"
	assert_json "the config's" "$output" .dns '{"nameservers": ["198.51.100.53"]}'
}

@test "CHECK passes after ADD and names what somebody changed, on the host, too" {
	need iptables
	all=$(dual '.ipMasq = true')
	while IFS='~' read -r damage message; do
		cni_add "$all"
		port=$(port)
		cni_check "$all"
		eval "$damage"
		EXPECT=1 cni_check "$all"
		assert_match "$damage" "$(jq -r .msg <<<"$output")" "$message"
		cni_del "$all"
		rm -rf /var/lib/cni/networks
	done <<-'TABLE'
		ip route del 10.77.0.2/32~the host has no route to 10.77.0.2/32 through interface veth
		ip -6 route del fd77::2/128~the host has no route to fd77::2/128 through interface veth
		ip addr del 10.77.0.1/32 dev $port~gateway 10.77.0.1/32 is missing on host interface veth
		run_in ctr ip addr del 10.77.0.2/24 dev eth0~Failed to match addr 10.77.0.2/24 on interface eth0
		run_in ctr ip route del default~Expected Route 0.0.0.0/0 not found in routing table
		run_in ctr ip link set eth0 address 02:00:00:00:00:77~Mac .* doesn't match container Mac
		rm /var/lib/cni/networks/tnet/*77*~Failed to find address added by container ctr
		iptables -t nat -F POSTROUTING~masquerade
	TABLE
	cni_add "$all"
	EXPECT=1 NO_PREV=1 cni_check "$all"
	assert_json "no prevResult" "$output" .msg "ptp: Required prevResult missing"
}

@test "DEL in every form leaves nothing, and never fails" {
	cni_add "$(dual)"
	cni_del "$(dual)"
	before=$(inject_state)
	while read -r description; do
		cni_add "$(dual)"
		case $description in
		"empty CNI_NETNS")  cni_del "$(dual)" CNI_NETNS= ;;
		"namespace gone")   ip netns del ctr; cni_del "$(dual)" ;;
		"a plain file")     umount /run/netns/ctr; cni_del "$(dual)" ;;
		"link gone")        ip -n ctr link del eth0; cni_del "$(dual)" ;;
		"renamed link")     ip -n ctr link set eth0 down name net7; cni_del "$(dual)" ;;
		"host end gone")    ip link del "$(port)"; cni_del "$(dual)" ;;
		"no prevResult")    NO_PREV=1 cni_del "$(dual)" ;;
		"no leases")        rm -rf /var/lib/cni/networks; cni_del "$(dual)" ;;
		"a broken config")  cni_del "$(dual '.mtu = "large" | .ipMasqBackend = 7 | .ipam.ranges = "none"')" ;;
		"no IPAM")          cni_del "$(dual)"; cni_del "$(dual 'del(.ipam)')" ;;
		esac
		cni_del "$(dual)"
		[[ $(stat -f -c %T /run/netns/ctr 2>/dev/null) == nsfs ]] || { rm -f /run/netns/ctr; container ctr; }
		inject_unchanged "$description" "$before"
	done <<-'FORMS'
		empty CNI_NETNS
		namespace gone
		a plain file
		link gone
		renamed link
		host end gone
		no prevResult
		no leases
		a broken config
		no IPAM
	FORMS
}

@test "flushed masquerade rules come back with cni restore, in the form they had" {
	local backend before
	outside_world
	need nft iptables
	for backend in nftables iptables; do
		jq -n --argjson ptp "$(dual ".ipMasq = true | .ipMasqBackend = \"$backend\"")" \
			'{cniVersion: "1.0.0", name: "pods", plugins: [$ptp]}' >/etc/cni/net.d/pods.conflist
		run_log env CNI_PATH="$PLUGINS" "$CNIBOX" cni add pods ctr
		before=$(masquerades)
		nft flush ruleset
		refute "the world answers" pings ctr 192.0.2.2
		run_log env CNI_PATH="$PLUGINS" "$CNIBOX" cni restore pods
		assert_eq "$backend: the rules" "$(masquerades)" "$before"
		assert "the world answers" pings ctr 192.0.2.2
		run_log env CNI_PATH="$PLUGINS" "$CNIBOX" cni restore pods
		assert_eq "$backend: none twice" "$(masquerades)" "$before"
		run_log env CNI_PATH="$PLUGINS" "$CNIBOX" cni del pods ctr
		nft flush ruleset
	done
}

@test "GC: an absent list deletes nothing, a list exactly the stale, an empty one all" {
	need iptables
	gc=$(conf ptp '.cniVersion = "1.1.0" | .ipMasq = true')
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

@test "STATUS asks the IPAM plugin: a full pool is code 50" {
	tiny=$(conf ptp '.cniVersion = "1.1.0" | .ipam.subnet = "10.77.0.0/30"')
	cni_status "$tiny"
	cni_add "$tiny"
	EXPECT=1 cni_status "$tiny"
	assert_json "not available" "$output" .code 50
}

@test "whichever step of an ADD fails, host and container are as before" {
	inject_fail "$(dual '.ipMasq = true | .ipMasqBackend = "nftables"')"
}

@test "killed at any step of an ADD or DEL, the DEL that follows leaves nothing" {
	inject_kill "$(dual '.ipMasq = true | .ipMasqBackend = "nftables"')"
	inject_kill "$(conf ptp)" DEL
}
