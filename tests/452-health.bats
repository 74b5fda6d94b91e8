#!/usr/bin/env bats
# shellcheck disable=SC2086,SC2012,SC2016 # paths of our own, without blanks; $ is for the shell inside
# What an agent says of itself: probes over HTTP, metrics, its state in the log, the service manager; and that nobody who asks can
# hold it up.

load lib/all
load lib/nodes
sandbox

setup() {
	need ping bridge jq nft
	nodes 2 host-gw
	AGENT=flanneld
}

is() { [[ $(get "$1" "$2") == "$3"* ]]; }

@test "healthz, readyz and metrics are there when a port is named, and say what is so" {
	agent n1 --healthz-port $PORT
	agent n2
	ready n1 n2
	wait_for "ready" 3 is n1 /readyz $'200\nflanneld is ready'
	assert_eq "healthz" "$(get n1 /healthz)" $'200\nflanneld is running'
	assert_eq "another path" "$(get n1 /)" $'404\nNot Found'
	assert_eq "with a query" "$(get n1 '/healthz?verbose')" $'200\nflanneld is running'
	refute "no port without being told" is n2 /healthz 200
	wait_for "its peer" 3 has 'cnibox_peers{state="installed"} 1' get n1 /metrics
	assert_eq "peers wanted, failed" "$(node_metric n1 'peers{state="wanted"}') $(node_metric n1 'peers{state="failed"}')" "1 0"
	assert_eq "leases, restarts of the store" "$(node_metric n1 leases) $(node_metric n1 store_restarts_total)" "2 0"
	assert_eq "subnets" "$(node_metric n1 subnets_free) of $(node_metric n1 subnets)" "253 of 255"
	wait_for "the lease's life" 3 has 'cnibox_lease_left_seconds 86' get n1 /metrics
	ip -n n1 route del "$(subnet n2)"
	wait_for "the repair" 3 has 'cnibox_repairs_total{kind="route",action="added"} 1' get n1 /metrics
	assert_eq "rules" "$(node_metric n1 rules) $(node_metric n1 rule_repairs_total)" "1 0"
	nsenter --net=/run/netns/n1 nft flush ruleset
	wait_for "their repair" 3 has 'cnibox_rule_repairs_total 1' get n1 /metrics
	echo junk >$STORE/subnets/hello
	wait_for "a bad entry" 3 has 'cnibox_bad_entries 1' get n1 /metrics
	assert_eq "it stays ready" "$(node_metric n1 ready)" 1
	# Every name has its help and type, before its values, once.
	get n1 /metrics | awk '/^# HELP/ { help[$3]++ } /^# TYPE/ { type[$3]++ } /^cnibox/ { sub(/[{ ].*/, ""); used[$0] = 1 }
		END { for (name in used) if (help[name] != 1 || type[name] != 1) { print name; bad = 1 } exit bad }'
}

@test "a peer that no way leads to is named, and keeps the node from being ready; a lease that is at fault does not" {
	mkdir -p $STORE/subnets
	echo '{"PublicIP":"198.51.100.9","BackendType":"host-gw"}' >$STORE/subnets/10.5.250.0-24
	echo '{"PublicIP":"198.51.100.8","BackendType":"wireguard"}' >$STORE/subnets/10.5.240.0-24
	why="2 of 2 peers cannot be reached: 198.51.100.9, which has 10.5.250.0-24: host-gw needs it on a network that both nodes are in; also 198.51.100.8"
	run_log nsenter --net=/run/netns/n1 timeout 5 "$CNIBOX" flanneld --store $STORE --iface eth0 --subnet-file /run/n1/subnet.env --once
	agent n1 --healthz-port $PORT
	ready n1
	wait_for "a word on it" 5 grep -q "[23] leases; what can be is in place, but $why" $STORE/n1.log
	refute "everything is in place" grep -q "everything is in place" $STORE/n1.log
	wait_for "not ready" 3 is n1 /readyz $'503\nflanneld is not ready yet: '"$why"
	assert_eq "ready" "$(node_metric n1 ready)" 0
	rm $STORE/subnets/10.5.250.0-24
	wait_for "ready with the other one" 3 is n1 /readyz 200
	assert_eq "it is counted" "$(node_metric n1 'peers{state="unreachable"}')" 1
	rm $STORE/subnets/10.5.240.0-24
	wait_for "all is told" 3 grep -q "peers can be reached" $STORE/n1.log
}

