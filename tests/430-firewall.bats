#!/usr/bin/env bats
# firewall with iptables: the rules are those of the reference, whoever made them can be removed by either, nothing is
# forgotten on DEL and GC, and what is forwarded is what the policy says.

load lib/all
load lib/firewall
load lib/forward
sandbox forward

POLICY="CNI firewall plugin rules (ingressPolicy: same-bridge|isolated)"

setup() {
	need_root
	need nft iptables-save ip6tables-save strace
}

# What the reference's newest release does, as commands (1.1.1 has another comment for the policies, and no `isolated`).
reference_rules() { # BRIDGE POLICY IPV4 IPV6
	local program address bridge=$1 policy=$2

	for program in iptables ip6tables; do
		[[ $program == iptables ]] && address=$3/32 || address=$4/128
		"$program" -N CNI-FORWARD
		"$program" -N CNI-ADMIN
		"$program" -I FORWARD 1 -m comment --comment "CNI firewall plugin rules" -j CNI-FORWARD
		"$program" -I CNI-FORWARD 1 -m comment --comment "CNI firewall plugin admin overrides" -j CNI-ADMIN
		"$program" -A CNI-FORWARD -d "$address" -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
		"$program" -A CNI-FORWARD -s "$address" -j ACCEPT
		[[ $policy != open ]] || continue
		"$program" -N CNI-ISOLATION-STAGE-1
		"$program" -N CNI-ISOLATION-STAGE-2
		"$program" -I FORWARD 1 -j CNI-ISOLATION-STAGE-1 -m comment --comment "$POLICY"
		"$program" -I CNI-ISOLATION-STAGE-1 1 -i "$bridge" ! -o "$bridge" -j CNI-ISOLATION-STAGE-2 \
			-m comment --comment "CNI firewall plugin rules (ingressPolicy: $policy)"
		[[ $policy != isolated ]] || "$program" -I CNI-ISOLATION-STAGE-1 1 -i "$bridge" -o "$bridge" -j DROP \
			-m comment --comment "CNI firewall plugin rules (ingressPolicy: isolated)"
		"$program" -A CNI-ISOLATION-STAGE-1 -j RETURN -m comment --comment "$POLICY"
		"$program" -I CNI-ISOLATION-STAGE-2 1 -o "$bridge" -j DROP -m comment --comment "$POLICY"
		"$program" -A CNI-ISOLATION-STAGE-2 -j RETURN -m comment --comment "$POLICY"
	done
}

# All that the programs and the kernel say of the rules; chains are listed in the order of their making.
listings() {
	local program

	for program in iptables ip6tables; do
		"$program"-save -t filter | grep -v '^#' | sort
		for name in FORWARD CNI-FORWARD CNI-ISOLATION-STAGE-1 CNI-ISOLATION-STAGE-2; do
			"$program" -S $name
		done
	done 2>/dev/null
	nft --debug=netlink list ruleset 2>/dev/null | sed -E 's/^(ip6? filter [^ ]+) .*/\1/' | sort
}

# The policies' rules stay, and so do all chains.
pod_rules() {
	rules | grep -E -- '-[sd] '
}

@test "no tool tells our rules from those of the reference's commands" {
	local policy theirs

	for policy in open same-bridge isolated; do
		for first in yes no; do
			nft flush ruleset
			reference_rules cni0 $policy 10.77.0.2 fd77::2
			theirs=$(listings)
			nft flush ruleset
			# Once by programs, which make the table, once by netlink.
			[[ $first == yes ]] || for program in iptables ip6tables; do $program -S >/dev/null; done
			rm -rf /run/cni
			cni_add "$(alone ".ingressPolicy = \"$policy\"")"
			assert_eq "$policy" "$(listings)" "$theirs"
			cni_check "$(alone ".ingressPolicy = \"$policy\"")"
		done
	done
}

