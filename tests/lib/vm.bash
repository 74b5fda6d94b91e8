# A booted machine with a distribution's kernel, for what the kernel here may lack (VLAN filtering above all).
#
#   vm_lacks [KERNEL ...]   what is missing to boot these kernels (6.12, 6.1) here, in words; downloads them
#   vm_run [KERNEL] FILE ... -- SCRIPT
#     boots the newest KERNEL (default 6.12) of that line in Debian with busybox and the FILEs, runs SCRIPT there with
#     busybox's shell as root, prints what it printed and returns its status (125: the machine did not get there).
#     FILE is a program, which gets the same path there and brings the libraries that it names, or PROGRAM:PATH; one
#     that is given by its name alone is what the script gets under that name, in place of busybox's.
#     VM_QEMU is an array of more words for qemu, such as devices: none of them may reach outside. VM_APPEND is more for
#     the kernel's command line. VM_PROFILE is the folder in which an instrumented program counts (tests/coverage): there, and
#     brought back here.
#   vm_kernels FILE ... -- SCRIPT   what the setup_file of tests over several KERNELS does: each is booted once, all at the same time.
#     What is missing for that, FILEs too, skips the tests: `setup` is here, and for each $kernel:
#   said NAME, state NAME   what its record has, and the status; succeeds NAME ..., fails NAME: an assertion about that
#   vm_said OUTPUT NAME     what the command printed that the script recorded with `note NAME COMMAND` (vm-init.sh)
#   vm_status OUTPUT NAME   its status
#
# The machine is emulated: no need for root or /dev/kvm (which need not be able to boot such a kernel even where it
# is), no device of this one but two serial lines (and VM_QEMU's), and it ends with the caller. Nothing is installed. Kernel and modules
# are kept in build/vm (VM_CACHE); an image of 10 to 30 MB is made from them for every boot.
# shellcheck shell=bash

: "${VM_CACHE:=$CNIBOX_TOP/build/vm}"

vm_meta() {
	case $1 in
	6.12) echo linux-image-6.12-cloud-amd64 ;;
	6.1)  echo linux-image-cloud-amd64 ;;
	*)    flunk "no kernel \"$1\"; there are 6.12, 6.1" >&2 ;;
	esac
}

