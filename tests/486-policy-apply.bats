#!/usr/bin/env bats
# `cnibox policy-iptables` on a node: apply, verify and cleanup, with every back end that there is, in a node with two
# routed pods, default/web and default/db, and a world outside (lib/enforce). What policies mean is tested elsewhere.

load lib/all
load lib/enforce
sandbox file forward

setup_file() {
	policy_node
}

teardown() {
	policy cleanup
}

@test "apply: a default deny, an allow, and back; the second time nothing is written" {
	for backend in $(backends); do
		given 'pods'
		apply
		assert "$backend: open at first" reaches web db 80
		given 'pods; deny db'
		assert_match "$backend: what it says" "$(apply)" "^$backend on n1: chains \+1 ~0 -0, sets \+"
		assert "$backend: denied" blocked web db 80
		assert "$backend: denied over IPv6" blocked web db 80 6
		assert "$backend: the node reaches its pods" reaches host db 80
		assert "$backend: the other way" reaches db web 80
		before=$(counters)
		assert_eq "$backend: nothing the second time" "$(apply)" "$backend on n1: nothing to do"
		assert_eq "$backend: no rule is written, no counter reset" "$(counters)" "$before"
		given 'pods; deny db; allow db web 80'
		apply
		assert "$backend: allowed" reaches web db 80
		assert "$backend: allowed over IPv6" reaches web db 80 6
		assert "$backend: another port" blocked web db 81
		assert "$backend: the outside" blocked outside db 80
		given 'pods'
		apply
		assert "$backend: open again" reaches outside db 80
	done
}

@test "apply: objects that are refused, and a node that is none, leave what is in force" {
	for backend in $(backends); do
		given 'pods; deny db'
		apply
		before=$(rules)
		given 'pods; deny db | sed "s/\[Ingress\]/[Sideways]/"'
		code=0
		said=$(apply 2>&1) || code=$?
		assert_eq "$backend: status" "$code" 1
		assert_match "$backend: what is wrong" "$said" 'networkpolicy default/deny-db: spec.policyTypes\[0\]'
		assert_eq "$backend: in force" "$(rules)" "$before"
		given 'pods'
		refute "$backend: no such node" apply --node n7
		assert_eq "$backend: still in force" "$(rules)" "$before"
		assert "$backend: still denied" blocked web db 80
	done
}

@test "apply --dry-run: what would change, which connections would flip, and status 3" {
	for backend in $(backends); do
		given 'pods'
		assert_eq "$backend: nothing is there yet" "$(status apply -n)" 3
		apply
		assert_eq "$backend: nothing would change" "$(status apply -n)" 0
		before=$(rules)
		given 'pods; deny db'
		said=$(apply -n) || :
		assert_match "$backend: a chain" "$said" $'(^|\n)\\+ chain CNIBOX-IN-[0-9a-f]+ \\(ingress by default/deny-db\\)'
		assert_match "$backend: a set" "$said" $'\n[+~] set [^ ]+ \\([^)]*\\): .*\\+10\\.1\\.0\\.3'
		assert_match "$backend: a pair" "$said" 'default/web -> default/db, TCP 80, IPv4: would be denied'
		assert_match "$backend: IPv6" "$said" 'default/web -> default/db, TCP 80, IPv6: would be denied'
		assert_match "$backend: the sum" "$said" '; 2 connections would be denied, 0 allowed$'
		assert_eq "$backend: nothing is written" "$(rules)" "$before"
		json=$(apply -n --json) || :
		assert_json "$backend: JSON" "$json" '[.changed, .denied, .allowed, .connections[0].to, .connections[0].allowed]' \
			'[true,2,0,"default/db",false]'
		apply
		given 'pods'
		json=$(apply -n --json -a 192.0.2.2) || :
		assert_json "$backend: the other way, and an address" "$json" '[.denied, .allowed]' '[0,3]'
		policy cleanup
	done
}

@test "apply --cut ends connections that are denied now, and no other" {
	for backend in $(backends); do
		given 'pods'
		apply
		talk web db 80
		talk web db 81
		given 'pods; deny db; allow db web 81'
		apply
		assert "$backend: a connection goes on without --cut" talks 80
		wait_for "$backend: nobody waits for an answer" 5 acknowledged
		assert_match "$backend: one is cut" "$(apply --cut)" ': nothing to do; [1-9][0-9]* connections? cut$'
		assert "$backend: the other goes on" talks 81
		refute "$backend: it is dead" talks 80 0.4
		hang_up
	done
}

