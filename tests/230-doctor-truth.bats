#!/usr/bin/env bats
# What `cnibox doctor` says is so, and what it says against it mends just that: no alarm on a node that is well, nothing called
# gone that lives, no remedy that harms another, and a pod more costs what the one before it did.
# shellcheck disable=SC2030,SC2031,SC2317 # each test is on its own; functions that are called by others

load lib/all
load lib/doctor
sandbox forward

setup() {
	mkdir -p /etc/cni/net.d
	list mynet '{type: "bridge", bridge: "cni0", isGateway: true, ipMasq: true, ipMasqBackend: "nftables",
		ipam: {type: "host-local", subnet: "10.1.0.0/16", routes: [{dst: "0.0.0.0/0"}]}}'
	pods mynet blue red
}

list() { # NAME PLUGIN ... (jq)
	local IFS=,

	jq -n -c --arg name "$1" "{cniVersion: \"1.0.0\", \$name, plugins: [${*:2}]}" >"/etc/cni/net.d/$1.conflist"
}

pods() { # NETWORK NAME ...
	local name

	for name in "${@:2}"; do
		[[ -e /run/netns/$name ]] || container "$name"
		"$CNIBOX" cni add "$1" "$name" >/dev/null
	done
}

any_age() { doctor() { "$CNIBOX" doctor --older-than 0s "$@"; }; }

# A namespace with one veth, in a bridge or alone.
wired() { # NAME ADDRESS BRIDGE
	container "$1"
	ip link add "v-$1" type veth peer name eth0 netns "$1"
	ip link set "v-$1" up ${3:+master "$3"}
	ip -n "$1" link set eth0 up
	ip -n "$1" addr add "$2" dev eth0
}

bridge() { # NAME [ADDRESS]
	ip link add "$1" type bridge
	ip link set "$1" up
	[[ -z ${2:-} ]] || ip addr add "$2" dev "$1"
}

@test "forwarding matters where the node is the gateway, and not on a bridge of its LAN" {
	bridge lan0 192.0.2.7/24
	wired vm 192.0.2.9/24 lan0
	ip -n vm route add default via 192.0.2.1
	sysctl -qw net.ipv4.conf.lan0.forwarding=0
	is_well
	ip -n vm route replace default via 192.0.2.7
	finds sysctl 'net\.ipv4\.conf\.lan0\.forwarding is 0 this node is the gateway of vm'
	sysctl -qw net.ipv4.ip_forward=0
	sysctl -qw net.ipv4.conf.lan0.forwarding=1
	finds sysctl 'net\.ipv4\.ip_forward is 0 this node is the gateway of (blue|red)'
}

@test "one address in two networks that do not meet is no fault; where they meet it is" {
	bridge iso1
	bridge iso2
	wired one 172.30.0.5/24 iso1
	wired two 172.30.0.5/24 iso2
	is_well
	ip link set v-two master iso1
	finds address '172\.30\.0\.5 is in use twice: in one and in two whoever answers first'
	ip link set v-two master iso2
	ip addr add 172.30.0.1/24 dev iso1
	is_well
	ip addr add 172.30.0.2/24 dev iso2
	finds address '172\.30\.0\.5 is in use twice: in one and in two this node sends the packets of both to one'
}

@test "addresses in use twice on a LAN that pods are on by macvlan" {
	ip link add up0 type veth peer name up1
	ip link set up0 up
	! ip link add probe0 link up0 type macvlan 2>&1 | grep -q 'Unknown device type' || missing "a kernel with macvlan links"
	ip link del probe0
	list lan '{type: "macvlan", master: "up0", ipam: {type: "static", addresses: [{address: "198.51.100.5/24"}]}}'
	pods lan one
	is_well
	pods lan two
	finds address '198\.51\.100\.5 is in use twice: in one and in two whoever answers first'
	ip -n two addr flush dev eth0
	ip -n two addr add 198.51.100.6/24 dev eth0
	is_well
	ip addr add 198.51.100.6/24 dev up0
	finds address '198\.51\.100\.6 is in use twice: in two and in host'
	assert_match "the node's own stays" "$remedy" '^ip -n two addr del'
}