@test "ready is no longer true when the store is silent or the kernel lacks something, and becomes so again" {
	agent n1 --healthz-port $PORT --store-silence 1s
	agent n2
	ready n1 n2
	wait_for "ready" 3 is n1 /readyz 200
	store=$(pgrep -P "$(agent_pid n1)")
	kill -STOP "$store"
	wait_for "not ready any more" 4 is n1 /readyz $'503\nflanneld is not ready yet: the store was heard last'
	assert_eq "healthy all the same" "$(get n1 /healthz)" $'200\nflanneld is running'
	assert_match "the age of the last word" "$(node_metric n1 store_contact_age_seconds)" '^[1-9]'
	kill -CONT "$store"
	wait_for "ready again" 4 is n1 /readyz 200
	lease=$STORE/subnets/$(subnet n1 | tr / -)
	kill -KILL "$store" && rm "$lease"
	wait_for "a new process for the store" 4 has 'cnibox_store_restarts_total 1' get n1 /metrics
	wait_for "ready with it" 4 is n1 /readyz 200
	wait_for "the lease that was lost meanwhile is the same again" 3 test -e "$lease"
	assert_eq "the network has not changed" "$(grep -c "has changed" $STORE/n1.log)" 0
	mv $STORE/config $STORE/away
	wait_for "a store that is not whole" 6 is n1 /readyz 503
	mv $STORE/away $STORE/config
	wait_for "ready once more" 6 is n1 /readyz 200
	ip -n n1 link set eth0 down
	ip -n n1 addr flush dev eth0
	wait_for "no way to the others" 4 is n1 /readyz $'503\nflanneld is not ready yet: find the external interface: interface eth0 has no IPv4 address'
	ip -n n1 addr add 192.0.2.1/24 dev eth0
	ip -n n1 link set eth0 up
	wait_for "ready in the end" 4 is n1 /readyz 200
}

@test "an agent that is stopped says so; one that ends with the store stopped ends all the same" {
	agent n1 --healthz-port $PORT --store-silence 1s
	ready n1
	kill -STOP "$(pgrep -P "$(agent_pid n1)")"
	pid=$(agent_pid n1)
	kill "$pid"
	wait_for "it ends" 3 bash -c "! kill -0 $pid 2>/dev/null"
}

@test "what is no request is refused, and who is slow cannot stop the others" {
	agent n1 --healthz-port $PORT
	ready n1
	first() { ask n1 "$1" | head -n 1 | tr -d '\r'; }
	assert_eq "another method" "$(first 'POST /healthz HTTP/1.1\r\n\r\n')" "HTTP/1.1 405 Method Not Allowed"
	assert_eq "no HTTP" "$(first 'hello\r\n\r\n')" "HTTP/1.1 400 Bad Request"
	assert_eq "TLS" "$(first '\026\003\001\002\000')" "HTTP/1.1 400 Bad Request"
	assert_eq "too long" "$(first "GET /healthz HTTP/1.1\r\n$(printf 'X: %0100d\\r\\n' {1..60})")" "HTTP/1.1 431 Request Header Fields Too Large"
	assert_eq "the header only" "$(ask n1 'HEAD /healthz HTTP/1.0\r\n\r\n' | tr -d '\r' | sed '1,/^$/d')" ""
	assert_match "its length" "$(ask n1 'HEAD /healthz HTTP/1.0\r\n\r\n')" "Content-Length: 19"
	# A hundred connections that say a little and wait, and one that wants to know something.
	nsenter --net=/run/netns/n1 python3 - $PORT <<-'PYTHON' 3>&- &
		import socket, sys, time
		slow = [socket.create_connection(("127.0.0.1", int(sys.argv[1]))) for _ in range(100)]
		for one in slow:
		    try:
		        one.send(b"GET /hea")
		    except OSError:
		        pass
		open("/run/slow", "w")
		end = time.monotonic() + 10
		while time.monotonic() < end:
		    time.sleep(0.05)
	PYTHON
	slow=$!
	wait_for "they are there" 5 test -e /run/slow
	for _ in 1 2 3; do
		assert_eq "an answer" "$(get n1 /healthz)" $'200\nflanneld is running'
	done
	assert "few are kept" test "$(ls "/proc/$(agent_pid n1)/fd" | wc -l)" -lt 32
	few() { [[ $(ls "/proc/$(agent_pid n1)/fd" | wc -l) -lt 16 ]]; }
	wait_for "they are dropped after their time" 6 few
	kill "$slow"
}

