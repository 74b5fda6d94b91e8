#!/usr/bin/env bats
# shellcheck disable=SC2086,SC2016,SC2046 # paths of our own, without blanks; $ is for the shell inside
# tun-relay's programs in the kernel: what they carry, what they leave to the relay's process, how they stay and how they go.

load lib/all
load lib/nodes
load lib/relay
sandbox

setup() {
	DATAPATH=kernel
	relay_setup
}

on() { nsenter --net="/run/netns/$1" "${@:2}"; }

programs() { # NODE LINK: what is at its hooks, as direction and name
	local way

	for way in ingress egress; do
		on "$1" tc filter show dev "$2" $way | sed -n "s/^.* \(cnibox_relay[a-z0-9_]*\).*/$way \1/p"
	done | sort
}
has_programs() { [[ $(programs "$1" "$2") == "$3" ]]; }
BOTH=$'ingress cnibox_relay_in4'

@test "the kernel carries packets in both directions, large and small ones, fragments too, and counts them" {
	two
	assert_eq "programs of the device" "$(programs n1 flannel0)" "egress cnibox_relay_out4"
	assert_eq "programs of the underlay" "$(programs n1 eth0)" "$BOTH"
	transfer n1 n2 20000000
	transfer n2 n1 3000000
	assert "the largest" on n1 ping -q -c 1 -W 5 -M "do" -s 1444 -I "$(pod_ip n1)" "$(pod_ip n2)"
	assert "fragments" on n1 ping -q -c 1 -W 5 -s 4000 -I "$(pod_ip n1)" "$(pod_ip n2)"
	by_kernel n1 "$(subnet n2)"
	by_kernel n2 "$(subnet n1)"
	assert_match "sent" "$(counted n1 "$(subnet n2)")" "(1[4-9]|2[0-9])[0-9]{3} sent packets, 2[01][0-9]{6} sent bytes"
}

@test "IPv6 goes the same way" {
	two '.EnableIPv6 = true | .IPv6Network = "fd00:5::/48"'
	for node in n1 n2; do ip -n $node addr replace "$(pod_ip6 $node)/128" dev lo nodad; done
	wait_for "n1 reaches n2" 5 reach6 n1 n2
	assert_eq "programs of the device" "$(programs n1 flannel0)" $'egress cnibox_relay_out4\negress cnibox_relay_out6'
	assert_eq "programs of the underlay" "$(programs n1 eth0)" $'ingress cnibox_relay_in4\ningress cnibox_relay_in6'
	transfer n1 n2 5000000 "$(pod_ip6 n1)" "$(pod_ip6 n2)"
	by_kernel n1 "$(subnet n2)"
}

# A link's devices that do no work for the kernel: packets are whole and checked before they are on the wire.
plain_link() { # NODE
	on "$1" python3 - <<'END'
import array, fcntl, socket, struct
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for command in (0x17, 0x1f, 0x24, 0x2c):  # ETHTOOL_STXCSUM, STSO, SGSO, SGRO
    value = array.array("I", [command, 0])
    fcntl.ioctl(sock, 0x8946, struct.pack("16sP", b"eth0", value.buffer_info()[0]))
END
}

