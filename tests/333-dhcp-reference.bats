#!/usr/bin/env bats
# dhcp beside the reference's: the same messages and results, words instead of a hang where one meets the other, and a
# node that is switched over while containers run.

load lib/all
load lib/dhcp
sandbox

setup() {
	need python3
	need_reference dhcp bridge
	container ctr ctr2
	lan
	server_place srv 10.77.0.1
	scripted_in srv '{address: "10.77.0.50", server: "10.77.0.1", router: "10.77.0.1",
		options: {"33": "c00002000a4d0007"}}'
}

reference_daemon() {
	"$REFERENCE/dhcp" daemon "$@" 2>>/run/reference.log 3>&- &
	DAEMON=$!
	wait_for "the reference's daemon" 5 test -S /run/cni/dhcp.sock
}

stop() {
	kill "$DAEMON"
	wait "$DAEMON" || :
}

@test "same messages: options, client id, flags; same result; same routes" {
	network=$(dhcp_conf '.ipam += {request: [{option: "33"}, {option: "42"}],
		provide: [{option: "host-name", value: "no", fromArg: "K8S_POD_NAME"}, {option: "60", value: "pods"}]}')
	for who in reference ours; do
		: >/run/srv.seen
		if [[ $who == reference ]]; then
			reference_daemon
			PLUGINS=$REFERENCE cni_add "$network" CNI_ARGS="IgnoreUnknown=1;K8S_POD_NAME=web"
		else
			daemon
			cni_add "$network" CNI_ARGS="IgnoreUnknown=1;K8S_POD_NAME=web"
		fi
		jq -S '[.ips, .routes]' <<<"$output" >"/run/$who.result"
		run_in ctr ip -j route | jq -S 'map(del(.flags))' >"/run/$who.routes"
		# The order of the request list is that of a map; option 57, the size that we take, is ours.
		seen srv '[group_by(.type)[] | .[0] | del(.options."57") | .options."55" |= ([scan("..")] | sort)]' >"/run/$who.messages"
		PLUGINS=$([[ $who == reference ]] && echo "$REFERENCE" || echo "$PLUGINS") cni_del "$network"
		stop
	done
	assert_eq "results" "$(</run/ours.result)" "$(</run/reference.result)"
	assert_eq "routes" "$(</run/ours.routes)" "$(</run/reference.routes)"
	assert_same_json "messages" "$(</run/ours.messages)" "$(</run/reference.messages)"
	assert_json "there were two kinds" "$(</run/ours.messages)" length 2
}

@test "our plugin and the reference's daemon: ADD and STATUS say what to do, at once; DEL goes on" {
	reference_daemon
	before=$(snapshot host ctr)
	CNI_DEADLINE=5 EXPECT=1 cni_add "$(dhcp_conf)"
	assert_match "what to do" "$(jq -r .msg <<<"$output")" "is the reference's.*stop it and start .cnibox dhcp daemon"
	assert_eq "nothing is left" "$(snapshot host ctr)" "$before"
	CNI_DEADLINE=5 EXPECT=1 cni_status "$(dhcp_conf '.cniVersion = "1.1.0"')"
	assert_json "not available" "$output" .code 50
	CNI_DEADLINE=5 EXPECT=0 cni_del "$(dhcp_conf)"
	run_log "$CNIBOX" dhcp leases 2>/run/leases && flunk "it lists something"
	assert_match "the list, too" "$(</run/leases)" "is the reference's"
	run_log "$CNIBOX" dhcp daemon 2>/run/second && flunk "it started beside the other"
	assert_match "its socket is respected" "$(</run/second)" "another daemon listens at /run/cni/dhcp.sock"
}

@test "the reference's plugin and our daemon: it says what to do, at once" {
	daemon
	PLUGINS=$REFERENCE CNI_DEADLINE=5 EXPECT=1 cni_add "$(dhcp_conf)"
	assert_match "what to do" "$(jq -r .msg <<<"$output")" \
		"error dialing DHCP daemon: .*unexpected HTTP response: 501 this is the daemon of cnibox"
	assert_eq "the daemon lives" "$("$CNIBOX" dhcp leases)" ""
}

@test "switching over while containers run: CHECK takes over the leases of the reference's daemon" {
	reference_daemon
	PLUGINS=$REFERENCE cni_add "$(dhcp_conf)"
	stop
	: >/run/srv.seen
	daemon
	assert_eq "nothing is known yet" "$("$CNIBOX" dhcp leases)" ""
	cni_check "$(dhcp_conf)"
	assert_json "INIT-REBOOT (RFC 2131, 4.3.2): the address, no server" "$(seen srv '.[0] | [.type, .ciaddr, .options."50", .options."54"]')" . \
		'["request", "0.0.0.0", "0a4d0032", null]'
	assert_eq "it is kept from now on" "$(lease address) $(lease state)" "10.77.0.50/24 bound"
	cni_check "$(dhcp_conf)"
	cni_del "$(dhcp_conf)"
	wait_for "and given back" 5 has_seen srv 'any(.type == "release")'
}

@test "switching over: an address that the server refuses is not taken over, nor one without an answer" {
	reference_daemon
	PLUGINS=$REFERENCE cni_add "$(dhcp_conf)"
	stop
	daemon -timeout 1s -resendmax 1s
	script srv '.nak = ["request"]'
	EXPECT=1 cni_check "$(dhcp_conf)"
	assert_match "why" "$(jq -r .msg <<<"$output")" "the DHCP server refuses address 10.77.0.50"
	script srv '.silent = ["request"]'
	EXPECT=1 cni_check "$(dhcp_conf)"
	assert_json "code and text" "$output" '[.code, .msg]' '[11, "error calling DHCP.Allocate: no more tries"]'
	EXPECT=1 NO_PREV=1 cni_check "$(dhcp_conf)"
	assert_match "without prevResult" "$(jq -r .msg <<<"$output")" "the DHCP daemon has no lease for this interface"
	assert_eq "nothing is kept" "$("$CNIBOX" dhcp leases)" ""
	assert_json "the interface is as it was" "$(eth0 '[.addr_info[] | select(.family == "inet").local]')" . '["10.77.0.50"]'
}