@test "the result is the one before" {
	for version in 0.4.0 1.0.0 1.1.0; do
		conf=$(alone ".cniVersion = \"$version\" | .prevResult.cniVersion = \"$version\"
			| if \"$version\" == \"0.4.0\" then .prevResult.ips[] |= (.version = if .address | test(\":\") then \"6\" else \"4\" end) else . end")
		cni_add "$conf"
		assert_same_json "$version" "$(jq 'if .dns == {} then del(.dns) else . end' <<<"$output")" "$(jq .prevResult <<<"$conf")"
		cni_check "$conf"
		cni_del "$conf"
		cni_del "$conf"
		assert_eq "the rules of the addresses are gone" "$(pod_rules)" ""
	done
	cni_version "$(alone)"
	assert_json "versions" "$output" '.supportedVersions == ["0.4.0", "1.0.0", "1.1.0"]'
}

@test "nothing is added twice: not again, and what is shared not beside the reference's" {
	local once

	cni_add "$(alone '.ingressPolicy = "isolated"')"
	once=$(rules)
	cni_add "$(alone '.ingressPolicy = "isolated"')"
	assert_eq "again" "$(rules)" "$once"
	cni_del "$(alone)"
	nft flush ruleset
	need_reference firewall
	PLUGINS=$REFERENCE cni_add "$(alone '.ingressPolicy = "same-bridge"')"
	once=$(rules)
	restore "$(alone '.ingressPolicy = "same-bridge"')"
	assert_eq "beside the reference's" "$(rules)" "$once"
	cni_del "$(alone)"
	cni_add "$(alone '.ingressPolicy = "same-bridge" | .prevResult.ips = [{address: "10.77.0.3/24"}]')" CNI_CONTAINERID=two
	assert_eq "shared rules" "$(rules | grep -vE -- ' -[sd] ')" "$(grep -vE -- ' -[sd] ' <<<"$once")"
	cni_del "$(alone)" CNI_CONTAINERID=two
	PLUGINS=$REFERENCE cni_add "$(alone '.ingressPolicy = "same-bridge"')"
	cni_add "$(alone '.ingressPolicy = "same-bridge"')"
	cni_check "$(alone '.ingressPolicy = "same-bridge"')"
	cni_del "$(alone)"
	assert_eq "both are removed" "$(pod_rules)" ""
}

@test "what the reference added we remove, and what we added it removes" {
	local plugins

	need_reference firewall
	for policy in open same-bridge; do
		conf=$(alone ".ingressPolicy = \"$policy\"")
		PLUGINS=$REFERENCE cni_add "$conf"
		cni_check "$conf"
		cni_del "$conf"
		assert_eq "by us" "$(pod_rules)" ""
		cni_add "$conf"
		PLUGINS=$REFERENCE cni_check "$conf"
		PLUGINS=$REFERENCE cni_del "$conf"
		assert_eq "by the reference" "$(pod_rules)" ""
		# What we remembered of it is taken away in the end, and does no harm before.
		cni_add "$conf"
		assert_eq "again" "$(pod_rules | wc -l)" 4
		cni_del "$conf"
		assert_eq "by us, again" "$(pod_rules)" ""
		refute "nothing is remembered" grep -rs . /run/cni/firewall
	done
}

@test "DEL comes in every form, and removes the rules in each" {
	local form

	while IFS='~' read -r form variables change; do
		echo "== $form"
		rm -f /run/netns/odd && : >/run/netns/odd
		cni_add "$(alone)"
		assert_eq "$form: rules" "$(pod_rules | wc -l)" 4
		conf=$(alone "${change:-.}")
		cni_del "$conf" ${variables:+"$variables"}
		assert_eq "$form" "$(pod_rules)" ""
		cni_del "$conf" ${variables:+"$variables"}
		refute "nothing is remembered" grep -rs . /run/cni/firewall
	done <<-'TABLE'
		with all~~
		no namespace~CNI_NETNS=~
		a namespace that is gone~CNI_NETNS=/run/netns/none~
		a plain file~CNI_NETNS=/run/netns/odd~
		no prevResult~~del(.prevResult)
		a prevResult that is none~~.prevResult = {cniVersion: "9.9", ips: 7}
		a prevResult without addresses~~.prevResult.ips = []
		another back end by now~~.backend = "nftables" | del(.prevResult)
		a policy that does not exist~~.ingressPolicy = "nonsense" | del(.prevResult)
		an admin chain of no name~~.iptablesAdminChainName = "a b"
	TABLE
}