# Each datagram of a capture is one raw IP packet, checksums right; prints how many, and the TTLs inside.
check_wire() { # FILE
	python3 - "$1" <<'END'
import struct, sys
def folded(data):
    total = sum(struct.unpack("!%dH" % ((len(data) + 1) // 2), data + b"\0" * (len(data) % 2)))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return total
data, at, n, bytes_, ttls, without = open(sys.argv[1], "rb").read(), 24, 0, 0, set(), 0
while at < len(data):
    size = struct.unpack_from("<I", data, at + 8)[0]
    frame = data[at + 16:at + 16 + size]
    at += 16 + size
    ip, udp, inner = frame[14:34], frame[34:42], frame[42:]
    assert ip[0] == 0x45 and ip[9] == 17 and ip[6] & 0x40 and folded(ip) == 0xffff, ip.hex()
    assert struct.unpack("!HHH", udp[:6]) == (8285, 8285, len(inner) + 8), udp.hex()
    assert struct.unpack_from("!H", ip, 2)[0] == len(inner) + 28 <= 1500 and ip[8] == 64
    assert inner[0] == 0x45 and struct.unpack_from("!H", inner, 2)[0] == len(inner) and folded(inner[:20]) == 0xffff
    if inner[9] == 6:
        assert folded(inner[12:20] + struct.pack("!HH", 6, len(inner) - 20) + inner[20:]) == 0xffff, "TCP"
    if inner[9] == 1:  # relays ask each other what they are
        continue
    ttls.add(inner[8])
    without += udp[6:] == b"\0\0"
    n, bytes_ = n + 1, bytes_ + len(inner) - 40
print("%d mostly by the kernel=%s TTL=%s bytes>=%d" % (n, without > n * 0.9, ttls, bytes_ // 1000000))
END
}

@test "the wire: what the kernel sends is flannel's format, checksums right, each packet one hop on" {
	need tcpdump
	two
	plain_link n1
	plain_link n2
	on n2 tcpdump -n -U -B 8192 -i eth0 -w $STORE/wire udp port 8285 2>$STORE/tcpdump.log 3>&- &
	tcpdump=$!
	wait_for "tcpdump listens" 5 grep -q "listening on" $STORE/tcpdump.log
	transfer n1 n2 1500000
	kill "$tcpdump"
	wait "$tcpdump" || :
	assert_match "the capture" "$(check_wire $STORE/wire)" "^[0-9]{4} mostly by the kernel=True TTL=\{63\} bytes>=1$"
}

@test "agents that end, or are killed amid traffic, leave the way as it is; the next ones take it over" {
	two
	transfer n1 n2 /run/enough &
	transfer=$!
	wait_for "it runs" 5 has_counted n1 "$(subnet n2)" "sent bytes"
	agent_kill n1 KILL
	agent n1
	wait_for "the next one is at work" 5 process_is n1
	agent_kill n2
	wait_for "without n2's agent" 5 reach n1 n2
	agent_kill n1 KILL
	: >/run/enough
	wait "$transfer"
	assert "without any" reach n2 n1
	transfer n2 n1 3000000
	agent n1
	wait_for "a new agent, and none on the other side" 10 reach n1 n2
	agent n2
	wait_for "both again" 10 reach n2 n1
	kernel_to_kernel n1 n2
	assert_eq "programs" "$(programs n1 eth0)" "$BOTH"
}

# The kernel's numbers of n1's programs; is_gone NUMBER: it has none such.
numbers() {
	{ on n1 tc filter show dev eth0 ingress && on n1 tc filter show dev flannel0 egress; } | sed -n 's/^.* id \([0-9]*\) .*/\1/p'
}
bpf() { # program NUMBER: the numbers of its maps; map NUMBER: whether it is there. Nothing, if the kernel has no such thing.
	python3 - "$@" <<'END'
import ctypes, errno, os, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
def call(command, data):
    attr = ctypes.create_string_buffer(data, 128)
    fd = libc.syscall(321 if os.uname().machine == "x86_64" else 280, command, attr, 128)
    assert fd >= 0 or ctypes.get_errno() == errno.ENOENT, os.strerror(ctypes.get_errno())
    return fd
number = struct.pack("=I", int(sys.argv[2]))
fd = call(13 if sys.argv[1] == "program" else 14, number)  # BPF_PROG_GET_FD_BY_ID, BPF_MAP_GET_FD_BY_ID
if fd >= 0 and sys.argv[1] == "map":
    print("is there")
if fd >= 0 and sys.argv[1] == "program":
    maps = (ctypes.c_uint32 * 16)()
    info = bytearray(128)
    struct.pack_into("=IQ", info, 52, 16, ctypes.addressof(maps))  # nr_map_ids, map_ids
    info = ctypes.create_string_buffer(bytes(info), 128)
    assert call(15, struct.pack("=IIQ", fd, 128, ctypes.addressof(info))) == 0  # BPF_OBJ_GET_INFO_BY_FD
    print(*[n for n in maps if n])
END
}
is_gone() { [[ ! $(bpf "$@") ]]; }

@test "--cleanup and --datapath user leave neither program nor hook; other people's programs stay" {
	two
	on n1 tc filter add dev eth0 ingress prio 200 u32 match u32 0 0 flowid 1:1
	were=$(numbers)
	assert_eq "programs" "$(wc -w <<<"$were")" 2
	maps=$(for number in $were; do bpf program "$number"; done | tr ' ' '\n' | sort -u)
	assert "maps: of peers, and of what is known of them" test "$(wc -w <<<"$maps")" -ge 2
	agent_kill n1
	for number in $maps; do assert_eq "map $number stays with the programs" "$(bpf map $number)" "is there"; done
	on n1 "$CNIBOX" tun-relay --cleanup "${PLACE[@]::2}" --subnet-file /run/n1/subnet.env >$STORE/said
	assert_match "said" "$(<$STORE/said)" "removed 2 programs of the relay"
	for number in $were; do wait_for "program $number is gone" 5 is_gone program $number; done
	for number in $maps; do wait_for "map $number is gone" 5 is_gone map $number; done
	assert_match "theirs" "$(on n1 tc filter show dev eth0 ingress)" "pref 200 u32"
	on n1 tc qdisc del dev eth0 clsact
	agent n1
	ready n1
	wait_for "it is back" 5 has_programs n1 eth0 "$BOTH"
	agent_kill n1
	agent n1 --datapath user
	wait_for "no programs" 5 has_programs n1 eth0 ""
	assert_eq "no hooks" "$(on n1 tc qdisc show dev eth0 | grep -c clsact)" 0
	pod n1 2>/dev/null || :
	wait_for "n2 hears of it" 20 has_asked n2 n1 "(one of ours)"
	wait_for "traffic" 5 reach n1 n2
	transfer n1 n2 3000000
	transfer n2 n1 3000000
}

@test "the way of before leaves nothing over: device, programs and maps" {
	two
	agent_kill n1
	jq -c '.Backend.Type = "vxlan"' $STORE/config >/run/config
	mv /run/config $STORE/config
	CNIBOX_LOG=info nsenter --net=/run/netns/n1 "$CNIBOX" vxlan "${PLACE[@]::2}" --iface eth0 --subnet-file /run/n1/subnet.env --resync 1s >>$STORE/n1.log 2>&1 3>&- &
	echo $! >$STORE/n1.pid
	wait_for "the device is gone" 15 lacks flannel0 ip -n n1 link
	assert_eq "programs of the underlay" "$(programs n1 eth0)" ""
	assert "VXLAN's is there" ip -n n1 link show flannel.1
}

@test "without the right to load programs the process does the work, and one line says so" {
	nodes 2 udp
	need setpriv
	nsenter --net=/run/netns/n1 setpriv --bounding-set -all,+net_admin,+net_raw,+dac_override "$CNIBOX" tun-relay "${PLACE[@]::2}" --iface eth0 \
		--subnet-file /run/n1/subnet.env >>$STORE/n1.log 2>&1 3>&- &
	echo $! >$STORE/n1.pid
	agent n2
	ready n1 n2
	pod n1
	pod n2
	wait_for "n1 reaches n2" 5 reach n1 n2
	assert_eq "said" "$(grep -c "carried by the relay's process: make the kernel's map .*CAP_BPF" $STORE/n1.log)" 1
	assert_eq "no programs" "$(programs n1 eth0)" ""
	wait_for "n2 knows" 10 has_asked n2 n1 "(one of ours)"
	transfer n1 n2 3000000
	transfer n2 n1 3000000
	agent_kill n1
	said=$(on n1 timeout 2 setpriv --bounding-set -all,+net_admin,+net_raw,+dac_override "$CNIBOX" tun-relay "${PLACE[@]}" --iface eth0 \
		--subnet-file /run/n1/subnet.env 2>&1) || :
	assert_match "--datapath kernel" "$said" "warning: TUN device flannel0: make the kernel's map .*CAP_BPF"
}

@test "links that go down, are renamed or made anew, a device or a program deleted by hand: the kernel's way comes back" {
	two
	ip -n n1 link set flannel0 down
	ip -n n1 link set flannel0 up
	wait_for "the device down and up" 5 reach n1 n2
	ip -n n1 link set eth0 down
	ip -n n1 link set eth0 up
	wait_for "the underlay down and up" 5 reach n1 n2
	on n1 tc qdisc del dev eth0 clsact
	on n1 tc qdisc del dev flannel0 clsact
	kill -HUP "$(agent_pid n1)"
	wait_for "a program is there again" 5 has_programs n1 eth0 "$BOTH"
	wait_for "at the device, too" 5 has_programs n1 flannel0 "egress cnibox_relay_out4"
	ip -n n1 link set flannel0 down
	ip -n n1 link set flannel0 name other0 up
	wait_for "a device of the old name is there again" 5 has_programs n1 flannel0 "egress cnibox_relay_out4"
	wait_for "the other one is without programs" 5 has_programs n1 other0 ""
	ip -n n1 link del other0
	wait_for "traffic" 5 reach n1 n2
	ip -n n1 link set eth0 down
	ip -n n1 link set eth0 name eth9 up
	wait_for "it is missed" 5 grep -q "there is no interface and no address eth0" $STORE/n1.log
	ip -n n1 link set eth9 down
	ip -n n1 link set eth9 name eth0 up
	wait_for "traffic by its old name" 5 reach n1 n2
	ip -n n1 link del flannel0
	wait_for "the device is there again" 5 has_programs n1 flannel0 "egress cnibox_relay_out4"
	ip -n n1 link del eth0
	ip link add u1 master under type veth peer name eth0 netns n1
	ip link set u1 up
	ip -n n1 addr add 192.0.2.1/24 dev eth0
	ip -n n1 link set eth0 up
	wait_for "another underlay" 10 has_programs n1 eth0 "$BOTH"
	wait_for "traffic" 5 reach n1 n2
	kernel_to_kernel n1 n2
}

# The way is remembered from tick to tick: a thousand packets a second, and not one look-up for most of them.
@test "amid traffic, a peer with another MAC is found again, and a route that becomes narrow is respected" {
	two
	for node in n1 n2; do on $node sysctl -q net.ipv4.neigh.eth0.delay_first_probe_time=1 net.ipv4.neigh.eth0.retrans_time_ms=100; done
	ip -n n2 neigh replace 192.0.2.1 lladdr "$(ip -n n1 -j link show eth0 | jq -r ".[].address")" dev eth0 nud permanent # n2 does not ask
	on n1 ping -q -i 0.001 -w 60 -I "$(pod_ip n1)" "$(pod_ip n2)" >$STORE/pings 3>&- &
	pings=$!
	ip -n n2 link set eth0 address 02:00:00:00:02:02
	wait_for "its new MAC" 30 neighbour_is n1 192.0.2.2 02:00:00:00:02:02
	wait_for "packets arrive" 5 reach n1 n2
	ip -n n1 route add 192.0.2.2 dev eth0 mtu lock 1300
	said=$(on n1 ping -c 1 -W 5 -M "do" -s 1400 -I "$(pod_ip n1)" "$(pod_ip n2)" 2>&1) || :
	assert_match "too large" "$said" "(mtu = |message too long, mtu=)1272"
	kill -INT "$pings"
	wait "$pings" || :
	assert_match "pings" "$(<$STORE/pings)" "[1-9][0-9]+ received"
}
neighbour_is() { [[ $(ip -n "$1" neigh show "$2" dev eth0) == *"lladdr $3"* ]]; } # NODE ADDRESS MAC

@test "peers that are not ours are not overrun by the kernel, their packets go through the process" {
	foreign
	transfer n1 n2 3000000
	assert "it is none of ours" lacks "one of ours" counted n1 "$OTHER"
	kill -STOP "$(relay_pid n1)"
	assert "only through the process" lacks "1 received" on n1 ping -c 1 -W 1 -I "$(pod_ip n1)" "$(pod_ip n2)"
}

@test "figures of each peer for Prometheus" {
	nodes 2 udp
	agent n1 --healthz-port 10257
	agent n2
	ready n1 n2
	pod n1
	pod n2
	on n1 ip link set lo up
	wait_for "n1 reaches n2" 5 reach n1 n2
	kernel_to_kernel n1 n2
	transfer n1 n2 3000000
	metrics=$(on n1 timeout 5 bash -c 'exec 3<>/dev/tcp/127.0.0.1/10257 && printf "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" >&3 && cat <&3')
	assert_match "who carries" "$metrics" "cnibox_relay_kernel 1"
	assert_match "n2's" "$metrics" "cnibox_relay_total\{peer=\"$(subnet n2)\",what=\"sent bytes\"\} 3[0-9]{6}"
	assert_match "in the other direction" "$metrics" "cnibox_relay_total\{peer=\"$(subnet n2)\",what=\"received packets\"\} [0-9]+"
}
