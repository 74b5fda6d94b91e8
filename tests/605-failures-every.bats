#!/usr/bin/env bats
# Every verb of every plugin, with a system call that fails, or is the last. Always: an end of its own with a status of 0 or 1,
# an error that says what was done and why it failed, in the kernel's words, and a DEL that leaves nothing. An ADD that bears a failure
# has done all that CHECK looks for. CHECK, STATUS, VERSION and a GC that knows the attachment change nothing.
# A sample of the steps; TEST_FULL=1 tries each. What a failed ADD takes back itself is in 600 and in the plugins' own files.

load lib/all
load lib/every
sandbox forward

SAMPLE=${TEST_FULL:+1}
SAMPLE=${SAMPLE:-${TEST_SAMPLE:-31}}

declare -gA ERROR=([sendmsg]=ENOBUFS [sendto]=ENOBUFS [recvmsg]=ENOBUFS [recvfrom]=ENOBUFS [openat]=EMFILE [open]=EMFILE
	[socket]=EMFILE [linkat]=ENOSPC [write]=ENOSPC [mkdirat]=ENOSPC [mkdir]=ENOSPC [symlinkat]=ENOSPC [setns]=EPERM [flock]=ENOLCK
	[rename]=EXDEV [unlink]=EROFS [unlinkat]=EROFS [connect]=ECONNREFUSED)

declare -gA REASON=([EIO]="Input/output error" [ENOBUFS]="No buffer space available" [EMFILE]="Too many open files"
	[ENOSPC]="No space left on device" [EPERM]="Operation not permitted" [ENOLCK]="No locks available" [EXDEV]="Invalid cross-device link"
	[EROFS]="Read-only file system" [ECONNREFUSED]="Connection refused")

# Lines `NAME N` of the system calls of VERB once it has begun to read, or to write, N counted for each name from its start, as strace counts;
# behind those that can fail: `fails`.
steps() { # VERB
	every_standing "$1"
	CNI_WRAP=(strace -f -qq -o "$TRACE")
	every_works "$1"
	CNI_WRAP=()
	every_works DEL
	awk '{ sub(/^[0-9]+ +/, "") } !/^[a-z]/ { next }
		{ name = $0; sub(/\(.*/, "", name); n[name]++; if (/^(read\(0|write\(1),/) begun = 1 }
		begun { print name, n[name],
			name ~ /^(brk|mmap|munmap|mremap|mprotect|madvise|exit_group|exit|close|rt_sig.*|futex|get.*id|getrandom|clock_.*|uname)$/ ? "" : "fails" }' "$TRACE"
}

# One error, of one line, that says what failed in the words of the error that was injected, and what was to be done: `open x: Too many open files`.
is_clear() { # WRAP ...
	local reason=${!#}

	reason=${reason##*:error=}
	jq -e -s --arg reason "${REASON[${reason%%:*}]:?}" 'length == 1 and (.[0] | (.code | type == "number" and . > 0)
		and (.msg | (ascii_downcase | contains($reason | ascii_downcase)) and length > ($reason | length + 5) and test("^[^[:cntrl:]]+$") and (contains("(null)") | not)))' <<<"$output" >/dev/null
}

# disturb VERB WRAP ...: one call; says what is wrong with its end
disturb() {
	local verb=$1

	shift
	CNI_WRAP=("$@")
	every_call "$verb"
	CNI_WRAP=()
	case $status:$* in
	137:*signal=KILL*) KILLED=$((KILLED + 1)) ;;
	0:*) every_answers "$verb" || flunk "it succeeds, and says: $output" ;;
	1:*=write:*) [[ -n $WEAK || $output == *msg* ]] || flunk "the error is not told: $output" ;; # its own words may be what is lost
	134:*inject=setns*) ;; # there is no way on in the wrong namespace
	1:*) [[ -n $WEAK ]] || is_clear "$@" || flunk "the error is not told, or is not clear: $output" ;;
	*) flunk "exit status $status: $output$(<"$BATS_TEST_TMPDIR/stderr")" ;;
	esac
}

# One step of VERB, from a state without attachment to the same.
one() { # VERB WRAP ...
	every_standing "$1" && disturb "$@" || return
	if [[ $1 == ADD && $status == 0 ]]; then
		every_checked
		every_works CHECK || return
	fi
	every_works DEL
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
	local -a calls steps lines=()

	mapfile -t calls < <(steps "$1")
	[[ ${#calls[@]} -gt 3 || ( $1 == VERSION && ${#calls[@]} -gt 1 ) ]] || flunk "$PLUGIN $1: hardly any system calls" "${calls[@]}" || return
	mapfile -t steps < <(printf '%s\n' "${calls[@]}" | sed -n 's/ fails$//p')
	for ((i = $(phase "$1"); i < ${#steps[@]}; i += SAMPLE)); do
		read -r name n <<<"${steps[i]}"
		lines+=("strace -f -qq -o /dev/null -e trace=$name -e inject=$name:error=${ERROR[$name]:-EIO}:when=$n")
	done
	[[ ${#lines[@]} == 0 ]] || batch "$1" "${lines[@]}" || return
	whole "$1" || return 0
	lines=()
	for ((i = $(phase "kill $1"); i < ${#calls[@]}; i += SAMPLE)); do
		read -r name n _ <<<"${calls[i]}"
		lines+=("strace -f -qq -o /dev/null -e trace=$name -e inject=$name:signal=KILL:when=$n")
	done
	KILLS=$((KILLS + ${#lines[@]}))
	[[ ${#lines[@]} == 0 ]] || batch "$1" "${lines[@]}"
}

every() { # PLUGIN
	local verb

	TRIED=0 KILLS=0 KILLED=0
	every_ready "$1"
	BEFORE=$(every_state)
	for verb in ADD DEL CHECK GC GCALL STATUS VERSION; do
		fails "$verb" || return
	done
	echo "# $1: $TRIED disturbed calls, $KILLED of them killed" >&3
	# A step may be taken in one run more than in another, but not in many.
	[[ $KILLED -ge $((KILLS * 3 / 4)) && ( $KILLS -gt 0 || $SAMPLE -gt 7 ) ]] || flunk "only $KILLED of $KILLS were killed"
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
