#!/usr/bin/env bats
# NetworkPolicies in nftables, by netlink alone: what is written comes back as it was, an update touches what differs and
# nothing else, damage is seen and repaired, others' tables are left alone, and whoever is killed leaves old or new.

load lib/all
load lib/link
sandbox forward

setup_file() {
	export ENFORCE_BIN=$BATS_FILE_TMPDIR/enforce
	link_with ../bench/enforce.c "$ENFORCE_BIN"
}

setup() {
	need_root
	need nft python3
	files
}

# ---- objects ---------------------------------------------------------------------------------------------------

pod() { # NAME LABEL NODE ADDRESS...
	local ips=() ip

	for ip in "${@:4}"; do ips+=("{ip: \"$ip\"}"); done
	printf -- '---\n{apiVersion: v1, kind: Pod, metadata: {name: %s, labels: {app: %s}}, spec: {nodeName: %s, containers: [{ports: [{name: http, containerPort: 80}]}]}, status: {podIP: "%s", podIPs: [%s]}}\n' \
		"$1" "$2" "$3" "$4" "$(IFS=,; echo "${ips[*]}")"
}

policy() { # NAME SPEC
	printf -- '---\n{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: %s}, spec: {%s}}\n' "$1" "$2"
}

files() {
	cd "$BATS_TEST_TMPDIR" || return
	{
		pod a a n1 10.1.0.1 fd01::1
		pod b b n1 10.1.0.2 fd01::2
		pod c c n1 10.1.0.3 fd01::3
	} >pods.yaml
	{
		cat pods.yaml
		policy p 'podSelector: {matchLabels: {app: b}}, ingress: [
			{from: [{podSelector: {matchLabels: {app: a}}}], ports: [{port: 8080}]},
			{from: [{ipBlock: {cidr: 10.9.0.0/16, except: [10.9.1.0/24]}}, {ipBlock: {cidr: 0.0.0.0/0}}, {ipBlock: {cidr: "fd02::/16", except: ["fd02::7/128"]}}], ports: [{port: 81}, {port: http}]},
			{from: [{podSelector: {}}, {ipBlock: {cidr: 10.0.0.0/8, except: [10.1.0.0/16]}}], ports: [{protocol: SCTP}]},
			{ports: [{port: 100, endPort: 200}, {port: 300}, {protocol: UDP, port: 53}]}]'
		policy q 'podSelector: {matchLabels: {app: a}}, policyTypes: [Egress], egress: [{to: [{podSelector: {}}]}, {to: [{ipBlock: {cidr: "::/0"}}], ports: [{port: http}]}]'
	} >one.yaml
	{
		cat one.yaml
		pod d d n2 10.1.1.4
		pod e a n2 10.1.1.5 fd01::5
	} >more.yaml
	{
		cat pods.yaml
		policy p 'podSelector: {matchLabels: {app: b}}, ingress: [{from: [{podSelector: {matchLabels: {app: a}}}]}]'
		policy r 'podSelector: {matchLabels: {app: c}}'
	} >two.yaml
	{
		cat one.yaml
		cat <<-'END'
			---
			{apiVersion: policy.networking.k8s.io/v1alpha2, kind: ClusterNetworkPolicy, metadata: {name: first}, spec: {tier: Admin, priority: 1,
			 subject: {namespaces: {}}, ingress: [
			 {name: p, action: Pass, from: [{pods: {namespaceSelector: {}, podSelector: {matchLabels: {app: a}}}}]},
			 {name: n, action: Deny, from: [{pods: {namespaceSelector: {}, podSelector: {matchLabels: {app: c}}}}]}]}}
			---
			{apiVersion: policy.networking.k8s.io/v1alpha2, kind: ClusterNetworkPolicy, metadata: {name: last}, spec: {tier: Baseline, priority: 1,
			 subject: {namespaces: {}}, egress: [
			 {name: p, action: Accept, to: [{networks: [10.0.0.0/9]}]},
			 {name: n, action: Deny, to: [{networks: [0.0.0.0/0]}]}]}}
		END
	} >tiers.yaml
}

