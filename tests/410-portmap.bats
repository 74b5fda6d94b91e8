#!/usr/bin/env bats
# portmap: ports of the host lead to a container, in both layouts of the reference; whoever made the rules can be
# removed by either; a port that somebody has is told. Real packets are in 411.

# Every test has a RUNTIME of its own, which is what it should be.
# shellcheck disable=SC2030,SC2031
# Runs with musl, too.

load lib/all
load lib/portmap
sandbox forward

setup() {
	portmap_setup
	need strace
}

external_chains() {
	iptables -t nat -N KUBE-MARK-MASQ
	ip6tables -t nat -N KUBE-MARK-MASQ
}

@test "iptables: rule for rule what the reference makes, whatever is configured" {
	local theirs change conf id
	local -x RUNTIME

	need_reference portmap
	for change in '.' '.snat = false' '.markMasqBit = 5' '.externalSetMarkChain = "KUBE-MARK-MASQ"' \
		'.conditionsV4 = ["!", "-d", "192.0.2.0/24"] | .conditionsV6 = ["-i", "eth0", "-m", "mark", "--mark", "1"]'; do
		RUNTIME=$(ports 8080:80 8081:81/udp 8082:82/tcp@192.0.2.1 8083:83/udp@::1 8084:84/tcp@0.0.0.0)
		id=ctr1
		# The comment is cut, and there are two entry rules.
		[[ $change != . ]] || { RUNTIME=$(ports {8000..8016}:80 8000:80/udp); id=$(printf 'x%.0s' {1..140}); }
		conf=$(portmap "" 1 "$change | if \"$id\" != \"ctr1\" then .name = \"n\" * 100 else . end")
		external_chains
		PLUGINS=$REFERENCE cni_add "$conf" @ctr1 CNI_CONTAINERID="$id"
		theirs=$(xt_rules)
		assert_match "it makes rules" "$theirs" "CNI-DN-"
		nft flush ruleset
		external_chains
		cni_add "$conf" @ctr1 CNI_CONTAINERID="$id"
		assert_eq "the same rules: $change" "$(xt_rules | sort)" "$(sort <<<"$theirs")"
		assert_eq "in the same order: $change" "$(xt_rules | grep ^-A)" "$(grep ^-A <<<"$theirs")"
		cni_check "$conf" @ctr1 CNI_CONTAINERID="$id"
		cni_del "$conf" @ctr1 CNI_CONTAINERID="$id"
		assert_eq "again, by netlink alone" "$(programs "$conf" @ctr1 CNI_CONTAINERID="$id")" \
			"$([[ $change == *conditions* ]] && printf 'iptables-restore\nip6tables-restore')"
		assert_eq "the same in all chains of ours: $change" "$(xt_rules | grep ^-A)" "$(grep ^-A <<<"$theirs")"
		nft flush ruleset
	done
}

@test "iptables: no tool tells our rules from those of iptables-restore" {
	local theirs program rule
	local -x RUNTIME

	RUNTIME=$(ports 8080:80 8081:81/udp 8082:82/sctp@192.0.2.1)
	cni_add "$(portmap iptables 1)" @ctr1
	theirs=$(listings)
	cni_del "$(portmap iptables 1)" @ctr1
	assert_eq "programs" "$(programs "$(portmap iptables 1)" @ctr1)" ""
	assert_eq "the same" "$(listings | sort)" "$(sort <<<"$theirs")"
	for program in iptables ip6tables; do
		while read -r rule; do
			eval "$program -t nat -C ${rule#-A }" || flunk "$program -C ${rule#-A }"
		done < <("$program-save" -t nat | grep ^-A)
		while read -r rule; do
			eval "$program -t nat -D ${rule#-A }" || flunk "$program -D ${rule#-A }"
		done < <("$program-save" -t nat | grep ^-A)
	done
	assert_eq "removed by them" "$(xt_rules | grep ^-A || :)" ""
}

