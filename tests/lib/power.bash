# The power goes: processes that end at a write, and files as a power cut can leave them: `load lib/power`.
#
#   writes [FROM]                lines `NAME N` of the writes in $TRACE (strace -e trace=$WRITES), but for what is only read; from the
#                                first on whose line has FROM
#   whole                        every file that is kept is whole
#   each_damage FUNCTION FILE    it is called with the file empty, half and of zeroes
# Of many writes a sample is tried, each $SAMPLE-th; TEST_FULL=1: each.
# shellcheck shell=bash

SAMPLE=${TEST_FULL:+1}
SAMPLE=${SAMPLE:-${TEST_SAMPLE:-4}}
WRITES=openat,open,write,pwrite64,rename,renameat,renameat2,link,linkat,symlink,symlinkat,unlink,unlinkat,mkdir,mkdirat,ftruncate,fsync,fdatasync,fsetxattr

writes() {
	awk -v from="${1:-}" '{ sub(/^[0-9]+ +/, "") } !/^[a-z]/ { next }
		{ name = $0; sub(/\(.*/, "", name); n[name]++ }
		index($0, from) || from == "" { on = 1 }
		on && !/^open.*O_RDONLY/ && !/^write\([12],/ && !/\/proc\/sys/ { print name, n[name] }' "$TRACE"
}

# Every file that is kept. Names that begin with a dot were never finished, and nobody reads them.
whole() {
	local file

	while read -r file; do
		case $file in
		*/lock | */.cnibox/* | */.[!/]* | *.log | *.pid) ;;
		*/networks/*/last_reserved_ip.*) grep -qE '^[0-9a-f.:]+$' "$file" ;;
		*/networks/*) grep -qE $'^[^\r]+\r$' "$file" && grep -qE '^[a-z][a-z0-9]+$' <(tail -n 1 "$file") ;;
		*/subnet.env) grep -q '^FLANNEL_MTU=[0-9]' "$file" && grep -q '^FLANNEL_IPMASQ=' "$file" ;;
		*/remembered/*) [[ $(wc -l <"$file") == 2 ]] && jq -s -e 'length == 2' "$file" >/dev/null ;;
		*/policy.sock.told) [[ ! -s $file || -z $(tail -c 1 "$file") ]] &&
			jq -s -e 'all(.namespace and .name and (.ips | length > 0))' "$file" >/dev/null ;;
		*) jq -e . "$file" >/dev/null ;;
		esac || flunk "NOT whole: $file: $(od -c "$file" | head -n 5)" || return
	done < <(find /var/lib/cni /var/lib/cnibox /run/cni /run/store /run/n1 /run/policy.sock.told -name '*.etcd' -prune -o -type f -print 2>/dev/null)
}

each_damage() {
	local damage size

	for damage in empty half zeroes; do
		size=$(stat -c %s "$2")
		case $damage in
		empty) : >"$2" ;;
		half) truncate -s $((size / 2)) "$2" ;;
		zeroes) head -c "$size" /dev/zero >"$2" ;;
		esac
		echo "$2: $damage"
		"$1" "$2"
	done
}