@test "DEL keeps the rules of an address that is another's by now" {
	cni_add "$(alone)"
	cni_add "$(alone)" CNI_CONTAINERID=other
	cni_del "$(alone)" CNI_CONTAINERID=ctr
	cni_del "$(alone)" CNI_CONTAINERID=ctr
	assert_eq "the other keeps them" "$(pod_rules | sort -u | wc -l)" 4
	cni_check "$(alone)" CNI_CONTAINERID=other
	cni_del "$(alone 'del(.prevResult)')" CNI_CONTAINERID=other
	assert_eq "no one is left" "$(pod_rules)" ""
}

@test "GC removes what no valid attachment owns, by network, and nothing without a list" {
	local i conf

	pod() { # N NETWORK
		alone ".name = \"$2\" | .cniVersion = \"1.1.0\" | .prevResult.ips = [{address: \"10.77.$1.2/24\"}]
			| .prevResult.cniVersion = \"1.1.0\""
	}
	for i in 1 2 3; do cni_add "$(pod $i tnet)" CNI_CONTAINERID=pod$i; done
	cni_add "$(pod 4 other)" CNI_CONTAINERID=pod1
	gc() { alone "del(.prevResult) | .cniVersion = \"1.1.0\" $1"; }
	cni_gc "$(gc '')"
	assert_eq "no list" "$(pod_rules | wc -l)" 8
	cni_gc "$(gc '| .["cni.dev/valid-attachments"] = [{containerID: "pod2", ifname: "eth0"}, {containerID: "pod3", ifname: "eth1"}]')"
	assert_eq "those not in the list" "$(pod_rules | grep -o '10.77.[0-9]*' | sort -u | xargs)" "10.77.2 10.77.4"
	cni_gc "$(gc '| .["cni.dev/attachments"] = []')"
	assert_eq "an empty list" "$(pod_rules | grep -o '10.77.[0-9]*' | sort -u)" 10.77.4
	cni_check "$(pod 4 other)" CNI_CONTAINERID=pod1
	cni_gc "$(gc '| .name = "other" | .["cni.dev/valid-attachments"] = []')"
	assert_eq "of the other network" "$(pod_rules)" ""
	refute "nothing is remembered" grep -rs . /run/cni/firewall
}

@test "CHECK names the rule that is missing, and makes nothing" {
	local conf rule before

	conf=$(alone '.ingressPolicy = "isolated"')
	EXPECT=1 cni_check "$conf"
	assert_json "before ADD" "$output" '.msg | test("CNI-FORWARD.* not found$")'
	assert_eq "it made nothing" "$(rules)" ""
	while IFS='~' read -r rule said; do
		cni_add "$conf"
		cni_check "$conf"
		bash -c "iptables -D $rule"
		before=$(rules)
		EXPECT=1 cni_check "$conf"
		assert_json "$rule" "$output" ".msg | test(\"$said.*not found\$\")"
		assert_eq "it made nothing" "$(rules)" "$before"
		cni_add "$conf"
	done <<-TABLE
		FORWARD -m comment --comment "CNI firewall plugin rules" -j CNI-FORWARD~FORWARD
		CNI-FORWARD -m comment --comment "CNI firewall plugin admin overrides" -j CNI-ADMIN~CNI-ADMIN
		CNI-FORWARD -d 10.77.0.2/32 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT~-d 10.77.0.2/32
		CNI-FORWARD -s 10.77.0.2/32 -j ACCEPT~-s 10.77.0.2/32
		FORWARD -m comment --comment "$POLICY" -j CNI-ISOLATION-STAGE-1~CNI-ISOLATION-STAGE-1
		CNI-ISOLATION-STAGE-1 -i cni0 ! -o cni0 -m comment --comment "CNI firewall plugin rules (ingressPolicy: isolated)" -j CNI-ISOLATION-STAGE-2~-i cni0
		CNI-ISOLATION-STAGE-1 -i cni0 -o cni0 -m comment --comment "CNI firewall plugin rules (ingressPolicy: isolated)" -j DROP~-i cni0
		CNI-ISOLATION-STAGE-2 -o cni0 -m comment --comment "$POLICY" -j DROP~-o cni0
	TABLE
}

