#!/usr/bin/env bats
# What a person at a terminal sees that a program does not: colour, and what goes on meanwhile.

load lib/all
sandbox

setup() {
	need script
	export TERM=xterm
	unset NO_COLOR
}

# screen WORD ...: all that the terminal is sent
screen() { deadline script -qec "'$CNIBOX' $*" /dev/null </dev/null; }
coloured() { grep -q $'\e\[[0-9;]*m'; }

@test "colour is for terminals" {
	assert "on one" coloured < <(screen path host 203.0.113.1)
	refute "not in a pipe" coloured < <("$CNIBOX" path host 203.0.113.1)
	refute "nor in a file of a terminal's shell" coloured < <(screen "path host 203.0.113.1 >/run/out"; cat /run/out)
	refute "JSON" coloured < <(screen path host 203.0.113.1 --json)
}

@test "NO_COLOR, unless it is empty, and a terminal that has none" {
	refute "NO_COLOR" coloured < <(NO_COLOR=1 screen path host 203.0.113.1)
	assert "empty" coloured < <(NO_COLOR='' screen path host 203.0.113.1)
	refute "dumb" coloured < <(TERM=dumb screen path host 203.0.113.1)
}

@test "what takes its time says what it is at, and wipes it away before it answers" {
	echo '{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": {"nodeName": "n1"}, "status": {"podIP": "10.1.0.2"}}' >/run/all.json
	step=$'\r\e[Kpolicy-iptables matrix: reading the objects ...\r\e[K'
	assert_eq "at a terminal" "$(screen policy-iptables matrix -f /run/all.json --port 80 --json | head -c "${#step}")" "$step"
	screen "policy-iptables matrix -f /run/all.json --port 80 2>/run/err" >/run/out
	refute "not where nobody looks" grep -q $'\e' /run/out /run/err
	status=0
	said=$(screen policy-iptables matrix -f /run/none.json) || status=$?
	mkdir -p /run/store/subnets
	echo junk >/run/store/subnets/hello
	assert_eq "so does a line of stderr" "$(screen lease list --store /run/store)" \
		$'\r\e[Klease list: asking the store ...\r\e[Ksubnets/hello is no lease: no key of a lease\r\n\r\e[K'$'no leases in the store\r\n\r\e[K'
	assert_eq "an error has a line of its own" "$said" $'\r\e[Kpolicy-iptables matrix: reading the objects ...\r\e[Kpolicy-iptables matrix: open /run/none.json: No such file or directory\r'
}

# screen_of COLUMNS WORD ...: the same on a terminal that wide
screen_of() {
	local columns=$1
	shift
	TERM=dumb deadline script -qec "stty cols $columns; '$CNIBOX' $*" /dev/null </dev/null | tr -d '\r'
}

@test "a table that is wider than the terminal goes on in the next line, with its headings" {
	id=$(printf 'a%.0s' {1..64})
	mkdir -p /run/leases/pods
	printf '%s\r\neth0' "$id" >/run/leases/pods/10.1.0.2
	touch -d 2026-01-02T03:04:05Z /run/leases/pods/10.1.0.2
	list=(ipam list --data-dir /run/leases)
	whole="NETWORK  ADDRESS   CONTAINER                                                         IFNAME  SINCE                 STATE    NETNS
pods     10.1.0.2  $id  eth0    2026-01-02T03:04:05Z  unknown  -"
	assert_eq "one that has room" "$(screen_of 200 "${list[@]}")" "$whole"
	assert_eq "just room" "$(screen_of 130 "${list[@]}")" "$whole"
	assert_eq "none" "$(screen_of 80 "${list[@]}")" "NETWORK  ADDRESS
    CONTAINER                                                         IFNAME
    SINCE                 STATE    NETNS
pods     10.1.0.2
    $id  eth0
    2026-01-02T03:04:05Z  unknown  -"
	assert_eq "a word is never broken" "$(screen_of 40 "${list[@]}" | grep -c "^    $id\$")" 1
	assert_eq "a pipe has room" "$(screen_of 80 "${list[@]}" '|' cat)" "$whole"
	assert_eq "and JSON is as it was" "$(screen_of 80 "${list[@]}" --json | jq -r '.[].container')" "$id"
}

@test "words of a cell go on below it, where that takes fewer lines" {
	printf '{ "cniVersion": "1.0.0", "name": "%s", "plugins": [ %s ] }' pods \
		'{ "type": "bridge" }, { "type": "tuning" }, { "type": "portmap" }, { "type": "bandwidth" }, { "type": "firewall" }' \
		>/run/etc-of-pods.conflist
	assert_eq "the plugins" "$(screen_of 70 cni list --conf-dir /run --cache-dir /run/none | head -n 3)" \
'NETWORK  VERSION  PLUGINS                    FILE
pods     1.0.0    bridge, tuning, portmap,   /run/etc-of-pods.conflist
                  bandwidth, firewall'
}
