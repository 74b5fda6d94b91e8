#!/usr/bin/env bats
# tests/deps against stand-ins for the package managers: what it would call on systems that are not this one.

load lib/all
sandbox

# system MANAGER UID [INSTALLED ...]: a PATH with only that manager; it writes down how it is called, and installs.
system() {
	local manager=$1 uid=$2 tool bin=$BATS_TEST_TMPDIR/bin

	shift 2
	mkdir -p "$bin"
	for tool in sh cat tr sed awk find head sleep ln; do
		ln -s "$(type -P "$tool")" "$bin/$tool"
	done
	printf '%s\n' "$@" >"$bin/installed"
	stub id "echo $uid"
	case $manager in
	apt-get)
		stub apt-get 'echo apt-get "$@" >>"$0.calls"
			[ "$1" = update ] || for p; do echo "$p"; done >>"${0%/*}/installed"'
		stub dpkg-query 'while read -r p; do for w; do [ "$p" != "$w" ] || echo "installed $p"; done; done <"${0%/*}/installed"' ;;
	apk)
		stub apk 'echo apk "$@" >>"$0.calls"
			case $1 in
			add) for p; do echo "$p"; done >>"${0%/*}/installed" ;;
			info) while read -r p; do for w; do [ "$p" != "$w" ] || echo "$p"; done; done <"${0%/*}/installed" ;;
			esac' ;;
	dnf)
		stub dnf 'echo dnf "$@" >>"$0.calls"; for p; do echo "$p"; done >>"${0%/*}/installed"'
		stub rpm 'while read -r p; do for w; do [ "$p" != "$w" ] || echo "$p"; done; done <"${0%/*}/installed"
			echo "package x is not installed"; exit 1' ;;
	esac
}

stub() {
	printf '#!/bin/sh\n%s\n' "$2" >"$BATS_TEST_TMPDIR/bin/$1"
	chmod +x "$BATS_TEST_TMPDIR/bin/$1"
}

deps() {
	PATH=$BATS_TEST_TMPDIR/bin SYSTEMD_UNITS=$BATS_TEST_TMPDIR/units "${SHELL_UNDER_TEST:-/bin/sh}" "$CNIBOX_TESTS/deps" "$@"
}

installs() {
	grep -h "install\|add" "$BATS_TEST_TMPDIR"/bin/*.calls 2>/dev/null || :
}

@test "each manager's command names its own packages" {
	assert_match "apt" "$("$CNIBOX_TESTS/deps" --print apt build)" '^apt-get install -y --no-install-recommends .*libnl-3-dev'
	assert_match "apk" "$("$CNIBOX_TESTS/deps" --print apk build)" '^apk add .*musl-dev.* libnl3-dev'
	assert_match "dnf" "$("$CNIBOX_TESTS/deps" --print dnf build)" '^dnf install -y .*libnl3-devel'
}

@test "every group exists for every manager, and no package comes twice" {
	local manager group words
	for manager in apt apk dnf; do
		for group in build demo etcd check lint bench fuzz musl package; do
			words=$("$CNIBOX_TESTS/deps" --print "$manager" "$group" build | tr ' ' '\n' | grep -v '^-')
			assert_match "$manager $group has a compiler" "$words" 'gcc'
			assert_eq "$manager $group: no word twice" "$(sort <<<"$words" | uniq -d)" ""
			refute "kubernetes-client is in $manager $group" grep -q kubernetes <<<"$words"
		done
	done
}

@test "every package named for apt is one that this system's apt knows" {
	need apt-cache
	[[ $(. /etc/os-release; echo "$ID") == debian ]] || missing "Debian"
	local -a names
	read -ra names < <("$CNIBOX_TESTS/deps" --print apt check lint bench fuzz musl package)
	[[ -n $(find /var/lib/apt/lists -name '*_Packages*' -print -quit) ]] || missing "apt's package lists"
	assert_eq "none is unknown" "$(comm -13 <(apt-cache pkgnames | sort) <(printf '%s\n' "${names[@]:4}" | sort))" ""
}

@test "what is missing gets installed, what is there does not" {
	local manager
	for manager in apt-get apk dnf; do
		rm -rf "${BATS_TEST_TMPDIR:?}/bin"
		system "$manager" 0 gcc make
		deps build
		assert_match "$manager was called" "$(installs)" "^$manager .*jansson"
		refute "$manager installs gcc" grep -qw gcc <<<"$(installs)"
	done
}

@test "nothing is called when nothing is missing" {
	local manager
	for manager in apt-get:apt apk:apk dnf:dnf; do
		rm -rf "${BATS_TEST_TMPDIR:?}/bin"
		# shellcheck disable=SC2046
		system "${manager%:*}" 1000 $("$CNIBOX_TESTS/deps" --print "${manager#*:}" check)
		deps check
		assert_eq "no call of ${manager%:*}" "$(installs)" ""
	done
}

@test "an ordinary user is told the command for root" {
	local said
	system apt-get 1000 make
	refute "it succeeds" deps build
	said=$(deps build 2>&1) || :
	assert_match "the command" "$said" 'run as root: apt-get install -y --no-install-recommends gcc pkg-config '
	assert_eq "nothing was installed" "$(installs)" ""
}

@test "a package that does not arrive is an error" {
	system apt-get 0
	stub apt-get 'echo apt-get "$@" >>"$0.calls"'
	refute "it succeeds" deps build
	assert_match "the package is named" "$(deps build 2>&1 || :)" 'still missing: gcc'
}

@test "wrong words are refused" {
	refute "no group" deps
	refute "an unknown group" deps everything
	refute "an unknown manager" deps --print zypper build
	refute "a manager without group" deps --print apt
	assert_match "the group is named" "$(deps everything 2>&1 || :)" 'no group "everything"'
}

@test "a system without a known manager is told what it needs" {
	system none 0
	assert_match "the packages" "$(deps build 2>&1 || :)" 'no package manager.*libnl-3'
}

@test "it runs under dash and under busybox's shell" {
	need dash busybox
	system apt-get 0
	SHELL_UNDER_TEST=$(type -P dash) deps lint
	assert_match "dash" "$(installs)" cppcheck
	rm -rf "${BATS_TEST_TMPDIR:?}/bin"
	system apk 0
	printf '#!/bin/sh\nexec %s ash "$@"\n' "$(type -P busybox)" >"$BATS_TEST_TMPDIR/ash"
	chmod +x "$BATS_TEST_TMPDIR/ash"
	SHELL_UNDER_TEST=$BATS_TEST_TMPDIR/ash deps lint
	assert_match "ash" "$(installs)" cppcheck
}

@test "a service that comes with a test's package does not start on this machine" {
	local units=$BATS_TEST_TMPDIR/units

	mkdir -p "$units"
	system apt-get 0
	run_log deps build
	refute "nothing is masked for building" test -L "$units/firewalld.service"
	run_log deps check
	assert_eq "firewalld is masked" "$(readlink "$units/firewalld.service")" /dev/null
	assert_eq "etcd is masked" "$(readlink "$units/etcd.service")" /dev/null
	rm "$units/firewalld.service"
	run_log deps check
	refute "but not where it was already" test -L "$units/firewalld.service"
}
