#!/bin/busybox sh
# The first process of the machine that vm_run boots: mounts what programs expect, runs /script with its output on the
# second serial line, writes the status as last line, switches off. /tools.sh, made by vm_run, and note() are for the
# script: Debian's busybox runs its own applets in place of programs of the same name, unless a function is in front.
#
#   note NAME COMMAND ...   record its output and status under NAME, for vm_said and vm_status
# shellcheck shell=sh disable=SC1091

/bin/busybox mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mount -t tmpfs tmpfs /run
mkdir -p /run/netns /var/lib /tmp /etc
echo /sbin/modprobe >/proc/sys/kernel/modprobe
ip link set lo up

note() {
	echo "@begin $1"
	shift
	"$@"
	printf '\n@end %s\n' $?
}

stty -F /dev/ttyS1 raw
stty -F /dev/ttyS2 raw 2>/dev/null
(
	PATH=/bin:/sbin:/usr/bin:/usr/sbin
	export TERM=dumb # a file reads it, not a person: no colours
	. /tools.sh
	(. /script)
	echo "@status $?"
	[ -z "${vm_profile:-}" ] || tar -C "$vm_profile" -c . | gzip >/dev/ttyS2
) >/dev/ttyS1 2>&1 </dev/null
poweroff -f
