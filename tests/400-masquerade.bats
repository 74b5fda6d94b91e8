#!/usr/bin/env bats
# Masquerading and macspoofchk: the rules are the reference's in both forms, whoever made them can be removed by
# either, and nobody's rules are lost when many attachments come and go at once.

load lib/all
load lib/firewall
sandbox forward

CHAIN=CNI-3cbe386fe84733aef8ea9d42            # network tnet, container ctr1
HASH=4dfa0667e74383ec-7883a6f9ce71eedb        # and interface eth0

setup() {
	PLUGINS=$PLUGINS:$REFERENCE          # an IPAM plugin of the reference will do
	need_root
	need nft iptables-save ip6tables-save strace
}

masq_checks() {
	nft list chain inet cni_plugins_masquerade masq_checks 2>/dev/null | grep -E ' saddr ' | sed 's/^[ \t]*//'
}

# The whole nftables form, less its attachments: always the same once it is there.
masq_base() {
	nft -j list table inet cni_plugins_masquerade |
		jq -c '[.nftables[] | select(.chain or .rule.chain == "postrouting" or .table) | walk(if type == "object" then del(.handle) else . end)]'
}

dual_conf() {
	conf bridge '.ipMasq = true | .ipMasqBackend = "'"$1"'" | .ipam = {type: "host-local",
		ranges: [[{subnet: "10.77.0.0/24"}], [{subnet: "fd77::/64"}]]}'
}

# Debian's release of the reference knows no backend.
reference_conf() {
	dual_conf iptables | jq -c 'del(.ipMasqBackend)'
}

@test "the back end is iptables where it is usable, and what was asked for" {
	assert_eq "nothing asked for" "$(firewall choose | tail -1)" iptables
	assert_eq "asked for" "$(firewall choose nftables | tail -1)" nftables
	assert_match "no such thing" "$(firewall choose pf 2>&1)" 'unknown ipmasq backend "pf"'
	mount -t tmpfs tmpfs /etc/alternatives
	assert_eq "no iptables here" "$(firewall choose | tail -1)" nftables
	assert_match "but it is wanted" "$(firewall choose iptables 2>&1)" 'backend "iptables" cannot be used: iptables-restore: not found'
}

@test "iptables: rule for rule what the reference makes" {
	local theirs

	need_reference bridge host-local
	container ctr1
	PLUGINS=$REFERENCE cni_add "$(reference_conf)" @ctr1
	theirs=$(xt_rules)
	assert_match "it makes rules" "$theirs" "$CHAIN"
	PLUGINS=$REFERENCE cni_del "$(reference_conf)" @ctr1
	rm -rf /var/lib/cni/networks
	cni_add "$(dual_conf iptables)" @ctr1
	assert_eq "the same rules" "$(xt_rules)" "$theirs"
}

@test "iptables: we remove what the reference made, it removes what we made" {
	need_reference bridge host-local
	container ctr1
	PLUGINS=$REFERENCE cni_add "$(reference_conf)" @ctr1
	cni_del "$(reference_conf)" @ctr1
	assert_eq "nothing is left by us" "$(xt_rules)" ""
	cni_add "$(dual_conf iptables)" @ctr1
	assert_match "there are rules" "$(xt_rules)" "$CHAIN"
	PLUGINS=$REFERENCE cni_del "$(reference_conf)" @ctr1
	assert_eq "nothing is left by the reference" "$(xt_rules)" ""
}

