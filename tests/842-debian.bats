#!/usr/bin/env bats
# `make deb`: the packages are sound, and dpkg installs, replaces and removes them, in a copy of this machine's root that a test throws
# away. What apt would choose is not asked: it would want a repository.

load lib/all
sandbox file

# DEBS=FOLDER: those that are there, of an earlier `make deb`
setup_file() {
	[[ -z ${DEBS:-} ]] || return 0
	export DEBS=$BATS_FILE_TMPDIR/build/deb
	if [[ -e $CNIBOX_TOP/.git ]] && type -t dpkg-buildpackage dh lintian >/dev/null; then
		DEB_BUILD_OPTIONS="nocheck parallel=2" make -s -C "$CNIBOX_TOP" BUILD="$BATS_FILE_TMPDIR/build" deb >"$BATS_FILE_TMPDIR/said" 2>&1 3>&- ||
			cat "$BATS_FILE_TMPDIR/said" >&2
	fi
}

setup() {
	need dpkg-buildpackage dh lintian
	[[ -e $CNIBOX_TOP/.git ]] || missing "a clone"
	assert "packages are built" test -e "$(deb cnibox)"
}

deb() { echo "$DEBS/$1"_*.deb; }

contents() { dpkg-deb -c "$(deb "$1")" | awk '$1 !~ /^d/ { print $6, $7, $8 }' | sed 's/^\.//; s/ *$//' | LC_ALL=C sort; }

@test "lintian has nothing to say of the packages and of their source" {
	assert_eq "lintian" "$(lintian --allow-root "$DEBS"/*.changes 2>&1)" ""
	assert "the source is the tarball of make dist" cmp "$DEBS"/*.orig.tar.gz "$DEBS"/../cnibox-"$(basename "$DEBS"/*.orig.tar.gz .orig.tar.gz | sed 's/^cnibox_//')".tar.gz
}

@test "what is in them: the program as small as elsewhere, pages, completion, units; plugins as links; a store" {
	assert_eq "the store" "$(contents cnibox-store | grep -v /doc/)" $'/usr/bin/cnibox-store\n/usr/share/man/man8/cnibox-store.8.gz'
	assert_eq "plugins" "$(contents cnibox-plugins | grep -v /doc/)" \
		"$("$CNIBOX" list --plain | sed -n 's,^cni \(.*\),/usr/lib/cni/\1 -> ../../bin/cnibox,p' | LC_ALL=C sort)"
	all=$(contents cnibox)
	for file in /usr/bin/cnibox /usr/share/man/man8/cnibox.8.gz /usr/share/bash-completion/completions/cnibox \
		/usr/share/zsh/vendor-completions/_cnibox /usr/share/fish/vendor_completions.d/cnibox.fish /usr/share/doc/cnibox/NOTICE.gz \
		/usr/share/doc/cnibox/README.Debian /usr/share/doc/cnibox/changelog.gz /usr/share/doc/cnibox/examples/kubernetes/cnibox-flannel.yaml; do
		assert "$file" grep -qxF "$file" <<<"$all"
	done
	while read -r _ name; do
		assert "a page for $name" grep -qxF "/usr/share/man/man8/cnibox-$name.8.gz" <<<"$all"
	done < <("$CNIBOX" list --plain)
	for unit in "$CNIBOX_TOP"/packaging/systemd/*.service "$CNIBOX_TOP"/packaging/systemd/*.socket; do
		assert "$unit" grep -qxF "/lib/systemd/system/${unit##*/}" <<<"$all"
	done
	refute "something goes into /etc or /opt" grep -E '^/(etc|opt)/' <<<"$all"
	dpkg-deb -x "$(deb cnibox)" "$BATS_TEST_TMPDIR/root"
	assert "its size" test "$(stat -c %s "$BATS_TEST_TMPDIR/root/usr/bin/cnibox")" -le 1710000
	assert_match "whose parts are in it" "$(dpkg-deb -f "$(deb cnibox)" Built-Using)" 'glibc \(= .*libnl3 \(= '
	assert_match "the tarball's version" "$("$BATS_TEST_TMPDIR/root/usr/bin/cnibox" --version | head -n 1)" "^cnibox $(dpkg-deb -f "$(deb cnibox)" Version | sed 's/-0upstream1$//')\$"
}

