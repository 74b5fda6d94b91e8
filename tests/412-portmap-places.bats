#!/usr/bin/env bats
# portmap, where the rules go and what that costs: the nftables form as nft would have it, legacy tables, counts.

# Every test has a RUNTIME of its own, which is what it should be.
# shellcheck disable=SC2030,SC2031

load lib/all
load lib/firewall
load lib/portmap
sandbox forward

# Nothing of lib/firewall has to be compiled here.
setup_file() { :; }

setup() {
	portmap_setup
	need strace
}

ruleset() {
	nft -j list ruleset | jq -S 'walk(if type == "object" then del(.handle) else . end)'
}

@test "nftables: what a person would have typed" {
	local ours

	RUNTIME=$(ports 8080:80 8081:53/udp@192.0.2.1) cni_add "$(portmap nftables 5 '.prevResult.ips |= [.[] | select(.address | contains(":") | not)]')" @ctr1
	ours=$(ruleset)
	nft flush ruleset
	nft -f - <<-'NFT'
		table ip cni_hostport {
		  comment "CNI portmap plugin"
		  map ports_any {
		    type inet_proto . inet_service : ipv4_addr . inet_service
		    elements = { tcp . 8080 comment "4dfa0667e74383ec-7883a6f9ce71eedb, net: tnet, if: eth0, id: ctr1" : 10.77.0.5 . 80 }
		  }
		  map ports_address {
		    type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service
		    elements = { 192.0.2.1 . udp . 8081 comment "4dfa0667e74383ec-7883a6f9ce71eedb, net: tnet, if: eth0, id: ctr1" : 10.77.0.5 . 53 }
		  }
		  map ports_used {
		    type inet_proto . inet_service : mark
		    elements = { tcp . 8080 : 1, udp . 8081 : 2 }
		  }
		  chain ports_dnat { }
		  chain ports_prerouting { type nat hook prerouting priority -99; }
		  chain ports_output { type nat hook output priority -99; }
		  chain ports_masquerade { type nat hook postrouting priority 100; }
		  chain ports_martians { type filter hook prerouting priority -300; }
		  set masquerade_24 {
		    type ipv4_addr . ipv4_addr
		    elements = { 10.77.0.0 . 10.77.0.5 comment "4dfa0667e74383ec-7883a6f9ce71eedb, net: tnet, if: eth0, id: ctr1" }
		  }
		  set masquerade_32 {
		    type ipv4_addr . ipv4_addr
		    elements = { 127.0.0.1 . 10.77.0.5 comment "4dfa0667e74383ec-7883a6f9ce71eedb, net: tnet, if: eth0, id: ctr1" }
		  }
		}
		add rule ip cni_hostport ports_dnat dnat ip to ip daddr . meta l4proto . th dport map @ports_address
		add rule ip cni_hostport ports_dnat dnat ip to meta l4proto . th dport map @ports_any
		add rule ip cni_hostport ports_prerouting fib daddr type local jump ports_dnat
		add rule ip cni_hostport ports_output fib daddr type local jump ports_dnat
		add rule ip cni_hostport ports_martians iifname != "lo" ip daddr 127.0.0.0/8 drop
		add rule ip cni_hostport ports_masquerade ct status dnat ip saddr & 255.255.255.0 . ip daddr @masquerade_24 masquerade comment "masquerade_24"
		add rule ip cni_hostport ports_masquerade ct status dnat ip saddr . ip daddr @masquerade_32 masquerade comment "masquerade_32"
	NFT
	# How nft prints a number depends on what it noted about its byte order; no rule looks at it.
	assert_same_json "the same rule set" "$(without_numbers <<<"$ours")" "$(ruleset | without_numbers)"
}

without_numbers() {
	jq 'walk(if type == "object" and .name? == "ports_used" then del(.elem) else . end) | .nftables |= sort_by(tojson)'
}

@test "the legacy tables: add, conflict, check, gc, del" {
	local before

	use_legacy
	iptables -t nat -A POSTROUTING -s 192.0.2.7 -j ACCEPT
	RUNTIME=$(ports 8080:80 8081:53/udp@192.0.2.1) cni_add "$(portmap iptables 1)" @ctr1
	RUNTIME=$(ports 8082:80) cni_add "$(portmap iptables 2)" @ctr2
	assert_eq "nf_tables has nothing" "$(nft list ruleset)" ""
	assert_eq "the jump comes first, once" "$(iptables-save -t nat | grep -- '-A POSTROUTING' | head -1)" \
		'-A POSTROUTING -m comment --comment "CNI portfwd requiring masquerade" -j CNI-HOSTPORT-MASQ'
	before=$(xt_rules)
	RUNTIME=$(ports 8082:80) cni_add "$(portmap iptables 2)" @ctr2
	assert_eq "again" "$(xt_rules | sort)" "$(sort <<<"$before")"
	RUNTIME=$(ports 8080:80 8081:53/udp@192.0.2.1) cni_check "$(portmap iptables 1)" @ctr1
	RUNTIME=$(ports 8080:81) EXPECT=1 cni_add "$(portmap iptables 9)" @ctr9
	assert_json "message" "$output" .msg 'host port 8080/tcp is taken by container ctr1 of network "tnet"'
	RUNTIME=$(ports 8082:80) cni_add "$(portmap iptables 2)" @ctr9 # with the address of ctr2, which must be gone
	cni_gc "$(portmap iptables 1 '.cniVersion = "1.1.0" | .["cni.dev/valid-attachments"] = [{containerID: "ctr1", ifname: "eth0"}]')"
	assert_eq "what is left" "$(mapped)" "8080 8081"
	RUNTIME=null cni_del "$(portmap iptables 1 'del(.prevResult)')" @ctr1
	RUNTIME=null cni_del "$(portmap iptables 1 'del(.prevResult)')" @ctr1
	assert_eq "nothing of a container" "$(own_rules)" ""
	assert_match "what is somebody else's stays" "$(xt_rules)" '-A POSTROUTING -s 192.0.2.7/32 -j ACCEPT'
}

# How many messages and programs an ADD costs.
cost() { # CONF
	local CNI_WRAP=(env ASAN_OPTIONS=detect_leaks=0 strace -f -qq -e "trace=sendmsg,sendto,execve" -e signal=none -o "$BATS_TEST_TMPDIR/cost")

	cni_add "$1" @ctr1 >/dev/null
	grep -cE '(sendmsg|sendto)\(' "$BATS_TEST_TMPDIR/cost"
	grep -v ' = -1' "$BATS_TEST_TMPDIR/cost" | grep -c 'execve(.*tables\|execve(.*nft' || :
}

@test "60 others do not change what an ADD costs, and no program is run" {
	local backend alone among i
	local -x RUNTIME

	for backend in nftables iptables; do
		at_once ADD $backend 200 7999:80
		RUNTIME=$(ports 7000:80)
		alone=$(cost "$(portmap $backend 1)")
		for i in {1..60}; do
			at_once ADD $backend $((100 + i)) $((8000 + i)):80
		done
		RUNTIME=$(ports 7001:80)
		among=$(cni_del "$(portmap $backend 1)" @ctr1 >/dev/null; cost "$(portmap $backend 1)")
		assert_eq "$backend: messages and programs" "$among" "$alone"
		assert_eq "$backend: programs" "$(tail -1 <<<"$among")" 0
		[[ $(head -1 <<<"$among") -le 16 ]] || flunk "$backend: $(head -1 <<<"$among") sends"
		nft flush ruleset
	done
}
