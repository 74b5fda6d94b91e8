#!/usr/bin/env bats
# The macvlan plugin, key by key, as a runtime calls it, and with it the engine of all device plugins. The host has a
# wire lan0 into a network where another machine, 10.77.0.1, lives. It is compared with the reference in 500-differential
# and 510-mixed.

load lib/all
load lib/inject
sandbox

setup() {
	local place

	container ctr ctr2 other
	ip link add lan0 type veth peer name lan0 netns other
	for place in host other; do
		run_in $place sh -c 'echo 0 >/proc/sys/net/ipv6/conf/lan0/accept_dad'
		run_in $place ip link set lan0 up
	done
	ip -n other addr add 10.77.0.1/24 dev lan0
	ip -n other addr add fd77::1/64 dev lan0
}

dual() {
	conf macvlan '.ipam = {type: "host-local", ranges: [[{subnet: "10.77.0.0/24"}], [{subnet: "fd77::/64"}]],
		routes: [{dst: "0.0.0.0/0"}, {dst: "::/0"}]} | '"${1:-.}"
}

# data KEY: of the container's interface, as `ip -d -j` prints it
data() { run_in ctr ip -d -j link show eth0 | jq -r --arg key "$1" '.[0].linkinfo.info_data[$key]'; }

@test "ADD puts the container into the master's network, at once and in both families" {
	cni_add "$(dual)"
	assert_json "one interface" "$output" '[.interfaces[] | [.name, .sandbox]]' '[["eth0", "/run/netns/ctr"]]'
	assert_json "the addresses are its" "$output" '[.ips[] | [.address, .gateway, .interface]]' \
		'[["10.77.0.2/24", "10.77.0.1", 0], ["fd77::2/64", "fd77::1", 0]]'
	assert_json "MAC and MTU" "$(run_in ctr ip -j link show eth0)" '.[0] | [.address, .mtu]' \
		"$(jq -c '.interfaces[0] | [.mac, .mtu]' <<<"$output")"
	assert "the other machine, IPv4" pings ctr 10.77.0.1
	assert "the other machine, IPv6" pings ctr fd77::1
	assert "and back" pings other 10.77.0.2
	assert_match "the routes" "$(run_in ctr ip route)" "default via 10.77.0.1 dev eth0"
	cni_add "$(dual)" @ctr2
	assert "containers on one master" pings ctr 10.77.0.3
	serve ctr2 8080 words
	assert_eq "TCP from outside" "$(fetch other 10.77.0.3 8080)" words
}

@test "mode: bridge unless said; private containers do not reach each other; passthru takes the master" {
	while read -r mode reached; do
		cni_add "$(conf macvlan ".mode = \"$mode\"")"
		assert_eq "the mode" "$(data mode)" "${mode:-bridge}"
		cni_check "$(conf macvlan ".mode = \"$mode\"")"
		if [[ $mode != passthru ]]; then
			cni_add "$(conf macvlan ".mode = \"$mode\"")" @ctr2
			address=$(jq -r '.ips[0].address | split("/")[0]' <<<"$output")
			"$reached" "$mode: the other container" pings ctr "$address"
			cni_del "$(conf macvlan)" @ctr2
		fi
		assert "$mode: the other machine" pings ctr 10.77.0.1
		cni_del "$(conf macvlan)"
	done <<-'MODES'
		bridge assert
		private refute
		vepa refute
		passthru assert
	MODES
	cni_add "$(conf macvlan '.mode = ""')"
	assert_eq "an empty mode" "$(data mode)" bridge
}