@test "a policy of DROP does not concern containers" {
	local family address conf

	outside
	container ctr
	iptables -P FORWARD DROP
	ip6tables -P FORWARD DROP
	conf=$(chain cni0 10.77.0.0/24)
	cni_add "$(jq 'del(.plugins[1])' <<<"$conf")" @ctr
	address=$(address_of ctr)
	assert "without us it is blocked" blocked ctr 192.0.2.2
	cni_del "$(jq 'del(.plugins[1])' <<<"$conf")" @ctr
	cni_add "$conf" @ctr
	address=$(address_of ctr)
	pings ctr 192.0.2.2
	pings ctr 2001:db8::2
	assert "nobody connects from outside" blocked outside "$address"
	iptables -I CNI-ADMIN -d "$address" -j ACCEPT
	pings outside "$address"
	iptables -F CNI-ADMIN
	iptables -A CNI-ADMIN -s "$address" -j DROP
	assert "the administrator's rules come first" blocked ctr 192.0.2.2
	cni_del "$conf" @ctr
	assert_eq "the administrator's rule stays" "$(iptables -S CNI-ADMIN | tail -1)" "-A CNI-ADMIN -s $address/32 -j DROP"
}

# Two bridges with two containers each, all with that policy.
neighbours() { # POLICY [JQ]
	local change=".ingressPolicy = \"$1\" | ${2:-.}"

	container a1 a2 b1
	cni_add "$(chain cni0 10.77.0.0/24 "$change")" @a1
	cni_add "$(chain cni0 10.77.0.0/24 "$change")" @a2
	cni_add "$(chain cni1 10.78.0.0/24 "$change")" @b1
}

@test "open: neighbours reach each other" {
	neighbours open
	pings a1 "$(address_of a2)"
	pings a1 "$(address_of b1)"
	pings b1 "$(address_of a1 -6)"
}

@test "same-bridge: a neighbour on another bridge is blocked" {
	outside
	neighbours same-bridge
	pings a1 "$(address_of a2)"
	pings a1 "$(address_of a2 -6)"
	assert "IPv4" blocked a1 "$(address_of b1)"
	assert "IPv6" blocked b1 "$(address_of a1 -6)"
	pings a1 192.0.2.2
	pings outside "$(address_of a1)"
}

@test "isolated: every neighbour is blocked, whatever was there before" {
	outside
	# The jump of the containers' rules comes later, but not before that of the policy.
	neighbours isolated
	assert "same bridge" blocked a1 "$(address_of a2)"
	assert "same bridge, IPv6" blocked a2 "$(address_of a1 -6)"
	assert "another bridge" blocked a1 "$(address_of b1)"
	pings a1 192.0.2.2
	iptables -D FORWARD -m comment --comment "CNI firewall plugin rules" -j CNI-FORWARD
	container a3
	cni_add "$(chain cni0 10.77.0.0/24 '.ingressPolicy = "isolated"')" @a3
	assert "still the same bridge" blocked a3 "$(address_of a2)"
	assert "still another bridge" blocked a3 "$(address_of b1)"
}

@test "isolated cannot be promised where bridges do not ask" {
	container ctr
	echo 0 >/proc/sys/net/bridge/bridge-nf-call-iptables
	before=$(rules)
	EXPECT=any cni_add "$(chain cni0 10.77.0.0/24 '.ingressPolicy = "isolated"')" @ctr
	if [[ $status == 0 ]]; then
		assert "frames are looked at" nft list chain bridge cni_firewall forward
	else
		assert_json "it is said" "$output" '.msg | test("ingress policy \"isolated\".*bridge-nf-call-iptables")'
		assert_eq "no rules are left" "$(pod_rules)" ""
	fi
}