@test "apply --reject answers, --close drops addresses of pods that are not known yet" {
	container new
	join_pod new 10.1.0.9 fd01::9
	for backend in $(backends); do
		given 'pods; deny db'
		apply --reject
		assert_match "$backend: an answer" "$(connect_error web db 80)" refused
		given 'pods'
		apply --close 10.1.0.0/24 --close fd01::/64
		assert "$backend: known pods" reaches web db 80
		assert "$backend: to the unknown" blocked web new 80
		assert "$backend: from the unknown" blocked new web 80
		assert "$backend: from the unknown, IPv6" blocked new web 80 6
		assert "$backend: the node reaches it" reaches host new 80
		given 'pods; pod_yaml new 10.1.0.9 fd01::9'
		apply --close 10.1.0.0/24 --close fd01::/64
		assert "$backend: known" reaches new web 80
		given 'pods'
		apply
		assert "$backend: nothing is closed any more" reaches new web 80
	done
}

@test "how packets are treated is read back: the second time nothing is written, another choice is" {
	given 'pods; deny db'
	for backend in $(backends); do
		for how in --reject --accept --invalid "--log 7" "--reject --accept --invalid --log 8" "--close 10.1.0.0/24"; do
			read -ra words <<<"$how"
			refute "$backend $how: it is not in force yet" grep "nothing to do" <<<"$(apply "${words[@]}")"
			assert_eq "$backend $how: the second time" "$(apply "${words[@]}")" "$backend on n1: nothing to do"
			assert_eq "$backend $how: verify takes it as it is" "$(status verify)" 0
		done
		policy cleanup
	done
}

@test "applies at once come one after the other" {
	given 'pods'
	deny db >/run/deny.yaml
	allow db web 80 >/run/allow.yaml
	for backend in $(backends); do
		for i in 1 2 3 4 5 6; do
			apply -f "/run/$([ $((i % 2)) = 0 ] && echo deny || echo allow).yaml" >"/run/said.$i" 2>&1 3>&- &
			pids[i]=$!
		done
		for i in 1 2 3 4 5 6; do
			wait "${pids[i]}" || flunk "$backend: apply $i: $(</run/said.$i)"
		done
		apply -f /run/deny.yaml
		assert_eq "$backend: whole" "$(verify -f /run/deny.yaml | tail -n 1)" "$backend on n1: 0 damages, 0 of 8 connections wrong"
		assert "$backend: denied" blocked web db 80
	done
}

@test "an apply that is killed leaves the old or the new, and the next one finishes it" {
	{ deny db; many 100; } >/run/many.yaml
	deny db >/run/deny.yaml
	given 'pods'
	for backend in $(backends); do
		apply -f /run/deny.yaml
		for ms in 3 8 14 20 30; do
			kill_after "$ms" -f /run/many.yaml
			assert "$backend: denied after $ms ms" blocked web db 80
			assert "$backend: the rest is open" reaches db web 80
			kill_after "$ms" -f /run/deny.yaml
		done
		assert "$backend: denied" blocked web db 80
		apply -f /run/deny.yaml
		assert_eq "$backend: nothing is left of it" "$(apply -f /run/deny.yaml)" "$backend on n1: nothing to do"
		assert_eq "$backend: whole" "$(status verify -f /run/deny.yaml)" 0
	done
}

