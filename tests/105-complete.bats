#!/usr/bin/env bats
# What `cnibox complete` answers to the shells: every applet, verb and option, and what is on the node now.

# shellcheck disable=SC2317 # functions are handed to each_applet and each_call
load lib/all
load lib/applets
load lib/nodes
sandbox

setup() {
	find_applets
}

complete_to() { # WANT WORD ...: the candidates without their descriptions
	assert_eq "cnibox ${*:2}" "$("$CNIBOX" complete "${@:2}" | cut -f1)" "$1"
}

# Two containers in the network pods, of which one is called like its container.
attach_pods() {
	echo '{ "cniVersion": "1.0.0", "name": "pods", "plugins": [ { "type": "bridge", "ipam": {
		"type": "host-local", "ranges": [ [ { "subnet": "10.1.0.0/28" } ], [ { "subnet": "fd00:1::/120" } ] ] } } ] }' \
		>/etc/cni/net.d/10-pods.conflist
	echo '{ "cniVersion": "1.0.0", "name": "idle", "plugins": [ { "type": "dummy" } ] }' >/etc/cni/net.d/20-idle.conflist
	container blue red
	"$CNIBOX" cni add --container-id c-blue pods blue >/dev/null
	"$CNIBOX" cni add --container-id c-red --ifname net1 pods red >/dev/null
}

@test "the first word completes to every applet" {
	assert_eq "applets" "$("$CNIBOX" complete "" | cut -f1 | sort)" \
		"$({ "$CNIBOX" list --plain | cut -d' ' -f2; echo list; echo help; } | sort)"
	assert_eq "without any word" "$("$CNIBOX" complete)" "$("$CNIBOX" complete "")"
	complete_itself() { assert_eq "its own name" "$("$CNIBOX" complete "$2" | cut -f1 | grep -Fx "$2")" "$2"; }
	each_applet complete_itself
	complete_to $'--help\n--version' --
	complete_to --plain list ""
	complete_to $'--man\n--schema' help --
	complete_to bridge help --man brid
	complete_to "$("$CNIBOX" complete netns "" | cut -f1)" help netns ""
	complete_to "" help netns list ""
	complete_to "" no-such-applet ""
	complete_to "" netns no-such-verb ""
}

@test "every option in the help is completed, and nothing else" {
	completed() {
		assert_eq "options" "$("$CNIBOX" complete "$@" -- | cut -f1 | sort)" "$(options_of "$@" | sort)"
	}
	each_call completed
}

@test "namespaces and interfaces" {
	container blue red
	ip link add lan0 type bridge
	own=$("$CNIBOX" netns list --json | jq -r '.[] | select(.current).container // empty') # where the tests run
	complete_to "$(printf '%s\n' ${own:+"$own"} blue red | sort)" netns exec ""
	complete_to blue netns del bl
	complete_to blue cni add some-network bl
	complete_to red path blue re
	complete_to $'lan0\nlo' tun del ""
	complete_to "" tun add ""
	complete_to "" netns add ""
	complete_to $'lan0\nlo' route-dump --dev ""
	complete_to $'--dev=lan0\n--dev=lo' route-dump blue --dev=l
	complete_to $'lan0\nlo' flanneld --iface lo --iface ""
	complete_to $'-iface=lan0\n-iface=lo' vxlan -iface=
}

@test "networks, containers, interfaces and addresses of pods" {
	attach_pods
	for verb in add del check gc status restore; do
		complete_to $'idle\npods' cni $verb ""
	done
	complete_to pods ipam list --network ""
	complete_to $'c-blue\nc-red' cni del --container-id ""
	complete_to $'eth0\nnet1' cni check --ifname ""
	complete_to $'10.1.0.2\n10.1.0.3\nc-blue\nc-red\nfd00:1::2\nfd00:1::3' ipam release ""
	complete_to $'fd00:1::2\nfd00:1::3' ipam release 10.1.0.2 f
	"$CNIBOX" cni del pods blue
	complete_to $'10.1.0.3\nc-red\nfd00:1::3' ipam release ""
	complete_to "" ipam release --network idle ""
}

@test "what is said in front counts, and so does the environment" {
	attach_pods
	mkdir /run/lists
	echo '{ "cniVersion": "1.0.0", "name": "other", "plugins": [ { "type": "dummy" } ] }' >/run/lists/10.conflist
	complete_to other cni add --conf-dir /run/lists ""
	complete_to other cni add --conf-dir=/run/lists ""
	NETCONFPATH=/run/lists complete_to other cni add ""
	NETCONFPATH=/run/lists complete_to $'idle\npods' cni add --conf-dir /etc/cni/net.d ""
	complete_to "" cni add --conf-dir /nonexistent ""
	complete_to "" ipam release --data-dir /nonexistent ""
}

