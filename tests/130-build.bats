#!/usr/bin/env bats
# What the build leaves and what `make install` does with it.

load lib/all

install_to() { # DESTDIR [--remove]
	local build=$CNIBOX_TOP/build

	[[ $CNIBOX == "$build/cnibox" ]] || build=$BATS_TEST_TMPDIR/build
	mkdir -p "$build/man"
	[[ -e $build/cnibox ]] || cp "$CNIBOX" "${CNIBOX%/*}/cnibox-store" "$build"
	"$CNIBOX" list --plain | while read -r _ name; do
		"$CNIBOX" help --man "$name" >"$build/man/cnibox-$name.8"
	done
	BUILD=$build DESTDIR=$1 BINDIR=/usr/local/bin CNIBINDIR=/opt/cni/bin MANDIR=/usr/share/man DATADIR=/usr/share \
		UNITDIR=/usr/lib/systemd/system "$CNIBOX_TOP/packaging/install" ${2:+"$2"}
}

@test "the binary is hardened: position independent, full RELRO, no executable stack, stack protector" {
	need readelf
	[[ -z ${CNIBOX_SANITIZED:-} ]] || skip "a sanitized build is laid out otherwise"
	assert_match "PIE" "$(readelf -h "$CNIBOX")" 'Type: +DYN'
	assert_match "RELRO" "$(readelf -lW "$CNIBOX")" GNU_RELRO
	assert_match "BIND_NOW" "$(readelf -dW "$CNIBOX")" 'BIND_NOW|NOW'
	assert_match "stack" "$(readelf -lW "$CNIBOX")" 'GNU_STACK[^E]*RW '
	assert_match "no text relocations" "$(readelf -dW "$CNIBOX" | grep -c TEXTREL || true)" '^0$'
	assert_match "stack protector, fortify" "$(readelf -sW --dyn-syms "$CNIBOX")" '__stack_chk_fail.*|_chk'
}

@test "nothing is loaded at start, or only libc" {
	[[ -z ${CNIBOX_SANITIZED:-} ]] || skip "a sanitized build loads its runtime"
	assert_match "dynamic libraries" "$(readelf -dW "$CNIBOX" | sed -n 's/.*NEEDED.*\[\(.*\)\]/\1/p' | grep -v '^ld-')" '^(libc\.so\.6)?$'
}

