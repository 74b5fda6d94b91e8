#!/usr/bin/env bats
# shellcheck disable=SC2086 # paths of our own, without blanks
# tun-relay's programs and pods behind a bridge: segments that came together stay together, in the order they came in.

load lib/all
load lib/nodes
load lib/relay
sandbox

WHOLE="fe80::636e:6962:6f78  encap seg6local action End.DX2 oif cnibox-unwrap0 dev flannel0 table local proto 118"

setup() {
	DATAPATH=kernel
	relay_setup
}

on() { nsenter --net="/run/netns/$1" "${@:2}"; }

# A pod p2 behind a bridge of n2, at .9 of its subnets.
bridged_pod() {
	local four six

	four=$(pod_ip n2) six=$(pod_ip6 n2)
	P2=${four%.1}.9 P2_6=${six:+${six%1}9}
	container p2
	ip -n n2 link add cni0 type bridge
	ip -n n2 addr add "$four/24" dev cni0
	ip -n n2 link set cni0 up
	ip link add eth0 netns p2 type veth peer name to-p2 netns n2
	ip -n n2 link set to-p2 master cni0 up
	ip -n p2 link set eth0 up
	ip -n p2 addr add "$P2/24" dev eth0
	ip -n p2 route add default via "$four"
	on n2 sysctl -qw net.ipv4.ip_forward=1
	[[ $six ]] || return 0
	on n2 sysctl -qw net.ipv6.conf.all.forwarding=1
	ip -n n2 addr add "$six/64" dev cni0 nodad
	ip -n p2 addr add "$P2_6/64" dev eth0 nodad
	ip -n p2 route add default via "$six"
}

joined() { # [JQ]
	nodes 2 udp "$@"
	agent n1
	agent n2
	ready n1 n2
	pod n1
	bridged_pod
	wait_for "n1 reaches n2" 5 reach n1 n2
	kernel_to_kernel n1 n2
}

sent_to_pod() { ip -n n2 -s -j link show to-p2 | jq '.[0].stats64.tx.packets'; }

# 10 million bytes are 7000 packets of the underlay, if the bridge cuts them apart.
stays_whole() { # [FROM TO]
	local before

	before=$(sent_to_pod)
	transfer n1 p2 10000000 "${1:-$(pod_ip n1)}" "${2:-$P2}"
	assert "packets that the bridge has passed on: $(($(sent_to_pod) - before))" test $(($(sent_to_pod) - before)) -lt 3500
}

@test "a bridge passes on segments together, in both families" {
	joined '.EnableIPv6 = true | .IPv6Network = "fd00:5::/48"'
	wait_for "over IPv6" 5 reach6 n1 n2
	stays_whole
	stays_whole "$(pod_ip6 n1)" "$P2_6"
	assert_eq "links of it with addresses" "$(ip -n n2 -j addr show cnibox-unwrap0 | jq -c '[.[].addr_info[]]')" "[]"
	by_kernel n1 "$(subnet n2)"
}

routes() { ip -n n2 -6 route show table all; }

@test "what others take away of it comes back: links, route, program, IPv6 on the device" {
	joined
	ip -n n2 link del cnibox-unwrap0
	wait_for "the links" 5 ip -n n2 link show cnibox-unwrap1
	wait_for "the route to them" 5 has "$WHOLE" routes
	stays_whole
	ip -n n2 -6 route flush table local dev flannel0
	wait_for "the route" 5 has "$WHOLE" routes
	on n2 sysctl -qw net.ipv6.conf.all.disable_ipv6=1
	wait_for "the route, with IPv6" 5 has "$WHOLE" routes
	assert_eq "no address with it" "$(ip -n n2 -6 -j addr show flannel0 | jq -c '[.[].addr_info[]?]')" "[]"
	stays_whole
	on n2 tc qdisc del dev cnibox-unwrap0 clsact
	ip -n n2 link set cnibox-unwrap1 down
	wait_for "up again" 5 has "UP,LOWER_UP" ip -n n2 link show cnibox-unwrap1
	stays_whole
}

@test "an agent that begins anew takes it over; --cleanup and the other data path leave nothing of it" {
	joined
	before=$(ip -n n2 -j link show cnibox-unwrap0)
	agent_kill n2 KILL
	stays_whole
	agent n2
	wait_for "the next one is at work" 5 process_is n2
	kernel_to_kernel n1 n2
	assert_eq "the links" "$(ip -n n2 -j link show cnibox-unwrap0)" "$before"
	stays_whole
	agent_kill n2
	agent n2 --datapath user
	wait_for "without links" 5 lacks cnibox-unwrap ip -n n2 link
	wait_for "without a route" 5 lacks seg6local routes
	agent_kill n2
	agent n2
	wait_for "with links" 5 has cnibox-unwrap ip -n n2 link
	agent_kill n2
	on n2 "$CNIBOX" tun-relay --cleanup "${PLACE[@]::2}" --subnet-file /run/n2/subnet.env >$STORE/said
	assert "cleaned" lacks cnibox-unwrap ip -n n2 link
}

