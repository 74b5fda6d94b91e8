# What goes wrong in an ADD of any plugin: each exchange with the kernel, and each write, fails once or is the last.
#
# Of many steps every second is tried (thin).
#   inject_fail CONF        every step fails once: either ADD bears it, or it fails and host and ctr are as before
#   inject_kill CONF [VERB] the process is killed at every step of ADD (or DEL): the DEL that follows leaves nothing
#   inject_state            all that an attachment can leave, fast
# CONF is a plugin's configuration; the container is ctr.
# shellcheck shell=bash

INJECT_STEPS='sendmsg recvmsg openat write linkat setns socket'
declare -gA INJECT_ERROR=([sendmsg]=ENOBUFS [recvmsg]=ENOBUFS [openat]=EMFILE [write]=ENOSPC [linkat]=ENOSPC
	[setns]=EPERM [socket]=EMFILE)

# inject_call VERB CONF: fast, and without prevResult: there are many of them.
inject_call() {
	status=0
	# A tracer and the leak checker exclude each other.
	output=$(deadline env ${CNI_WRAP:+ASAN_OPTIONS=detect_leaks=0} CNI_COMMAND="$1" CNI_CONTAINERID=ctr CNI_NETNS=/run/netns/ctr CNI_IFNAME=eth0 \
		CNI_PATH="$PLUGINS" "${CNI_WRAP[@]}" "$PLUGINS/$(jq -r .type <<<"$2")" <<<"$2" 2>"$BATS_TEST_TMPDIR/stderr") ||
		status=$?
	printf '+ %s\n%s\n  exit status %s\n' "$1" "$output" "$status"
}

inject_works() {
	inject_call "$@"
	[[ $status == 0 ]] || flunk "NOT: $1 exits 0"
}

inject_state() {
	{
		ip -br addr
		ip -n ctr -br addr
		ip route show table all
		ip -6 route show table all
		cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv6/conf/all/forwarding
		nft list ruleset | grep -E 'saddr|CNI-'
		find /var/lib/cni -type f ! -path '*/.cnibox/*' ! -name lock ! -name 'last_reserved*'
	} 2>/dev/null | sed -E 's/ (UP|DOWN|UNKNOWN|LOWERLAYERDOWN) +/ /; s/ fe80::[^ ]*//; /^(fe80|ff00|multicast)/d; s/ linkdown//; /table local/d; s/ +$//'
}

inject_same() {
	[[ $(inject_state) == "$1" ]]
}

inject_unchanged() { # DESCRIPTION BEFORE
	inject_same "$2" || wait_for "$1: nothing is left" 2 inject_same "$2" && return
	diff -u --label before --label after <(echo "$2") <(inject_state)
	return 1
}

# Lines `NAME N` of the steps that VERB takes once it has read its configuration.
inject_steps() { # VERB CONF
	CNI_WRAP=(strace -f -qq -o "$BATS_TEST_TMPDIR/trace")
	inject_works "$1" "$2" >&2
	CNI_WRAP=()
	awk -v steps=" $INJECT_STEPS " '{ sub(/^[0-9]+ +/, "") } !/^[a-z]/ { next }
		{ name = $0; sub(/\(.*/, "", name); n[name]++; if (/^read\(0,/) begun = 1 }
		begun && index(steps, " " name " ") { print name, n[name] }' "$BATS_TEST_TMPDIR/trace"
}

inject_fail_one() { # CONF BEFORE NAME N
	CNI_WRAP=(strace -f -qq -o /dev/null -e "trace=$3" -e "inject=$3:error=${INJECT_ERROR[$3]}:when=$4")
	inject_call ADD "$1"
	CNI_WRAP=()
	case $3:$status in
	*:0) # Borne: then everything must be there.
		inject_works CHECK "$(jq -c --argjson prev "$output" '.prevResult = $prev' <<<"$1")" &&
			inject_works DEL "$1" && inject_unchanged "after DEL" "$2" ;;
	setns:134) inject_works DEL "$1" && inject_unchanged "after DEL" "$2" ;; # no way on in the wrong namespace
	*:1) jq -e '.msg | length > 5' >/dev/null <<<"$output" && inject_unchanged "after the failed ADD" "$2" ;;
	*) flunk "exit status $status" ;;
	esac
}

inject_kill_one() { # CONF VERB BEFORE NAME N
	[[ $2 == ADD ]] || inject_works ADD "$1" || return
	CNI_WRAP=(strace -f -qq -o /dev/null -e "inject=$4:signal=KILL:when=$5")
	inject_call "$2" "$1"
	CNI_WRAP=()
	[[ $status == 137 || $status == 0 ]] || flunk "exit status $status, expected the signal" || return
	inject_works DEL "$1" && inject_unchanged "after DEL" "$3"
}

inject_ready() { # CONF: shared things are made first
	need strace
	inject_works ADD "$1"
	inject_works DEL "$1"
}

inject_fail() {
	local conf=$1 before step name n log=$BATS_TEST_TMPDIR/step failed=0 all
	local -a steps bad=()

	inject_ready "$conf" || return
	mapfile -t steps < <(inject_steps ADD "$conf" 2>/dev/null)
	inject_works DEL "$conf"
	before=$(inject_state)
	[[ ${#steps[@]} -ge ${LEAST:-15} ]] || flunk "only ${#steps[@]} steps" || return
	all=${#steps[@]}
	thin steps 2
	for step in "${steps[@]}"; do
		read -r name n <<<"$step"
		inject_fail_one "$conf" "$before" "$name" "$n" >"$log" 2>&1 || { bad+=("$step"); cat "$log"; }
		! grep -q '+ ADD' "$log" || ! grep -q 'exit status 1' "$log" || failed=$((failed + 1))
		[[ ${#bad[@]} == 0 ]] || inject_call DEL "$conf" >/dev/null
	done
	echo "${#steps[@]} steps, $failed of them made ADD fail"
	[[ ${#bad[@]} == 0 ]] || flunk "NOT: ${bad[*]}" || return
	[[ $((failed * all / ${#steps[@]})) -ge 5 ]] || flunk "only $failed failures"
}

inject_kill() {
	local conf=$1 verb=${2:-ADD} before step name n log=$BATS_TEST_TMPDIR/step
	local -a steps bad=()

	inject_ready "$conf" || return
	before=$(inject_state)
	[[ $verb == ADD ]] || inject_works ADD "$conf" || return
	mapfile -t steps < <(INJECT_STEPS='sendmsg write linkat setns unlinkat' inject_steps "$verb" "$conf" 2>/dev/null)
	inject_works DEL "$conf"
	[[ ${#steps[@]} -ge ${LEAST:-5} ]] || flunk "only ${#steps[@]} steps" || return
	thin steps 2
	for step in "${steps[@]}"; do
		read -r name n <<<"$step"
		inject_kill_one "$conf" "$verb" "$before" "$name" "$n" >"$log" 2>&1 || { bad+=("$step"); cat "$log"; }
	done
	echo "killed at each of ${#steps[@]} steps"
	[[ ${#bad[@]} == 0 ]] || flunk "NOT: ${bad[*]}"
}
