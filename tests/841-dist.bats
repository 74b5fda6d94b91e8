#!/usr/bin/env bats
# The source tarball, and what others make of it: a build without git, the files of `make install`, the recipes for Alpine and Buildroot
# with stand-ins for their tools. All of it in one unpacked tarball, which is compiled once.

load lib/all
sandbox file

# DIST=FOLDER TREE=FOLDER: with an earlier tarball, and where it is unpacked
setup_file() {
	[[ -e $CNIBOX_TOP/.git && -z ${TREE:-} ]] || return 0
	export DIST=$BATS_FILE_TMPDIR/dist TREE=$BATS_FILE_TMPDIR/tree
	make -s -C "$CNIBOX_TOP" BUILD="$DIST" dist 3>&-
	mkdir "$TREE"
	tar -C "$TREE" --strip-components=1 -xzf "$DIST"/cnibox-*.tar.gz
}

setup() {
	need git
	[[ -e $CNIBOX_TOP/.git ]] || missing "a clone: this is a tarball already"
	# Nobody asks git from here on: there may be another project's around a tarball.
	mkdir "$BATS_TEST_TMPDIR/bin"
	printf '#!/bin/sh\necho "git was called: $*" >&2\nexit 1\n' >"$BATS_TEST_TMPDIR/bin/git"
	chmod +x "$BATS_TEST_TMPDIR/bin/git"
	WITH_GIT=$PATH PATH=$BATS_TEST_TMPDIR/bin:$PATH
	unset MAKEFLAGS MAKELEVEL
}

version() { basename "$DIST"/cnibox-*.tar.gz .tar.gz | sed 's/^cnibox-//'; }

make_in() { make -s -j2 -C "$TREE" "$@" 3>&-; }

files() { (cd "$1" && find . ! -type d | sed 's/^\.//' | LC_ALL=C sort); }

@test "make dist: the same bytes from another folder, time zone and umask, and only what is committed" {
	PATH=$WITH_GIT
	git clone -q "$CNIBOX_TOP" "$BATS_TEST_TMPDIR/clone" 2>/dev/null
	echo changed >>"$BATS_TEST_TMPDIR/clone/README.md"
	echo new >"$BATS_TEST_TMPDIR/clone/new"
	(umask 077; TZ=Asia/Tokyo run_log make -s -C "$BATS_TEST_TMPDIR/clone" dist 3>&-) >"$BATS_TEST_TMPDIR/said" 2>&1
	assert_match "what is left out is told" "$(<"$BATS_TEST_TMPDIR/said")" 'what is not committed is left out'
	assert "the same" cmp "$DIST"/cnibox-*.tar.gz "$BATS_TEST_TMPDIR"/clone/build/cnibox-*.tar.gz
	assert_match "its checksum is told" "$(<"$BATS_TEST_TMPDIR/said")" "$(sha256sum <"$DIST/cnibox-$(version).tar.gz" | cut -d' ' -f1)"
	assert_eq "one folder" "$(tar -tzf "$DIST"/cnibox-*.tar.gz | cut -d/ -f1 | sort -u)" "cnibox-$(version)"
	assert_match "a release that is being worked at" "$(version)" "^$(sed -n 's/^## \([0-9.]*\).*/\1/p' "$CNIBOX_TOP/CHANGELOG.md" | head -n 1)~[0-9]{8}[.]"
}

@test "the version of a tag, of a tarball, and of a folder that is neither" {
	PATH=$WITH_GIT
	mkdir -p "$BATS_TEST_TMPDIR/repo/packaging"
	cd "$BATS_TEST_TMPDIR/repo"
	cp "$CNIBOX_TOP/packaging/version" packaging
	printf '# Changelog\n\n## 1.2.0 (unreleased)\n\n## 1.1.0\n' >CHANGELOG.md
	assert_eq "no git" "$(packaging/version)" 1.2.0~unknown
	git init -q .. # somebody else's repository around it
	assert_eq "not ours" "$(packaging/version)" 1.2.0~unknown
	git init -q .
	git add .
	git -c user.name=n -c user.email=e commit -qm one --date 2001-02-03T04:05:06Z
	assert_match "a commit" "$(packaging/version)" '^1.2.0~[0-9]{8}[.][0-9a-f]{8}$'
	git tag v1.2.0
	assert_eq "a tag" "$(packaging/version)" 1.2.0
	echo >>CHANGELOG.md
	assert_eq "with a change" "$(packaging/version)" 1.2.0+changed
	echo 7.8.9 >VERSION
	assert_eq "a tarball's file comes first" "$(packaging/version)" 7.8.9
	need dpkg
	assert "older than the release" dpkg --compare-versions 1.2.0~20261126.abc lt 1.2.0
}

