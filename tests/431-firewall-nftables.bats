#!/usr/bin/env bats
# firewall with nftables: one table with seven rules that look into sets, whatever the number of containers. Elements
# tell whose they are; rules of people are left alone.

load lib/all
load lib/forward
sandbox forward

HASH=4dfa0667e74383ec-75d51f4ce12ee541        # network tnet; interface eth0, container ctr

setup() {
	need_root
	need nft strace
}

nft_alone() { # [JQ]
	alone ".backend = \"nftables\" | ${1:-.}"
}

nft_chain() { # BRIDGE SUBNET [JQ]
	chain "$1" "$2" ".backend = \"nftables\" | ${3:-.}"
}

table() {
	nft list table inet cni_firewall | sed 's/^\t*//'
}

# Elements of a set, less their comments.
elements() { # SET
	nft -j list set inet cni_firewall "$1" | jq -r '.nftables[].set? // empty | .elem // [] | .[] | (if type == "object" and .elem then .elem.val else . end) | if type == "object" then .concat | join(" ") else . end' | sort | xargs
}

pods() {
	echo "$(elements pods4) $(elements pods6)" | xargs
}

@test "the table, as a person would have written it" {
	cni_add "$(nft_alone '.ingressPolicy = "isolated"')"
	assert_eq "chains" "$(table | sed -n '/^chain/,/^}/p')" "$(sed 's/^\t*//' <<-'END'
		chain admin {
		comment "yours: asked before all others"
		}
		chain forward {
		type filter hook forward priority filter; policy accept;
		jump admin comment "rules of the administrator"
		iifname . oifname @isolated drop comment "containers of an isolated bridge"
		iifname @bridges oifname @bridges iifname . oifname != @within drop comment "bridges that are kept apart"
		ct state established,related ip daddr @pods4 accept comment "answers to containers"
		ip saddr @pods4 accept comment "from containers"
		ct state established,related ip6 daddr @pods6 accept comment "answers to containers"
		ip6 saddr @pods6 accept comment "from containers"
		}
	END
	)"
	assert_eq "elements" "$(pods) $(elements bridges) $(elements isolated) $(elements within)" \
		"10.77.0.2 fd77::2 cni0 cni0 cni0 "
	assert_match "whose they are" "$(table)" "10.77.0.2 comment \"$(printf 'tnet' | sha512sum | cut -c1-16)-$(printf 'eth0:ctr' | sha512sum | cut -c1-16), net: tnet, if: eth0, id: ctr\""
	# What nft prints it reads, and the same comes out.
	table >"$BATS_TEST_TMPDIR/table"
	nft flush ruleset
	nft -f "$BATS_TEST_TMPDIR/table"
	assert_eq "read back" "$(table)" "$(<"$BATS_TEST_TMPDIR/table")"
	cni_check "$(nft_alone '.ingressPolicy = "isolated"')"
	assert_eq "no rules of iptables" "$(rules)" ""
	refute "nothing is written down" test -e /run/cni/firewall
}

@test "the result is the one before; every version" {
	for version in 0.4.0 1.0.0 1.1.0; do
		conf=$(nft_alone ".cniVersion = \"$version\" | .prevResult.cniVersion = \"$version\"
			| if \"$version\" == \"0.4.0\" then .prevResult.ips[] |= (.version = if .address | test(\":\") then \"6\" else \"4\" end) else . end")
		cni_add "$conf"
		assert_same_json "$version" "$(jq 'if .dns == {} then del(.dns) else . end' <<<"$output")" "$(jq .prevResult <<<"$conf")"
		cni_check "$conf"
		cni_add "$conf"
		cni_del "$conf"
		cni_del "$conf"
		assert_eq "the addresses are gone" "$(pods)" ""
	done
}

@test "DEL comes in every form, and removes the elements in each" {
	local form

	while IFS='~' read -r form variables change; do
		echo "== $form"
		rm -f /run/netns/odd && : >/run/netns/odd
		cni_add "$(nft_alone)"
		assert_eq "$form: elements" "$(pods)" "10.77.0.2 fd77::2"
		conf=$(nft_alone "${change:-.}")
		cni_del "$conf" ${variables:+"$variables"}
		assert_eq "$form" "$(pods)" ""
		cni_del "$conf" ${variables:+"$variables"}
	done <<-'TABLE'
		with all~~
		no namespace~CNI_NETNS=~
		a plain file~CNI_NETNS=/run/netns/odd~
		no prevResult~~del(.prevResult)
		a prevResult that is none~~.prevResult = {cniVersion: "9.9", ips: 7}
		another back end by now~~.backend = "iptables" | del(.prevResult)
		nothing said of the back end~~del(.backend)
	TABLE
}

