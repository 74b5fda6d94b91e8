#!/usr/bin/env bats
# `cnibox policy-iptables top`: what rules log is counted, named and told. The rules are the test's own, with the prefixes
# that those of the back ends have; the packets go nowhere.

load lib/all
sandbox

setup() {
	need nft
	cat >/run/all.yaml <<-'X'
	apiVersion: v1
	kind: Pod
	metadata: {name: web}
	spec: {nodeName: n1}
	status: {podIP: 10.0.0.1, podIPs: [{ip: 10.0.0.1}, {ip: "fd00::1"}]}
	---
	apiVersion: v1
	kind: Pod
	metadata: {name: db, namespace: shop}
	spec: {nodeName: n1}
	status: {podIP: 10.0.1.1}
	---
	apiVersion: networking.k8s.io/v1
	kind: NetworkPolicy
	metadata: {name: deny, namespace: shop}
	spec: {policyTypes: [Ingress]}
	X
	group=$("$CNIBOX" policy-iptables explain web shop/db 53 --json -f /run/all.yaml | jq -r '.families[0].ingress.chain.name')
	ip link set lo up
	ip addr add 10.0.0.1/32 dev lo
	ip addr add 10.0.1.1/32 dev lo
	ip addr add fd00::1/128 dev lo nodad
	nft -f - <<-X
	table inet test {
	  chain out {
	    type filter hook output priority 0
	    ip daddr 10.0.1.1 udp dport 53 log group 7 prefix "$group" drop
	    tcp dport 81 log group 7 prefix "CNIBOX-OUT-0123456789abcdef" drop
	  }
	}
	X
}

# top WORD ...: in the background, its words in /run/top; it hears of packets when this returns
top() {
	"$CNIBOX" policy-iptables top --group 7 "$@" >/run/top 2>/run/top.err 3>&- &
	top=$!
	wait_for "top listens" 10 listening
}
top_ends() {
	local code=0

	wait "$top" || code=$?
	[[ $code == 0 ]] || flunk "NOT: top ends well: $code" "$(</run/top.err)"
}
listening() { grep -q '^ *7 ' /proc/net/netfilter/nfnetlink_log; }
# A rule that drops on the way out makes sending fail, too.
send_udp() { (echo x >"/dev/udp/$1/$2") 2>/dev/null || :; }
try_tcp() { ! deadline 5 busybox nc -w 1 "$1" "$2" </dev/null >/dev/null 2>&1; }

@test "top: flows by how many packets were denied, with names of pods and policies" {
	top --once --packets 4 -f /run/all.yaml
	for _ in 1 2 3; do send_udp 10.0.1.1 53; done
	try_tcp 10.0.0.1 81
	top_ends
	assert_eq "table" "$(</run/top)" "\
COUNT  FROM         TO           PORT    DIRECTION  POLICIES
3      shop/db      shop/db      UDP 53  ingress    shop/deny
1      default/web  default/web  TCP 81  egress     CNIBOX-OUT-0123456789abcdef"
}

@test "top: JSON, a line for news of a flow, and addresses where there are no objects" {
	top --packets 1 --json
	send_udp 10.0.1.1 53
	top_ends
	assert_json "JSON" "$(</run/top)" 'del(.group)' \
		'{"count":1,"from":"10.0.1.1","to":"10.0.1.1","protocol":"UDP","port":53,"direction":"ingress","policies":[]}'
	top --packets 1 --json -f /run/all.yaml
	send_udp 10.0.1.1 53
	top_ends
	assert_json "with objects" "$(</run/top)" '[.fromPod, .toPod, .policies, .group]' "[\"shop/db\",\"shop/db\",[\"shop/deny\"],\"$group\"]"
	top --packets 1 -f /run/all.yaml
	try_tcp fd00::1 81
	top_ends
	assert_eq "a line" "$(</run/top)" "default/web -> default/web, TCP 81: egress denied by CNIBOX-OUT-0123456789abcdef, 1"
}

@test "top: news are told while it runs; it ends by signal or time, and lets the group go" {
	top -f /run/all.yaml
	send_udp 10.0.1.1 53
	wait_for "a line" 10 grep -q 'shop/db -> shop/db, UDP 53: ingress denied by shop/deny, 1' /run/top
	assert_eq "a group is one process's" "$("$CNIBOX" policy-iptables top -g 7 2>&1 || :)" \
		"policy-iptables top: another process listens to group 7, or this one may not"
	kill -TERM "$top"
	top_ends
	refute "the group" listening
	assert_eq "time" "$(deadline 20 "$CNIBOX" policy-iptables top -g 7 --seconds 1 --once --json 2>/run/top.err)" '[]'
	assert_eq "what would tell" "$(</run/top.err)" \
		"policy-iptables top: no packet; policies tell of them where they are in force with --log 7"
	refute "group 0" "$CNIBOX" policy-iptables top -g 0
}

@test "top: on a terminal a table that is drawn again" {
	need python3
	deadline 20 python3 -c 'import pty, sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)' \
		"$CNIBOX" policy-iptables top -g 7 --packets 2 -f /run/all.yaml >/run/typed 2>/run/top.err </dev/null 3>&- &
	top=$!
	wait_for "top listens" 10 listening
	wait_for "what would tell" 10 grep -q 'no packet; policies tell of them' /run/typed
	send_udp 10.0.1.1 53
	send_udp 10.0.1.1 53
	top_ends
	assert_match "table" "$(cat -v /run/typed)" '\^\[\[H\^\[\[J2 packets denied, of 1 flows.*COUNT .*2 +shop/db +shop/db +UDP 53 +ingress +shop/deny'
}
