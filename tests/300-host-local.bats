#!/usr/bin/env bats
# host-local: every key, the reference's directory byte for byte, crashes, many leases. The unit tests of lib/ipam have
# the fine print; here it is processes, beside those of the reference.

# Every test is a process of its own, and its variables end with it.
# shellcheck disable=SC2030,SC2031

load lib/all
sandbox

# A sanitized binary cannot look for leaks while strace does.
export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0

NET=/var/lib/cni/networks/tnet
INDEX=/var/lib/cni/networks/.cnibox/tnet

# pool LAST [JQ]: a configuration with the addresses 10.77.0.2 ... 10.77.0.LAST
pool() { conf host-local ".ipam.rangeEnd = \"10.77.0.$1\" | ${2:-.}"; }

by_reference() { PLUGINS=$REFERENCE "$@"; }

# The directory as text: names, contents, and modes where the reference of Debian 12 has the same ones.
listing() {
	local file

	stat -c '%a .' "$1"
	for file in "$1"/*; do
		printf '%s %s ' "${file##*/}" "$(stat -c %s "$file")"
		od -An -c "$file" | tr -s '\n ' ' '
		echo
	done
}

leases() { find "$NET" -type f ! -name lock ! -name 'last_reserved_ip.*' -printf '%f\n' 2>/dev/null | sort -V; }

# Leases and index say the same, and there is nothing else in the index.
consistent() {
	local file lease owner

	for file in $(leases); do
		mapfile -t owner < <(tr -d '\r' <"$NET/$file"; echo)
		echo "$file ${owner[0]}:${owner[1]}"
	done >"$BATS_TEST_TMPDIR/leases"
	find "$INDEX" -mindepth 1 -printf '%l %f\n' 2>/dev/null | sed 's/:[0-9]*$//' | sort -V >"$BATS_TEST_TMPDIR/index"
	assert_eq "the index names every lease" "$(<"$BATS_TEST_TMPDIR/index")" "$(sort -V "$BATS_TEST_TMPDIR/leases")"
}

# message CONF [VARIABLE=value ...]: what ADD by $PLUGINS/host-local says
message() {
	EXPECT=1 cni_add "$@" >"$BATS_TEST_TMPDIR/log" || { cat "$BATS_TEST_TMPDIR/log"; return 1; }
	jq -r .msg <<<"$output"
}

code() { jq .code <<<"$output"; }

# ---- configuration ----

@test "ADD takes one address from every range set and copies the routes" {
	cni_add "$(conf host-local '.cniVersion = "1.1.0" | .ipam = {type: "host-local",
		ranges: [[{subnet: "10.77.0.0/24", rangeStart: "10.77.0.10", gateway: "10.77.0.254"}], [{subnet: "fd77::/64"}]],
		routes: [{dst: "0.0.0.0/0"}, {dst: "fd00::/8", gw: "fd77::9", mtu: 1400, advmss: 1300, priority: 5, table: 0, scope: 0}]}')"
	assert_same_json "the whole result" "$output" '{"cniVersion": "1.1.0", "ips": [
		{"address": "10.77.0.10/24", "gateway": "10.77.0.254"}, {"address": "fd77::2/64", "gateway": "fd77::1"}],
		"routes": [{"dst": "0.0.0.0/0"},
			{"dst": "fd00::/8", "gw": "fd77::9", "mtu": 1400, "advmss": 1300, "priority": 5, "table": 0, "scope": 0}]}'
}

@test "range sets are numbered: ipRanges of the runtime, then the old style, then ranges" {
	cni_add "$(conf host-local '.ipam.ranges = [[{subnet: "10.78.0.0/24"}]]
		| .runtimeConfig.ipRanges = [[{subnet: "10.76.0.0/24"}]]')"
	assert_json "addresses in this order" "$output" '[.ips[].address]' '["10.76.0.2/24", "10.77.0.2/24", "10.78.0.2/24"]'
	assert_eq "last_reserved_ip.2" "$(<$NET/last_reserved_ip.2)" 10.78.0.2
	cni_del "$(conf host-local)"
	assert_eq "DEL needs none of them" "$(leases)" ""
}

