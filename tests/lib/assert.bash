# Assertions. Each takes the description of what should be true first, and shows what it saw when it is not.
#
#   assert DESCRIPTION COMMAND ...              the command succeeds
#   refute DESCRIPTION COMMAND ...              it fails
#   assert_eq DESCRIPTION GOT WANT              the same text; a diff when not
#   assert_match DESCRIPTION GOT REGEX          bash's extended regular expression
#   assert_json DESCRIPTION JSON FILTER [WANT]  jq's filter is true, or (with WANT) gives WANT, as JSON or raw text
#   assert_same_json DESCRIPTION GOT WANT       equal as values: order of keys and white space do not count
#   wait_for DESCRIPTION SECONDS COMMAND ...    it succeeds before the deadline
#   need TOOL ...                               skip the test, naming what is missing; fail under TEST_STRICT=1
#   missing DESCRIPTION                         the same, for anything else that is not there
#   run_log COMMAND ...                         show the command and its output, pass its status on
#   deadline [SECONDS] COMMAND ...              end it after SECONDS (20)
#   thin ARRAY N                                leave every Nth of many things to try, others with another TEST_TURN (of
#                                               tests/run: with another commit); TEST_FULL=1: all
# shellcheck shell=bash

flunk() {
	printf '%s\n' "$@"
	return 1
}

# `timeout` runs programs only; a function of ours has its own deadlines inside.
deadline() {
	local seconds=20

	[[ $1 =~ ^[0-9.]+$ ]] && { seconds=$1; shift; }
	timeout --kill-after=2 "$seconds" "$@"
}

run_log() {
	local code=0

	printf '+ %s\n' "$*"
	"$@" || code=$?
	[[ $code == 0 ]] || printf '  exit status %s\n' "$code"
	return "$code"
}

assert() {
	local description=$1 seen='' code=0

	shift
	if [[ $1 == test ]]; then
		"$@" || code=$?
	else
		seen=$("$@" 2>&1) || code=$?
	fi
	[[ $code == 0 ]] || flunk "NOT: $description" "  $*" "  exit status $code" "$seen"
}

refute() {
	local description=$1 seen

	shift
	if seen=$("$@" 2>&1); then
		flunk "NOT: $description" "  succeeded: $*" "$seen"
	fi
}

assert_eq() {
	[[ $2 == "$3" ]] && return
	flunk "NOT: $1" "$(diff -u --label want --label got <(printf '%s\n' "$3") <(printf '%s\n' "$2"))"
}

assert_match() {
	[[ $2 =~ $3 ]] || flunk "NOT: $1" "  no match for: $3" "  got: $2"
}

assert_json() {
	local seen

	if [[ $# == 3 ]]; then
		jq -e "$3" >/dev/null 2>&1 <<<"$2" || flunk "NOT: $1" "  filter: $3" "$(jq . <<<"$2" 2>&1 || echo "$2")"
		return
	fi
	# One jq says whether it is WANT as raw text, or the same value; jq is slow to start, and this is called a lot.
	[[ $(jq -n -r --arg want "$4" 'def same: . as $got | [$want | fromjson] | . == [$got];
		[inputs | '"$3"'] | if map(if type == "string" then . else tojson end | tostring) | join("\n") == $want then "yes"
		elif length == 1 then .[0] | (try same catch false) | if . then "yes" else "no" end else "no" end' \
		<<<"$2" 2>/dev/null) != yes ]] || return 0
	seen=$(jq -c "$3" <<<"$2" 2>/dev/null) || { flunk "NOT: $1" "  filter: $3" "  no JSON: $2"; return 1; }
	[[ $seen == "$4" || $(jq -r "$3" <<<"$2") == "$4" ]] ||
		[[ $(jq -cS "$3" <<<"$2") == "$(jq -cS . <<<"$4" 2>/dev/null || echo -)" ]] ||
		flunk "NOT: $1" "  $3" "  got:  $seen" "  want: $4"
}

assert_same_json() {
	local got want

	! jq -n -e --argjson got "$2" --argjson want "$3" '$got == $want' >/dev/null 2>&1 || return 0
	got=$(jq -S . <<<"$2") || { flunk "NOT: $1" "  no JSON: $2"; return 1; }
	want=$(jq -S . <<<"$3") || { flunk "NOT: $1" "  no JSON: $3"; return 1; }
	assert_eq "$1" "$got" "$want"
}

# Nobody writes into this pipe; sleep(1) would be a process each time.
pause() { # SECONDS
	local pipe=${BATS_RUN_TMPDIR:-/run}/pause

	[[ -p $pipe ]] || mkfifo "$pipe" 2>/dev/null || [[ -p $pipe ]] || return
	read -rt "$1" <>"$pipe" || :
}

wait_for() {
	local description=$1 seconds=$2 seen='' code=0 microseconds end

	shift 2
	printf -v microseconds %.0f "${seconds}e6"
	end=$((${EPOCHREALTIME/./} + microseconds))
	while :; do
		code=0
		seen=$("$@" 2>&1) || code=$?
		[[ $code != 0 ]] || return 0
		[[ ${EPOCHREALTIME/./} -lt $end ]] || break
		pause 0.02
	done
	flunk "NOT within ${seconds}s: $description" "  $*" "  exit status $code" "$seen"
}

thin() {
	local -n thin_all=$1
	local i some=()

	[[ -z ${TEST_FULL:-} && ${#thin_all[@]} -gt $2 ]] || return 0
	for ((i = ${TEST_TURN:-0} % $2; i < ${#thin_all[@]}; i += $2)); do
		some+=("${thin_all[i]}")
	done
	thin_all=("${some[@]}")
}

missing() {
	[[ ${TEST_STRICT:-} != 1 ]] || { flunk "missing: $1"; return 1; }
	skip "missing: $1"
}

need() {
	local tool absent=()

	for tool; do
		type -t "$tool" >/dev/null || absent+=("$tool")
	done
	[[ ${#absent[@]} == 0 ]] || missing "${absent[*]}"
}

need_root() {
	[[ $(awk '{ print $2, $3 }' /proc/self/uid_map) == "0 4294967295" ]] || missing "root"
}

need_cgroups() {
	[[ ${CNIBOX_CGROUPS:-} == 1 ]] || missing "cgroups that root may write to"
}

# need_link KIND [ARGUMENT ...]: the kernel knows this kind of link.
need_link() {
	ip link add name probe0 type "$@" 2>/dev/null || { missing "kernel support for $1 links"; return; }
	ip link del probe0
}

need_reference() {
	local name

	for name; do
		[[ -x $REFERENCE/$name ]] || { missing "reference plugin $name in $REFERENCE"; return; }
	done
}
