#!/usr/bin/env bats
# What `cnibox path` says is what the kernel does: each packet is also sent.

# shellcheck disable=SC2030,SC2031 # each test is on its own

load lib/all
load lib/nodes
load lib/legacy
load lib/path
sandbox forward

setup() { path_node; }

lost() { refute "$1 does not reach $2" run_in "$1" ping -q -c 1 -W 1 "$2"; } # POD ADDRESS

@test "a policy of the legacy tables, and a rule in front of all of them" {
	need iptables-legacy-save
	iptables-legacy -A FORWARD -i other0 -j ACCEPT
	iptables-legacy -P FORWARD DROP
	lost blue 192.0.2.9
	stops filter 'policy drop of chain FORWARD \(table ip filter\)' blue 192.0.2.9
	mends blue 192.0.2.9
	pings blue 192.0.2.9
	iptables-legacy -t raw -A PREROUTING -s "$BLUE" -j DROP
	lost blue 192.0.2.9
	stops filter 'rule 1 of chain PREROUTING \(table ip raw\)' blue 192.0.2.9
	mends blue 192.0.2.9
	pings blue 192.0.2.9
}
