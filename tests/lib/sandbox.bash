# Sandbox: every test runs in a throwaway node of its own, so that nothing it does can reach the machine.
#
# `sandbox` at the top of a bats file starts the process again inside fresh mount, network, uts, ipc and pid
# namespaces: once for the file (setup_file) and once more for every test in it. A node has its own /run,
# /var/lib/cni and cnibox, /etc/cni and /opt/cni (with links to the binary under test in /opt/cni/bin), a sysfs and a /proc of its
# own, and dies with all its processes when the test ends, however it ends. An ordinary user gets the same
# inside a user namespace.
#
#   sandbox [file] [cgroup] [forward]
#     file      one node for the whole file: the tests share what setup_file started
#     cgroup    cgroups of its own, for container runtimes (need_cgroups); setup_file is not in a node then
#     forward   net.ipv4.ip_forward=1, as on a node where containers talk to each other
#
# `sandbox_run [cgroup] [forward] -- COMMAND` does it for one command, from any script.
# shellcheck shell=bash

CNIBOX_TOP=${BASH_SOURCE[0]%/tests/lib/*}
[[ $CNIBOX_TOP == /* && $CNIBOX_TOP != */. && $CNIBOX_TOP != *..* ]] || CNIBOX_TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
: "${CNIBOX:=$CNIBOX_TOP/build/cnibox}" "${REFERENCE:=/usr/lib/cni}" "${PLUGINS:=/opt/cni/bin}"
[[ $CNIBOX == /* ]] || CNIBOX=$PWD/$CNIBOX
PATH=$PATH:/usr/sbin:/sbin
export CNIBOX_TOP CNIBOX REFERENCE PLUGINS PATH LC_ALL=C.UTF-8

sandbox() {
	local -a argv
	local level program=bats-exec-test

	mapfile -d '' argv </proc/$$/cmdline
	[[ " ${argv[*]} " == *bats-exec-file* ]] && program=bats-exec-file
	level=${program#bats-exec-}
	if [[ ${CNIBOX_SANDBOX:-} == "$level" || ( $level == test && " $* " == *" file "* ) ]]; then
		return 0
	fi
	# The machine's cgroups are not visible in a node, so there can be no node around one that wants its own.
	[[ $level == test || " $* " == *" file "* || " $* " != *" cgroup "* ]] || return 0
	# Without them the node is made all the same, and need_cgroups says what is missing.
	[[ " $* " != *" cgroup "* ]] || cgroup_possible || set -- "${@/cgroup/}"
	# The process starts over: with directories of its own, since pid 1 of every node would share a file.
	BATS_RUN_TMPDIR=$(mktemp -d "$BATS_RUN_TMPDIR/$level.XXXXXX")
	export BATS_RUN_TMPDIR CNIBOX_SANDBOX=$level
	[[ $level == test ]] || export CNIBOX_LINKS=$BATS_RUN_TMPDIR/links
	trap - EXIT ERR
	set +eET
	# shellcheck disable=SC2068
	sandbox_exec ${@/file/} -- "${argv[@]}" >&3 2>&1 3>&-
}

sandbox_run() (
	sandbox_exec "$@"
)

# Become COMMAND in a new node.
sandbox_exec() {
	[[ " $* " != *" cgroup "* ]] || exec bash "$CNIBOX_TOP/tests/lib/sandbox.bash" outside "$@"
	sandbox_unshare "$@"
}

sandbox_unshare() {
	local -a flags=(--mount --net --uts --ipc --pid --fork --kill-child --propagation private)

	[[ $EUID == 0 ]] || flags+=(--user --map-root-user)
	[[ " $* " != *" cgroup "* ]] || flags+=(--cgroup)
	exec unshare "${flags[@]}" -- bash "$CNIBOX_TOP/tests/lib/sandbox.bash" "$@"
}

# ---- outside, for a node with cgroups of its own: somebody must remove them when it is gone ----

# The mount point of each hierarchy: of version 1, or the one of version 2.
cgroup_roots() {
	if [[ $(stat -f -c %T /sys/fs/cgroup) == cgroup2fs ]]; then
		echo /sys/fs/cgroup
	else
		awk '$3 == "cgroup" && $2 ~ "^/sys/fs/cgroup/" { print $2 }' /proc/self/mounts
	fi
}

# The group that this process is in, as a directory: what limits the caller goes on limiting the node.
cgroup_own() {
	awk -F: -v root="$1" -v name="${1##*/}" '
		{ sub("^name=", "", $2) }
		$2 == name || ($2 == "" && root == "/sys/fs/cgroup") { print root ($3 == "/" ? "" : $3) }' /proc/self/cgroup
}

cgroup_possible() {
	local root

	[[ $EUID == 0 ]] || return
	for root in $(cgroup_roots); do
		[[ -w $(cgroup_own "$root") ]] || return
	done
}

