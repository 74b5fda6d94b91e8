#!/usr/bin/env bats
# The tap plugin and the tool tun. A program that opens the tap as a virtual machine would is lib/tap.py.

load lib/all
sandbox

setup() {
	[[ -r /dev/net/tun && -w /dev/net/tun ]] || missing "/dev/net/tun, to be opened"
	container ctr ctr2
}

# tap FILTER: of the container's eth0, as `ip -d -j` prints it
tap()    { ip -n "${2:-ctr}" -d -j link show eth0 | jq -c ".[0] | $1"; }
leases() { find /var/lib/cni/networks -name '10.*' 2>/dev/null | wc -l; }

# machine USER GROUP ADDRESS [QUEUES]: answers pings behind eth0 of ctr as that user; ready when it returns. The device file
# is of the test: who may open that of the machine is its administrator's business.
machine() {
	local log=$BATS_TEST_TMPDIR/machine.log

	[[ -e /run/tun ]] || { mknod /run/tun c 10 200 && chmod 666 /run/tun; } || return
	: >"$log"
	nsenter --net=/run/netns/ctr -- python3 "$CNIBOX_TESTS/lib/tap.py" /run/tun eth0 "$3" 02:00:00:00:00:99 \
		"$1" "$2" "${4:-0}" >"$log" 2>&1 3>&- &
	MACHINE=$!
	wait_for "it has opened the tap" 5 grep -qE '^open|Error' "$log"
	grep -q '^open' "$log" || { cat "$log"; return 1; }
}

@test "ADD makes a tap in the container and says so; DEL removes it" {
	before=$(snapshot host ctr)
	cni_add "$(conf tap '.ipam.routes = [{dst: "192.0.2.0/24", gw: "10.77.0.1"}]')"
	assert_same_json "the result" "$output" '{"cniVersion": "1.0.0",
		"interfaces": [{"name": "eth0", "mac": '"$(tap .address)"', "mtu": 1500, "sandbox": "/run/netns/ctr"}],
		"ips": [{"address": "10.77.0.2/24", "gateway": "10.77.0.1", "interface": 0}],
		"routes": [{"dst": "192.0.2.0/24", "gw": "10.77.0.1"}]}'
	assert_eq "what it is" "$(tap '.linkinfo | [.info_kind, .info_data.type, .info_data.pi, .info_data.vnet_hdr,
		.info_data.persist, .info_data.multi_queue, .info_data.user]')" '["tun","tap",false,true,true,false,null]'
	assert_eq "it is up" "$(tap '.flags | index("UP") != null')" true
	assert_eq "its address is announced" "$(run_in ctr cat /proc/sys/net/ipv4/conf/eth0/arp_notify)" 1
	cni_check "$(conf tap)"
	cni_del "$(conf tap)"
	assert_eq "nothing is left" "$(snapshot host ctr)" "$before"
	NO_PREV=1 cni_del "$(conf tap)"
	assert_eq "nor the second time" "$(snapshot host ctr)" "$before"
}

@test "without ipam it is up, without addresses" {
	before=$(snapshot host ctr)
	l2=$(conf tap 'del(.ipam)')
	cni_add "$l2"
	assert_json "no addresses" "$output" 'has("ips") | not'
	assert_eq "it is up" "$(tap '.flags | index("UP") != null')" true
	cni_check "$l2"
	cni_del "$l2"
	assert_eq "nothing is left" "$(snapshot host ctr)" "$before"
}

@test "mtu, multiQueue, owner, group, in any case" {
	cni_add "$(conf tap '.MTU = 1400 | .multiqueue = true | .Owner = 1234 | .GROUP = 4321')"
	assert_eq "the tap" "$(tap '[.mtu, .linkinfo.info_data.multi_queue, .linkinfo.info_data.user, .linkinfo.info_data.group]')" \
		'[1400,true,1234,4321]'
	assert_json "mtu is reported" "$output" '.interfaces[0].mtu' 1400
	cni_check "$(conf tap '.mtu = 1400 | .multiQueue = true | .owner = 1234 | .group = 4321')"
	cni_add "$(conf tap '.owner = 0 | .group = 0')" @ctr2
	assert_eq "the superuser is a user, too" "$(ip -n ctr2 -d link show eth0 | grep -o 'user [^ ]*\|group root\|group 0')" \
		$'user root\ngroup root'
}