@test "MAC: mac < CNI_ARGS < runtimeConfig.mac" {
	mac=$(conf macvlan '.mac = "c2:11:22:33:44:01" | .capabilities.mac = true')
	cni_add "$mac"
	assert_json "mac" "$output" '.interfaces[0].mac' c2:11:22:33:44:01
	assert_json "in the kernel" "$(run_in ctr ip -j link show eth0)" '.[0].address' c2:11:22:33:44:01
	cni_del "$mac"
	cni_add "$mac" CNI_ARGS="IgnoreUnknown=1;K8S_POD_NAME=p;MAC=c2:11:22:33:44:02"
	assert_json "CNI_ARGS wins" "$output" '.interfaces[0].mac' c2:11:22:33:44:02
	cni_del "$mac"
	RUNTIME='{"mac": "c2:11:22:33:44:03"}' cni_add "$mac" CNI_ARGS="IgnoreUnknown=1;MAC=c2:11:22:33:44:02"
	assert_json "runtimeConfig.mac wins" "$output" '.interfaces[0].mac' c2:11:22:33:44:03
}

@test "mtu and bcqueuelen are the interface's" {
	cni_add "$(conf macvlan '.mtu = 1400 | .bcqueuelen = 2000')"
	assert_json "in the container" "$(run_in ctr ip -j link show eth0)" '.[0].mtu' 1400
	assert_json "in the result" "$output" '.interfaces[0].mtu' 1400
	assert_eq "the queue" "$(data bcqueuelen)" 2000
	cni_check "$(conf macvlan '.mtu = 1400 | .bcqueuelen = 2000')"
}

@test "without master it is the interface of the default route, IPv4 before IPv6, the least metric" {
	alone=$(conf macvlan 'del(.master) | .cniVersion = "1.1.0"')
	EXPECT=1 cni_add "$alone"
	assert_json "there is none" "$output" '[.code, .msg]' '[999, "no default route interface found"]'
	EXPECT=1 cni_status "$alone"
	assert_json "STATUS says so, too" "$output" '[.code, .msg]' '[50, "no default route interface found"]'
	for name in wan1 wan2 wan3; do
		ip link add "$name" type veth peer name "$name-end"
		ip link set "$name" up
		ip link set "$name-end" up
	done
	ip -6 addr add 2001:db8::1/64 dev wan1 nodad
	ip -6 route add default via 2001:db8::2
	cni_add "$alone"
	assert_json "IPv6 alone" "$(run_in ctr ip -j link show eth0)" '.[0].link_index' "$(ip -j link show wan1 | jq '.[0].ifindex')"
	cni_check "$alone"
	cni_del "$alone"
	ip route add unreachable default metric 1
	ip route add default dev wan2 metric 200
	ip route add default dev wan3 metric 100
	cni_add "$alone"
	assert_json "IPv4 first" "$(run_in ctr ip -j link show eth0)" '.[0].link_index' "$(ip -j link show wan3 | jq '.[0].ifindex')"
	ip route del default dev wan3
	cni_check "$alone"
	cni_del "$alone"
	cni_status "$alone"
}

@test "linkInContainer: the master is in the container's namespace, also by default" {
	ip -n ctr link add lan1 type veth peer name lan1 netns other
	ip -n ctr link set lan1 up
	ip -n other link set lan1 up
	ip -n other addr add 10.79.0.1/24 dev lan1
	inside=$(conf macvlan '.linkInContainer = true | .master = "lan1" | .cniVersion = "1.1.0" | .ipam.subnet = "10.79.0.0/24"')
	cni_status "$inside"
	cni_add "$inside"
	assert "the network behind" pings ctr 10.79.0.1
	cni_check "$inside"
	EXPECT=1 cni_check "$(jq -c '.linkInContainer = false | .master = "lan0"' <<<"$inside")"
	assert_match "not on the host's" "$(jq -r .msg <<<"$output")" "is not on master lan0"
	cni_del "$inside"
	EXPECT=1 cni_add "$(jq -c '.master = "lan0"' <<<"$inside")"
	assert_json "the host's is not seen" "$output" .msg 'failed to lookup master "lan0": Link not found'
	ip -n ctr route add default dev lan1
	cni_add "$(jq -c 'del(.master)' <<<"$inside")"
	assert_json "that of its default route" "$(run_in ctr ip -j link show eth0)" '.[0].link' lan1
}

