#!/usr/bin/env bats
# Every verb of every plugin, with a system call that fails, or is the last. Always: an end of its own with a status of 0 or 1,
# an error that is told, and a DEL that leaves nothing. CHECK, STATUS and a GC that knows the attachment change nothing.
# A sample of the steps; TEST_FULL=1 tries each. What a failed ADD takes back itself is in 600 and in the plugins' own files.

load lib/all
load lib/every
sandbox forward

SAMPLE=${TEST_FULL:+1}
SAMPLE=${SAMPLE:-${TEST_SAMPLE:-31}}

declare -gA ERROR=([sendmsg]=ENOBUFS [sendto]=ENOBUFS [recvmsg]=ENOBUFS [recvfrom]=ENOBUFS [openat]=EMFILE [open]=EMFILE
	[socket]=EMFILE [linkat]=ENOSPC [write]=ENOSPC [mkdirat]=ENOSPC [mkdir]=ENOSPC [symlinkat]=ENOSPC [setns]=EPERM [flock]=ENOLCK
	[rename]=EXDEV [unlink]=EROFS [unlinkat]=EROFS [connect]=ECONNREFUSED)

# Lines `NAME N` of the system calls of VERB once it has begun to read, N counted from its start; not those that cannot fail.
# The first line is how many there are of all sorts until it begins, and to the end.
steps() { # VERB
	every_standing "$1"
	CNI_WRAP=(strace -f -qq -o "$TRACE")
	every_works "$1"
	CNI_WRAP=()
	every_works DEL
	awk '{ sub(/^[0-9]+ +/, "") } !/^[a-z]/ { next }
		{ all++; name = $0; sub(/\(.*/, "", name); n[name]++; if (/^read\(0,/ && !begun) begun = all }
		begun && name !~ /^(brk|mmap|munmap|mremap|mprotect|madvise|exit_group|exit|close|rt_sig.*|futex|get.*id|getrandom|clock_.*|uname)$/ {
			line[++lines] = name " " n[name] }
		END { print begun, all; for (i = 1; i <= lines; i++) print line[i] }' "$TRACE"
}

# disturb VERB WRAP ...: one call; says what is wrong with its end
disturb() {
	local verb=$1

	shift
	CNI_WRAP=("$@")
	every_call "$verb"
	CNI_WRAP=()
	case $status:$* in
	0:* | 137:*signal=KILL*) ;;
	1:*=write:*) [[ -n $WEAK || $output == *msg* ]] || flunk "the error is not told: $output" ;; # its own words may be what is lost
	134:*inject=setns*) ;; # there is no way on in the wrong namespace
	1:*) jq -e -s 'length == 1 and (.[0] | (.code | type == "number" and . > 0) and (.msg | length > 5))' >/dev/null <<<"$output" ||
		flunk "the error is not told: $output" ;;
	*) flunk "exit status $status: $output$(<"$BATS_TEST_TMPDIR/stderr")" ;;
	esac
}

# One step of VERB, from a state without attachment to the same.
one() { # VERB WRAP ...
	every_standing "$1" && disturb "$@" && every_works DEL
}

# What fails is tried once more alone, so that what is left can be laid at its door.
alone() { # BEFORE VERB WRAP ...
	one "${@:2}" && every_left "$1"
}

# Which verbs go from a state without attachment to the same; the others find one, and leave it.
whole() {
	[[ $1 == @(ADD|DEL|GCALL) ]]
}