@test "who has an address keeps it: a late DEL of its last owner does nothing" {
	cni_add "$(nft_alone)"
	cni_add "$(nft_alone)" CNI_CONTAINERID=other
	assert_match "it is the other's" "$(table)" "10.77.0.2 comment \"[^\"]*id: other\""
	cni_del "$(nft_alone)"
	cni_del "$(nft_alone 'del(.prevResult)')"
	cni_check "$(nft_alone)" CNI_CONTAINERID=other
	EXPECT=1 cni_check "$(nft_alone)"
	cni_del "$(nft_alone)" CNI_CONTAINERID=other
	assert_eq "no one is left" "$(pods)" ""
}

@test "GC removes what no valid attachment owns, by network, and nothing without a list" {
	pod() { # N NETWORK
		nft_alone ".name = \"$2\" | .prevResult.ips = [{address: \"10.77.$1.2/24\"}]"
	}
	for i in 1 2 3; do cni_add "$(pod $i tnet)" CNI_CONTAINERID=pod$i; done
	cni_add "$(pod 4 other)" CNI_CONTAINERID=pod1
	gc() { nft_alone "del(.prevResult) | .cniVersion = \"1.1.0\" $1"; }
	cni_gc "$(gc '')"
	assert_eq "no list" "$(pods)" "10.77.1.2 10.77.2.2 10.77.3.2 10.77.4.2"
	cni_gc "$(gc '| .["cni.dev/valid-attachments"] = [{containerID: "pod2", ifname: "eth0"}, {containerID: "pod3", ifname: "eth1"}]')"
	assert_eq "those not in the list" "$(pods)" "10.77.2.2 10.77.4.2"
	cni_gc "$(gc '| .["cni.dev/attachments"] = []')"
	assert_eq "an empty list" "$(pods)" "10.77.4.2"
	cni_gc "$(gc '| .name = "other" | .["cni.dev/valid-attachments"] = []')"
	assert_eq "of the other network" "$(pods)" ""
}

@test "CHECK names what is missing and makes nothing; restore puts it back, and people's rules stay" {
	local conf command said before

	conf=$(nft_alone '.ingressPolicy = "same-bridge"')
	EXPECT=1 cni_check "$conf"
	assert_eq "it made nothing" "$(nft list tables)" ""
	cni_add "$conf"
	nft add rule inet cni_firewall admin ip saddr 10.77.0.9 drop
	nft chain inet cni_firewall forward '{ policy drop; }'
	before=$(table)
	while IFS='~' read -r command said; do
		cni_check "$conf"
		eval "$command"
		EXPECT=1 cni_check "$conf"
		assert_json "$command" "$output" ".msg | test(\"$said\")"
		restore "$conf"
		assert_eq "$command: put back" "$(table)" "$before"
	done <<-'TABLE'
		nft delete element inet cni_firewall pods4 '{ 10.77.0.2 }'~element of set pods4 .* not found
		nft flush set inet cni_firewall bridges~element of set bridges .* not found
		nft flush set inet cni_firewall within~element of set within .* not found
		nft flush chain inet cni_firewall forward~rule .rules of the administrator. of chain forward .* not found
		nft insert rule inet cni_firewall forward accept~rule .rules of the administrator. of chain forward .* not found
	TABLE
	nft flush ruleset
	restore "$conf"
	cni_check "$conf"
	cni_del "$conf"
}

@test "traffic: the node forwards for containers only once its policy is drop, and the administrator comes first" {
	outside
	container ctr other
	conf=$(nft_chain cni0 10.77.0.0/24)
	cni_add "$conf" @ctr
	cni_add "$(jq 'del(.plugins[1]) | .name = "plain"' <<<"$conf")" @other
	pings other 192.0.2.2
	nft chain inet cni_firewall forward '{ policy drop; }'
	pings ctr 192.0.2.2
	pings ctr 2001:db8::2
	assert "whom we do not know is blocked" blocked other 192.0.2.2
	assert "nobody connects from outside" blocked outside "$(address_of ctr)"
	nft add rule inet cni_firewall admin ip daddr "$(address_of ctr)" accept
	pings outside "$(address_of ctr)"
	nft flush chain inet cni_firewall admin
	nft add rule inet cni_firewall admin ip saddr "$(address_of ctr)" drop
	assert "the administrator's rules come first" blocked ctr 192.0.2.2
	nft flush chain inet cni_firewall admin
	cni_del "$conf" @ctr
}