@test "keys count in any case, as runtimes write them" {
	cni_add '{"CNIVersion": "1.0.0", "Name": "tnet", "type": "host-local", "IPAM": {"Type": "host-local",
		"Subnet": "10.77.0.0/24", "RANGESTART": "10.77.0.5"}, "RuntimeConfig": {"IPRanges": [[{"Subnet": "10.76.0.0/24"}]]}}'
	assert_json "addresses" "$output" '[.ips[].address]' '["10.76.0.2/24", "10.77.0.5/24"]'
}

@test "requested addresses come from CNI_ARGS, args and runtimeConfig together; prefixes are ignored" {
	cni_add "$(conf host-local '.ipam = {type: "host-local", ranges: [[{subnet: "10.77.0.0/24"}], [{subnet: "10.78.0.0/24"}],
		[{subnet: "fd77::/64"}], [{subnet: "10.79.0.0/24"}]]} | .args.cni.ips = ["10.78.0.50/8"]
		| .runtimeConfig.ips = ["fd77::50/64", "10.78.0.50"]')" "CNI_ARGS=IgnoreUnknown=1;K8S_POD_NAME=x;IP=10.77.0.50"
	assert_json "addresses" "$output" '[.ips[].address]' '["10.77.0.50/24", "10.78.0.50/24", "fd77::50/64", "10.79.0.2/24"]'
	assert_eq "allocation goes on behind" "$(<$NET/last_reserved_ip.0)" 10.77.0.50
}

@test "resolvConf fills the result's dns" {
	printf '%s\n' '# comment' ' ; comment' 'nameserver 10.0.0.1 ignored' 'nameserver  fd00::1' 'domain a' 'domain b.c ' \
		'search x y' $'search\tz' 'options ndots:5 rotate' 'nameserver' 'sortlist 1.2.3.4' >"$BATS_TEST_TMPDIR/resolv"
	cni_add "$(conf host-local ".ipam.resolvConf = \"$BATS_TEST_TMPDIR/resolv\"")"
	ours=$output
	assert_json "dns" "$ours" .dns '{"nameservers": ["10.0.0.1", "fd00::1"], "domain": "b.c", "search": ["x", "y", "z"],
		"options": ["ndots:5", "rotate"]}'
	need_reference host-local
	by_reference cni_add "$(conf host-local ".ipam.resolvConf = \"$BATS_TEST_TMPDIR/resolv\"")" @other
	assert_json "as the reference reads it" "$output" .dns "$(jq -c .dns <<<"$ours")"
	assert_match "a missing file is named" "$(message "$(conf host-local '.ipam.resolvConf = "/nope"')" @third)" '^open /nope: [Nn]o such file or directory$'
	assert_eq "no lease is left of it" "$(leases | wc -l)" 2
}

# The reference takes them in random order.
@test "of two requested addresses in one range set, one is too many" {
	seen=$(message "$(conf host-local '.args.cni.ips = ["10.77.0.5", "10.77.0.6"]')")
	assert_eq "message" "$seen" "failed to allocate all requested IPs: 10.77.0.6"
	assert_eq "no lease is left of it" "$(leases | wc -l)" 0
}

