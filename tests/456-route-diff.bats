#!/usr/bin/env bats
# `cnibox route-dump --diff`: firewall rules, and what makes a VXLAN device; an agent that starts then leaves nothing to tell.

load lib/all
load lib/nodes
sandbox

on() { nsenter --net=/run/netns/n1 "$@"; }

difference() { # it, and the exit status in front
	local said status=0

	said=$(on "$CNIBOX" route-dump --diff --store "$STORE" --subnet-file /run/n1/subnet.env "$@" 2>&1) || status=$?
	printf '%s%s' "$status" "${said:+$'\n'$said}"
}
is_done() { [[ $(difference) == 0 ]]; }

@test "rules of the iptables form: missing, foreign, in another order, and the jumps" {
	nodes 1 host-gw '.EnableIPv6 = true | .IPv6Network = "fd05::/48"'
	AGENT=hostgw-sync
	agent n1 --ip-masq
	ready n1
	wait_for "all of it" 5 is_done
	agent_kill n1
	own=$(subnet n1)
	on iptables -t nat -D FLANNEL-POSTRTG ! -s 10.5.0.0/16 -d "$own" -m comment --comment "flanneld masq" -j RETURN
	on iptables -D FORWARD -m comment --comment "flanneld forward" -j FLANNEL-FWD
	on iptables -A FLANNEL-FWD -s 10.77.0.0/16 -p tcp -j DROP
	on ip6tables -F FLANNEL-FWD
	on ip6tables -A FLANNEL-FWD -d fd05::/48 -m comment --comment "flanneld forward" -j ACCEPT
	on ip6tables -A FLANNEL-FWD -s fd05::/48 -m comment --comment "flanneld forward" -j ACCEPT
	before=$(on iptables-save)
	assert_eq "each of them" "$(difference)" "3
+ rule   iptables -t nat -A FLANNEL-POSTRTG ! -s 10.5.0.0/16 -d $own -m comment --comment \"flanneld masq\" -j RETURN
- rule   iptables -t filter FLANNEL-FWD, a rule that no agent writes
+ rule   iptables -t filter -A FORWARD -m comment --comment \"flanneld forward\" -j FLANNEL-FWD
- rule   ip6tables -t filter FLANNEL-FWD, in another order or doubled
+ rule   ip6tables -t filter FLANNEL-FWD, each rule once"
	assert_eq "nothing was done" "$(on iptables-save | grep -v '^#')" "$(grep -v '^#' <<<"$before")"
	assert_json "as JSON" "$(difference --json | tail -n +2)" '[.[] | select(.kind == "rule") | has("was"), has("would")] | tostring' \
		"[false,true,true,false,false,true,true,true]"
	assert_match "an agent that has no forward rules" "$(difference --iptables-forward-rules=false)" \
		'- rule   iptables -t filter -A FLANNEL-FWD -s 10\.5\.0\.0/16 .* -j ACCEPT'
	agent n1 --ip-masq
	wait_for "done by an agent" 5 is_done
	agent_kill n1
	sed -i s/IPMASQ=true/IPMASQ=false/ /run/n1/subnet.env
	assert_match "one that masquerades no more" "$(difference)" \
		"- rule   iptables -t nat -A POSTROUTING -m comment --comment \"flanneld masq\" -j FLANNEL-POSTRTG"
	assert_eq "unless it is said" "$(difference --ip-masq)" 0
}

