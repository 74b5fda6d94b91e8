#!/usr/bin/env bats
# `cnibox install`: a plugin folder changes hands in one step while it is in use, and back, wherever it is interrupted.

load lib/all
sandbox

setup() {
	DIR=/opt/cni/new
	mkdir -p "$DIR"
	# What was there before: a program, a relative and an absolute link, and a plugin that we do not have.
	mkdir -p /opt/cni/old
	for name in bridge ptp foreign portmap; do
		cp "$(type -P whoami)" /opt/cni/old/$name
	done
	OLD=$(whoami)
	cp /opt/cni/old/bridge /opt/cni/old/foreign "$DIR"
	ln -s ../old/ptp "$DIR/ptp"
	ln -s /opt/cni/old/portmap "$DIR/loopback"
}

names() { "$CNIBOX" list --plain | sed -n 's/^cni //p' | sort; }

# Who answers to each of the names that both have: "old", "new", or what went wrong.
answers() {
	local name said

	for name in bridge loopback; do
		said=$(CNI_COMMAND=VERSION "$DIR/$name" 2>&1)
		case $said in
		"$OLD") echo old ;;
		*supportedVersions*) echo new ;;
		*) echo "$said" ;;
		esac
	done | sort -u | paste -sd,
}

listing() { (cd "$DIR" && find . ! -path './.cnibox*' -printf '%P %y %l\n' | sort; sha256sum bridge foreign); }

@test "all plugins change hands, others stay, and --remove gives the folder back as it was" {
	before=$(listing)
	run_log "$CNIBOX" install --dir "$DIR" >"$BATS_TEST_TMPDIR/shown"
	assert_eq "who answers" "$(answers)" new
	assert_eq "a foreign plugin" "$("$DIR/foreign")" "$OLD"
	assert_match "what it says" "$(<"$BATS_TEST_TMPDIR/shown")" 'bridge +other +cnibox'
	assert_match "what it says of a new one" "$(<"$BATS_TEST_TMPDIR/shown")" 'host-local +absent +cnibox'
	for name in $(names); do
		assert_match "$name answers" "$(CNI_COMMAND=VERSION "$DIR/$name")" supportedVersions
	done
	run_log "$CNIBOX" install --dir "$DIR" --remove
	assert_eq "who answers" "$(answers)" old
	assert_eq "the folder" "$(listing)" "$before"
	refute "something of ours is left" test -e "$DIR/.cnibox"
	assert_match "a second time" "$("$CNIBOX" install --dir "$DIR" --remove)" "no plugin there is cnibox's"
}

@test "a bridge in the folder finds host-local beside it, in process" {
	rm -f "$DIR/loopback"
	"$CNIBOX" install --dir "$DIR" >/dev/null
	container ctr
	need strace
	PLUGINS=$DIR CNI_WRAP=(strace -f -qq -o "$BATS_TEST_TMPDIR/trace" -e trace=execve)
	cni_add "$(conf bridge)"
	CNI_WRAP=()
	assert_eq "programs" "$(grep -c execve "$BATS_TEST_TMPDIR/trace")" 1
	cni_del "$(conf bridge)"
}

@test "a call never finds a mixture, and never nothing, while the folder goes back and forth" {
	(
		for _ in {1..60}; do
			answers
		done >"$BATS_TEST_TMPDIR/seen"
	) 3>&- &
	probe=$!
	for _ in {1..12}; do
		"$CNIBOX" install --dir "$DIR" >/dev/null
		"$CNIBOX" install --dir "$DIR" --remove >/dev/null
	done
	wait "$probe"
	# The two names are asked one after the other: the folder may turn over between them.
	assert_eq "anything but old and new" "$(tr , '\n' <"$BATS_TEST_TMPDIR/seen" | grep -vE '^(old|new)$' | sort | uniq -c)" ""
}

STEPS=openat,mkdirat,symlinkat,linkat,renameat,unlinkat,syncfs

# Once for each system call of those kinds that `install WORDS` makes: it is the last one.
kill_each() { # [WORDS]
	local before name n call steps=0

	before=$(listing)
	[[ -z $1 ]] || "$CNIBOX" install --dir "$DIR" >/dev/null
	strace -qq -o "$BATS_TEST_TMPDIR/trace" -e trace=$STEPS "$CNIBOX" install --dir "$DIR" "$@" >/dev/null
	[[ -n $1 ]] || "$CNIBOX" install --dir "$DIR" --remove >/dev/null
	while read -r call n; do
		[[ -z $1 ]] || "$CNIBOX" install --dir "$DIR" >/dev/null
		strace -qq -o /dev/null -e trace="$call" -e "inject=$call:signal=KILL:when=$n" \
			"$CNIBOX" install --dir "$DIR" "$@" >/dev/null 2>&1 && flunk "NOT killed at $call $n"
		assert_match "killed at $call $n" "$(answers)" '^(old|new)$'
		"$CNIBOX" install --dir "$DIR" "$@" >/dev/null
		assert_eq "completed after $call $n" "$(answers)" "$([[ $1 ]] && echo old || echo new)"
		"$CNIBOX" install --dir "$DIR" --remove >/dev/null
		assert_eq "the folder after $call $n" "$(listing)" "$before"
		steps=$((steps + 1))
	done < <(awk '{ sub(/\(.*/, "") } { print $1, ++n[$1] }' "$BATS_TEST_TMPDIR/trace")
	echo "# install $*: $steps steps"
	assert "there were steps" test "$steps" -gt 20
}

