#!/usr/bin/env bats
# shellcheck disable=SC2086 # paths of our own, without blanks
# Masquerade and forward rules of the agents: as flannel has them in both forms (flannel.md, section 5), repaired, and
# removed when nobody wants them any more.

load lib/all
load lib/nodes
load lib/legacy
sandbox forward

AGENT=hostgw-sync
export FLANNELD_IP_MASQ=true

on() { nsenter --net="/run/netns/$1" "${@:2}"; }

# What flannel's rules look like to iptables-save, from the rows of section 5.1.
flannels() { # NETWORK SUBNET MULTICAST
	local masq='-m comment --comment "flanneld masq"' forward='-m comment --comment "flanneld forward"'

	echo "-A POSTROUTING $masq -j FLANNEL-POSTRTG"
	echo "-A FLANNEL-POSTRTG -m mark --mark 0x4000/0x4000 $masq -j RETURN"
	echo "-A FLANNEL-POSTRTG -s $2 -d $1 $masq -j RETURN"
	echo "-A FLANNEL-POSTRTG -s $1 -d $2 $masq -j RETURN"
	echo "-A FLANNEL-POSTRTG ! -s $1 -d $2 $masq -j RETURN"
	echo "-A FLANNEL-POSTRTG -s $1 ! -d $3 $masq -j MASQUERADE --random-fully"
	echo "-A FLANNEL-POSTRTG ! -s $1 -d $1 $masq -j MASQUERADE --random-fully"
	echo "-A FORWARD $forward -j FLANNEL-FWD"
	echo "-A FLANNEL-FWD -s $1 $forward -j ACCEPT"
	echo "-A FLANNEL-FWD -d $1 $forward -j ACCEPT"
}

rules() { # NODE [6]
	on "$1" "ip$2tables-save" -t nat 2>/dev/null | grep '^-A'
	on "$1" "ip$2tables-save" -t filter 2>/dev/null | grep '^-A'
}
are() { [[ $(rules n1) == "$1" ]]; }
tables() { on n1 nft list ruleset 2>/dev/null | sed 's/ # .*//'; }
tables_are() { [[ $(tables) == "$1" ]]; }

subnet6() { sed -n 's/^FLANNEL_IPV6_SUBNET=//p' "/run/$1/subnet.env" | sed 's/::1\//::\//'; }

@test "iptables form: byte for byte what iptables-save shows of flannel's, in both families" {
	nodes 1 host-gw '.EnableIPv6 = true | .IPv6Network = "fd00:5::/48"'
	agent n1
	ready n1
	assert_eq "IPv4" "$(rules n1)" "$(flannels 10.5.0.0/16 "$(subnet n1)" 224.0.0.0/4)"
	assert_eq "IPv6" "$(rules n1 6)" "$(flannels fd00:5::/48 "$(subnet6 n1)" ff00::/8)"
	assert_eq "subnet.env says so" "$(grep IPMASQ /run/n1/subnet.env)" FLANNEL_IPMASQ=true
	agent_kill n1
	agent n1 --ip-masq-fully-random-disable --iptables-forward-rules=false --subnet-file /run/again/subnet.env
	wait_for "again" 5 test -e /run/again/subnet.env
	assert_eq "other options" "$(rules n1)" \
		"$(flannels 10.5.0.0/16 "$(subnet n1)" 224.0.0.0/4 | sed 's/ --random-fully//; /FORWARD\|FWD/d')"
}

# The same of the nftables form.
flannels_table() { # ip|ip6 TABLE NETWORK SUBNET MULTICAST
	printf '%s\n' "table $1 $2 {" \
		$'\tchain postrtg {' \
		$'\t\ttype nat hook postrouting priority srcnat; policy accept;' \
		$'\t\tmeta mark & 0x00004000 == 0x00004000 return' \
		$'\t\t'"$1 saddr $4 $1 daddr $3 return" \
		$'\t\t'"$1 saddr $3 $1 daddr $4 return" \
		$'\t\t'"$1 saddr != $3 $1 daddr $4 return" \
		$'\t\t'"$1 saddr $3 $1 daddr != $5 masquerade fully-random" \
		$'\t\t'"$1 saddr != $3 $1 daddr $3 masquerade fully-random" \
		$'\t}' '' \
		$'\tchain forward {' \
		$'\t\ttype filter hook forward priority filter; policy accept;' \
		$'\t\t'"$1 saddr $3 accept" \
		$'\t\t'"$1 daddr $3 accept" \
		$'\t}' '}'
}
native() { flannels_table ip flannel-ipv4 10.5.0.0/16 "$(subnet n1)" 224.0.0.0/4; }