@test "rules of the nftables form, and those of the other form that are to go" {
	nodes 1 host-gw
	AGENT=hostgw-sync
	agent n1 --ip-masq --ip-masq-fully-random-disable
	ready n1
	wait_for "all of it" 5 is_done
	agent_kill n1
	jq -c '.EnableNFTables = true' "$STORE/config" >"$STORE/config.new"
	mv "$STORE/config.new" "$STORE/config"
	own=$(subnet n1)
	said=$(difference)
	assert_eq "the ones come" "$(grep '^+' <<<"$said")" "+ rule   nft ip flannel-ipv4 postrtg meta mark & 0x00004000 == 0x00004000 return
+ rule   nft ip flannel-ipv4 postrtg ip saddr $own ip daddr 10.5.0.0/16 return
+ rule   nft ip flannel-ipv4 postrtg ip saddr 10.5.0.0/16 ip daddr $own return
+ rule   nft ip flannel-ipv4 postrtg ip saddr != 10.5.0.0/16 ip daddr $own return
+ rule   nft ip flannel-ipv4 postrtg ip saddr 10.5.0.0/16 ip daddr != 224.0.0.0/4 masquerade fully-random
+ rule   nft ip flannel-ipv4 postrtg ip saddr != 10.5.0.0/16 ip daddr 10.5.0.0/16 masquerade fully-random
+ rule   nft ip flannel-ipv4 forward ip saddr 10.5.0.0/16 accept
+ rule   nft ip flannel-ipv4 forward ip daddr 10.5.0.0/16 accept"
	assert_eq "the others go" "$(grep '^-' <<<"$said")" "$(for table in nat filter; do
			on iptables-save -t $table | sed -n "s/^-A FLANNEL.*/- rule   iptables -t $table &/p"
			on iptables-save -t $table | sed -n "s/^-A [PF]O.*FLANNEL.*/- rule   iptables -t $table &/p"
		done)"
	agent n1 --ip-masq
	wait_for "done by an agent" 5 is_done
	agent_kill n1
	on nft flush chain ip flannel-ipv4 forward
	assert_eq "a chain that was emptied" "$(difference | grep -c "^+")" 2
	# who may not read rules is told so, and the rest all the same
	said=$(on setpriv --bounding-set -net_admin --inh-caps -net_admin "$CNIBOX" route-dump --diff --store "$STORE" \
		--subnet-file /run/n1/subnet.env 2>&1)
	assert_match "without the right" "$said" 'warning: masquerade and forward rules are not compared: .*Operation not permitted$'
}

@test "what makes a VXLAN device: port, address and interface below, gbp; and learning, which is changed in place" {
	nodes 1 vxlan '.EnableIPv6 = true | .IPv6Network = "fd05::/48"'
	agent n1
	ready n1
	wait_for "all of it" 5 is_done
	agent_kill n1
	ip -n n1 link set flannel.1 type vxlan learning
	assert_eq "it learns" "$(difference)" $'3\n- link   flannel.1 learning\n+ link   flannel.1 nolearning'
	was=$(ip -n n1 -j link show flannel.1 | jq '.[0].ifindex')
	agent n1
	wait_for "no more" 5 is_done
	assert_eq "the device is the same" "$(ip -n n1 -j link show flannel.1 | jq '.[0].ifindex')" "$was"
	agent_kill n1
	jq -c '.Backend.Port = 4789 | .Backend.GBP = true' "$STORE/config" >"$STORE/config.new"
	mv "$STORE/config.new" "$STORE/config"
	ip -n n1 link del flannel.1
	ip -n n1 link add eth1 type veth peer name eth2
	ip -n n1 link add flannel.1 type vxlan id 2 dstport 8472 nolearning dev eth1 local 192.0.2.1
	assert_eq "each of them" "$(difference)" "3
- link   flannel.1 type vxlan id 2 local 192.0.2.1 dev eth1 dstport 8472 nolearning
+ link   flannel.1 type vxlan id 1 local 192.0.2.1 dev eth0 dstport 4789 nolearning gbp
- link   flannel-v6.1 type vxlan id 1 local fd77::1 dev eth0 dstport 8472 nolearning
+ link   flannel-v6.1 type vxlan id 1 local fd77::1 dev eth0 dstport 4789 nolearning gbp"
	agent n1
	wait_for "done by an agent" 5 is_done
}

@test "a network that says the port which is the usual one: the device is made once" {
	nodes 1 vxlan '.Backend.Port = 8472'
	agent n1
	ready n1
	wait_for "all of it" 5 is_done
	was=$(ip -n n1 -j link show flannel.1 | jq '.[0].ifindex')
	kill -HUP "$(agent_pid n1)"
	ip -n n1 link set flannel.1 mtu 1300
	wait_for "it has looked again" 5 is_done
	assert_eq "the device is the same" "$(ip -n n1 -j link show flannel.1 | jq '.[0].ifindex')" "$was"
}
