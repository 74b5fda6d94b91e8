# Nodes that share a network: namespaces joined by a bridge, an agent of ours on each, a store that all of them see.
# shellcheck disable=SC2086,SC2012 # paths of our own, without blanks
#
#   nodes N [TYPE [JQ]]      n1..nN at 192.0.2.1..N (and fd77::1..N) on one link; the network's configuration, changed by jq
#   agent NODE [OPTION ...]  start the agent of $AGENT there; its log is $STORE/NODE.log
#   agent_kill NODE [SIGNAL] end it
#   subnet NODE              its subnet, from its subnet.env: 10.5.7.0/24
#   pod NODE                 give the node an address of its subnet, as a pod's bridge would have
#   has TEXT COMMAND ...     what the command prints has it; lacks: has it not (for wait_for, which asks again and again)
#   reach FROM TO            a ping between two nodes' pods; reach6: over IPv6
#   two TYPE [JQ]            n1 and n2 with agents and pods that reach each other
#   peer_of                  n1's routes to its peers
#   state                    what n1 has for its peers, in full; same_state TEXT: it is this (for wait_for)
#   killed_amid_traffic COMMAND ...  n1's agent ends by SIGKILL, and the command starts the next one, while n1's pod pings n2's:
#                            no packet is lost, and n1 has the same devices and ways to its peers as before
#   ask NODE TEXT            what the agent's $PORT (--healthz-port) answers; get NODE PATH: status and text
#   node_metric NODE NAME    a figure of /metrics, without the prefix of its name
#   tx_checksum NODE DEVICE  1 when checksums are left to the device, else 0
# shellcheck shell=bash

STORE=/run/store AGENT=vxlan PORT=10256
PLACE=(--store "$STORE") # where the agents' leases are

nodes() {
	local n=$1 type=${2:-vxlan} i

	mkdir -p $STORE
	jq -n -c --arg type "$type" '{Network: "10.5.0.0/16", Backend: {Type: $type}} | '"${3:-.}" >$STORE/config
	ip link add under type bridge
	ip link set under up
	for ((i = 1; i <= n; i++)); do
		node_add "n$i" "$i"
	done
}

node_add() { # NAME NUMBER
	container "$1"
	ip link add "u$2" type veth peer name eth0 netns "$1"
	ip link set "u$2" master under up
	ip -n "$1" addr add "192.0.2.$2/24" dev eth0
	ip -n "$1" addr add "fd77::$2/64" dev eth0 nodad
	ip -n "$1" link set eth0 up
}

agent() {
	local node=$1

	shift
	CNIBOX_LOG=info nsenter --net="/run/netns/$node" "$CNIBOX" "$AGENT" "${PLACE[@]}" --iface eth0 \
		--subnet-file "/run/$node/subnet.env" "$@" >>"$STORE/$node.log" 2>&1 3>&- &
	echo $! >"$STORE/$node.pid"
}

agent_pid() { cat "$STORE/$1.pid"; }

agent_kill() {
	local pid

	pid=$(agent_pid "$1")
	kill "-${2:-TERM}" "$pid"
	wait "$pid" 2>/dev/null || :
}

subnet() {
	sed -n 's/^FLANNEL_SUBNET=//p' "/run/$1/subnet.env" | sed 's/\.1\//.0\//'
}

ready() { # NODE ...
	local node

	for node; do
		wait_for "$node has its subnet" 5 grep -q FLANNEL_MTU "/run/$node/subnet.env"
	done
}

pod() {
	local v6

	ip -n "$1" addr add "$(subnet "$1" | sed 's/\.0\//.1\//')" dev lo
	v6=$(sed -n 's/^FLANNEL_IPV6_SUBNET=//p' "/run/$1/subnet.env")
	[[ -z $v6 ]] || ip -n "$1" addr add "$v6" dev lo nodad
}

pod_ip6() {
	sed -n 's,^FLANNEL_IPV6_SUBNET=\(.*\)/.*,\1,p' "/run/$1/subnet.env"
}

pod_ip() {
	subnet "$1" | sed 's/\.0\/.*/.1/'
}

has()   { "${@:2}" | grep -qF -- "$1"; }
lacks() { ! has "$@"; }

reach() {
	nsenter --net="/run/netns/$1" ping -q -c 1 -W 1 -I "$(pod_ip "$1")" "$(pod_ip "$2")" >/dev/null
}

reach6() {
	nsenter --net="/run/netns/$1" ping -6 -q -c 1 -W 1 -I "$(pod_ip6 "$1")" "$(pod_ip6 "$2")" >/dev/null
}

# Agents on n1 and n2, and pods that reach each other.
join_two() {
	agent n1
	agent n2
	ready n1 n2
	pod n1
	pod n2
	wait_for "n1 reaches n2" 5 reach n1 n2
	wait_for "n2 reaches n1" 5 reach n2 n1
}

two() {
	nodes 2 "$@"
	AGENT=$([[ $1 == vxlan ]] && echo vxlan || echo hostgw-sync)
	join_two
}

ask() {
	nsenter --net="/run/netns/$1" timeout 5 bash -c 'exec 3<>/dev/tcp/127.0.0.1/'$PORT' && printf "%b" "$1" >&3 && cat <&3' - "$2"
}
get() {
	ask "$1" "GET $2 HTTP/1.1\r\nHost: x\r\n\r\n" | tr -d '\r' | sed -n '1s/^HTTP.1.1 \([0-9]*\) .*/\1/p; /^$/,$ { /^$/! p }'
}
node_metric() { get "$1" /metrics | sed -n "s/^cnibox_$2 //p"; }

tx_checksum() { # NODE DEVICE
	nsenter --net="/run/netns/$1" python3 -c '
import array, fcntl, socket, struct, sys
value = array.array("I", [0x16, 0]) # ETHTOOL_GTXCSUM
fcntl.ioctl(socket.socket(socket.AF_INET, socket.SOCK_DGRAM), 0x8946, struct.pack("16sP", sys.argv[1].encode(), value.buffer_info()[0]))
print(value[1])' "$2"
}

peer_of() { ip -n n1 route show proto 118; }

state() {
	ip -n n1 route show proto 118
	ip -n n1 neigh show dev flannel.1 nud permanent 2>/dev/null
	nsenter --net=/run/netns/n1 bridge fdb show dev flannel.1 2>/dev/null || :
}
same_state() { [[ $(state) == "$1" ]]; }

killed_amid_traffic() {
	local ping before

	nsenter --net=/run/netns/n1 ping -q -i 0.01 -c 150 -W 1 -I "$(pod_ip n1)" "$(pod_ip n2)" >$STORE/ping 2>&1 3>&- &
	ping=$!
	before=$(ip -n n1 link && state)
	agent_kill n1 KILL
	rm -f /run/n1/subnet.env
	"$@"
	ready n1
	wait "$ping"
	assert_match "packets" "$(<$STORE/ping)" "150 packets transmitted, 150 received"
	assert_eq "devices and ways" "$(ip -n n1 link && state)" "$before"
}