@test "iptables: we remove what the reference made, it removes what we made" {
	local conf
	local -x RUNTIME

	need_reference portmap
	RUNTIME=$(ports 8080:80 8081:81/udp 8082:82/tcp@192.0.2.1)
	conf=$(portmap "" 1)
	PLUGINS=$REFERENCE cni_add "$conf" @ctr1
	cni_del "$conf" @ctr1
	assert_eq "nothing is left by us" "$(own_rules)" ""
	PLUGINS=$REFERENCE cni_add "$conf" @ctr1
	RUNTIME=null cni_del "$(portmap "" 1 'del(.prevResult)')" @ctr1 CNI_NETNS=
	assert_eq "nor without mappings, result and namespace" "$(own_rules)" ""
	cni_add "$conf" @ctr1
	assert_match "there are rules" "$(own_rules)" "$CHAIN"
	PLUGINS=$REFERENCE cni_del "$conf" @ctr1
	assert_eq "nothing is left by the reference" "$(own_rules)" ""
	# The reference finds ours, adds none, and the other way round.
	cni_add "$conf" @ctr1
	ours=$(xt_rules)
	PLUGINS=$REFERENCE cni_add "$conf" @ctr1
	cni_check "$conf" @ctr1
	assert_eq "after both" "$(xt_rules | sort -u)" "$(sort -u <<<"$ours")"
	cni_del "$conf" @ctr1
	assert_eq "nothing is left" "$(own_rules)" ""
}