@test "errors have the reference's words" {
	need_reference host-local
	local -a confs=(
		'del(.ipam)' 'del(.ipam.subnet)' '.ipam.ranges = [[]]' '.ipam.ranges = [[{}]]' '.ipam.subnet = "10.77.0.0/31"'
		'.ipam.subnet = "10.77.0.5/24"' '.ipam.ranges = [[{subnet: "10.77.0.0/16"}]]' '.ipam.rangeStart = "10.78.0.1"'
		'.ipam.rangeEnd = "10.78.0.1"' '.ipam.rangeStart = "10.77.0.9" | .ipam.rangeEnd = "10.77.0.5"'
		'.ipam.ranges = [[{subnet: "10.1.0.0/24"}, {subnet: "fd00::/64"}]]'
		'.ipam.ranges = [[{subnet: "10.1.0.0/24"}, {subnet: "10.1.0.0/25"}]]'
		'.cniVersion = "0.2.0" | .ipam.ranges = [[{subnet: "10.1.0.0/24"}]]'
		'.args.cni.ips = ["10.77.0.1"]' '.args.cni.ips = ["10.78.0.1"]' 
		'.runtimeConfig.ips = ["fd00::1"]' '.args.cni.ips = ["10.77.0.2"]' '.ipam.rangeEnd = "10.77.0.2"'
	)
	local -a args=('IP=x' 'IP=10.77.0.5;' 'FOO=1' 'IP=10.77.0.1' 'IP=10.78.0.1' 'IP=10.77.0.2')
	by_reference cni_add "$(conf host-local)" @first
	for filter in "${confs[@]}"; do
		want=$(by_reference message "$(conf host-local "$filter")")
		assert_eq "$filter" "$(message "$(conf host-local "$filter")")" "$want"
	done
	for words in "${args[@]}"; do
		want=$(by_reference message "$(conf host-local)" "CNI_ARGS=$words")
		assert_eq "$words" "$(message "$(conf host-local)" "CNI_ARGS=$words")" "$want"
	done
	assert_eq "a second ADD" "$(message "$(conf host-local)" @first)" "$(by_reference message "$(conf host-local)" @first)"
	assert_eq "only the first lease" "$(leases)" 10.77.0.2
	EXPECT=1 cni_check "$(conf host-local)" @nobody
	ours=$(jq -r .msg <<<"$output")
	EXPECT=1 by_reference cni_check "$(conf host-local)" @nobody
	assert_eq "CHECK of nobody" "$ours" "$(jq -r .msg <<<"$output")"
}

@test "wrong values are blamed by their path, and codes say whose mistake it is" {
	assert_eq "a subnet" "$(message "$(conf host-local '.ipam.ranges = [[{subnet: "10.1.0.0/24"}, {subnet: "x"}]]')")" \
		'ipam.ranges[0][1].subnet: "x" is not a CIDR (such as 10.1.0.0/24)'
	message "$(conf host-local '.ipam.ranges = "x"')"
	assert_eq "wrong type" "$(code)" 6
	message "$(conf host-local '.ipam.subnet = "10.77.0.0/31"')"
	assert_eq "wrong configuration" "$(code)" 7
	assert_eq "a gateway of the other family" "$(message "$(conf host-local '.ipam.gateway = "fd00::1"')")" \
		'invalid range set 0: Gateway fd00::1 not in network 10.77.0.0/24'
	assert_eq "wrong configuration" "$(code)" 7
	assert_eq "a requested address" "$(message "$(conf host-local '.runtimeConfig.ips = ["10.77.0.5", "x"]')")" \
		'runtimeConfig.ips[1]: invalid IP address x'
	message "$(conf host-local)" CNI_ARGS=IP=x
	assert_eq "wrong environment" "$(code)" 4
}

# ---- the directory ----

@test "the directory is the reference's, byte for byte" {
	need_reference host-local
	config=$(conf host-local '.ipam.ranges = [[{subnet: "fd77::/64"}]]')
	for step in "cni_add @a" "cni_add @b" "cni_add @c CNI_IFNAME=net1" "cni_del @b" "cni_add @d"; do
		read -r verb words <<<"$step"
		# shellcheck disable=SC2086
		"$verb" "$config" $words
	done
	listing $NET >"$BATS_TEST_TMPDIR/ours"
	assert_eq "modes" "$(stat -c '%a %n' $NET/lock $NET/10.77.0.2 $NET/last_reserved_ip.1 | sed "s,$NET/,,")" \
		$'750 lock\n600 10.77.0.2\n600 last_reserved_ip.1'
	rm -r /var/lib/cni/networks
	for step in "cni_add @a" "cni_add @b" "cni_add @c CNI_IFNAME=net1" "cni_del @b" "cni_add @d"; do
		read -r verb words <<<"$step"
		# shellcheck disable=SC2086
		by_reference "$verb" "$config" $words
	done
	assert_eq "names, sizes, contents" "$(<"$BATS_TEST_TMPDIR/ours")" "$(listing $NET)"
}