@test "traffic: policies keep bridges apart, and the containers of an isolated one" {
	outside
	container a1 a2 b1 o1
	both='.ingressPolicy = "same-bridge"'
	cni_add "$(nft_chain cni0 10.77.0.0/24 "$both")" @a1
	cni_add "$(nft_chain cni0 10.77.0.0/24 "$both")" @a2
	cni_add "$(nft_chain cni1 10.78.0.0/24 "$both")" @b1
	cni_add "$(nft_chain cni2 10.79.0.0/24)" @o1
	pings a1 "$(address_of a2)"
	assert "IPv4" blocked a1 "$(address_of b1)"
	assert "IPv6" blocked b1 "$(address_of a1 -6)"
	pings a1 192.0.2.2
	pings outside "$(address_of a1)"
	pings a1 "$(address_of o1)"
	pings o1 "$(address_of b1)"
	cni_add "$(nft_chain cni0 10.77.0.0/24 '.ingressPolicy = "isolated"')" @a2 CNI_IFNAME=eth1
	assert "the strictest counts" blocked a1 "$(address_of a2)"
	assert "still another bridge" blocked a1 "$(address_of b1)"
	pings a1 192.0.2.2
}

@test "one transaction: 32 ADDs at once make the table once, 32 DELs leave it" {
	local i failed=0
	local -a pids=()

	one() { # COMMAND N
		env CNI_COMMAND="$1" CNI_CONTAINERID="pod$2" CNI_NETNS=/run/netns/x CNI_IFNAME=eth0 CNI_PATH="$PLUGINS" \
			"$PLUGINS/firewall" <<<"$(nft_alone ".ingressPolicy = \"same-bridge\" | .prevResult.ips = [{address: \"10.77.$2.2/24\"},
				{address: \"fd77::$2:2/64\"}] | .prevResult.interfaces[0].name = \"cni$(($2 % 4))\"")" >"$BATS_TEST_TMPDIR/$1.$2" 2>&1
	}
	for i in {1..32}; do one ADD "$i" & pids+=($!); done
	for i in "${pids[@]}"; do wait "$i" || failed=1; done
	[[ $failed == 0 ]] || flunk "an ADD failed" "$(cat "$BATS_TEST_TMPDIR"/ADD.*)"
	assert_eq "elements" "$(pods | wc -w) $(elements bridges)" "64 cni0 cni1 cni2 cni3"
	assert_eq "rules" "$(nft list chain inet cni_firewall forward | grep -c comment)" 7
	pids=()
	for i in {1..32}; do one DEL "$i" & pids+=($!); done
	for i in "${pids[@]}"; do wait "$i" || failed=1; done
	[[ $failed == 0 ]] || flunk "a DEL failed" "$(cat "$BATS_TEST_TMPDIR"/DEL.*)"
	assert_eq "elements" "$(pods) $(elements bridges)" " cni0 cni1 cni2 cni3"
}

@test "no program is run, and an ADD or DEL sends as much with 500 others as with none" {
	counts() {
		grep -v ' = -1' "$BATS_TEST_TMPDIR/trace" | sed -nE 's/.* execve\("([^"]*)".*/\1/p' | sed 1d
		grep -cE '(sendmsg|recvmsg)\(' "$BATS_TEST_TMPDIR/trace"
	}
	CNI_WRAP=(strace -f -qq -e "trace=execve,sendmsg,recvmsg" -o "$BATS_TEST_TMPDIR/trace")
	cni_add "$(nft_alone)" CNI_CONTAINERID=first
	cni_add "$(nft_alone '.prevResult.ips = [{address: "10.77.0.3/24"}]')"
	add=$(counts)
	cni_del "$(nft_alone '.prevResult.ips = [{address: "10.77.0.3/24"}]')"
	del=$(counts)
	nft -f <(echo "add element inet cni_firewall pods4 {"; for i in {1..500}; do echo "10.$((i / 200)).$((i % 200)).2 comment \"x\","; done; echo "}")
	cni_add "$(nft_alone '.prevResult.ips = [{address: "10.77.0.3/24"}]')"
	assert_eq "ADD" "$(counts)" "$add"
	cni_del "$(nft_alone '.prevResult.ips = [{address: "10.77.0.3/24"}]')"
	assert_eq "DEL" "$(counts)" "$del"
}

@test "without iptables, nftables is what is taken; a table that is not ours is told" {
	mount -t tmpfs tmpfs /etc/alternatives
	cni_add "$(alone '.ingressPolicy = "same-bridge"')"
	assert_eq "elements" "$(pods)" "10.77.0.2 fd77::2"
	cni_check "$(alone '.ingressPolicy = "same-bridge"')"
	cni_del "$(alone)"
	nft flush ruleset
	nft add table inet cni_firewall
	nft add set inet cni_firewall pods4 '{ type inet_service; }'
	before=$(nft list ruleset)
	EXPECT=1 cni_add "$(alone)"
	assert_json "the set is named" "$output" '.msg | test("set inet cni_firewall pods4: ")'
	assert_eq "nothing has changed" "$(nft list ruleset)" "$before"
}
