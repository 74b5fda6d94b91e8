#!/usr/bin/env bats
# shellcheck disable=SC2086,SC2016,SC2046,SC2183 # paths of our own, without blanks; programs of jq
# tun-relay: pods of two nodes over flannel's UDP format, with the errors that pods must hear of, and without what strangers send
# (flannel.md, sections 4.3 and D17).

load lib/all
load lib/nodes
load lib/relay
sandbox

# The same tests twice: this file's other name is 461-tun-relay-user.
setup() {
	DATAPATH=kernel
	[[ $BATS_TEST_FILENAME != *user* ]] || DATAPATH=user
	relay_setup
}

# A container of the node: NODE-pod at .2 of its subnet, behind a router as with a bridge.
container_of() { # NODE
	local gateway
	gateway=$(subnet "$1" | sed 's,\.0/.*,.1,')

	container "$1-pod"
	ip -n "$1" addr flush dev lo to "$gateway"
	ip -n "$1" link add pod0 mtu 1472 type veth peer name eth0 mtu 1472 netns "$1-pod"
	ip -n "$1" addr add "$gateway/24" dev pod0
	ip -n "$1" link set pod0 up
	ip -n "$1-pod" addr add "${gateway%.1}.2/24" dev eth0
	ip -n "$1-pod" link set eth0 up
	ip -n "$1-pod" route add default via "$gateway"
	nsenter --net="/run/netns/$1" sysctl -qw net.ipv4.ip_forward=1
}
container_ip() { subnet "$1" | sed 's,\.0/.*,.2,'; }
from_pod()     { nsenter --net="/run/netns/$1-pod" "${@:2}"; }

@test "two nodes: the kernel's state as flannel has it, a lease without type, a process without rights" {
	two
	assert_eq "lease" "$(jq -c 'del(.Expires)' $STORE/subnets/"$(subnet n1 | tr / -)")" '{"PublicIP":"192.0.2.1","PublicIPv6":null}'
	assert_eq "routes" "$(ip -n n1 route show proto 118)" "10.5.0.0/16 dev flannel0 "
	assert_json "the device" "$(ip -n n1 -d -j addr show flannel0)" '.[0] | .mtu == 1472 and .linkinfo.info_data.type == "tun"
		and ([.addr_info[] | select(.family == "inet") | "\(.local)/\(.prefixlen)"] == ["'"$(subnet n1 | sed 's,/.*,,')"'/32"])'
	assert_eq "subnet.env" "$(grep -v SUBNET /run/n1/subnet.env)" \
		$'FLANNEL_NETWORK=10.5.0.0/16\nFLANNEL_MTU=1472\nFLANNEL_IPMASQ=false'
	status=$(<"/proc/$(relay_pid n1)/status")
	assert_match "rights" "$status" $'CapPrm:\t0000000000000000'
	assert_match "new ones" "$status" $'NoNewPrivs:\t1'
	transfer n1 n2 20000000
	transfer n2 n1 3000000
	wait_for "they know each other" 3 has_counted n1 "$(subnet n2)" "(one of ours"
	kill "$(agent_pid n1)"
	wait "$(agent_pid n1)"
	assert_eq "processes that are left" "$(pgrep -P "$(agent_pid n1)" || true)" ""
	assert "the device stays" ip -n n1 link show flannel0
	agent n1
	wait_for "the next agent takes it over" 5 reach n2 n1
}

