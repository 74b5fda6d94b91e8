#!/usr/bin/env bats
# The bandwidth plugin, behind bridge as a runtime calls it: what it puts on the links, what that does to traffic, and
# that nothing of it is left.

# Every test is a process of its own.
# shellcheck disable=SC2030,SC2031
load lib/all
load lib/runtime
load lib/inject
sandbox forward

IFB=bwp0b1d667c23fd # of network tnet, container ctr
LIMITS='.ingressRate = 16000000 | .ingressBurst = 160000 | .egressRate = 8000000 | .egressBurst = 80000'

setup() {
	our_plugins
	container ctr
}

# bare [JQ]: the least of a configuration, changed by the program
bare() {
	jq -nc "{cniVersion: \"1.0.0\", name: \"tnet\", type: \"bandwidth\"} | ${1:-.}"
}

# chain [JQ [JQ]]: bridge and bandwidth; the first program changes the second plugin, the other the list
chain() {
	conf bridge | jq -c "{cniVersion, name, plugins: [del(.cniVersion, .name), ({type: \"bandwidth\"} | ${1:-$LIMITS})]} | ${2:-.}"
}

# alone [JQ]: only bandwidth, with the result of the chain's ADD
alone() {
	bare | jq -c --argjson prev "$CHAIN" ".prevResult = \$prev | ${1:-$LIMITS}"
}

add_chain() {
	cni_add "$(chain "$@")"
	CHAIN=$output
	VETH=$(jq -r '.interfaces[1].name' <<<"$output")
}

# qdisc LINK [KIND]: as `tc -d -j` prints it
qdisc() {
	tc -d -j qdisc show dev "$1" | jq -c --arg kind "${2:-tbf}" 'map(select(.kind == $kind))'
}

numbers() {
	qdisc "$1" | jq -c '.[0].options | [.rate, .burst, (.lat / 1000 | round)]'
}

@test "ADD limits both directions, and says through which link" {
	add_chain
	assert_json "the last interface is the ifb" "$output" '.interfaces[3] | [.name, .sandbox]' "[\"$IFB\", null]"
	assert_json "its MAC is in the result" "$(ip -j link show $IFB)" '.[0].address' "$(jq -r '.interfaces[3].mac' <<<"$output")"
	assert_eq "rate, burst and latency to the container" "$(numbers "$VETH")" '[2000000,"20000b/1",25]'
	assert_eq "and from it" "$(numbers $IFB)" '[1000000,"10000b/1",25]'
	assert_json "handle 1:" "$(qdisc "$VETH")" '.[0].handle' 1:
	assert_json "what enters is redirected" "$(tc -d -j filter show dev "$VETH" ingress)" \
		'[.[].options.actions[]? | [.mirred_action, .direction, .to_dev, .control_action.type]]' "[[\"redirect\", \"egress\", \"$IFB\", \"stolen\"]]"
	assert_json "it is up, and says whose it is" "$(ip -j link show $IFB)" '.[0] | [.ifalias, (.flags | index("UP") != null)]' \
		'["tnet/ctr/eth0", true]'
	assert "packets go both ways" pings ctr 10.77.0.1
	cni_check "$(chain)"
}

@test "the ifb has the MTU of the veth pair" {
	cni_add "$(chain "$LIMITS" '.plugins[0].mtu = 1400')"
	assert_json "MTU" "$(ip -j link show $IFB)" '.[0].mtu' 1400
}

# Send so many bytes by TCP to the container or from it; the measured bits per second go to stdout.
MEASURE='
import socket, subprocess, sys, time
direction, size = sys.argv[1], int(sys.argv[2])
server = socket.create_server(("10.77.0.1", 0))
code = """
import socket, sys
s = socket.create_connection(("10.77.0.1", %d))
if %r == "to":
    while s.recv(65536): pass
else:
    s.sendall(bytes(%d))
s.close()
""" % (server.getsockname()[1], direction, size)
child = subprocess.Popen(["nsenter", "--net=/run/netns/ctr", "--", sys.executable, "-c", code])
peer, _ = server.accept()
begin = time.monotonic()
if direction == "to":
    peer.sendall(bytes(size))
    peer.shutdown(socket.SHUT_WR)
    peer.recv(1)