@test "verify names a damaged chain and element, and --repair puts them right" {
	for backend in $(backends); do
		given 'pods; deny db; allow db web 80'
		assert_match "$backend: nothing yet" "$(verify || :)" 'nothing is in force'
		apply
		assert_match "$backend: right" "$(verify)" "^$backend on n1: 0 damages, 0 of [1-9][0-9]* connections wrong\$"
		damage_element
		assert_eq "$backend: status" "$(status verify)" 3
		said=$(verify) || :
		assert_match "$backend: the element" "$said" $'cnibox-[^\n]*: [^\n]*10\\.1\\.0\\.2[^\n]* is missing'
		assert_match "$backend: what is wrong with it" "$said" 'default/web -> default/db, TCP 80, IPv4: should be allowed, is denied'
		assert "$backend: indeed" blocked web db 80
		assert_match "$backend: repaired" "$(verify --repair)" '; repaired$'
		assert "$backend: reachable again" reaches web db 80
		damage_chain
		said=$(verify) || :
		assert_match "$backend: the chain" "$said" $'(^|\n)[^\n]*CNIBOX-[^\n]*: '
		assert "$backend: repaired" verify --repair
		json=$(verify --json)
		assert_json "$backend: JSON" "$json" '[.right, .wrong, (.damages | length)]' '[true,0,0]'
		assert "$backend: denied" blocked outside db 80
		policy cleanup
	done
}

@test "explain names chains and sets as the back end does, when asked or when it has them in force" {
	given 'pods; deny db; allow db web 80'
	explain() { policy explain -f /run/objects.yaml web db 80 "$@"; }
	assert_match "nothing is in force" "$(explain)" $'\n    node n1: chain CNIBOX-IN-[0-9a-f]*, [^\n]*: set cnibox-pairs-[0-9a-f]{16}\n'
	for backend in $(backends); do
		asked=$(explain --backend "$backend")
		apply
		assert_eq "$backend: the same when it is in force" "$(explain)" "$asked"
		set=$(sed -n "s/^    node n1, $backend: chain CNIBOX-IN-.*: set //p" <<<"$asked")
		assert_match "$backend: both families" "$set" $'^cnibox-pairs-[0-9a-f]*4\ncnibox-pairs-[0-9a-f]*6$'
		if [[ $backend == nftables ]]; then
			assert "$backend: the set is there" nft list set inet cnibox-policy "${set%%$'\n'*}"
		else
			assert "$backend: the set is there" ipset list "${set%%$'\n'*}"
		fi
		policy cleanup
	done
	assert_eq "no such back end" "$(status explain --backend x 2>/dev/null)" 2
}

@test "what others have stays, through apply, a change of back ends and cleanup" {
	others
	before=$(foreign_rules)
	given 'pods; deny db'
	for backend in $(backends); do
		apply
		assert_eq "$backend: foreign rules" "$(foreign_rules)" "$before"
		assert "$backend: denied" blocked web db 80
		for other in $(backends); do
			[[ $other == "$backend" ]] || refute "$backend took over from $other" ours "$other"
		done
	done
	policy cleanup
	assert "open" reaches web db 80
	for backend in $(backends); do
		refute "$backend: nothing of ours is left" ours "$backend"
	done
	assert_eq "foreign rules after cleanup" "$(foreign_rules)" "$before"
	assert_eq "nothing to clean" "$(policy cleanup)" ""
}

@test "pods on a bridge that hides its frames: an error that says so, and --bridge-netfilter" {
	[[ -e /proc/sys/net/bridge/bridge-nf-call-iptables ]] || missing "br_netfilter"
	bridge_pods
	for backend in $(backends); do
		sysctl -qw net.bridge.bridge-nf-call-iptables=0 net.bridge.bridge-nf-call-ip6tables=0
		given 'bridged; deny y'
		said=$(apply 2>&1 || :)
		assert_match "$backend: the error" "$said" 'pod default/x is on bridge br0, .*bridge-nf-call-iptables is off; --bridge-netfilter turns it on'
		apply --bridge-netfilter
		assert "$backend: denied" blocked x y 80
		assert "$backend: denied, IPv6" blocked x y 80 6
		given 'bridged; deny y; allow y x 80'
		apply
		assert "$backend: allowed" reaches x y 80
		sysctl -qw net.bridge.bridge-nf-call-iptables=0
		assert_match "$backend: verify" "$(verify || :)" 'br_netfilter: pod default/x is on bridge br0'
	done
}