@test "MAC: mac < CNI_ARGS < runtimeConfig.mac" {
	cni_add "$(conf tap '.mac = "c2:11:22:33:44:01"')"
	assert_json "mac" "$output" '.interfaces[0].mac' c2:11:22:33:44:01
	assert_eq "in the kernel" "$(tap .address)" '"c2:11:22:33:44:01"'
	cni_del "$(conf tap)"
	cni_add "$(conf tap '.mac = "c2:11:22:33:44:01"')" CNI_ARGS="IgnoreUnknown=1;K8S_POD_NAME=p;MAC=c2:11:22:33:44:02"
	assert_json "CNI_ARGS wins" "$output" '.interfaces[0].mac' c2:11:22:33:44:02
	cni_del "$(conf tap)"
	RUNTIME='{"mac": "c2:11:22:33:44:03"}' cni_add "$(conf tap '.mac = "c2:11:22:33:44:01" | .capabilities.mac = true')" \
		CNI_ARGS="IgnoreUnknown=1;MAC=c2:11:22:33:44:02"
	assert_json "runtimeConfig.mac wins" "$output" '.interfaces[0].mac' c2:11:22:33:44:03
	EXPECT=1 cni_add "$(conf tap)" @ctr2 CNI_ARGS="MAC=nonsense"
	assert_match "a MAC that is none" "$(jq -r .msg <<<"$output")" '"nonsense" is not a MAC'
}

@test "traffic: the owner, who is nobody else, opens it and answers behind it" {
	need python3
	need_root
	cni_add "$(conf tap '.owner = 1234')"
	refute "another user may not" machine 1235 1235 10.77.0.9
	assert_match "it is not permitted" "$(<"$BATS_TEST_TMPDIR/machine.log")" "Operation not permitted"
	machine 1234 1235 10.77.0.9
	assert "pings through the tap" pings ctr 10.77.0.9
	wait_for "the program answered" 5 grep -q "answered 0800" "$BATS_TEST_TMPDIR/machine.log" # it says so when it has
	assert_match "what" "$(<"$BATS_TEST_TMPDIR/machine.log")" $'answered 0806\n.*answered 0800'
	kill "$MACHINE"
	wait "$MACHINE" || :
	assert "the tap outlives who opened it" ip -n ctr link show eth0
	machine 1234 1235 10.77.0.9
	assert "and works again" pings ctr 10.77.0.9
	cni_del "$(conf tap)"
	refute "DEL removes it while it is open" ip -n ctr link show eth0
}

@test "traffic: a member of the group, and several queues" {
	need python3
	need_root
	cni_add "$(conf tap '.group = 4321 | .multiQueue = true')"
	refute "another group may not" machine 1234 4322 10.77.0.9 2
	refute "one queue is not what it has" machine 1234 4321 10.77.0.9
	machine 1234 4321 10.77.0.9 4
	assert "pings through the tap" pings ctr 10.77.0.9
	cni_check "$(conf tap '.group = 4321 | .multiQueue = true')"
}

@test "bridge makes it a port of a bridge in the container" {
	need python3
	need_root
	ip -n ctr link add br0 type bridge
	ip -n ctr addr add 10.77.0.1/24 dev br0
	ip -n ctr link set br0 up
	bridged=$(conf tap 'del(.ipam) | .bridge = "br0" | .owner = 1234 | .mac = "02:00:00:00:00:07" | .mtu = 1300')
	cni_add "$bridged"
	assert_eq "it is one" "$(tap '[.master, .address, .mtu]')" '["br0","02:00:00:00:00:07",1300]'
	machine 1234 1234 10.77.0.9
	wait_for "pings over the bridge" 10 pings ctr 10.77.0.9
	kill "$MACHINE"
	cni_check "$bridged"
	ip -n ctr link set eth0 nomaster
	EXPECT=1 cni_check "$bridged"
	assert_json "CHECK" "$output" .msg "eth0 is not a port of bridge br0"
	cni_del "$bridged"
	while IFS='~' read -r bridge message; do
		EXPECT=1 cni_add "$(conf tap ".bridge = \"$bridge\"")"
		assert_json "$bridge" "$output" .msg "$message"
		assert_eq "nothing has changed, no address is reserved" "$(ip -n ctr -br link | wc -l) $(leases)" "2 0"
	done <<-'TABLE'
		br9~failed to get bridge br9: Link not found
		lo~"lo" exists but is not a bridge
	TABLE
}

@test "selinuxContext: where it cannot be the message says why, and nothing is left" {
	before=$(snapshot host ctr)
	EXPECT=1 cni_add "$(conf tap '.selinuxContext = "nonsense"')"
	assert_match "the message" "$(jq -r .msg <<<"$output")" \
		'^failed to create tap: failed set socket label: (SELinux is not enabled on this node|the policy has no context "nonsense")$'
	assert_eq "nothing has changed" "$(snapshot host ctr)" "$before"
}