@test "nftables form: flannel's tables and chains, with the mask and the fourth rule that it lacks" {
	nodes 1 host-gw '.EnableNFTables = true | .EnableIPv6 = true | .IPv6Network = "fd00:5::/48"'
	agent n1
	ready n1
	assert_eq "the tables" "$(tables)" \
		"$(native; flannels_table ip6 flannel-ipv6 fd00:5::/48 "$(subnet6 n1)" ff00::/8)"
	assert_eq "of iptables" "$(rules n1)$(rules n1 6)" ""
}

# A pod that is more than an address: a namespace behind the node.
real_pod() { # NODE
	container "p$1"
	ip link add "to-$1" netns "$1" type veth peer name eth0 netns "p$1"
	ip -n "$1" link set "to-$1" up
	ip -n "p$1" link set eth0 up
	ip -n "$1" addr add "$(pod_ip "$1")/24" dev "to-$1"
	ip -n "p$1" addr add "$(real_ip "$1")/24" dev eth0
	ip -n "p$1" route add default via "$(pod_ip "$1")"
	on "$1" sysctl -qw net.ipv4.ip_forward=1
}
real_ip() { pod_ip "$1" | sed 's/1$/2/'; }

# Which pings came here, and from whom.
watch_pings() {
	on "$1" nft -f - <<-'END'
		table ip watch {
			set seen { type ipv4_addr . ipv4_addr; flags dynamic; size 100; }
			chain in { type filter hook prerouting priority -300; icmp type echo-request add @seen { ip saddr . ip daddr }; }
		}
	END
}
seen() { on "$1" nft list set ip watch seen | grep -oE '[0-9.]+ \. [0-9.]+'; }

masquerades() { # [JQ]
	nodes 2 vxlan "${1:-.}"
	AGENT=vxlan
	node_add out 9
	agent n1
	agent n2
	ready n1 n2
	real_pod n1
	real_pod n2
	watch_pings pn2
	watch_pings out
	wait_for "the way to n2" 3 has "$(subnet n2)" ip -n n1 route
	assert "pod to the outside, which knows no way to pods" on pn1 ping -q -c 1 -W 2 192.0.2.9
	assert_eq "it saw the node" "$(seen out)" "192.0.2.1 . 192.0.2.9"
	assert "pod to pod" on pn1 ping -q -c 1 -W 2 "$(real_ip n2)"
	assert_eq "it saw the pod" "$(seen pn2)" "$(real_ip n1) . $(real_ip n2)"
	on pn2 nft flush set ip watch seen
	assert "this host to another node's pod" on n1 ping -q -c 1 -W 2 -I 192.0.2.1 "$(real_ip n2)"
	assert_eq "it saw the device's address" "$(seen pn2)" "$(subnet n1 | sed 's,/.*,,') . $(real_ip n2)"
	ip -n n1 route add 224.0.0.0/4 dev eth0
	on n1 ping -q -c 1 -W 1 -I eth0 -I "$(pod_ip n1)" 224.0.0.1 >/dev/null 2>&1 || :
	assert_match "multicast keeps its source" "$(seen out)" "$(pod_ip n1) \. 224.0.0.1"
}

@test "traffic, iptables form: what leaves the network is masqueraded, what stays in it is not" {
	masquerades
}

@test "traffic, nftables form: the same" {
	masquerades '.EnableNFTables = true'
}

# Damage, and how long it may last.
repaired() { # IS COMMAND ...
	run_log on n1 "${@:2}"
	wait_for "repaired after: ${*:2}" 2 "$1" "$want"
}

# The expressions of all rules, which iptables-restore wrote when the tables were new.
bytes() { on n1 nft --debug=netlink list ruleset 2>/dev/null | sed -E 's/^(ip6? [a-z]+ [^ ]+) .*/\1/'; }

@test "iptables form: what somebody deletes is back within two seconds" {
	nodes 1 host-gw
	agent n1
	ready n1
	want=$(rules n1) theirs=$(bytes)
	assert_match "there are rules" "$want" FLANNEL-FWD
	repaired are iptables -t nat -D FLANNEL-POSTRTG 3
	repaired are iptables -t nat -F
	assert_eq "what netlink wrote is what iptables-restore did" "$(bytes)" "$theirs"
	repaired are iptables -F FORWARD
	repaired are iptables -A FLANNEL-FWD -j DROP
	repaired are iptables -t nat -A FLANNEL-POSTRTG -j RETURN
	repaired are nft delete chain ip filter FORWARD
	repaired are nft flush ruleset
	agent_kill n1 KILL
	on n1 iptables -t nat -F FLANNEL-POSTRTG
	agent n1
	wait_for "the next agent" 3 are "$want"
}