@test "iptables: chains of older releases of the reference are removed, too" {
	local old=CNI-SN-${CHAIN#CNI-DN-}

	iptables -t nat -N CNI-HOSTPORT-SNAT
	iptables -t nat -N "$old"
	iptables -t nat -A "$old" -s 10.77.0.1 -d 10.77.0.1 -j MASQUERADE
	iptables -t nat -A CNI-HOSTPORT-SNAT -m comment --comment x -j "$old"
	cni_del "$(portmap iptables 1)" @ctr1
	assert_eq "nothing of it is left" "$(xt_rules)" ":CNI-HOSTPORT-SNAT -"
}

@test "nftables: one element for each port, nothing but elements for the next container" {
	local before

	RUNTIME=$(ports 8080:80 8081:81/udp@192.0.2.1) cni_add "$(portmap nftables 1)" @ctr1
	before=$(nft list ruleset)
	RUNTIME=$(ports 9080:80) cni_add "$(portmap nftables 2)" @ctr2
	assert_eq "the same chains and rules" "$(nft list ruleset | without_elements)" "$(without_elements <<<"$before")"
	assert_eq "what leads where" "$(elements ip ports_any)" $'tcp . 8080 : 10.77.0.1 . 80\ntcp . 9080 : 10.77.0.2 . 80'
	assert_eq "for one address" "$(elements ip ports_address)" '192.0.2.1 . udp . 8081 : 10.77.0.1 . 81'
	assert_eq "IPv6" "$(elements ip6 ports_any)" $'tcp . 8080 : fd77::1 . 80\ntcp . 9080 : fd77::2 . 80'
	cni_check "$(portmap nftables 2)" @ctr2
	RUNTIME=null cni_del "$(portmap nftables 2 'del(.prevResult)')" @ctr2 CNI_NETNS=
	assert_eq "only the other is left" "$(nft list ruleset)" "$before"
	cni_del "$(portmap nftables 1)" @ctr1
	cni_del "$(portmap nftables 1)" @ctr1
	assert_eq "no element is left" "$(nft list ruleset | grep -c elements)" 0
}

@test "nftables: a range of ports, shifted" {
	local r='{"portMappings": [{"hostPort": 9000, "containerPort": 80, "protocol": "UDP", "range": 300}]}'

	RUNTIME=$r cni_add "$(portmap nftables 1)" @ctr1
	assert_eq "one for each" "$(elements ip ports_any | wc -l)" 300
	assert_match "the last" "$(elements ip ports_any)" 'udp . 9299 : 10.77.0.1 . 379'
	RUNTIME=$r cni_check "$(portmap nftables 1)" @ctr1
	RUNTIME=$r cni_del "$(portmap nftables 1)" @ctr1
	assert_eq "no element is left" "$(nft list ruleset | grep -c elements)" 0
	RUNTIME=$r cni_add "$(portmap iptables 1)" @ctr1
	assert_match "one rule" "$(xt_rules)" "-p udp -m udp --dport 9000:9299 -j DNAT --to-destination 10.77.0.1:80-379/9000"
	RUNTIME=$r cni_check "$(portmap iptables 1)" @ctr1
	cni_del "$(portmap iptables 1)" @ctr1
	assert_eq "no rule is left" "$(own_rules)" ""
}

@test "a table that somebody damaged is put right by the next container" {
	local base chain

	RUNTIME=$(ports 8080:80) cni_add "$(portmap nftables 1)" @ctr1
	base=$(nft list ruleset | without_elements)
	for chain in ports_prerouting ports_dnat ports_masquerade ports_martians; do
		nft flush chain ip cni_hostport $chain
		RUNTIME=$(ports 8080:80) EXPECT=1 cni_check "$(portmap nftables 1)" @ctr1
		RUNTIME=$(ports 9080:80) cni_add "$(portmap nftables 2)" @ctr2
		assert_eq "$chain" "$(nft list ruleset | without_elements)" "$base"
		RUNTIME=$(ports 8080:80) cni_check "$(portmap nftables 1)" @ctr1
		cni_del "$(portmap nftables 2)" @ctr2
	done
	nft flush ruleset
	RUNTIME=$(ports 9080:80) cni_add "$(portmap nftables 2)" @ctr2
	assert_eq "all of it" "$(nft list ruleset | without_elements)" "$base"
}

@test "nftables: rules of the reference are removed, and kept apart by address; its flushes do not hurt ours" {
	reference_nft ctr1 10.77.0.1 8080
	reference_nft ctr1 10.78.0.9 8088           # another network of the same container
	RUNTIME=$(ports 9080:80) cni_add "$(portmap nftables 1)" @ctr1
	nft flush chain ip cni_hostport prerouting
	nft flush chain ip cni_hostport output
	nft flush chain ip cni_hostport hostports_all
	RUNTIME=$(ports 9080:80) cni_check "$(portmap nftables 1)" @ctr1
	cni_del "$(portmap nftables 1)" @ctr1
	assert_eq "of the reference's" "$(nft list ruleset | grep -c 'comment "ctr1"')" 3
	refute "those of this network" grep 10.77.0.1 <(nft list ruleset)
	RUNTIME=null cni_del "$(portmap nftables 1 'del(.prevResult)')" @ctr1
	assert_eq "without a result all of them" "$(nft list ruleset | grep -c 'comment "ctr1"')" 0
}

@test "DEL needs no namespace, no result, no mappings and no program, and may come twice" {
	local backend conf

	touch "$BATS_TEST_TMPDIR/plain"
	for backend in iptables nftables; do
		conf=$(portmap $backend 1 'del(.prevResult)')
		RUNTIME=$(ports 8080:80 8081:81/udp@192.0.2.1) cni_add "$(portmap $backend 1)" @ctr1
		traced cni_del "$conf" @ctr1 CNI_NETNS=
		assert_eq "$backend: nothing is left" "$(remains)" ""
		assert_eq "no program was run" "$(grep -cE 'execve.*(tables|nft)' "$BATS_TEST_TMPDIR/trace")" 0
		cni_del "$conf" @ctr1 CNI_NETNS=/run/netns/gone
		cni_del "$conf" @ctr1 CNI_NETNS="$BATS_TEST_TMPDIR/plain"
		cni_del "$(jq -c '.snat = 7 | .backend = "pf" | .markMasqBit = 99 | .conditionsV4 = 5' <<<"$conf")" @ctr1
	done
}

@test "GC removes the network's stale mappings and nothing else" {
	local backend other

	for backend in iptables nftables; do
		other=$(portmap $backend 9 '.name = "other"')
		RUNTIME=$(ports 8080:80 8080:80/udp) cni_add "$(portmap $backend 1)" @ctr1
		RUNTIME=$(ports 8081:80 8083:80/tcp@192.0.2.1) cni_add "$(portmap $backend 2)" @ctr2
		RUNTIME=$(ports 8082:80) cni_add "$other" @ctr9
		cni_gc "$(portmap $backend 1 '.cniVersion = "1.1.0"')"
		assert_eq "$backend: without the key nothing happens" "$(mapped)" "8080 8081 8082 8083"
		cni_gc "$(portmap $backend 1 '.cniVersion = "1.1.0" | .["cni.dev/valid-attachments"] = [{containerID: "ctr2", ifname: "eth0"}]')"
		assert_eq "$backend: the stale one" "$(mapped)" "8081 8082 8083"
		cni_gc "$(portmap $backend 1 '.cniVersion = "1.1.0" | .["cni.dev/attachments"] = []')"
		assert_eq "$backend: all of the network" "$(mapped)" "8082"
		cni_del "$other" @ctr9
		assert_eq "$backend: nothing is left" "$(remains)" ""
	done
}

@test "CHECK is exact, with one family too, and finds the rules in either form; restore puts them back" {
	local backend conf
	local -x RUNTIME

	RUNTIME=$(ports 8080:80 8081:81/udp)
	for backend in iptables nftables; do
		conf=$(portmap $backend 1 '.prevResult.ips |= [.[] | select(.address | contains(":") | not)]')
		cni_add "$conf" @ctr1
		cni_check "$conf" @ctr1
		cni_check "$(jq -c '.backend = (if .backend == "iptables" then "nftables" else "iptables" end)' <<<"$conf")" @ctr1
		RUNTIME=$(ports 8080:80 8081:82/udp) EXPECT=1 cni_check "$conf" @ctr1
		assert_json "it says what" "$output" '.msg | test("--dport 8081 .* not found|host port 8081/udp")'
		nft flush ruleset
		EXPECT=1 cni_check "$conf" @ctr1
		cni_add "$conf" @ctr1
		cni_check "$conf" @ctr1
		cni_del "$conf" @ctr1
		assert_eq "$backend: nothing is left" "$(remains)" ""
	done
}

@test "STATUS tells whether ports can be mapped" {
	local conf='{"cniVersion": "1.1.0", "name": "tnet", "type": "portmap"}'

	cni_status "$conf"
	cni_status "$(jq -c '.backend = "nftables"' <<<"$conf")"
	EXPECT=1 cni_status "$(jq -c '.backend = "pf"' <<<"$conf")"
	assert_json "code" "$output" .code 7
	mount -t tmpfs tmpfs /etc/alternatives
	cni_status "$conf"
	EXPECT=1 cni_status "$(jq -c '.backend = "iptables"' <<<"$conf")"
	assert_json "code" "$output" .code 50
	CNI_WRAP=(env ASAN_OPTIONS=detect_leaks=0 strace -f -qq -e trace=socket -e inject=socket:error=EPROTONOSUPPORT -o /dev/null)
	EXPECT=1 cni_status "$conf"
	CNI_WRAP=()
	assert_json "code" "$output" .code 50
}

# change; mappings; code; message
@test "what is wrong is told with a code and in the reference's words" {
	local change mappings code text

	while IFS=';' read -r change mappings code text; do
		EXPECT=1 RUNTIME="{\"portMappings\": [$mappings]}" cni_add "$(portmap "" 1 "${change:-.}")" @ctr1
		TEXT=$text assert_json "message of $change $mappings" "$output" '.msg | contains(env.TEXT)'
		assert_json "code of $change $mappings" "$output" .code "$code"
	done < <(sed 's/^[\t ]*//' <<-'END'
		;{"hostPort": 0, "containerPort": 80, "protocol": "tcp"};7;portMappings[0]: Invalid host port number: 0
		;{"hostPort": 80, "containerPort": -1, "protocol": "tcp"};7;Invalid container port number: -1
		;{"hostPort": 70000, "containerPort": 80, "protocol": "tcp"};7;Invalid host port number: 70000
		;{"hostPort": 80, "containerPort": 80, "protocol": "icmp"};7;protocol "icmp" is not tcp, udp or sctp
		;{"hostPort": 80, "containerPort": 80, "hostIP": "here"};7;hostIP "here" is not an IP address
		;{"hostPort": 65000, "containerPort": 80, "range": 1000};7;goes beyond port 65535
		;{"hostPort": 80, "containerPort": 80}, {"hostPort": 80, "containerPort": 81};7;host port 80 is mapped to two ports
		;{"hostPort": "80", "containerPort": 80};6;runtimeConfig.portMappings[0].hostPort
		.backend = "pf";;7;unrecognized backend "pf"
		.markMasqBit = 32;;7;MasqMarkBit must be between 0 and 31
		.markMasqBit = 13 | .externalSetMarkChain = "X";;7;Cannot specify externalSetMarkChain and markMasqBit
		.backend = "nftables" | .conditionsV4 = ["-i", "eth0"];;7;nftables backend was requested but configuration contains iptables-specific options [conditionsV4]
		.backend = "iptables" | .conditionsV6 = ["iifname", "eth0"];;7;iptables backend was requested but configuration contains nftables-specific options [conditionsV6]
		.backend = "nftables" | .conditionsV4 = ["iifname", "x\n flush ruleset"];;7;does not belong into a condition
		.externalSetMarkChain = "NOWHERE";{"hostPort": 80, "containerPort": 80};7;externalSetMarkChain "NOWHERE" is not there
	END
	)
	EXPECT=1 cni_add '{"cniVersion": "1.0.0", "name": "tnet", "type": "portmap"}' @ctr1
	assert_json "not chained" "$output" .msg "must be called as chained plugin"
	assert_eq "no rule of them is left" "$(remains)" ""
}

@test "conditions in the nftables form are the container's own" {
	local conf='.conditionsV4 = ["ip", "saddr", "!=", "192.0.2.0/24"]'

	RUNTIME=$(ports 8080:80) cni_add "$(portmap nftables 1 "$conf")" @ctr1
	RUNTIME=$(ports 8081:80) cni_add "$(portmap nftables 2)" @ctr2
	assert_match "its own chain" "$(nft list ruleset)" 'ip saddr != 192.0.2.0/24 fib daddr type local jump ports_dnat_[0-9a-f]{8}'
	RUNTIME=$(ports 8080:80) cni_check "$(portmap nftables 1 "$conf")" @ctr1
	assert_eq "no program for the next" "$(RUNTIME=$(ports 8082:80) programs "$(portmap nftables 9 "$conf")" @ctr9)" ""
	cni_del "$(portmap nftables 1 "$conf")" @ctr1
	cni_del "$(portmap nftables 9 "$conf")" @ctr9
	cni_del "$(portmap nftables 2)" @ctr2
	assert_eq "nothing is left" "$(remains)" ""
	RUNTIME=$(ports 8080:80) EXPECT=1 cni_add "$(portmap nftables 1 '.conditionsV4 = ["ip", "nonsense"]')" @ctr1
	assert_json "nft's words" "$output" '.msg | test("conditions \"ip nonsense\": nft: .*syntax error")'
	assert_eq "nothing of it is left" "$(remains)" ""
}

@test "both spellings of keys, protocols in any case" {
	RUNTIME='{"portMappings": [{"HostPort": 8080, "ContainerPort": 80, "Protocol": "TCP", "HostIP": ""}, {"hostport": 8081, "containerport": 81}]}' \
		cni_add "$(portmap nftables 1)" @ctr1
	assert_eq "elements" "$(elements ip ports_any)" $'tcp . 8080 : 10.77.0.1 . 80\ntcp . 8081 : 10.77.0.1 . 81'
}