@test "one transaction: 32 ADDs at once make shared rules once, 32 DELs leave them" {
	local i failed=0
	local -a pids=()

	one() { # COMMAND N
		env CNI_COMMAND="$1" CNI_CONTAINERID="pod$2" CNI_NETNS=/run/netns/x CNI_IFNAME=eth0 CNI_PATH="$PLUGINS" \
			"$PLUGINS/firewall" <<<"$(alone ".ingressPolicy = \"isolated\" | .prevResult.ips = [{address: \"10.77.$2.2/24\"},
				{address: \"fd77::$2:2/64\"}] | .prevResult.interfaces[0].name = \"cni$(($2 % 4))\"")" >"$BATS_TEST_TMPDIR/$1.$2" 2>&1
	}
	for i in {1..32}; do one ADD "$i" & pids+=($!); done
	for i in "${pids[@]}"; do wait "$i" || failed=1; done
	[[ $failed == 0 ]] || flunk "an ADD failed" "$(cat "$BATS_TEST_TMPDIR"/ADD.*)"
	assert_eq "rules of addresses" "$(pod_rules | wc -l)" $((32 * 4))
	assert_eq "nothing twice" "$(rules | sort | uniq -d)" ""
	assert_eq "shared rules" "$(rules | grep -vcE -- '-[sd] | -N ')" $((2 * (3 + 4 * 3 + 2)))
	for program in iptables ip6tables; do
		assert_match "the policy comes first" "$($program -S FORWARD | sed -n 2p)" ISOLATION-STAGE-1
		assert_match "RETURN comes last" "$($program -S CNI-ISOLATION-STAGE-1 | tail -1)" RETURN
		assert_match "RETURN comes last" "$($program -S CNI-ISOLATION-STAGE-2 | tail -1)" RETURN
	done
	pids=()
	for i in {1..32}; do one DEL "$i" & pids+=($!); done
	for i in "${pids[@]}"; do wait "$i" || failed=1; done
	[[ $failed == 0 ]] || flunk "a DEL failed" "$(cat "$BATS_TEST_TMPDIR"/DEL.*)"
	assert_eq "all are gone" "$(pod_rules)" ""
	assert_eq "shared rules stay" "$(rules | grep -vcE -- ' -N ')" $((2 * (3 + 4 * 3 + 2)))
}

@test "mistakes are told with their code" {
	while IFS='~' read -r change code message; do
		EXPECT=1 cni_add "$(alone "$change")"
		assert_json "$change" "$output" '[.code, .msg]' "$(jq -cn --arg m "$message" "[$code, \$m]")"
		assert_eq "no rules" "$(rules)" ""
	done <<-'TABLE'
		.ingressPolicy = "closed"~7~unknown ingress policy: "closed"
		.ingressPolicy = 5~6~failed to load netconf: ingressPolicy: expected a string, found number
		del(.prevResult)~7~missing prevResult from earlier plugin
		.prevResult.cniVersion = "0.4.0"~6~could not parse prevResult: result type supports [1.0.0 1.1.0] but unmarshalled CNIVersion is "0.4.0"
		.ingressPolicy = "same-bridge" | .prevResult.interfaces = []~7~interface needs to be set for ingress policy "same-bridge", make sure to chain "firewall" plugin with "bridge"
		.ingressPolicy = "same-bridge" | .prevResult.interfaces[0].name = ""~7~got empty bridge name
		.iptablesAdminChainName = "a b"~7~iptablesAdminChainName: "a b" is not a name of an iptables chain
		.iptablesAdminChainName = "A-NAME-OF-MORE-THAN-28-LETTERS"~7~iptablesAdminChainName: "A-NAME-OF-MORE-THAN-28-LETTERS" is not a name of an iptables chain
		.cniVersion = "0.3.1"~1~incompatible CNI versions
	TABLE
}

@test "keys in any case, an admin chain of another name, a result without addresses" {
	cni_add "$(alone '.IngressPolicy = "same-bridge" | .IPTABLESADMINCHAINNAME = "MINE" | .Backend = "iptables"')"
	assert_match "the chain" "$(iptables -S CNI-FORWARD)" 'admin overrides" -j MINE'
	assert "the policy" iptables -S CNI-ISOLATION-STAGE-1
	cni_del "$(alone)"
	nft flush ruleset
	cni_add "$(alone '.prevResult.ips = []')"
	assert_eq "no rules" "$(rules)" ""
	cni_add "$(alone '.prevResult.ips = [{address: "10.77.0.2/24"}] | .ingressPolicy = "same-bridge"')"
	refute "no rules of the other family" grep -q ^ip6tables <<<"$(rules)"
}