@test "mistakes in the configuration are named, and change nothing" {
	before=$(snapshot host ctr)
	while IFS='~' read -r change code message; do
		EXPECT=1 cni_add "$(conf tap "$change")"
		assert_json "$change" "$output" .msg "$message"
		assert_json "code of $change" "$output" .code "$code"
	done <<-'TABLE'
		.mtu = 67~7~invalid MTU 67 (must be 0 or between 68 and 65535)
		.mtu = 70000~7~failed to load netconf: mtu: 70000 is out of range 0..65535
		.mtu = "x"~6~failed to load netconf: mtu: expected an integer, found string
		.owner = -1~7~failed to load netconf: owner: -1 is out of range 0..4294967295
		.owner = "root"~6~failed to load netconf: owner: expected an integer, found string
		.mac = "nonsense"~7~failed to load netconf: mac: "nonsense" is not a MAC address
		.bridge = "a/b"~7~failed to load netconf: bridge: "a/b" is not an interface name
		.multiQueue = 1~6~failed to load netconf: multiQueue: expected a boolean, found number
	TABLE
	EXPECT=1 cni_add "$(conf tap '.mac = "01:00:5e:00:00:01"')"
	assert_match "what the kernel refuses" "$(jq -r .msg <<<"$output")" "^failed to create tap: set tap up: Cannot assign requested address"
	EXPECT=1 cni_add "$(conf tap '.owner = 4294967295')"
	assert_match "nobody's id" "$(jq -r .msg <<<"$output")" "^failed to create tap: tap eth0: set owner 4294967295: Invalid argument"
	assert_eq "nothing has changed" "$(snapshot host ctr)" "$before"
}

@test "a taken name: the message names it, and what is there stays" {
	cni_add "$(conf tap)"
	before=$(snapshot host ctr)
	EXPECT=1 cni_add "$(conf tap '.name = "second"')"
	assert_json "a tap" "$output" .msg "failed to create tap: there is an interface eth0 already"
	EXPECT=1 cni_add "$(conf tap '.name = "second"')" CNI_IFNAME=lo
	assert_json "another link" "$output" .msg "failed to create tap: there is an interface lo already"
	EXPECT=1 cni_add "$(conf tap '.name = "second"')" CNI_IFNAME=tap%d
	assert_json "a pattern" "$output" .msg 'failed to create tap: "tap%d" cannot be the name of a tap'
	assert_eq "nothing has changed" "$(snapshot host ctr)" "$before"
	ip link add eth7 type bridge
	cni_add "$(conf tap)" @ctr2 CNI_IFNAME=eth7
	assert "a name that the host uses is free in the container" ip -n ctr2 link show eth7
}

@test "IPAM fails, or a route cannot be: no tap is left" {
	before=$(snapshot host ctr)
	while read -r change; do
		EXPECT=1 cni_add "$(conf tap "$change")"
		assert_eq "$change: nothing has changed" "$(snapshot host ctr)" "$before"
	done <<-'TABLE'
		.ipam.subnet = "nonsense"
		.ipam.type = "none-such"
		.ipam.routes = [{dst: "192.0.2.0/24", gw: "203.0.113.1"}]
	TABLE
}

@test "ADD fails at any step, and is killed at any step: nothing is left after it, or after DEL" {
	need strace
	local tried=0
	for with in error=ENOBUFS signal=KILL; do
		for call in sendmsg ioctl rename; do
			for ((i = 1; ; i++)); do
				CNI_WRAP=(strace -qq -o /dev/null -e "trace=$call" -e "inject=$call:$with:when=$i")
				EXPECT=any cni_add "$(conf tap '.owner = 5 | .mtu = 1400')"
				CNI_WRAP=()
				[[ $status != 0 ]] || break
				[[ $with == error* ]] || NO_PREV=1 cni_del "$(conf tap)"
				assert_eq "$with at $i: lo only, no lease" "$(ip -n ctr -br link | wc -l) $(leases)" "1 0"
			done
			tried=$((tried + i - 1))
			cni_del "$(conf tap)"
		done
	done
	assert "it was tried often" test "$tried" -gt 8
}

@test "DEL succeeds whatever is missing, and the address is released each time" {
	: >/run/plain
	while IFS='~' read -r damage change variable; do
		cni_add "$(conf tap)"
		eval "$damage"
		NO_PREV=1 cni_del "$(conf tap "$change")" ${variable:+"$variable"}
		assert_eq "$damage $change $variable: the address is free" "$(leases)" 0
		[[ -e /run/netns/ctr ]] || container ctr
		ip -n ctr link del eth0 2>/dev/null || :
	done <<-'TABLE'
		:~.~CNI_NETNS=
		:~.~CNI_NETNS=/run/netns/gone
		:~.~CNI_NETNS=/run/plain
		ip netns del ctr~.~
		ip -n ctr link del eth0~.~
		:~.mtu = "x" | .owner = [] | .bridge = "br9" | .mac = 5 | .selinuxContext = {}~
	TABLE
}

