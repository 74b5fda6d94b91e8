#!/usr/bin/env bats
# Every applet, as a person at a terminal meets it: help, usage errors, man page, documentation. The list comes
# from the binary, so a new applet is covered the moment it exists.

# shellcheck disable=SC2317 # functions are handed to each_applet and each_call
load lib/all
load lib/applets
sandbox

setup() {
	find_applets
}

# call WORD ...: status, output and stderr of cnibox
call() {
	local err=$BATS_TEST_TMPDIR/stderr

	status=0
	output=$(deadline env -u CNI_COMMAND "$CNIBOX" "$@" 2>"$err" </dev/null) || status=$?
	stderr=$(<"$err")
}

usage_error() {     # DESCRIPTION REGEX WORD ...
	local description=$1 regex=$2

	shift 2
	call "$@"
	assert_eq "status of: $*" "$status" 2 && assert_eq "stdout of: $*" "$output" "" &&
		assert_match "$description" "$stderr" "$regex" && assert_eq "one line: $*" "$(wc -l <<<"$stderr")" 1
}

# ---- list ----

@test "cnibox list shows every applet under its kind, with its summary" {
	call list
	assert_eq "status" "$status" 0
	for applet in "${applets[@]}"; do
		assert_match "${applet#* } is listed" "$output" $'\n'"  ${applet#* } +[^ ]"
	done
	assert_match "there is a title for CNI plugins" "$output" "^CNI plugins:"
	assert_eq "sorted in each kind" "$("$CNIBOX" list --plain | sort -k2)" "$("$CNIBOX" list --plain)"
}

@test "every summary is short, in lower case and without a final period" {
	short() {
		local summary

		while IFS= read -r summary; do
			assert "\"$summary\" is under 60 characters" test "${#summary}" -lt 60 &&
				assert_match "\"$summary\" ends without a period" "$summary" '[^.]$' &&
				refute "\"$summary\" begins with a capital" grep -qE '^[A-Z][a-z]' <<<"$summary" || return
		done
	}
	"$CNIBOX" complete "" | cut -f2 | short
	for applet in "${applets[@]}"; do
		! has_verbs "${applet#* }" || "$CNIBOX" complete "${applet#* }" "" | cut -f2 | short
	done
}

# ---- help ----

@test "help of every applet goes to stdout with status 0" {
	helps() {
		call help "$2"
		assert_eq "status" "$status" 0 && assert_eq "stderr" "$stderr" "" && assert_match "it is about $2" "$output" "$2" || return
		local help=$output
		for option in --help -h; do
			call "$2" "$option"
			assert_eq "status of $option" "$status" 0 && assert_eq "$option is the same text" "$output" "$help" || return
		done
	}
	each_applet helps
}

@test "help of every verb is the same by both ways" {
	helps() {
		call help "$@"
		assert_eq "status" "$status" 0 && assert_match "the usage" "$output" "^usage: cnibox $*" || return
		local help=$output
		call "$@" --help
		assert_eq "status of --help" "$status" 0 && assert_eq "--help is the same text" "$output" "$help"
	}
	each_call helps
}

@test "no line of help is longer than 100 letters, none ends with a space" {
	tidy() {
		assert_eq "long lines" "$("$CNIBOX" help "$2" | awk 'length > 100')" "" &&
			refute "trailing space" grep -n ' $' <("$CNIBOX" help "$2")
	}
	each_applet tidy
}

