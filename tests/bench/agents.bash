# Rows of the agents on a store of files, read by tests/bench/run: how fast many leases become routes, what a repair costs, how
# quiet an agent is. flannel cannot be had here: its figures are those that flannel.md, sections 2.4 and 7, gives.
# shellcheck shell=bash disable=SC2154 # variables of tests/bench/run

flannel_sync=1670000 flannel_rss=30720 flannel_put=30000 flannel_idle=20480 # us, KiB, us, KiB

# agent_node NAME TYPE N: a node that is at 172.16.255.1 and has a store with N leases of others
agent_node() {
	local store=$work/store-$1
	node "$1"
	ip -n "$1" link add eth0 type veth peer name under
	ip -n "$1" addr add 172.16.255.1/12 dev eth0
	ip -n "$1" link set under up
	ip -n "$1" link set eth0 up
	mkdir -p "$store/subnets" "/run/$1"
	printf '{"Network":"10.0.0.0/8","SubnetLen":24,"Backend":{"Type":"%s"}}\n' "$2" >"$store/config"
	awk -v n="$3" -v dir="$store/subnets" -v type="$2" 'BEGIN {
		for (i = 0; i < n; i++) {
			file = sprintf("%s/10.%d.%d.0-24", dir, 100 + int(i / 250), i % 250)
			data = type == "vxlan" ? sprintf(",\"BackendData\":{\"VNI\":1,\"VtepMAC\":\"02:00:00:00:%02x:%02x\"}", int(i / 250), i % 250) : ""
			printf "{\"PublicIP\":\"172.16.%d.%d\",\"PublicIPv6\":null,\"BackendType\":\"%s\"%s,\"Expires\":\"2999-01-01T00:00:00Z\"}\n",
				int(i / 250), 2 + i % 250, type, data >file
			close(file)
		}
	}'
}

agent_words() { # NODE TYPE: how it is called
	local applet=vxlan
	[ "$2" = vxlan ] || applet=hostgw-sync
	agent_call=(nsenter --net="/run/netns/$1" "$ours/cnibox" "$applet" --store "$work/store-$1" --iface eth0
		--subnet-file "/run/$1/subnet.env")
}

agent_routes() { ip -n "$1" -4 route show proto 118 | wc -l; }

# Until it has that many routes and is at rest.
agent_start() { # NODE TYPE ROUTES: sets agent_pid
	agent_words "$1" "$2"
	"${agent_call[@]}" 2>/dev/null &
	agent_pid=$!
	until [ "$(agent_routes "$1")" -ge "$3" ]; do read -rt 0.05 <> <(:) || :; done
	read -rt 2.5 <> <(:) || :
}

agent_stop() {
	kill "$agent_pid"
	wait "$agent_pid" || :
}

# Resident memory of the agent and its store's process, in KiB.
agent_memory() {
	local pid
	for pid in "$agent_pid" $(pgrep -P "$agent_pid"); do cat "/proc/$pid/status"; done | awk -v what="$1" '$1 == what ":" { sum += $2 } END { print sum }'
}

agent_ticks() { awk '{ print $14 + $15 }' "/proc/$agent_pid/stat"; }

median() { sort -n | awk '{ v[NR] = $1 } END { print NR ? v[int((NR + 1) / 2)] : "" }'; }