else:
    while peer.recv(65536): pass
took = time.monotonic() - begin
child.wait()
print(round(size * 8 / took))'

measure() { # DIRECTION BYTES
	deadline python3 -c "$MEASURE" "$@"
}

# What TCP gets is some 5 % less: headers count. No try may be faster; on a busy machine some are slower, one of five is not.
near() { # DESCRIPTION WANT DIRECTION BYTES
	local got
	for _ in 1 2 3 4 5; do
		got=$(measure "$3" "$4")
		echo "# $1: $got of $2"
		[[ $got -lt $(($2 * 115 / 100)) ]] || flunk "NOT limited to $2: $1: $got"
		[[ $got -le $(($2 * 80 / 100)) ]] || return 0
	done
	flunk "NOT near $2: $1: $got"
}

@test "traffic has the rate that was asked for, in each direction" {
	need python3
	add_chain '.ingressRate = 40000000 | .ingressBurst = 400000 | .egressRate = 20000000 | .egressBurst = 400000'
	near "to the container" 40000000 to 4000000
	near "from the container" 20000000 from 2000000
	cni_add "$(alone '.ingressRate = 20000000 | .ingressBurst = 400000 | .egressRate = 40000000 | .egressBurst = 400000')"
	near "to the container, after another ADD" 20000000 to 2000000
	near "from the container, after another ADD" 40000000 from 4000000
	cni_del "$(alone)"
	[[ $(measure to 20000000) -gt 100000000 ]] || flunk "NOT: no limit after DEL"
	[[ $(measure from 20000000) -gt 100000000 ]] || flunk "NOT: no limit after DEL, either"
}

@test "kubelet's and containerd's default bursts do not wrap around" {
	for burst in 2147483647 2147483648 4294967295 4294967296 34359738359; do
		add_chain ".ingressRate = 1000000 | .ingressBurst = $burst | .egressRate = 1000000 | .egressBurst = $burst"
		assert_eq "burst $burst at 1 Mbit/s is the most that can be told, 274 s" "$(numbers "$VETH")" '[125000,"34359738b/1",25]'
		assert_eq "from the container" "$(numbers $IFB)" '[125000,"34359738b/1",25]'
		cni_check "$(chain ".ingressRate = 1000000 | .ingressBurst = $burst | .egressRate = 1000000 | .egressBurst = $burst")"
		cni_del "$(chain)"
	done
	add_chain '.ingressRate = 10000000000 | .ingressBurst = 4294967295'
	assert_eq "a fast link gets it whole" "$(numbers "$VETH")" '[1250000000,"512Mb/1",25]'
}

@test "beyond 34 Gbit/s, where 32 bits end" {
	add_chain '.ingressRate = 80000000000 | .ingressBurst = 8000000000'
	assert_eq "10 GB/s" "$(numbers "$VETH")" '[10000000000,"1000000000b/1",25]'
	cni_check "$(chain '.ingressRate = 80000000000 | .ingressBurst = 8000000000')"
}

@test "a tiny rate with kubelet's burst holds once the burst is used, and full frames still pass" {
	need python3
	add_chain '.egressRate = 8000 | .egressBurst = 2147483648'
	assert_eq "1000 bytes per second, 274 s of burst" "$(numbers $IFB | jq -c '[.[0], .[2]]')" '[1000,25]'
	assert "a full frame" run_in ctr ping -c 1 -W 2 -s 1472 10.77.0.1
	# The 274 kB of the burst pass, then it is 1 kB/s.
	before=$(ip -s -j link show $IFB | jq '.[0].stats64.tx.bytes')
	timeout 3 python3 -c "$MEASURE" from 1000000 || :
	sent=$(($(ip -s -j link show $IFB | jq '.[0].stats64.tx.bytes') - before))
	echo "# sent $sent bytes"
	[[ $sent -gt 200000 && $sent -lt 320000 ]] || flunk "NOT: about 274 kB passed: $sent"
}

