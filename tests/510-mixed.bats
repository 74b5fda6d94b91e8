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

@test "what is newer than the reference works by itself" {
	each alone '' '.reference and (.fails | not)'
}