@test "of an address in use twice the one goes that nobody leased, and never the node's own" {
	local victim

	for victim in blue red; do
		own=$(ip -n "$victim" -j addr show eth0 | jq -r '.[0].addr_info[0].local')
		other=$([[ $victim == blue ]] && echo red || echo blue)
		ip -n "$other" addr add "$own/16" dev eth0
		finds address "${own//./\\.} is in use twice"
		eval "$remedy"
		is_well
		still_checked
	done
	ip -n blue addr add 10.1.0.1/16 dev eth0
	finds address '10\.1\.0\.1 is in use twice: in blue and in host'
	eval "$remedy"
	is_well
	assert "the gateway is there" ip addr show to 10.1.0.1 dev cni0
}

@test "a namespace that lives under no name is not gone" {
	nsenter --net=/run/netns/red sleep 300 3>&- &
	sleeper=$!
	wait_for "it is there" 5 eval '[[ /proc/$sleeper/ns/net -ef /run/netns/red ]]'
	umount /run/netns/red
	rm /run/netns/red
	finds attachment "eth0 of .* to network mynet: its namespace lives, and has lost its name .* it is /proc/$sleeper/ns/net"
	assert_eq "nothing is taken from it" "$safe" false
	doctor --fix >/dev/null || :
	assert "its link" ip addr show to 10.1.0.3 2>/dev/null
	eval "$remedy"
	is_well
	refute "it is detached" nsenter --net=/proc/$sleeper/ns/net ip link show eth0
	kill $sleeper
}

@test "nothing is gone for sure while there are namespaces that cannot be seen" {
	list other '{type: "bridge", bridge: "br9", isGateway: true, ipMasq: true, ipMasqBackend: "nftables", ipam: {type: "host-local", subnet: "10.9.0.0/24"}}'
	pods other green
	exec 7</run/netns/green # alone holds it
	rm /var/lib/cni/results/other-* /var/lib/cni/networks/other/10.* /etc/cni/net.d/other.conflist
	ip netns del green
	finds masquerade 'a rule for 10\.9\.0\.2 of container .* but veth.* leads to a namespace that is not seen'
	assert_eq "it is not safe" "$safe" false
	exec 7<&-
	wait_for "it ends" 5 eval '! ip -o link | grep -q "master br9"'
	finds masquerade 'a rule for 10\.9\.0\.2 of container'
	fixes
}

@test "rules of an address that an attachment has by what is remembered, and no namespace" {
	need iptables
	list vm '{type: "bridge", bridge: "br9", ipam: {type: "static", addresses: [{address: "10.9.0.5/24"}]}}' '{type: "firewall", backend: "iptables"}'
	pods vm green
	ip -n green addr del 10.9.0.5/24 dev eth0 # a virtual machine in the pod has it
	rm -rf /run/cni/firewall                  # whose the rules are, as the reference does not write it down
	is_well
}

@test "leases in a folder of the network's own; only the network's are given back" {
	list other '{type: "bridge", bridge: "br9", ipam: {type: "host-local", subnet: "10.9.0.0/24", dataDir: "/run/leases"}}'
	pods other green
	is_well
	for folder in /run/leases/other /var/lib/cni/networks/third; do
		mkdir -p $folder
		printf 'c9\r\neth0' >$folder/10.9.0.99
	done
	touch -d '-1 hour' /run/leases/other/10.9.0.99
	finds lease '10\.9\.0\.99 of network other: held by c9'
	eval "$remedy" >/dev/null
	is_well
	assert "the other network's" test -e /var/lib/cni/networks/third/10.9.0.99
}

