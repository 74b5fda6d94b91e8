# Rows of an agent whose leases are in etcd, read by tests/bench/run after agents.bash. etcd is in the node's own namespace.
# shellcheck shell=bash disable=SC2154,SC2086,SC2206 # variables of tests/bench/run

# etcd_node NAME N: as agent_node, with the store in etcd
etcd_node() {
	local url=http://127.0.0.1:2379 data='' dir=$work/store-$1
	agent_node "$1" host-gw "$2"
	ip -n "$1" link set lo up
	nsenter --net="/run/netns/$1" etcd --data-dir "$work/etcd-$1" --logger zap --unsafe-no-fsync --listen-client-urls $url \
		--advertise-client-urls $url --listen-peer-urls http://127.0.0.1:2380 >"$work/etcd.log" 2>&1 &
	etcd_pid=$!
	until etcd_call "$1" endpoint health >/dev/null 2>&1; do read -rt 0.1 <> <(:) || :; done
	etcd_call "$1" put /coreos.com/network/config "$(<"$dir/config")" >/dev/null
	for data in "$dir"/subnets/*; do
		echo "put /coreos.com/network/subnets/${data##*/} \"$(sed 's/,"Expires[^}]*//; s/"/\\"/g' "$data")\""
	done >"$work/puts"
	split -l 100 "$work/puts" "$work/puts." # a transaction has at most 128
	for data in "$work"/puts.*; do
		{ echo; cat "$data"; echo; echo; } | etcd_call "$1" txn >/dev/null
		rm "$data"
	done
	agent_call=(nsenter --net="/run/netns/$1" "$ours/cnibox" hostgw-sync --etcd-endpoints $url --iface eth0
		--subnet-file "/run/$1/subnet.env")
}

etcd_call() { ETCDCTL_API=3 nsenter --net="/run/netns/$1" etcdctl "${@:2}"; }

etcd_stop() {
	kill "$etcd_pid"
	wait "$etcd_pid" || :
	rm -f "$work"/puts*
}

row_leases2000_etcd() {
	local i start TIMEFORMAT='%U %S'
	etcd_node at-etcd 2000
	: >"$work/etcd.wall"; : >"$work/etcd.cpu"
	for ((i = 0; i < n / 4 + 1; i++)); do
		agent_forget at-etcd
		start=${EPOCHREALTIME/./}
		{ time "${agent_call[@]}" --once 2>/dev/null; } 2>"$work/time"
		echo $((${EPOCHREALTIME/./} - start)) >>"$work/etcd.wall"
		awk '{ printf "%d\n", ($1 + $2) * 1000000 }' "$work/time" >>"$work/etcd.cpu"
		[ "$(agent_routes at-etcd)" = 2000 ] || failures+=("leases2000_etcd: not every route is there")
	done
	etcd_begin at-etcd 2000
	below "2000 leases in etcd: from exec to the kernel, wall" ms "$(ms $flannel_sync)" "$(ms "$(median <"$work/etcd.wall")")" 200
	below "... CPU" ms "$(ms 740000)" "$(ms "$(median <"$work/etcd.cpu")")" 200
	below "... memory of the agent" KiB "" "$(awk '/^VmRSS/ { print $2 }' "/proc/$agent_pid/status")" 8192
	note "... of its store's process, own pages (the rest is shared libraries')" KiB "" \
		"$(awk '/^(Private_Dirty|Private_Clean|Anonymous)/ && !/Clean/ { sum = $2 > sum ? $2 : sum } END { print sum }' "/proc/$(pgrep -P "$agent_pid")/smaps_rollup")"
	note "... all of both" KiB $flannel_rss "$(agent_memory VmRSS)"
	agent_stop
	etcd_stop
}

etcd_begin() { # NODE ROUTES: sets agent_pid
	"${agent_call[@]}" 2>/dev/null &
	agent_pid=$!
	until [ "$(agent_routes "$1")" -ge "$2" ]; do read -rt 0.05 <> <(:) || :; done
	read -rt 2.5 <> <(:) || :
}

# A lease is put into etcd, by a call that is on its way; the kernel tells of its route.
row_newlease_etcd() {
	local i count
	for count in 50 2000; do
		etcd_node "at-put$count" $count
		etcd_begin "at-put$count" $count
		ip -n "at-put$count" -tshort -o monitor route >"$work/monitor" &
		local monitor=$!
		read -rt 0.3 <> <(:) || :
		for ((i = 0; i < 30; i++)); do
			etcd_put "at-put$count" "$i"
			read -rt 0.1 <> <(:) || :
		done >"$work/written"
		kill "$monitor"
		wait "$monitor" 2>/dev/null || :
		below "a lease in etcd beside $count, until its route is there" ms "$(ms $flannel_put)" "$(ms "$(lease_times | median)")" 20
		agent_stop
		etcd_stop
	done
}

# Prints the subnet and when the request went out: etcdctl would need long to begin.
etcd_put() {
	# shellcheck disable=SC2016 # for the shell inside
	nsenter --net="/run/netns/$1" bash -c 'exec 3<>/dev/tcp/127.0.0.1/2379
		key=$(printf %s "/coreos.com/network/subnets/10.200.$1.0-24" | base64 -w0)
		value=$(printf %s "{\"PublicIP\":\"172.16.9.$(($1 + 2))\",\"BackendType\":\"host-gw\"}" | base64 -w0)
		body="{\"key\":\"$key\",\"value\":\"$value\"}"
		echo "10.200.$1.0/24 $EPOCHREALTIME"
		printf "POST /v3/kv/put HTTP/1.1\r\nHost: e\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" ${#body} "$body" >&3
		cat <&3 >/dev/null' put "$2"
}
