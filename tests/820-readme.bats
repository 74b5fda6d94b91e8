#!/usr/bin/env bats
# README's sessions are what the program does today: every line behind "$ " is run in one node, in order, by one shell,
# and what it prints is compared. What differs each time is masked: times, inodes, process ids, widths of columns.

load lib/all
sandbox forward

# mask <TEXT: one blank for many, no number that is new every time
mask() {
	sed -E 's/[0-9]+\.[0-9]+ ms/T ms/; s/\b[0-9-]{10}T[0-9:]{8}Z/TIME/; s/\b40265[0-9]{5}\b/INODE/; s/^(\(here\) - INODE) .*( cni0)/\1\2/; s/[ \t]+/ /g; s/ $//; /^$/d' |
		sed -E 's/^\(here\) +- +INODE .* cni0/(here) - INODE cni0/'
}

# The indented blocks of the section on sessions, without their indentation.
sessions() {
	sed -n '/^## A session of each/,/^## Speed/ s/^    //p' "$CNIBOX_TOP/README.md"
}

# What a command prints must start with what README shows, up to a line with "…".
compare() {
	local command=$1 want=$2 got=$3

	if [[ $want == *…* ]]; then
		want=${want%%$'\n'*…*}
		got=$(head -n "$(wc -l <<<"$want")" <<<"$got")
	fi
	assert_eq "$command" "$(mask <<<"$got")" "$(mask <<<"$want")"
}

@test "every session of README prints what README shows" {
	need jq
	mkdir "$BATS_TEST_TMPDIR/bin"
	ln -s "$CNIBOX" "$BATS_TEST_TMPDIR/bin/cnibox"
	PATH=$BATS_TEST_TMPDIR/bin:$PATH
	sessions >"$BATS_TEST_TMPDIR/sessions"
	# The configuration that it shows is the one that it uses.
	sed -n '/^\$ cat /,/^\$ cnibox/p' "$BATS_TEST_TMPDIR/sessions" | sed '/^\$/d' >/etc/cni/net.d/10-pods.conflist
	END='= end' n=0 command='' want=''
	while IFS= read -r line; do
		if [[ $line == '$ '* || $line == "$END" ]]; then
			if [[ -n $command ]]; then
				eval "$command" >"$BATS_TEST_TMPDIR/got" 2>&1
				compare "$command" "${want%$'\n'}" "$(<"$BATS_TEST_TMPDIR/got")"
				n=$((n + 1))
			fi
			command=${line#'$ '} want=''
			[[ $line != "$END" ]] || break
		else
			want+=$line$'\n'
		fi
	done < <(cat "$BATS_TEST_TMPDIR/sessions"; echo "$END")
	assert "all of them were run" test "$n" -ge 15
	assert_eq "nothing is left" "$(ls /run/netns; ls /var/lib/cni/results)" ""
}

@test "README fits: what it is, how to try and how to install it on the first screen" {
	assert "the first 50 lines reach the applets" \
		test "$(grep -n '^## The applets' "$CNIBOX_TOP/README.md" | cut -d: -f1)" -le 50
	assert_eq "no line is wider than 130 letters" "$(grep -E '^.{131}' "$CNIBOX_TOP/README.md")" ""
}

@test "make shell is a node where all of that can be typed, and the machine is not in it" {
	touch /etc/cni/net.d/outside /run/outside
	# shellcheck disable=SC2016 # for the shell inside
	said=$("$CNIBOX_TOP/tests/shell" 2>/dev/null <<<'
		cnibox --version | grep -c ^cnibox
		ls -d /etc/cni/net.d/* /run/outside 2>/dev/null
		ls /opt/cni/bin/bridge
		ip -o link | wc -l
		cat /proc/sys/net/ipv4/ip_forward' 3>&-)
	assert_eq "what is there" "$said" "$(printf '%s\n' 1 /opt/cni/bin/bridge 1 1)"
}