@test "the wire: one IPv4 packet in each datagram, port 8285 at both ends, DF, TTL less one at each relay" {
	need tcpdump
	two
	container_of n1
	container_of n2
	nsenter --net=/run/netns/n2 tcpdump -n -U -c 2 -i eth0 -w $STORE/wire udp port 8285 2>$STORE/tcpdump.log 3>&- &
	tcpdump=$!
	wait_for "tcpdump listens" 5 grep -q "listening on" $STORE/tcpdump.log
	said=$(from_pod n1 ping -c 1 -W 2 "$(container_ip n2)")
	wait "$tcpdump"
	assert_match "the pod sees" "$said" "ttl=60"
	hex=$(tcpdump -r $STORE/wire -c 1 -t -x 2>/dev/null | sed -n 's/^.*0x[0-9a-f]*: *//p' | tr -d ' \n')
	assert_match "outer header: IPv4, DF" "${hex:0:40}" '^45......(....)4000..11'
	assert_eq "ports" "${hex:40:8}" 205d205d
	assert_match "inner header: IPv4, TTL 62, ICMP" "${hex:56:40}" '^4500005[0-9a-f]....4000.e01|^45000054........3e01'
	assert_eq "sizes" "$((16#${hex:4:4})) $((16#${hex:48:4})) $((16#${hex:60:4}))" "112 92 84"
	assert_eq "inner addresses" "${hex:80:16}" "$(printf '%02x%02x%02x%02x' $(container_ip n1 | tr . ' ') $(container_ip n2 | tr . ' '))"
}

@test "with a relay of one packet per call at the other end, as flannel's" {
	foreign
	assert "n2 reaches n1" reach n2 n1
	transfer n1 n2 5000000
	transfer n2 n1 5000000
	assert_match "it is not taken for one of ours" "$(counted n1 "$OTHER")" "$OTHER: .*sent packets"
}

@test "pods hear of it: TTL at its end at either relay, no such peer" {
	two
	container_of n1
	container_of n2
	assert_match "at ours" "$(from_pod n1 ping -c 1 -W 2 -t 2 "$(container_ip n2)")" \
		"From $(subnet n1 | sed 's,/.*,,') .*Time to live exceeded"
	assert_match "at the other one" "$(from_pod n1 ping -c 1 -W 2 -t 3 "$(container_ip n2)")" \
		"From $(subnet n2 | sed 's,/.*,,') .*Time to live exceeded"
	assert_match "behind them is the other node" "$(from_pod n1 ping -c 1 -W 2 -t 4 "$(container_ip n2)")" "Time to live exceeded"
	assert "with one more it gets there" from_pod n1 ping -c 1 -W 2 -t 5 "$(container_ip n2)"
	for subnet in 10.5.254.1 10.5.253.1; do
		[[ $(subnet n1) != ${subnet%.1}.* && $(subnet n2) != ${subnet%.1}.* ]] || continue
		assert_match "nobody has $subnet" "$(from_pod n1 ping -c 1 -W 2 $subnet)" \
			"From $(subnet n1 | sed 's,/.*,,') .*Destination Net Unreachable"
	done
}

# A datagram with an IPv4 UDP packet inside: FROM's namespace, the inner source and destination.
inject() { # NAMESPACE TARGET SOURCE DESTINATION
	nsenter --net="/run/netns/$1" python3 - "${@:2}" <<'END'
import socket, struct, sys
target, source, destination = sys.argv[1:]
udp = struct.pack("!HHHH", 1, 5555, 12, 0) + b"evil"
head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 1, 0, 9, 17, 0, socket.inet_aton(source), socket.inet_aton(destination))
total = sum(struct.unpack("!10H", head))
while total >> 16:
    total = (total & 0xffff) + (total >> 16)
head = head[:10] + struct.pack("!H", total ^ 0xffff) + head[12:]
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.sendto(head + udp, (target, 8285))
END
}

