#!/usr/bin/env bats
# firewall: each exchange with the kernel and each file operation fails once, or is the last. An ADD that fails leaves
# nothing, one that was killed is cleaned by a DEL which is told nothing but the name; a DEL that failed can be repeated.

load lib/all
load lib/forward
load lib/inject
sandbox forward

INJECT_STEPS='sendmsg recvmsg openat write rename mkdir unlink socket getdents64'
INJECT_ERROR+=([rename]=EXDEV [mkdir]=ENOSPC [unlink]=EROFS [getdents64]=EIO)

setup() {
	need_root
	need nft iptables-save ip6tables-save strace
}

inject_state() {
	{
		rules
		nft list ruleset | grep -vE '^(table|}|\s*$)'
		find /run/cni -type f || :
	} 2>/dev/null
}

# DEL without prevResult: what it needs to know has to be remembered.
inject_call() {
	local conf=$2

	[[ $1 != DEL ]] || conf=$(jq -c 'del(.prevResult)' <<<"$conf")
	status=0
	output=$(deadline env CNI_COMMAND="$1" CNI_CONTAINERID=ctr CNI_NETNS=/run/netns/ctr CNI_IFNAME=eth0 \
		CNI_PATH="$PLUGINS" "${CNI_WRAP[@]}" "$PLUGINS/firewall" <<<"$conf" 2>"$BATS_TEST_TMPDIR/stderr") || status=$?
	printf '+ %s\n%s\n  exit status %s\n' "$1" "$output" "$status"
}

@test "iptables: every step of an ADD fails once" {
	inject_fail "$(alone '.ingressPolicy = "isolated"')"
}

@test "nftables: every step of an ADD fails once" {
	inject_fail "$(alone '.backend = "nftables" | .ingressPolicy = "isolated"')"
}

@test "iptables: an ADD killed at any step is cleaned by DEL, a DEL by another" {
	inject_kill "$(alone)" ADD
	inject_kill "$(alone)" DEL
}

@test "nftables: an ADD killed at any step is cleaned by DEL, a DEL by another" {
	inject_kill "$(alone '.backend = "nftables"')" ADD
	LEAST=4 inject_kill "$(alone '.backend = "nftables"')" DEL
}

@test "a DEL that fails says so, and the next one cleans" {
	local conf step failed=0
	local -a steps

	for conf in "$(alone)" "$(alone '.backend = "nftables"')"; do
		inject_ready "$conf"
		before=$(inject_state)
		inject_works ADD "$conf"
		mapfile -t steps < <(INJECT_STEPS='sendmsg recvmsg getdents64' inject_steps DEL "$conf" 2>/dev/null)
		for step in "${steps[@]}"; do
			inject_works ADD "$conf"
			CNI_WRAP=(strace -f -qq -o /dev/null -e "trace=${step% *}" -e "inject=${step% *}:error=${INJECT_ERROR[${step% *}]}:when=${step#* }")
			inject_call DEL "$conf"
			CNI_WRAP=()
			[[ $status != 1 ]] || failed=$((failed + 1))
			[[ $status == [01] ]] || flunk "exit status $status"
			inject_works DEL "$conf"
			inject_unchanged "after the second" "$before"
		done
	done
	[[ $failed -ge 5 ]] || flunk "only $failed failures"
}

@test "first ADD after boot: the program fails, or is killed, and nothing is left" {
	local bin=$BATS_TEST_TMPDIR/bin what

	mkdir "$bin"
	for what in 'exit 3' 'kill -9 $$' 'cat >/dev/null; /usr/sbin/iptables -N CNI-FORWARD; exit 1'; do
		printf '#!/bin/sh\n%s\n' "$what" >"$bin/iptables-restore"
		chmod +x "$bin/iptables-restore"
		status=0
		output=$(PATH=$bin:$PATH CNI_COMMAND=ADD CNI_CONTAINERID=ctr CNI_NETNS=/run/netns/ctr CNI_IFNAME=eth0 \
			CNI_PATH="$PLUGINS" "$PLUGINS/firewall" <<<"$(alone)") || status=$?
		assert_eq "$what" "$status" 1
		assert_json "the program is named" "$output" '.msg | test("iptables-restore: exit status")'
		refute "no rules" grep -qE -- ' -A ' <<<"$(rules)"
		refute "nothing is remembered" grep -rs . /run/cni/firewall
	done
}
