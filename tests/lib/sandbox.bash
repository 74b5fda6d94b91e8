# Sandbox: every test runs in a throwaway node of its own, so that nothing it does can reach the machine.
#
# `sandbox` at the top of a bats file starts the process again inside fresh mount, network, uts, ipc and pid
# namespaces: once for the file (setup_file) and once more for every test in it. A node has its own /run,
# /var/lib/cni, /etc/cni and /opt/cni (with links to the binary under test in /opt/cni/bin), a sysfs and a /proc of its
# own, and dies with all its processes when the test ends, however it ends. An ordinary user gets the same
# inside a user namespace.
#
#   sandbox [file] [cgroup] [forward]
#     file      one node for the whole file: the tests share what setup_file started
#     cgroup    a clean tree of v1 cgroups (container runtimes want it); root only
#     forward   net.ipv4.ip_forward=1, as on a node where containers talk to each other
#
# `sandbox_run [cgroup] [forward] -- COMMAND` does it for one command, from any script.
# shellcheck shell=bash

CNIBOX_TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
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
	# The process starts over: with directories of its own, since pid 1 of every node would share a file.
	BATS_RUN_TMPDIR=$(mktemp -d "$BATS_RUN_TMPDIR/$level.XXXXXX")
	export BATS_RUN_TMPDIR CNIBOX_SANDBOX=$level
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
	local -a user=()

	[[ $EUID == 0 ]] || user=(--user --map-root-user)
	exec unshare "${user[@]}" --mount --net --uts --ipc --pid --fork --kill-child --propagation private -- \
		bash "$CNIBOX_TOP/tests/lib/sandbox.bash" "$@"
}

# ---- inside the new namespaces, when run as a program ----

node_cgroups() {
	local name

	umount -R /sys/fs/cgroup 2>/dev/null
	mount -t tmpfs cgroup /sys/fs/cgroup
	for name in cpu cpuacct cpuset memory devices freezer blkio pids; do
		mkdir "/sys/fs/cgroup/$name"
		mount -t cgroup -o "$name" cgroup "/sys/fs/cgroup/$name" || rmdir "/sys/fs/cgroup/$name"
	done
	mkdir /sys/fs/cgroup/systemd
	mount -t cgroup -o none,name=systemd cgroup /sys/fs/cgroup/systemd
}

# A private, empty directory. Where the machine has none, its parent gets a layer that dies with the node.
node_dir() {
	local dir=$1 layer=/run/.node$1 parent=${1%/*}

	if [[ ! -d $dir ]]; then
		mkdir -p "$layer/upper" "$layer/work"
		mount -t overlay overlay -o "lowerdir=$parent,upperdir=$layer/upper,workdir=$layer/work" "$parent" ||
			return
		mkdir "$dir"
	fi
	mount -t tmpfs -o mode=755 tmpfs "$dir"
}

node_plugins() {
	local file

	mkdir -p /opt/cni/bin
	for file in "$CNIBOX_TOP"/applets/cni/*.c; do
		[[ -e $file ]] && ln -s "$CNIBOX" "/opt/cni/bin/$(basename "$file" .c)"
	done
	return 0
}

node_main() {
	local dir option

	mount -t proc proc /proc || return
	umount -R /sys 2>/dev/null
	mount -t sysfs sysfs /sys || return
	mount -t tmpfs -o mode=755 tmpfs /run || return
	mkdir -p /run/netns /run/lock
	for dir in /var/lib/cni /etc/cni /opt/cni; do
		node_dir "$dir" || return
	done
	mkdir -p /etc/cni/net.d
	node_plugins
	hostname node
	ip link set lo up
	while [[ $# -gt 0 && $1 != -- ]]; do
		option=$1
		shift
		case $option in
		cgroup)  node_cgroups || return ;;
		forward) echo 1 >/proc/sys/net/ipv4/ip_forward ;;
		*)       echo "sandbox: unknown option \"$option\"" >&2; return 2 ;;
		esac
	done
	shift
	exec "$@"
}

if [[ ${BASH_SOURCE[0]} == "$0" ]]; then
	node_main "$@" || { echo "sandbox: cannot make a node here" >&2; exit 125; }
fi
