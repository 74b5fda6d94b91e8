#!/usr/bin/env bats
# dhcp: the daemon as a process: killed and started again, its socket, files and privileges, many at once.

load lib/all
load lib/dhcp
load lib/schema
sandbox

setup() {
	need dnsmasq python3
	container ctr ctr2
	lan
}

@test "kill -9 and a new daemon: the address stays, and it renews" {
	server_place srv 10.77.0.1
	scripted_in srv '{address: "10.77.0.50", server: "10.77.0.1", lease: 100, t1: 2, t2: 50}'
	daemon
	cni_add "$(dhcp_conf)"
	kill -9 "$DAEMON"
	wait_for "it is dead" 5 gone "$DAEMON"
	assert "its socket is left" test -S /run/cni/dhcp.sock
	run_in ctr ip -4 monitor address route >/run/monitor.log 2>&1 3>&- &
	: >/run/srv.seen
	daemon
	assert_eq "the lease is there" "$(lease address)" 10.77.0.50/24
	wait_for "it is renewed" 10 has_seen srv 'any(.type == "request" and .ciaddr == "10.77.0.50" and .to == "10.77.0.1")'
	assert_eq "nothing happened to the interface" "$(</run/monitor.log)" ""
	cni_check "$(dhcp_conf)"
	cni_del "$(dhcp_conf)"
	wait_for "RELEASE" 5 has_seen srv 'any(.type == "release")'
}

