# lib/firewall as a command (firewall.c), and what the tools say of its rules: `load lib/firewall`.
# shellcheck shell=bash

load lib/legacy
load lib/link

setup_file() {
	export FIREWALL=$BATS_FILE_TMPDIR/firewall
	link_with firewall.c "$FIREWALL"
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
