#!/usr/bin/env bats
# dhcp: how a lease is asked for, kept, lost and found again, with real servers (dnsmasq, udhcpd), and with a scripted one
# for what real ones do seldom.

load lib/all
load lib/dhcp
sandbox

setup() {
	need dnsmasq python3
	container ctr ctr2
	lan
}

@test "no server: no more tries, in time, and everything is taken back" {
	server_place srv 10.77.0.1
	daemon -timeout 2s -resendmax 1s -resendtimeout 3s
	before=$(snapshot host ctr)
	began=${EPOCHREALTIME/./}
	EXPECT=1 cni_add "$(dhcp_conf)"
	took=$((${EPOCHREALTIME/./} - began))
	assert_json "the reference's text, to be tried again" "$output" '[.code, .msg]' '[11, "error calling DHCP.Allocate: no more tries"]'
	assert "after the time that was set" test $took -ge 2900000 -a $took -lt 9000000
	assert_eq "nothing is left" "$(snapshot host ctr)" "$before"
	assert_eq "the daemon keeps nothing" "$("$CNIBOX" dhcp leases)" ""
}

@test "messages that get lost are sent again: DISCOVER, then REQUEST" {
	server_place srv 10.77.0.1
	scripted_in srv '{address: "10.77.0.50", server: "10.77.0.1", silent: ["discover"]}'
	daemon -resendmax 1s
	(cni_add "$(dhcp_conf)" >/run/add.log 2>&1 3>&-) &
	wait_for "DISCOVER twice" 10 has_seen srv 'map(select(.type == "discover")) | length > 1'
	script srv '.silent = ["request"]'
	wait_for "REQUEST twice" 10 has_seen srv 'map(select(.type == "request")) | length > 1'
	script srv '.silent = []'
	wait_for "a lease" 10 lease_is state bound
}

