#!/usr/bin/env bats
# netns: every namespace there is, with and without a name; making, removing, entering and identifying one. Each test runs
# in a node of its own, so that /run/netns and the processes seen are the test's.

load lib/all
sandbox

netns() { "$CNIBOX" netns "$@"; }

# hold [NAME]: a process in namespace NAME, or in a new one without a name; its id in $pid
hold() {
	if [[ $# -gt 0 ]]; then
		nsenter --net="/run/netns/$1" -- sleep 60 3>&- &
	else
		unshare --net -- sleep 60 3>&- &
	fi
	pid=$!
	wait_for "process $pid runs there" 5 holds "$pid"
}

holds() { [[ $(<"/proc/$1/comm") == sleep && $(readlink "/proc/$1/ns/net") != "$(readlink /proc/self/ns/net)" ]]; }

inode() { stat -Lc %i "$1"; }

# fails STATUS REGEX WORD ...: one line on stderr, nothing on stdout
fails() {
	local want=$1 regex=$2 code=0 out
	local err=$BATS_TEST_TMPDIR/stderr

	shift 2
	out=$("$CNIBOX" netns "$@" 2>"$err") || code=$?
	assert_eq "status of: netns $*" "$code" "$want" && assert_eq "stdout of: netns $*" "$out" "" &&
		assert_match "stderr of: netns $*" "$(<"$err")" "$regex" && assert_eq "lines of stderr" "$(wc -l <"$err")" 1
}

# a private cgroup2 tree with a container's group, when the machine lets us; its folder in $group
container_group() {
	group=$BATS_TEST_TMPDIR/cgroup
	mkdir "$group"
	mount -t cgroup -o none,name=cnibox-test cgroup "$group" 2>/dev/null || { missing "a cgroup hierarchy of our own"; return; }
	group=$group/$1
	mkdir -p "$group" || missing "cgroups that can be made"
}

# ---- list ----

@test "list shows where we are when there is nothing else" {
	assert_eq "one line under the headings" "$(netns list | wc -l)" 2
	assert_match "headings" "$(netns list | head -1)" '^NAME +ID +INODE +HELD BY +PIDS +INTERFACES +ADDRESSES$'
	assert_match "here" "$(netns list | tail -1)" "^\(here\) +- +$(inode /proc/self/ns/net) "
	assert_json "JSON" "$(netns list --json)" 'length == 1 and .[0].current and (.[0].name == null)'
}

@test "list --json tells everything about a named namespace" {
	netns add blue
	ip link add e0 type veth peer name eth0 address 02:00:00:00:00:01 mtu 1400 netns blue
	ip -n blue addr add 10.1.0.2/24 dev eth0
	ip -n blue addr add fd00::2/64 dev eth0 nodad
	ip -n blue link set eth0 up
	hold blue
	blue=$(netns list --json | jq '.[] | select(.name == "blue")')
	assert_json "the path opens it" "$blue" .path /run/netns/blue
	assert_json "inode" "$blue" .inode "$(inode /run/netns/blue)"
	assert_json "the id that ip-netns(8) shows" "$blue" .id "$(ip -j netns | jq '.[] | select(.name == "blue").id')"
	assert_json "processes" "$blue" .pids "[$pid]"
	assert_json "command" "$blue" .command sleep
	assert_json "not here" "$blue" .current false
	assert_json "interfaces" "$blue" '[.interfaces[].name]' '["lo", "eth0"]'
	assert_json "an interface" "$blue" '.interfaces[1] | [.kind, .up, .mtu, .mac, (.addresses | index("10.1.0.2/24", "fd00::2/64"))]' \
		'["veth", true, 1400, "02:00:00:00:00:01", 0, 1]'
	assert_json "lo is down and has none" "$blue" '.interfaces[0] | [.up, .addresses]' '[false, []]'
}

@test "list is a table for people: aligned, without loopback and link-local addresses" {
	netns add blue a-longer-name
	ip link add e0 type veth peer name eth0 netns blue
	ip -n blue addr add 10.1.0.2/24 dev eth0
	ip -n blue link set eth0 up
	ip -n blue link set lo up
	table=$(netns list)
	assert_match "name, interface, address" "$table" $'\nblue +[0-9]+ +[0-9]+ +- +- +eth0 +10\.1\.0\.2/24\n'
	assert_match "an empty one" "$table" $'\na-longer-name +[-0-9]+ +[0-9]+ +- +- +- +-\n'
	assert_eq "columns begin at the same place" "$(awk 'NR == 1 { at = index($0, "INODE") } { print substr($0, at - 1, 2) }' <<<"$table" |
		grep -cv '^ [0-9I]')" 0
	refute "trailing space" grep -n ' $' <<<"$table"
}

@test "list sorts by name, and shows long lists in part" {
	netns add c a b
	for i in 1 2 3 4 5; do
		ip -n a link add "d$i" type bridge
		ip -n a addr add "10.0.0.$i/32" dev "d$i"
	done
	assert_eq "order" "$(netns list | awk 'NR > 1 { print $1 }' | paste -sd' ')" "a b c (here)"
	assert_match "three interfaces and addresses" "$(netns list)" 'd1, d2, d3 \+2 +10.0.0.1/32, 10.0.0.2/32, 10.0.0.3/32 \+2'
	assert_json "JSON has all" "$(netns list --json)" '.[0].interfaces | length' 6
}

@test "list shows a namespace without a name by its holder" {
	hold
	assert_match "the command" "$(netns list)" $'\n- +[-0-9]+ +'"$(inode "/proc/$pid/ns/net")"' +sleep +'"$pid"' +-'
	assert_json "the path opens it" "$(netns list -j)" '.[] | select(.command == "sleep") | .path' "/proc/$pid/ns/net"
}

@test "list shows the container that holds a namespace" {
	id=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
	container_group "kubepods/$id"
	hold
	echo "$pid" >"$group/cgroup.procs"
	assert_match "the short id" "$(netns list)" "sleep \(0123456789ab\) +$pid"
	assert_json "the whole id" "$(netns list -j)" ".[] | select(.pids == [$pid]) | .container" "$id"
	assert_eq "identify" "$(netns identify "$pid")" "container $id"
	assert_eq "the id is a target" "$(netns exec "${id:0:12}" -- readlink /proc/self/ns/net)" "$(readlink "/proc/$pid/ns/net")"
}

@test "a file under /run/netns that is no namespace is not listed" {
	touch /run/netns/stale
	assert_json "one" "$(netns list -j)" length 1
}

@test "two names of one namespace are one namespace" {
	netns add blue
	touch /run/netns/alias
	mount --bind /run/netns/blue /run/netns/alias
	assert_json "one named" "$(netns list -j)" '[.[] | select(.name)] | length' 1
}

# ---- add and del ----

@test "add makes what ip-netns(8) understands, del removes it" {
	netns add blue red
	assert_eq "names" "$(ip -j netns | jq -c '[.[].name] | sort')" '["blue","red"]'
	assert_eq "only lo is in it" "$(ip -j -n blue link | jq -c '[.[].ifname | select(. == "lo" or startswith("eth"))]')" '["lo"]'
	ip -n red link add d0 type bridge
	netns del blue red
	assert_eq "nothing is left" "$(ls /run/netns)" ""
	refute "a mount is left" grep -q '/run/netns/' /proc/self/mountinfo
}

@test "del removes what ip-netns(8) made" {
	ip netns add blue
	netns del blue
	assert_eq "nothing is left" "$(ls /run/netns)" ""
}

@test "add and del refuse what cannot be, in one line" {
	netns add blue
	fails 1 '^netns add: namespace "blue" exists already$' add blue
	fails 1 '"a/b" is not a name' add a/b
	fails 1 '"\.\." is not a name' add ..
	fails 1 '^netns add: "" is not a name for a network namespace$' add ""
	fails 1 '^netns add: "a\?b" is not a name for a network namespace \(it has control characters\)$' add $'a\nb'
	fails 1 '\(longer than 255 bytes\)$' add "$(printf 'x%.0s' {1..256})"
	fails 1 '^netns del: no namespace "blu"; did you mean "blue"\?$' del blu
	fails 1 '^netns del: no namespace "qqq" \(see `cnibox netns list`\)$' del qqq
	fails 1 '"\.\./blue" is not a name' del ../blue
	fails 2 '^netns add: missing argument NAME [(]see `cnibox help netns add`[)]$' add
	fails 2 '^netns del: missing argument NAME [(]' del
	assert_eq "blue is there" "$(ls /run/netns)" blue
}

@test "del goes on behind a name that is not there" {
	netns add blue red
	fails 1 'no namespace "nix".*; no namespace "nox"' del blue nix red nox
	assert_eq "nothing is left" "$(ls /run/netns)" ""
}

@test "a namespace lives on with its processes after its name is gone" {
	netns add blue
	hold blue
	netns del blue
	assert_json "it has no name" "$(netns list -j)" '.[] | select(.command == "sleep") | has("name")' false
}

# ---- exec ----

@test "exec runs the command there: by name, path and process" {
	netns add blue
	hold blue
	for target in blue /run/netns/blue "/proc/$pid/ns/net" "$pid"; do
		assert_eq "namespace of target $target" "$(netns exec "$target" -- readlink /proc/self/ns/net)" "net:[$(inode /run/netns/blue)]"
	done
	assert_eq "without --" "$(netns exec blue readlink /proc/self/ns/net)" "net:[$(inode /run/netns/blue)]"
}

@test "exec hands over arguments, input, environment and status as they are" {
	netns add blue
	assert_eq "arguments" "$(netns exec blue -- printf '%s|' --help -j -- 'a b' '')" "--help|-j|--|a b||"
	assert_eq "input" "$(netns exec blue -- cat <<<text)" text
	assert_eq "environment" "$(KEY=value netns exec blue -- printenv KEY)" value
	for want in 0 1 7 255; do
		code=0
		netns exec blue -- bash -c "exit $want" || code=$?
		assert_eq "status" "$code" "$want"
	done
	code=0
	netns exec blue -- bash -c 'kill -TERM $$' || code=$?
	assert_eq "a signal" "$code" 143
}

@test "exec leaves no descriptor open" {
	netns add blue
	assert_eq "descriptors" "$(netns exec blue -- find /proc/self/fd/ -type l | wc -l)" "$(find /proc/self/fd/ -type l | wc -l)"
}

@test "exec exits with 127 when nothing is found and 126 when it cannot be run" {
	netns add blue
	fails 127 '^netns exec: "no-such-program": command not found$' exec blue -- no-such-program
	fails 127 '^netns exec: "/no/such/program": command not found$' exec blue -- /no/such/program
	fails 126 '^netns exec: run "/etc/passwd": Permission denied$' exec blue -- /etc/passwd
	fails 126 '^netns exec: run "/": Permission denied$' exec blue -- /
	echo 'echo this is no program' >"$BATS_TEST_TMPDIR/text"
	chmod +x "$BATS_TEST_TMPDIR/text"
	fails 126 'Exec format error$' exec blue -- "$BATS_TEST_TMPDIR/text"
}

@test "exec refuses a target that is none, in one line" {
	netns add blue
	fails 1 '^netns exec: no namespace "bleu"; did you mean "blue"\?$' exec bleu -- true
	fails 1 '^netns exec: no namespace "999999999" ' exec 999999999 -- true
	fails 1 '^netns exec: no namespace "0123456789ab" ' exec 0123456789ab -- true
	fails 1 '^netns exec: no namespace "/run/netns/nix" ' exec /run/netns/nix -- true
	fails 1 '^netns exec: "/etc/passwd" is not a network namespace$' exec /etc/passwd -- true
	fails 1 '^netns exec: "/proc/self/ns/uts" is not a network namespace$' exec /proc/self/ns/uts -- true
	fails 2 '^netns exec: missing argument TARGET [(]' exec
	fails 2 '^netns exec: missing argument COMMAND [(]' exec blue
}

@test "a name that is a number is the name, not the process" {
	netns add 1
	assert_eq "namespace" "$(netns exec 1 -- readlink /proc/self/ns/net)" "net:[$(inode /run/netns/1)]"
}

# ---- identify ----

@test "identify says the name, or the holder" {
	netns add blue
	hold blue
	assert_eq "by process" "$(netns identify "$pid")" blue
	assert_eq "by path" "$(netns identify "/proc/$pid/ns/net")" blue
	assert_eq "where we are" "$(netns exec blue -- "$CNIBOX" netns identify)" blue
	assert_eq "here, without a name" "$(netns identify)" "pid 1 ($(</proc/1/comm))"
	hold
	assert_eq "no name" "$(netns identify "$pid")" "pid $pid (sleep)"
	assert_json "JSON" "$(netns identify --json "$pid")" '.[0] | [.pids, .inode]' "[[$pid], $(inode "/proc/$pid/ns/net")]"
	fails 1 'no namespace "nix"' identify nix
	fails 2 'unexpected argument "b"' identify a b
}

@test "a process that names itself with control characters cannot touch the terminal" {
	unshare --net -- bash -c 'printf "\e[31mred" >/proc/self/comm; echo ready; read -rt 60 <> <(:)' >"$BATS_TEST_TMPDIR/ready" 3>&- &
	holder=$!
	wait_for "it renamed itself" 5 test -s "$BATS_TEST_TMPDIR/ready"
	assert_match "shown without" "$(netns list)" ' \?\[31mred '
	assert_eq "identified without" "$(netns identify "$holder")" "pid $holder (?[31mred)"
	assert_json "exact in JSON" "$(netns list -j)" '[.[].command] | index("\u001b[31mred") != null'
}

# ---- without root ----

# as_user COMMAND: an ordinary user, root in a user namespace of his own with a /run of his own
as_user() {
	deadline setpriv --reuid 65534 --regid 65534 --clear-groups -- unshare --user --map-root-user --mount --net -- \
		bash -c "mount -t tmpfs tmpfs /run && mkdir /run/netns && $1"
}

@test "an ordinary user adds, lists, enters and removes in a user namespace" {
	as_user true || missing "user namespaces"
	# The tree may be closed to others: they run a copy.
	export binary=/opt/cni/cnibox
	install -m 755 "$CNIBOX" "$binary"
	assert_eq "add, list" "$(as_user '$binary netns add blue && $binary netns list --json' | jq -c '[.[].name]')" '["blue",null]'
	assert_eq "exec" "$(as_user '$binary netns add blue && $binary netns exec blue -- ip -j link | jq -r .[0].ifname')" lo
	assert_eq "identify" "$(as_user '$binary netns add blue && $binary netns exec blue -- $binary netns identify')" blue
	assert_eq "del" "$(as_user '$binary netns add blue && $binary netns del blue && ls /run/netns')" ""
}

@test "without privilege, add, del and exec say what is needed; list works" {
	need_root
	touch /run/netns/blue
	unprivileged() { setpriv --reuid 65534 --regid 65534 --clear-groups --bounding-set -all -- "$@"; }
	binary=/opt/cni/cnibox
	install -m 755 "$CNIBOX" "$binary"
	for words in "add x" "del blue" "exec blue -- true"; do
		code=0
		# shellcheck disable=SC2086
		unprivileged "$binary" netns $words 2>"$BATS_TEST_TMPDIR/stderr" || code=$?
		assert_eq "status of $words" "$code" 1
		assert_match "reason" "$(<"$BATS_TEST_TMPDIR/stderr")" "^netns [a-z]*: needs root \(CAP_SYS_ADMIN\)"
	done
	assert_match "list" "$(unprivileged "$binary" netns list)" '^NAME '
}