@test "either implementation takes over from the other at any moment" {
	need_reference host-local
	config=$(conf host-local '.ipam.ranges = [[{subnet: "fd77::/64"}]]')
	cni_add "$config" @a
	by_reference cni_check "$config" @a
	by_reference cni_add "$config" @b
	cni_check "$config" @b
	assert_json "ours goes on where the reference was" "$(cni_add "$config" @c >/dev/null; echo "$output")" '.ips[0].address' 10.77.0.4/24
	assert_match "no address twice for one container" "$(message "$config" @b)" 'has been allocated to b'
	by_reference cni_del "$config" @a
	cni_del "$config" @b
	assert_eq "what is left is c's" "$(leases)" $'10.77.0.4\nfd77::4'
	by_reference cni_del "$config" @c
	cni_del "$config" @c
	assert_eq "nothing is left" "$(leases)" ""
	cni_add "$config" @d
	consistent
}

@test "leases of very old versions name the container only" {
	mkdir -p $NET
	printf old >$NET/10.77.0.9
	cni_check "$(conf host-local)" @old
	cni_del "$(conf host-local)" @old
	assert_eq "released" "$(leases)" ""
}

@test "32 parallel ADDs of both implementations lose no address and give none out twice" {
	need_reference host-local
	local -a pids=()

	for i in {1..32}; do
		plugin=$PLUGINS
		[[ $((i % 4)) != 0 ]] || plugin=$REFERENCE
		env CNI_COMMAND=ADD CNI_CONTAINERID="c$i" CNI_NETNS=/nope CNI_IFNAME=eth0 CNI_PATH=/ "$plugin/host-local" \
			<<<"$(conf host-local)" >"$BATS_TEST_TMPDIR/out.$i" 3>&- &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do
		wait "$pid"
	done
	assert_eq "32 different addresses" "$(jq -r '.ips[0].address' "$BATS_TEST_TMPDIR"/out.* | sort -u | wc -l)" 32
	for i in {1..32}; do
		assert_eq "the lease of c$i" "$(<"$NET/$(jq -r '.ips[0].address' "$BATS_TEST_TMPDIR/out.$i" | cut -d/ -f1)")" \
			"c$i"$'\r\neth0'
	done
	for i in {1..32}; do
		cni_del "$(conf host-local)" "@c$i"
	done
	assert_eq "nothing is left" "$(leases)" ""
	consistent
}

# ---- crashes ----

# run VERB CONTAINER: one process, without the runtime around it
run_plugin() {
	env CNI_COMMAND="$1" CNI_CONTAINERID="$2" CNI_NETNS=/nope CNI_IFNAME=eth0 CNI_PATH=/ "${CNI_WRAP[@]}" \
		"$PLUGINS/host-local" <<<"$config" >/dev/null
}

# kill_points VERB CONTAINER AFTER: run the verb again and again, ended by SIGKILL at the first, second, ... call of each
# kind that has to do with files; and after each call AFTER
kill_points() {
	local call n status points=0

	for call in openat read write close linkat unlinkat symlinkat readlinkat renameat utimensat mkdir flock newfstatat; do
		for ((n = 1; n < 100; n++)); do
			status=0
			CNI_WRAP=(strace -o /dev/null -e "trace=$call" -e "inject=$call:signal=KILL:when=$n")
			run_plugin "$1" "$2" 2>/dev/null || status=$?
			CNI_WRAP=()
			[[ $status != 0 ]] || break
			assert_eq "killed at $call $n" "$status" 137 || return
			points=$((points + 1))
			"$3" "killed at $call $n" || { flunk "after a kill at $call $n"; return 1; }
		done
		"$3" "not killed" || { flunk "after none of $call"; return 1; }
	done
	echo "killed at $points points"
	[[ $points -gt 20 ]] || flunk "killed at $points points only"
}

