#!/usr/bin/env bats
# firewall with firewalld: the real daemon on a system bus of its own. Addresses become sources of a zone, whoever put
# them there takes them out again, and what a reload forgets is put back.

load lib/all
load lib/forward
sandbox forward

setup() {
	need_root
	need firewalld firewall-cmd dbus-daemon iptables-save
}

start_bus() {
	mkdir -p /run/dbus
	dbus-daemon --system --nofork --nopidfile >"$BATS_TEST_TMPDIR/bus.log" 2>&1 3>&- &
	wait_for "a system bus" 5 test -S /run/dbus/system_bus_socket
}

start_firewalld() {
	start_bus
	firewalld --nofork --nopid --log-target=file --log-file="$BATS_TEST_TMPDIR/firewalld.log" >/dev/null 2>&1 3>&- &
	FIREWALLD=$!
	wait_for "firewalld" 20 firewall-cmd --state
}

sources() { # [ZONE]
	firewall-cmd --zone="${1:-trusted}" --list-sources | tr ' ' '\n' | sort | xargs
}

remembered() {
	find /run/cni/firewall -type f 2>/dev/null | wc -l
}

@test "addresses are sources of the zone, for as long as the container is there" {
	start_firewalld
	while IFS='~' read -r change zone; do
		echo "== $change"
		conf=$(alone "$change")
		EXPECT=1 cni_check "$conf"
		cni_add "$conf"
		assert_eq "sources" "$(sources "$zone")" "10.77.0.2/32 fd77::2/128"
		cni_check "$conf"
		cni_add "$conf"
		assert_eq "no rules of iptables" "$(rules)" ""
		firewall-cmd --zone="$zone" --remove-source=fd77::2/128
		EXPECT=1 cni_check "$conf"
		assert_json "the answer of querySource counts" "$output" ".msg" "failed to find the address fd77::2 in $zone zone"
		cni_del "$conf"
		cni_del "$conf"
		assert_eq "nothing is left" "$(sources "$zone"):$(remembered)" :0
	done <<-'TABLE'
		.~trusted
		.backend = "something" | .firewalldZone = "internal"~internal
		.backend = "firewalld" | .firewalldZone = ""~trusted
	TABLE
}

@test "with iptables or nftables asked for, firewalld is left alone" {
	start_firewalld
	cni_add "$(alone '.backend = "iptables"')"
	assert_eq "sources" "$(sources)" ""
	assert_match "rules" "$(rules)" 10.77.0.2
	cni_check "$(alone '.backend = "iptables"')"
	cni_del "$(alone '.backend = "iptables"')"
	refute "no rules" grep -q 10.77.0.2 <<<"$(rules)"
}

@test "DEL and GC need no prevResult, and no firewalld" {
	start_firewalld
	cni_add "$(alone '.firewalldZone = "internal"')"
	cni_del "$(alone 'del(.prevResult)')"
	assert_eq "the zone is remembered" "$(sources internal):$(remembered)" :0
	cni_add "$(alone)"
	cni_add "$(alone '.prevResult.ips = [{address: "10.77.0.3/24"}]')" CNI_CONTAINERID=two
	cni_gc "$(alone 'del(.prevResult) | .cniVersion = "1.1.0" | .["cni.dev/valid-attachments"] = [{containerID: "two", ifname: "eth0"}]')"
	assert_eq "the stale one goes" "$(sources):$(remembered)" 10.77.0.3/32:1
	firewall-cmd --zone=trusted --remove-source=10.77.0.3/32
	firewall-cmd --zone=public --add-source=10.77.0.3/32
	cni_del "$(alone 'del(.prevResult)')" CNI_CONTAINERID=two
	assert_eq "what somebody else made of it stays" "$(sources public)" 10.77.0.3/32
	cni_add "$(alone)"
	kill "$FIREWALLD"
	wait "$FIREWALLD" || :
	cni_del "$(alone)"
	assert_eq "nothing is remembered" "$(remembered)" 0
	cni_del "$(alone '.backend = "firewalld"')"
	EXPECT=1 cni_status "$(alone 'del(.prevResult) | .cniVersion = "1.1.0" | .backend = "firewalld"')"
	assert_json "it does not run" "$output" '[.code, .msg]' '[50,"firewalld does not run"]'
	EXPECT=1 cni_add "$(alone '.backend = "firewalld"')"
	assert_json "ADD says so" "$output" '.msg | test("^failed to add the address 10.77.0.2 to trusted zone: ")'
	assert_eq "nothing is remembered" "$(remembered)" 0
	# Without it, iptables.
	cni_add "$(alone)"
	assert_match "rules" "$(rules)" 10.77.0.2
	cni_del "$(alone)"
}

