#!/usr/bin/env bats
# The back ends of iptables on a node: what they write, leave alone, find and repair. What the rules mean is in 482 and 483.

load lib/all
load lib/link
load lib/policy
sandbox

setup_file() {
	local program

	for program in policy policy_flows; do
		link_with "$program.c" "$BATS_FILE_TMPDIR/$program"
	done
	python3 "$CNIBOX_TESTS/lib/policy_oracle.py" bench 10000 5000 100 >"$BATS_FILE_TMPDIR/many.json"
}

policy() { "$BATS_FILE_TMPDIR/policy" "$@"; }

# pods N: p1 to pN of this node, p1 10.0.0.1 and fd00::1 (in hexadecimal)
pods() {
	local i

	for ((i = 1; i <= $1; i++)); do
		printf -- '---\napiVersion: v1\nkind: Pod\nmetadata: {name: p%d, labels: {app: p%d}}\n' "$i" "$i"
		printf 'spec: {nodeName: n1}\nstatus: {podIP: 10.0.0.%d, podIPs: [{ip: 10.0.0.%d}, {ip: "fd00::%x"}]}\n' "$i" "$i" "$i"
	done
}

# rule NAME POD REST: a policy on a pod
rule() {
	printf -- '---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: %s}\n' "$1"
	printf 'spec: {podSelector: {matchLabels: {app: %s}}, %s}\n' "$2" "$3"
}

# saved VARIANT [OPTION]: the rules of both families
saved() {
	local six

	for six in "" 6; do
		"ip${six}tables-$1-save" "${@:2}" -t filter | grep -v '^#'
	done
}
ours() { saved "$@" | grep -i cnibox; }

# clean VARIANT FILE: nothing differs
clean() { assert "nothing is left to write" policy "iptables-$1" check n1 "$2" reject; }

# spoilt VARIANT WORDS: what is said of it
spoilt() {
	local said code=0

	said=$(policy "iptables-$1" check n1 /run/a.yaml reject) || code=$?
	assert_eq "something differs" "$code" 1
	[[ $said == *"$2"* ]] || flunk "NOT: it says $2" "$said"
}

some() {
	pods 3
	rule one p1 "ingress: [{from: [{podSelector: {}}], ports: [{port: 80}]}]"
	rule two p2 "ingress: [{from: [{ipBlock: {cidr: 0.0.0.0/0, except: [10.0.0.0/8]}}], ports: [{port: 1, endPort: 9}]}], egress: [{}]"
}

# how_it_stays VARIANT
how_it_stays() {
	local chain before

	some >/run/a.yaml
	assert_eq "the first time" "$(policy "iptables-$1" apply n1 /run/a.yaml reject)" written
	clean "$1" /run/a.yaml
	assert_eq "the second time" "$(policy "iptables-$1" apply n1 /run/a.yaml reject)" same
	# What counted goes on counting while another group's rules change.
	chain=$("iptables-$1-save" | sed -n 's/.*"ingress by default.one" -g //p')
	"iptables-$1-save" -c -t filter | sed "s/^\[0:0\] -A $chain/[7:77] -A $chain/" >/run/counted
	"iptables-$1-restore" -c </run/counted
	{ some; rule three p2 "ingress: [{ports: [{port: 81}]}]"; } >/run/b.yaml
	assert_eq "a change" "$(policy "iptables-$1" apply n1 /run/b.yaml reject)" written
	clean "$1" /run/b.yaml
	before=$("iptables-$1-save" -c | grep -c "^\[7:77\] -A $chain")
	assert_eq "rules that keep their counters" "$before" "$(grep -c "^\[7:77\]" /run/counted)"
	((before)) || flunk "nothing counted"
}

@test "nft: written once, and counters stay" {
	how_it_stays nft
}

@test "legacy: written once, and counters stay" {
	how_it_stays legacy
}

# elements_only VARIANT: a pod on another node comes and goes without a rule
elements_only() {
	local i

	need strace
	some >/run/a.yaml
	{ some; printf -- '---\napiVersion: v1\nkind: Pod\nmetadata: {name: far}\nspec: {nodeName: n2}\nstatus: {podIP: 10.1.0.1}\n'; } >/run/b.yaml
	policy "iptables-$1" apply n1 /run/a.yaml reject
	for i in b a; do
		ASAN_OPTIONS=detect_leaks=0 strace -f -e trace=execve -o /run/trace "$BATS_FILE_TMPDIR/policy" "iptables-$1" apply n1 "/run/$i.yaml" reject
		refute "rules are written" grep -q restore /run/trace
		clean "$1" "/run/$i.yaml"
	done
}

@test "nft: a pod of another node is elements only" {
	elements_only nft
}

@test "legacy: a pod of another node is elements only" {
	elements_only legacy
}