vm_lacks() {
	local tool kernel said absent=()

	for tool in qemu-system-x86_64 busybox cpio depmod unxz setpriv flock jq; do
		type -P "$tool" >/dev/null || absent+=("$tool")
	done
	[[ ${#absent[@]} == 0 ]] || { echo "${absent[*]}"; return; }
	! ldd "$(type -P busybox)" >/dev/null 2>&1 || { echo "a static busybox"; return; }
	for kernel in "${@:-6.12}"; do
		said=$(vm_kernel "$kernel" 2>&1) || echo "kernel $kernel (${said##*$'\n'})"
	done
}

# The kernel's image and module archive in the cache, made when it is not there; two files may ask at the same time.
vm_kernel() (
	mkdir -p "$VM_CACHE"
	exec {lock}>"$VM_CACHE/lock"
	flock "$lock"
	[[ ! -e $VM_CACHE/$1/modules.cpio ]] || exit 0
	type -P apt-get dpkg >/dev/null || flunk "no apt-get to download it with" || exit
	rm -rf "$VM_CACHE/new"
	mkdir "$VM_CACHE/new" || exit
	cd "$VM_CACHE/new" || exit
	vm_download "$1" || exit
	dpkg -x ./*.deb package || exit
	vm_modules package/lib/modules/* || exit
	cp package/boot/vmlinuz-* vmlinuz || exit
	rm -rf package modules ./*.deb
	mv "$VM_CACHE/new" "$VM_CACHE/$1"
)

# apt's lists may be absent, or older than the archive.
vm_download() {
	vm_fetch "$1" && return
	[[ $EUID == 0 ]] || return
	apt-get -o DPkg::Lock::Timeout=60 update >&2 && vm_fetch "$1"
}

# The meta package names the one of today.
vm_fetch() {
	local meta package

	meta=$(vm_meta "$1") || return
	package=$(apt-cache depends --important "$meta" | awk '$2 ~ /^linux-image-[0-9]/ { print $2; exit }')
	[[ $package ]] || flunk "apt knows no $meta" >&2 || return
	apt-get -q download "$package" >&2
}

# What networking may load, as an archive for the front of every image.
vm_modules() {
	local from=$1 version=${1##*/} to

	to=modules/lib/modules/$version
	mkdir -p "$to/kernel" modules/bin modules/sbin
	cp "$from"/modules.{order,builtin,builtin.modinfo} "$to" || return
	(cd "$from" && find kernel/net kernel/lib kernel/crypto kernel/arch kernel/drivers/virtio kernel/drivers/net \
		-regextype egrep -type f -name '*.ko*' ! -regex '.*/(ethernet|wwan|hyperv|xen-.*|vmxnet3)(/.*|\.ko.*)' -print0) |
		(cd "$from" && xargs -0 cp --parents -t "$VM_CACHE/new/$to") || return
	find "$to" -name '*.xz' -exec unxz {} + || return
	depmod -b modules "$version" || return
	cp "$(type -P busybox)" modules/bin/busybox
	ln -s ../bin/busybox modules/sbin/modprobe
	ln -s busybox modules/bin/sh
	mkdir -p modules/{proc,sys,dev,run}
	vm_archive modules >modules.cpio
}

vm_archive() {
	(cd "$1" && find . -mindepth 1 -print0 | cpio --null --quiet -o -H newc -R 0:0)
}

# vm_file DIR FILE: a program and its libraries below DIR.
vm_file() {
	local dir=$1 from=${2%%:*} to=${2#*:} library

	from=$(type -P "$from") || flunk "no program \"$2\"" >&2 || return
	[[ $2 == *:* ]] || to=$from
	mkdir -p "$dir/${to%/*}"
	cp -L "$from" "$dir/$to" || return
	[[ $2 == */* ]] || echo "$2() { $to \"\$@\"; }" >>"$dir/tools.sh"
	# "not a dynamic executable" is an error to ldd, and fine.
	{ ldd "$from" 2>/dev/null || :; } | grep -o '/[^ ]*' | while read -r library; do
		[[ -e $dir/$library ]] || cp -L --parents "$library" "$dir" || return
	done
}

vm_image() {
	local kernel=$1 dir=$2 script=$3 file

	shift 3
	mkdir "$dir/files" && : >"$dir/files/tools.sh"
	for file; do
		vm_file "$dir/files" "$file" || return
	done
	if [[ ${VM_PROFILE:-} ]]; then
		mkdir -p "$dir/files/$VM_PROFILE" && echo "vm_profile=$VM_PROFILE" >>"$dir/files/tools.sh" || return
	fi
	cp "$script" "$dir/files/script" && cp "$CNIBOX_TOP/tests/lib/vm-init.sh" "$dir/files/init" || return
	chmod 755 "$dir/files/init"
	{ cat "$VM_CACHE/$kernel/modules.cpio"; vm_archive "$dir/files"; } >"$dir/initrd"
}

# The status of the machine's script; qemu dies with this shell, or at its deadline.
vm_boot() {
	setpriv --pdeathsig TERM timeout --kill-after=5 "${VM_DEADLINE:-180}" setpriv --pdeathsig KILL \
		qemu-system-x86_64 -accel tcg -cpu max -smp "${VM_CPUS:-1}" -m 512 -nodefaults -no-user-config -display none \
		-no-reboot -kernel "$VM_CACHE/$1/vmlinuz" -initrd "$2/initrd" \
		-append "console=ttyS0 quiet panic=-1 no_timer_check random.trust_cpu=on ${VM_APPEND:-}" \
		-serial "file:$2/console" -serial "file:$2/output" ${VM_PROFILE:+-serial "file:$2/profile"} \
		"${VM_QEMU[@]}" </dev/null
}

vm_run() {
	local kernel=6.12 dir code=0 script
	local -a files=()

	[[ $1 != 6.* ]] || { kernel=$1; shift; }
	while [[ $1 != -- ]]; do
		files+=("$1")
		shift
	done
	script=$2
	dir=$(mktemp -d "${BATS_FILE_TMPDIR:-${TMPDIR:-/tmp}}/vm.XXXXXX") || return 125
	vm_kernel "$kernel" && vm_image "$kernel" "$dir" "$script" "${files[@]}" && vm_boot "$kernel" "$dir" || code=$?
	sed '$ { /^@status [0-9]*$/d; }' "$dir/output"
	if [[ $(tail -n 1 "$dir/output") =~ ^@status\ ([0-9]+)$ ]]; then
		code=${BASH_REMATCH[1]}
	else
		echo "the machine did not end its script (qemu: $code); its console:" >&2
		tail -n 30 "$dir/console" >&2
		code=125
	fi
	[[ -z ${VM_PROFILE:-} ]] || tar -xzf "$dir/profile" -C "$VM_PROFILE" --transform "s,.*/,vm-$BASHPID-," >&2
	rm -rf "$dir"
	return "$code"
}

# The lines of a record; nothing but an error when it is not there, twice there, or not complete.
vm_record() {
	awk -v begin="@begin $2" '
		$0 == begin { n++; inside = 1; next }
		inside && /^@end [0-9]+$/ { inside = 0; complete++; print; next }
		inside { print }
		END { exit !(n == 1 && complete == 1) }' "$1" || flunk "no record \"$2\" in $1" >&2
}

vm_said() {
	vm_record "$@" | sed '$d'
	return "${PIPESTATUS[0]}"
}

vm_status() {
	vm_record "$@" | sed -n '$s/^@end //p'
	return "${PIPESTATUS[0]}"
}

vm_kernels() {
	local kernel file failed=()
	local -A machines

	VM_LACKS=$(vm_lacks "${KERNELS[@]}" | paste -sd' ')
	for file; do
		[[ $file != -- ]] || break
		type -P "${file%%:*}" >/dev/null || VM_LACKS+=" $file"
	done
	export VM_LACKS
	[[ -z $VM_LACKS ]] || return 0
	for kernel in "${KERNELS[@]}"; do
		vm_run "$kernel" "$@" >"$BATS_FILE_TMPDIR/$kernel" 2>"$BATS_FILE_TMPDIR/$kernel.err" &
		machines[$kernel]=$!
	done
	for kernel in "${KERNELS[@]}"; do
		wait "${machines[$kernel]}" || failed+=("kernel $kernel:" "$(<"$BATS_FILE_TMPDIR/$kernel.err")")
	done
	[[ ${#failed[@]} == 0 ]] || flunk "${failed[@]}"
}

# bats cannot skip from setup_file.
setup() {
	[[ -z $VM_LACKS ]] || missing "$VM_LACKS"
}

said()  { vm_said "$BATS_FILE_TMPDIR/$kernel" "$1"; }
state() { vm_status "$BATS_FILE_TMPDIR/$kernel" "$1"; }

succeeds() {
	local name

	for name; do
		assert_eq "$kernel: $name succeeds: $(said "$name")" "$(state "$name")" 0
	done
}

fails() { assert_eq "$kernel: $1 fails" "$(state "$1")" 1; }

# ---- of cases that path-vm-cases.sh has recorded: what became of a packet, and what `cnibox path` says of it ----

# told_truly N: both are the same in more than N cases, and in all that there are
told_truly() {
	assert_eq "$kernel: cases that differ" "$(awk -v least="$1" '/^@begin / { name = $2; getline; sent = $0 }
		/^@end / && name != "kernel" { n++; if ((sent == "reaches") == ($2 != 0)) print name }
		END { print (n > least ? "enough" : n) }' "$BATS_FILE_TMPDIR/$kernel" | paste -sd' ')" enough
}

# stops CASE PATTERN: in these words, reason and remedy in one line
stops() {
	assert_eq "$kernel: $1: $(said "$1")" "$(said "$1" | grep -c '^  X')" 1
	assert_match "$kernel: $1" "$(said "$1" | grep -A 2 '^  X' | tr -s ' \n' ' ')" "$2"
}