@test "latency is how long a packet may wait" {
	add_chain "$LIMITS"' | .latency = "100ms"'
	assert_eq "to the container" "$(numbers "$VETH")" '[2000000,"20000b/1",100]'
	cni_check "$(chain "$LIMITS"' | .latency = "100ms"')"
	EXPECT=1 cni_check "$(chain)"
	assert_match "CHECK sees another" "$output" "Limit doesn't match"
	EXPECT=1 cni_add "$(chain "$LIMITS"' | .latency = "0s"')" CNI_IFNAME=eth1
	assert_json "zero is refused" "$output" .code 7
}

@test "the runtime's values: both spellings of keys, and the plugin's own win" {
	for keys in 'ingressRate ingressBurst egressRate egressBurst' 'IngressRate IngressBurst EgressRate EgressBurst'; do
		read -r a b c d <<<"$keys"
		RUNTIME="{\"bandwidth\": {\"$a\": 16000000, \"$b\": 160000, \"$c\": 8000000, \"$d\": 80000}}" \
			add_chain '.capabilities.bandwidth = true'
		assert_eq "$a" "$(numbers "$VETH")" '[2000000,"20000b/1",25]'
		assert_eq "$c" "$(numbers $IFB)" '[1000000,"10000b/1",25]'
		cni_del "$(chain)"
	done
	RUNTIME='{"bandwidth": {"IngressRate": 16000000, "IngressBurst": 160000, "EgressRate": 8000000, "EgressBurst": 80000}}' \
		add_chain '.capabilities.bandwidth = true | .ingressRate = 8000000 | .ingressBurst = 80000'
	assert_eq "the plugin's own rate" "$(numbers "$VETH")" '[1000000,"10000b/1",25]'
	refute "one of the four keys there is enough to pass over the runtime's" ip link show $IFB
}

@test "without limits nothing is done but prevResult handed on" {
	for nothing in . '.ingressRate = 0 | .ingressBurst = 0' '.runtimeConfig.bandwidth = {}' '.runtimeConfig.bandwidth.IngressRate = 0'; do
		add_chain "$nothing"
		assert_json "the bridge's result" "$output" '.interfaces | length' 3
		assert_json "no limit" "$(qdisc "$VETH")" length 0
		cni_check "$(chain "$nothing")"
		cni_del "$(chain "$nothing")"
	done
}

@test "mistakes in the configuration are named, with code 7, and change nothing" {
	add_chain .
	before=$(snapshot host ctr)
	while IFS='~' read -r change message; do
		for command in add check; do
			EXPECT=1 "cni_$command" "$(alone "$change")"
			assert_json "$change" "$output" .msg "$message"
			assert_json "code of $change" "$output" .code 7
		done
	done <<-'TABLE'
		.ingressRate = 8000~if rate is set, burst must also be set
		.egressRate = 8000~if rate is set, burst must also be set
		.ingressBurst = 8000~if burst is set, rate must also be set
		.egressBurst = 8000~if burst is set, rate must also be set
		.runtimeConfig.bandwidth.EgressBurst = 8000~if burst is set, rate must also be set
		.ingressRate = 8000 | .ingressBurst = 34359738360~burst cannot be more than 4GB
		.egressRate = 7 | .egressBurst = 8000~egressRate and egressBurst must be at least 8 bits
		.ingressRate = 8000 | .ingressBurst = 1~ingressRate and ingressBurst must be at least 8 bits
		.ingressRate = -1~failed to parse network configuration: ingressRate: -1 is out of range 0..18446744073709551615
		.latency = "soon"~failed to parse network configuration: latency: "soon" is not a duration (such as 1m30s)
	TABLE
	EXPECT=1 cni_add "$(alone '.ingressRate = "1M"')"
	assert_json "another type" "$output" '[.code, .msg]' \
		'[6, "failed to parse network configuration: ingressRate: expected an integer, found string"]'
	EXPECT=1 cni_add "$(alone 'del(.prevResult)')"
	assert_json "no prevResult, no limits" "$output" '[.code, .msg]' '[7, "must be called as chained plugin"]'
	EXPECT=1 cni_add "$(alone "del(.prevResult) | $LIMITS")"
	assert_json "no prevResult" "$output" '[.code, .msg]' '[7, "must be called as chained plugin"]'
	EXPECT=1 NO_PREV=1 cni_check "$(alone "del(.prevResult) | $LIMITS")"
	assert_json "CHECK" "$output" .msg "must be called as a chained plugin"
	EXPECT=1 cni_add "$(alone '.cniVersion = "0.2.0"')"
	assert_json "an old version" "$output" .code 1
	assert_eq "nothing has changed" "$(snapshot host ctr)" "$before"
}