@test "what strangers send, and what a peer sends in another's name, does not reach pods and is counted" {
	need tcpdump
	two
	node_add n3 3
	nsenter --net=/run/netns/n1 tcpdump -n -l -i any udp dst port 5555 >$STORE/seen 2>$STORE/tcpdump.log 3>&- &
	tcpdump=$!
	wait_for "tcpdump listens" 5 grep -q "listening on" $STORE/tcpdump.log
	inject n3 192.0.2.1 "$(pod_ip n2)" "$(pod_ip n1)"
	wait_for "a stranger in a peer's name" 3 has_counted n1 nobody "1 from strangers"
	echo '{"PublicIP":"192.0.2.3"}' >$STORE/subnets/10.99.3.0-24
	wait_for "a lease outside the network" 5 grep -q "192.0.2.3, which has 10.99.3.0-24" $STORE/n1.log
	inject n3 192.0.2.1 10.99.3.1 "$(pod_ip n1)"
	wait_for "its node is still a stranger" 5 has_counted n1 nobody "2 from strangers"
	inject n2 192.0.2.1 10.5.255.9 "$(pod_ip n1)"
	wait_for "a peer in another's name" 3 has_counted n1 "$(subnet n2)" "1 from a wrong source"
	inject n2 192.0.2.1 "$(pod_ip n1)" "$(pod_ip n1)"
	wait_for "a peer in the node's own name" 3 has_counted n1 "$(subnet n2)" "2 from a wrong source"
	inject n2 192.0.2.1 "$(pod_ip n2)" "$(pod_ip n1)"
	wait_for "what it may send arrives" 3 grep -q "$(pod_ip n2).1 > " $STORE/seen
	kill "$tcpdump"
	assert_eq "nothing else does" "$(grep -c "In .*5555" $STORE/seen)" 1
	assert_match "what was right is counted, too" "$(counted n1 "$(subnet n2)")" "received packets"
}

# The same in IPv6, with nothing in it.
inject6() { # NAMESPACE TARGET SOURCE DESTINATION
	nsenter --net="/run/netns/$1" python3 - "${@:2}" <<'END'
import socket, sys
target, source, destination = sys.argv[1:]
packet = bytes([0x60, 0, 0, 0, 0, 0, 59, 9]) + b"".join(socket.inet_pton(socket.AF_INET6, a) for a in (source, destination))
socket.socket(socket.AF_INET6, socket.SOCK_DGRAM).sendto(packet, (target, 8285))
END
}