@test "nftables: the reference's table, as a person would have typed it" {
	local ours
	firewall add nftables tnet ctr1 eth0 10.1.0.5/24 fd00::5/64
	firewall add nftables tnet ctr2 eth0 10.2.0.5/20
	ours=$(nft -j list ruleset | jq -S 'walk(if type == "object" then del(.handle) else . end)')
	nft flush ruleset
	nft -f - <<-'NFT'
		table inet cni_plugins_masquerade {
		  comment "Masquerading for plugins from github.com/containernetworking/plugins"
		  chain masq_checks {
		    comment "Masquerade traffic from certain IPs to any (non-multicast) IP outside their subnet"
		    ip saddr == 10.1.0.5 ip daddr != 10.1.0.0/24 masquerade comment "4dfa0667e74383ec-7883a6f9ce71eedb, net: tnet, if: eth0, id: ctr1"
		    ip6 saddr == fd00::5 ip6 daddr != fd00::/64 masquerade comment "4dfa0667e74383ec-7883a6f9ce71eedb, net: tnet, if: eth0, id: ctr1"
		    ip saddr == 10.2.0.5 ip daddr != 10.2.0.0/20 masquerade comment "4dfa0667e74383ec-a09553539d4cc24c, net: tnet, if: eth0, id: ctr2"
		  }
		  chain postrouting {
		    type nat hook postrouting priority 100;
		    ip daddr == 224.0.0.0/4 return
		    ip6 daddr == ff00::/8 return
		    goto masq_checks
		  }
		}
	NFT
	assert_same_json "the same rule set" "$ours" \
		"$(nft -j list ruleset | jq 'walk(if type == "object" then del(.handle) else . end)')"
}

@test "nftables: a table that somebody damaged is put right by the next attachment" {
	local base

	firewall add nftables tnet ctr1 eth0 10.1.0.5/24
	base=$(masq_base)
	nft flush chain inet cni_plugins_masquerade postrouting
	firewall add nftables tnet ctr2 eth0 10.1.0.6/24
	assert_eq "flushed" "$(masq_base)" "$base"
	nft insert rule inet cni_plugins_masquerade postrouting ip saddr 1.2.3.4 return
	firewall add nftables tnet ctr3 eth0 10.1.0.7/24
	assert_eq "a foreign rule" "$(masq_base)" "$base"
	assert_eq "attachments are kept" "$(masq_checks | wc -l)" 3
	nft flush ruleset
	firewall add nftables tnet ctr4 eth0 10.1.0.8/24
	assert_eq "all gone" "$(masq_base)" "$base"
}

@test "DEL needs no namespace, no addresses and no program, and may come twice" {
	local backend

	for backend in iptables nftables; do
		container ctr1
		cni_add "$(dual_conf $backend)" @ctr1
		assert_match "there are rules" "$(xt_rules; masq_checks)" "$CHAIN|$HASH"
		ip netns del ctr1
		CNI_WRAP=(env ASAN_OPTIONS=detect_leaks=0 strace -f -qq -e "trace=execve" -e signal=none -o "$BATS_TEST_TMPDIR/trace")
		NO_PREV=1 cni_del "$(dual_conf $backend)" @ctr1 CNI_NETNS=
		CNI_WRAP=()
		assert_eq "$backend: nothing is left" "$(xt_rules; masq_checks)" ""
		assert_match "the trace is one" "$(<"$BATS_TEST_TMPDIR/trace")" execve
		assert_eq "no program of iptables or nft was run" "$(grep -cE 'execve.*(tables|nft)' "$BATS_TEST_TMPDIR/trace")" 0
		NO_PREV=1 cni_del "$(dual_conf $backend)" @ctr1 CNI_NETNS=
	done
}

@test "an attachment that is added twice is removed by one DEL" {
	local backend

	for backend in iptables nftables; do
		firewall add $backend tnet ctr1 eth0 10.1.0.5/24
		firewall add $backend tnet ctr1 eth0 10.1.0.5/24
		firewall del tnet ctr1 eth0
		assert_eq "$backend: nothing is left" "$(xt_rules; masq_checks)" ""
	done
}

@test "iptables: a second interface of the container keeps the first one's subnet" {
	firewall add iptables tnet ctr1 eth0 10.1.0.5/24
	firewall add iptables tnet ctr1 eth1 10.2.0.5/24
	firewall check tnet ctr1 eth0 10.1.0.5/24 10.2.0.5/24
	assert_eq "masquerade is the chain's last rule" "$(xt_rules | grep -- "-A $CHAIN" | tail -1 | grep -o '[A-Z]*$')" MASQUERADE
	firewall add iptables tnet ctr1 eth1 10.2.0.5/24
	assert_eq "no jump is doubled" "$(xt_rules | grep -c -- '-A POSTROUTING')" 2
}