@test "nftables form: what somebody deletes is back within two seconds" {
	nodes 1 host-gw '.EnableNFTables = true'
	agent n1
	ready n1
	want=$(native)
	tables_are "$want"
	repaired tables_are nft delete rule ip flannel-ipv4 postrtg handle \
		"$(on n1 nft -a list chain ip flannel-ipv4 postrtg | sed -n 's/.*daddr 10.5.0.0.16 return # handle //p')"
	repaired tables_are nft flush chain ip flannel-ipv4 forward
	repaired tables_are nft add rule ip flannel-ipv4 forward drop
	repaired tables_are nft delete chain ip flannel-ipv4 postrtg
	repaired tables_are nft flush ruleset
	agent_kill n1 KILL
	on n1 nft flush chain ip flannel-ipv4 postrtg
	agent n1
	wait_for "the next agent" 3 tables_are "$want"
}

@test "legacy tables: put there, and looked at" {
	use_legacy
	nodes 1 host-gw
	agent n1
	ready n1
	want=$(flannels 10.5.0.0/16 "$(subnet n1)" 224.0.0.0/4)
	assert_eq "the rules" "$(rules n1)" "$want"
	assert_eq "nothing elsewhere" "$(tables)" ""
	repaired are iptables -t nat -D FLANNEL-POSTRTG 3
	repaired are iptables -F
	agent_kill n1
	agent n1 --no-ip-masq --no-iptables-forward-rules
	wait_for "nobody wants them any more" 3 are ""
}

@test "flannel's rules in legacy tables go where iptables is the other variant by now" {
	need iptables-legacy
	nodes 1 host-gw
	on n1 iptables-legacy -N FLANNEL-FWD 2>/dev/null || missing "legacy iptables in this kernel"
	on n1 iptables-legacy -A FORWARD -j FLANNEL-FWD
	on n1 iptables-legacy -A FORWARD -s 10.9.0.0/16 -j ACCEPT
	agent n1
	ready n1
	assert_eq "the legacy table" "$(on n1 iptables-legacy-save -t filter | grep '^-A\|FLANNEL')" "-A FORWARD -s 10.9.0.0/16 -j ACCEPT"
	assert_match "the other" "$(rules n1)" FLANNEL-FWD
}

again() { # [OPTION ...]: another agent, which has put everything in place
	agent_kill n1
	: >$STORE/n1.log
	agent n1 "$@"
	wait_for "everything is in place" 5 grep -q "everything is in place" $STORE/n1.log
}

@test "another form, another network, fewer options: nothing of before is left, and others' rules stay" {
	nodes 1 host-gw
	on n1 iptables-restore <<-'END'
		*nat
		:KUBE-POSTROUTING - [0:0]
		-A POSTROUTING -m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING
		-A KUBE-POSTROUTING -m mark --mark 0x4000/0x4000 -j MASQUERADE --random-fully
		COMMIT
		*filter
		-A FORWARD -s 10.9.0.0/16 -j DROP
		COMMIT
	END
	on n1 nft add table inet other
	others=$(rules n1)
	agent n1
	ready n1
	assert_match "with flannel's" "$(rules n1)" FLANNEL-FWD
	jq -c '.EnableNFTables = true' $STORE/config >$STORE/new
	mv $STORE/new $STORE/config
	again
	assert_eq "iptables after the switch" "$(rules n1)" "$others"
	assert_match "nftables" "$(tables)" "table inet other.*table ip flannel-ipv4"
	jq -c '.EnableNFTables = false | .Network = "10.6.0.0/16"' $STORE/config >$STORE/new
	mv $STORE/new $STORE/config
	again
	assert_eq "tables after the switch back" "$(tables | grep '^table' | grep -c flannel)" 0
	assert_eq "of the old network" "$(rules n1 | grep -c '10\.5\.')" 0
	assert_eq "of the new one" "$(rules n1 | grep -c '10\.6\.')" 7
	again --no-ip-masq
	assert_eq "masquerade rules" "$(on n1 iptables-save -t nat | grep -c FLANNEL)" 0
	assert_match "forward rules" "$(rules n1)" FLANNEL-FWD
	again --no-ip-masq --no-iptables-forward-rules
	assert_eq "all" "$(rules n1)" "$others"
}

@test "flannel's own leavings of the other form go: jumps, a chain in each table, an empty table of a family without a network" {
	nodes 1 host-gw '.EnableNFTables = true'
	flannels 10.5.0.0/16 10.5.7.0/24 224.0.0.0/4 >$STORE/theirs
	on n1 iptables-restore <<-END
		*nat
		:FLANNEL-POSTRTG - [0:0]
		$(grep POSTR $STORE/theirs)
		COMMIT
		*filter
		:FLANNEL-FWD - [0:0]
		$(grep FWD $STORE/theirs)
		COMMIT
	END
	on n1 nft add table ip6 flannel-ipv6
	assert_eq "theirs" "$(rules n1)" "$(<$STORE/theirs)"
	agent n1
	ready n1
	assert_eq "iptables" "$(rules n1)$(on n1 iptables-save | grep FLANNEL)" ""
	assert_eq "tables" "$(on n1 nft list tables | grep flannel)" "table ip flannel-ipv4"
}

