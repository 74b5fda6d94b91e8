#!/usr/bin/env bats
# The tuning plugin, behind bridge as a runtime calls it: what it sets, what it writes down, and that DEL puts all of it
# back.

# Every test is a process of its own.
# shellcheck disable=SC2030,SC2031
load lib/all
load lib/runtime
load lib/inject
sandbox

FILE=/run/cni/tuning/ctr_eth0.json
LIST=/etc/cni/tuning/allowlist.conf
ALL='.mac = "02:00:00:00:00:11" | .mtu = 1400 | .promisc = true | .allmulti = true | .txQLen = 500
	| .sysctl = {"net.core.somaxconn": "500", "net.ipv4.conf.IFNAME.arp_filter": "1"}'

setup() {
	our_plugins
	container ctr
}

# bare [JQ]: the least of a configuration, changed by the program
bare() {
	jq -nc "{cniVersion: \"1.0.0\", name: \"tnet\", type: \"tuning\"} | ${1:-.}"
}

# chain [JQ [JQ]]: bridge and tuning; the first program changes the second plugin, the other the list
chain() {
	conf bridge | jq -c "{cniVersion, name, plugins: [del(.cniVersion, .name), ({type: \"tuning\"} | ${1:-$ALL})]} | ${2:-.}"
}

# alone [JQ]: only tuning, with the result of bridge's ADD
alone() {
	bare | jq -c --argjson prev "$BRIDGE" ".prevResult = \$prev | ${1:-$ALL}"
}

add_bridge() {
	cni_add "$(conf bridge)"
	BRIDGE=$output
}

sysctl() { # NAME [CONTAINER]
	run_in "${2:-ctr}" cat "/proc/sys/net/$1" | tr '\t' ' '
}

# The interface as one line: MAC, MTU, promiscuous, all-multicast, queue length.
link() {
	run_in "${1:-ctr}" ip -d -j link show "${2:-eth0}" | jq -c '.[0] | [.address, .mtu,
		(.flags | index("PROMISC") != null), (.flags | index("ALLMULTI") != null), .txqlen]'
}

@test "ADD sets every attribute, and the result says what the interface has now" {
	cni_add "$(chain "$ALL" '.cniVersion = "1.1.0"')"
	assert_eq "the link" "$(link)" '["02:00:00:00:00:11",1400,true,true,500]'
	assert_eq "a sysctl" "$(sysctl core/somaxconn)" 500
	assert_eq "a sysctl of the interface" "$(sysctl ipv4/conf/eth0/arp_filter)" 1
	assert_eq "not of the host" "$(</proc/sys/net/core/somaxconn)" 4096
	assert_json "result" "$output" '.interfaces[2] | [.name, .mac, .mtu]' '["eth0", "02:00:00:00:00:11", 1400]'
	assert "the pod still reaches its gateway" pings ctr 10.77.0.1
	cni_check "$(chain "$ALL" '.cniVersion = "1.1.0"')"
}

@test "the backup file is the reference's, with what that one lacks under keys of its own" {
	add_bridge
	before=$(link)
	cni_add "$(alone)"
	assert_eq "content" "$(<"$FILE")" "{
 \"mac\": $(jq '.[0]' <<<"$before"),
 \"promisc\": false,
 \"mtu\": 1500,
 \"allmulti\": false,
 \"txQLen\": 1000,
 \"network\": \"tnet\",
 \"sysctl\": {
  \"net/core/somaxconn\": \"4096\",
  \"net/ipv4/conf/eth0/arp_filter\": \"0\"
 }
}"
	assert_eq "for root alone" "$(stat -c %a:%a $FILE /run/cni/tuning | paste -sd' ')" "600:600 700:700"
	cni_del "$(alone)"
	cni_add "$(alone '.mtu = 1300')"
	assert_json "only what is changed" "$(<"$FILE")" 'keys' '["mtu", "network"]'
	cni_add "$(alone .)" @ctr CNI_IFNAME=lo
	refute "nothing to change, no file" test -e /run/cni/tuning/ctr_lo.json
	cni_add "$(alone '.mtu = 1300 | .dataDir = "/run/elsewhere/deep"')" CNI_IFNAME=eth0
	assert "dataDir" test -f /run/elsewhere/deep/ctr_eth0.json
	cni_del "$(alone '.dataDir = "/run/elsewhere/deep"')"
	refute "dataDir on DEL" test -e /run/elsewhere/deep/ctr_eth0.json
}