@test "an interface on the host that has the same name is not in the way" {
	ip link add eth0 type veth peer name eth1
	cni_add "$(conf macvlan)"
	assert "it works" pings ctr 10.77.0.1
	assert_eq "no other name is left" "$(ip -n ctr -o link | wc -l)" 2
	cni_del "$(conf macvlan)"
	assert "the host's is there" ip link show eth0
}

@test "without ipam the interface is up, without addresses; CHECK and DEL work" {
	before=$(snapshot host ctr)
	l2=$(conf macvlan 'del(.ipam) | .cniVersion = "1.1.0"')
	cni_status "$l2"
	cni_add "$l2"
	assert_json "no addresses" "$output" 'has("ips") | not'
	assert_json "it is up" "$(run_in ctr ip -j link show eth0)" '.[0].flags | index("UP") != null'
	cni_check "$l2"
	cni_del "$l2"
	assert_eq "nothing is left" "$(snapshot host ctr)" "$before"
}

@test "the addresses are announced as the interface goes up: neighbours learn a new MAC at once" {
	cni_add "$(dual '.mac = "c2:11:22:33:44:01"')"
	assert "the other machine knows it" pings other 10.77.0.2
	assert "IPv6, too" pings other fd77::2
	cni_del "$(dual)"
	cni_add "$(dual '.mac = "c2:11:22:33:44:02"')" CNI_ARGS="IgnoreUnknown=1;IP=10.77.0.2"
	wait_for "IPv4: the new MAC" 1 knows other 10.77.0.2 c2:11:22:33:44:02
	cni_del "$(dual)"
	cni_add "$(dual '.mac = "c2:11:22:33:44:03" | .ipam.ranges[1][0].rangeStart = "fd77::2" | .ipam.ranges[1][0].rangeEnd = "fd77::2"')"
	wait_for "IPv6: the new MAC" 1 knows other fd77::2 c2:11:22:33:44:03
	for key in ipv4/conf/eth0/arp_notify ipv6/conf/eth0/ndisc_notify; do
		assert_eq "$key" "$(run_in ctr cat /proc/sys/net/$key)" 1
	done
}
knows() { run_in "$1" ip neigh show "$2" | grep -q "$3"; }

@test "enabledad: an address that is taken in the master's network is refused, and given back" {
	ip -n other addr add fd77::2/64 dev lan0
	dad=$(conf macvlan '.enabledad = true | .ipam.subnet = "fd77::/64"')
	before=$(inject_state)
	EXPECT=1 cni_add "$dad"
	assert_match "which one" "$(jq -r .msg <<<"$output")" "link eth0 has address fd77::2/64 in DADFAILED state"
	inject_unchanged "the failed ADD" "$before"
	ip -n other addr del fd77::2/64 dev lan0
	cni_add "$dad"
	assert_json "settled when ADD returns" "$(run_in ctr ip -j -6 addr show dev eth0 scope global)" \
		'[.[].addr_info[]? | select(.tentative)] | length' 0
}

