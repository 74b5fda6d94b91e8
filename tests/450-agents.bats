#!/usr/bin/env bats
# shellcheck disable=SC2086,SC2012 # paths of our own, without blanks
# The agents on nodes that share a folder: pods reach each other over VXLAN and by routes, and what is broken is repaired.
# D1 to D15 are flannel's defects (flannel.md, section 8.1), which are not ours.
# Runs with musl, too.

load lib/all
load lib/nodes
sandbox

setup() {
	need ping bridge
}

@test "vxlan: two nodes, the kernel's state as flannel has it, and one process that ends cleanly" {
	two vxlan
	assert_json "the device" "$(ip -n n1 -d -j link show flannel.1)" '.[0] | .mtu == 1450 and (.linkinfo.info_data
		| .id == 1 and .port == 8472 and .local == "192.0.2.1" and .link == "eth0" and .learning == false)'
	assert_json "its address" "$(ip -n n1 -j -4 addr show flannel.1)" '[.[0].addr_info[] | "\(.local)/\(.prefixlen)"]' \
		"[\"$(subnet n1 | sed 's,/.*,,')/32\"]"
	assert_eq "routes" "$(peer_of)" "$(subnet n2) via $(subnet n2 | sed 's,/.*,,') dev flannel.1 onlink "
	assert_eq "subnet.env" "$(grep -v SUBNET /run/n1/subnet.env)" \
		$'FLANNEL_NETWORK=10.5.0.0/16\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=false'
	before=$(state)
	pid=$(agent_pid n1)
	kill "$pid"
	status=0
	wait "$pid" || status=$?
	assert_eq "exit status on SIGTERM" "$status" 0
	assert_eq "the data plane stays" "$(state)" "$before"
	assert "traffic, too" reach n1 n2
	assert_eq "processes of it that are left" "$(pgrep -P "$pid" || true)" ""
}

@test "host-gw: routes through the nodes' addresses, and none for a peer that is not near" {
	two host-gw
	assert_eq "routes" "$(peer_of)" "$(subnet n2) via 192.0.2.2 dev eth0 "
	echo '{"PublicIP":"198.51.100.9","BackendType":"host-gw"}' >$STORE/subnets/10.5.250.0-24
	echo '{"PublicIP":"192.0.2.77","BackendType":"host-gw"}' >$STORE/subnets/10.5.251.0-24
	wait_for "the near one has a route" 2 has 10.5.251 peer_of
	assert_eq "the far one has none" "$(peer_of | grep -c 10.5.250)" 0
	rm $STORE/subnets/10.5.251.0-24
	wait_for "a lease that is gone has none any more" 2 lacks 10.5.251 peer_of
}

@test "what somebody deletes is back within two seconds (D6)" {
	two vxlan
	before=$(state)
	for damage in "ip -n n1 route del $(subnet n2)" "ip -n n1 route replace $(subnet n2) via 192.0.2.99 dev eth0" "ip -n n1 neigh flush dev flannel.1 nud permanent" \
		"nsenter --net=/run/netns/n1 bridge fdb del $(ip -n n2 -j link show flannel.1 | jq -r '.[0].address') dev flannel.1 dst 192.0.2.2" \
		"ip -n n1 link set flannel.1 down" "ip -n n1 link set eth0 down"; do
		run_log $damage
		[[ $damage != *eth0* ]] || ip -n n1 link set eth0 up
		wait_for "repaired after: $damage" 2 same_state "$before"
	done
	assert "traffic" reach n1 n2
}

@test "flannel.1 deleted comes back with its MAC and all peers (D5)" {
	two vxlan
	before=$(state) mac=$(ip -n n1 -j link show flannel.1 | jq -r '.[0].address')
	ip -n n1 link del flannel.1
	wait_for "all is back" 2 same_state "$before"
	assert_eq "its MAC" "$(ip -n n1 -j link show flannel.1 | jq -r '.[0].address')" "$mac"
	wait_for "traffic from the other side" 2 reach n2 n1
}

device() { ip -n n1 -d -j addr show flannel.1 | jq -c '.[0] | [.address, .mtu, (.addr_info[] | select(.family == "inet") | .local)]'; }

@test "flannel.1 changed by hand is made as it was: its MAC, MTU and address" {
	local was
	two vxlan
	was=$(device)
	for damage in "ip -n n1 link set flannel.1 address 02:00:00:00:00:99" "ip -n n1 link set flannel.1 mtu 1400" \
		"ip -n n1 addr flush dev flannel.1" "ip -n n1 addr add 10.5.199.0/32 dev flannel.1"; do
		run_log $damage
		wait_for "repaired after: $damage" 5 is "$was" device
		wait_for "traffic" 5 reach n2 n1
	done
}