@test "CHECK names what somebody changed" {
	all=$(conf tap '.owner = 5 | .group = 6 | .mtu = 1400 | .ipam.routes = [{dst: "0.0.0.0/0"}]')
	cni_add "$all"
	cni_check "$all"
	cni_del "$all"
	while IFS='~' read -r damage message; do
		cni_add "$all"
		jq -r '.ips[0].address' <<<"$output" >/run/address
		eval "$damage"
		EXPECT=1 cni_check "$all"
		assert_match "$damage" "$(jq -r .msg <<<"$output")" "$message"
		cni_del "$all"
	done <<-'TABLE'
		ip -n ctr addr del "$(</run/address)" dev eth0~Failed to match addr 10.77.0.3/24 on interface eth0
		ip -n ctr route del default~Expected Route 0.0.0.0/0 not found in routing table
		ip -n ctr link set eth0 address 02:00:00:00:00:77~Interface eth0 Mac .* doesn't match container Mac
		ip -n ctr link set eth0 mtu 1300~^MTU of eth0 is 1300, not 1400$
		ip -n ctr link del eth0~Container Interface name in prevResult: eth0 not found
		run_in ctr bash -c 'mac=$(cat /sys/class/net/eth0/address); ip link del eth0; ip link add eth0 type bridge'~not of type tun
		remake "user 7 group 6"~^the tap's owner is not 5$
		remake "user 5"~^the tap's group is not 6$
		remake "user 5 group 6 multi_queue"~^eth0 has more than one queue$
	TABLE
	cni_add "$all"
	EXPECT=1 NO_PREV=1 cni_check "$all"
	assert_json "without prevResult" "$output" '[.code, .msg]' '[7, "Required prevResult missing"]'
}
# remake WORDS: the same tap, but for who may open it
remake() {
	local mac

	mac=$(tap .address)
	ip -n ctr link del eth0
	# shellcheck disable=SC2086
	ip -n ctr tuntap add mode tap eth0 $1
	ip -n ctr link set eth0 address "${mac//\"/}" mtu 1400 up
	ip -n ctr addr add "$(</run/address)" dev eth0
	ip -n ctr route add default via 10.77.0.1
}

@test "GC: an absent list deletes nothing, a list exactly the stale, an empty one all" {
	gc=$(conf tap '.cniVersion = "1.1.0"')
	cni_add "$gc"
	cni_add "$gc" @ctr2
	cni_gc "$gc"
	assert_eq "no list" "$(leases)" 2
	cni_gc "$(jq -c '."cni.dev/valid-attachments" = [{containerID: "ctr2", ifname: "eth0"}]' <<<"$gc")"
	assert_eq "one lease" "$(cd /var/lib/cni/networks/tnet && echo 10.*)" 10.77.0.3
	cni_gc "$(jq -c '."cni.dev/attachments" = []' <<<"$gc")"
	assert_eq "no lease" "$(leases)" 0
}

@test "STATUS: 50 without /dev/net/tun, and when the pool is full" {
	st=$(conf tap '.cniVersion = "1.1.0" | .ipam.subnet = "10.77.0.0/30"')
	cni_status "$st"
	cni_add "$st"
	EXPECT=1 cni_status "$st"
	assert_json "a full pool" "$output" .code 50
	mount -t tmpfs tmpfs /dev/net
	EXPECT=1 cni_status "$(jq -c 'del(.ipam)' <<<"$st")"
	assert_json "no device" "$output" '[.code, .msg]' \
		'[50, "this node has no /dev/net/tun (try: modprobe tun): No such file or directory"]'
	EXPECT=1 cni_add "$st" @ctr2
	assert_match "nor ADD" "$(jq -r .msg <<<"$output")" "failed to create tap: this node has no /dev/net/tun"
}

@test "no program is run" {
	need strace
	CNI_WRAP=(strace -f -qq -e trace=execve -o /run/trace)
	cni_add "$(conf tap)"
	assert_eq "but the plugin" "$(grep -c 'execve(.*= 0' /run/trace)" 1
}

# ---- the tool ----

@test "tun add and del, and what they refuse" {
	"$CNIBOX" tun add tap0 --owner 1234 --group 4321 --multi-queue
	assert_json "it is there" "$(ip -d -j link show tap0)" '.[0].linkinfo.info_data | [.type, .persist, .multi_queue, .user, .group]' \
		'["tap", true, true, 1234, 4321]'
	while IFS='~' read -r words message; do
		# shellcheck disable=SC2086
		refute "$words" "$CNIBOX" tun $words
		# shellcheck disable=SC2086
		assert_eq "$words" "$("$CNIBOX" tun $words 2>&1 | head -n 1)" "tun ${words%% *}: $message"
	done <<-'TABLE'
		add tap0~there is an interface tap0 already
		add lo~there is an interface lo already
		del lo~lo is not a tun or tap device
		del tap9~there is no interface tap9
	TABLE
	"$CNIBOX" tun del tap0
	refute "it is gone" ip link show tap0
}