@test "32 at once leave exactly the right rules" {
	local backend i base

	for backend in nftables iptables; do
		[[ $backend == iptables ]] || { firewall add nftables tnet keep eth0 10.9.0.1/24; base=$(masq_base); nft flush ruleset; }
		for i in {1..32}; do
			"$FIREWALL" add $backend tnet "c$i" eth0 "10.1.0.$i/24" "fd00::$i/64" 3>&- &
		done
		wait
		for i in {1..32}; do
			assert "c$i is masqueraded" "$FIREWALL" check tnet "c$i" eth0 "10.1.0.$i/24" "fd00::$i/64"
		done
		[[ $backend == iptables ]] || assert_eq "the shared rules are there once" "$(masq_base)" "$base"
		assert_eq "one rule or chain for each" "$(xt_rules | grep -c '^:'; masq_checks | wc -l)" \
			"$([[ $backend == iptables ]] && printf '64\n0' || printf '0\n64')"
		# Half of them leave while others come.
		for i in {1..32}; do
			if ((i % 2)); then
				"$FIREWALL" del tnet "c$i" eth0 3>&- &
			else
				"$FIREWALL" add $backend tnet "d$i" eth0 "10.1.1.$i/24" 3>&- &
			fi
		done
		wait
		for i in {2..32..2}; do
			assert "c$i stays" "$FIREWALL" check tnet "c$i" eth0 "10.1.0.$i/24" "fd00::$i/64"
			assert "d$i came" "$FIREWALL" check tnet "d$i" eth0 "10.1.1.$i/24"
		done
		assert_eq "the others left" "$(xt_rules | grep -c '^:'; masq_checks | wc -l)" \
			"$([[ $backend == iptables ]] && printf '48\n0' || printf '0\n48')"
		firewall gc tnet
		assert_eq "and all of them" "$(xt_rules; masq_checks)" ""
	done
}

@test "500 others do not change what an attachment costs" {
	local backend alone among

	for backend in nftables iptables; do
		firewall add $backend tnet first eth0 10.200.0.4/24
		alone=$(cost add $backend tnet ctr1 eth0 10.200.0.5/24)
		firewall fill $backend tnet 500
		among=$(cost add $backend tnet ctr2 eth0 10.200.0.6/24)
		assert_eq "$backend: messages and programs of ADD" "$among" "$alone"
		assert_eq "$backend: is nf_tables there, a look, a transaction" "$among" $'3\n1'
		firewall check tnet pod499 eth0 10.2.99.2/24
		assert_eq "DEL runs no program" "$(cost del tnet ctr2 eth0 | tail -1)" 1
		firewall gc tnet
	done
}

@test "CHECK names what is missing" {
	local backend

	container ctr1
	for backend in iptables nftables; do
		cni_add "$(dual_conf $backend)" @ctr1
		cni_check "$(dual_conf $backend)" @ctr1
		if [[ $backend == iptables ]]; then
			ip6tables -t nat -F POSTROUTING
		else
			nft delete rule inet cni_plugins_masquerade masq_checks handle \
				"$(nft -a list chain inet cni_plugins_masquerade masq_checks | sed -n 's/.*ip6 saddr.*handle //p')"
		fi
		EXPECT=1 cni_check "$(dual_conf $backend)" @ctr1
		assert_json "the IPv6 address is named" "$output" '.msg | test("masquerade rules of fd77::[0-9a-f]+/64 are missing")'
		cni_del "$(dual_conf $backend)" @ctr1
		assert_eq "$backend: nothing is left" "$(xt_rules; masq_checks)" ""
	done
}

@test "GC removes the network's stale rules and nothing else" {
	local backend i

	iptables -t nat -A POSTROUTING -s 192.0.2.7 -j ACCEPT
	for backend in iptables nftables; do
		for i in 1 2 3; do
			firewall add $backend tnet "c$i" eth0 "10.1.0.$i/24" "fd00::$i/64"
		done
		firewall add $backend other c1 eth0 10.2.0.1/24
	done
	# Somebody died between making a chain and jumping to it.
	iptables -t nat -N CNI-aaaaaaaaaaaaaaaaaaaaaaaa
	iptables -t nat -A CNI-aaaaaaaaaaaaaaaaaaaaaaaa -j ACCEPT -m comment --comment 'name: "tnet" id: "dead"'
	iptables -t nat -N CNI-DN-aaaaaaaaaaaaaaaaaaaaa
	firewall gc tnet c2/eth0
	firewall check tnet c2 eth0 10.1.0.2/24 fd00::2/64
	firewall check other c1 eth0 10.2.0.1/24
	assert_eq "one of tnet in nftables" "$(masq_checks | grep -c 'net: tnet')" 2
	assert_eq "one of tnet in iptables" "$(xt_rules | grep -c 'POSTROUTING.*tnet')" 2
	assert_eq "chains" "$(xt_rules | grep -c '^:CNI-')" 4
	firewall gc tnet
	firewall gc other
	assert_eq "foreign rules stay" "$(xt_rules)" \
		$':CNI-DN-aaaaaaaaaaaaaaaaaaaaa -\n-A POSTROUTING -s 192.0.2.7/32 -j ACCEPT'
	assert_eq "no attachment is left" "$(masq_checks)" ""
}

