# lib/firewall as a command (firewall.c), and what the tools say of its rules: `load lib/firewall`.
# shellcheck shell=bash

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

# The legacy programs in place of the others, as update-alternatives does it.
use_legacy() {
	local name

	need iptables-legacy-save ip6tables-legacy-save
	mount -t tmpfs tmpfs /etc/alternatives
	for name in iptables ip6tables; do
		ln -s "/usr/sbin/$name-legacy" "/etc/alternatives/$name"
		ln -s "/usr/sbin/$name-legacy-save" "/etc/alternatives/$name-save"
		ln -s "/usr/sbin/$name-legacy-restore" "/etc/alternatives/$name-restore"
	done
	iptables-legacy -t nat -S >/dev/null 2>&1 || missing "legacy iptables in this kernel"
}