after_add() {
	local file

	for file in $(leases); do
		assert_match "$1: $file is whole" "$(tr '\r\n' '|+' <"$NET/$file")" '^(stays|victim)\|\+eth0$' || return
	done
	run_plugin DEL victim || return
	assert_eq "$1: only the other's leases" "$(leases)" $'10.77.0.2\nfd77::2' || return
	run_plugin ADD next && run_plugin DEL next && consistent
}

after_del() {
	run_plugin DEL victim || return
	assert_eq "$1: only the other's leases" "$(leases)" $'10.77.0.2\nfd77::2' || return
	consistent && run_plugin ADD victim
}

@test "ADD killed at any system call: DEL leaves nothing, and the addresses are free" {
	need strace
	config=$(conf host-local '.ipam.rangeEnd = "10.77.0.3" | .ipam.ranges = [[{subnet: "fd77::/126"}]]')
	run_plugin ADD stays
	kill_points ADD victim after_add
	cni_check "$config" @stays
}

@test "DEL killed at any system call: DEL again leaves nothing" {
	need strace
	config=$(conf host-local '.ipam.ranges = [[{subnet: "fd77::/64"}]]')
	run_plugin ADD stays
	run_plugin ADD victim
	kill_points DEL victim after_del
	cni_check "$config" @stays
}

@test "an ADD killed and never followed by DEL is reclaimed by GC, its temporary file too" {
	need strace
	config=$(conf host-local '.cniVersion = "1.1.0"')
	for n in 1 2; do
		CNI_WRAP=(strace -o /dev/null -e trace=unlinkat -e "inject=unlinkat:signal=KILL:when=$n")
		run_plugin ADD "v$n" || true
		CNI_WRAP=()
	done
	assert "a lease is left" test -n "$(leases)"
	assert "its temporary name, too" test -e $INDEX/new
	cni_gc "$(jq -c '. + {"cni.dev/valid-attachments": []}' <<<"$config")"
	assert_eq "no lease" "$(leases)" ""
	assert_eq "an empty index" "$(ls -A $INDEX)" ""
}

@test "files that a crash of the reference left empty are taken over" {
	config=$(pool 4)
	mkdir -p $NET
	: >$NET/10.77.0.2
	: >$NET/10.77.0.4
	cni_add "$config" @a
	assert_json "the first" "$output" '.ips[0].address' 10.77.0.2/24
	cni_add "$config" @b
	cni_add "$config" @c CNI_ARGS=IP=10.77.0.4
	assert_eq "contents" "$(tr '\r\n' '|+' <$NET/10.77.0.2)" "a|+eth0"
	assert_eq "mode and links" "$(stat -c '%a %h' $NET/10.77.0.4)" "600 1"
	consistent
}

# ---- many leases ----

# calls VERB WORDS...: how many system calls it makes
calls() {
	CNI_WRAP=(strace -f -c -o "$BATS_TEST_TMPDIR/count")
	"$@" >/dev/null || return
	CNI_WRAP=()
	awk '$NF == "total" { print $4 }' "$BATS_TEST_TMPDIR/count"
}