@test "DEL puts everything back, also after a second ADD" {
	add_bridge
	before=$(snapshot host ctr)
	cni_add "$(alone)"
	cni_add "$(alone '.mac = "02:00:00:00:00:12" | .mtu = 1300 | .promisc = true | .sysctl = {"net.core.somaxconn": "600", "net.ipv4.ip_local_port_range": "2000 3000"}')"
	assert_eq "the second one's" "$(link)" '["02:00:00:00:00:12",1300,true,true,500]'
	assert_eq "and its sysctl" "$(sysctl ipv4/ip_local_port_range)" "2000 3000"
	cni_del "$(alone)"
	assert_eq "as it was" "$(snapshot host ctr)" "$before"
}

@test "what was on before stays on" {
	add_bridge
	run_in ctr ip link set eth0 promisc on allmulticast on
	before=$(link)
	cni_add "$(alone '.promisc = true | .allmulti = false')"
	assert_eq "set" "$(link | jq -c '.[2:4]')" '[true,false]'
	cni_del "$(alone)"
	assert_eq "as it was" "$(link)" "$before"
}

@test "sysctls are set in the order of the configuration, and put back in reverse" {
	need strace
	add_bridge
	CNI_WRAP=(strace -qq -e "trace=open,openat" -o "$BATS_TEST_TMPDIR/trace")
	cni_add "$(alone '.sysctl = {"net.ipv4.conf.all.forwarding": "1", "net.ipv4.conf.all.arp_filter": "1",
		"net.core.somaxconn": "7", "net.ipv4.conf.IFNAME.log_martians": "1"}')"
	assert_eq "order" "$(sed -nE 's|.*"/proc/sys/net/([^"]*)", O_WRONLY.*|\1|p' "$BATS_TEST_TMPDIR/trace" | paste -sd' ')" \
		"ipv4/conf/all/forwarding ipv4/conf/all/arp_filter core/somaxconn ipv4/conf/eth0/log_martians"
	cni_del "$(alone)"
	assert_eq "reverse" "$(sed -nE 's|.*"/proc/sys/net/([^"]*)", O_WRONLY.*|\1|p' "$BATS_TEST_TMPDIR/trace" | paste -sd' ')" \
		"ipv4/conf/eth0/log_martians core/somaxconn ipv4/conf/all/arp_filter ipv4/conf/all/forwarding"
}

@test "names of sysctls: dots, slashes, interfaces with dots; one that can only be written" {
	add_bridge
	run_in ctr ip link add eth0.5 type veth peer name other
	cni_add "$(alone '.sysctl = {"net.ipv4.conf.IFNAME.arp_filter": "1", "net/core/somaxconn": "77", "/net//ipv4/conf/all/arp_filter": "1",
		"net.ipv4.route.flush": "1"}')" CNI_IFNAME=eth0.5
	assert_eq "IFNAME" "$(sysctl ipv4/conf/eth0.5/arp_filter)" 1
	assert_eq "slashes" "$(sysctl core/somaxconn)" 77
	assert_eq "more slashes" "$(sysctl ipv4/conf/all/arp_filter)" 1
	assert_json "nothing is written down of what cannot be read" "$(</run/cni/tuning/ctr_eth0.5.json)" '.sysctl | has("net/ipv4/route/flush")' false
	cni_del "$(alone)" CNI_IFNAME=eth0.5
	assert_eq "back" "$(sysctl core/somaxconn)" 4096
}

@test "only sysctls below net, whatever the spelling" {
	add_bridge
	before=$(snapshot host ctr)
	for key in kernel.domainname net / net. .. kernel/../net/core/somaxconn vm.overcommit_memory IFNAME.net; do
		EXPECT=1 cni_add "$(alone ".sysctl = {\"net.core.somaxconn\": \"5\", \"$key\": \"1\"}")"
		assert_json "$key" "$output" '[.code, .msg]' "[7, \"invalid net sysctl key: \\\"$key\\\"\"]"
	done
	for key in ../net.core.x net/../kernel/domainname net.core.somaxconnX net/./../../etc/passwd net.core; do
		EXPECT=1 cni_add "$(alone ".sysctl = {\"net.core.somaxconn\": \"5\", \"$key\": \"1\"}")"
		assert_match "$key" "$(jq -r .msg <<<"$output")" '^set sysctl net/.*: (No such file or directory|Is a directory)'
	done
	assert_eq "nothing has changed, nor what came before the bad one" "$(snapshot host ctr)" "$before"
}

@test "MAC: config < CNI_ARGS < runtimeConfig < args.cni; the other attributes: args.cni wins" {
	add_bridge
	mac() { link | jq -r '.[0]'; }
	cni_add "$(alone '.mac = "02:00:00:00:00:01"')"
	assert_eq "config" "$(mac)" 02:00:00:00:00:01
	cni_add "$(alone '.mac = "02:00:00:00:00:01"')" CNI_ARGS="IgnoreUnknown=1;K8S_POD_NAME=p;MAC=02:00:00:00:00:02"
	assert_eq "CNI_ARGS" "$(mac)" 02:00:00:00:00:02
	RUNTIME='{"mac": "02:00:00:00:00:03"}' cni_add "$(alone '.capabilities.mac = true')" CNI_ARGS="MAC=02:00:00:00:00:02"
	assert_eq "runtimeConfig" "$(mac)" 02:00:00:00:00:03
	cni_add "$(alone "$ALL"' | .runtimeConfig.mac = "02:00:00:00:00:03" | .args.cni = {mac: "02:00:00:00:00:04", mtu: 1300, promisc: false,
		allmulti: false, txQLen: 7, sysctl: {"net.core.somaxconn": "9", "net.ipv4.conf.all.arp_filter": "1"}}')"
	assert_eq "args.cni" "$(link)" '["02:00:00:00:00:04",1300,false,false,7]'
	assert_eq "its sysctl" "$(sysctl core/somaxconn)" 9
	assert_eq "its new one" "$(sysctl ipv4/conf/all/arp_filter)" 1
	assert_eq "and the other" "$(sysctl ipv4/conf/eth0/arp_filter)" 1
	cni_add "$(alone '.args.cni.sysctl = {"net.core.somaxconn": "11"}')"
	assert_eq "without one in the configuration" "$(sysctl core/somaxconn)" 11
	EXPECT=1 cni_add "$(alone)" CNI_ARGS="NAME=x"
	assert_json "unknown arguments" "$output" .msg 'ARGS: unknown args ["NAME=x"]'
	cni_del "$(alone)" CNI_ARGS="NAME=x"
}

@test "keys are known in any case" {
	add_bridge
	cni_add "$(alone '.MTU = 1300 | .Promisc = true | .TXQLEN = 5 | .SysCtl = {"net.core.somaxconn": "5"}')"
	assert_eq "link" "$(link | jq -c '[.[1, 2, 4]]')" '[1300,true,5]'
	assert_eq "sysctl" "$(sysctl core/somaxconn)" 5
}

@test "mistakes in the configuration are named, and change nothing" {
	add_bridge
	before=$(snapshot host ctr)
	while IFS='~' read -r code change message; do
		EXPECT=1 cni_add "$(alone "$change")"
		assert_json "$change" "$output" '[.code, .msg]' "$(jq -nc --arg m "$message" "[$code, \$m]")"
	done <<-'TABLE'
		7~.mac = "zz"~failed to load netconf: mac: "zz" is not a MAC address
		7~.mtu = -1~failed to load netconf: mtu: -1 is out of range 0..2147483647
		6~.mtu = "big"~failed to load netconf: mtu: expected an integer, found string
		6~.sysctl = ["net.core.somaxconn"]~sysctl: expected an object, such as {"net.core.somaxconn": "500"}
		6~.sysctl = {"net.core.somaxconn": 5}~sysctl.net.core.somaxconn: expected a string (also a number stands in quotes)
		6~.args.cni.sysctl = {"net.core.somaxconn": 5}~args.cni: sysctl.net.core.somaxconn: expected a string (also a number stands in quotes)
		7~.sysctl = {"net.core.somaxconn": "5", "net/core/somaxconn": "6"}~duplicated sysctl keys are not allowed
		7~del(.prevResult)~Required prevResult missing
		999~.mtu = 70000~change the attributes of eth0: Invalid argument (mtu greater than device maximum)
		999~.mtu = 1300 | .sysctl = {"net.core.somaxconn": "many"}~set sysctl net/core/somaxconn to "many": Invalid argument
	TABLE
	cni_exec tuning "$(alone '.sysctl = {"net.core.somaxconn": "5"}' | sed 's/"net.core.somaxconn":"5"/&,&/')" CNI_COMMAND=ADD \
		CNI_PATH="$PLUGINS" CNI_CONTAINERID=ctr CNI_NETNS=/run/netns/ctr CNI_IFNAME=eth0
	assert_json "the same key twice" "$output" '[.code, .msg]' '[7, "duplicated sysctl keys are not allowed"]'
	EXPECT=1 cni_add "$(alone)" CNI_IFNAME=none
	assert_json "no link" "$output" .msg 'failed to get "none": Link not found'
	EXPECT=1 cni_add "$(alone)" CNI_NETNS=/run/netns/none
	assert_json "no namespace" "$output" '[.code, .msg]' \
		'[8, "failed to open netns \"/run/netns/none\": failed to Statfs \"/run/netns/none\": no such file or directory"]'
	EXPECT=1 cni_add "$(alone "$ALL"' | .dataDir = "/dev/null/x"')"
	assert_match "no folder" "$output" "make directory /dev/null/x: Not a directory"
	EXPECT=1 NO_PREV=1 cni_check "$(alone 'del(.prevResult)')"
	assert_json "CHECK" "$output" '[.code, .msg]' '[7, "Required prevResult missing"]'
	assert_eq "nothing has changed" "$(snapshot host ctr)" "$before"
}

@test "the allow-list" {
	add_bridge
	mkdir -p /etc/cni/tuning
	allowed() { cni_add "$(alone ".sysctl = {\"$1\": \"${2:-1}\"}")"; }
	refused() { EXPECT=1 allowed "$@"; assert_json "code" "$output" .code "${CODE:-7}"; }
	printf '%s\n' '# what a pod may set' '' '  ^net\.core\.somaxconn$  ' '^net.ipv4.conf.IFNAME.[a-z_]+$' 'local_port_(?:range)' >$LIST
	allowed net.core.somaxconn
	allowed net.ipv4.conf.IFNAME.arp_filter
	allowed net.ipv4.ip_local_port_range "2000 3000"
	refused net.ipv4.conf.all.forwarding
	assert_eq "the message" "$(jq -r .msg <<<"$output")" \
		"Sysctl net.ipv4.conf.all.forwarding is not allowed. Only the following sysctls are allowed: [^net\.core\.somaxconn\$ ^net.ipv4.conf.IFNAME.[a-z_]+\$ local_port_(?:range)]"
	refused net/core/somaxconn
	EXPECT=1 cni_add "$(alone '.args.cni.sysctl = {"net.ipv4.ip_forward": "1"}')"
	assert_match "in args, too" "$output" "Sysctl net.ipv4.ip_forward is not allowed"
	echo '^net\.[' >$LIST
	CODE=999 refused net.core.somaxconn
	assert_match "a broken pattern" "$output" "allow-list: $LIST: .*is no pattern"
	echo '^(?m)net\.core' >$LIST
	CODE=999 refused net.core.somaxconn
	echo '^net\.(?i)CORE' >$LIST
	allowed net.core.somaxconn
	: >$LIST
	refused net.core.somaxconn
	assert_match "an empty list" "$output" 'allowed: \[\]'
	cni_add "$(alone '.mtu = 1300')"
	assert_eq "attributes are no sysctls" "$(link | jq '.[1]')" 1300
	EXPECT=1 cni_status "$(bare '.cniVersion = "1.1.0" | .sysctl = {"net.core.somaxconn": "1"}')"
	assert_json "STATUS tells" "$output" .code 50
	cni_status "$(bare '.cniVersion = "1.1.0"')"
	cni_del "$(alone '.sysctl = {"net.core.somaxconn": "1"}')"
}

@test "CHECK compares what was asked for, and blanks do not count" {
	add_bridge
	cni_add "$(alone "$ALL"' | .sysctl["net.ipv4.ip_local_port_range"] = "2000 3000"')"
	cni_check "$(alone "$ALL"' | .sysctl["net.ipv4.ip_local_port_range"] = "2000  3000"')"
	cni_check "$(alone .)"
	while IFS='~' read -r change message; do
		EXPECT=1 cni_check "$(alone "$ALL | $change")"
		assert_json "$change" "$output" .msg "$message"
	done <<-'TABLE'
		.mac = "02:00:00:00:00:99"~Error: Tuning configured Ethernet of eth0 is 02:00:00:00:00:99, current value is 02:00:00:00:00:11
		.promisc = false~Error: Tuning link eth0 configured promisc is false, current value is 1
		.mtu = 1500~Error: Tuning configured MTU of eth0 is 1500, current value is 1400
		.allmulti = false~Error: Tuning configured all-multicast mode of eth0 is false, current value is true
		.txQLen = 9~Error: Tuning configured Transmission Queue Length of eth0 is 9, current value is 500
		.sysctl = {"net.core.somaxconn": "501"}~Error: Tuning configured value of /proc/sys/net/core/somaxconn is 501, current value is 500
	TABLE
	run_in ctr ip link del eth0
	EXPECT=1 cni_check "$(alone '.mtu = 1400')"
	assert_json "no link" "$output" .msg "Cannot find container link eth0: Link not found"
}

# ---- DEL, GC ----

@test "DEL leaves nothing, in whatever form it comes" {
	cni_add "$(chain)"
	cni_del "$(chain)"
	before=$(snapshot)
	for form in plain no_netns path_missing plain_file link_gone no_prev broken_config broken_file empty_file no_file twice; do
		[[ -e /run/netns/ctr ]] || container ctr
		echo "== $form"
		cni_add "$(chain)"
		case $form in
		plain)         cni_del "$(chain)" ;;
		no_netns)      cni_del "$(chain)" CNI_NETNS= ;;
		path_missing)  ip netns del ctr; cni_del "$(chain)" ;;
		plain_file)    umount /run/netns/ctr; cni_del "$(chain)"; rm -f /run/netns/ctr ;;
		link_gone)     ip -n ctr link del eth0; cni_del "$(chain)" ;;
		no_prev)       NO_PREV=1 cni_del "$(chain)" ;;
		broken_config) cni_del "$(chain '.mac = 5 | .mtu = "x" | .sysctl = 7')" ;;
		broken_file)   echo '{"mac": 7' >$FILE; cni_del "$(chain)" ;;
		empty_file)    : >$FILE; cni_del "$(chain)" ;;
		no_file)       rm $FILE; cni_del "$(chain)" ;;
		twice)         cni_del "$(chain)"; NO_PREV=1 cni_del "$(chain)" ;;
		esac
		wait_for "$form: nothing is left" 3 left "$before"
	done
}

