#!/usr/bin/env bats
# shellcheck disable=SC2086 # words of our own
# README's page for a cluster, followed word by word on two nodes. What a node has and a test has not is stood in for: sudo, and a
# systemctl that starts what the unit says, with the variables of its file.

load lib/all
load lib/nodes
load lib/etcd
sandbox

setup() {
	need jq ping
	local folder

	for folder in /etc/default /usr/local/bin; do
		mkdir -p $folder
		mount -t tmpfs tmpfs $folder
	done
	ln -s "$CNIBOX" /usr/local/bin/cnibox
	[[ ! -e $(dirname "$CNIBOX")/cnibox-store ]] || ln -s "$(dirname "$CNIBOX")/cnibox-store" /usr/local/bin
	# shellcheck disable=SC2016 # for the script
	printf '#!/bin/bash\nexec "$@"\n' >/usr/local/bin/sudo
	cat >/usr/local/bin/systemctl <<-'SCRIPT'
		#!/bin/bash
		[[ "$*" == "enable --now cnibox-flanneld" ]] || { echo "systemctl $*: not understood" >&2; exit 1; }
		set -a
		while IFS='=' read -r name value; do declare -x "$name=$value"; done </etc/default/cnibox-flanneld
		words=$(sed -n 's/^ExecStart=//p' packaging/systemd/cnibox-flanneld.service) # where make install has it from
		words=${words/\$OPTIONS/$OPTIONS}
		$words >>/run/agent.log 2>&1 3>&- &
		echo $! >/run/agent.pid
	SCRIPT
	chmod +x /usr/local/bin/{sudo,systemctl}
	PATH=/usr/local/bin:$PATH
	cd "$CNIBOX_TOP" || return
}

# The indented lines behind a line of the page with TEXT, up to the next line that is not.
steps() { # TEXT
	sed -n '/^## A cluster/,/^## Architecture/p' README.md | awk -v text="$1" '
		index($0, text) { found = 1; next }
		found && /^    / { print substr($0, 5); any = 1 }
		found && any && !/^    / { exit }'
}

# One node follows steps: with a /run of its own, its network, and the store's folder of all.
follow() { # NODE TEXT
	steps "$2" | sed '/^make/d; s/192\.0\.2\.9/192.0.2.201/' >"/run/steps.$1"
	assert "there are steps behind: $2" test -s "/run/steps.$1"
	mkdir -p "/run/of.$1"
	nsenter --net="/run/netns/$1" unshare --mount bash -e -c 'mount --bind /run/of.'"$1"' /run; . /dev/stdin' \
		<"/run/steps.$1" >"/run/out.$1" 2>&1 3>&- || flunk "$1: $2" "$(<"/run/out.$1")"
}

on() { # NODE COMMAND ...
	local node=$1

	shift
	nsenter --net="/run/netns/$node" "$@"
}

# Both nodes have a subnet and reach each other's.
together() {
	for node in n1 n2; do
		wait_for "$node has a subnet" 10 test -s /run/of.$node/flannel/subnet.env
		mkdir -p /run/$node
		cp /run/of.$node/flannel/subnet.env /run/$node/
		pod $node
	done
	wait_for "n1 reaches n2" 5 reach n1 n2
	wait_for "n2 reaches n1" 5 reach n2 n1
}

lead() { # what the page assumes: a way to the world
	for node in n1 n2; do
		on $node ip route add default via 192.0.2.250 dev eth0
	done
}

@test "the page for files" {
	nodes 2
	lead
	for node in n1 n2; do
		follow $node "On every node"
		follow $node "**Files**"
	done
	assert_json "the CNI configuration" "$(</etc/cni/net.d/10-flannel.conflist)" '.plugins[].type' $'flannel\nportmap'
	together
	assert_match "lease list" "$(on n1 cnibox lease list)" '192\.0\.2\.2 +vxlan'
	assert_match "route-dump --peers" "$(on n1 cnibox route-dump --peers)" ' ok'
	url=$(steps "See how it is" | sed -n 's,^curl http://\([^/]*\)\(/[a-z]*\) .*,\1 \2,p')
	read -r at path <<<"$url"
	# shellcheck disable=SC2016 # for the shell inside
	answer() { on n1 bash -c 'exec 3<>/dev/tcp/${1/:/\/} && printf "GET $2 HTTP/1.0\r\n\r\n" >&3 && cat <&3' - $at $path; }
	wait_for "curl" 3 has "flanneld is ready" answer
	assert_match "it is logged where it goes" "$(cat /run/of.n1/agent.log)" "everything is in place"
}

@test "the page for etcd, with flannel's keys" {
	nodes 2
	lead
	etcd_start 1
	export ETCDCTL_API=3 ETCDCTL_ENDPOINTS=$ETCD
	for node in n1 n2; do
		follow $node "On every node"
		follow $node "**etcd**"
	done
	together
	assert_match "lease list" "$(on n1 cnibox lease list --etcd-endpoints $ETCD)" '192\.0\.2\.2 +vxlan'
	unset ETCDCTL_ENDPOINTS
	assert_match "keys" "$(etcd_leases)" '10\.5\.[0-9]+\.0-24 \{"PublicIP":"192\.0\.2\.1"'
}

@test "the page's words are those of the programs and files that there are" {
	page=$(sed -n '/^## A cluster/,/^## Architecture/p' README.md)
	while read -r file; do
		assert "$file" test -e $file
	done < <(grep -o 'packaging/[a-z/.-]*[a-z]' <<<"$page" | sort -u)
	while read -r variable; do
		assert_match "$variable" "$("$CNIBOX" help flanneld)" "\\\$$variable"
	done < <(grep -o 'FLANNELD_[A-Z_]*[A-Z]' <<<"$page")
	for variable in CERTFILE KEYFILE USERNAME PASSWORD; do
		assert_match "$variable" "$("$CNIBOX" help flanneld)" "\\\$FLANNELD_ETCD_$variable"
	done
}
