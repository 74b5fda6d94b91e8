#!/usr/bin/env bats
# The linter's own rules: each is shown a small tree with one mistake in it, and must name the place.

load lib/all

setup() {
	export TREE=$BATS_TEST_TMPDIR/tree FLAGS="-std=gnu11 -Ilib"
	mkdir -p "$TREE"/{tests,lib/base,lib/kernel,lib/describe,applets/cni,applets/tool}
	cp "$CNIBOX_TOP/tests/lint" "$TREE/tests/"
	echo 'int main(void) { return 0; }' | tee "$TREE/store.c" >"$TREE/main.c"
	echo '#include "base/a.h"' >"$TREE/lib/base/a.c"
	echo 'int a_get(void);' >"$TREE/lib/base/a.h"
	echo '#include "base/a.h"' >"$TREE/lib/kernel/k.c"
	descriptor tap-dance >"$TREE/applets/cni/tap-dance.c"
}

descriptor() {
	printf 'const struct applet applet_%s = {\n};\n' "${1//-/_}"
}

# lints PATTERN: the tree passes that check
lints() {
	run_log "$TREE/tests/lint" "$1"
}

# finds PATTERN REGEX: the check fails and says so
finds() {
	local seen code=0

	seen=$(lints "$1") || code=$?
	assert_eq "exit status" "$code" 1
	assert_match "the place and the reason" "$seen" "$2"
	assert_match "the count" "$seen" '0 passed, 1 failed'
}

@test "a tree without mistakes passes" {
	for name in layers walls applets length alone; do
		lints "$name"
	done
}

@test "a library may not include upwards, nor an applet another" {
	echo '#include "kernel/k.h"' >"$TREE/lib/base/a.c"
	finds layers 'lib/base/a.c:1: base may not include "kernel/k.h"'
	echo '#include "base/a.h"' >"$TREE/lib/base/a.c"
	echo '#include "applets/cni/tap-dance.c"' >"$TREE/applets/tool/other.c"
	finds layers 'applets/tool/other.c:1: applets may not include'
}

@test "libraries, exit and stdout stay behind their walls; comments do not count" {
	echo '#include <linux/if.h>' >"$TREE/lib/base/a.c"
	finds walls 'lib/base/a.c:1: only lib/kernel'
	echo '#include <yaml.h>' >"$TREE/lib/describe/d.c"
	finds walls 'lib/describe/d.c:1: only lib/describe/yaml.c'
	rm "$TREE/lib/describe/d.c"
	echo '#include <jansson.h>' >"$TREE/lib/base/a.c"
	finds walls 'only lib/describe'
	echo 'void f(void) { exit(1); }' >"$TREE/lib/base/a.c"
	finds walls 'only main.c and store.c end the process'
	echo 'void f(void) { printf("x"); }' >"$TREE/lib/base/a.c"
	finds walls 'a library does not print'
	echo 'void f(void) { system("x"); }' >"$TREE/lib/base/a.c"
	finds walls 'no shell'
	printf '/*\n * printf("x"), exit(1)\n */\nvoid f(void) { _exit(1); snprintf(a, 1, "x"); }   /* stdout */\n' >"$TREE/lib/base/a.c"
	lints walls
}

@test "no library names an applet, and a descriptor is called like its file" {
	echo 'extern int x; int *y = &applet_tap_dance;' >"$TREE/lib/base/a.c"
	finds applets 'lib/base/a.c:1: a library names an applet'
	: >"$TREE/lib/base/a.c"
	descriptor wrong >"$TREE/applets/cni/tap-dance.c"
	finds applets 'tap-dance.c: no descriptor applet_tap_dance'
}

@test "a function of more than 80 lines is an error, a long file a note" {
	{ echo 'int long_one(void)'; echo '{'; seq -f 'int x%.0f;' 81; echo '}'; } >"$TREE/lib/base/a.c"
	finds length 'lib/base/a.c:2: long_one\(\) has 81 lines'
	{ echo 'int f(void)'; echo '{'; echo '}'; seq -f 'int x%.0f;' 500; } >"$TREE/lib/base/a.c"
	assert_match "a note" "$(lints length)" 'ok .*note: lib/base/a.c has 503 lines'
}

@test "a header that needs another one is found" {
	echo 'size_t a_get(void);' >"$TREE/lib/base/a.h"
	finds alone 'lib/base/a.h:1:1: error: unknown type name'
}

@test "a tool that is missing is named, and a failure when tests are strict" {
	mkdir "$BATS_TEST_TMPDIR/bin"
	for tool in bash sed awk grep dirname nproc mktemp rm cat xargs tr paste printf; do
		ln -s "$(type -P "$tool")" "$BATS_TEST_TMPDIR/bin/"
	done
	assert_match "named" "$(PATH=$BATS_TEST_TMPDIR/bin lints cppcheck)" 'missing .*cppcheck is not installed'
	refute "strict" env PATH="$BATS_TEST_TMPDIR/bin" TEST_STRICT=1 bash "$TREE/tests/lint" cppcheck
}