@test "entries that are no leases cost no peer anything (D1), and a changed peer leaves nothing behind (D2, D3)" {
	two vxlan
	before=$(state)
	echo junk >$STORE/subnets/hello
	echo '{"PublicIP": 7}' >$STORE/subnets/10.5.200.0-24
	wait_for "it is told" 2 grep -q "are no leases" $STORE/n1.log
	assert_eq "the peers" "$(state)" "$before"
	echo '{"PublicIP":"192.0.2.7","BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"02:00:00:00:00:07"}}' >$STORE/subnets/10.5.201.0-24
	wait_for "a new peer" 2 has 02:00:00:00:00:07 state
	echo '{"PublicIP":"192.0.2.8","BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"02:00:00:00:00:08"}}' >$STORE/subnets/10.5.201.0-24
	wait_for "its new MAC and address" 2 has "02:00:00:00:00:08 dst 192.0.2.8" state
	assert_eq "of the old ones" "$(state | grep -c "00:07\|192.0.2.7")" 0
	echo '{"PublicIP":"192.0.2.8","BackendType":"host-gw"}' >$STORE/subnets/10.5.201.0-24
	wait_for "another way" 2 has "10.5.201.0/24 via 192.0.2.8 dev eth0" state
	assert_eq "of VXLAN" "$(state | grep -c "00:08")" 0
	rm $STORE/subnets/10.5.201.0-24
	wait_for "gone" 2 same_state "$before"
}

@test "a lost lease is taken again as it was, by a node that keeps working (D10); a reservation stays one (D9)" {
	nodes 1 host-gw
	AGENT=hostgw-sync
	mkdir -p $STORE/subnets
	echo '{"PublicIP":"192.0.2.1"}' >$STORE/subnets/10.5.77.0-24
	agent n1
	ready n1
	assert_eq "the reserved subnet" "$(subnet n1)" 10.5.77.0/24
	assert_eq "it has no end" "$(<$STORE/subnets/10.5.77.0-24)" '{"PublicIP":"192.0.2.1","PublicIPv6":null,"BackendType":"host-gw"}'
	rm $STORE/subnets/10.5.77.0-24
	wait_for "taken again" 2 test -e $STORE/subnets/10.5.77.0-24
	assert "the agent lives" kill -0 "$(agent_pid n1)"
}

again() { # NODE [OPTION ...]: an agent that has everything in place
	: >$STORE/$1.log
	agent "$@"
	wait_for "$1 is there" 5 grep -q "everything is in place" $STORE/$1.log
}

@test "--release: with SIGTERM the lease is given back, peers drop the node at once, and it gets its subnet again; a reservation stays" {
	two host-gw
	agent_kill n2
	again n2 --release
	was=$(subnet n2)
	assert_match "n1's way" "$(peer_of)" "$was via 192.0.2.2"
	agent_kill n2
	assert_match "it is said" "$(<$STORE/n2.log)" "this node has given ${was%/*}-24 back"
	assert_eq "leases" "$(ls $STORE/subnets)" "$(subnet n1 | tr / -)"
	wait_for "n1 has none" 5 lacks via peer_of
	assert_match "the data plane stays" "$(ip -n n2 route show proto 118)" "via 192.0.2.1"
	again n2 --release
	wait_for "the same one" 5 has "$was via 192.0.2.2" peer_of
	agent_kill n2
	"$CNIBOX" lease reserve "$was" 192.0.2.2 "${PLACE[@]}"
	again n2 --release
	agent_kill n2
	assert_match "a reservation" "$("$CNIBOX" lease list "${PLACE[@]}")" "$was .*192.0.2.2 .*reserved"
	status=0
	said=$(nsenter --net=/run/netns/n2 "$CNIBOX" hostgw-sync --once --release 2>&1) || status=$?
	assert_eq "with --once" "$status $said" "2 hostgw-sync: --once and --release: one of them at most"
}

@test "the node's address changes: the same subnet moves along, at once and over a restart (D11)" {
	two host-gw
	was=$(subnet n1)
	nsenter --net=/run/netns/n1 sysctl -qw net.ipv4.conf.eth0.promote_secondaries=1
	ip -n n1 addr replace 192.0.2.101/24 dev eth0
	ip -n n1 addr del 192.0.2.1/24 dev eth0
	wait_for "the lease has the new address" 3 grep -rq 192.0.2.101 $STORE/subnets
	wait_for "the peer's route follows" 2 has "$was via 192.0.2.101" ip -n n2 route
	assert_eq "the subnet" "$(subnet n1)" "$was"
	agent_kill n1
	ip -n n1 addr replace 192.0.2.102/24 dev eth0
	ip -n n1 addr del 192.0.2.101/24 dev eth0
	agent n1
	wait_for "the lease has the newest address" 3 grep -rq 192.0.2.102 $STORE/subnets
	assert_eq "leases" "$(ls $STORE/subnets | wc -l)" 2
	assert_eq "the subnet" "$(subnet n1)" "$was"
}