# enforce FILE...: brings the node there; what it prints is in `output`. It looks again by itself.
enforce() {
	status=0
	output=$(deadline 60 "$ENFORCE_BIN" nftables n1 "$@" 2>&1) || status=$?
	[[ $status == 0 ]] || flunk "enforce $*: exit status $status" "$output"
}

number() { # NAME: from the last output
	sed -n "s/^$1 \([0-9]*\).*/\1/p" <<<"$output" | tail -1
}

# Our table in one order, without counters and handles.
table() {
	nft -s list table inet cnibox-policy 2>&1
}

chains() { # with handles and counters
	nft -a list table inet cnibox-policy | sed -n '/^\tchain/,/^\t}/p'
}

# ---- the form --------------------------------------------------------------------------------------------------

@test "what is written is read back as it was, in every form there is" {
	local file

	for file in pods one more two tiers; do
		enforce $file.yaml
		assert_eq "$file: no damage where nothing was" "$(grep -c '^damage ' <<<"$output")" 0
	done
	ENFORCE='drop return nflog=5 close=10.1.0.0/16' enforce tiers.yaml one.yaml
	assert_match "logged" "$(table)" 'limit rate 10/second burst 50 packets log prefix "CNIBOX-IN-[0-9a-f]{16}" group 5'
	assert_match "closed" "$(table)" 'ip daddr 10.1.0.0/16 ip daddr != @cnibox-known-[0-9a-f]{16}4 goto CNIBOX-CLOSED-deny'
	enforce one.yaml
	assert_match "refused" "$(table)" 'reject with tcp reset'
}

@test "nothing is sent, and no program started, when nothing differs" {
	need strace
	enforce one.yaml
	chains >before
	strace -f -o trace -e trace=sendmsg,execve -- env -i PATH=/nonexistent ASAN_OPTIONS=detect_leaks=0 "$ENFORCE_BIN" nftables n1 one.yaml >/dev/null
	assert_eq "programs" "$(grep -c 'execve(.*= 0' trace)" 2 # env and enforce
	assert_eq "transactions (beginning, messages, end)" "$(grep -c msg_iovlen=3 trace || :)" 0
	assert_eq "chains, handles, counters" "$(chains)" "$(<before)"
	strace -f -o trace -e trace=sendmsg,execve -- env -i PATH=/nonexistent ASAN_OPTIONS=detect_leaks=0 "$ENFORCE_BIN" nftables n1 two.yaml >/dev/null
	assert_eq "programs for a change" "$(grep -c 'execve(.*= 0' trace)" 2
	assert_eq "transactions for a change" "$(grep -c msg_iovlen=3 trace || :)" 3
}

@test "a pod of another node is elements only" {
	enforce one.yaml
	chains >before
	enforce more.yaml
	assert_eq "groups changed" "$(number groups_changed)$(number new_groups)$(number old_groups)" 000
	assert_eq "chains, handles, counters" "$(chains)" "$(<before)"
	assert_match "its element" "$(table)" '10\.1\.1\.5 \. tcp \. 8080'
	enforce one.yaml
	assert_eq "chains, handles, counters" "$(chains)" "$(<before)"
	assert_eq "damages" "$(number damages)" 0
	[[ $(table) != *10.1.1.5* ]]
}

@test "a policy that changes leaves the chains of other groups alone, and one that goes leaves nothing" {
	local group

	enforce one.yaml
	group=$(nft list table inet cnibox-policy | sed -n 's/^\tchain \(CNIBOX-OUT-[0-9a-f]*\) {/\1/p')
	nft -a list chain inet cnibox-policy "$group" >before
	sed 's/port: 8080/port: 8081/' one.yaml >changed.yaml
	enforce changed.yaml
	assert_eq "the other group" "$(nft -a list chain inet cnibox-policy "$group")" "$(<before)"
	enforce pods.yaml
	assert_eq "old groups" "$(number old_groups)" 2
	assert_eq "what is left of them" "$(table | grep -E '(set|chain|counter) (CNIBOX-(IN|OUT)|cnibox-)' || :)" ""
}