@test "unpacked, it builds without git, says what it is, and has no tarball to make" {
	run_log make_in all
	assert_eq "version" "$("$TREE/build/cnibox" --version | head -n 1)" "cnibox $(version)"
	refute "make dist" make_in dist
	assert_match "flags of the user add to ours" "$(make -n -B -C "$TREE" CFLAGS=-O0 build/main.o 3>&- | grep -e ' -c main.c')" '-DVERSION=.* -O0 '
}

@test "NOTICE names every library that the static program has parts of" {
	run_log make_in relinkable
	tar -C "$BATS_TEST_TMPDIR" -xzf "$TREE/build/cnibox-relinkable.tar.gz"
	cd "$BATS_TEST_TMPDIR/cnibox-relinkable"
	assert "what the licence asks for goes with it" test -s LGPL-2.1 -a -s NOTICE
	grep -q -e -static-pie link || missing "static archives"
	sed -i '$s/$/ -Wl,-Map=map/' link
	run_log sh link
	sed -n 's/^.*\/\(lib[^ ]*\)\.a(.*/\1/p' map | sort -u >inside
	assert "they are found" grep -qx libjansson inside
	while read -r library; do
		[[ $library != libc ]] || library=glibc
		assert "NOTICE has $library" grep -qE "^$library " NOTICE
	done <inside
}

@test "make install puts what its list says, under the prefix, and make uninstall takes just that" {
	local dest=$BATS_TEST_TMPDIR/dest

	run_log make_in install DESTDIR="$dest" prefix=/opt/box
	BUILD=$TREE/build DESTDIR=$dest BINDIR=/opt/box/bin CNIBINDIR='' MANDIR=/opt/box/share/man DATADIR=/opt/box/share \
		UNITDIR=/opt/box/lib/systemd/system "$TREE/packaging/install" --list | sed "s,^$dest,," | LC_ALL=C sort >"$BATS_TEST_TMPDIR/list"
	assert_eq "files" "$(files "$dest" | grep -v '^/opt/cni/')" "$(<"$BATS_TEST_TMPDIR/list")"
	assert_eq "a link leads to the program" "$(readlink "$dest/opt/cni/bin/.cnibox/now/bridge")" /opt/box/bin/cnibox
	assert_match "a unit's program" "$(<"$dest/opt/box/lib/systemd/system/cnibox-flanneld.service")" 'ExecStart=/opt/box/bin/cnibox flanneld'
	while read -r _ name; do
		assert "a page for $name" test -s "$dest/opt/box/share/man/man8/cnibox-$name.8"
		assert_match "and one that leads to it" "$(<"$dest/opt/box/share/man/man8/cnibox.8")" "cnibox.-${name//-/.-} "
	done < <("$CNIBOX" list --plain)
	assert "pages have the commit's day" grep -q " $(date -u -r "$TREE/VERSION" +%Y-%m-%d) " "$dest/opt/box/share/man/man8/cnibox-bridge.8"
	: >"$dest/opt/box/bin/other"
	run_log make_in uninstall DESTDIR="$dest" prefix=/opt/box
	assert_eq "what is left" "$(files "$dest")" /opt/box/bin/other
	assert_eq "manual pages" "$(mandoc -T lint -W warning "$TREE"/build/man/cnibox.8 "$TREE"/build/man/cnibox-store.8 2>&1)" ""
}