cgroup_enter() {
	local group=$1 name=$2 file

	mkdir "$group/$name" || return
	for file in cpuset.cpus cpuset.mems; do
		[[ ! -e $group/$name/$file ]] || cat "$group/$file" >"$group/$name/$file" 2>/dev/null
	done
	echo "$BASHPID" >"$group/$name/cgroup.procs"
}

# Members of a dead node need a moment to leave.
cgroup_remove() {
	local group=$1 name=$2 try

	echo "$BASHPID" >"$group/cgroup.procs"
	for ((try = 0; try < 100; try++)); do
		find "$group/$name" -depth -type d -exec rmdir {} + 2>/dev/null
		[[ -d $group/$name ]] || return 0
		read -rt 0.02 <> <(:) || :
	done
	echo "sandbox: cannot remove $group/$name" >&2
}

outside_main() {
	local name=cnibox.$$ root group code
	local -a groups=()

	for root in $(cgroup_roots); do
		group=$(cgroup_own "$root")
		cgroup_enter "$group" "$name" || return
		groups+=("$group")
	done
	(sandbox_unshare "$@")
	code=$?
	for group in "${groups[@]}"; do
		cgroup_remove "$group" "$name"
	done
	exit "$code"
}

# ---- inside the new namespaces ----

# The node's own part of each hierarchy, as if it were all there is.
node_cgroups() {
	local root roots=$1

	if [[ $roots == /sys/fs/cgroup ]]; then
		mount -t cgroup2 cgroup2 /sys/fs/cgroup || return
		# Version 2 wants no processes beside groups that have controllers.
		mkdir /sys/fs/cgroup/main && echo 1 >/sys/fs/cgroup/main/cgroup.procs
		return
	fi
	mount -t tmpfs cgroup /sys/fs/cgroup || return
	for root in $roots; do
		mkdir "$root" || return
		case $root in
		*/systemd) mount -t cgroup -o none,name=systemd cgroup "$root" ;;
		*)         mount -t cgroup -o "${root##*/}" cgroup "$root" ;;
		esac || return
	done
}

# All that is private here: /run, /proc, /sys, and an empty directory for each argument. Where the machine lacks one, its
# parent gets a layer that dies with the node: all of those first, since a layer hides what was mounted below it.
# A node is made for each test, and a process is dear on some machines: one mount(8) does what stands in a table. Each
# node is a source of its own there, since what is mounted already would be passed over.
node_mounts() {
	local dir parent node=node-$EPOCHREALTIME layers='' dirs='' made=(/run/netns /run/lock)

	for dir; do
		parent=${dir%/*} dirs+="$node $dir tmpfs mode=755,X-mount.mkdir"$'\n'
		[[ ! -d $dir && $layers != *" $parent overlay "* ]] || continue
		layers+="$node $parent overlay lowerdir=$parent,upperdir=/run/.node$parent/upper,workdir=/run/.node$parent/work"$'\n'
		made+=("/run/.node$parent/upper" "/run/.node$parent/work")
	done
	mount -t tmpfs -o mode=755 "$node" /run && mkdir -p "${made[@]}" || return
	printf '%s\n' "$node /proc proc defaults" "$node /sys sysfs defaults" "$layers$dirs" >/run/.fstab
	umount -R /sys 2>/dev/null
	mount -a -T /run/.fstab
}

# The first node of a file leaves its links to those of the tests: one process copies them all.
node_plugins() {
	local file name

	if [[ -d ${CNIBOX_LINKS:-} ]]; then
		cp -a "$CNIBOX_LINKS/." /opt/cni/bin
		return
	fi
	for file in "$CNIBOX_TOP"/applets/cni/*.c; do
		name=${file##*/}
		[[ -e $file ]] && ln -s "$CNIBOX" "/opt/cni/bin/${name%.c}"
	done
	[[ -z ${CNIBOX_LINKS:-} ]] || cp -a /opt/cni/bin "$CNIBOX_LINKS"
}

node_main() {
	local option roots

	[[ " $* " != *" cgroup "* ]] || roots=$(cgroup_roots)
	node_mounts /var/lib/cni /var/lib/cnibox /etc/cni /opt/cni || return
	mkdir /etc/cni/net.d /opt/cni/bin && node_plugins || return
	{ echo node >/proc/sys/kernel/hostname; } 2>/dev/null || hostname node
	ip link set lo up
	while [[ $# -gt 0 && $1 != -- ]]; do
		option=$1
		shift
		case $option in
		cgroup)  node_cgroups "$roots" && export CNIBOX_CGROUPS=1 || return ;;
		forward) echo 1 >/proc/sys/net/ipv4/ip_forward ;;
		*)       echo "sandbox: unknown option \"$option\"" >&2; return 2 ;;
		esac
	done
	shift
	exec "$@"
}

if [[ ${BASH_SOURCE[0]} == "$0" ]]; then
	if [[ $1 == outside ]]; then
		shift
		outside_main "$@"
	else
		node_main "$@"
	fi || { echo "sandbox: cannot make a node here" >&2; exit 125; }
fi