@test "an interface that has no host end is an error that says so, and leaves nothing" {
	add_chain .
	ip -n ctr link add pair0 type veth peer name pair1
	before=$(snapshot host ctr)
	EXPECT=1 cni_add "$(alone "$LIMITS | del(.prevResult.interfaces)")"
	assert_json "no interfaces" "$output" .msg "no interfaces provided"
	EXPECT=1 cni_add "$(alone "$LIMITS | del(.prevResult.interfaces[1])")"
	assert_json "not listed" "$output" .msg "no veth peer of container interface found in host ns"
	assert_match "which one" "$output" "prevResult does not list $VETH"
	EXPECT=1 cni_add "$(alone)" CNI_IFNAME=lo
	assert_json "lo" "$output" .msg 'container interface lo has no veth peer: interface "lo" was not a veth interface'
	EXPECT=1 cni_add "$(alone)" CNI_IFNAME=none
	assert_json "absent" "$output" .msg 'container interface none has no veth peer: could not look up "none": Link not found'
	EXPECT=1 cni_add "$(alone)" CNI_IFNAME=pair0
	assert_match "a pair inside" "$(jq -r .msg <<<"$output")" "^veth peer with index [0-9]+ is not in host ns"
	EXPECT=1 cni_add "$(alone)" CNI_NETNS=/run/netns/none
	assert_json "no namespace" "$output" '[.code, .msg]' \
		'[8, "failed to open netns \"/run/netns/none\": failed to Statfs \"/run/netns/none\": no such file or directory"]'
	assert_eq "nothing has changed" "$(snapshot host ctr)" "$before"
}

@test "ADD again changes the limits in place and lists the ifb once" {
	add_chain
	before=$(snapshot)
	index=$(ip -j link show $IFB | jq '.[0].ifindex')
	cni_add "$(alone "$LIMITS | .egressRate = 4000000 | .ingressRate = 4000000")"
	assert_json "one ifb in the result" "$output" '[.interfaces[] | select(.name | startswith("bwp"))] | length' 1
	assert_eq "from the container" "$(numbers $IFB | jq '.[0]')" 500000
	assert_eq "to the container" "$(numbers "$VETH" | jq '.[0]')" 500000
	assert_json "the same link" "$(ip -j link show $IFB)" '.[0].ifindex' "$index"
	cni_add "$(alone)"
	assert_eq "back again, nothing is there twice" "$(snapshot)" "$before"
	cni_add "$(alone '.egressRate = 8000000 | .egressBurst = 80000')"
	assert_json "one direction is free now" "$(qdisc "$VETH")" length 0
	cni_add "$(alone '.ingressRate = 8000000 | .ingressBurst = 80000')"
	refute "the other one" ip link show $IFB
	assert_json "nothing is redirected" "$(qdisc "$VETH" ingress)" length 0
	assert "packets go both ways" pings ctr 10.77.0.1
}

@test "ADD after a DEL of the reference, which leaves a filter that leads nowhere" {
	need_reference bandwidth
	add_chain
	PLUGINS=$REFERENCE cni_del "$(alone)"
	refute "the reference loses what the container sends" pings ctr 10.77.0.1
	cni_add "$(alone)"
	wait_for "packets go both ways" 5 pings ctr 10.77.0.1
	cni_check "$(alone)"
}