@test "the program for stores over a network is hardened, too, and knows nothing of the kernel" {
	local store=${CNIBOX%/*}/cnibox-store

	need readelf
	[[ -z ${CNIBOX_SANITIZED:-} ]] || skip "a sanitized build is laid out otherwise"
	[[ -x $store ]] || missing "$store (libcurl's development files)"
	assert_match "PIE" "$(readelf -h "$store")" 'Type: +DYN'
	assert_match "RELRO" "$(readelf -lW "$store")" GNU_RELRO
	assert_match "BIND_NOW" "$(readelf -dW "$store")" 'BIND_NOW|NOW'
	assert_match "stack" "$(readelf -lW "$store")" 'GNU_STACK[^E]*RW '
	assert_match "libraries" "$(readelf -dW "$store" | sed -n 's/.*NEEDED.*\[\(.*\)\]/\1/p' | paste -sd' ')" '^libcurl[^ ]* libc[.]so[.]6( ld-.*)?$'
	assert_eq "functions of applets and of netlink" "$(nm "$store" | grep -cE ' applet_| nl_| netlink_')" 0
	assert_match "a person is told" "$("$store" 2>&1)" 'cnibox starts this program by itself'
}

@test "without libcurl cnibox is built alone, and make says so" {
	[[ -z ${CNIBOX_SANITIZED:-} ]] || skip "once is enough"
	mkdir "$BATS_TEST_TMPDIR/bin"
	printf '#!/bin/sh\ncase "$*" in *libcurl*) exit 1 ;; esac\nexec %s "$@"\n' "$(type -P pkg-config)" >"$BATS_TEST_TMPDIR/bin/pkg-config"
	chmod +x "$BATS_TEST_TMPDIR/bin/pkg-config"
	said=$(make -n -C "$CNIBOX_TOP" PKG_CONFIG="$BATS_TEST_TMPDIR/bin/pkg-config" BUILD="$BATS_TEST_TMPDIR/build" all 3>&-)
	assert_match "said" "$said" 'without cnibox-store [(]etcd, Kubernetes[)]'
	refute "it is built" grep -q 'link.*cnibox-store' <<<"$said"
}

@test "chosen applets alone are built, by name or by kind; one that there is not is told" {
	[[ -z ${CNIBOX_SANITIZED:-} ]] || skip "once is enough"
	chosen() { make -n -C "$CNIBOX_TOP" BUILD="$BATS_TEST_TMPDIR/build" APPLETS="$1" all 3>&- | grep -o ' -c applets/[^ ]*' | sed 's/.* //'; }
	assert_eq "two" "$(chosen "bridge tool/cni")" $'applets/cni/bridge.c\napplets/tool/cni.c'
	assert_eq "a kind" "$(chosen cni)" "$(cd "$CNIBOX_TOP" && ls applets/cni/*.c)"
	assert_match "a mistake" "$(make -n -C "$CNIBOX_TOP" APPLETS=nosuch all 2>&1 3>&-)" 'there is no applet and no kind "nosuch"'
}

@test "a build in another folder is the same, byte for byte, and so is what is linked again from what goes with it" {
	local again=$BATS_TEST_TMPDIR/cnibox-relinkable other=$BATS_TEST_TMPDIR/other first=$CNIBOX_TOP/build
	[[ -z ${CNIBOX_SANITIZED:-} ]] || skip "once is enough"
	built() { run_log make -s -C "$CNIBOX_TOP" -j2 BUILD="$1" all >/dev/null 3>&-; }
	built "$other"
	# What is there already is such a build, unless somebody works on it.
	if [[ $(sed "s|$other|build|g" "$other/flags") != "$(cat "$first/flags")" ||
		-n $(cd "$CNIBOX_TOP" && find Makefile main.c applets lib -newer "$first/cnibox") ]]; then
		first=$BATS_TEST_TMPDIR/first
		built "$first"
	fi
	assert "the same" cmp "$first/cnibox" "$other/cnibox"
	run_log make -s -C "$CNIBOX_TOP" BUILD="$other" relinkable 3>&-
	tar -xzf "$other/cnibox-relinkable.tar.gz" -C "$BATS_TEST_TMPDIR"
	run_log sh "$again/link"
	assert "linked again" cmp "$again/cnibox" "$other/cnibox"
	assert "with its licence" test -s "$again/LICENSE"
}

@test "install puts binary, links, man pages and completion; uninstall takes all of it back" {
	dest=$BATS_TEST_TMPDIR/dest
	install_to "$dest"
	assert_eq "a link for each plugin" "$(cd "$dest/opt/cni/bin" && echo *)" \
		"$("$CNIBOX" list --plain | sed -n 's/^cni //p' | sort | xargs)"
	assert_eq "to the binary" "$(readlink "$dest/opt/cni/bin/.cnibox/now/bridge")" /usr/local/bin/cnibox
	[[ -n ${CNIBOX_SANITIZED:-} ]] || assert "the binary is as small as README says" \
		test "$(stat -c %s "$dest/usr/local/bin/cnibox")" -le 1677721 # 1.6 MiB
	assert "it runs" "$dest/usr/local/bin/cnibox" --version
	assert "the program for stores is beside it" test -x "$dest/usr/local/bin/cnibox-store"
	assert_match "a man page" "$(<"$dest/usr/share/man/man8/cnibox-bridge.8")" isDefaultGateway
	assert "completion" test -s "$dest/usr/share/bash-completion/completions/cnibox"
	assert "schemas" test -s "$dest/usr/share/cnibox/schema/1/netns-list.json"
	install_to "$dest" --remove
	assert_eq "no file is left" "$(find "$dest" ! -type d)" ""
}

@test "of a few applets alone, what goes with them is installed, and plugins without the applet install are plain links" {
	dest=$BATS_TEST_TMPDIR/dest few=$BATS_TEST_TMPDIR/few
	[[ -z ${CNIBOX_SANITIZED:-} ]] || skip "once is enough"
	mkdir "$few"
	printf '#!/bin/sh\n[ "$*" = "list --plain" ] && printf "%%s %%s\\n" cni bridge cni dhcp tool lint\n' >"$few/cnibox"
	chmod +x "$few/cnibox"
	put() {
		run_log env BUILD="$few" DESTDIR="$dest" BINDIR=/usr/bin CNIBINDIR=/opt/cni/bin MANDIR=/man DATADIR=/share UNITDIR=/units \
			STRIP=: "$CNIBOX_TOP/packaging/install" "$@"
	}
	put >/dev/null
	assert_eq "links" "$(readlink "$dest"/opt/cni/bin/*)" $'/usr/bin/cnibox\n/usr/bin/cnibox'
	assert_eq "units" "$(ls "$dest/units")" $'cnibox-dhcp.service\ncnibox-dhcp.socket'
	assert_eq "schemas" "$(ls "$dest/share/cnibox/schema/1")" $'dhcp-leases.json\nlint.json'
	put >/dev/null # again
	put --remove >/dev/null
	assert_eq "no file is left" "$(find "$dest" ! -type d)" ""
	echo other >"$dest/opt/cni/bin/bridge"
	put 2>"$BATS_TEST_TMPDIR/err" && flunk "NOT refused"
	assert_match "who could keep it is named" "$(<"$BATS_TEST_TMPDIR/err")" 'bin/bridge is there; with install among the APPLETS it is kept'
	assert_eq "nothing was done" "$(find "$dest" ! -type d)" "$dest/opt/cni/bin/bridge"
	put --remove >/dev/null
	assert_eq "nor is it removed" "$(<"$dest/opt/cni/bin/bridge")" other
}

@test "install replaces a plugin that is running, keeps it, and uninstall returns it" {
	dest=$BATS_TEST_TMPDIR/dest
	mkdir -p "$dest/opt/cni/bin"
	cp "$(type -P sleep)" "$dest/opt/cni/bin/bridge"
	sum=$(sha256sum <"$dest/opt/cni/bin/bridge")
	"$dest/opt/cni/bin/bridge" 500 3>&- &
	running=$!
	install_to "$dest"
	assert "the link is ours" test -L "$dest/opt/cni/bin/bridge"
	assert "the running one still runs" kill -0 "$running"
	install_to "$dest"          # an upgrade: what was kept stays kept
	install_to "$dest" --remove
	kill "$running"
	assert_eq "the old plugin is back" "$(sha256sum <"$dest/opt/cni/bin/bridge")" "$sum"
}

@test "an upgrade under load never shows a missing or half-written plugin" {
	dest=$BATS_TEST_TMPDIR/dest
	install_to "$dest"
	ln -sf "$dest/usr/local/bin/cnibox" "$dest/opt/cni/bin/probe-bridge"
	mkdir "$dest/run" && ln -s "$dest/usr/local/bin/cnibox" "$dest/run/bridge"
	(
		for _ in {1..200}; do
			CNI_COMMAND=VERSION "$dest/run/bridge" >/dev/null || echo "failed"
		done >"$BATS_TEST_TMPDIR/failures" 2>&1
	) 3>&- &
	probe=$!
	for _ in {1..5}; do
		install_to "$dest" >/dev/null
	done
	wait "$probe"
	assert_eq "no call failed" "$(<"$BATS_TEST_TMPDIR/failures")" ""
}

@test "README shows every applet, and make help every target" {
	while read -r _ name; do
		assert_match "README mentions $name" "$(<"$CNIBOX_TOP/README.md")" "\`$name\`"
	done < <("$CNIBOX" list --plain)
	help=$(make -s -C "$CNIBOX_TOP" help)
	assert_eq "it fits into 80 columns" "$(grep -E '^.{81}' <<<"$help")" ""
	for target in all deps demo shell check lint bench install uninstall fuzz clean help; do
		assert_match "make help" "$help" "(^|"$'\n'")$target "
	done
}

@test "make bench ROWS=... runs those rows; what is not built is told, not waited for" {
	assert_match "the rows" "$(make -n -C "$CNIBOX_TOP" bench ROWS=relay 3>&-)" 'tests/bench/run relay'
	mkdir "$BATS_TEST_TMPDIR/empty"
	status=0
	said=$(BUILD=$BATS_TEST_TMPDIR/empty timeout 20 "$CNIBOX_TOP/tests/bench/run" relay 2>&1) || status=$?
	assert_eq "status" "$status" 2
	assert_match "what to do" "$said" '^bench: bench is not built; `make bench` does that'
}