@test "two servers: one is chosen, the other hears that it was not" {
	server_place one 10.77.0.1
	server_place two 10.77.0.2
	scripted_in one '{address: "10.77.0.50", server: "10.77.0.1"}'
	scripted_in two '{address: "10.77.0.60", server: "10.77.0.2"}'
	daemon
	cni_add "$(dhcp_conf)"
	server=$(lease server)
	assert_match "the address is that server's" "$(jq -r '.ips[0].address' <<<"$output") $server" \
		'^10.77.0.50/24 10.77.0.1$|^10.77.0.60/24 10.77.0.2$'
	for name in one two; do
		assert_json "$name saw the REQUEST with the choice" "$(seen $name 'map(select(.type == "request")) | .[0].options."54"')" . \
			"$(printf '0a4d00%02x' "${server##*.}")"
	done
}

@test "renewing goes to the server alone, and prolongs the lease" {
	server_place srv 10.77.0.1
	scripted_in srv '{address: "10.77.0.50", server: "10.77.0.1", lease: 100, t1: 1, t2: 50}'
	daemon
	cni_add "$(dhcp_conf)"
	run_in ctr tcpdump -n -i eth0 -c 1 -U -w /run/icmp.pcap icmp 2>/dev/null 3>&- &
	wait_for "two renewals" 10 has_seen srv 'map(select(.type == "request" and .ciaddr == "10.77.0.50")) | length >= 2'
	assert_json "to the server; no server id, no requested address (RFC 2131, table 4)" \
		"$(seen srv 'map(select(.ciaddr == "10.77.0.50")) | .[0] | [.to, (.options | has("54") or has("50"))]')" . '["10.77.0.1", false]'
	wait_for "bound again" 5 lease_is state bound
	refute "the container's kernel did not refuse the answer" grep -q . <(tcpdump -n -r /run/icmp.pcap 2>/dev/null)
}

@test "dnsmasq and udhcpd see the renewal" {
	server_place srv 10.77.0.1
	dnsmasq_in srv 10.77.0.50 10.77.0.99 --dhcp-option=58,3
	daemon
	cni_add "$(dhcp_conf)"
	wait_for "dnsmasq renews" 10 logged srv 'DHCPACK\(eth0\)' 3
	kill "$SERVER"
	need udhcpd
	server_place srv2 10.77.0.2
	printf '%s\n' 'start 10.77.0.100' 'end 10.77.0.120' 'interface eth0' 'min_lease 1' 'option lease 6' 'option subnet 255.255.255.0' \
		'lease_file /run/srv2.leases' 'pidfile /run/srv2.pid' >/run/srv2.conf
	: >/run/srv2.leases
	nsenter --net=/run/netns/srv2 -- udhcpd -f /run/srv2.conf >/run/srv2.log 2>&1 3>&- &
	wait_for "udhcpd" 5 has_socket srv2
	cni_add "$(dhcp_conf)" @ctr2
	address=$(jq -r '.ips[0].address' <<<"$output")
	assert_match "udhcpd's range" "$address" '^10.77.0.1[0-2][0-9]/24'
	wait_for "udhcpd renews" 10 logged srv2 "sending ACK to ${address%/24}" 2
	cni_del "$(dhcp_conf)" @ctr2
}

@test "rebinding: when the server is gone, another one may go on with the lease" {
	server_place one 10.77.0.1
	server_place two 10.77.0.2
	scripted_in one '{address: "10.77.0.50", server: "10.77.0.1", lease: 100, t1: 1, t2: 3}'
	daemon -resendmax 1s
	cni_add "$(dhcp_conf)"
	kill "$SERVER"
	scripted_in two '{address: "10.77.0.50", server: "10.77.0.2", lease: 100}'
	wait_for "the other server" 10 lease_is server 10.77.0.2
	assert_json "it was asked by a message to all" "$(seen two 'map(select(.ciaddr == "10.77.0.50")) | .[0].to')" . 255.255.255.255
	cni_check "$(dhcp_conf)"
}

@test "a lease that ends: no address, interface down; given again, all is as before" {
	server_place srv 10.77.0.1
	scripted_in srv '{address: "10.77.0.50", server: "10.77.0.1", lease: 3, t1: 1, t2: 2, router: "10.77.0.1"}'
	daemon -resendmax 1s -timeout 2s
	cni_add "$(dhcp_conf)"
	run_in ctr ip route add 203.0.113.0/24 via 10.77.0.7
	before=$(run_in ctr ip route)
	script srv '.silent = ["discover", "request"]'
	wait_for "it is lost" 10 lease_is usable false
	assert_json "no address any more" "$(eth0 '[.addr_info[] | select(.family == "inet")]')" . '[]'
	wait_for "it goes down between attempts" 10 down ctr
	EXPECT=1 cni_check "$(dhcp_conf)"
	assert_match "CHECK tells" "$(jq -r .msg <<<"$output")" "the lease is lost"
	wait_for "it is asked for again, by its address" 10 has_seen srv 'last | .type == "discover" and .options."50" == "0a4d0032"'
	script srv '.silent = [] | .lease = 100 | .t1 = 50 | .t2 = 60'
	wait_for "it is back" 10 lease_is usable true
	assert_eq "with its routes" "$(run_in ctr ip route)" "$before"
	assert "and works" pings ctr 10.77.0.1
	cni_check "$(dhcp_conf)"
}

@test "a server that says no: the same address is asked for at once, and kept when it is given" {
	server_place srv 10.77.0.1
	scripted_in srv '{address: "10.77.0.50", server: "10.77.0.1", lease: 100, t1: 1, t2: 50}'
	daemon -timeout 20s
	cni_add "$(dhcp_conf)"
	run_in ctr ip -4 monitor address route >/run/monitor.log 2>&1 3>&- &
	script srv '.nak = ["request"]'
	wait_for "DISCOVER for the same address" 10 has_seen srv 'last.options."50" == "0a4d0032"'
	script srv '.nak = [] | .t1 = 40'
	wait_for "it has it again" 10 lease_is state bound
	assert_eq "nothing happened to the interface" "$(</run/monitor.log)" ""
}

@test "a server that says no and offers another address: that is not taken" {
	server_place srv 10.77.0.1
	scripted_in srv '{address: "10.77.0.50", server: "10.77.0.1", lease: 100, t1: 1, t2: 50}'
	daemon -timeout 1s -resendmax 1s
	cni_add "$(dhcp_conf)"
	script srv '.nak = ["request"] | .address = "10.77.0.60"'
	wait_for "the old one is lost" 10 lease_is usable false
	assert_eq "which address" "$(lease address)" 10.77.0.50/24
	kill -9 "$DAEMON"
	wait_for "it is dead" 5 gone "$DAEMON"
	daemon -timeout 1s -resendmax 1s
	assert_eq "a new daemon knows that it is lost, though its time is not up" "$(lease usable)" false
	assert_json "none in the container" "$(eth0 '[.addr_info[] | select(.family == "inet")]')" . '[]'
	refute "no REQUEST for the other" has_seen srv 'any(.options."50" == "0a4d003c")'
	cni_del "$(dhcp_conf)"
	refute "what is not ours is not given back" has_seen srv 'any(.type == "release")'
}

@test "what a hostile server may send: broken options, wrong lengths, an address that is none" {
	server_place srv 10.77.0.1
	scripted_in srv '{address: "10.77.0.50", server: "10.77.0.1", raw: "79ff0011"}'
	daemon -timeout 1s -resendmax 1s -resendtimeout 2s
	while read -r change; do
		script srv "$change"
		EXPECT=1 cni_add "$(dhcp_conf)"
		assert_json "$change" "$output" .msg "error calling DHCP.Allocate: no more tries"
	done <<-'TABLE'
		.raw = "79ff0011"
		del(.raw) | .address = "0.0.0.0"
		.address = "224.0.0.1"
	TABLE
	script srv '.address = "10.77.0.50" | .lease = 0 | .t1 = 4294967295 | .t2 = 0 | .options = {"3": "0a", "6": "0a4d", "33": "01"}'
	cni_add "$(dhcp_conf)"
	assert_eq "what makes no sense is as if it were not there" "$(lease '| .state, .renews' | tr '\n|' '  ')" "bound 1799 "
}