@test "queueing disciplines of somebody else are left alone" {
	add_chain .
	tc qdisc add dev "$VETH" root handle 5: pfifo limit 100
	before=$(snapshot)
	EXPECT=1 cni_add "$(alone)"
	assert_match "root" "$output" "create qdisc: $VETH has one that is not ours: pfifo, handle 5:"
	assert_eq "nothing has changed" "$(snapshot)" "$before"
	cni_add "$(alone '.egressRate = 8000000 | .egressBurst = 80000')"
	cni_del "$(alone)"
	assert_eq "after DEL" "$(snapshot)" "$before"
	tc qdisc del dev "$VETH" root
	tc qdisc add dev "$VETH" clsact
	before=$(snapshot)
	EXPECT=1 cni_add "$(alone)"
	assert_match "ingress" "$output" "create ingress qdisc: $VETH has one that is not ours: clsact"
	assert_eq "nothing has changed, either" "$(snapshot)" "$before"
	ip link add $IFB type veth peer name other
	tc qdisc del dev "$VETH" clsact
	cni_add "$(alone)"
	assert_match "another name" "$(jq -r '.interfaces[-1].name' <<<"$output")" '^bwp[0-9a-f]{12}$'
	cni_check "$(alone)"
	cni_del "$(alone)"
	assert "the link of that name stays" ip link show $IFB
	assert_eq "and nothing else" "$(ifbs)" 0
}

@test "two interfaces of one container in one network have limits of their own" {
	add_chain
	cni_add "$(chain "$LIMITS | .egressRate = 4000000")" CNI_IFNAME=eth1
	second=$(jq -r '.interfaces[-1].name' <<<"$output")
	[[ $second == bwp* && $second != "$IFB" ]] || flunk "NOT a name of its own: $second"
	assert_eq "the second's rate" "$(numbers "$second" | jq '.[0]')" 500000
	cni_check "$(chain)"
	cni_check "$(chain "$LIMITS | .egressRate = 4000000")" CNI_IFNAME=eth1
	cni_del "$(chain)"
	assert "the second's stays" ip link show "$second"
	refute "the first's is gone" ip link show $IFB
	cni_check "$(chain "$LIMITS | .egressRate = 4000000")" CNI_IFNAME=eth1
	cni_del "$(chain)" CNI_IFNAME=eth1 CNI_NETNS=
	refute "the second's is gone, too" ip link show "$second"
}

@test "CHECK sees other numbers, and what is missing" {
	add_chain
	cni_check "$(alone)"
	while IFS='~' read -r change message; do
		EXPECT=1 cni_check "$(alone "$LIMITS | $change")"
		assert_json "$change" "$output" .msg "$message"
	done <<-TABLE
		.ingressRate = 16000008~Rate doesn't match: $VETH
		.egressRate = 8000800~Rate doesn't match: $IFB
		.ingressBurst = 160800~Limit doesn't match: $VETH
		.egressBurst = 81600~Limit doesn't match: $IFB
	TABLE
	tc filter del dev "$VETH" ingress
	EXPECT=1 cni_check "$(alone)"
	assert_json "no filter" "$output" .msg "what enters $VETH is not redirected to $IFB"
	tc qdisc del dev $IFB root
	EXPECT=1 cni_check "$(alone)"
	assert_json "no limit from" "$output" .msg "Failed to find qdisc: the rate of $IFB is not limited"
	ip link del $IFB
	EXPECT=1 cni_check "$(alone)"
	assert_json "no ifb" "$output" .msg "get ifb device: Link not found"
	tc qdisc del dev "$VETH" root
	EXPECT=1 cni_check "$(alone)"
	assert_json "no limit to" "$output" .msg "Failed to find qdisc: the rate of $VETH is not limited"
}

@test "CHECK accepts what the reference's 32 bits made" {
	need_reference bandwidth
	big='.ingressRate = 1000000 | .ingressBurst = 2147483648 | .egressRate = 3000000 | .egressBurst = 4294967295'
	add_chain .
	PLUGINS=$REFERENCE cni_add "$(alone "$big")"
	cni_check "$(alone "$big")"
	cni_add "$(alone "$big")"
	assert_eq "ADD repairs it" "$(numbers "$VETH")" '[125000,"34359738b/1",25]'
}