@test "every option and every configuration key says what it is for" {
	explained() {
		local schema

		schema=$("$CNIBOX" help --schema "$2") || flunk "help --schema $2" || return
		assert_eq "keys without a description" \
			"$(jq -c '[.. | .properties? | objects | to_entries[] | select(.value.type != "object")
			   | select((.value.description // "") == "") | .key]' <<<"$schema")" "[]" &&
		assert_eq "descriptions with a final period or a capital in front" \
			"$(jq -c '[.. | .description? | strings | select(test("[.]$|^[A-Z][a-z]+ "))]' <<<"$schema")" "[]"
	}
	each_applet explained
}

# ---- usage errors ----

@test "an unknown option fails with status 2 and names the option" {
	fails() {
		usage_error "the option is named" "\"--no-such-thing\"" "$@" --no-such-thing
	}
	each_call fails
}

@test "a plugin called by hand with words says what it is" {
	fails() {
		[[ $1 != cni ]] || usage_error "it names the word" "unexpected word \"--bad\".*help $2" "$2" --bad
	}
	each_applet fails
}

@test "a misspelt applet, verb and option suggest the nearest" {
	usage_error "applet" 'unknown applet "nets"; did you mean "netns"\?' nets
	usage_error "applet behind help" 'unknown applet "brigde"; did you mean "bridge"\?' help brigde
	usage_error "command" 'unknown applet "lst"; did you mean "list"\?' lst
	usage_error "verb" 'netns: unknown verb "lits"; did you mean "list"\?' netns lits
	usage_error "verb behind help" 'netns: unknown verb "lits"; did you mean "list"\?' help netns lits
	usage_error "option" 'netns list: unknown option "--jsno"; did you mean "--json"\?' netns list --jsno
}

@test "words too many, and options of the program itself that it has not" {
	usage_error "behind list" 'unexpected word "x"; only --plain is known' list --plain x
	usage_error "behind help" 'unexpected word "x"' help cni add x
	usage_error "behind a man page" 'unexpected word "add"' help --man cni add
	usage_error "behind --version" 'unexpected word "x"' --version x
	usage_error "a misspelt option" '^cnibox: unknown option "--versin"; did you mean "--version"\?$' --versin
	usage_error "an option like nothing" '^cnibox: unknown option "-x" \(see `cnibox help`\)$' -x
	usage_error "control characters" '^cnibox: unknown applet "a\?b\?\[31m" \(see `cnibox list`\)$' $'a\nb\e[31m'
}

@test "every option, misspelt, is suggested" {
	[[ -z ${CNIBOX_SANITIZED:-} ]] || skip "once is enough"
	suggested() {
		local option said

		for option in $(options_of "$@"); do
			said=$("$CNIBOX" "$@" "$option${option: -1}" 2>&1 </dev/null; echo $?)
			assert_eq "$option" "$said" "$*: unknown option \"$option${option: -1}\"; did you mean \"$option\"?"$'\n2' || return
		done
	}
	each_call suggested
}

@test "a word that is like nothing gets no suggestion" {
	usage_error "applet" '^cnibox: unknown applet "qwertyuiop" \(see `cnibox list`\)$' qwertyuiop
	usage_error "verb" '^netns: unknown verb "qwertyuiop" \(see `cnibox help netns`\)$' netns qwertyuiop
	usage_error "option" '^netns list: unknown option "--qwertyuiop" \(see `cnibox help netns list`\)$' netns list --qwertyuiop
	usage_error "nothing to do" 'say what to do: list ' netns
}

@test "no word at all shows the usage on stderr with status 2; --help on stdout with 0" {
	call
	assert_eq "status" "$status" 2
	assert_eq "stdout" "$output" ""
	usage=$stderr
	call --help
	assert_eq "status" "$status" 0
	assert_eq "the same text" "$output" "$usage"
}

@test "--version names the program and the specification" {
	call --version
	assert_eq "status" "$status" 0
	assert_match "version" "$output" $'^cnibox [^ ]+\nCNI specification 1\.1\.0'
}

@test "an answer that cannot be written is a failure" {
	for words in list "help netns" "netns list --json" "help --man bridge"; do
		status=0
		# shellcheck disable=SC2086
		"$CNIBOX" $words >/dev/full 2>"$BATS_TEST_TMPDIR/stderr" || status=$?
		assert_eq "status of $words" "$status" 1
		assert_match "it says so" "$(<"$BATS_TEST_TMPDIR/stderr")" "cannot write the output: No space left on device"
	done
}

@test "a link with an applet's name is that applet" {
	ln -s "$CNIBOX" "$BATS_TEST_TMPDIR/netns"
	assert_eq "the link answers as the applet" "$("$BATS_TEST_TMPDIR/netns" --help)" "$("$CNIBOX" netns --help)"
	ln -s "$CNIBOX" "$BATS_TEST_TMPDIR/cnibox-renamed"
	assert_eq "any other name is cnibox" "$("$BATS_TEST_TMPDIR/cnibox-renamed" list)" "$("$CNIBOX" list)"
}

# ---- documentation ----

@test "the man page of every applet is clean under mandoc's lint" {
	need mandoc
	clean() {
		assert_eq "findings" "$("$CNIBOX" help --man "$2" | mandoc -T lint -W warning 2>&1)" ""
	}
	each_applet clean
}

@test "the man page of every applet gives man no warning" {
	need man groff
	clean() {
		"$CNIBOX" help --man "$2" >"$BATS_TEST_TMPDIR/page.8"
		assert_eq "warnings" "$(man --warnings -E UTF-8 -l -Tutf8 -Z "$BATS_TEST_TMPDIR/page.8" 2>&1 >/dev/null)" ""
	}
	each_applet clean
}

@test "the man page of every applet has all its verbs and options" {
	documented() {
		assert_eq "options that it has not" "$(options_of "$@" | grep -vx -- --help | grep -vxFf <(options_in_page "$1"))" ""
	}
	each_call documented
}

@test "the man page of every plugin has all its keys" {
	documented() {
		[[ $1 == cni ]] || return 0
		assert_eq "keys that it has not" "$("$CNIBOX" help "$2" | sed -n '/^configuration keys/,/^$/p' | grep -oP '^  \K[a-zA-Z][^ ]*' |
			grep -vxFf <("$CNIBOX" help --man "$2" | sed 's/\\-/-/g' | grep -oP '^\\fB\K[^\\]+(?=\\fR \()'))" ""
	}
	each_applet documented
}

@test "a man page is the same at any time when the date is given" {
	assert_eq "two runs" "$(SOURCE_DATE_EPOCH=0 "$CNIBOX" help --man bridge | sha256sum)" \
		"$(SOURCE_DATE_EPOCH=0 "$CNIBOX" help --man bridge | sha256sum)"
	assert_match "the date" "$(SOURCE_DATE_EPOCH=0 "$CNIBOX" help --man bridge)" '^\.TH CNIBOX-BRIDGE 8 1970-01-01 '
}

@test "README lists every applet and no other" {
	assert_eq "names in the table" "$(grep -oP '^\| `\K[a-z0-9-]+(?=` \|)' "$CNIBOX_TOP/README.md" | sort)" \
		"$("$CNIBOX" list --plain | cut -d' ' -f2 | sort)"
}
