#!/usr/bin/env bats
# shellcheck disable=SC2086,SC2012 # paths of our own, without blanks
# --cleanup: what an agent or flanneld left goes, to the last route; what is of others stays, to the last route.

load lib/all
load lib/nodes
load lib/legacy
sandbox forward

export FLANNELD_IP_MASQ=true

on() { nsenter --net="/run/netns/$1" "${@:2}"; }

cleanup() { # NODE [OPTION ...]
	on "$1" timeout 10 "$CNIBOX" "$AGENT" --store $STORE --subnet-file "/run/$1/subnet.env" --cleanup "${@:2}"
}

# Everything that an agent may touch.
snapshot() {
	ip -n n1 link show | sed 's/ state [A-Z]*//'
	ip -n n1 addr show | grep inet | sed 's/ *valid_lft.*//'
	ip -n n1 route show table all
	ip -n n1 -6 route show table all
	on n1 iptables-save | grep -v '^#' | sed 's/ \[.*//'
	on n1 ip6tables-save | grep -v '^#' | sed 's/ \[.*//'
	on n1 nft list ruleset
	ls -A /run/n1
	ls $STORE/subnets
} 2>/dev/null

# What others have on a node, near enough to ours to be mistaken.
foreign() {
	on n1 iptables-restore <<-'END'
		*nat
		:FLANNEL-POST - [0:0]
		-A POSTROUTING -s 10.5.0.0/16 -m comment --comment "flanneld masq" -j MASQUERADE
		-A POSTROUTING -j FLANNEL-POST
		COMMIT
		*filter
		-A FORWARD -s 10.5.0.0/16 -m comment --comment "flanneld forward" -j ACCEPT
		COMMIT
	END
	on n1 ip6tables-restore <<<$'*nat\n-A POSTROUTING -j ACCEPT\nCOMMIT\n*filter\n-A FORWARD -j ACCEPT\nCOMMIT'
	on n1 nft add table ip flannel-ipv4x
	on n1 nft add table inet flannel-ipv4
	ip -n n1 link add flannel.x type bridge
	ip -n n1 link add flannel.7 type bridge
	ip -n n1 link add vx7 type vxlan id 7 dstport 4789 local 192.0.2.1 dev eth0
	ip -n n1 link set flannel.7 up
	ip -n n1 route add 10.77.0.0/24 via 192.0.2.7 proto boot
	ip -n n1 route add 10.78.0.0/24 via 192.0.2.7 proto 119
	ip -n n1 route add 10.79.0.0/24 dev flannel.7
	ip -n n1 route add blackhole 10.80.0.0/24
	mkdir -p /run/n1 $STORE/subnets
	touch /run/n1/other
	echo '{"PublicIP":"192.0.2.44","BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"02:00:00:00:00:44"}}' \
		>$STORE/subnets/10.5.44.0-24
}

settled() { ! ip -n n1 -6 addr show tentative | grep -q inet6; }

