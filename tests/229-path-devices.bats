#!/usr/bin/env bats
# What devices themselves do to packets, `cnibox path` says: tables of family netdev, filters of tc and programs. Each packet is
# also sent. Filters that the kernel here has not are in 905.

# shellcheck disable=SC2030,SC2031 # each test is on its own

load lib/all
load lib/nodes
load lib/path
sandbox forward

setup() { path_node; }

lost() { refute "$1 does not reach $2" run_in "$1" ping -q -c 1 -W 1 "$2"; } # POD ADDRESS

# drops DEVICE-HOOK CHAIN [NAMESPACE]: a table of one rule, for what blue sends to 192.0.2.9
drops() {
	local words="table netdev mine { chain c { type filter hook $1 priority 0; ip daddr 192.0.2.9 drop; }; }"

	lost_and_mended "$words" 'rule 1 of chain c \(table netdev mine\)' "${2:-}"
}

lost_and_mended() { # WORDS PATTERN [NAMESPACE]
	${3:+ip netns exec "$3"} nft "$1"
	lost blue 192.0.2.9
	stops filter "drops the packet: $2" blue 192.0.2.9
	mends blue 192.0.2.9
	pings blue 192.0.2.9
	${3:+ip netns exec "$3"} nft flush ruleset
}

@test "tables of family netdev: at every device of the way, in and out" {
	nft flush ruleset
	ip -n outside route add default via 192.0.2.1
	drops "egress device eth0" blue
	drops "ingress device $(port_of blue)"
	drops "ingress device cni0"
	drops "egress device up0"
	drops "ingress device eth0" outside
	pings blue "$RED"
	nft "table netdev mine { chain c { type filter hook egress device $(port_of red) priority 0; ip saddr $BLUE drop; }; }"
	lost blue "$RED"
	stops filter 'rule 1 of chain c \(table netdev mine\)' blue "$RED"
	is_ok blue "$GREEN"
	pings blue "$GREEN"
}

@test "tables of family netdev: a policy, several devices, another device, no connection to know, and the answer" {
	nft flush ruleset
	ip -n outside route add default via 192.0.2.1
	nft "table netdev mine { chain c { type filter hook ingress devices = { up0, $(port_of red) } priority 0; ip daddr 192.0.2.9 drop; }; }"
	pings blue 192.0.2.9
	is_ok blue 192.0.2.9
	nft flush ruleset
	lost_and_mended "table netdev mine { chain c { type filter hook ingress device $(port_of blue) priority 0; policy drop; arp operation 1 accept; arp operation 2 accept; }; }" \
		'policy drop of chain c \(table netdev mine\)'
	nft "table netdev mine { chain c { type filter hook ingress device up0 priority 0; ip saddr 192.0.2.9 drop; }; }"
	lost blue 192.0.2.9
	stops filter 'rule 1 of chain c \(table netdev mine\)' blue 192.0.2.9
	assert_json "it is the answer that is lost" "$said" '.hops[-1].answer' true
	mends blue 192.0.2.9
	nft flush ruleset
	nft "table inet mine { chain c { type filter hook ingress device $(port_of blue) priority 0; ip daddr 192.0.2.9 drop; }; }"
	lost blue 192.0.2.9
	stops filter 'rule 1 of chain c \(table inet mine\)' blue 192.0.2.9
	mends blue 192.0.2.9
	nft flush ruleset
	run_in blue nft "table netdev mine { chain c { type filter hook egress device lo priority 0; ip daddr $BLUE drop; }; }"
	lost blue "$BLUE"
	stops filter 'rule 1 of chain c \(table netdev mine\)' blue "$BLUE"
}

program() { # what drops all
	need clang
	clang -O2 -target bpf -c -x c - -o "$BATS_TEST_TMPDIR/drop.o" <<-'END'
	__attribute__((section("xdp"), used)) int drop_first(void *packet) { return 1; }
	__attribute__((section("classifier"), used)) int drop_at_hook(void *packet) { return 2; }
	char _license[] __attribute__((section("license"), used)) = "GPL";
	END
}

# What cannot be judged is no reason to say that it stops, but is told.
may_stop() { # WHAT PATTERN
	lost blue 192.0.2.9
	is_ok blue 192.0.2.9
	assert_match "in words" "$said" "! $1 +$2"
	assert_match "and why" "$said" 'not judged here'
}

@test "programs that cannot be looked into are told" {
	program
	ip link set up0 xdp obj "$BATS_TEST_TMPDIR/drop.o" sec xdp
	ip -n outside route add default via 192.0.2.1
	lost outside "$BLUE"
	is_ok outside "$BLUE"
	assert_match "in words" "$said" '! XDP +up0 has a program that sees the packet first'
	ip link set up0 xdp off
	pings blue 192.0.2.9
	tc qdisc add dev up0 clsact
	is_ok blue 192.0.2.9
	refute "nothing is there yet" grep -q tc <<<"$said"
	tc filter add dev up0 egress bpf da obj "$BATS_TEST_TMPDIR/drop.o" sec classifier
	may_stop tc 'may stop the packet: the bpf filter of priority 49152 at the egress of up0: drop'
	tc filter del dev up0 egress
	pings blue 192.0.2.9
	run_in blue tc qdisc add dev eth0 clsact
	run_in blue tc filter add dev eth0 egress protocol ip pref 7 bpf da obj "$BATS_TEST_TMPDIR/drop.o" sec classifier
	may_stop tc 'may stop the packet: the bpf filter of priority 7 at the egress of eth0: drop'
	run_in blue tc filter add dev eth0 egress protocol ipv6 pref 6 bpf da obj "$BATS_TEST_TMPDIR/drop.o" sec classifier
	run_in blue tc filter del dev eth0 egress pref 7
	pings blue 192.0.2.9
	is_ok blue 192.0.2.9
	refute "it is not for IPv4" grep -q tc <<<"$said"
}
