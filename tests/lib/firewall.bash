# lib/firewall as a command (firewall.c), and what the tools say of its rules: `load lib/firewall`.
# shellcheck shell=bash

load lib/legacy

# Made with the flags of the build under test.
setup_file() {
	local -a cc
	local build=${CNIBOX%/*}

	export FIREWALL=$BATS_FILE_TMPDIR/firewall
	read -ra cc <"$build/flags"
	unset 'cc[-1]'
	"${cc[@]}" -I"$CNIBOX_TOP/lib" "$CNIBOX_TOP/tests/lib/firewall.c" "$build"/lib/*/*.o -lnl-3 -ljansson -lmd \
		-lpthread -o "$FIREWALL"
}

firewall() {
	run_log deadline "$FIREWALL" "$@"
}

# Everything of iptables that is not a built-in chain, both families.
xt_rules() {
	iptables-save -t nat 2>/dev/null | grep -E '^-A|^:CNI' | sed 's/ \[.*//'
	ip6tables-save -t nat 2>/dev/null | grep -E '^-A|^:CNI' | sed 's/ \[.*//'
}

# How many messages and programs a command costs.
cost() {
	ASAN_OPTIONS=detect_leaks=0 strace -f -qq -e trace=sendmsg,sendto,execve -e signal=none -o "$BATS_TEST_TMPDIR/cost" "$FIREWALL" "$@"
	grep -cE '(sendmsg|sendto)\(' "$BATS_TEST_TMPDIR/cost"
	grep -c execve "$BATS_TEST_TMPDIR/cost"
}

# The programs that it executed, one to a line.
programs() {
	ASAN_OPTIONS=detect_leaks=0 strace -f -qq -e trace=execve -e signal=none -o "$BATS_TEST_TMPDIR/programs" "$FIREWALL" "$@"
	grep -v ' = -1' "$BATS_TEST_TMPDIR/programs" | sed -nE '1d; s,.* execve\("([^"]*/)?([^"/]*)".*,\2,p'
}