# tier NAME TIER ACTION: of all pods, towards all pods, both ways
tier() {
	printf -- '---\n%s\n%s\n' "{apiVersion: policy.networking.k8s.io/v1alpha2, kind: ClusterNetworkPolicy, metadata: {name: $1}," \
		" spec: {tier: $2, priority: 1, subject: {namespaces: {}}, ingress: [{action: $3, from: [{namespaces: {}}]}], egress: [{action: $3, to: [{namespaces: {}}]}]}}"
}
# isolated POD: nothing is allowed, either way
isolated() { policy_yaml "isolated-$1" "$1" "egress: []" | sed 's/\[Ingress\]/[Ingress, Egress]/'; }

# An address that stands for web; web itself must not answer to it with its own.
service() {
	IPV4[service]=10.96.0.1 IPV6[service]=fd96::1
	nft -f - <<-'E'
	table inet service {
		chain before { type nat hook prerouting priority dstnat
			ip daddr 10.96.0.1 dnat ip to 10.1.0.2
			ip6 daddr fd96::1 dnat ip6 to fd01::2
		}
		chain behind { type nat hook postrouting priority srcnat
			ip saddr 10.1.0.2 ip daddr 10.1.0.2 snat ip to 192.0.2.99
			ip6 saddr fd01::2 ip6 daddr fd01::2 snat ip6 to 2001:db8::99
		}
	}
	E
}
to_itself() { reaches web service 80 && reaches web service 80 6; }
not_to_itself() { blocked web service 80 && blocked web service 80 6; }

@test "a pod to itself by way of a service: isolation does not count, what tiers deny does" {
	service
	for backend in $(backends); do
		given 'pods; isolated web'
		apply
		assert "$backend: isolated" to_itself
		assert "$backend: from nobody else" blocked db web 80
		given 'pods; isolated web; tier base Baseline Deny'
		apply
		assert "$backend: a baseline behind policies" to_itself
		given 'pods; isolated web; tier first Admin Pass'
		apply
		assert "$backend: passed on to policies" to_itself
		assert "$backend: which deny others" blocked db web 80
		given 'pods; tier base Baseline Deny'
		apply
		assert "$backend: a baseline alone" not_to_itself
		given 'pods; isolated web; tier first Admin Deny'
		apply
		assert "$backend: a tier in front" not_to_itself
		assert_eq "$backend: all of it is read back" "$(status verify)" 0
		policy cleanup
	done
	nft delete table inet service
}

@test "--accept: what is allowed passes others' denials behind, by policies and by tiers; what is denied does not" {
	for backend in $(backends); do
		[[ $backend != nftables ]] || continue # it has no say in tables of others
		for tool in "$backend" "${backend/ip/ip6}"; do "$tool" -A FORWARD -j DROP; done
		for objects in 'deny db; allow db web 80' 'tier first Admin Accept' 'isolated db; tier first Admin Accept' \
			'tier last Baseline Accept'; do
			given "pods; $objects"
			apply
			assert "$backend, $objects: others deny it" blocked web db 80
			apply --accept
			assert "$backend, $objects: accepted" reaches web db 80
			assert "$backend, $objects: over IPv6" reaches web db 80 6
		done
		for objects in 'deny db' 'tier first Admin Deny' 'allow db web 80; tier first Admin Deny' 'tier last Baseline Deny'; do
			given "pods; $objects"
			apply --accept
			assert "$backend, $objects: denied" blocked web db 80
			assert "$backend, $objects: over IPv6" blocked web db 80 6
		done
		given 'pods; deny db; allow db web 80'
		apply --accept
		assert "$backend: nobody's pod is accepted by us" blocked web outside 80
		for tool in "$backend" "${backend/ip/ip6}"; do "$tool" -D FORWARD -j DROP; done
		policy cleanup
	done
}

@test "apply --log: top tells who was denied, by which policy" {
	local top

	for backend in $(backends); do
		given 'pods; deny db'
		apply --log 7
		policy top --group 7 --packets 1 --json -f /run/objects.yaml >/run/top 3>&- &
		top=$!
		wait_for "$backend: top listens" 10 grep -q '^ *7 ' /proc/net/netfilter/nfnetlink_log
		assert "$backend: denied" blocked web db 80
		wait "$top"
		assert_json "$backend: who" "$(head -n 1 /run/top)" '[.fromPod, .toPod, .protocol, .port, .direction, .policies]' \
			'["default/web","default/db","TCP",80,"ingress",["default/deny-db"]]'
		policy cleanup
	done
}