# beside_others VARIANT
beside_others() {
	local six before

	for six in "" 6; do
		"ip${six}tables-$1" -N THEIRS
		"ip${six}tables-$1" -A THEIRS -m comment --comment "not \"ours\"" -j RETURN
		"ip${six}tables-$1" -A FORWARD -j THEIRS
		"ip${six}tables-$1" -A INPUT -p tcp --dport 22 -j ACCEPT
	done
	before=$(saved "$1")
	some >/run/a.yaml
	policy "iptables-$1" apply n1 /run/a.yaml reject
	assert_eq "what others have" "$(saved "$1" | grep -v CNIBOX)" "$before"
	# Somebody comes before us, who might accept everything.
	"iptables-$1" -I FORWARD -j THEIRS
	spoilt "$1" "damage: iptables FORWARD: jump to CNIBOX-POLICY is not its first rule"
	policy "iptables-$1" apply n1 /run/a.yaml reject
	clean "$1" /run/a.yaml
	"iptables-$1" -D FORWARD -j THEIRS
	policy "iptables-$1" remove
	assert_eq "what is left" "$(saved "$1")" "$before"
	assert_eq "sets that are left" "$(policy "iptables-$1" sets)" 0
	policy "iptables-$1" remove
}

@test "nft: rules of others stay as they are, and ours go" {
	beside_others nft
}

@test "legacy: rules of others stay as they are, and ours go" {
	beside_others legacy
}

@test "one variant is removed, the other stays" {
	some >/run/a.yaml
	policy iptables-nft apply n1 /run/a.yaml reject
	policy iptables-legacy apply n1 /run/a.yaml reject
	policy iptables-nft remove
	assert_eq "of nft" "$(ours nft)" ""
	clean legacy /run/a.yaml
	policy iptables-legacy remove
	assert_eq "sets" "$(policy iptables-legacy sets)" 0
}

# repaired VARIANT WORDS COMMAND ...: what the command spoils is seen, and right after a write
repaired() {
	"${@:3}"
	spoilt "$1" "$2"
	assert_eq "repair" "$(policy "iptables-$1" apply n1 /run/a.yaml reject)" written
	clean "$1" /run/a.yaml
}

# what_is_spoilt VARIANT
what_is_spoilt() {
	local chain set

	some >/run/a.yaml
	policy "iptables-$1" apply n1 /run/a.yaml reject
	chain=$("iptables-$1-save" | sed -n 's/.*"ingress by default.two" -g //p')
	set=$("iptables-$1-save" | sed -n "s/.*--match-set \(cnibox-isol-[^ ]*\) dst.*/\1/p")
	repaired "$1" "group: $chain" "iptables-$1" -D "$chain" 1
	repaired "$1" "ip6tables $chain: rule \"" "ip6tables-$1" -D "$chain" 1
	repaired "$1" "iptables $chain: rule 1 is not ours: \"-s 10.0.0.9/32 -j ACCEPT\"" "iptables-$1" -I "$chain" -s 10.0.0.9 -j ACCEPT
	repaired "$1" "ip6tables CNIBOX-POLICY: rule" "ip6tables-$1" -F CNIBOX-POLICY
	repaired "$1" "iptables CNIBOX-DENY: rule" "iptables-$1" -R CNIBOX-DENY 1 -j ACCEPT
	repaired "$1" "iptables FORWARD: jump" "iptables-$1" -F FORWARD
	repaired "$1" "set: ${set%4}: +1 -0" policy "iptables-$1" forget "$set" 10.0.0.1
}

@test "nft: what somebody spoilt is found and repaired" {
	what_is_spoilt nft
}

@test "legacy: what somebody spoilt is found and repaired" {
	what_is_spoilt legacy
}

# killed VARIANT: at whatever point it is, the next one brings all in order
killed() {
	local i

	some >/run/a.yaml
	{ pods 60; for ((i = 1; i <= 60; i++)); do rule "r$i" "p$i" "ingress: [{ports: [{port: $i}]}]"; done; } >/run/b.yaml
	for i in 0.01 0.02 0.03 0.04 0.05 0.06 0.08 0.1; do
		timeout -s KILL "$i" "$BATS_FILE_TMPDIR/policy" "iptables-$1" apply n1 /run/b.yaml reject || :
		policy "iptables-$1" apply n1 /run/a.yaml reject
		clean "$1" /run/a.yaml
	done
	policy "iptables-$1" remove
	assert_eq "sets that are left" "$(policy "iptables-$1" sets)" 0
}

@test "nft: killed in the middle" {
	killed nft
}

@test "legacy: killed in the middle" {
	killed legacy
}

# two_at_once VARIANT
two_at_once() {
	local i one

	some >/run/a.yaml
	{ some; rule three p3 "egress: [{to: [{podSelector: {}}]}]"; } >/run/b.yaml
	for i in 1 2 3 4 5; do
		policy "iptables-$1" apply n1 /run/b.yaml reject >/dev/null &
		one=$!
		policy "iptables-$1" apply n1 /run/a.yaml reject >/dev/null
		wait "$one"
	done
	policy "iptables-$1" apply n1 /run/a.yaml reject
	clean "$1" /run/a.yaml
}

@test "nft: two at once" {
	two_at_once nft
}

@test "legacy: two at once" {
	two_at_once legacy
}