@test "20000 leases cost what none cost" {
	need strace
	config=$(conf host-local '.cniVersion = "1.1.0" | .ipam.subnet = "10.0.0.0/8"')
	cni_add "$config" @first
	add=$(calls cni_add "$config" @a) check=$(calls cni_check "$config" @a) del=$(calls cni_del "$config" @a)
	for ((i = 0; i < 20000; i++)); do
		printf 'pod%s\r\neth0' $i >"$NET/10.1.$((i / 250)).$((i % 250))"
	done
	cni_add "$config" @notices
	for ((round = 0; round < 2; round++)); do
		add2=$(calls cni_add "$config" "@b$round") check2=$(calls cni_check "$config" "@b$round")
		del2=$(calls cni_del "$config" "@b$round")
		status2=$(calls cni_status "$config")
		echo "add $add $add2 check $check $check2 del $del $del2 status $status2"
		[[ $add2 -le $((add * 3 / 2)) && $check2 -le $((check * 3 / 2)) && $del2 -le $((del * 3 / 2)) ]]
		[[ $status2 -le $((add * 3 / 2)) ]]
	done
	assert "one of the many is found as well" cni_del "$config" @pod19999
	refute "it is gone" test -e $NET/10.1.79.249
}

@test "behind thousands of taken addresses the free one is found without trying each" {
	need strace
	config=$(conf host-local '.ipam.subnet = "10.0.0.0/16"')
	cni_add "$config" @first
	add=$(calls cni_add "$config" @a)
	for ((i = 4; i < 5000; i++)); do
		printf 'pod%s\r\neth0' $i >"$NET/10.0.$((i / 256)).$((i % 256))"
	done
	cni_add "$config" @notices
	assert_json "the first behind them" "$output" '.ips[0].address' 10.0.19.136/16
	printf 10.0.0.3 >$NET/last_reserved_ip.0
	add2=$(calls cni_add "$config" @b)
	assert_eq "the one behind that" "$(cat $NET/last_reserved_ip.0)" 10.0.19.137
	[[ $add2 -le $((add + 200)) ]] || flunk "$add2 calls instead of $add"
}

# ---- full sets, locks ----

@test "a full set says how many of how many are in use; STATUS says it first, with code 50" {
	config=$(pool 4 '.cniVersion = "1.1.0" | .ipam.ranges = [[{subnet: "fd77::/64"}]]')
	cni_status "$config"
	refute "STATUS makes no directory" test -e /var/lib/cni/networks
	for name in a b c; do
		cni_status "$config"
		cni_add "$config" "@$name"
	done
	EXPECT=1 cni_status "$config"
	assert_json "STATUS" "$output" '[.code, .msg, .details]' \
		'[50, "no IP addresses available in range set: 10.77.0.1-10.77.0.4", "3 of 3 addresses in use"]'
	EXPECT=1 cni_add "$config" @d
	assert_json "ADD" "$output" '[.code, .msg, .details]' \
		'[11, "failed to allocate for range 0: no IP addresses available in range set: 10.77.0.1-10.77.0.4", "3 of 3 addresses in use"]'
	cni_del "$config" @b
	cni_status "$config"
	cni_add "$config" @d
	assert_json "the one given back" "$output" '.ips[0].address' 10.77.0.3/24
}

@test "when the second set is full, the first one's address is given back" {
	config=$(conf host-local '.ipam.ranges = [[{subnet: "10.78.0.0/30"}]]')
	cni_add "$config" @a
	EXPECT=1 cni_add "$config" @b
	assert_json "which set" "$output" .msg "failed to allocate for range 1: no IP addresses available in range set: 10.78.0.1-10.78.0.2"
	assert_eq "leases" "$(leases)" $'10.77.0.2\n10.78.0.2'
	EXPECT=1 cni_add "$(conf host-local)" @a
	assert_eq "a refused second ADD releases nothing" "$(leases)" $'10.77.0.2\n10.78.0.2'
	consistent
}

@test "waiting for the lock ends with code 11 after ipam.lockTimeout" {
	need flock
	config=$(conf host-local '.ipam.lockTimeout = "100ms"')
	cni_add "$config" @a
	exec 8<$NET/lock
	flock 8
	EXPECT=1 cni_add "$config" @b
	assert_json "ADD" "$output" '[.code, .msg]' "[11, \"lock $NET/lock: still held by another process after 100 ms\"]"
	EXPECT=1 cni_del "$config" @a
	assert_eq "DEL" "$(code)" 11
	exec 8<&-
	cni_del "$config" @a
}

