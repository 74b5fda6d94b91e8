#!/usr/bin/env bats
# shellcheck disable=SC2086 # paths of our own, without blanks
# `cnibox route-dump --peers` and the relay: what it has counted for each peer, read beside it and without it.

load lib/all
load lib/nodes
load lib/relay
load lib/schema
sandbox

on() { nsenter --net="/run/netns/$1" "${@:2}"; }
peers() { on n1 "$CNIBOX" route-dump --peers --store "$STORE" "$@"; }
figure() { peers --json | jq -r ".[] | select(.subnet == \"$(subnet n2)\") | $1"; }
is_figure() { [[ $(figure "$1") == "$2" ]]; }

# An empty datagram for the relay, from one pod's address to another's.
inject() { # NODE TARGET SOURCE DESTINATION
	on "$1" python3 - "${@:2}" <<'END'
import socket, struct, sys
target, source, destination = sys.argv[1:]
head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20, 1, 0, 9, 253, 0, socket.inet_aton(source), socket.inet_aton(destination))
total = sum(struct.unpack("!10H", head))
total = (total & 0xffff) + (total >> 16)
total = (total & 0xffff) + (total >> 16)
socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(head[:10] + struct.pack("!H", ~total & 0xffff) + head[12:], (target, 8285))
END
}

pings() { # HOW MANY: large enough to be known by their bytes
	on n1 ping -q -c "$1" -i 0.01 -W 5 -s 1000 -I "$(pod_ip n1)" "$(pod_ip n2)"
}

# Counted on, each way, while n1's pod pings n2's; the same in text.
counts_pings() {
	local sent bytes received

	read -r sent bytes received < <(figure '.packets | "\(.sent) \(.sentBytes) \(.received)"')
	assert "pings" pings 50
	wait_for "each of them is counted" 5 is_figure ".packets | .sent >= $sent + 50 and .received >= $received + 50" true
	assert "their bytes, too" test "$(figure .packets.sentBytes)" -ge $((bytes + 50 * 1028))
	assert "and only theirs" test "$(figure .packets.sentBytes)" -lt $((bytes + 60 * 1028))
	assert_match "heard" "$(figure .packets.heard)" '^([0-9]|1[0-9])s ago$'
	assert_match "for a person" "$(peers -v)" $'\n    packets    [0-9]+ sent \([0-9]+ bytes\), [0-9]+ received \([0-9]+ bytes\), heard [0-9]+s ago'
}

losses() { # what is lost, from a peer and from nobody; and from another namespace, where another relay is at work
	node_add n3 3
	inject n2 192.0.2.1 10.5.255.9 "$(pod_ip n1)"
	inject n3 192.0.2.1 "$(pod_ip n2)" "$(pod_ip n1)"
	wait_for "a peer in another's name" 5 is_figure '.packets.lost[] | "\(.packets) \(.reason)"' "1 from a wrong source"
	wait_for "a stranger" 5 is_figure '.device.lost[] | select(.reason == "from strangers") | .packets' 1
	assert_match "for a person" "$(peers -v)" $'\n    lost       1 from a wrong source\n'
	assert_match "nobody's" "$(peers -v)" $'\nflannel0, of no peer: .*1 from strangers'
	assert_eq "not of n1" "$("$CNIBOX" route-dump n2 --peers --store "$STORE" --json | jq -c '.[0].packets.lost')" null
}

# A peer that goes takes its figures along, and comes without any.
comes_anew() {
	local lease=$STORE/subnets/10.5.250.0-24

	other() { peers --json | jq -c '.[] | select(.subnet == "10.5.250.0/24") | .packets | [.sent, .heard]'; }
	is_other() { [[ $(other) == "$1" ]]; }
	echo '{"PublicIP":"192.0.2.9"}' >/run/lease
	cp /run/lease "$lease"
	wait_for "it is there" 5 is_other '[0,"never"]'
	on n1 ping -q -c 3 -i 0.01 -W 1 -I "$(pod_ip n1)" 10.5.250.1 >/dev/null || :
	wait_for "what is sent to it" 5 is_other '[3,"never"]'
	rm "$lease"
	wait_for "it is gone" 5 is_other ""
	cp /run/lease "$lease"
	wait_for "it is there again" 5 is_other '[0,"never"]'
	rm "$lease"
}

heard_by_programs() {
	is_old() { [[ $(figure .packets.heard) =~ ^([0-9]+)s && ${BASH_REMATCH[1]} -ge 3 ]]; }
	is_new() { reach n1 n2 && [[ $(figure .packets.heard) =~ ^([0-9]+)s && ${BASH_REMATCH[1]} -le 1 ]]; }
	wait_for "silence" 10 is_old
	wait_for "an answer" 10 is_new
}

@test "the relay's process: packets of each peer, lost ones, when it was heard; nothing is known without it" {
	DATAPATH=user
	relay_setup
	two '.SubnetMax = "10.5.63.0"'
	counts_pings
	assert_eq "without -v it is not said" "$(peers | grep -c "packets    ")" 0
	losses
	peers --json | described route-dump >/dev/null
	comes_anew
	agent_kill n1
	assert_eq "no relay" "$(figure .packets)" null
}

@test "the kernel's programs: the same, and while no agent runs" {
	DATAPATH=kernel
	relay_setup
	two '.SubnetMax = "10.5.63.0"'
	counts_pings
	losses
	comes_anew
	kernel_to_kernel n1 n2
	agent_kill n1
	agent_kill n2
	assert "pods reach each other without" reach n1 n2
	heard_by_programs
	counts_pings
	peers --json | described route-dump >/dev/null
}

@test "a namespace by its name; VXLAN counts for all together" {
	nodes 2 vxlan
	agent n1
	agent n2
	ready n1 n2
	wait_for "the route" 5 peer_of
	assert_json "by name" "$("$CNIBOX" route-dump n1 --peers --store "$STORE" --json)" '.[0] | .packets, .device.name' $'null\nflannel.1'
}

@test "the programs are given up while the relay works: its process goes on with their figures" {
	DATAPATH=auto
	relay_setup
	two '.SubnetMax = "10.5.63.0"'
	counts_pings
	read -r sent received < <(figure '.packets | "\(.sent) \(.received)"')
	metrics=$(counted n1 "$(subnet n2)")
	# what the programs need is taken away, and cannot be put back
	on n1 sysctl -q -w net.ipv4.conf.flannel0.forwarding=0
	mount --bind /proc/sys /proc/sys
	mount -o remount,bind,ro /proc/sys
	kill -HUP "$(agent_pid n1)"
	wait_for "it goes on without" 5 grep -q "packets are carried by the relay's process" "$STORE/n1.log"
	assert "none is lost of what was counted" is_figure ".packets | .sent >= $sent and .received >= $received" true
	counts_pings
	assert "and none since" is_figure ".packets | .sent >= $sent + 50 and .received >= $received + 50" true
	: >"$STORE/n1.log"
	more=$(counted n1 "$(subnet n2)")
	[[ $metrics =~ \ ([0-9]+)\ sent\ packets ]]
	sent=${BASH_REMATCH[1]}
	[[ $more =~ \ ([0-9]+)\ sent\ packets ]]
	assert "nor in what the agent says" test "${BASH_REMATCH[1]}" -ge $((sent + 50))
}
