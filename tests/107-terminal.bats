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
		$'\r\e[Klease list: asking the store ...\r\e[Ksubnets/hello is no lease: no key of a lease\r\n\r\e[K\r\e[K'
	assert_eq "an error has a line of its own" "$said" $'\r\e[Kpolicy-iptables matrix: reading the objects ...\r\e[Kpolicy-iptables matrix: open /run/none.json: No such file or directory\r'
}