@test "what was added while firewalld ran is removed when it does not, and the other way round" {
	cni_add "$(alone)"
	assert_match "rules of iptables" "$(rules)" 10.77.0.2
	# It takes what is in the tables of iptables away when it starts.
	start_firewalld
	EXPECT=1 cni_check "$(alone)"
	restore "$(alone)"
	cni_check "$(alone)"
	assert_eq "it is a source now" "$(sources)" "10.77.0.2/32 fd77::2/128"
	cni_del "$(alone 'del(.prevResult)')"
	assert_eq "it is not" "$(sources)" ""
	cni_add "$(alone '.backend = "iptables"')"
	restore "$(alone)"
	cni_del "$(alone 'del(.prevResult)')"
	assert_eq "neither is it with both" "$(sources)" ""
	refute "no rules are left" grep -q 10.77.0.2 <<<"$(rules)"
	assert_eq "nothing is remembered" "$(remembered)" 0
}

@test "a mistake in the zone is told, and nothing is left of the ADD" {
	start_firewalld
	EXPECT=1 cni_add "$(alone '.firewalldZone = "nowhere"')"
	assert_json "no such zone" "$output" .msg "failed to add the address 10.77.0.2 to nowhere zone: INVALID_ZONE: nowhere"
	firewall-cmd --zone=public --add-source=fd77::2/128
	EXPECT=1 cni_add "$(alone)"
	assert_json "another zone has it" "$output" '.msg | test("^failed to add the address fd77::2 to trusted zone: ZONE_CONFLICT")'
	assert_eq "the first address went again" "$(sources):$(remembered)" :0
	assert_eq "the other zone keeps it" "$(sources public)" fd77::2/128
	cni_status "$(alone 'del(.prevResult) | .cniVersion = "1.1.0" | .backend = "firewalld"')"
}

@test "the reference and we take out what the other put in" {
	need_reference firewall
	start_firewalld
	conf=$(alone '.backend = "firewalld"')
	PLUGINS=$REFERENCE cni_add "$conf"
	cni_check "$conf"
	cni_add "$conf"
	cni_del "$conf"
	assert_eq "by us" "$(sources)" ""
	PLUGINS=$REFERENCE cni_add "$conf"
	cni_del "$conf"
	assert_eq "by us, not remembered" "$(sources)" ""
	cni_add "$conf"
	PLUGINS=$REFERENCE cni_check "$conf"
	PLUGINS=$REFERENCE cni_del "$conf"
	assert_eq "by the reference" "$(sources)" ""
	cni_del "$conf"
	assert_eq "nothing is remembered" "$(remembered)" 0
}

@test "traffic: firewalld forwards for sources of the zone, and again after a reload and restore" {
	start_firewalld
	outside
	firewall-cmd --zone=dmz --add-interface=out0
	container ctr
	conf=$(chain cni0 10.77.0.0/24)
	cni_add "$(jq 'del(.plugins[1])' <<<"$conf")" @ctr
	assert "without us it is blocked" blocked ctr 192.0.2.2
	cni_del "$(jq 'del(.plugins[1])' <<<"$conf")" @ctr
	cni_add "$conf" @ctr
	pings ctr 192.0.2.2
	pings ctr 2001:db8::2
	firewall-cmd --reload
	firewall-cmd --zone=dmz --add-interface=out0
	assert_eq "a reload forgets the sources" "$(sources)" ""
	assert "and blocks the container" blocked ctr 192.0.2.2
	restore "$conf" @ctr
	cni_check "$conf" @ctr
	pings ctr 192.0.2.2
	cni_del "$conf" @ctr
	assert_eq "nothing is left" "$(sources):$(remembered)" :0
}

@test "a policy is carried by iptables beside firewalld" {
	start_firewalld
	cni_add "$(alone '.ingressPolicy = "same-bridge"')"
	assert_eq "sources" "$(sources)" "10.77.0.2/32 fd77::2/128"
	assert_match "the policy" "$(rules)" 'iptables -A CNI-ISOLATION-STAGE-1 -i cni0 ! -o cni0'
	refute "no rules of addresses" grep -q 10.77.0.2 <<<"$(rules)"
	cni_check "$(alone '.ingressPolicy = "same-bridge"')"
	iptables -F CNI-ISOLATION-STAGE-2
	EXPECT=1 cni_check "$(alone '.ingressPolicy = "same-bridge"')"
	assert_json "it is missed" "$output" '.msg | test("CNI-ISOLATION-STAGE-2")'
	cni_del "$(alone '.ingressPolicy = "same-bridge"')"
}