@test "mistakes are named, with their codes, and change nothing" {
	before=$(snapshot host ctr)
	while IFS='~' read -r change code message; do
		EXPECT=1 cni_add "$(conf macvlan "$change")"
		assert_json "$change" "$output" '[.code, .msg]' "[$code, $(jq -cn --arg m "$message" '$m')]"
	done <<-'TABLE'
		.mode = "source"~7~unknown macvlan mode: "source"
		.mtu = 9000~7~invalid MTU 9000, must be [0, master MTU(1500)]
		.mtu = -1~7~invalid MTU -1, must be [0, master MTU(1500)]
		.master = "nosuch0"~999~failed to lookup master "nosuch0": Link not found
		.mac = "01:00:5e:00:00:01"~7~MAC address 01:00:5e:00:00:01 is that of a group, not of one interface
		.mac = "zz"~7~failed to load netconf: mac: "zz" is not a MAC address
		.mtu = "large"~6~failed to load netconf: mtu: expected an integer, found string
		.linkInContainer = 1~6~failed to load netconf: linkInContainer: expected a boolean, found number
	TABLE
	EXPECT=1 cni_add "$(conf macvlan)" CNI_ARGS=FOO=1
	assert_json "an unknown argument" "$output" '[.code, .msg]' '[4, "ARGS: unknown args [\"FOO=1\"]"]'
	EXPECT=1 cni_add "$(conf macvlan '.master = "lo"')"
	assert_match "a master that takes none: the kernel's words" "$(jq -r .msg <<<"$output")" "failed to create macvlan: create macvlan eth0: "
	assert_eq "nothing has changed" "$(snapshot host ctr)" "$before"
}

@test "a name that is taken in the container: the lease and the interface of who has it stay" {
	cni_add "$(conf macvlan)"
	before=$(inject_state)
	EXPECT=1 cni_add "$(conf macvlan)"
	assert_json "message" "$output" .msg "failed to create macvlan: the container has an interface eth0 already"
	inject_unchanged "the failed ADD" "$before"
	cni_check "$(conf macvlan)"
}

@test "the dns is the configuration's, and never the IPAM plugin's" {
	printf 'nameserver 192.0.2.53\n' >/run/resolv.conf
	with=$(conf macvlan '.ipam.resolvConf = "/run/resolv.conf"')
	cni_add "$with"
	assert_json "IPAM's is dropped" "$output" 'has("dns") | not'
	cni_del "$with"
	cni_add "$(jq -c '.dns.nameservers = ["198.51.100.53"]' <<<"$with")"
	assert_json "the config's" "$output" .dns '{"nameservers": ["198.51.100.53"]}'
}

