# Two nodes with the pods of unit/policy_row.h, and a host outside, for tests of policies in a kernel.
#
#   policy_programs               in setup_file: policy and policy_kernel of lib/, in $BATS_FILE_TMPDIR
#   policy_nodes routed|bridged   the namespaces n1 (pods web, db), n2 (pods api, six) and outside
#   policy_rows BACKEND routed|bridged [cluster]   all rows of NetworkPolicies, or of ClusterNetworkPolicies
#
# Addresses of pods are single hosts. Routed: each has a link of its own to its node. Bridged: those of one node are ports
# of its bridge and see each other there, so that their packets come by FORWARD only through br_netfilter.
# shellcheck shell=bash

policy_programs() {
	link_with policy.c "$BATS_FILE_TMPDIR/policy"
	link_with policy_kernel.c "$BATS_FILE_TMPDIR/policy_kernel"
	link_with policy_kernel_cluster.c "$BATS_FILE_TMPDIR/policy_kernel_cluster"
}

policy_rows() {
	policy_nodes "$2"
	"$BATS_FILE_TMPDIR/policy_kernel${3:+_$3}" "$1"
}

policy_nodes() {
	local name

	container n1 n2 outside web db api six
	ip link add lan type bridge
	ip link set lan up
	for name in n1 n2 outside; do
		ip link add "$name" type veth peer name lan netns "$name"
		ip link set "$name" master lan up
		policy_quiet "$name" lan
		# Denials are told of to one pod more often than the kernel would do it.
		sysctl_in "$name" net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0
	done
	policy_lan n1 192.0.2.1/24 fd01::1/64
	policy_lan n2 192.0.2.2/24 fd01::2/64
	policy_lan outside 192.0.2.254/24 fd01::fe/64 203.0.113.1/32 64:ff9b::1/128
	"policy_$1" n1
	"policy_$1" n2
	policy_pod "$1" n1 web 10.0.0.1/32 fd00::1/128
	policy_pod "$1" n1 db 10.0.1.1/32
	policy_pod "$1" n2 api 10.0.0.2/32 fd00::2/128
	policy_pod "$1" n2 six fd00::6/128
	policy_routes n1 192.0.2.2 fd01::2 10.0.0.2 fd00::2 fd00::6
	policy_routes n2 192.0.2.1 fd01::1 10.0.0.1 10.0.1.1 fd00::1
	policy_routes outside 192.0.2.2 fd01::2 10.0.0.2 fd00::2 fd00::6
	policy_routes outside 192.0.2.1 fd01::1 10.0.0.1 10.0.1.1 fd00::1
	policy_routes n1 192.0.2.254 fd01::fe default ::/0
	policy_routes n2 192.0.2.254 fd01::fe default ::/0
	[[ $1 == routed ]] || policy_neighbours
}

sysctl_in() { # NAME KEY=VALUE ...
	run_in "$1" sysctl -qw "${@:2}"
}

# Up at once: no address is looked for by others before it counts.
policy_quiet() { # NAME LINK
	sysctl_in "$1" "net.ipv6.conf.$2.accept_dad=0" "net.ipv6.conf.$2.accept_ra=0"
	ip -n "$1" link set "$2" up
}

policy_lan() { # NAME ADDRESS ...
	local address

	for address in "${@:2}"; do ip -n "$1" addr add "$address" dev lan; done
}

policy_routes() { # NAME GATEWAY4 GATEWAY6 TARGET ...
	local target

	for target in "${@:4}"; do
		if [[ $target == *:* ]]; then
			ip -n "$1" -6 route add "$target" via "$3"
		else
			ip -n "$1" route add "$target" via "$2"
		fi
	done
}

policy_routed() { :; }

policy_bridged() {
	ip -n "$1" link add pods type bridge
	policy_quiet "$1" pods
	policy_gateway "$1" pods
	sysctl_in "$1" net.bridge.bridge-nf-call-iptables=1 net.bridge.bridge-nf-call-ip6tables=1
}

policy_gateway() { # NODE LINK: where its pods send what is not on the link
	ip -n "$1" addr add 169.254.1.1/32 dev "$2"
	ip -n "$1" addr add fe80::1/64 dev "$2"
}

policy_pod() { # routed|bridged NODE NAME ADDRESS ...
	local address

	ip -n "$2" link add "$3" type veth peer name eth0 netns "$3"
	policy_quiet "$2" "$3"
	policy_quiet "$3" eth0
	if [[ $1 == routed ]]; then
		policy_gateway "$2" "$3"
	else
		ip -n "$2" link set "$3" master pods
	fi
	for address in "${@:4}"; do
		ip -n "$3" addr add "$address" dev eth0
		ip -n "$2" route add "$address" dev "$([[ $1 == routed ]] && echo "$3" || echo pods)"
	done
	ip -n "$3" route add default via 169.254.1.1 dev eth0 onlink
	ip -n "$3" -6 route add default via fe80::1 dev eth0
}

# Of one bridge.
policy_neighbours() {
	ip -n web route add 10.0.1.1 dev eth0
	ip -n db route add 10.0.0.1 dev eth0
	ip -n api -6 route add fd00::6 dev eth0
	ip -n six -6 route add fd00::2 dev eth0
}
