#!/usr/bin/env bats
# What goes wrong: each system call of an ADD (every third, see thin) fails once, or is its last; DEL comes in every strange
# form; many at once.
# Always the same demand: an error is told properly, and nothing is left.

# Every test sets CONF for itself, in a process of its own; del() is called by name.
# shellcheck disable=SC2030,SC2031,SC2317
load lib/all
load lib/fixture
load lib/runtime
sandbox forward

setup() {
	our_plugins
	[[ $PLUGINS != "$REFERENCE" ]] || missing "undo in the reference plugins"
	TRACE=$BATS_TEST_TMPDIR/trace
	IPTABLES=legacy
	[[ $(iptables --version 2>/dev/null) != *nf_tables* ]] || IPTABLES=nf_tables
}

# The whole attachment: both families, gateway, masquerade by netlink alone.
whole() {
	conf bridge ".isDefaultGateway = true | .ipMasq = true | .ipMasqBackend = \"${1:-nftables}\"
		| .ipam = {type: \"host-local\", ranges: [[{subnet: \"10.77.0.0/24\"}], [{subnet: \"fd77::/64\"}]]}"
}

# call COMMAND [VARIABLE=value ...]: one call with configuration $CONF for container ctr, as cni_add and friends do it, but
# fast, and without prevResult: these tests make hundreds of them.
call() {
	local command=$1

	shift
	status=0
	output=$(deadline env CNI_COMMAND="$command" CNI_CONTAINERID=ctr CNI_NETNS=/run/netns/ctr CNI_IFNAME=eth0 \
		CNI_PATH="$PLUGINS" "${CNI_WRAP[@]}" "$PLUGINS/bridge" <<<"$CONF" 2>"$BATS_TEST_TMPDIR/stderr") || status=$?
	printf '+ %s\n%s\n  exit status %s\n' "$command" "$output" "$status"
	cat "$BATS_TEST_TMPDIR/stderr"
}

works() {
	call "$@"
	[[ $status == 0 ]] || flunk "NOT: $1 exits 0"
}

# All that an attachment can leave, fast. What moves by itself is taken out.
state() {
	{
		ip -br addr
		ip -n ctr -br addr
		ip route show table all
		ip -6 route show table all
		cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv6/conf/all/forwarding
		[[ $IPTABLES == nf_tables ]] || snapshot_iptables
		nft list ruleset | grep -vE '^(table|}|\s*$)'
		fixture_files | grep -vE '/(lock|last_reserved_ip.[0-9]+): '
	} 2>/dev/null | sed -E 's/ (UP|DOWN|UNKNOWN|LOWERLAYERDOWN) +/ /; s/ fe80::[^ ]*//; /^(fe80|ff00|multicast)/d; s/ linkdown//; /table local/d; s/ +$//'
}

unchanged() { # DESCRIPTION BEFORE
	local now

	now=$(state)
	[[ $now == "$2" ]] && return
	# A namespace may need a moment to let go of its links.
	wait_for "$1: nothing is left" 2 same_state "$2" && return
	diff -u --label before --label after <(echo "$2") <(state)
	return 1
}

same_state() {
	[[ $(state) == "$1" ]]
}

# The system calls of an ADD once it has begun, that is, behind the first look at its standard input: lines `NAME N`, N
# counted from its start. Not those that cannot fail: memory, randomness.
steps() {
	CNI_WRAP=(strace -f -qq -o "$TRACE")
	works ADD >&2
	CNI_WRAP=()
	awk '{ sub(/^[0-9]+ +/, "") } !/^[a-z]/ { next }
		{ name = $0; sub(/\(.*/, "", name); n[name]++; if (/^read\(0,/) begun = 1 }
		begun && name !~ /^(brk|mmap|munmap|mremap|mprotect|madvise|exit_group|exit|close|rt_sig.*|futex|get.*id|getrandom)$/ {
			print name, n[name] }' "$TRACE" | grep -E "${ONLY:-.}"
	works DEL >&2
	"${CLEAN:-true}"
}

declare -gA ERROR=([sendmsg]=ENOBUFS [sendto]=ENOBUFS [recvmsg]=ENOBUFS [recvfrom]=ENOBUFS [openat]=EMFILE
	[socket]=EMFILE [linkat]=ENOSPC [write]=ENOSPC [mkdirat]=ENOSPC [symlinkat]=ENOSPC [setns]=EPERM [flock]=ENOLCK)

# What stands on standard output is one error, and says something.
error_told() {
	jq -e -s 'length == 1 and (.[0] | (.code | type == "number" and . > 0) and (.msg | length > 5))' >/dev/null <<<"$output"
}

# Every step of an ADD fails once: $CONF is the configuration, $ONLY a pattern of steps, $CLEAN what takes away the
# things that a DEL rightly leaves.
fail_each() {
	local before step name n bad=() log=$BATS_TEST_TMPDIR/step
	local -a calls

	mapfile -t calls < <(steps 2>"$BATS_TEST_TMPDIR/steps")
	before=$(state)
	[[ ${#calls[@]} -gt ${LEAST:-50} ]] || flunk "only ${#calls[@]} system calls" "$(cat "$BATS_TEST_TMPDIR/steps")"
	thin calls 3
	for step in "${calls[@]}"; do
		read -r name n <<<"$step"
		fail_one "$before" "$name" "$n" >"$log" 2>&1 && continue
		bad+=("$name:$n")
		printf '==== %s number %s fails with %s\n' "$name" "$n" "${ERROR[$name]:-EIO}"
		cat "$log"
		call DEL >/dev/null
		"${CLEAN:-true}"
	done
	echo "${#calls[@]} system calls, $(wc -l <"$BATS_TEST_TMPDIR/failed") of them made ADD fail"
	[[ ${#bad[@]} == 0 ]] || flunk "NOT: ${bad[*]}"
}

fail_one() { # BEFORE NAME N
	CNI_WRAP=(strace -f -qq -o "$TRACE" -e "trace=$2" -e "inject=$2:error=${ERROR[$2]:-EIO}:when=$3")
	call ADD
	CNI_WRAP=()
	case $2:$status in
	*:0)	# Borne: then everything must be there.
		CONF=$(jq -c --argjson prev "$output" '.prevResult = $prev' <<<"$CONF") works CHECK &&
			works DEL && "${CLEAN:-true}" && unchanged "after DEL" "$1" ;;
	setns:134)
		# There is no way on in the wrong namespace; what is left is for DEL.
		works DEL && "${CLEAN:-true}" && unchanged "after DEL" "$1" ;;
	*:1)	echo "$2 $3" >>"$BATS_TEST_TMPDIR/failed"
		error_told || flunk "NOT: the error is told: $output" || return
		# Whoever loses the kernel's answer cannot know that the bridge is his; a result that could not be written
		# is taken back as DEL does it.
		[[ $2 != @(recvmsg|write) && -z ${SHARED:-} ]] || "${CLEAN:-true}"
		unchanged "after the failed ADD" "$1" ;;
	*)	flunk "exit status $status" ;;
	esac
}

warm_up() {
	need strace nft
	container ctr
	works ADD
	works DEL
}

@test "whichever step of an ADD fails, host and container are as before" {
	CONF=$(whole)
	warm_up
	fail_each
}

@test "whichever step fails of the ADD that makes the bridge, the bridge is gone again" {
	need strace
	CONF=$(conf bridge '.isDefaultGateway = true')
	container ctr
	CLEAN=no_bridge fail_each
}

no_bridge() {
	ip link del cni0 2>/dev/null || :
}

# The steps that are not those of the other form.
IPTABLES_STEPS='^(sendmsg|clone.*|vfork|execve|pipe2|wait.*|poll|ppoll|epoll.*|read|write|fcntl|pidfd_open|dup2) '

@test "whichever step fails with iptables' rules, host and container are as before" {
	need iptables
	CONF=$(whole iptables)
	warm_up
	LEAST=20 ONLY=$IPTABLES_STEPS fail_each
}

@test "the same where the program makes the tables first" {
	need iptables
	CONF=$(whole iptables)
	warm_up
	no_tables
	# Tables and their base chains are the node's: they stay, empty.
	SHARED=1 CLEAN=no_tables ONLY=$IPTABLES_STEPS fail_each
}

no_tables() {
	nft delete table ip nat 2>/dev/null || :
	nft delete table ip6 nat 2>/dev/null || :
}

# Each system call is the last once: DEL finds everything. strace counts those of a name, not all.
kill_each() { # COMMAND
	local before call name n killed=0 bad=() log=$BATS_TEST_TMPDIR/step
	local -a calls

	CNI_WRAP=()
	[[ $1 == ADD ]] || works ADD
	CNI_WRAP=(strace -qq -o "$TRACE")
	works "$1"
	CNI_WRAP=()
	mapfile -t calls < <(sed -nE 's/^([a-z][a-z0-9_]*)\(.*/\1/p' "$TRACE" | awk '{ print $1, ++n[$1] }')
	works DEL
	before=$(state)
	[[ ${#calls[@]} -gt 50 ]] || flunk "only ${#calls[@]} system calls"
	thin calls 3
	for call in "${calls[@]}"; do
		read -r name n <<<"$call"
		if kill_one "$1" "$before" "$name" "$n" >"$log" 2>&1; then
			killed=$((killed + (status == 137)))
			continue
		fi
		bad+=("$name:$n")
		printf '==== killed at %s number %s\n' "$name" "$n"
		cat "$log"
	done
	echo "killed at $killed of ${#calls[@]} system calls"
	[[ ${#bad[@]} == 0 ]] || flunk "NOT: ${bad[*]}"
	# A call may be made in one run and not in the next, but not many may.
	[[ $killed -ge $((${#calls[@]} * 3 / 4)) ]] || flunk "hardly any was killed"
	cni_add "$CONF"
	cni_check "$CONF"
	cni_del "$CONF"
	unchanged "in the end" "$before"
}

kill_one() { # COMMAND BEFORE NAME N
	local ended

	[[ $1 == ADD ]] || works ADD || return
	CNI_WRAP=(strace -qq -o /dev/null -e "trace=$3" -e "inject=$3:signal=KILL:when=$4")
	call "$1"
	CNI_WRAP=()
	ended=$status
	[[ $status == 137 || $status == 0 ]] || flunk "exit status $status, expected the signal" || return
	works DEL && unchanged "after DEL" "$2" && status=$ended
}

@test "killed at any system call of an ADD, the DEL that follows leaves nothing" {
	CONF=$(whole)
	warm_up
	kill_each ADD
}

@test "killed at any system call of a DEL, the next DEL leaves nothing" {
	CONF=$(whole)
	warm_up
	kill_each DEL
}

# ---- DEL in every form ----

# strange NAME COMMAND ...: add, make it strange, DEL; nothing may be left.
strange() {
	local before description=$1 backend

	shift
	for backend in nftables iptables; do
		CONF=$(whole $backend)
		[[ -e /run/netns/ctr ]] || container ctr
		cni_add "$CONF"
		cni_del "$CONF"
		before=$(state)
		cni_add "$CONF"
		"$@"
		[[ $(stat -f -c %T /run/netns/ctr 2>/dev/null) == nsfs ]] || { rm -f /run/netns/ctr; container ctr; }
		unchanged "$description ($backend)" "$before"
	done
}

@test "DEL with an empty CNI_NETNS leaves nothing, not even the link" {
	del() { cni_del "$CONF" CNI_NETNS=; }
	strange "CNI_NETNS empty" del
}

@test "DEL with a namespace that is gone leaves nothing" {
	del() { ip netns del ctr; cni_del "$CONF"; }
	strange "path missing" del
}

@test "DEL with a plain file in the namespace's place leaves nothing" {
	del() { umount /run/netns/ctr; assert "a plain file" test -f /run/netns/ctr; cni_del "$CONF"; }
	strange "a plain file" del
}

@test "DEL with another namespace in its place leaves nothing" {
	del() { ip netns del ctr; container ctr; cni_del "$CONF"; }
	strange "another namespace" del
}

@test "DEL when the link is gone leaves nothing" {
	del() { ip -n ctr link del eth0; cni_del "$CONF"; }
	strange "link gone" del
}

@test "DEL when the link was renamed leaves nothing" {
	del() { ip -n ctr link set eth0 down name net7; cni_del "$CONF"; }
	strange "link renamed" del
}

@test "DEL when the addresses are gone leaves nothing" {
	del() { ip -n ctr addr flush dev eth0; cni_del "$CONF"; }
	strange "addresses gone" del
}

@test "DEL without prevResult leaves nothing" {
	del() { NO_PREV=1 cni_del "$CONF"; }
	strange "no prevResult" del
}

@test "DEL when the leases are gone leaves nothing" {
	del() { rm -rf /var/lib/cni/networks; cni_del "$CONF"; }
	strange "no leases" del
}

@test "DEL when the firewall was flushed leaves nothing" {
	del() {
		nft flush chain inet cni_plugins_masquerade masq_checks
		iptables -w -t nat -F
		ip6tables -w -t nat -F
		assert_eq "no rule is there" "$(masquerades)" ""
		cni_del "$CONF"
	}
	strange "no rules" del
}

@test "DEL twice, and without ADD, is success" {
	del() { cni_del "$CONF"; cni_del "$CONF"; NO_PREV=1 cni_del "$CONF" CNI_NETNS=; }
	strange "twice" del
}

@test "DEL when the bridge is gone leaves nothing" {
	container ctr
	cni_add "$(whole)"
	ip link del cni0
	cni_del "$(whole)"
	no_attachments
	assert_eq "the container has lo only" "$(ip -n ctr -o link | wc -l)" 1
}

@test "DEL of one network leaves the container's other one alone" {
	local other; other=$(whole | jq -c '.name = "other" | .bridge = "cni1" | .ipam.ranges = [[{subnet: "10.78.0.0/24"}]]')
	container ctr
	cni_add "$(whole)"
	cni_add "$other" CNI_IFNAME=net1
	cni_del "$(whole)" CNI_NETNS=
	cni_check "$other" CNI_IFNAME=net1
	cni_del "$other" CNI_IFNAME=net1
	no_attachments
}

# ---- many at once ----

# together N COMMAND [PLUGINS]: for containers c1 ... cN, all at the same time; all succeed.
together() {
	local i pids=() failed=0 n=$1 command=$2

	for ((i = 1; i <= n; i++)); do
		PLUGINS=${3:-$PLUGINS} BATS_TEST_TMPDIR=$BATS_TEST_TMPDIR "cni_$command" "$CONF" "@${PREFIX:-c}$i" \
			>"$BATS_TEST_TMPDIR/$command.${PREFIX:-c}$i" 2>&1 &
		pids+=($!)
	done
	for ((i = 1; i <= n; i++)); do
		wait "${pids[i - 1]}" || { failed=1; cat "$BATS_TEST_TMPDIR/$command.${PREFIX:-c}$i"; }
	done
	return "$failed"
}

attached() { # N PREFIX: addresses of the containers that have one of each family
	local i

	for ((i = 1; i <= $1; i++)); do
		ip -n "${2:-c}$i" -br -4 addr show eth0
		ip -n "${2:-c}$i" -br -6 addr show eth0 | grep -q 'fd77::' || echo "no IPv6: ${2:-c}$i"
	done | awk '{ print $3 }'
}

many() { # N
	local i before

	CONF=$(whole)
	container ctr
	for ((i = 1; i <= $1; i++)); do
		container "c$i"
	done
	cni_add "$CONF" @ctr
	cni_del "$CONF" @ctr
	before=$(state)
	for _ in 1 2; do
		together "$1" add
		assert_eq "so many addresses, none twice" "$(attached "$1" | grep -c '^10\.77')" "$1"
		assert_eq "none twice" "$(attached "$1" | sort | uniq -d)" ""
		assert_eq "a lease for each" "$(leases | wc -l)" $(($1 * 2))
		assert_eq "a rule for each" "$(masquerades | wc -l)" $(($1 * 2))
		together "$1" check
		pings "c$1" 10.77.0.1
		together "$1" del
		unchanged "after all DELs" "$before"
	done
}

@test "1 ADD and DEL" {
	many 1
}

@test "8 ADDs and DELs at once" {
	many 8
}

@test "32 ADDs and DELs at once" {
	many 32
}

@test "8 DELs and 8 ADDs at the same time" {
	local i before pid
	CONF=$(whole)
	container ctr
	cni_add "$CONF" @ctr
	cni_del "$CONF" @ctr
	before=$(state)
	for i in {1..8}; do
		container "a$i" "b$i"
	done
	PREFIX=a together 8 add
	PREFIX=a together 8 del &
	pid=$!
	PREFIX=b together 8 add
	wait "$pid"
	assert_eq "the leases of the second eight" "$(leases | wc -l)" 16
	assert_eq "their addresses" "$(attached 8 b | sort -u | grep -c '^10\.77')" 8
	PREFIX=b together 8 del
	unchanged "after all DELs" "$before"
}

@test "8 ADDs of ours and 8 of the reference at the same time get 16 addresses" {
	need_reference bridge host-local
	local i pid
	CONF=$(conf bridge)
	for i in {1..8}; do
		container "a$i" "b$i"
	done
	PREFIX=a together 8 add "$REFERENCE" &
	pid=$!
	PREFIX=b together 8 add
	wait "$pid"
	assert_eq "16 leases" "$(leases | wc -l)" 16
	assert_eq "16 addresses" "$({ attached 8 a; attached 8 b; } | grep '^10' | sort -u | wc -l)" 16
	PREFIX=a together 8 del &
	pid=$!
	PREFIX=b together 8 del "$REFERENCE"
	wait "$pid"
	no_attachments
}