@test "an interface that went does not keep the sysctls from being put back" {
	add_bridge
	cni_add "$(alone)"
	ip -n ctr link del eth0
	cni_del "$(alone)"
	assert_eq "sysctl" "$(sysctl core/somaxconn)" 4096
	refute "the file" test -e $FILE
}

@test "every version" {
	for version in 0.1.0 0.2.0 0.3.0 0.3.1 0.4.0 1.0.0 1.1.0; do
		cni_add "$(chain "$ALL" ".cniVersion = \"$version\"")"
		assert_json "$version" "$output" .cniVersion "$version"
		assert_eq "$version: it works" "$(link | jq '.[1]')" 1400
		[[ $version == 0.[123].* ]] || cni_check "$(chain "$ALL" ".cniVersion = \"$version\"")"
		cni_del "$(chain "$ALL" ".cniVersion = \"$version\"")"
		cni_del "$(chain "$ALL" ".cniVersion = \"$version\"")"
	done
}

gc() { # NETWORK [ID ...]
	local valid; valid=$(jq -nc '[$ARGS.positional[] | {containerID: ., ifname: "eth0"}]' --args "${@:2}")
	cni_gc "$(bare ".cniVersion = \"1.1.0\" | .name = \"$1\" | .[\"${KEY:-cni.dev/valid-attachments}\"] = $valid")"
}