@test "vxlan in both families: the node is afterwards what it was before, with what others have" {
	nodes 1 vxlan '.EnableIPv6 = true | .IPv6Network = "fd00:5::/48"'
	foreign
	wait_for "addresses" 5 settled
	before=$(snapshot)
	agent n1 --ip-blackhole-route
	ready n1
	wait_for "a peer" 3 has "10.5.44.0/24" ip -n n1 route
	assert_match "its rules" "$(snapshot)" "-A FORWARD .*-j FLANNEL-FWD"
	assert_eq "while the agent runs" "$(cleanup n1 2>&1 || :)" \
		"vxlan: another agent is at work for this node: it holds /run/n1/subnet.env.lock"
	key=$(basename $STORE/subnets/*'&'*)
	agent_kill n1
	said=$(cleanup n1)
	assert_eq "after" "$(snapshot)" "$before"
	assert_eq "what it said" "$(sort -u <<<"$said")" "$(sort -u <<-END
		released lease $key
		removed /run/n1/subnet.env
		removed /run/n1/subnet.env.lease
		removed interface flannel-v6.1, and the routes through it
		removed interface flannel.1, and the routes through it
		removed ip6tables: chain FLANNEL-FWD of table filter, and what led to it
		removed ip6tables: chain FLANNEL-POSTRTG of table nat, and what led to it
		removed iptables: chain FLANNEL-FWD of table filter, and what led to it
		removed iptables: chain FLANNEL-POSTRTG of table nat, and what led to it
		$(grep -o 'removed route blackhole.*' <<<"$said")
		removed route 10.5.44.0/24 via 10.5.44.0
	END
	)"
	assert_eq "once more" "$(cleanup n1)" "nothing of ours is here"
	assert_eq "after that" "$(snapshot)" "$before"
}

@test "host-gw in the nftables form" {
	AGENT=hostgw-sync
	nodes 1 host-gw '.EnableNFTables = true'
	foreign
	echo '{"PublicIP":"192.0.2.44","BackendType":"host-gw"}' >$STORE/subnets/10.5.44.0-24
	wait_for "addresses" 5 settled
	before=$(snapshot)
	agent n1
	ready n1
	wait_for "a peer" 3 has "10.5.44.0/24" ip -n n1 route
	agent_kill n1 KILL
	said=$(cleanup n1)
	assert_eq "after" "$(snapshot)" "$before"
	assert_match "the table" "$said" "removed nftables: table ip flannel-ipv4"
}

@test "udp: the device, which stays when its agent ends, goes" {
	AGENT=tun-relay
	nodes 1 udp
	wait_for "addresses" 5 settled
	mkdir -p /run/n1 $STORE/subnets
	on n1 iptables-restore <<<$'*nat\n-A POSTROUTING -j ACCEPT\nCOMMIT\n*filter\n-A FORWARD -j ACCEPT\nCOMMIT'
	ip -n n1 tuntap add mode tap flannel1
	before=$(snapshot)
	agent n1
	ready n1
	agent_kill n1
	assert "the device is there" ip -n n1 link show flannel0
	said=$(cleanup n1)
	assert_eq "after" "$(snapshot)" "$before"
	assert_match "it is named" "$said" "removed interface flannel0"
}

@test "what flanneld left: device, routes through it, rules of both forms, blackhole, subnet.env, lease" {
	nodes 1 vxlan
	foreign
	wait_for "addresses" 5 settled
	before=$(snapshot)
	printf '%s\n' FLANNEL_NETWORK=10.5.0.0/16 FLANNEL_SUBNET=10.5.7.1/24 FLANNEL_MTU=1450 FLANNEL_IPMASQ=true >/run/n1/subnet.env
	echo '{"PublicIP":"192.0.2.1","PublicIPv6":null,"BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"02:00:00:00:00:01"},"Expires":"2099-01-01T00:00:00Z"}' \
		>$STORE/subnets/10.5.7.0-24
	ip -n n1 link add flannel.1 address 02:00:00:00:00:01 mtu 1450 type vxlan id 1 dstport 8472 nolearning local 192.0.2.1 dev eth0
	ip -n n1 addr add 10.5.7.0/32 dev flannel.1
	ip -n n1 link set flannel.1 up
	ip -n n1 route add 10.5.44.0/24 via 10.5.44.0 dev flannel.1 onlink
	ip -n n1 route add blackhole 10.5.7.0/24
	ip -n n1 route add 10.5.45.0/24 via 192.0.2.45
	ip -n n1 tuntap add mode tun flannel0
	on n1 nft -f - <<<'table ip flannel-ipv4 { chain forward { type filter hook forward priority filter; ip saddr 10.5.0.0/16 accept; }; }; table ip6 flannel-ipv6 { }'
	on n1 iptables -t nat -N FLANNEL-POSTRTG
	on n1 iptables -t nat -A POSTROUTING -m comment --comment "flanneld masq" -j FLANNEL-POSTRTG
	on n1 iptables -t nat -A FLANNEL-POSTRTG -s 10.5.0.0/16 -j RETURN
	on n1 iptables -N FLANNEL-FWD
	said=$(cleanup n1)
	assert_eq "after" "$(snapshot)" "$before"
	assert_eq "lines" "$(wc -l <<<"$said")" 10
	assert_match "the lease" "$said" "released lease 10.5.7.0-24"
}

@test "a store that is away keeps the lease, and nothing else" {
	AGENT=hostgw-sync
	nodes 1 host-gw
	agent n1
	ready n1
	agent_kill n1
	mv $STORE $STORE.away
	mkdir -p /run/x
	said=$(cleanup n1 2>/run/x/errors)
	assert_match "removed" "$said" "removed /run/n1/subnet.env"
	assert_match "the rest" "$(</run/x/errors)" "a lease stays in the store until it ends"
	assert_eq "what is left" "$(ls /run/n1; ip -n n1 route show proto 118)" ""
	assert_eq "the store is not made" "$(ls -d $STORE 2>/dev/null)" ""
	mv $STORE.away $STORE
}

@test "legacy tables, and a node where nothing ever was" {
	use_legacy
	AGENT=hostgw-sync
	nodes 2 host-gw
	agent n1
	ready n1
	agent_kill n1
	assert_match "there are rules" "$(on n1 iptables-save)" FLANNEL-FWD
	said=$(cleanup n1)
	assert_match "they are named" "$said" "removed iptables: chain FLANNEL-FWD of table filter"
	assert_eq "left" "$(on n1 iptables-save | grep -c FLANNEL)" 0
	assert_eq "another node" "$(cleanup n2)" "nothing of ours is here"
	assert_eq "no folder was made" "$(ls -d /run/n2 2>/dev/null)" ""
}