# A root that is this machine's, until something is written to it.
copy_of_root() {
	local dir

	need_root
	mkdir -p /run/copy
	mount -t tmpfs tmpfs /run/copy
	mkdir -p /run/copy/{upper,work,root}
	mount -t overlay overlay -o lowerdir=/,upperdir=/run/copy/upper,workdir=/run/copy/work /run/copy/root
	for dir in proc sys dev; do mount --rbind /$dir /run/copy/root/$dir; done
	mount -t tmpfs tmpfs /run/copy/root/run
	mkdir /run/copy/root/run/debs
	mount --bind "$DEBS" /run/copy/root/run/debs
}

in_copy() { deadline 120 chroot /run/copy/root env DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 "$@"; }

dpkg_install() { # NAME ...
	local name files=()

	for name; do files+=("/run/debs/$(basename "$(deb "$name")")"); done
	in_copy dpkg --no-triggers -i "${files[@]}"
}

state() { in_copy dpkg-query -W -f '${db:Status-Abbrev}${Package}\n' "$1" 2>/dev/null | cut -c1-2; }

# Without what is containernetworking-plugins' own, which is removed, but not purged.
listing() {
	find /run/copy/root/{usr/bin,usr/lib,lib/systemd,etc,usr/share,var/lib/systemd} -path '*/usr/lib/cni*' -prune -o ! -name 'cni-dhcp.*' \
		! -path '*/doc/containernetworking-plugins*' -print | LC_ALL=C sort
}

@test "beside the reference's plugins, then in their place, then removed: nothing is left, and podman's needs stay met" {
	copy_of_root
	[[ $(state containernetworking-plugins) == ii ]] || missing "containernetworking-plugins"
	before=$(listing)
	run_log dpkg_install cnibox cnibox-store
	assert_eq "the reference is there" "$(state containernetworking-plugins)" ii
	refute "its plugin is a link" test -L /run/copy/root/usr/lib/cni/bridge
	assert_match "the program" "$(in_copy cnibox --version)" '^cnibox '
	assert_match "the store's libraries are found" "$(in_copy cnibox-store 2>&1)" 'starts this program by itself'
	assert_eq "no unit is enabled" "$(find /run/copy/root/etc/systemd -name 'cnibox*')" ""
	for unit in cnibox-flanneld.service cnibox-dhcp.service cnibox-policy.service; do
		assert_eq "$unit" "$(in_copy systemd-analyze verify --recursive-errors=no --man=yes $unit 2>&1)" ""
	done

	run_log dpkg_install cnibox-plugins
	refute "the reference is there" test "$(state containernetworking-plugins)" = ii
	for name in bridge host-local flannel; do
		assert_match "$name" "$(in_copy env CNI_COMMAND=VERSION /usr/lib/cni/$name)" supportedVersions
	done
	run_log in_copy apt-get check -qq
	assert_eq "a second time" "$(dpkg_install cnibox-plugins >/dev/null; state cnibox-plugins)" ii

	run_log in_copy dpkg --no-triggers --force-depends --purge cnibox-plugins cnibox-store cnibox
	assert_eq "left" "$(listing)" "$before"
}

@test "the other way: cnibox install turns Debian's folder over, and back" {
	copy_of_root
	[[ $(state containernetworking-plugins) == ii ]] || missing "containernetworking-plugins"
	before=$(cd /run/copy/root/usr/lib/cni && sha256sum -- *)
	run_log dpkg_install cnibox
	run_log in_copy cnibox install --dir /usr/lib/cni >/dev/null
	assert_match "bridge" "$(readlink -f /run/copy/root/usr/lib/cni/bridge)" 'cnibox$'
	run_log in_copy cnibox install --remove --dir /usr/lib/cni >/dev/null
	assert_eq "as it was" "$(cd /run/copy/root/usr/lib/cni && sha256sum -- *)" "$before"
}