@test "GC removes the files of what is stale, of this network alone; the reference's stay" {
	container a_b c d
	for id in ctr a_b c; do
		cni_add "$(chain)" "@$id"
	done
	cni_add "$(chain "$ALL" '.name = "tnet2"')" @d
	echo '{ "mtu": 1500 }' >/run/cni/tuning/go_eth0.json
	files() { (cd /run/cni/tuning && echo *); }
	cni_gc "$(bare '.cniVersion = "1.1.0"')"
	gc tnet ctr a_b c
	assert_eq "nothing goes" "$(files)" "a_b_eth0.json c_eth0.json ctr_eth0.json d_eth0.json go_eth0.json"
	gc tnet ctr a_b
	assert_eq "one is stale" "$(files)" "a_b_eth0.json ctr_eth0.json d_eth0.json go_eth0.json"
	KEY=cni.dev/attachments gc tnet ctr
	assert_eq "by the other key" "$(files)" "ctr_eth0.json d_eth0.json go_eth0.json"
	gc tnet
	assert_eq "all of this network" "$(files)" "d_eth0.json go_eth0.json"
	rm -rf /run/cni/tuning
	gc tnet
}

# ---- failures ----

call() { # COMMAND
	inject_call "$1" "$ALONE"
}

fast() {
	ip -n ctr -d link show eth0
	nsenter --net=/run/netns/ctr cat /proc/sys/net/core/somaxconn /proc/sys/net/ipv4/conf/eth0/arp_filter
	find /run/cni/tuning ! -path /run/cni/tuning -exec cat {} +
}