@test "a bus that is elsewhere, refuses us, talks nonsense or says nothing" {
	cni_add "$(alone)" DBUS_SYSTEM_BUS_ADDRESS=tcp:host=127.0.0.1,port=1
	cni_del "$(alone)"
	start_firewalld
	mv /run/dbus/system_bus_socket "/run/dbus/b,s"
	cni_add "$(alone '.backend = "firewalld"')" "DBUS_SYSTEM_BUS_ADDRESS=unix:path=/run/dbus/b%2cs"
	cni_del "$(alone)" "DBUS_SYSTEM_BUS_ADDRESS=tcp:host=h;unix:guid=1,path=/run/dbus/b%2Cs"
	mv "/run/dbus/b,s" /run/dbus/system_bus_socket
	assert_eq "sources" "$(sources):$(remembered)" :0
	odd() { # REPLY, as printf has it
		python3 - "$1" 3>&- <<-'END' &
			import socket, sys, os
			s = socket.socket(socket.AF_UNIX); s.bind("/run/odd.new"); s.listen(8); os.rename("/run/odd.new", "/run/odd")
			while True:
			    c, _ = s.accept(); c.send(sys.argv[1].encode("latin1").decode("unicode_escape").encode("latin1"))
		END
		ODD=$!
		wait_for "a strange bus" 5 test -S /run/odd
	}
	while IFS='~' read -r reply said; do
		odd "$reply"
		EXPECT=1 cni_add "$(alone '.backend = "firewalld"')" DBUS_SYSTEM_BUS_ADDRESS=unix:path=/run/odd
		assert_json "$reply" "$output" .msg "firewalld: system bus: $said"
		# With nobody asking for firewalld, it is as if there were none; what says nothing takes 5 s each time.
		[[ $reply != '\x00' ]] || { kill "$ODD"; break; }
		cni_add "$(alone)" DBUS_SYSTEM_BUS_ADDRESS=unix:path=/run/odd
		cni_del "$(alone '.backend = "firewalld"')" DBUS_SYSTEM_BUS_ADDRESS=unix:path=/run/odd
		kill "$ODD"
		rm /run/odd
	done <<-'TABLE'
		REJECTED EXTERNAL\r\n~the bus refused us: REJECTED EXTERNAL
		OK 1\r\nHTTP/1.1 400 Bad Request\r\n~call Hello of org.freedesktop.DBus: an answer is malformed
		OK 1\r\nl\x02\x00\x01\xff\xff\xff\x07\x01\x00\x00\x00\x00\x00\x00\x00~call Hello of org.freedesktop.DBus: an answer is too large
		\x00~no answer in time
	TABLE
}

@test "32 ADDs at once, then 32 DELs" {
	local i failed=0
	local -a pids=()

	start_firewalld
	one() { # COMMAND N
		env CNI_COMMAND="$1" CNI_CONTAINERID="pod$2" CNI_NETNS=/run/netns/x CNI_IFNAME=eth0 CNI_PATH="$PLUGINS" \
			"$PLUGINS/firewall" <<<"$(alone ".prevResult.ips = [{address: \"10.77.$2.2/24\"}]")" >"$BATS_TEST_TMPDIR/$1.$2" 2>&1
	}
	for i in {1..32}; do one ADD "$i" & pids+=($!); done
	for i in "${pids[@]}"; do wait "$i" || failed=1; done
	[[ $failed == 0 ]] || flunk "an ADD failed" "$(cat "$BATS_TEST_TMPDIR"/ADD.*)"
	assert_eq "sources" "$(sources | wc -w):$(remembered)" 32:32
	pids=()
	for i in {1..32}; do one DEL "$i" & pids+=($!); done
	for i in "${pids[@]}"; do wait "$i" || failed=1; done
	[[ $failed == 0 ]] || flunk "a DEL failed" "$(cat "$BATS_TEST_TMPDIR"/DEL.*)"
	assert_eq "nothing is left" "$(sources):$(remembered)" :0
}