# ---- damage ----------------------------------------------------------------------------------------------------

# damage DESCRIPTION NFT...: what the commands do is seen, and the same table comes back.
damage() {
	local description=$1 line

	shift
	for line; do
		nft "$line" || flunk "$description: nft refuses $line"
	done
	enforce one.yaml
	[[ $(number damages) != 0 || $(number new_groups) != 0 || $(number elements_changed) != 0 || $(number groups_changed) != 0 ]] ||
		flunk "NOT seen: $description"
	assert_eq "$description: repaired" "$(table | sort)" "$(sort before)"
}

@test "every damage is seen and repaired" {
	local t='inet cnibox-policy' group pairs handle

	enforce one.yaml
	table >before
	group=$(sed -n 's/^\tchain \(CNIBOX-IN-[0-9a-f]*\) {/\1/p' before)
	pairs=$(sed -n 's/^\tset \(cnibox-pairs-[0-9a-f]*4\) {/set \1/p; s/.*10.1.0.1 . tcp . 8080.*/here/p' before | grep -B1 here | sed -n 's/^set //p' | head -1)
	damage "an element is gone" "delete element $t $pairs { 10.1.0.1 . tcp . 8080 }"
	damage "an element is new" "add element $t $pairs { 10.1.0.77 . tcp . 8080 }"
	damage "a prefix is new" "add element $t $pairs-nets { 10.77.0.0/24 . tcp . 8080 }"
	damage "a range that is no prefix" "add element $t $pairs-nets { 10.77.0.1-10.77.0.9 . tcp . 8080 }"
	damage "a pod is free" "delete element $t ingress4 { 10.1.0.2 }"
	damage "a pod goes elsewhere" "delete element $t ingress4 { 10.1.0.2 }" "add element $t ingress4 { 10.1.0.2 : accept }"
	damage "a pod that is not ours" "add element $t egress6 { fd01::77 : jump exempt }"
	damage "a pod to another" "add element $t own4 { 10.1.0.1 . 10.1.0.2 }"
	damage "a rule before all" "insert rule $t $group accept"
	damage "a rule behind" "add rule $t forward drop"
	damage "a rule with more in it" "insert rule $t $group iifname eth9 return comment \"1\""
	handle=$(nft -a list chain inet cnibox-policy "$group" | sed -n 's/.*comment "1".* # handle //p' | tail -1)
	damage "a rule is gone" "delete rule $t $group handle $handle"
	handle=$(nft -a list chain inet cnibox-policy "$group" | sed -n 's/.*comment "a pod to itself" # handle //p' | tail -1)
	damage "a pod may not reach itself" "delete rule $t $group handle $handle"
	damage "all rules are gone" "flush chain $t $group"
	damage "the hook does nothing" "flush chain $t forward"
	damage "the end does nothing" "flush chain $t refuse"
	damage "a chain of others" "add chain $t other"
	damage "another hook" "add chain $t other { type filter hook input priority 0; }"
	damage "a set of others" "add set $t other { type mark; }"
	damage "a set with a name like ours" "add set $t cnibox-pods-0123456789abcdef4 { type mark; }"
	damage "a counter of others" "add counter $t other"
	damage "ports" "add element $t $(sed -n 's/^\tset \(cnibox-range-[0-9a-f]*\) {/\1/p' before) { 7000-7001 }"
	damage "everything is gone" "delete table $t"
}

@test "tables of others stay as they are" {
	nft -f - <<-'END'
		table inet other { set cnibox-pods-x4 { type ipv4_addr; elements = { 10.1.0.1 }; }
		 chain forward { type filter hook forward priority 0; ip saddr @cnibox-pods-x4 counter accept; }
		 chain CNIBOX-IN-0123456789abcdef {
		 }
		}
		table ip cnibox-policy { chain forward { type filter hook forward priority 1; }
		}
	END
	nft -a list ruleset >before
	enforce one.yaml two.yaml tiers.yaml
	"$ENFORCE_BIN" nftables remove
	assert_eq "the rules" "$(nft -a list ruleset)" "$(<before)"
	"$ENFORCE_BIN" nftables remove
}

