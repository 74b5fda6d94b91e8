#!/usr/bin/env bats
# shellcheck disable=SC2086,SC2034 # paths of our own, without blanks; what the libraries read
# `cnibox policy-iptables watch` with objects from a folder, by every back end that there is: what changes lands, what others damage is
# repaired, what is in force stays without it, and is adopted by the next one.

load lib/all
load lib/enforce
load lib/watch
sandbox file forward

setup_file() {
	policy_node
}

teardown() {
	[[ -n ${BATS_TEST_COMPLETED:-} ]] || cat "$WATCH_LOG"
	watch_stop
	rm -rf $OBJECTS
	policy cleanup
}

@test "files that come, change and go; a refused object and a file that is none leave what is in force" {
	for backend in $(backends); do
		put pods pods
		watch
		assert "$backend: open" reaches web db 80
		put deny 'deny db'
		wait_for "$backend: denied" 10 blocked web db 80
		put allow 'allow db web 80'
		wait_for "$backend: allowed" 10 reaches web db 80
		assert "$backend: another port" blocked web db 81
		before=$(in_force)
		put allow 'allow db web 0'
		wait_for "$backend: the reason" 10 said 'refused: networkpolicy default/allow-db-web-0: spec.ingress[0].ports[0].port: 0 is not within 1..65535'
		take allow
		wait_for "$backend: without it" 10 blocked web db 80
		put allow 'allow db web 80; deny db | sed "s/deny-db/odd/; s/Ingress/Sideways/"'
		wait_for "$backend: allowed again" 10 reaches web db 80
		wait_for "$backend: a reason with its path" 10 said 'networkpolicy default/odd: spec.policyTypes[0]: "Sideways" is not Ingress or Egress'
		echo 'a: [' >$OBJECTS/allow.yaml
		wait_for "$backend: it says which file" 10 said "$OBJECTS/allow.yaml: "
		assert_match "$backend: not ready" "$(readiness)" "not ready yet: $OBJECTS/allow.yaml"
		assert_eq "$backend: in force" "$(in_force)" "$before"
		put allow 'allow db web 80'
		wait_for "$backend: ready" 10 watch_ready
		watch_end
		rm $OBJECTS/*
		policy cleanup
	done
}

@test "a pod that comes or goes on another node is set elements: nothing is compiled, no chain is written" {
	for backend in iptables-nft nftables; do
		put pods 'pods'
		put policy 'deny db; allow db far 80'
		watch --resync 0
		compiled=$(metric compiled_total) groups=$(metric groups_written_total)
		put far 'pod_yaml far 192.0.2.2 2001:db8::2 | sed s/n1/n2/'
		wait_for "$backend: the outside is that pod" 10 reaches outside db 80
		assert "$backend: not for others" blocked web db 80
		take far
		wait_for "$backend: and is it no more" 10 blocked outside db 80
		assert_eq "$backend: compiled" "$(metric compiled_total)" "$compiled"
		assert_eq "$backend: chains" "$(metric groups_written_total)" "$groups"
		assert_eq "$backend: followed" "$(metric followed_total)" 2
		assert_eq "$backend: elements" "$(metric elements_added_total) $(metric elements_removed_total)" "2 2"
		watch_end
		rm $OBJECTS/*
		policy cleanup
	done
}

@test "SIGTERM and SIGKILL leave everything in force; the next one adopts it, and writes only what has changed meanwhile" {
	for backend in iptables-nft nftables; do
		put pods pods
		put policy 'deny db; allow db web 80'
		watch --resync 0
		for signal in TERM KILL; do
			watch_end $signal
			assert "$backend: allowed" reaches web db 80
			assert "$backend: denied" blocked web db 81
			before=$(counters)
			watch --resync 0
			assert_eq "$backend: nothing is written" "$(metric writes_total)" 0
			assert_eq "$backend: no counter is reset" "$(counters)" "$before"
		done
		watch_end KILL
		put policy 'deny db'
		watch --resync 0
		assert "$backend: what has changed" blocked web db 80
		assert_eq "$backend: in one write" "$(metric writes_total)" 1
		watch_end
		rm $OBJECTS/*
		policy cleanup
	done
}

@test "damage by others is repaired: at once or within seconds, what hides by looking, and on SIGHUP" {
	for backend in $(backends); do
		put pods pods
		put policy 'deny db; allow db web 80'
		watch --resync 0
		before=$(in_force)
		damage_chain
		wait_for "$backend: a chain is back" 10 is "$before" in_force
		assert "$backend: denied" blocked web db 81
		damage_element
		wait_for "$backend: an element is back" 10 is "$before" in_force
		wait_for "$backend: it is told" 10 said "repaired: "
		assert_eq "$backend: repairs" "$(metric repairs_total)" 2
		swap_element
		kill -HUP "$watch_pid"
		wait_for "$backend: one that was another" 10 is "$before" in_force
		watch_end
		watch --resync 300ms
		swap_element
		wait_for "$backend: found by looking" 10 is "$before" in_force
		watch_end
		rm $OBJECTS/*
		policy cleanup
	done
}

@test "--once; a second one is refused; another back end's leftovers are taken over" {
	backend=iptables-nft
	put pods pods
	put policy 'deny db'
	run_log policy watch --node n1 --backend nftables -f $OBJECTS --once --socket /run/policy.sock
	assert "in force" blocked web db 80
	assert "by nftables" ours nftables
	watch
	assert "in force, still" blocked web db 80
	refute "nothing of the other is left" ours nftables
	code=0
	message=$(policy watch --node n1 -f $OBJECTS --once --socket /run/policy.sock 2>&1) || code=$?
	assert_eq "status" "$code" 1
	assert_match "who has it" "$message" 'another process keeps this node.s policies: it holds /run/policy.sock.lock'
	echo 'a: [' >$OBJECTS/pods.yaml
	refute "--once fails where nothing can be read" policy watch --node n1 -f $OBJECTS --once --socket /run/other.sock
	refute "standard input" policy watch --node n1 -f -
	status=0
	message=$(deadline "$CNIBOX" policy-iptables watch --node n1 --kube-api-url http://127.0.0.1:1 --once --once-timeout 1s --socket /run/other.sock 2>&1) || status=$?
	assert_eq "status without an API server" "$status" 1
	assert_match "what it has waited for" "$(tail -n 1 <<<"$message")" \
		'^policy-iptables watch: not in force after 1s \(--once-timeout\): the API server: .*127\.0\.0\.1:1: Connection refused'
}

@test "--close-node drops addresses of the node's range that are no known pod, and says when the range is unknown" {
	container new
	join_pod new 10.1.0.9 fd01::9
	for backend in $(backends); do
		put pods pods
		code=0
		message=$(policy watch --node n1 --backend "$backend" -f $OBJECTS --close-node --once --socket /run/policy.sock 2>&1) || code=$?
		assert_eq "$backend: status" "$code" 1
		assert_match "$backend: why" "$message" 'the node "n1" has no podCIDR that could be closed'
		put node 'printf -- "---\n%s\n" "{apiVersion: v1, kind: Node, metadata: {name: n1}, spec: {podCIDR: 10.1.0.0/24, podCIDRs: [10.1.0.0/24, \"fd01::/64\"]}}"'
		watch --close-node
		assert "$backend: a known pod" reaches web db 80
		assert "$backend: an unknown one, from" blocked new db 80
		assert "$backend: an unknown one, to" blocked web new 80
		assert "$backend: over IPv6" blocked web new 80 6
		assert "$backend: the node reaches it" reaches host new 80
		put new 'pod_yaml new 10.1.0.9 fd01::9'
		wait_for "$backend: known by now" 10 reaches new db 80
		watch_end
		rm $OBJECTS/*
		policy cleanup
	done
}

@test "who writes without end does not keep the agent from reading" {
	local writer

	backend=nftables
	put pods pods
	watch --delay 1s
	while :; do
		echo >$OBJECTS/busy
		sleep 0.02
	done 3>&- &
	writer=$!
	put deny 'deny db'
	wait_for "denied" 15 blocked web db 80
	kill $writer
}

@test "--cut ends the connections that a change denies, and no other" {
	for backend in $(backends); do
		put pods pods
		watch --cut --resync 0
		talk web db 80
		talk web db 81
		wait_for "$backend: nobody waits for an answer" 5 acknowledged
		put policy 'deny db; allow db web 81'
		wait_for "$backend: one is cut" 10 said ' cut, denied by now'
		assert "$backend: the other goes on" talks 81
		refute "$backend: it is dead" talks 80 0.4
		hang_up
		watch_end
		rm $OBJECTS/*
		policy cleanup
	done
}

# What the daemon and its programs call while COMMAND runs and until all of it is written and `rules` says so, in /run/traced.
traced() { # CALLS TEXT COMMAND ...
	local tracer writes

	writes=$(metric writes_total)
	: >/run/traced
	strace -f -qq -e trace="$1" -o /run/traced -p "$watch_pid" 3>&- &
	tracer=$!
	wait_for "strace is there" 10 grep -q "TracerPid:[[:space:]]*$tracer" "/proc/$watch_pid/status"
	"${@:3}"
	wait_for "$2" 10 has_rule "$2"
	wait_for "by every family" 10 eval '(( $(metric writes_total) > '"$writes"' ))'
	kill "$tracer"
	wait "$tracer" || :
}
# Files that are opened.
opened() { # TEXT COMMAND ...
	traced openat "$@"
	sed -n "s,.*$OBJECTS/\([a-z0-9-]*\)\.yaml.*,\1,p" /run/traced | sort -u | xargs
}
has_rule() { { rules; iptables-nft-save -t filter; } 2>/dev/null | grep -qe "$1"; }

@test "of many files those are read that have changed, or all when an object was in two; it may move between them" {
	need strace
	backend=nftables
	put pods 'pods'
	for i in {1..20}; do
		put "other-$i" "pod_yaml other-$i 192.0.3.$i 2001:db8:1::$i | sed s/n1/n2/"
	done
	put policy 'deny db; allow db far 80'
	watch
	put policy 'deny db; allow db web 80' # those that were read in the tick they were written in are read once more
	wait_for "web" 10 reaches web db 80
	sleep_past_tick
	assert_eq "one" "$(opened 'dport 81' put policy 'deny db; policy_yaml r db "ingress: [{ports: [{port: 81}]}]"')" "policy"
	put broken 'policy_yaml bad db "ingress: 5"'
	wait_for "it is refused" 10 said "refused"
	sleep_past_tick
	refute "whatever is refused" grep other <<<"$(opened 'dport 82' put policy 'deny db; policy_yaml r db "ingress: [{ports: [{port: 82}]}]"')"
	put twice 'policy_yaml r db "ingress: [{ports: [{port: 83}]}]"'
	wait_for "it is told" 10 said "is in $OBJECTS/policy.yaml, too"
	sleep_past_tick
	assert_eq "all, and the other one counts" "$(opened 'dport 83' put policy 'deny db' | wc -w)" 24
	take twice
	wait_for "and goes" 10 has_no_rule 'dport 83'
	put policy 'deny db; policy_yaml r db "ingress: [{ports: [{port: 84}]}]"'
	wait_for "and is back where it was" 10 has_rule 'dport 84'
}
has_no_rule() { ! has_rule "$1"; }

@test "a change of a policy: one program for each family, or three transactions and none" {
	need strace
	for backend in $(backends); do
		put pods pods
		put policy 'deny db; allow db web 80'
		watch --resync 0
		looks=$(metric looks_total)
		traced execve,sendmsg 'port[s]* 8[13]' put policy 'deny db; policy_yaml r db "ingress: [{ports: [{port: 83}]}]"'
		if [[ $backend == nftables ]]; then
			assert_eq "$backend: programs, transactions" "$(grep -c 'execve(.*= 0' /run/traced || :) $(grep -c 'msg_iovlen=3' /run/traced)" "0 3"
		else
			assert_eq "$backend: programs" "$(grep -c 'execve(.*restore.*= 0' /run/traced) $(grep -c 'execve(.*= 0' /run/traced)" "2 2"
		fi
		assert_eq "$backend: what is in force was not read for it" "$(metric looks_total)" "$looks"
		assert "$backend: and how long it took is told" grep -q '[1-9]' <<<"$(metric last_update_seconds)"
		watch_end
		rm $OBJECTS/*
		policy cleanup
	done
}

# Longer than a change could hide behind the clock's tick (lib/guard/folder.c).
sleep_past_tick() {
	local until=$((${EPOCHREALTIME/./} + 150000))

	wait_for "a tick" 2 eval '(( ${EPOCHREALTIME/./} > '$until' ))'
}