agent_forget() { # NODE: as after a reboot
	ip -n "$1" link del flannel.1 2>/dev/null || :
	ip -n "$1" route flush proto 118
	rm -f "/run/$1"/*
}

# From exec to the end of --once, which comes when everything is in the kernel.
row_leases2000() {
	local type i start TIMEFORMAT='%U %S'
	for type in vxlan host-gw; do
		agent_node "at-$type" $type 2000
		: >"$work/$type.wall"; : >"$work/$type.cpu"
	done
	for ((i = 0; i < n / 4 + 1; i++)); do
		for type in vxlan host-gw; do
			agent_forget "at-$type"
			agent_words "at-$type" $type
			start=${EPOCHREALTIME/./}
			{ time "${agent_call[@]}" --once 2>/dev/null; } 2>"$work/time"
			echo $((${EPOCHREALTIME/./} - start)) >>"$work/$type.wall"
			awk '{ printf "%d\n", ($1 + $2) * 1000000 }' "$work/time" >>"$work/$type.cpu"
			[ "$(agent_routes "at-$type")" = 2000 ] || failures+=("leases2000: $type has not every route")
		done
	done
	for type in vxlan host-gw; do
		agent_start "at-$type" $type 2000
		below "2000 leases, $type: from exec to the kernel, wall" ms "$(ms $flannel_sync)" "$(ms "$(median <"$work/$type.wall")")" 200
		below "... CPU" ms "$(ms 740000)" "$(ms "$(median <"$work/$type.cpu")")" 200
		below "... memory of agent and store's process" KiB $flannel_rss "$(agent_memory VmRSS)" 8192
		note "... at its peak" KiB $flannel_rss "$(agent_memory VmHWM)"
		agent_stop
	done
}

# One of 10 000 routes is deleted: from the kernel's word of that to its word of the new one.
row_reconcile() {
	local i route
	agent_node at-10000 host-gw 10000
	agent_start at-10000 host-gw 10000
	ip -n at-10000 -tshort -o monitor route >"$work/monitor" &
	local monitor=$! ticks
	ticks=$(agent_ticks)
	for ((i = 1; i <= 10; i++)); do
		route=$(ip -n at-10000 route show proto 118 | sed -n "$((i * 900))p")
		# shellcheck disable=SC2086 # words
		ip -n at-10000 route del $route
		until [ "$(agent_routes at-10000)" = 10000 ]; do read -rt 0.1 <> <(:) || :; done
	done
	ticks=$(($(agent_ticks) - ticks))
	strace -f -qq -o "$work/trace" -p "$agent_pid" &
	local tracer=$!
	read -rt 1 <> <(:) || :
	# shellcheck disable=SC2086
	ip -n at-10000 route del $route
	read -rt 2 <> <(:) || :
	kill "$monitor" "$tracer"
	wait "$monitor" "$tracer" 2>/dev/null || :
	below "10000 routes, one is deleted: until it is back" ms "" "$(ms "$(repair_times <"$work/monitor" | median)")" 50
	below "... CPU" ms "" "$(ms $((ticks * 1000)))" 50 # of ten repairs, in hundredths of a second
	below "... netlink sends" calls "" "$(grep -c 'sendmsg(' "$work/trace")" 6
	below "... system calls but of memory" calls "" "$(grep -cE '(sendmsg|recvmsg|epoll_wait|read|write|openat|close)\(' "$work/trace")" 60
	agent_stop
}

repair_times() {
	tr -d '[]' | awk '{ split($1, t, "[T:]"); now = (t[2] * 60 + t[3]) * 60 + t[4] }
		$2 == "Deleted" { at[$3] = now; next } $2 in at { printf "%d\n", (now - at[$2]) * 1000000; delete at[$2] }'
}

# A lease is written into the folder; the kernel tells of its route.
row_newlease() {
	local i
	agent_node at-new host-gw 50
	agent_start at-new host-gw 50
	ip -n at-new -tshort -o monitor route >"$work/monitor" &
	local monitor=$!
	read -rt 0.3 <> <(:) || :
	for ((i = 0; i < 30; i++)); do
		echo '{"PublicIP":"172.16.9.'$((i + 2))'","BackendType":"host-gw"}' >"$work/new"
		echo "10.200.$i.0/24 $EPOCHREALTIME"
		mv "$work/new" "$work/store-at-new/subnets/10.200.$i.0-24"
		read -rt 0.1 <> <(:) || :
	done >"$work/written"
	kill "$monitor"
	wait "$monitor" 2>/dev/null || :
	below "a lease in the folder, until its route is there" ms "$(ms $flannel_put)" "$(ms "$(lease_times | median)")" 20
	agent_stop
}

lease_times() {
	TZ=UTC awk 'NR == FNR { at[$1] = $2; next } { gsub(/[][]/, ""); split($1, t, "[T:]"); now = (t[2] * 60 + t[3]) * 60 + t[4]
		if ($2 in at) { was = at[$2] % 86400; printf "%d\n", (now - was) * 1000000; delete at[$2] } }' "$work/written" "$work/monitor"
}

row_idle() {
	agent_node at-idle vxlan 50
	agent_start at-idle vxlan 50
	read -rt 3 <> <(:) || : # addresses settle
	local pids=("$agent_pid" "$(pgrep -P "$agent_pid")")
	strace -f -qq -o "$work/trace" -p "${pids[0]}" -p "${pids[1]}" &
	local tracer=$!
	read -rt 10 <> <(:) || :
	kill "$tracer"
	wait "$tracer" 2>/dev/null || :
	below "idle with 50 peers: system calls in 10 s" calls "" \
		"$(grep -vcE 'resuming|restart_syscall|detached|<unfinished|(epoll_wait|poll)\([^)]*$' "$work/trace" || :)" 0
	below "... memory of the agent" KiB $flannel_idle "$(awk '/^VmRSS/ { print $2 }' "/proc/$agent_pid/status")" 4096
	note "... with its store's process" KiB $flannel_idle "$(agent_memory VmRSS)"
	agent_stop
}