@test "VXLAN, kill -9 during traffic: no packet is lost, and the next agent takes over without a trace" {
	two vxlan
	killed_amid_traffic agent n1
}

@test "host-gw, kill -9 during traffic: the same" {
	two host-gw
	killed_amid_traffic agent n1
}

@test "flanneld's leavings are adopted: device, MAC, peers; what is stale goes" {
	nodes 2 vxlan
	ip -n n1 link add flannel.1 address 02:00:00:00:00:01 mtu 1450 type vxlan id 1 dstport 8472 nolearning local 192.0.2.1 dev eth0
	ip -n n1 link set flannel.1 up
	ip -n n1 route add 10.5.199.0/24 via 10.5.199.0 dev flannel.1 onlink
	index=$(ip -n n1 -j link show flannel.1 | jq '.[0].ifindex')
	agent n1
	agent n2
	ready n1 n2
	pod n1
	pod n2
	wait_for "traffic" 5 reach n1 n2
	assert_json "the device is the same, with its MAC" "$(ip -n n1 -j link show flannel.1)" \
		".[0] | .ifindex == $index and .address == \"02:00:00:00:00:01\""
	assert_eq "the stale route" "$(ip -n n1 route show 10.5.199.0/24)" ""
}

@test "the interface's MTU changes: device and subnet.env follow (D14); dual stack says the least (D13)" {
	nodes 2 vxlan '.EnableIPv6 = true | .IPv6Network = "fd00:5::/48"'
	agent n1
	agent n2
	ready n1 n2
	assert_eq "of dual stack" "$(sed -n 's/^FLANNEL_MTU=//p' /run/n1/subnet.env)" 1430
	assert_match "both families" "$(</run/n1/subnet.env)" 'FLANNEL_IPV6_SUBNET=fd00:5:0:[0-9a-f]+::1/64'
	wait_for "a route in each" 3 has "dev flannel-v6.1" ip -n n1 -6 route show proto 118
	ip -n n1 link set eth0 mtu 1400
	wait_for "subnet.env" 2 grep -q FLANNEL_MTU=1330 /run/n1/subnet.env
	assert_json "device" "$(ip -n n1 -j link show flannel.1)" '.[0].mtu' 1350
	ip -n n1 link set eth0 mtu 1500
	wait_for "subnet.env, when it grows again" 2 grep -q FLANNEL_MTU=1430 /run/n1/subnet.env
	assert_eq "devices" "$(ip -n n1 -j link show type vxlan | jq -c 'map([.ifname, .mtu]) | sort')" '[["flannel-v6.1",1430],["flannel.1",1450]]'
}