@test "leases of nodes" {
	mkdir -p "$STORE/subnets"
	echo '{"Network": "10.5.0.0/16"}' >"$STORE/config"
	for n in 1 2; do
		echo '{"PublicIP":"192.0.2.'$n'","BackendType":"host-gw"}' >"$STORE/subnets/10.5.$n.0-24"
	done
	complete_to $'10.5.1.0/24\n10.5.2.0/24' lease show --store "$STORE" ""
	complete_to 10.5.2.0/24 lease release --store "$STORE" 10.5.2
	complete_to $'192.0.2.1\n192.0.2.2' lease reserve --store "$STORE" 10.5.9.0/24 ""
	complete_to "" lease show --store /nonexistent ""
}

@test "pods of the objects that are named in front" {
	cd "$BATS_TEST_TMPDIR" && mkdir all
	object() { printf '%s\n' 'kind: Pod' 'apiVersion: v1' "metadata: {name: $2, namespace: $1}" 'spec: {nodeName: n1}' "status: {podIP: $3}"; }
	object default web 10.6.0.2 >all/web.yaml
	object shop db 10.6.0.3 >all/db.yaml
	object shop cart 10.6.0.4 >more.yaml
	complete_to $'shop/db\nweb' policy-iptables explain -f all ""
	complete_to $'shop/cart\nshop/db' policy-iptables explain --file=all -f more.yaml web sh
	complete_to "" policy-iptables explain -f all web shop/db ""
	echo 'kind: Pod' >all/broken.yaml
	complete_to $'shop/db\nweb' policy-iptables explain -f all ""
	complete_to "" policy-iptables explain ""
	complete_to "" policy-iptables explain -f /nonexistent ""
	complete_to "" policy-iptables explain -f - ""
}

@test "words to choose from, plugins, files and folders" {
	complete_to $'main\nlocal\ndefault' route-dump --table ""
	complete_to $'iptables-nft\niptables-legacy' policy-iptables apply --backend ipt
	complete_to $'last\nfirst' flanneld --iptables-forward-position ""
	complete_to $'--iptables-forward-position=last' flanneld --iptables-forward-position=l
	complete_to $'--json=yes\n--json=no' netns list --json=
	complete_to '' cni add -v=x # letters have no values of that form
	assert_eq "plugins" "$("$CNIBOX" complete install --only "" | cut -f1)" "$("$CNIBOX" list --plain | sed -n 's/^cni //p')"
	complete_to @file policy-iptables lint -f ""
	complete_to @dir cni list --conf-dir ""
	complete_to @dir install --dir=
	complete_to @command netns exec blue ""
	complete_to @command netns exec blue -- ec
	complete_to @file netns exec blue ls ""
	assert_match "an applet" "$("$CNIBOX" complete install -- vxl)" $'^vxlan\t[^\n]*$'
	complete_to "" install -- brid # with --only it would be installed alone
	complete_to $'iptables-nft\niptables-legacy' install -- policy-iptables apply --backend ipt
	complete_to @file netns exec blue -- ls --
	complete_to "" policy-iptables top --lines ""
}

@test "a name that somebody else chose is offered only when no shell reads it as more than a word" {
	attach_pods
	for name in 'a b' 'a;b' 'a$(b)' $'a\nb' $'a\e[31m' '-a' "a'b" 'a*'; do
		mkdir -p "/var/lib/cni/networks/$name"
		printf '%s\r\neth0' "$name" >"/var/lib/cni/networks/$name/10.9.0.2"
	done
	printf 'fine-1.2_3\r\neth0' >"/var/lib/cni/networks/a b/10.9.0.3"
	complete_to pods ipam list --network ""
	assert_eq "containers" "$("$CNIBOX" complete ipam release "" | grep -v '^[1f][0d]')" $'c-blue\nc-red\nfine-1.2_3'
}

@test "completion changes nothing" {
	need strace
	attach_pods
	[[ -z ${CNIBOX_SANITIZED:-} ]] || skip "the leak checker and strace do not go together"
	for words in "cni add" "ipam release" "lease show" "netns exec" "route-dump --dev"; do
		# shellcheck disable=SC2086
		run_log strace -f -qq -o /run/trace "$CNIBOX" complete $words "" >/dev/null
		assert_eq "files for writing, at $words" \
			"$(grep -E 'O_WRONLY|O_RDWR|O_CREAT|^[0-9]+ +(creat|unlink|rename|mkdir|mount|execve)' /run/trace | sed 1d | grep -v /dev/null)" ""
	done
}