# ---- DEL, GC, STATUS ----

@test "DEL leaves nothing, in whatever form it comes" {
	cni_add "$(chain .)"
	cni_del "$(chain .)"
	before=$(snapshot)
	for form in plain no_netns path_missing plain_file link_gone no_prev broken_rates twice ifb_gone; do
		[[ -e /run/netns/ctr ]] || container ctr
		add_chain
		echo "== $form"
		case $form in
		plain)        cni_del "$(chain)" ;;
		no_netns)     cni_del "$(chain)" CNI_NETNS= ;;
		path_missing) ip netns del ctr; cni_del "$(chain)" ;;
		plain_file)   umount /run/netns/ctr; cni_del "$(chain)"; rm -f /run/netns/ctr ;;
		link_gone)    ip -n ctr link del eth0; cni_del "$(chain)" ;;
		no_prev)      NO_PREV=1 cni_del "$(chain)" ;;
		broken_rates) cni_del "$(chain '.ingressRate = "much" | .latency = 7')" ;;
		twice)        cni_del "$(chain)"; NO_PREV=1 cni_del "$(chain)" ;;
		ifb_gone)     ip link del $IFB; cni_del "$(chain)" ;;
		esac
		wait_for "$form: nothing is left" 3 same_snapshot "$before"
	done
}

same_snapshot() {
	left "$1"
}

@test "DEL alone takes the limits off a link that stays" {
	add_chain .
	before=$(snapshot host ctr)
	cni_add "$(alone)"
	cni_del "$(alone)"
	assert_eq "as it was" "$(snapshot host ctr)" "$before"
	assert "packets go both ways" pings ctr 10.77.0.1
}

@test "every version from 0.3.0 on" {
	for version in 0.3.0 0.3.1 0.4.0 1.0.0 1.1.0; do
		before=$(snapshot)
		cni_add "$(chain "$LIMITS" ".cniVersion = \"$version\"")"
		assert_json "$version" "$output" '[.cniVersion, (.interfaces | length)]' "[\"$version\", 4]"
		[[ $version == 0.3.* ]] || cni_check "$(chain "$LIMITS" ".cniVersion = \"$version\"")"
		cni_del "$(chain "$LIMITS" ".cniVersion = \"$version\"")"
		cni_del "$(chain "$LIMITS" ".cniVersion = \"$version\"")"
		ip link show cni0 >/dev/null && ip link del cni0
	done
	cni_version "$(bare)"
	assert_json "the oldest one" "$output" '.supportedVersions[0]' 0.3.0
}

ifbs() {
	ip -j link show type ifb | jq -c '[.[].ifname] | sort | length'
}

gc() { # NETWORK [ID ...]
	local valid; valid=$(jq -nc '[$ARGS.positional[] | {containerID: ., ifname: "eth0"}]' --args "${@:2}")
	cni_gc "$(bare ".cniVersion = \"1.1.0\" | .name = \"$1\" | .[\"${KEY:-cni.dev/valid-attachments}\"] = $valid")"
}

@test "GC removes what is stale, of this network alone" {
	container a b c d
	for id in ctr a b; do
		cni_add "$(chain)" "@$id"
	done
	cni_add "$(chain "$LIMITS" '.name = "tnet2" | .plugins[0].bridge = "cni2" | .plugins[0].ipam.subnet = "10.78.0.0/24"')" @c
	assert_eq "four" "$(ifbs)" 4
	cni_gc "$(bare '.cniVersion = "1.1.0"')"
	assert_eq "without a list nothing goes" "$(ifbs)" 4
	gc tnet ctr a b
	assert_eq "all are valid" "$(ifbs)" 4
	gc tnet ctr b
	assert_eq "one is not" "$(ifbs)" 3
	assert "the valid ones stay" ip link show $IFB
	assert "what the stale one's container sends is not lost" pings a 10.77.0.1
	KEY=cni.dev/attachments gc tnet ctr
	assert_eq "by the other key" "$(ifbs)" 2
	gc tnet
	assert_eq "all of this network, none of the other" "$(ip -j link show type ifb | jq -r '.[].ifalias')" tnet2/c/eth0
}