# ---- DEL, CHECK, GC ----

@test "DEL succeeds without directory and with broken ranges, and makes nothing" {
	cni_del "$(conf host-local)"
	refute "nothing is made" test -e /var/lib/cni/networks
	cni_add "$(conf host-local)"
	cni_del "$(conf host-local '.ipam.subnet = "broken" | .ipam.ranges = 5 | .ipam.routes = "x"')" CNI_ARGS=nonsense
	assert_eq "released" "$(leases)" ""
	cni_del "$(conf host-local)"
	cni_del "$(conf host-local 'del(.ipam)')"
	cni_del "$(conf host-local '.ipam.dataDir = "/proc/version"')"
}

@test "dataDir is respected, and the network's directory made with its parents" {
	cni_add "$(conf host-local '.ipam.dataDir = "/var/lib/cni/x/y"')"
	assert_eq "the lease" "$(cat /var/lib/cni/x/y/tnet/10.77.0.2)" $'ctr\r\neth0'
	assert_eq "modes" "$(stat -c %a /var/lib/cni/x /var/lib/cni/x/y/tnet | sort -u)" 755
	cni_del "$(conf host-local '.ipam.dataDir = "/var/lib/cni/x/y"')"
	refute "released" test -e /var/lib/cni/x/y/tnet/10.77.0.2
}

@test "CHECK compares with prevResult" {
	cni_add "$(conf host-local)" @a
	cni_check "$(conf host-local)" @a
	NO_PREV=1 cni_check "$(conf host-local)" @a
	prev() { conf host-local ".prevResult = {cniVersion: \"1.0.0\", ips: [$1]}"; }
	cni_check "$(prev '{address: "192.0.2.1/24"}, {address: "10.77.0.2/24"}')" @a
	EXPECT=1 cni_check "$(prev '{address: "10.77.0.3/24"}')" @a
	assert_json "another address" "$output" .msg "host-local: Failed to find address 10.77.0.3 added by container a"
	EXPECT=1 cni_check "$(prev '{address: "192.0.2.1/24"}')" @a
	assert_json "not ours at all" "$output" .msg "host-local: address 10.77.0.2 of container a is not in prevResult"
	cni_del "$(conf host-local)" @a
	EXPECT=1 cni_check "$(conf host-local)" @a
	assert_json "no lease" "$output" .msg "host-local: Failed to find address added by container a"
	refute "CHECK makes no directory" cni_check "$(conf host-local '.ipam.dataDir = "/var/lib/cni/x"')"
	refute "really" test -e /var/lib/cni/x
}

@test "GC removes what is not valid, and nothing without a list" {
	config=$(conf host-local '.cniVersion = "1.1.0"')
	gc() { cni_gc "$(jq -c --argjson list "$1" '."cni.dev/valid-attachments" = $list' <<<"$config")"; }
	for name in a b c; do
		cni_add "$config" "@$name"
	done
	cni_add "$config" @a CNI_IFNAME=net1
	printf old >$NET/10.77.0.20
	: >$NET/10.77.0.21
	printf note >$NET/README
	cni_gc "$config"
	assert_eq "no list, no change" "$(leases | wc -l)" 7
	gc '[{"containerID": "a", "ifname": "eth0"}, {"containerID": "c", "ifname": "eth0"}, {"containerID": "old", "ifname": "eth0"}]'
	assert_eq "the valid ones stay" "$(leases)" $'10.77.0.2\n10.77.0.4\n10.77.0.20\nREADME'
	cni_check "$config" @a
	gc '[]'
	assert_eq "an empty list" "$(leases)" README
	assert_eq "the index is empty" "$(ls -A $INDEX)" ""
}