@test "CHECK passes after ADD and names what somebody changed" {
	all=$(dual)
	while IFS='~' read -r damage message; do
		cni_add "$all"
		cni_check "$all"
		eval "$damage"
		EXPECT=1 cni_check "$all"
		assert_match "$damage" "$(jq -r .msg <<<"$output")" "$message"
		cni_del "$all"
		rm -rf /var/lib/cni/networks
	done <<-'TABLE'
		run_in ctr ip link set eth0 type macvlan mode private~Interface eth0 is not in macvlan mode bridge
		run_in ctr ip addr del 10.77.0.2/24 dev eth0~Failed to match addr 10.77.0.2/24 on interface eth0
		run_in ctr ip route del default~Expected Route 0.0.0.0/0 not found in routing table
		run_in ctr ip link set eth0 address 02:00:00:00:00:77~Mac .* doesn't match container Mac
		ip -n ctr link del eth0; ip -n ctr link add eth0 type veth peer name x~Container interface eth0 not of type macvlan
		rm /var/lib/cni/networks/tnet/*77*~Failed to find address added by container ctr
	TABLE
	cni_add "$all"
	EXPECT=1 cni_check "$(jq -c '.mtu = 1400' <<<"$all")"
	assert_match "another MTU" "$(jq -r .msg <<<"$output")" "Interface eth0 has MTU 1500, configured is 1400"
	EXPECT=1 NO_PREV=1 cni_check "$all"
	assert_match "no prevResult" "$(jq -r .msg <<<"$output")" "equired prevResult missing"
}

@test "DEL in every form leaves nothing, and never fails: not even without a master" {
	cni_add "$(dual)"
	cni_del "$(dual)"
	before=$(inject_state)
	while read -r description; do
		cni_add "$(dual)"
		case $description in
		"empty CNI_NETNS")  cni_del "$(dual)" CNI_NETNS=; ip -n ctr link del eth0 ;; # nobody knows where it is
		"namespace gone")   ip netns del ctr; cni_del "$(dual)" ;;
		"a plain file")     umount /run/netns/ctr; cni_del "$(dual)" ;;
		"link gone")        ip -n ctr link del eth0; cni_del "$(dual)" ;;
		"no prevResult")    NO_PREV=1 cni_del "$(dual)" ;;
		"no leases")        rm -rf /var/lib/cni/networks; cni_del "$(dual)" ;;
		"another master")   cni_del "$(dual '.master = "nosuch0"')" ;;
		"no master")        cni_del "$(dual 'del(.master)')" ;;
		"a broken config")  cni_del "$(dual '.mtu = "large" | .mode = 7 | .mac = "zz" | .ipam.ranges = "none"')" ;;
		"unknown args")     cni_del "$(dual)" CNI_ARGS='FOO;;' ;;
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
		no prevResult
		no leases
		another master
		no master
		a broken config
		unknown args
		no IPAM
	FORMS
	cni_add "$(dual)"
	ip link del lan0 # and with it all that sits on it
	cni_del "$(dual)"
	assert_eq "the lease is gone, too" "$(cd /var/lib/cni/networks/tnet && echo 10.*)" '10.*'
}

@test "GC: an absent list deletes nothing, a list exactly the stale, an empty one all" {
	gc=$(conf macvlan '.cniVersion = "1.1.0"')
	cni_add "$gc"
	cni_add "$gc" @ctr2
	all=$(snapshot)
	cni_gc "$gc"
	left "$all"
	cni_gc "$(jq -c '."cni.dev/valid-attachments" = [{containerID: "ctr2", ifname: "eth0"}]' <<<"$gc")"
	assert_eq "one lease" "$(cd /var/lib/cni/networks/tnet && echo 10.*)" 10.77.0.3
	cni_gc "$(jq -c '."cni.dev/attachments" = [] | .master = "nosuch0"' <<<"$gc")"
	assert_eq "no lease" "$(cd /var/lib/cni/networks/tnet && echo 10.*)" '10.*'
}

@test "STATUS: a missing master, a full pool and a mistake are told apart" {
	tiny=$(conf macvlan '.cniVersion = "1.1.0" | .ipam.subnet = "10.77.0.0/30" | .ipam.gateway = "10.77.0.2"')
	cni_status "$tiny"
	EXPECT=1 cni_status "$(jq -c '.master = "nosuch0"' <<<"$tiny")"
	assert_json "no master" "$output" '[.code, .msg]' '[50, "failed to lookup master \"nosuch0\": Link not found"]'
	EXPECT=1 cni_status "$(jq -c '.mode = "source"' <<<"$tiny")"
	assert_json "a mistake" "$output" .code 7
	cni_add "$tiny"
	EXPECT=1 cni_status "$tiny"
	assert_json "a full pool" "$output" .code 50
	assert_eq "and nothing was made to find out" "$(ip -o link | wc -l)" 2
}

@test "a kernel without the link type says so, in ADD and STATUS, and how to get it" {
	for type in ipvlan vlan dummy; do
		ip link add probe0 type $type 2>&1 | grep -q 'Unknown device type' || continue
		before=$(inject_state)
		EXPECT=1 cni_add "$(conf $type)"
		assert_match "$type" "$(jq -r .msg <<<"$output")" "^this kernel has no $type links \(try: modprobe "
		EXPECT=1 cni_status "$(conf $type '.cniVersion = "1.1.0"')"
		assert_json "STATUS" "$output" .code 50
		inject_unchanged "the failed ADD" "$before"
		cni_del "$(conf $type)"
	done
}

@test "whichever step of an ADD fails, host and container are as before" {
	inject_fail "$(dual)"
}

@test "killed at any step of an ADD or DEL, the DEL that follows leaves nothing" {
	inject_kill "$(dual)"
	inject_kill "$(conf macvlan)" DEL
}