@test "the legacy tables: add, check, gc, del" {
	use_legacy
	firewall add iptables tnet ctr1 eth0 10.1.0.5/24 fd00::5/64
	firewall add iptables tnet ctr2 eth0 10.1.0.6/24
	iptables -t nat -A POSTROUTING -s 192.0.2.7 -j ACCEPT
	assert_eq "nf_tables has nothing" "$(nft list ruleset)" ""
	firewall check tnet ctr1 eth0 10.1.0.5/24 fd00::5/64
	firewall gc tnet ctr2/eth0
	refute "ctr1 is there" "$FIREWALL" check tnet ctr1 eth0 10.1.0.5/24
	firewall check tnet ctr2 eth0 10.1.0.6/24
	firewall del tnet ctr2 eth0
	firewall del tnet ctr2 eth0
	assert_eq "only the foreign rule is left" "$(xt_rules)" '-A POSTROUTING -s 192.0.2.7/32 -j ACCEPT'
}

@test "only one family's programs: enough for its addresses, a clear error for the others" {
	mount -t tmpfs tmpfs /etc/alternatives
	ln -s /usr/sbin/iptables-nft-restore /etc/alternatives/iptables-restore
	firewall add iptables tnet ctr1 eth0 10.1.0.5/24
	firewall check tnet ctr1 eth0 10.1.0.5/24
	assert_match "IPv6" "$("$FIREWALL" add iptables tnet ctr1 eth0 fd00::5/64 2>&1)" \
		'masquerade eth0: ip6tables-restore: not found'
	firewall del tnet ctr1 eth0
}

@test "what iptables-restore says is in the error" {
	mount -t tmpfs tmpfs /etc/alternatives
	printf '#!/bin/sh\necho "no such luck" >&2\nexit 4\n' >/etc/alternatives/iptables-restore
	chmod +x /etc/alternatives/iptables-restore
	assert_match "status and words" "$("$FIREWALL" add iptables tnet ctr1 eth0 10.1.0.5/24 2>&1)" \
		'iptables-restore: exit status 4: no such luck'
}

# A neighbour that has no route to the containers: only what is masqueraded is answered. It counts what it sees,
# by source.
outside() {
	container outside
	ip link add up0 type veth peer name eth0 netns outside
	ip addr add 192.0.2.1/24 dev up0
	ip link set up0 up
	ip -n outside addr add 192.0.2.2/24 dev eth0
	ip -n outside link set eth0 up
	run_in outside nft -f - <<-'NFT'
		table ip seen {
		  counter masqueraded {}
		  counter container {}
		  chain in { type filter hook prerouting priority -300;
		    icmp type echo-request ip saddr { 192.0.2.1, 192.0.2.9 } counter name masqueraded
		    icmp type echo-request ip saddr { 10.77.0.0/24, 192.0.2.5 } counter name container
		  }
		}
	NFT
}

seen() {
	run_in outside nft -j list counter ip seen "$1" | jq '.nftables[] | .counter // empty | .packets'
}

