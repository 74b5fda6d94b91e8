#!/usr/bin/env bats
# What the tables of bridges do to frames, `cnibox path` says: each packet is also sent.

# shellcheck disable=SC2030,SC2031 # each test is on its own

load lib/all
load lib/nodes
load lib/path
sandbox forward

lost() { refute "$1 does not reach $2" run_in "$1" ping -q -c 1 -W 1 "$2"; } # POD ADDRESS

@test "macspoofchk: a pod that changes its hardware address is heard no more" {
	local mac

	path_node '.plugins[0].macspoofchk = true'
	for to in $RED 192.0.2.9; do
		pings blue "$to"
		is_ok blue "$to"
		refute "all is judged" grep -qE 'judged|may drop' <<<"$said"
	done
	mac=$(mac_of blue)
	ip -n blue link set eth0 address 02:00:00:00:00:01
	ip neigh flush dev cni0
	ip -n red neigh flush dev eth0
	for to in $RED 192.0.2.9; do
		lost blue "$to"
		stops filter 'rule [0-9] of chain cni-br-iface-.*-mac \(table bridge nat\)' blue "$to"
	done
	ip -n blue link set eth0 address "$mac"
	pings blue 192.0.2.9
	is_ok blue 192.0.2.9
	pings red 192.0.2.9
	is_ok red 192.0.2.9
}

@test "somebody else's rules for frames: of one family, by address, on the way out, and to the host" {
	path_node
	nft 'table bridge mine { chain f { type filter hook forward priority 0; meta protocol ip6 drop; ip daddr 10.1.0.3 drop; }; }'
	lost blue "$RED"
	stops filter 'rule 2 of chain f \(table bridge mine\)' blue "$RED"
	mends blue "$RED"
	pings blue "$RED"
	nft 'table bridge mine { chain out { type filter hook postrouting priority 0; ether type ip oifname "'"$(port_of red)"'" drop; }; }'
	lost blue "$RED"
	stops filter 'rule 1 of chain out \(table bridge mine\)' blue "$RED"
	mends blue "$RED"
	pings blue "$RED"
	nft 'table bridge mine { chain in { type filter hook input priority 0; ip saddr 10.1.0.2 drop; }; }'
	lost blue 192.0.2.9
	stops filter 'rule 1 of chain in \(table bridge mine\)' blue 192.0.2.9
	pings blue "$RED"
	is_ok blue "$RED"
}

@test "a rule for one family in a table of both leaves the other alone" {
	path_node
	nft 'table inet mine { chain f { type filter hook forward priority 0; meta nfproto ipv6 drop; }; }'
	pings blue 192.0.2.9
	is_ok blue 192.0.2.9
}
