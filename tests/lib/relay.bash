# Two nodes with tun-relay, in the data path that $DATAPATH names (kernel, user); behind lib/nodes.
# shellcheck disable=SC2034,SC2086 # AGENT and PLACE are of nodes.bash; paths of our own, without blanks
#
#   relay_setup                   what a test file's setup calls
#   two [JQ]                      n1 and n2 with our relay, pods that reach each other, by the kernel where that is wanted
#   foreign                       n1 with our relay, n2 with one as flannel's, of one packet per call; n2's subnet is $OTHER
#   relay_pid NODE                the relay's process; process_is: it runs
#   counted NODE PEER             what the node's relay has counted for PEER (a subnet, or nobody); has_counted ... TEXT
#   transfer FROM TO BYTES [A B [PORT]]  TCP from one pod to the other's (from address A to B): what it carries arrives whole;
#                                 BYTES may be the path of a file: until it is there
#   by_kernel NODE PEER           of at least 1000 packets sent, the process had few
# shellcheck shell=bash

relay_setup() {
	need ping ip
	[[ $DATAPATH == user ]] || need_root
	AGENT=tun-relay
	PLACE+=(--datapath "$DATAPATH")
}

two() { # [JQ]
	nodes 2 udp "$@"
	join_two
	[[ $DATAPATH == user ]] || kernel_to_kernel n1 n2
}

foreign() {
	nodes 2 udp
	agent n1
	ready n1
	OTHER=10.5.$(($(subnet n1 | cut -d. -f3) % 250 + 3)).0
	nsenter --net=/run/netns/n2 "${CNIBOX%/*}/onepacket" flannel0 192.0.2.2 8285 "$(subnet n1)=192.0.2.1" 3>&- &
	wait_for "its device" 2 ip -n n2 link show flannel0
	ip -n n2 addr add "$OTHER/32" dev flannel0
	ip -n n2 link set flannel0 mtu 1472 up
	ip -n n2 route add 10.5.0.0/16 dev flannel0
	OTHER+=/24
	echo '{"PublicIP":"192.0.2.2"}' >"$STORE/subnets/${OTHER/\//-}"
	mkdir -p /run/n2
	echo "FLANNEL_SUBNET=${OTHER/.0\//.1/}" >/run/n2/subnet.env
	pod n1
	pod n2
	wait_for "n1 reaches n2" 5 reach n1 n2
}

# Both have proved to each other that they take packets in the kernel.
kernel_to_kernel() { # NODE NODE
	wait_for "$1 asks $2" 10 has_asked "$1" "$2" "kernel to kernel"
	wait_for "$2 asks $1" 10 has_asked "$2" "$1" "kernel to kernel"
}

by_kernel() {
	local said all own

	said=$(counted "$1" "$2")
	all=$(sed -n 's/^.* \([0-9]*\) sent packets.*/\1/p' <<<"$said")
	own=$(sed -n 's/^.* \([0-9]*\) of them sent by the process.*/\1/p' <<<"$said")
	[[ ${all:-0} -ge 1000 && ${own:-0} -lt $((all / 10)) ]] || flunk "NOT by the kernel: $said"
}

# Who sends nothing does not ask.
has_asked() { # NODE NODE ANSWER
	reach "$1" "$2" || :
	has_counted "$1" "$(subnet "$2")" "$3"
}

relay_pid() { pgrep -P "$(agent_pid "$1")" -x cnibox-relay; }
process_is() { [[ $(relay_pid "$1") ]]; }

counted() { # NODE PEER
	kill -USR1 "$(agent_pid "$1")"
	wait_for "its counters" 2 grep -q "relay: nobody" "$STORE/$1.log"
	grep "relay: $2[ :]" "$STORE/$1.log" | tail -n 1
}
has_counted() { # NODE PEER TEXT
	: >"$STORE/$1.log"
	[[ $(counted "$1" "$2") == *"$3"* ]]
}

transfer() { # FROM TO BYTES [SOURCE TARGET [PORT]]
	deadline 60 python3 - "$1" "$2" "${4:-$(pod_ip "$1")}" "${5:-$(pod_ip "$2")}" "$3" "${6:-7777}" <<'END'
import ctypes, hashlib, os, socket, sys
source, target, source_ip, target_ip, size, port = sys.argv[1:]
libc = ctypes.CDLL(None)
def enter(name):
    fd = os.open("/run/netns/" + name, os.O_RDONLY)
    assert libc.setns(fd, 0x40000000) == 0
    os.close(fd)
def pieces():
    if size.startswith("/"):
        while not os.path.exists(size):
            yield os.urandom(1 << 16)
    else:
        left = int(size)
        while left:
            yield os.urandom(min(left, 1 << 16))
            left -= min(left, 1 << 16)
enter(target)
family = socket.AF_INET6 if ":" in target_ip else socket.AF_INET
listener = socket.create_server((target_ip, int(port)), family=family)
ours, theirs = os.pipe()
if os.fork() == 0:
    enter(source)
    sent = hashlib.sha256()
    with socket.create_connection((target_ip, int(port)), timeout=30, source_address=(source_ip, 0)) as sender:
        for piece in pieces():
            sender.sendall(piece)
            sent.update(piece)
    os.write(theirs, sent.digest())
    os._exit(0)
listener.settimeout(30)
receiver = listener.accept()[0]
got = hashlib.sha256()
for piece in iter(lambda: receiver.recv(1 << 20), b""):
    got.update(piece)
assert got.digest() == os.read(ours, 32)
END
}