@test "a new daemon gives up what is gone, and does not trust its files" {
	server_place srv 10.77.0.1
	dnsmasq_in srv 10.77.0.50 10.77.0.99
	daemon
	cni_add "$(dhcp_conf)"
	cni_add "$(dhcp_conf)" @ctr2
	kill -9 "$DAEMON"
	wait_for "it is dead" 5 gone "$DAEMON"
	container new # while the other is there, since the kernel gives its number to the next one
	ip netns del ctr
	touch /run/netns/ctr
	mount --bind /run/netns/new /run/netns/ctr
	file=$(grep -l '"container":"ctr2"' /run/cni/dhcp.leases/*.json)
	assert_eq "for root only" "$(stat -c %a /run/cni/dhcp.leases "$file" | tr '\n' ' ')" "700 600 "
	jq '.boot = "other" | .container = "ctr3"' "$file" >/run/cni/dhcp.leases/boot.json
	jq 'del(.mac) | .container = "ctr4"' "$file" >/run/cni/dhcp.leases/mac.json
	echo '{' >/run/cni/dhcp.leases/half.json
	mkdir /run/cni/dhcp.leases/dir.json
	: >/run/cni/dhcp.leases/.half.json.0123
	daemon
	assert "an unfinished file is removed" test ! -e /run/cni/dhcp.leases/.half.json.0123
	assert_json "only what is still there" "$("$CNIBOX" dhcp leases --json)" '[.[].container]' '["ctr2"]'
	assert "it says why" grep -q 'ctr/eth0: the lease is given up: another namespace is at /run/netns/ctr' /run/daemon.log
	assert "and what it could not read" grep -q '3 files with leases could not be read' /run/daemon.log
	assert "another boot's is removed" test ! -e /run/cni/dhcp.leases/boot.json
}

@test "which boot this is cannot be read for once: that is the error, and no lease is thrown away" {
	local boot=/proc/sys/kernel/random/boot_id status=0
	need strace
	server_place srv 10.77.0.1
	dnsmasq_in srv 10.77.0.50 10.77.0.99
	daemon
	cni_add "$(dhcp_conf)"
	kill -9 "$DAEMON"
	wait_for "it is dead" 5 gone "$DAEMON"
	said=$(timeout 10 env ASAN_OPTIONS=detect_leaks=0 strace -qq -o /dev/null -P $boot -e inject=openat:error=EMFILE "$CNIBOX" dhcp daemon 2>&1) || status=$?
	assert_eq "status" "$status" 1
	assert_match "the reason" "$said" "read $boot: Too many open files"
	daemon
	assert_eq "the lease is there" "$(lease state)" bound
	cni_del "$(dhcp_conf)"
}

@test "a daemon in a container finds namespaces below -hostprefix" {
	server_place srv 10.77.0.1
	dnsmasq_in srv 10.77.0.50 10.77.0.99
	mkdir -p /run/host/run/netns
	: >/run/host/run/netns/ctr
	mount --bind /run/netns/ctr /run/host/run/netns/ctr
	daemon -hostprefix /run/host
	cni_add "$(dhcp_conf)"
	kill -9 "$DAEMON"
	wait_for "it is dead" 5 gone "$DAEMON"
	ip netns del ctr # what the daemon does not see
	daemon -hostprefix=/run/host
	assert_eq "the lease is there" "$(lease state)" bound
	cni_del "$(dhcp_conf)"
	wait_for "the server sees the release" 5 logged srv DHCPRELEASE
}

@test "a lease past its end when the daemon comes back is not used" {
	server_place srv 10.77.0.1
	scripted_in srv '{address: "10.77.0.50", server: "10.77.0.1", lease: 3, t1: 1, t2: 2, router: "10.77.0.1"}'
	daemon
	cni_add "$(dhcp_conf)"
	kill -9 "$DAEMON"
	script srv '.silent = ["discover", "request"]'
	file=$(echo /run/cni/dhcp.leases/*.json)
	jq '.lease.begin -= 10000' "$file" >/run/older
	cat /run/older >"$file"
	wait_for "it is dead" 5 gone "$DAEMON"
	daemon -resendmax 1s -timeout 1s
	assert_eq "lost" "$(lease usable)" false
	assert_json "no address" "$(eth0 '[.addr_info[] | select(.family == "inet")]')" . '[]'
	script srv '.silent = [] | .lease = 100 | .t1 = 40 | .t2 = 50'
	wait_for "given again" 10 lease_is usable true
	assert "the lease's routes are back" run_in ctr ip route get 192.0.2.1
}

@test "socket, pid file and folders: made for root, removed at SIGTERM; leases stay" {
	server_place srv 10.77.0.1
	dnsmasq_in srv 10.77.0.50 10.77.0.99
	"$CNIBOX" dhcp daemon --pidfile=/run/cni.pid --socketpath /run/deep/er/dhcp.sock 2>/run/daemon.log 3>&- &
	pid=$!
	wait_for "the daemon" 5 "$CNIBOX" dhcp leases -socketpath /run/deep/er/dhcp.sock
	assert_eq "its pid" "$(</run/cni.pid)" "$pid"
	assert_eq "modes" "$(stat -c %a /run/deep/er /run/deep/er/dhcp.sock | tr '\n' ' ')" "700 700 "
	run_log "$CNIBOX" dhcp daemon -socketpath /run/deep/er/dhcp.sock 2>/run/second && flunk "a second daemon started"
	assert_match "a second one is told" "$(</run/second)" "another daemon runs with the leases in /run/deep/er/dhcp.leases"
	cni_add "$(dhcp_conf '.ipam.daemonSocketPath = "/run/deep/er/dhcp.sock"')"
	kill -TERM "$pid"
	wait "$pid"
	assert_eq "socket and pid file are gone" "$(ls -d /run/cni.pid /run/deep/er/dhcp.sock 2>/dev/null)" ""
	assert "the lease is not" compgen -G '/run/deep/er/dhcp.leases/*.json'
	refute "nothing was given back" logged srv DHCPRELEASE
}

@test "the daemon keeps few capabilities and gains none" {
	daemon
	assert_eq "capabilities" "$(awk '/^(CapPrm|CapEff|CapBnd|CapInh|NoNewPrivs)/ { print $2 }' /proc/"$DAEMON"/status | tr '\n' ' ')" \
		"0000000000000000 0000000000283400 0000000000283400 0000000000283400 1 "
}

@test "systemd's socket activation: just one descriptor" {
	need systemd-socket-activate
	server_place srv 10.77.0.1
	dnsmasq_in srv 10.77.0.50 10.77.0.99
	mkdir -p /run/cni
	systemd-socket-activate --listen=/run/cni/dhcp.sock "$CNIBOX" dhcp daemon -pidfile /run/cni.pid >/run/daemon.log 2>&1 3>&- &
	pid=$!
	wait_for "the socket" 5 test -S /run/cni/dhcp.sock
	cni_add "$(dhcp_conf)"
	cni_del "$(dhcp_conf)"
	kill "$pid"
	wait "$pid" || :
	assert "the socket is not ours to remove" test -S /run/cni/dhcp.sock
	rm /run/cni/dhcp.sock
	systemd-socket-activate --listen=/run/a.sock --listen=/run/b.sock "$CNIBOX" dhcp daemon >/run/two.log 2>&1 3>&- &
	pid=$!
	wait_for "the socket" 5 test -S /run/b.sock
	deadline 2 "$CNIBOX" dhcp leases -socketpath /run/a.sock || :
	wait "$pid" || :
	assert_match "two are too many" "$(</run/two.log)" 'Too many \(2\) descriptors'
}

@test "32 at once: one process, one thread, little memory" {
	server_place srv 10.77.0.1
	dnsmasq_in srv 10.77.0.50 10.77.0.199
	daemon
	pids=()
	for i in {1..32}; do
		container "pod$i"
		(cni_add "$(dhcp_conf)" "@pod$i") >"/run/add$i" 2>&1 3>&- &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do
		wait "$pid" || flunk "an ADD failed" "$(cat /run/add*)"
	done
	assert_json "32 addresses" "$("$CNIBOX" dhcp leases --json)" '[.[].address] | unique | length' 32
	"$CNIBOX" dhcp leases --json | described dhcp-leases >/dev/null
	assert_eq "threads" "$(awk '/^Threads/ { print $2 }' /proc/"$DAEMON"/status)" 1
	rss=$(awk '/^RssAnon/ { print $2 }' /proc/"$DAEMON"/status)
	echo "private memory: $rss KiB"
	[[ -n ${CNIBOX_SANITIZED:-} ]] || assert "below 2 MiB of its own" test "$rss" -lt 2048
	assert_eq "no child" "$(cat /proc/"$DAEMON"/task/*/children)" ""
	fds=$(find /proc/"$DAEMON"/fd -type l | wc -l)
	for i in {1..32}; do
		cni_del "$(dhcp_conf)" "@pod$i" >/dev/null
	done
	assert "what they held is given up" test "$(find /proc/"$DAEMON"/fd -type l | wc -l)" -le $((fds - 64))
}