@test "one family's tools are enough where the other is not asked for" {
	local dir=$BATS_TEST_TMPDIR/bin name

	mount -t tmpfs tmpfs /etc/alternatives
	for name in iptables iptables-save iptables-restore; do ln -s /usr/sbin/xtables-nft-multi /etc/alternatives/$name; done
	cni_add "$(alone '.prevResult.ips = [{address: "10.77.0.2/24"}]')"
	assert_eq "rules" "$(pod_rules | wc -l)" 2
	cni_check "$(alone '.prevResult.ips = [{address: "10.77.0.2/24"}]')"
	cni_del "$(alone '.prevResult.ips = [{address: "10.77.0.2/24"}]')"
	assert_eq "no rules" "$(pod_rules)" ""
	EXPECT=1 cni_add "$(alone '.backend = "iptables"')"
	assert_json "what is missing is named" "$output" '.msg | test("ip6tables-restore: not found")'
	assert_eq "nothing is left" "$(pod_rules)" ""
}

@test "legacy iptables" {
	use_legacy
	conf=$(alone '.ingressPolicy = "isolated"')
	cni_add "$conf"
	cni_add "$conf"
	assert_eq "rules of addresses" "$(pod_rules | wc -l)" 4
	assert_eq "nothing twice" "$(rules | sort | uniq -d)" ""
	assert_match "the legacy program has them" "$(iptables-legacy -S CNI-FORWARD)" "10.77.0.2/32"
	cni_check "$conf"
	iptables -D CNI-FORWARD -s 10.77.0.2/32 -j ACCEPT
	EXPECT=1 cni_check "$conf"
	assert_json "it says what is missing" "$output" '.msg | test("-s 10.77.0.2/32.*not found$")'
	restore "$conf"
	cni_check "$conf"
	if [[ -x $REFERENCE/firewall ]]; then
		PLUGINS=$REFERENCE cni_check "$(alone)"
	fi
	cni_del "$(alone 'del(.prevResult)')"
	assert_eq "removed" "$(pod_rules)" ""
	assert_match "shared chains stay" "$(rules)" "CNI-ISOLATION-STAGE-2"
}

@test "what was flushed is put back, and what is there left alone" {
	local before conf

	conf=$(alone '.ingressPolicy = "isolated"')
	cni_add "$conf"
	before=$(listings)
	for flush in "iptables -F CNI-FORWARD" "ip6tables -F" "nft flush ruleset" "true"; do
		$flush
		restore "$conf"
		assert_eq "$flush" "$(listings)" "$before"
	done
	cni_del "$(alone 'del(.prevResult)')"
	assert_eq "DEL finds what was restored" "$(pod_rules)" ""
}

@test "the first ADD runs one program for each family, later ones and DEL none" {
	programs() {
		grep -v ' = -1' "$BATS_TEST_TMPDIR/trace" | sed -nE 's/.* execve\("([^"]*)".*/\1/p' | sed '1d; s,.*/,,' | xargs
	}
	conf=$(alone '.ingressPolicy = "same-bridge"')
	CNI_WRAP=(strace -f -qq -e trace=execve -o "$BATS_TEST_TMPDIR/trace")
	cni_add "$conf"
	assert_eq "the first" "$(programs)" "iptables-restore ip6tables-restore"
	cni_add "$(jq -c '.prevResult.ips = [{address: "10.77.0.3/24"}, {address: "fd77::3/64"}]' <<<"$conf")" CNI_CONTAINERID=two
	assert_eq "the second" "$(programs)" ""
	cni_check "$conf"
	assert_eq "CHECK" "$(programs)" ""
	cni_del "$conf"
	assert_eq "DEL" "$(programs)" ""
}

@test "STATUS: 50 where no back end can be used" {
	cni_status "$(alone 'del(.prevResult) | .cniVersion = "1.1.0"')"
	cni_status "$(alone 'del(.prevResult) | .cniVersion = "1.1.0" | .backend = "nftables"')"
	EXPECT=1 cni_status "$(alone 'del(.prevResult) | .cniVersion = "1.1.0" | .backend = "firewalld"')"
	assert_json "no bus" "$output" '.code == 50 and (.msg | test("^firewalld: system bus: connect to .*: No such file"))'
	mount -t tmpfs tmpfs /etc/alternatives
	EXPECT=1 cni_status "$(alone 'del(.prevResult) | .cniVersion = "1.1.0" | .backend = "iptables"')"
	assert_json "no iptables" "$output" '.code == 50 and (.msg | test("iptables-restore: not found"))'
	cni_status "$(alone 'del(.prevResult) | .cniVersion = "1.1.0"')"
}