@test "what it says is for the folders that it was told of" {
	cp -a /var/lib/cni /run/elsewhere
	cp -a /etc/cni/net.d /run/lists
	rm -rf /var/lib/cni/* /etc/cni/net.d/*
	doctor() { "$CNIBOX" doctor --cache-dir /run/elsewhere --data-dir /run/elsewhere/networks --conf-dir /run/lists "$@"; }
	is_well
	printf 'c9\r\neth0' >/run/elsewhere/networks/mynet/10.1.0.99
	touch -d '-1 hour' /run/elsewhere/networks/mynet/10.1.0.99
	finds lease '10\.1\.0\.99 of network mynet'
	eval "$remedy" >/dev/null
	is_well
	sed -i 's,"host-local",&\,"dataDir":"/run/elsewhere/networks",' /run/elsewhere/results/*
	ip netns del red
	finds attachment 'its namespace is no more'
	eval "$remedy"
	is_well
}

@test "a container of somebody else whose link has such a name" {
	any_age
	bridge lxdbr0
	wired lxc1 192.0.2.9/24 lxdbr0
	ip link set v-lxc1 name veth0badcafe
	ip -n lxc1 addr flush dev eth0
	is_well
	ip link set veth0badcafe master cni0
	finds veth 'veth0badcafe leads to a container without address'
	ip link add veth1badcafe type veth peer name vethc0ffee00 # as somebody makes one who will move an end away
	ip link set veth1badcafe master lxdbr0
	finds veth 'veth0badcafe leads to a container without address'
}

@test "the network's own address on a link, as flanneld's device has it, is no pod's" {
	ip tuntap add flannel0 mode tun 2>/dev/null || missing "/dev/net/tun"
	ip addr add 10.1.0.0/8 dev flannel0
	is_well
	ip addr add 10.1.0.9/8 dev flannel0
	finds conflict 'network mynet gives out addresses of this node.s flannel0'
}

@test "what mends a link to nothing: ours again, or none" {
	ln -s /nowhere/cilium /opt/cni/bin/cilium
	finds plugin '/opt/cni/bin/cilium leads nowhere'
	assert_eq "one that we have not" "$remedy" "rm /opt/cni/bin/cilium"
	eval "$remedy"
	is_well
	ln -sfn /nowhere/tuning /opt/cni/bin/tuning
	finds plugin '/opt/cni/bin/tuning leads nowhere'
	eval "$remedy" >/dev/null
	is_well
}

@test "the module of links that the kernel has not is that module's name" {
	! ip link add probe0 type dummy 2>/dev/null || ip link del probe0
	ip link add up0 type veth peer name up1
	! ip link add link up0 name probe0 type vlan id 5 2>/dev/null || missing "a kernel without VLAN links"
	list tagged '{type: "vlan", master: "up0", vlanId: 5, ipam: {type: "host-local", subnet: "10.9.0.0/24"}}'
	finds kernel 'network tagged needs vlan links'
	assert_eq "the module" "$remedy" "modprobe 8021q"
}

@test "rules that somebody flushed" {
	any_age
	is_well
	nft flush ruleset
	finds attachment 'eth0 of .* to network mynet is not as it was made .*masquerade rules of 10\.1\.0\.[23]/16 are missing'
	refute "what tells more" eval "$look"
	eval "$remedy" >/dev/null
	is_well
	eval "$look"
}

@test "somebody else's plugin is not asked whether it is well" {
	any_age
	printf '#!/bin/sh\n%s\n' 'case $CNI_COMMAND in ADD) jq .prevResult ;; CHECK) echo "{\"code\": 7, \"msg\": \"no\"}"; exit 1 ;; esac' >/opt/cni/bin/foreign
	chmod +x /opt/cni/bin/foreign
	list other '{type: "ptp", ipam: {type: "host-local", subnet: "10.9.0.0/24"}}' '{type: "foreign"}'
	pods other green
	is_well
}

calls() { # what doctor asks the kernel
	strace -f -qq -e trace=sendmsg,setns -o /run/trace "$CNIBOX" doctor >/dev/null
	wc -l </run/trace
}

@test "twice as many pods are twice the work" {
	need_link ifb
	need strace
	list limited '{type: "bridge", bridge: "cni0", isGateway: true, ipam: {type: "host-local", subnet: "10.1.0.0/16", rangeStart: "10.1.9.0"}}' \
		'{type: "bandwidth", ingressRate: 1000000, ingressBurst: 1000000, egressRate: 1000000, egressBurst: 1000000}'
	sed -i 's,"subnet":"10.1.0.0/16",&\,"rangeEnd":"10.1.8.0",' /etc/cni/net.d/mynet.conflist
	# shellcheck disable=SC2046 # words
	pods limited $(printf 'a%s ' {1..20})
	few=$(calls)
	# shellcheck disable=SC2046 # words
	pods limited $(printf 'b%s ' {1..20})
	many=$(calls)
	is_well
	((many < 2 * few + few / 4)) || flunk "NOT: in proportion: $few calls for 22 pods, $many for 42"
}