@test "a link that goes away ends the lease; a plugin that goes away ends the asking" {
	server_place srv 10.77.0.1
	scripted_in srv '{address: "10.77.0.50", server: "10.77.0.1"}'
	daemon
	cni_add "$(dhcp_conf)"
	ip -n ctr link set eth0 down
	assert_eq "down is not gone" "$(lease state)" bound
	ip -n ctr link del eth0
	wait_for "the lease is forgotten" 5 lease_is state ""
	assert "it says so" grep -q 'interface "eth0" is gone' /run/daemon.log
	script srv '.silent = ["discover"]'
	(cni_add "$(dhcp_conf)" >/run/add.log 2>&1 3>&-) &
	wait_for "it asks" 5 lease_is state selecting
	kill -9 "$(pgrep -f '^/opt/cni/bin/bridge$')"
	wait_for "it does not ask any more" 5 lease_is state ""
	cni_del "$(dhcp_conf)"
}

@test "ADD again for the same interface gives the same lease; for a new container of that name, a new one" {
	server_place srv 10.77.0.1
	dnsmasq_in srv 10.77.0.50 10.77.0.99
	daemon
	ip link add v0 type veth peer name eth0 netns ctr
	ip link set v0 master lan0 up
	dhcp=$(conf dhcp '.cniVersion = "1.0.0"')
	cni_add "$dhcp"
	first=$output
	cni_add "$dhcp"
	assert_same_json "the same" "$output" "$first"
	assert "asked for once" test "$(grep -c DHCPACK /run/srv.log)" = 1
	ip netns del ctr
	ip link del v0
	container ctr
	ip link add v0 type veth peer name eth0 netns ctr
	ip link set v0 master lan0 up
	cni_add "$dhcp"
	assert "asked for again" test "$(grep -c DHCPACK /run/srv.log)" = 2
	assert_json "one lease" "$("$CNIBOX" dhcp leases --json)" length 1
}