# The steps of an ADD that can fail: inject_steps.
steps() {
	INJECT_STEPS='sendmsg recvmsg socket setns openat open write rename mkdir bind fcntl' inject_steps ADD "$ALONE"
	call DEL >&2
}

@test "whichever step of an ADD fails, the container is as before; also of a second ADD" {
	need strace
	add_bridge
	mkdir -p /run/cni/tuning
	for first in none '.mtu = 1300 | .sysctl = {"net.core.somaxconn": "300"}'; do
		ALONE=$(alone)
		failed=0
		mapfile -t calls < <(steps 2>"$BATS_TEST_TMPDIR/steps")
		[[ ${#calls[@]} -gt 15 ]] || flunk "only ${#calls[@]} steps" "$(<"$BATS_TEST_TMPDIR/steps")"
		untouched=$(fast)
		[[ $first == none ]] || cni_add "$(alone "$first")"
		before=$(fast)
		for one in "${calls[@]}"; do
			read -r step n <<<"$one"
			CNI_WRAP=(strace -qq -o /dev/null -e "trace=$step" -e "inject=$step:error=ENOSPC:when=$n")
			call ADD
			CNI_WRAP=()
			# There is no way on in the wrong namespace.
			[[ $status != 134 || $step != setns ]] || { call DEL; status=0; [[ $first == none ]] || cni_add "$(alone "$first")"; }
			if [[ $status != 0 ]]; then
				failed=$((failed + 1))
				assert "the error is told" jq -e '.code > 0 and (.msg | length > 5)' <<<"$output"
				# A result that could not be written is taken back as DEL does it.
				[[ $(fast) == "$before" || ( $step == write && $(fast) == "$untouched" ) ]] ||
					flunk "NOT as before: $one" "$(diff <(echo "$before") <(fast))"
			fi
			if [[ $(fast) != "$before" ]]; then
				call DEL
				[[ $first == none ]] || cni_add "$(alone "$first")"
			fi
		done
		echo "# $failed of ${#calls[@]} steps made ADD fail"
		[[ $failed -gt 8 ]] || flunk "only $failed failures"
		call DEL
		assert_eq "as it was before all of them" "$(fast)" "$untouched"
	done
}

@test "killed at any step of an ADD, the DEL that follows puts everything back" {
	need strace
	add_bridge
	ALONE=$(alone)
	mkdir -p /run/cni/tuning
	before=$(fast)
	mapfile -t calls < <(steps 2>/dev/null)
	[[ ${#calls[@]} -gt 15 ]] || flunk "only ${#calls[@]} steps"
	for one in "${calls[@]}"; do
		read -r step n <<<"$one"
		CNI_WRAP=(strace -qq -o /dev/null -e "trace=$step" -e "inject=$step:signal=KILL:when=$n")
		call ADD
		CNI_WRAP=()
		[[ $status == 137 || $step == recvmsg ]] || flunk "NOT killed: $one"
		call DEL
		[[ $status == 0 ]] || flunk "NOT: DEL exits 0"
		[[ $(fast) == "$before" ]] || flunk "NOT as before: killed at $one" "$(diff <(echo "$before") <(fast))"
	done
}