@test "killed at any step, all names lead to one side, and the next call completes it" {
	need strace
	[[ -z ${CNIBOX_SANITIZED:-} ]] || skip "once is enough"
	kill_each
}

@test "killed at any step of the way back, too" {
	need strace
	[[ -z ${CNIBOX_SANITIZED:-} ]] || skip "once is enough"
	kill_each --remove
}

@test "what another installer wrote meanwhile is taken over, and comes back" {
	"$CNIBOX" install --dir "$DIR" >/dev/null
	cp "$(type -P hostname)" "$DIR/b" && mv "$DIR/b" "$DIR/bridge"
	assert_match "seen" "$("$CNIBOX" install --dir "$DIR" --dry-run)" 'bridge +other +cnibox'
	"$CNIBOX" install --dir "$DIR" >/dev/null
	assert_eq "who answers" "$(answers)" new
	"$CNIBOX" install --dir "$DIR" --remove >/dev/null
	assert_eq "the newer one" "$("$DIR/bridge")" node
}

@test "--copy: nothing outside of the folder is needed, and an upgrade turns over with the rest" {
	"$CNIBOX" install --copy --dir "$DIR" >/dev/null
	mkdir /opt/cni/elsewhere
	mount --bind "$DIR" /opt/cni/elsewhere
	assert_match "links stay inside" "$(readlink -f /opt/cni/elsewhere/bridge)" '^/opt/cni/elsewhere/'
	assert "the copy is the program" cmp "$CNIBOX" "$(readlink -f "$DIR/bridge")"
	"$CNIBOX" install --copy --dir "$DIR" >/dev/null
	assert_eq "one copy is left" "$(find "$DIR" -name cnibox -type f | wc -l)" 1
	"$CNIBOX" install --remove --dir /opt/cni/elsewhere >/dev/null
	assert_eq "who answers" "$(answers)" old
}

@test "wrong words and folders are told" {
	run_log "$CNIBOX" install --dir "$DIR" --binary cnibox 2>"$BATS_TEST_TMPDIR/err" && flunk "NOT refused"
	assert_match "the path" "$(<"$BATS_TEST_TMPDIR/err")" '^install: --binary: "cnibox" is not a path from the root'
	: >/opt/cni/file
	"$CNIBOX" install --dir /opt/cni/file 2>"$BATS_TEST_TMPDIR/err" && flunk "NOT refused"
	assert_match "no folder" "$(<"$BATS_TEST_TMPDIR/err")" '/opt/cni/file.*(Not a directory|File exists)'
	rm "$DIR/bridge" && mkdir "$DIR/bridge"
	"$CNIBOX" install --dir "$DIR" 2>"$BATS_TEST_TMPDIR/err" && flunk "NOT refused"
	assert_match "a folder in the way" "$(<"$BATS_TEST_TMPDIR/err")" 'keep bridge'
	assert_eq "the others still answer" "$("$DIR/loopback")" "$OLD"
	assert_json "JSON" "$("$CNIBOX" install --dir /opt/cni/fresh --json)" '.[0] | keys' '["before", "now", "plugin"]'
}

@test "behind its own words it becomes an applet, with that one's words and status" {
	status=0
	said=$("$CNIBOX" install --dir "$DIR" netns identify --json 2>&1) || status=$?
	assert_eq "status" "$status" 0
	assert_match "first the plugins" "$said" 'bridge +other +cnibox'
	assert_match "then the applet" "$said" '"inode"'
	"$CNIBOX" install --dir "$DIR" netns identify /run/nothing >/dev/null 2>&1 || status=$?
	assert_eq "its status" "$status" 1
}

@test "a word too many changes nothing, nor does a program that is not there" {
	before=$(listing)
	while IFS='~' read -r words want; do
		status=0
		# shellcheck disable=SC2086 # words
		said=$("$CNIBOX" install $words 2>&1) || status=$?
		assert_eq "status of: $words" "${want%% *} $said" "$status install: ${want#* }"
	done <<-CASES
		--dir $DIR flaneld~2 unknown applet "flaneld"; did you mean "flanneld"?
		--dir $DIR bridge~2 "bridge" is a plugin: with --only bridge it is the only one to be installed
		--dir $DIR --only brigde~2 --only: "brigde" is no plugin of this program
		--binary /usr/bin/cniboks~1 --binary: the plugins would lead to /usr/bin/cniboks: No such file or directory
	CASES
	assert_eq "the folder" "$(listing)" "$before"
	refute "this node's plugins were touched" test -e /opt/cni/bin/.cnibox
}
