#!/usr/bin/env bats
# Every row of section 1 of the contract (unit/policy_rows.c, and policy_cluster.c for 1.8) in a kernel, with nftables, and with iptables of its variant:
# real connections over IPv4 and IPv6, between pods of one node and of two, routed and bridged.

load lib/all
load lib/link
load lib/policy
sandbox

setup_file() { policy_programs; }

@test "iptables-nft: routed pods" {
	policy_rows iptables-nft routed
}

@test "iptables-nft: bridged pods" {
	policy_rows iptables-nft bridged
}

@test "iptables-nft: tiers" {
	policy_rows iptables-nft bridged cluster
}

@test "nftables: routed pods" {
	policy_rows nftables routed
}

@test "nftables: bridged pods" {
	policy_rows nftables bridged
}

@test "nftables: tiers" {
	policy_rows nftables routed cluster
}
