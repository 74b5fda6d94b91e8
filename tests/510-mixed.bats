#!/usr/bin/env bats
# The reference and we on one node, as during an upgrade: what one made, the other checks and removes, with nothing left.

load lib/all
load lib/fixture
sandbox

mixed() {
	in_node "$PLUGINS" fixture_mixed "$1" "$REFERENCE" "$PLUGINS" "$PLUGINS" "$REFERENCE"
}

alone() {
	in_node "$PLUGINS" fixture_mixed "$1" "$PLUGINS" "$PLUGINS"
}

@test "mixed: host-local and loopback" {
	need_reference host-local loopback
	each mixed host-local- '(.reference or .fails) | not'
	each mixed loopback-
}

@test "mixed: bridge" {
	need iptables nft
	need_reference bridge host-local
	each mixed bridge- '(.reference or .fails) | not'
}

@test "mixed: bandwidth" {
	need tc
	need_reference bandwidth
	each mixed bandwidth- '(.reference or .fails) | not'
}

@test "mixed: tuning" {
	need_reference tuning
	each mixed tuning- '(.reference or .fails) | not'
}

@test "mixed: ptp" {
	need iptables nft
	need_reference ptp host-local
	each mixed ptp- '(.reference or .fails) | not'
}

@test "mixed: macvlan" {
	need_reference macvlan host-local
	each mixed macvlan- '(.reference or .fails) | not'
}

@test "mixed: host-device" {
	need_reference host-device host-local
	each mixed host-device- '(.reference or .fails) | not'
}

@test "mixed: firewall" {
	need iptables nft
	need_reference firewall bridge host-local
	each mixed firewall- '(.reference or .fails) | not'
}

@test "mixed: static and sbr" {
	need_reference bridge static sbr
	each mixed static- '(.reference or .fails) | not'
	each mixed sbr- '(.reference or .fails) | not'
}

@test "mixed: portmap" {
	need iptables nft
	need_reference bridge host-local portmap
	each mixed portmap- '(.reference or .fails) | not'
}

@test "what is newer than the reference works by itself" {
	each alone '' '.reference and (.fails | not)'
}