@test "where the kernel cannot, it is said, and everything arrives all the same" {
	nodes 2 udp
	on n2 sysctl -qw net.ipv6.conf.default.disable_ipv6=1 net.ipv4.conf.default.forwarding=1 net.ipv4.conf.all.forwarding=1
	agent n1
	CNIBOX_LOG=info nsenter --net=/run/netns/n2 unshare --mount bash -c 'mount --bind -o ro /proc/sys /proc/sys && exec "$@"' -- "$CNIBOX" "$AGENT" "${PLACE[@]}" \
		--iface eth0 --subnet-file /run/n2/subnet.env >>$STORE/n2.log 2>&1 3>&- &
	echo $! >$STORE/n2.pid
	ready n1 n2
	pod n1
	bridged_pod
	wait_for "n1 reaches n2" 5 reach n1 n2
	assert_eq "said once" "$(grep -c "bridges will cut apart what comes through flannel0: .*disable_ipv6.*Read-only" $STORE/n2.log)" 1
	kernel_to_kernel n1 n2
	transfer n1 p2 10000000 "$(pod_ip n1)" "$P2"
	assert "the bridge cuts" test "$(sent_to_pod)" -gt 6000
}

# Datagrams with numbers from n1 to p2: bursts of segments that go together, and single ones right behind them, held up on the
# way so that they arrive at once. Prints how many arrived, and how many of them behind a later one.
overtaken() {
	deadline 60 python3 - "$(pod_ip n1)" "$P2" <<'END'
import ctypes, os, socket, struct, subprocess, sys
source, target = sys.argv[1:]
libc = ctypes.CDLL(None)
def enter(path):
    fd = os.open(path, os.O_RDONLY)
    assert libc.setns(fd, 0x40000000) == 0
    os.close(fd)
def hold(how, *words):
    subprocess.run(["tc", "qdisc", how, "dev", "u2", "root", "tbf", *words, "latency", "1000s"], check=True)
here = os.open("/proc/self/ns/net", os.O_RDONLY)
hold("add", "rate", "8kbit", "burst", "64kb")
enter("/run/netns/p2")
receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
receiver.setsockopt(socket.SOL_SOCKET, 33, 1 << 25)  # SO_RCVBUFFORCE
receiver.bind((target, 7777))
receiver.settimeout(5)
enter("/run/netns/n1")
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sender.bind((source, 0))
sender.connect((target, 7777))
number = 0
def send(n):
    global number
    data = b"".join(struct.pack("!I", number + i) + bytes(996) for i in range(n))
    sender.sendmsg([data], [(socket.IPPROTO_UDP, 103, struct.pack("=H", 1000))])  # UDP_SEGMENT
    number += n
for _ in range(16):
    send(20)
    for _ in range(3):
        send(1)
enter("/proc/self/fd/%d" % here)
hold("change", "rate", "10gbit", "burst", "10mb")
send(1)
got = late = 0
last = -1
while got < number:
    (seen,) = struct.unpack_from("!I", receiver.recv(65536))
    got += 1
    late += seen < last
    last = max(seen, last)
print(got, late)
END
}

@test "single packets do not overtake the segments before them" {
	joined
	assert_eq "arrived, overtaken" "$(overtaken)" "369 0"
}

# A datagram of n1's relay, to n2, with a packet to the address that wrapped segments have, and a frame inside with a ping in it
# whose source is nobody's.
forge() { # FROM-MAC TO-MAC
	on n1 python3 - "$1" "$2" "$(pod_ip6 n1)" "$P2" <<'END'
import socket, struct, sys
def folded(data):
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff
from_mac, to_mac = (bytes.fromhex(mac.replace(":", "")) for mac in sys.argv[1:3])
source, target = socket.inet_pton(socket.AF_INET6, sys.argv[3]), socket.inet_aton(sys.argv[4])
wrap = socket.inet_pton(socket.AF_INET6, "fe80::636e:6962:6f78")
udp = struct.pack("!HHHH", 7777, 7777, 8 + 6, 0) + b"forged"
ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0) + socket.inet_aton("203.0.113.66") + target
ip = ip[:10] + struct.pack("!H", folded(ip)) + ip[12:]
frame = to_mac + from_mac + b"\x08\0" + ip + udp
packet = struct.pack("!IHBB", 0x60000000, len(frame), 143, 64) + source + wrap + frame
sender = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
sender.setsockopt(socket.SOL_SOCKET, 15, 1)  # SO_REUSEPORT: beside the relay's
sender.bind(("fd77::1", 8285))
sender.setsockopt(socket.IPPROTO_UDP, 101, 1)  # UDP_NO_CHECK6_TX, as the programs send
sender.sendto(packet, ("fd77::2", 8285))
END
}
listen() { # what has come to p2, in /run/heard
	on p2 python3 -u -c 'import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("0.0.0.0", 7777))
print("listens")
while True:
    print(s.recv(100), flush=True)' >/run/heard 3>&- &
	wait_for "it listens" 5 grep -q listens /run/heard
}

@test "a peer cannot wrap packets itself: nobody knows the MACs" {
	joined '.EnableIPv6 = true | .IPv6Network = "fd00:5::/48"'
	on n2 sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.flannel0.rp_filter=0
	listen
	from=$(ip -n n2 -j link show cnibox-unwrap0 | jq -r '.[0].address')
	to=$(ip -n n2 -j link show cnibox-unwrap1 | jq -r '.[0].address')
	forge 02:00:00:00:00:01 "$to"
	forge "$from" 02:00:00:00:00:01
	wait_for "the kernel has dropped both" 5 has "(dropped 2," on n2 tc -s qdisc show dev cnibox-unwrap0
	forge "$from" "$to"
	wait_for "whoever knew them could" 5 grep -q forged /run/heard
	assert_eq "and that was the only one" "$(grep -c forged /run/heard)" 1
}