@test "who may ask: loopback of vxlan and hostgw-sync; of flanneld everybody, but for its metrics" {
	from() { nsenter --net="/run/netns/$1" timeout 2 bash -c 'exec 3<>/dev/tcp/'$2/$PORT' && printf "GET $1 HTTP/1.0\r\n\r\n" >&3 && head -n 1 <&3' - "$3" 2>&1; }
	agent n1 --healthz-port $PORT
	AGENT=hostgw-sync agent n2 --healthz-port $PORT
	ready n1 n2
	assert_match "flanneld, from another node" "$(from n2 192.0.2.1 /healthz)" "200 OK"
	assert_match "its metrics" "$(from n2 192.0.2.1 /metrics)" "404 Not Found"
	assert_match "on the node" "$(from n1 127.0.0.1 /metrics)" "200 OK"
	refute "hostgw-sync, from another node" from n1 192.0.2.2 /healthz
	assert_match "on the node" "$(from n2 127.0.0.1 /healthz)" "200 OK"
	agent_kill n1
	agent n1 --healthz-port $PORT --healthz-ip 192.0.2.1
	wait_for "an address that was chosen serves all to all" 3 has "200 OK" from n2 192.0.2.1 /metrics
	agent_kill n1
	agent n1 --healthz-port $PORT --healthz-ip ::1
	wait_for "IPv6" 3 has "200 OK" from n1 ::1 /metrics
	said=$(nsenter --net=/run/netns/n1 timeout 5 "$CNIBOX" flanneld --store $STORE --healthz-port $PORT --healthz-ip ::1 2>&1) && flunk "NOT refused"
	assert_eq "a port that is taken" "$said" "flanneld: health: listen on ::1, port $PORT: Address already in use"
}

# A service manager's end: writes what it is told to a file, each message behind a line of "--".
manager() { # SOCKET; in n1, since an abstract name is of its network namespace
	rm -f /run/told
	nsenter --net=/run/netns/n1 python3 - "$1" <<-'PYTHON' 3>&- &
		import socket, sys
		end = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
		name = sys.argv[1]
		end.bind("\0" + name[1:] if name[0] == "@" else name)
		open("/run/listening", "w")
		while True:
		    message = end.recv(4096).decode()
		    with open("/run/told", "a") as told:
		        told.write("--\n" + message + "\n")
	PYTHON
	wait_for "the manager listens" 5 test -e /run/listening
	rm /run/listening
}

@test "the service manager is told when all is in place, how it is, and that it ends" {
	for socket in /run/notify @cnibox-test; do
		manager $socket
		mv $STORE/config $STORE/later
		NOTIFY_SOCKET=$socket WATCHDOG_USEC=200000 agent n1
		wait_for "watchdog, from the beginning" 3 grep -qx WATCHDOG=1 /run/told
		assert_eq "not ready before there is a network" "$(grep -c READY /run/told)" 0
		mv $STORE/later $STORE/config
		wait_for "ready" 3 grep -qx READY=1 /run/told
		wait_for "a word on it" 3 grep -qx "STATUS=1 lease; everything is in place" /run/told
		assert "subnet.env is there by then" test -s /run/n1/subnet.env
		agent_kill n1
		wait_for "the end" 3 grep -qx STOPPING=1 /run/told
	done
}

@test "SIGHUP has it look again, SIGUSR1 has it tell its state" {
	agent n1 --resync 0
	agent n2
	ready n1 n2
	wait_for "its peer" 3 has "$(subnet n2)" ip -n n1 route show proto 118
	kill -USR1 "$(agent_pid n1)"
	wait_for "its state" 3 grep -q "state: ready" $STORE/n1.log
	wait_for "all of it" 3 grep -q "left of the lease" $STORE/n1.log
	assert_match "the node" "$(<$STORE/n1.log)" "state: node 192.0.2.1 on eth0, way host-gw, subnet $(subnet n1 | tr / -), MTU of pods 1500"
	assert_match "the peers" "$(<$STORE/n1.log)" "state: peers: 1 wanted, 1 in place, 0 refused by the kernel, 0 out of reach; 0 entries"
	kill -HUP "$(agent_pid n1)"
	wait_for "it looks again" 3 grep -q "looking at everything again" $STORE/n1.log
	assert "and lives" kill -0 "$(agent_pid n1)"
}

# shown PID FIELD: of /proc/PID/status
shown() { sed -n "s/^$2:[[:space:]]*//p" "/proc/$1/status"; }

@test "an agent keeps four capabilities, gains none, and calls for other things are refused" {
	local pid

	agent n1
	ready n1
	pid=$(agent_pid n1)
	# CAP_DAC_READ_SEARCH, CAP_NET_ADMIN, CAP_NET_RAW, CAP_BPF, of those that this test has
	assert_eq "effective" "$((0x$(shown "$pid" CapEff) & ~(1 << 2 | 1 << 12 | 1 << 13 | 1 << 39)))" 0
	assert_eq "to be had" "$((0x$(shown "$pid" CapPrm) & ~(1 << 2 | 1 << 12 | 1 << 13 | 1 << 39)))" 0
	assert_eq "CAP_NET_ADMIN" "$((0x$(shown "$pid" CapEff) >> 12 & 1))" 1
	assert_eq "new privileges, filter of calls" "$(shown "$pid" NoNewPrivs) $(shown "$pid" Seccomp)" "1 2"
}