# by_address VARIANT: of more than thirty groups a pod is found by its address
by_address() {
	local i

	{ pods 40; for i in {1..40}; do rule "r$i" "p$i" "ingress: [{ports: [{port: $i}]}]"; done; } >/run/b.yaml
	{ pods 1 | sed 's/name: p1/name: other/; s/10.0.0.1/10.0.0.99/g; s/fd00::1/fd00::99/'; cat /run/b.yaml; } >/run/a.yaml
	assert_eq "many groups" "$(policy "iptables-$1" apply n1 /run/a.yaml reject)" written
	clean "$1" /run/a.yaml
	assert_match "the way to one" "$(ours "$1")" '-A CNIBOX-IN -d 10\.0\.0\.99/32 .* -g CNIBOX-IN-'
	assert_match "over IPv6" "$(ours "$1")" '-A CNIBOX-IN -d fd00::99/128 .* -g CNIBOX-IN-'
	assert_eq "a pod goes" "$(policy "iptables-$1" apply n1 /run/b.yaml reject)" written
	clean "$1" /run/b.yaml
	[[ $(ours "$1") != *10.0.0.99/32* && $(ours "$1") == *10.0.0.1/32* ]]
	assert_eq "and comes" "$(policy "iptables-$1" apply n1 /run/a.yaml reject)" written
	clean "$1" /run/a.yaml
	"iptables-$1" -D CNIBOX-IN "$("iptables-$1-save" | grep -e '-A CNIBOX-IN ' | grep -n 10.0.0.99/32 | cut -d: -f1)"
	spoilt "$1" "10.0.0.99/32"
	policy "iptables-$1" remove
}

@test "nft: many groups" {
	by_address nft
}

@test "legacy: many groups" {
	by_address legacy
}

# many VARIANT: rules grow with groups on the node, not with policies
many() {
	local node

	node=$(jq -r '[.items[] | select(.kind == "Pod") | .spec.nodeName][0]' "$BATS_FILE_TMPDIR/many.json")
	assert_eq "10 000 policies" "$(policy "iptables-$1" apply "$node" "$BATS_FILE_TMPDIR/many.json")" written
	assert_eq "once more" "$(policy "iptables-$1" apply "$node" "$BATS_FILE_TMPDIR/many.json")" same
	(($(ours "$1" | wc -l) < 5000)) || flunk "$(ours "$1" | wc -l) rules"
	policy "iptables-$1" remove
	assert_eq "sets that are left" "$(policy "iptables-$1" sets)" 0
}

@test "nft: ten thousand policies" {
	many nft
}

@test "legacy: ten thousand policies" {
	many legacy
}

# The pods' way to a node of theirs, through which connections go on while it is brought from one file to the other.
# throughout COMMAND ... BACKEND: the command, with /run/a.yaml in force by that at first
throughout() {
	local i flows said

	policy_nodes routed
	nsenter --net=/run/netns/web "$BATS_FILE_TMPDIR/policy_flows" serve 80 81 >/run/served 3>&- &
	wait_for "servers" 20 grep -q ready /run/served
	for i in a b; do
		printf 'apiVersion: v1\nkind: Pod\nmetadata: {name: %s, labels: {app: %s}}\nspec: {nodeName: %s}\nstatus: {podIP: %s}\n---\n' \
			p1 p1 n1 10.0.0.1 api api n2 10.0.0.2 >"/run/$i.yaml"
	done
	rule one p1 "ingress: [{from: [{podSelector: {matchLabels: {app: api}}}], ports: [{port: 80}]}]" >>/run/a.yaml
	rule two p1 "ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8}}], ports: [{port: 70, endPort: 80}]}]" >>/run/b.yaml
	rule three p1 "egress: []" >>/run/b.yaml
	brought "${*: -1}" a
	nsenter --net=/run/netns/api "$BATS_FILE_TMPDIR/policy_flows" 10.0.0.1 80 81 >/run/flows 3>&- &
	flows=$!
	wait_for "connections" 20 grep -q ready /run/flows
	"$@"
	kill "$flows"
	wait "$flows"
	said=$(tail -n 1 /run/flows)
	assert_match "every connection is judged alike" "$said" " lost=0 passed=0$"
	((${said%% *} > 20)) || flunk "too few connections: $said"
}

brought() { # BACKEND a|b
	run_in n1 "$CNIBOX" policy-iptables apply --node n1 --backend "$1" --reject -f "/run/$2.yaml"
}
to_and_fro() { # BACKEND
	local i

	for i in b a b a b a b a; do brought "$1" "$i"; done
}

by_each() { # BACKEND: the last of them
	local i backend

	for i in b a; do
		for backend in iptables-nft nftables iptables-legacy nftables iptables-nft iptables-legacy "$1"; do
			brought "$backend" "$i"
		done
	done
}

@test "iptables-nft: no connection is lost or gets through while rules change" {
	throughout to_and_fro iptables-nft
}

@test "iptables-legacy: no connection is lost or gets through while rules change" {
	throughout to_and_fro iptables-legacy
}

@test "nftables: no connection is lost or gets through while rules change" {
	throughout to_and_fro nftables
}

@test "no connection is lost or gets through while one back end takes over from another" {
	throughout by_each nftables
}