# ---- killed, and many at once ----------------------------------------------------------------------------------

# Rules come in three commits, so there is something between old and new: it allows what both allow, denies what both deny.
@test "who is killed leaves nothing worse than the old and the new, and the next one mends it" {
	local call n

	need strace
	pods
	serve b 8080
	enforce one.yaml
	enforce two.yaml
	table | sort >two
	for call in sendmsg recvmsg; do
		for n in 1 2 3 4 5 6 8 12; do
			strace -qq -o /dev/null -e "trace=$call" -e "inject=$call:signal=KILL:when=$n" \
				"$ENFORCE_BIN" nftables n1 one.yaml >/dev/null 2>&1 || :
			assert_eq "killed at $call $n: allowed" "$(fetch a 10.1.0.2 8080)" hello
			refute "killed at $call $n: denied" fetch c 10.1.0.2 8080
			enforce two.yaml
			assert_eq "afterwards" "$(table | sort)" "$(<two)"
		done
	done
}

@test "of two at once, one comes last" {
	local i state

	enforce one.yaml
	table | sort >one
	enforce two.yaml
	table | sort >two
	for i in {1..10}; do
		deadline "$ENFORCE_BIN" nftables n1 one.yaml two.yaml one.yaml >/dev/null &
		deadline "$ENFORCE_BIN" nftables n1 two.yaml one.yaml two.yaml >/dev/null
		wait $!
		state=$(table | sort)
		[[ $state == "$(<one)" || $state == "$(<two)" ]] || flunk "$state"
	done
}

# ---- packets ---------------------------------------------------------------------------------------------------

pods() {
	local name n=0

	for name in a b c; do
		n=$((n + 1))
		container "$name"
		ip link add "v$name" type veth peer name eth0 netns "$name"
		ip addr add 169.254.1.1/32 dev "v$name"
		ip link set "v$name" up
		ip -n "$name" addr add "10.1.0.$n/32" dev eth0
		ip -n "$name" addr add "fd01::$n/128" dev eth0 nodad
		ip -n "$name" link set eth0 up
		ip -n "$name" route add 169.254.1.1 dev eth0
		ip -n "$name" route add default via 169.254.1.1
		ip route add "10.1.0.$n" dev "v$name"
	done
	echo 1 >/proc/sys/net/ipv4/ip_forward
}

@test "an update loses no allowed connection and lets no denied one pass" {
	local i made refused flows=()

	pods
	enforce one.yaml
	serve b 8080
	assert_eq "allowed" "$(fetch a 10.1.0.2 8080)" hello
	refute "denied" fetch c 10.1.0.2 8080
	nsenter --net=/run/netns/a -- "$CNIBOX_TESTS/lib/flows.py" many-allowed 10.1.0.2 8080 >allowed &
	flows+=($!)
	nsenter --net=/run/netns/c -- "$CNIBOX_TESTS/lib/flows.py" many-denied 10.1.0.2 8080 >denied &
	flows+=($!)
	for i in {1..200}; do
		enforce two.yaml more.yaml tiers.yaml one.yaml
		ENFORCE='return' enforce one.yaml # everything is written again
		[[ $i -lt 8 || ! -e many-allowed || ! -e many-denied ]] || break
	done
	touch stop
	wait "${flows[@]}"
	read -r made refused <allowed
	echo "allowed: $made made, $refused refused"
	[[ $refused == 0 && $made -ge 30 ]]
	read -r made refused <denied
	echo "denied: $made made, $refused refused"
	[[ $made == 0 && $refused -ge 30 ]]
	assert_match "counted" "$(nft list counters table inet cnibox-policy)" 'packets [1-9]'
}