@test "a FORWARD that drops everything before is told, and the jump can be put before it (D16)" {
	nodes 1 host-gw
	on n1 iptables -A FORWARD -j REJECT
	agent n1
	ready n1
	assert_match "the warning" "$(<$STORE/n1.log)" "iptables: FORWARD drops everything before flannel's rules"
	assert_match "as flannel has it" "$(rules n1)" "-j REJECT.*-j FLANNEL-FWD"
	again --iptables-forward-position first
	assert_match "first" "$(rules n1)" "-A FORWARD [^
]*-j FLANNEL-FWD
-A FORWARD -j REJECT"
	assert_eq "it is there once" "$(rules n1 | grep -c -- '-j FLANNEL-FWD')" 1
	assert_eq "warnings" "$(grep -c "drops everything" $STORE/n1.log)" 0
}

@test "--ip-blackhole-route: behind every other route to the subnet, put back, and gone without the option" {
	nodes 1 host-gw '.EnableIPv6 = true | .IPv6Network = "fd00:5::/48"'
	agent n1 --ip-blackhole-route
	ready n1
	wait_for "IPv4" 2 has "blackhole $(subnet n1)" ip -n n1 route
	assert_match "IPv6" "$(ip -n n1 -6 route)" "blackhole $(subnet6 n1)"
	ip -n n1 route del blackhole "$(subnet n1)"
	wait_for "put back" 2 has "blackhole $(subnet n1)" ip -n n1 route
	ip -n n1 link add br0 type bridge
	ip -n n1 link set br0 up
	ip -n n1 route add "$(subnet n1)" dev br0
	assert_match "a bridge wins" "$(ip -n n1 route get "$(pod_ip n1 | sed 's/1$/9/')")" "dev br0"
	again
	assert_eq "without the option" "$(ip -n n1 route; ip -n n1 -6 route)" "$(ip -n n1 route; ip -n n1 -6 route | grep -v blackhole)"
	assert_eq "none" "$(ip -n n1 route | grep -c blackhole)" 0
}

@test "others' tables lead to no look; a look that finds all in place is few messages and no program" {
	local i

	[[ -z ${CNIBOX_SANITIZED:-} ]] || return 0
	need strace
	nodes 1 host-gw
	agent n1
	ready n1
	on n1 nft add table inet other
	on n1 nft add chain inet other c
	on n1 iptables -t nat -A POSTROUTING -s 10.99.0.0/16 -j RETURN
	wait_for "addresses have settled" 5 settled n1
	wait_for "quiet" 5 quiet n1
	strace -f -qq -e trace=sendmsg,sendto,execve,epoll_wait,epoll_pwait -o $STORE/trace -p "$(agent_pid n1)" 3>&- &
	tracer=$!
	wait_for "the tracer" 2 test -e $STORE/trace
	wait_for "it is attached" 2 grep -q '^TracerPid:.[1-9]' "/proc/$(agent_pid n1)/status"
	for ((i = 0; i < 50; i++)); do echo "add rule inet other c ip saddr 10.0.0.$i accept"; done >$STORE/batch
	for ((i = 0; i < 10; i++)); do on n1 nft -f $STORE/batch; done
	on n1 iptables -t nat -A POSTROUTING -s 10.98.0.0/16 -j RETURN
	assert_eq "messages and programs" "$(grep -cE 'send|exec' $STORE/trace)" 0
	on n1 iptables -t nat -D POSTROUTING -s 10.99.0.0/16 -j RETURN
	wait_for "a rule of POSTROUTING that went leads to a look" 2 grep -q send $STORE/trace
	wait_for "quiet" 3 quiet n1
	kill $tracer
	wait $tracer || :
	assert_eq "programs" "$(grep -c exec $STORE/trace)" 0
	assert "few messages: $(grep -c send $STORE/trace)" test "$(grep -c send $STORE/trace)" -le 40
}

settled() { ! ip -n "$1" -6 addr show tentative | grep -q inet6; }

# The agent has not run for a while.
quiet() {
	local before

	before=$(switches "$1")
	read -r -t 0.5 <> <(:) || :
	[[ $(switches "$1") == "$before" ]]
}
switches() { grep ^voluntary "/proc/$(agent_pid "$1")/status"; }