@test "behind NAT the device uses the interface's address and no card's checksums, the lease has the public one (D15)" {
	need python3
	nodes 1 vxlan
	agent n1 --public-ip 203.0.113.7
	ready n1
	assert_json "device" "$(ip -n n1 -d -j link show flannel.1)" '.[0].linkinfo.info_data.local' 192.0.2.1
	assert_match "lease" "$(cat $STORE/subnets/*)" '"PublicIP":"203.0.113.7"'
	assert_eq "a card makes no checksums" "$(tx_checksum n1 flannel.1)" 0
	agent_kill n1
	ip -n n1 link del flannel.1
	agent n1
	wait_for "without NAT" 3 grep -q '"192.0.2.1"' $STORE/subnets/*
	assert_eq "it does" "$(tx_checksum n1 flannel.1)" 1
	agent_kill n1
	ip -n n1 addr add 203.0.113.7/32 dev lo
	agent n1 --public-ip 203.0.113.7
	wait_for "the public address is this node's, elsewhere" 3 grep -q '"203.0.113.7"' $STORE/subnets/*
	agent_kill n1
	assert_eq "nothing is translated" "$(tx_checksum n1 flannel.1)" 1
	agent n1 --no-tx-checksum
	wait_for "unless told otherwise" 3 is 0 tx_checksum n1 flannel.1
}

is() { [[ $("${@:2}") == "$1" ]]; }

@test "host-gw behind NAT is refused, with no lease; its public address may be on another interface" {
	AGENT=hostgw-sync
	nodes 1 host-gw
	agent n1 --public-ip 203.0.113.7
	wait_for "it is told" 5 grep -q "host-gw does not work behind NAT: no interface has the public address 203.0.113.7" $STORE/n1.log
	refute "it is ready" grep -q "in place" $STORE/n1.log
	assert_eq "leases" "$(ls $STORE/subnets 2>/dev/null)" ""
	ip -n n1 addr add 203.0.113.7/32 dev lo
	ready n1
	assert_match "lease" "$(cat $STORE/subnets/*)" '"PublicIP":"203.0.113.7"'
}

@test "what cannot be is said in one line: no network, another backend, no such interface" {
	nodes 1 host-gw
	said=$(nsenter --net=/run/netns/n1 timeout 5 "$CNIBOX" vxlan --store $STORE --subnet-file /run/x 2>&1) && flunk "NOT refused"
	assert_eq "another backend" "$said" 'vxlan: the network'"'"'s backend is "host-gw", not "vxlan"'
	rm $STORE/config
	AGENT=hostgw-sync
	agent n1
	wait_for "no network" 2 grep -q "the store has no network configuration: $STORE/config" $STORE/n1.log
	echo '{"Network":"10.5.0.0/16","Backend":{"Type":"host-gw"}}' >$STORE/config
	ready n1
	agent_kill n1
	CNIBOX_LOG=info nsenter --net=/run/netns/n1 timeout 1 "$CNIBOX" hostgw-sync --store $STORE --iface nope --subnet-file /run/x \
		>$STORE/nope.log 2>&1 || :
	assert_match "no such interface" "$(<$STORE/nope.log)" 'there is no interface and no address nope \(--iface\)'
}

settled() { ! ip -n "$1" -6 addr show tentative | grep -q inet6; }

contains() { [[ -e $1 && $(<"$1") == "$2" ]]; } # FILE TEXT

@test "subnet.env is everybody's to read, whatever the umask; one that somebody takes away or changes is written again" {
	local file=/run/n1/deep/subnet.env want

	nodes 1 host-gw
	AGENT=hostgw-sync
	(umask 077 && agent n1 --subnet-file $file --resync 1s)
	wait_for "it" 5 test -s $file
	assert_eq "modes" "$(stat -c %a /run/n1 /run/n1/deep $file | xargs)" "755 755 644"
	want=$(<$file)
	rm $file
	wait_for "it is back" 5 contains $file "$want"
	echo FLANNEL_SUBNET=10.9.9.1/24 >$file
	wait_for "it is as it was" 5 contains $file "$want"
	assert_match "it is said" "$(<$STORE/n1.log)" "$file is not as it was written"
}

@test "--once gives up after a while, and says what it has waited for" {
	nodes 1 vxlan
	waits() { # WHY OPTION ...
		local said status=0

		said=$(nsenter --net=/run/netns/n1 timeout 20 "$CNIBOX" vxlan --iface eth0 --subnet-file /run/n1/subnet.env --once \
			--once-timeout 1s "${@:2}" 2>&1) || status=$?
		assert_eq "status of: ${*:2}" "$status" 1
		assert_match "once" "$(tail -n 1 <<<"$said")" "^vxlan: not in place after 1s \(--once-timeout\): $1"
	}
	waits "the store has no network configuration" --store /run/nothing
	waits "etcd: 127.0.0.1:1: Connection refused" --etcd-endpoints http://127.0.0.1:1
}

@test "--once ends when everything is in place, idle agents do not wake up" {
	nodes 2 vxlan
	agent n2
	ready n2
	run_log nsenter --net=/run/netns/n1 timeout 5 "$CNIBOX" vxlan --store $STORE --iface eth0 --subnet-file /run/n1/subnet.env --once
	wait_for "routes" 2 has "$(subnet n2)" peer_of
	need strace
	[[ -z ${CNIBOX_SANITIZED:-} ]] || return 0
	wait_for "addresses have settled" 5 settled n2
	store=$(pgrep -P "$(agent_pid n2)")
	timeout 2 strace -f -qq -o $STORE/trace -p "$(agent_pid n2)" ${store:+-p $store} || :
	assert "its store's process was looked at" grep -q "^$store " $STORE/trace
	assert_eq "at rest" "$(grep -vE 'resuming|restart_syscall|detached|strace: |unfinished' $STORE/trace)" ""
	assert "memory below 4 MiB" test "$(awk '/^VmRSS/ { print $2 }' "/proc/$(agent_pid n2)/status")" -lt 4096
}