@test "Alpine: the recipe's functions make a package, a store and plugins" {
	local shell pkg

	sh -n "$TREE/packaging/alpine/APKBUILD"
	sh -n "$TREE/packaging/alpine/cnibox-flanneld.initd"
	for shell in bash "busybox ash"; do
		need "${shell% *}"
		pkg=$BATS_TEST_TMPDIR/${shell% *}
		mkdir -p "$pkg"/{main,store,plugins}
		cat >"$BATS_TEST_TMPDIR/abuild" <<-'END'
			set -eu
			startdir=$TREE/packaging/alpine srcdir=$startdir builddir=$TREE pkgdir=$PKG/main
			amove() { for f; do mkdir -p "$subpkgdir/${f%/*}"; mv "$pkgdir/$f" "$subpkgdir/${f%/*}"; done; }
			cd "$startdir"
			. ./APKBUILD
			for file in $source; do # what is not the tarball is beside the recipe
				case $file in *.tar.gz) ;; *) [ -e "$file" ] ;; esac
			done
			cd "$builddir"
			build
			package
			(subpkgdir=$PKG/store; store)
			(subpkgdir=$PKG/plugins; plugins; echo "$depends|$provides")
			echo "$pkgver"
		END
		# shellcheck disable=SC2086 # two words
		PKG=$pkg run_log $shell "$BATS_TEST_TMPDIR/abuild" >"$BATS_TEST_TMPDIR/said" 3>&-
		assert_eq "$shell: the release" "$(tail -n 1 "$BATS_TEST_TMPDIR/said")" "$(sed -n 's/^## \([0-9.]*\).*/\1/p' "$TREE/CHANGELOG.md" | head -n 1)"
		assert_match "$shell: the plugins' rivals" "$(<"$BATS_TEST_TMPDIR/said")" $'\n''cnibox=[^ ]* !cni-plugins[|]cni-plugins='
		assert "$shell: the program" "$pkg/main/usr/bin/cnibox" --version
		assert_eq "$shell: programs" "$(files "$pkg/main/usr/bin")" /cnibox
		assert_eq "$shell: licences" "$(files "$pkg/main/usr/share/licenses/cnibox")" $'/Apache-2.0\n/LGPL-2.1\n/LICENSE\n/NOTICE'
		assert_eq "$shell: no units" "$(ls "$pkg/main/usr/lib" 2>/dev/null)" ""
		assert_eq "$shell: what serves a store" "$(files "$pkg/store")" /usr/bin/cnibox-store
		assert_eq "$shell: plugins" "$(cd "$pkg/plugins/usr/libexec/cni" && echo *)" "$("$CNIBOX" list --plain | sed -n 's/^cni //p' | sort | xargs)"
		assert_eq "$shell: lead to" "$(readlink "$pkg/plugins/usr/libexec/cni/bridge")" /usr/bin/cnibox
		assert "$shell: the service" test -x "$pkg/main/etc/init.d/cnibox-flanneld"
	done
}

# buildroot TARGET [VARIABLE=VALUE ...]: as Buildroot reads a br2-external tree, and runs a package's commands
buildroot() {
	cat >"$BATS_TEST_TMPDIR/Makefile" <<-'END'
		.RECIPEPREFIX = >
		BR2_EXTERNAL_CNIBOX_PATH := $(TREE)/packaging/buildroot
		INSTALL := install
		SED := sed -i -e
		TARGET_MAKE_ENV = PATH="$(PATH)"
		TARGET_CONFIGURE_OPTS = CC="cc" PKG_CONFIG="pkg-config"
		define generic-package
		NAME := $(lastword $(subst /, ,$(dir $(lastword $(MAKEFILE_LIST)))))
		endef
		include $(BR2_EXTERNAL_CNIBOX_PATH)/external.mk
		say:
		> @echo "$(NAME)|$(CNIBOX_DEPENDENCIES)|$(CNIBOX_SITE)"
		$(TREE)/.stamp_built:
		> $(CNIBOX_BUILD_CMDS)
		$(TREE)/.stamp_target_installed:
		> $(CNIBOX_INSTALL_TARGET_CMDS)
		> $(CNIBOX_INSTALL_INIT_SYSTEMD)
	END
	make -s -f "$BATS_TEST_TMPDIR/Makefile" TREE="$TREE" TARGET_DIR="$BATS_TEST_TMPDIR/target" "$@" 3>&-
}

@test "Buildroot: the tree around it is the source; its commands put programs, plugins and units into the target" {
	local target=$BATS_TEST_TMPDIR/target name

	assert_eq "read" "$(buildroot say)" "cnibox|host-pkgconf jansson libmd libnl libyaml|$(realpath "$TREE")"
	assert_match "with a store" "$(buildroot say BR2_PACKAGE_CNIBOX_STORE=y)" ' libcurl[|]'
	run_log buildroot "$TREE/.stamp_built"
	run_log buildroot "$TREE/.stamp_target_installed"
	assert_eq "the program alone" "$(files "$target" | grep -v '/systemd/')" /usr/bin/cnibox
	assert_match "its version" "$("$target/usr/bin/cnibox" --version)" "^cnibox $(version)"
	run_log buildroot "$TREE/.stamp_built" BR2_PACKAGE_CNIBOX_STORE=y
	run_log buildroot "$TREE/.stamp_target_installed" BR2_PACKAGE_CNIBOX_STORE=y BR2_PACKAGE_CNIBOX_PLUGINS=y
	assert_eq "programs" "$(files "$target/usr/bin")" $'/cnibox\n/cnibox-store'
	assert_eq "plugins" "$(cd "$target/opt/cni/bin" && echo *)" "$("$CNIBOX" list --plain | sed -n 's/^cni //p' | sort | xargs)"
	assert_match "a unit's program" "$(<"$target/usr/lib/systemd/system/cnibox-dhcp.service")" 'ExecStart=/usr/bin/cnibox dhcp'
	while read -r kind sum name; do
		[[ $kind == sha256 ]] || continue
		assert_eq "cnibox.hash: $name" "$sum" "$(sha256sum <"$TREE/$name" | cut -d' ' -f1)"
	done <"$TREE/packaging/buildroot/package/cnibox/cnibox.hash"
}