# n1 and n2 with a router between them: 192.0.2.0/24 and 198.51.100.0/24.
routed() {
	mkdir -p $STORE
	echo '{"Network":"10.5.0.0/16","Backend":{"Type":"udp"}}' >$STORE/config
	container n1 n2 r
	ip link add name eth0 netns n1 type veth peer name a netns r
	ip link add name eth0 netns n2 type veth peer name b netns r
	ip -n n1 addr add 192.0.2.1/24 dev eth0
	ip -n r addr add 192.0.2.254/24 dev a
	ip -n n2 addr add 198.51.100.2/24 dev eth0
	ip -n r addr add 198.51.100.254/24 dev b
	for link in "n1 eth0" "n2 eth0" "r a" "r b"; do ip -n ${link% *} link set dev ${link#* } up; done
	ip -n n1 route add default via 192.0.2.254
	ip -n n2 route add default via 198.51.100.254
	nsenter --net=/run/netns/r sysctl -qw net.ipv4.ip_forward=1
	agent n1
	agent n2
	ready n1 n2
	pod n1
	pod n2
	wait_for "n1 reaches n2" 5 reach n1 n2
}

too_long() { nsenter --net=/run/netns/n1-pod ping -c 1 -W 1 -M "do" -s 1400 "$(container_ip n2)" 2>&1; }

@test "a way that becomes narrower: pods learn what fits, and what is under way gets through" {
	routed
	container_of n1
	container_of n2
	assert "a long one gets through" too_long
	ip -n r link set dev b mtu 1300
	ip -n n2 link set eth0 mtu 1300
	wait_for "the pod hears of the new size" 5 has "mtu = 1272" too_long
	transfer n1 n2 3000000
	transfer n2 n1 3000000
	assert "without DF, too" from_pod n1 ping -c 1 -W 2 -M dont -s 1400 "$(container_ip n2)"
}

reach6() { nsenter --net="/run/netns/$1" ping -q -c 1 -W 1 -I "$(pod_ip6 "$1")" "$(pod_ip6 "$2")" >/dev/null; }
pod_ip6() { sed -n 's,^FLANNEL_IPV6_SUBNET=\(.*\)/.*,\1,p' "/run/$1/subnet.env"; }

@test "dual stack: IPv6 in IPv6, TTL and strangers as well" {
	two '.EnableIPv6 = true | .IPv6Network = "fd00:5::/48"'
	for node in n1 n2; do ip -n $node addr replace "$(pod_ip6 $node)/128" dev lo nodad; done
	wait_for "n1 reaches n2" 5 reach6 n1 n2
	assert "n2 reaches n1" reach6 n2 n1
	assert "IPv4, too" reach n1 n2
	assert_eq "MTU for both" "$(sed -n 's/^FLANNEL_MTU=//p' /run/n1/subnet.env)" 1452
	said=$(nsenter --net=/run/netns/n1 ping -c 1 -W 2 -t 1 -I "$(pod_ip6 n1)" "$(pod_ip6 n2)") || :
	assert_match "hop limit" "$said" "Time exceeded"
	said=$(nsenter --net=/run/netns/n1 ping -c 1 -W 2 -I "$(pod_ip6 n1)" fd00:5:0:fffe::1) || :
	assert_match "no such peer" "$said" "No route"
	assert_eq "route" "$(ip -n n1 -6 route show proto 118 | cut -d' ' -f1-3)" "fd00:5::/48 dev flannel0"
	node_add n3 3
	inject6 n3 fd77::1 "$(pod_ip6 n2)" "$(pod_ip6 n1)"
	wait_for "a stranger in a peer's name" 5 has_counted n1 nobody "1 from strangers"
	inject6 n2 fd77::1 fd00:5:0:fffe::1 "$(pod_ip6 n1)"
	wait_for "a peer in another's name" 5 has_counted n1 "$(subnet n2)" "1 from a wrong source"
	inject6 n2 fd77::1 "$(pod_ip6 n1)" "$(pod_ip6 n1)"
	wait_for "a peer in the node's own name" 5 has_counted n1 "$(subnet n2)" "2 from a wrong source"
}

too_long6() { nsenter --net=/run/netns/n1 ping -6 -c 1 -W 1 -M "do" -s "$1" -I "$(pod_ip6 n1)" "$(pod_ip6 n2)" 2>&1; }

@test "dual stack, a way that is narrower for IPv6: pods learn what fits, less than the headers around it" {
	[[ $DATAPATH == user ]] || return 0 # a route's own size is not asked for in the kernel
	two '.EnableIPv6 = true | .IPv6Network = "fd00:5::/48"'
	for node in n1 n2; do ip -n $node addr replace "$(pod_ip6 $node)/128" dev lo nodad; done
	wait_for "n1 reaches n2" 5 reach6 n1 n2
	assert "the largest gets through" too_long6 1404
	ip -n n1 -6 route add fd77::2/128 dev eth0 mtu 1400
	wait_for "the pod hears of the new size" 5 has "mtu=1352" too_long6 1404
	assert "which gets through" too_long6 1304
}

@test "the relay killed is there again, the agent killed takes it along, the next one goes on with the device" {
	two
	index=$(ip -n n1 -j link show flannel0 | jq '.[0].ifindex')
	was=$(relay_pid n1)
	kill -9 "$was"
	wait_for "another one" 5 process_is n1
	assert "another one" test "$(relay_pid n1)" != "$was"
	wait_for "traffic" 2 reach n1 n2
	relay=$(relay_pid n1)
	agent_kill n1 KILL
	wait_for "the relay goes with its agent" 2 bash -c "! kill -0 $relay 2>/dev/null"
	assert_eq "the route stays" "$(ip -n n1 route show proto 118 | grep -c flannel0)" 1
	agent n1
	wait_for "traffic" 5 reach n1 n2
	assert_json "the device is the same" "$(ip -n n1 -j link show flannel0)" '.[0].ifindex' "$index"
	ip -n n1 link del flannel0
	wait_for "a device deleted is made again" 5 reach n1 n2
}

@test "two thousand peers: a peer among them is reached, and a lease that goes is a peer no more" {
	nodes 2 udp '.Network = "10.0.0.0/8" | .SubnetMin = "10.200.0.0"'
	mkdir -p $STORE/subnets
	for ((i = 0; i < 2000; i++)); do echo "{\"PublicIP\":\"198.18.$((i / 250)).$((i % 250 + 1))\"}" >"$STORE/subnets/10.$((i / 250)).$((i % 250)).0-24"; done
	join_two
	[[ -n ${CNIBOX_SANITIZED:-} ]] || assert "memory of the relay below 6 MiB" test \
		"$(awk '/^VmRSS/ { print $2 }' "/proc/$(relay_pid n1)/status")" -lt 6144
	rm "$STORE/subnets/$(subnet n2 | tr / -)" $STORE/subnets/10.0.*
	agent_kill n2
	rm -f "$STORE/subnets/$(subnet n2 | tr / -)"
	wait_for "it is told" 5 has "Net Unreachable" nsenter --net=/run/netns/n1 ping -c 1 -W 1 -I "$(pod_ip n1)" "$(pod_ip n2)"
}

@test "more than one queue: a thread for each, flows in both directions over all of them" {
	PLACE+=(--queues 4)
	two
	assert_eq "threads" "$(find "/proc/$(relay_pid n1)/task" -mindepth 1 -maxdepth 1 | wc -l)" 5
	flows=()
	for port in 7001 7002 7003 7004 7005; do
		transfer n1 n2 1000000 "$(pod_ip n1)" "$(pod_ip n2)" $port &
		flows+=($!)
		transfer n2 n1 1000000 "$(pod_ip n2)" "$(pod_ip n1)" $port &
		flows+=($!)
	done
	for flow in "${flows[@]}"; do wait "$flow"; done
}

# Who has been sent something a moment ago may still be asked what it is.
at_rest() {
	timeout 2 strace -f -qq -o $STORE/trace -p "$(relay_pid n1)" || :
	! grep -qvE 'resuming|restart_syscall|detached|strace: |unfinished' $STORE/trace
}

# What the relay calls while a ping passes, in FILE
looks() { # FILE
	strace -f -qq -e trace=poll -o "$1" -p "$(relay_pid n1)" 3>&- &
	tracer=$!
	wait_for "it is attached" 5 grep -q '^TracerPid:.[1-9]' "/proc/$(relay_pid n1)/status"
	wait_for "a ping" 5 reach n1 n2
	wait_for "it has been seen" 5 grep -q POLLIN "$1"
	kill $tracer
	wait $tracer || :
}

@test "--busy-poll: before it sleeps the relay looks whether there is more, without it at once" {
	need strace
	[[ -z ${CNIBOX_SANITIZED:-} && $DATAPATH == user ]] || return 0
	two
	looks $STORE/without
	agent_kill n1
	agent n1 --busy-poll 200000
	wait_for "another relay" 5 process_is n1
	wait_for "traffic" 5 reach n1 n2
	looks $STORE/with
	assert_eq "without" "$(grep -c ', 0) *= 0' $STORE/without || :)" 0
	assert "with" grep -q ', 0) *= 0' $STORE/with
}

@test "an idle relay does not wake up, and what cannot be is said in one line" {
	need strace
	two
	said=$(nsenter --net=/run/netns/n1 timeout 5 "$CNIBOX" tun-relay --store $STORE --once --iface eth0 --subnet-file /run/x 2>&1) && flunk "NOT refused"
	assert_match "once" "$said" "the udp way works only while its agent runs: no --once"
	[[ -z ${CNIBOX_SANITIZED:-} ]] || return 0
	wait_for "it comes to rest" 20 at_rest
	kill -STOP "$(agent_pid n1)"
	ip -n n1 link del flannel0
	timeout 1 strace -f -qq -o $STORE/gone -p "$(relay_pid n1)" || :
	kill -CONT "$(agent_pid n1)"
	assert "without a device it does not spin" test "$(wc -l <$STORE/gone)" -lt 40
	wait_for "and goes on with a new one" 5 reach n1 n2
}
