# DHCP on a test's node: a LAN (bridge lan0), servers on it, the daemon, and what they saw.
#
#   lan                            the bridge
#   server_place NAME ADDRESS      a namespace on the LAN for a server, ADDRESS/24 on eth0
#   dnsmasq_in NAME LOW HIGH [OPTION ...]   dnsmasq there; its log is /run/NAME.log
#   scripted_in NAME JSON          tests/lib/dhcp.py there: follows /run/NAME.conf, tells /run/NAME.seen
#   script NAME JQ                 change what it does
#   hex TEXT                       its bytes, as in what was seen
#   seen NAME JQ                   what it saw: jq over the array of messages
#   daemon [OPTION ...]            start our daemon; DAEMON is its pid, /run/daemon.log its log
#   lease KEY [CONTAINER]          a value of `cnibox dhcp leases --json`
#   dhcp_conf [JQ]                 a bridge network with dhcp
# shellcheck shell=bash

lan() {
	ip link add lan0 type bridge
	echo 0 >/proc/sys/net/ipv6/conf/lan0/accept_ra # as the plugin has it
	ip link set lan0 up
}

server_place() {
	ip netns add "$1"
	ip link add "lan-$1" type veth peer name eth0 netns "$1"
	ip link set "lan-$1" master lan0 up
	ip -n "$1" link set lo up
	ip -n "$1" addr add "$2/24" dev eth0
	ip -n "$1" link set eth0 up
}

dnsmasq_in() {
	local name=$1 low=$2 high=$3

	shift 3
	nsenter --net="/run/netns/$name" -- dnsmasq --port=0 --conf-file=/dev/null --keep-in-foreground --no-ping --bind-interfaces \
		--interface=eth0 --dhcp-authoritative --dhcp-range="$low,$high,255.255.255.0,120" --log-dhcp \
		--log-facility="/run/$name.log" --dhcp-leasefile="/run/$name.leases" --user=root --pid-file= "$@" 3>&- &
	SERVER=$!
	wait_for "dnsmasq in $name" 5 grep -q 'sockets bound' "/run/$name.log"
}

scripted_in() {
	jq -n '{lease: 120, mask: "255.255.255.0"} + '"$2" >"/run/$1.conf"
	: >"/run/$1.seen"
	nsenter --net="/run/netns/$1" -- python3 "$CNIBOX_TESTS/lib/dhcp.py" "/run/$1.conf" "/run/$1.seen" 3>&- &
	SERVER=$!
	wait_for "the server in $1" 5 has_socket "$1"
}

has_socket() {
	[[ -n $(run_in "$1" ss -Hlun 'sport = :67') ]]
}

script() {
	jq "$2" "/run/$1.conf" >"/run/$1.new"
	mv "/run/$1.new" "/run/$1.conf"
}

hex() {
	printf %s "$1" | od -An -tx1 | tr -d ' \n'
}

seen() {
	jq -s -c "$2" "/run/$1.seen"
}

has_seen() {
	jq -s -e "$2" "/run/$1.seen"
}

logged() { # NAME PATTERN [AT-LEAST]
	[[ $(grep -cE "$2" "/run/$1.log") -ge ${3:-1} ]]
}

daemon() {
	"$CNIBOX" dhcp daemon "$@" 2>>/run/daemon.log 3>&- &
	DAEMON=$!
	wait_for "the daemon" 5 "$CNIBOX" dhcp leases
}

lease() {
	"$CNIBOX" dhcp leases --json | jq -r --arg id "${2:-ctr}" '.[] | select(.container == $id) | .'"$1"
}

lease_is() { # KEY VALUE [CONTAINER]
	[[ $(lease "$1" "${3:-ctr}") == "$2" ]]
}

dhcp_conf() {
	jq -n -c '{cniVersion: "1.0.0", name: "tnet", type: "bridge", bridge: "lan0", ipam: {type: "dhcp"}} | '"${1:-.}"
}

gone() { ! kill -0 "$1" 2>/dev/null; }
eth0() { run_in "${2:-ctr}" ip -j addr show eth0 | jq -c ".[0] | $1"; }
down() { eth0 '.flags | index("UP") == null' "$1" | grep -q true; }
