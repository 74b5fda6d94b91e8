#!/usr/bin/env bats
# Real shells, completing: each says what `cnibox complete` says, for every applet, verb, option and argument.

# shellcheck disable=SC2317 # functions are handed to each_call
load lib/all
load lib/applets
sandbox file

# One node for the file, and in its /run/here the lines to complete and what the binary says of them.
setup_file() {
	echo '{ "cniVersion": "1.0.0", "name": "pods", "plugins": [ { "type": "ptp", "ipam": { "type": "host-local",
		"ranges": [ [ { "subnet": "10.1.0.0/28" } ], [ { "subnet": "fd00:1::/120" } ] ] } } ] }' >/etc/cni/net.d/10-pods.conflist
	container blue red
	"$CNIBOX" cni add --container-id c-blue pods blue >/dev/null
	mkdir -p /run/here/folder /run/bin
	printf '#!/bin/sh\n' >/run/bin/cnibox-test-program
	chmod +x /run/bin/cnibox-test-program
	export PATH=$PATH:/run/bin
	touch /run/here/file.json
	find_applets
	lines >/run/lines
	cd /run/here || return
	completed cnibox >/run/want
}

setup() {
	export PATH=$PATH:/run/bin HOME=$BATS_TEST_TMPDIR XDG_CONFIG_HOME=$BATS_TEST_TMPDIR XDG_DATA_HOME=$BATS_TEST_TMPDIR
	cd /run/here || return
}

# Lines to complete: what each verb takes, and the values of each option, in both forms; a row that agents and tools share once.
lines() {
	printf 'cnibox %s\n' "" n list "list --" "help --" "help br" "help netns " "netns no-such " "no-such "
	each_call call_lines
	printf 'cnibox %s\n' "ipam release fd00:1:" "ipam release fd00:1::2 f" "ipam release --network=p" \
		"policy-iptables lint -f fi" "policy-iptables lint --file=fi" "cni add --conf-dir f" "cni add --conf-dir=f" \
		"netns exec blue cnibox-t" "netns exec blue -- cnibox-t" "netns exec blue /run/bin/cnibox-t" "netns exec blue ls f"
}
declare -gA seen
call_lines() {
	local option

	printf 'cnibox %s\n' "$* " "$* --" "$* --j"
	for option in $("$CNIBOX" help "$@" | grep -oP '^  (-., |    )\K--[^ \[]+(?= [^ ])' | sort -u); do
		[[ -z ${seen[$option]:-} ]] || continue
		seen[$option]=1
		printf 'cnibox %s\n' "$* $option " "$* $option="
	done
}

completed() { python3 "$CNIBOX_TESTS/lib/complete.py" "$1" "$CNIBOX" "$CNIBOX_TOP/completion" </run/lines; }

as_the_binary() { # SHELL
	local said

	said=$(completed "$1") || return
	assert "there is much to say" test "$(grep -c $'\t.' /run/want)" -gt 100 &&
		assert_eq "$1's answers" "$said" "$(</run/want)"
}

@test "bash, at a terminal" {
	as_the_binary bash
}

@test "zsh, at a terminal" {
	need zsh
	as_the_binary zsh
}

@test "fish" {
	need fish
	as_the_binary fish
}