# batch VERB LINE ...: each line is `WRAP ...`
batch() {
	local verb=$1 line
	local -a wrap bad=()

	shift
	whole "$verb" || every_standing "$verb"
	for line; do
		read -ra wrap <<<"$line"
		if whole "$verb"; then
			one "$verb" "${wrap[@]}" || bad+=("$line")
		else
			disturb "$verb" "${wrap[@]}" || bad+=("$line")
		fi
	done >"$BATS_TEST_TMPDIR/log" 2>&1
	if [[ $verb == @(GC|CHECK) ]]; then
		every_works CHECK || bad+=("the CHECK behind it")
	fi
	every_works DEL || bad+=("the DEL behind it")
	TRIED=$((TRIED + $#))
	if every_left "$BEFORE" >"$BATS_TEST_TMPDIR/diff" 2>&1 && [[ ${#bad[@]} == 0 ]]; then
		return 0
	fi
	cat "$BATS_TEST_TMPDIR/log" "$BATS_TEST_TMPDIR/diff"
	! whole "$verb" || name_culprits "$verb" "$@"
	flunk "NOT: $PLUGIN: $verb: ${bad[*]:-something is left}"
}

# Each once more alone, so that what is left can be laid at its door.
name_culprits() { # VERB LINE ...
	local verb=$1 before line
	local -a wrap

	shift
	for line; do
		read -ra wrap <<<"$line"
		before=$(every_state)
		one "$verb" "${wrap[@]}" >"$BATS_TEST_TMPDIR/log" 2>&1 && every_left "$before" >>"$BATS_TEST_TMPDIR/log" 2>&1 && continue
		echo "==== $PLUGIN $verb: $line"
		cat "$BATS_TEST_TMPDIR/log"
	done
}

# Another part of the steps for every verb of every plugin, the same with each run.
phase() {
	cksum <<<"$PLUGIN $1" | awk -v n="$SAMPLE" '{ print $1 % n }'
}

fails() { # VERB
	local name n i
	local -a calls lines=()

	mapfile -t calls < <(steps "$1")
	[[ ${#calls[@]} -gt 3 && ${calls[0]} =~ ^[0-9]+\ [0-9]+$ ]] || flunk "$PLUGIN $1: hardly any system calls" "${calls[@]}" || return
	for ((i = 1 + $(phase "$1"); i < ${#calls[@]}; i += SAMPLE)); do
		read -r name n <<<"${calls[i]}"
		lines+=("strace -f -qq -o /dev/null -e trace=$name -e inject=$name:error=${ERROR[$name]:-EIO}:when=$n")
	done
	[[ ${#lines[@]} == 0 ]] || batch "$1" "${lines[@]}" || return
	whole "$1" || return 0
	lines=()
	for ((i = ${calls[0]% *} + $(phase "kill $1"); i <= ${calls[0]#* }; i += SAMPLE)); do
		lines+=("strace -f -qq -o /dev/null -e inject=all:signal=KILL:when=$i")
	done
	[[ ${#lines[@]} == 0 ]] || batch "$1" "${lines[@]}"
}

every() { # PLUGIN
	local verb

	TRIED=0
	every_ready "$1"
	BEFORE=$(every_state)
	for verb in ADD DEL CHECK GC GCALL STATUS; do
		fails "$verb" || return
	done
	echo "# $1: $TRIED disturbed calls" >&3
}

@test "bandwidth" {
	every bandwidth
}

@test "bridge" {
	every bridge
}

@test "dhcp" {
	every dhcp
}

@test "dummy" {
	every dummy
}

@test "firewall" {
	every firewall
}

@test "flannel" {
	every flannel
}

@test "host-device" {
	every host-device
}

@test "host-local" {
	every host-local
}

@test "ipvlan" {
	every ipvlan
}

@test "loopback" {
	every loopback
}

@test "macvlan" {
	every macvlan
}

@test "portmap" {
	every portmap
}

@test "ptp" {
	every ptp
}

@test "sbr" {
	every sbr
}

@test "static" {
	every static
}

@test "tap" {
	every tap
}

@test "tuning" {
	every tuning
}

@test "vlan" {
	every vlan
}

@test "vrf" {
	every vrf
}

@test "no plugin is left out" {
	assert_eq "tests" "$(sed -nE 's/^\tevery ([a-z-]+)$/\1/p' "$BATS_TEST_FILENAME")" \
		"$(find "$CNIBOX_TOP/applets/cni" -name '*.c' -printf '%f\n' | sed 's/\.c$//' | sort)"
}