@test "what leaves the subnet is masqueraded, what stays in it is not" {
	local backend

	outside
	container ctr1
	ip -n outside addr add 10.77.0.200/32 dev lo
	ip route add 10.77.0.200/32 via 192.0.2.2
	for backend in iptables nftables; do
		run_in outside nft reset counters >/dev/null
		cni_add "$(dual_conf $backend | jq '.isDefaultGateway = true')" @ctr1
		pings ctr1 192.0.2.2
		assert_eq "$backend: the source outside" "$(seen masqueraded) $(seen container)" "1 0"
		# An address of its own subnet that happens to be routed; with a way back, as no NAT makes one.
		ip -n ctr1 route add 10.77.0.200/32 via 10.77.0.1
		ip -n outside route replace 10.77.0.0/24 via 192.0.2.1
		pings ctr1 10.77.0.200
		assert_eq "$backend: the source in the subnet" "$(seen masqueraded) $(seen container)" "1 1"
		ip -n outside route del 10.77.0.0/24
		cni_del "$(dual_conf $backend)" @ctr1
		assert_eq "$backend: nothing is left" "$(xt_rules; masq_checks)" ""
	done
}

# Forwarding multicast needs a routing daemon, so the node itself sends, from an address that is masqueraded.
@test "multicast is not masqueraded" {
	local backend

	need busybox
	outside
	ip addr del 192.0.2.1/24 dev up0
	ip addr add 192.0.2.9/24 dev up0
	ip addr add 192.0.2.5/24 dev up0
	ip route add 239.0.0.0/8 dev up0
	for backend in iptables nftables; do
		run_in outside nft reset counters >/dev/null
		firewall add $backend tnet ctr1 eth0 192.0.2.5/32
		run_in host busybox ping -c 1 -W 2 -I 192.0.2.5 192.0.2.2
		assert_eq "$backend: unicast" "$(seen masqueraded) $(seen container)" "1 0"
		run_in host busybox ping -c 1 -W 1 -I 192.0.2.5 239.1.1.1 || :
		assert_eq "$backend: multicast" "$(seen masqueraded) $(seen container)" "1 1"
		firewall del tnet ctr1 eth0
	done
}

@test "macspoofchk: the reference's chains, of each attachment only its own" {
	firewall spoof-add tnet ctr1 eth0 veth1 02:00:00:00:00:01
	firewall spoof-add tnet ctr2 eth0 veth2 02:00:00:00:00:02
	firewall spoof-add tnet ctr2 eth0 veth2 02:00:00:00:00:02
	firewall spoof-check tnet ctr1 eth0
	firewall spoof-del tnet ctr2 eth0
	firewall spoof-del tnet ctr2 eth0
	assert_match "it is gone" "$("$FIREWALL" spoof-check tnet ctr2 eth0 2>&1)" 'macspoofchk rule of eth0 is missing in chain "PREROUTING"'
	assert_eq "one attachment" "$(nft list ruleset | sed 's/^[\t ]*//')" "$(sed 's/^[\t ]*//' <<-'NFT'
		table bridge nat {
			chain PREROUTING {
				type filter hook prerouting priority dstnat; policy accept;
				iifname "veth1" jump cni-br-iface-ctr1-eth0 comment "macspoofchk-ctr1-eth0"
			}

			chain cni-br-iface-ctr1-eth0 {
				jump cni-br-iface-ctr1-eth0-mac comment "macspoofchk-ctr1-eth0"
			}

			chain cni-br-iface-ctr1-eth0-mac {
				ether saddr 02:00:00:00:00:01 return comment "macspoofchk-ctr1-eth0"
				drop comment "macspoofchk-ctr1-eth0"
			}
		}
	NFT
	)"
	nft delete rule bridge nat PREROUTING handle "$(nft -a list chain bridge nat PREROUTING | sed -n 's/.*iifname.*handle //p')"
	refute "the jump is missing" "$FIREWALL" spoof-check tnet ctr1 eth0
	firewall spoof-del tnet ctr1 eth0
	assert_eq "no chain of it" "$(nft list ruleset | grep -c cni-br)" 0
}

@test "macspoofchk: frames with another source address are dropped" {
	local conf

	conf=$(conf bridge '.macspoofchk = true')
	container ctr1 ctr2
	cni_add "$conf" @ctr1
	cni_add "$conf" @ctr2
	pings ctr1 10.77.0.1
	pings ctr1 10.77.0.3
	ip -n ctr1 link set eth0 address 02:00:00:00:00:99
	refute "a spoofed frame gets through" pings ctr1 10.77.0.1
	cni_check "$conf" @ctr2
	cni_del "$conf" @ctr1
	cni_del "$conf" @ctr2
	assert_eq "no chain is left" "$(nft list ruleset | grep -c cni-br)" 0
}