# configured LINE ...: what Kconfig makes of a configuration, where Buildroot's own symbols are stood in for
configured() {
	local symbol

	{
		printf 'mainmenu "Buildroot"\nconfig BR2_EXTERNAL_CNIBOX_PATH\n\tstring\n\tdefault "%s"\n' "$TREE/packaging/buildroot"
		for symbol in USE_MMU TOOLCHAIN_HAS_THREADS TOOLCHAIN_USES_GLIBC TOOLCHAIN_USES_MUSL TOOLCHAIN_HEADERS_AT_LEAST_6_1 PACKAGE_CNI_PLUGINS \
			PACKAGE_JANSSON PACKAGE_LIBCURL PACKAGE_LIBMD PACKAGE_LIBNL PACKAGE_LIBYAML; do
			printf 'config BR2_%s\n\tbool "%s"\n' "$symbol" "$symbol"
		done
		echo "source \"$TREE/packaging/buildroot/Config.in\""
	} >"$BATS_TEST_TMPDIR/Kconfig"
	printf '%s\n' "$@" >"$BATS_TEST_TMPDIR/.config"
	(cd "$BATS_TEST_TMPDIR" && CONFIG_="" kconfig-conf --olddefconfig Kconfig) >"$BATS_TEST_TMPDIR/said" 2>&1 || flunk "$(<"$BATS_TEST_TMPDIR/said")" >&2
	grep '^BR2' "$BATS_TEST_TMPDIR/.config" | sort | xargs
}

@test "Buildroot: its options select the libraries, and the plugins are one package's only" {
	need kconfig-conf
	toolchain=(BR2_USE_MMU=y BR2_TOOLCHAIN_HAS_THREADS=y BR2_TOOLCHAIN_USES_MUSL=y BR2_TOOLCHAIN_HEADERS_AT_LEAST_6_1=y)
	all=$(configured "${toolchain[@]}" BR2_PACKAGE_CNIBOX=y BR2_PACKAGE_CNIBOX_STORE=y)
	for symbol in CNIBOX CNIBOX_PLUGINS CNIBOX_STORE JANSSON LIBCURL LIBMD LIBNL LIBYAML; do
		assert_match "$symbol" " $all " " BR2_PACKAGE_$symbol=y "
	done
	assert_match "beside cni-plugins" "$(configured "${toolchain[@]}" BR2_PACKAGE_CNIBOX=y BR2_PACKAGE_CNI_PLUGINS=y)" 'BR2_PACKAGE_CNIBOX=y'
	refute "its plugins" grep -q CNIBOX_PLUGINS=y "$BATS_TEST_TMPDIR/.config"
	configured BR2_USE_MMU=y BR2_TOOLCHAIN_USES_MUSL=y BR2_PACKAGE_CNIBOX=y >/dev/null
	refute "without threads" grep -q CNIBOX=y "$BATS_TEST_TMPDIR/.config"
}

@test "README's applet is one: built, it is listed, explains itself, and answers" {
	need ip
	sed -n '/^```c/,/^```/{/^```/d;p}' "$CNIBOX_TOP/README.md" >"$TREE/applets/tool/mtu.c"
	assert_eq "no warning" "$(make_in all APPLETS="tool/mtu loopback" 2>&1 | grep -v '^cc \|^link ')" ""
	assert_eq "listed" "$("$TREE/build/cnibox" list --plain)" $'cni loopback\ntool mtu'
	assert_match "explained" "$("$TREE/build/cnibox" help mtu)" 'usage: cnibox mtu .*DEVICE'
	assert_eq "it answers" "$("$TREE/build/cnibox" mtu lo)" 65536
	assert_match "it refuses" "$("$TREE/build/cnibox" mtu nothing 2>&1)" '^mtu: nothing: '
	need clang-format
	assert "it is laid out as lint wants" clang-format --style="file:$CNIBOX_TOP/.clang-format" --dry-run --Werror "$TREE/applets/tool/mtu.c"
	rm "$TREE/applets/tool/mtu.c"
}