@test "the socket takes no nonsense, and nobody can hold up others" {
	daemon
	exec {idle}<>/dev/null
	python3 - <<-'PYTHON'
		import json, socket
		def ask(data):
		    s = socket.socket(socket.AF_UNIX)
		    s.settimeout(8)
		    s.connect("/run/cni/dhcp.sock")
		    s.sendall(data)
		    return s.makefile("rb").read().decode()
		silent = [socket.socket(socket.AF_UNIX) for _ in range(200)]
		for s in silent:
		    s.connect("/run/cni/dhcp.sock")
		assert "error" in json.loads(ask(b"nonsense\n")), "nonsense"
		assert "error" in json.loads(ask(b'{"protocol": 2, "verb": "status"}\n')), "protocol"
		assert "error" in json.loads(ask(b'{"protocol": 1, "verb": "eat"}\n')), "verb"
		assert "error" in json.loads(ask(b'{"protocol": 1, "verb": "allocate", "network": "n", "container": "c", "ifname": "e"}\n'))
		assert "error" in json.loads(ask(b'{"protocol": 1, "verb": "release"}\n')), "release"
		assert json.loads(ask(b'{"protocol": 1, "verb": "status"}\n')) == {"protocol": 1}
		try:
		    assert ask(b"x" * (5 << 20)) == "", "too long"
		except (BrokenPipeError, ConnectionResetError):
		    pass
		assert ask(b"") == "", "nothing: after five seconds it hangs up"
	PYTHON
	assert_eq "leases are still told" "$("$CNIBOX" dhcp leases)" ""
}

@test "who is not root is sent away" {
	need setpriv
	need_root
	daemon
	chmod 755 /run/cni
	chmod 777 /run/cni/dhcp.sock
	EXPECT_TEXT="answers root only"
	run_log setpriv --reuid=65534 --clear-groups "$CNIBOX" dhcp leases 2>/run/other && flunk "it was answered"
	assert_match "why" "$(</run/other)" "$EXPECT_TEXT"
}

@test "tables for people, usage, and flags in the reference's spelling" {
	server_place srv 10.77.0.1
	dnsmasq_in srv 10.77.0.50 10.77.0.50 --dhcp-lease-max=10
	daemon -timeout=5s -resendmax 10s --resendtimeout 20s
	cni_add "$(dhcp_conf)"
	assert_match "the table" "$("$CNIBOX" dhcp leases)" \
		$'^NETWORK +CONTAINER +IFNAME +ADDRESS +SERVER +STATE +RENEWS IN +ENDS IN\ntnet +ctr +eth0 +10.77.0.50/24 +10.77.0.1 +bound +(59s|1m00s) +(1m59s|2m00s)$'
	for words in '-timeout' '-resendmax=x' '-pid file' '--timeout=0'; do
		# shellcheck disable=SC2086
		run_log "$CNIBOX" dhcp daemon $words 2>/run/usage && flunk "accepted: $words"
		assert_match "$words" "$(</run/usage)" '^dhcp daemon: '
	done
	assert_match "the link in the plugin folder has the verbs, too" "$(/opt/cni/bin/dhcp leases --json)" tnet
	refute "but not when a runtime calls" env CNI_COMMAND=ADD /opt/cni/bin/dhcp leases
}
