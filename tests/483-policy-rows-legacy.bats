#!/usr/bin/env bats
# Every row of section 1 of the contract (unit/policy_rows.c, and policy_cluster.c for 1.8) in a kernel, with iptables of the legacy variant:
# real connections over IPv4 and IPv6, between pods of one node and of two, routed and bridged.

load lib/all
load lib/link
load lib/policy
sandbox

setup_file() { policy_programs; }

@test "iptables-legacy: routed pods" {
	policy_rows iptables-legacy routed
}

@test "iptables-legacy: bridged pods" {
	policy_rows iptables-legacy bridged
}

@test "iptables-legacy: tiers" {
	policy_rows iptables-legacy routed cluster
}