@test "GC leaves the reference's links, which do not say whose they are, until their container is gone" {
	need_reference bandwidth bridge host-local
	container a b
	for id in ctr a; do
		PLUGINS=$REFERENCE cni_add "$(chain)" "@$id"
	done
	PLUGINS=$REFERENCE cni_add "$(chain "$LIMITS" '.name = "other"')" @b
	gc tnet ctr
	assert_eq "the stale one may be another network's: something is led to it" "$(ifbs)" 3
	ip netns del a
	ip netns del b
	wait_for "their veth pairs are gone" 3 only_one_veth
	gc tnet ctr b
	assert_eq "nothing is led to two of them" "$(ifbs)" 1
	assert "the valid one stays" ip link show $IFB
	ip link add bwp000000000000 type ifb
	gc tnet ctr
	assert_eq "one without limit may be in the making" "$(ifbs)" 2
}

only_one_veth() {
	[[ $(ip -j link show type veth | jq length) == 1 ]]
}

@test "STATUS: the kernel has what is needed, or 50" {
	cni_status "$(bare '.cniVersion = "1.1.0"')"
	assert_eq "silent" "$output" ""
	need setpriv
	CNI_WRAP=(setpriv --bounding-set=-net_admin)
	EXPECT=1 cni_status "$(bare '.cniVersion = "1.1.0"')"
	assert_json "without the right to look" "$output" .code 50
}

# ---- failures ----

call() { # COMMAND
	inject_call "$1" "$ALONE"
}

fast() {
	tc -d qdisc show
	tc filter show dev "$VETH" ingress | sed 's/index [0-9]*//'
	ip -br link show type ifb | sed 's/ .*//'
}

# The steps of an ADD that can fail: inject_steps.
steps() {
	INJECT_STEPS='sendmsg recvmsg socket setns openat open write bind setsockopt fcntl' inject_steps ADD "$ALONE"
	call DEL >&2
}

@test "whichever step of an ADD fails, the links are as before; also of an ADD that changes limits" {
	need strace
	add_chain .
	ALONE=$(alone)
	for first in none '.ingressRate = 800000 | .ingressBurst = 160000 | .egressRate = 800000 | .egressBurst = 80000'; do
		failed=0
		mapfile -t calls < <(steps 2>"$BATS_TEST_TMPDIR/steps")
		[[ ${#calls[@]} -gt 15 ]] || flunk "only ${#calls[@]} steps" "$(<"$BATS_TEST_TMPDIR/steps")"
		[[ $first == none ]] || cni_add "$(alone "$first")"
		before=$(fast)
		for one in "${calls[@]}"; do
			read -r step n <<<"$one"
			CNI_WRAP=(strace -qq -o /dev/null -e "trace=$step" -e "inject=$step:error=ENOBUFS:when=$n")
			call ADD
			CNI_WRAP=()
			if [[ $status != 0 ]]; then
				failed=$((failed + 1))
				assert "the error is told" jq -e '.code > 0 and (.msg | length > 5)' <<<"$output"
				# A result that could not be written is taken back as DEL does it.
				[[ $step == @(write|recvmsg) && $first != none ]] || [[ $(fast) == "$before" ]] ||
					flunk "NOT as before: $one" "$(diff <(echo "$before") <(fast))"
			fi
			call DEL
			[[ $first == none ]] || cni_add "$(alone "$first")"
		done
		echo "# $failed of ${#calls[@]} steps made ADD fail"
		[[ $failed -gt 10 ]] || flunk "only $failed failures"
		call DEL
	done
}

@test "killed at any step of an ADD, the DEL that follows leaves nothing" {
	need strace
	add_chain .
	ALONE=$(alone)
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
