#!/usr/bin/env bats
# The flannel plugin: the delegate's configuration as the reference builds and keeps it, what it does with delegates of
# ours and of others, and what it does when its files are missing or damaged.

# shellcheck disable=SC2030,SC2031 # each test is a subshell, with a status of its own
load lib/all
load lib/runtime
sandbox

DATA=/var/lib/cni/flannel

setup() {
	container ctr ctr2
	mkdir -p /run/flannel /run/plugins
}

# lease LINE ...: subnet.env as the daemon writes it
lease() {
	printf '%s\n' "$@" >/run/flannel/subnet.env
}

lease_v4() {
	lease FLANNEL_NETWORK=10.1.0.0/16 FLANNEL_SUBNET=10.1.17.1/24 FLANNEL_MTU=1472 FLANNEL_IPMASQ="${1:-true}"
}

lease_dual() {
	lease FLANNEL_NETWORK=10.1.0.0/16 FLANNEL_SUBNET=10.1.17.1/24 FLANNEL_IPV6_NETWORK=fc00::/48 \
		FLANNEL_IPV6_SUBNET=fc00::1/64 FLANNEL_MTU=1472 FLANNEL_IPMASQ="${1:-true}"
}

# flannel [JQ]: a configuration with the reference's default paths
flannel() {
	jq -cn '{cniVersion: "1.0.0", name: "cbr0", type: "flannel"} | '"${1:-.}"
}

# delegate NAME [BODY]: a foreign plugin that writes down its configuration and prints a result
delegate() {
	cat >"/run/plugins/$1" <<-SCRIPT
		#!/bin/bash
		cat >"/run/got-\$CNI_COMMAND"
		env | grep '^CNI_' | sort >"/run/env-\$CNI_COMMAND"
		${2:-}
		[[ \$CNI_COMMAND != ADD ]] || echo '{"cniVersion": "1.0.0", "ips": [{"address": "10.1.17.9/24"}]}'
	SCRIPT
	chmod +x "/run/plugins/$1"
}
WITH=CNI_PATH=/run/plugins:$PLUGINS

kept() { find $DATA -type f 2>/dev/null | sort; }

# ---- the configuration of the delegate; the wanted texts are the reference's, from its own tests and sources ----

@test "the kept configuration, with IPv4, IPv6, both, and two networks" {
	local name text
	for name in v4 v6 dual two; do
		case $name in
		v4)   lease_v4; text='"ranges": [[{"subnet": "10.1.17.0/24"}]], "routes": [{"dst": "10.1.0.0/16"}]' ;;
		v6)   lease '' FLANNEL_IPV6_NETWORK=fc00::/48 FLANNEL_IPV6_SUBNET=fc00::1/64 FLANNEL_MTU=1472 FLANNEL_IPMASQ=true
		      text='"ranges": [[{"subnet": "fc00::/64"}]], "routes": [{"dst": "fc00::/48"}]' ;;
		dual) lease_dual
		      text='"ranges": [[{"subnet": "10.1.17.0/24"}], [{"subnet": "fc00::/64"}]],
			    "routes": [{"dst": "10.1.0.0/16"}, {"dst": "fc00::/48"}]' ;;
		two)  lease_v4
		      sed -i 's|^FLANNEL_NETWORK=.*|&,192.168.0.0/16,10.1.0.0/16|' /run/flannel/subnet.env
		      text='"ranges": [[{"subnet": "10.1.17.0/24"}]],
			    "routes": [{"dst": "10.1.0.0/16"}, {"dst": "192.168.0.0/16"}]' ;;
		esac
		cni_add "$(flannel 'del(.cniVersion) | .name = "cni-flannel"')"
		assert_eq "nothing on stderr" "$stderr" ""
		assert_same_json "$name: the file" "$(<$DATA/ctr)" '{"name": "cni-flannel", "type": "bridge", "ipMasq": false,
			"isGateway": true, "mtu": 1472, "ipam": {"type": "host-local", '"$text"'}}'
		assert_eq "its mode, and the folder's" "$(stat -c %a $DATA/ctr $DATA)" $'600\n700'
		cni_del "$(flannel 'del(.cniVersion) | .name = "cni-flannel"')"
		assert_eq "it goes with DEL" "$(kept)" ""
	done
}

@test "what the user gives stays as it is: delegate, ipam with keys we do not know, routes first" {
	lease_v4 false
	delegate mine
	cni_add "$(flannel '.cniVersion = "0.3.1" | .delegate = {type: "mine", "x-own": [1, {"A": null}], mtu: 9000, ipMasq: false}
		| .ipam = {type: "my-ipam", "unknown-param": "unknown-value", ranges: [["gone"]],
			   routes: [{dst: "10.96.0.0/12"}, {dst: "192.168.244.0/24", gw: "10.1.17.20", mtu: 1400}]}
		| .runtimeConfig = {portMappings: [{HostPort: 80}]} | .prevResult = {cniVersion: "0.3.1"}')" "$WITH"
	assert_same_json "the file" "$(<$DATA/ctr)" '{"cniVersion": "0.3.1", "name": "cbr0", "type": "mine", "x-own": [1, {"A": null}],
		"mtu": 9000, "ipMasq": false, "runtimeConfig": {"portMappings": [{"HostPort": 80}]}, "ipam": {"type": "my-ipam",
		"unknown-param": "unknown-value", "ranges": [[{"subnet": "10.1.17.0/24"}]], "routes": [{"dst": "10.96.0.0/12"},
		{"dst": "192.168.244.0/24", "gw": "10.1.17.20", "mtu": 1400}, {"dst": "10.1.0.0/16"}]}}'
	assert_same_json "and that is what the delegate got" "$(</run/got-ADD)" "$(<$DATA/ctr)"
}

@test "the defaults: bridge is a gateway, another plugin is not; the delegate masquerades where the daemon does not" {
	local masq want
	delegate mine
	for masq in true false yes; do
		[[ $masq == true ]] && want=false || want=true
		lease_v4 $masq
		cni_add "$(flannel '.delegate = {type: "mine"}')" "$WITH"
		assert_json "with FLANNEL_IPMASQ=$masq" "$(<$DATA/ctr)" "(.ipMasq == $want) and (has(\"isGateway\") | not)"
		cni_del "$(flannel '.delegate = {type: "mine"}')" "$WITH"
	done
	cni_add "$(flannel '.delegate = {type: "bridge", isGateway: false, ipmasq: false}')"
	assert_json "given ones stay, in any case" "$(<$DATA/ctr)" '.isGateway == false and .ipmasq == false and (has("ipMasq") | not)'
}

# ---- the whole of it ----

@test "pods of a node reach each other and their gateway; the world only with isDefaultGateway" {
	lease_dual false
	cni_add "$(flannel '.delegate = {isDefaultGateway: true, hairpinMode: true}')"
	assert_json "addresses of the lease" "$output" '[.ips[].address] == ["10.1.17.2/24", "fc00::2/64"]'
	assert_json "routes to all of flannel, and the default" "$output" '[.routes[].dst] == ["10.1.0.0/16", "fc00::/48", "0.0.0.0/0", "::/0"]'
	assert_json "the daemon's MTU" "$(ip -n ctr -j link show eth0)" '.[0].mtu == 1472'
	cni_add "$(flannel '.delegate = {isDefaultGateway: true, hairpinMode: true}')" @ctr2
	pings ctr 10.1.17.3
	pings ctr fc00::3
	pings ctr 10.1.17.1
	assert_eq "masquerade of both families for both" "$(masquerades | wc -l)" 4
	cni_check "$(flannel '.delegate = {isDefaultGateway: true, hairpinMode: true}')"
	cni_del "$(flannel)"
	cni_del "$(flannel)" @ctr2
	no_attachments
	cni_add "$(flannel)"
	assert_eq "no default route" "$(ip -n ctr route show default)" ""
	assert_match "a route to flannel" "$(ip -n ctr route)" '10\.1\.0\.0/16 via 10\.1\.17\.1'
}

@test "every version: ADD, CHECK from 0.4.0, DEL, DEL again; the delegate speaks the same one" {
	local version
	lease_v4
	for version in 0.1.0 0.2.0 0.3.0 0.3.1 0.4.0 1.0.0 1.1.0; do
		cni_add "$(flannel ".cniVersion = \"$version\"")"
		assert_json "the result" "$output" ".cniVersion == \"$version\""
		assert_json "the file" "$(<$DATA/ctr)" ".cniVersion == \"$version\""
		[[ $version == 0.[123].* ]] || cni_check "$(flannel ".cniVersion = \"$version\"")"
		cni_del "$(flannel ".cniVersion = \"$version\"")"
		cni_del "$(flannel ".cniVersion = \"$version\"")"
		no_attachments
	done
}

@test "an upgrade of the list between ADD and DEL does not matter" {
	lease_v4 false
	cni_add "$(flannel '.cniVersion = "0.3.1"')"
	prev=$(jq -c '.cniVersion = "1.0.0" | del(.ips[].version)' <<<"$output")
	cni_check "$(flannel ".prevResult = $prev")"
	cni_del "$(flannel ".prevResult = $prev")"
	no_attachments
}

@test "a lease that changed between ADD and DEL does not matter" {
	lease_v4 false
	cni_add "$(flannel '.ipam = {dataDir: "/run/leases"}')"
	lease FLANNEL_NETWORK=10.2.0.0/16 FLANNEL_SUBNET=10.2.5.1/24 FLANNEL_MTU=1400 FLANNEL_IPMASQ=true
	cni_check "$(flannel)"
	cni_del "$(flannel)"
	no_attachments
	assert_eq "the folder of leases that ADD was told" "$(find /run/leases -name '10.*')" ""
}

@test "flannel, bridge and host-local are one process" {
	need strace
	[[ -z ${CNIBOX_SANITIZED:-} ]] || skip "a tracer and the leak checker exclude each other"
	lease_dual
	CNI_WRAP=(strace -f -qq -e "trace=execve,fork,vfork,clone,clone3" -o "$BATS_TEST_TMPDIR/trace")
	for command in add check del; do
		cni_$command "$(flannel)"
		assert_eq "programs of $command, and processes" "$(grep -c ' = 0' "$BATS_TEST_TMPDIR/trace") $(grep -cE ' (fork|vfork|clone3?)\(' "$BATS_TEST_TMPDIR/trace")" "1 0"
	done
}

# ---- delegates of others ----

@test "a foreign delegate is executed for each command, with the configuration of ADD" {
	lease_v4
	delegate mine
	c=$(flannel '.cniVersion = "1.1.0" | .delegate = {type: "mine", a: 1}')
	cni_add "$c" "$WITH" CNI_ARGS='A=b'
	assert_json "its result" "$output" '.ips[0].address == "10.1.17.9/24" and .cniVersion == "1.1.0"'
	assert_eq "the environment" "$(grep -v CNI_NETNS_OVERRIDE /run/env-ADD)" "CNI_ARGS=A=b
CNI_COMMAND=ADD
CNI_CONTAINERID=ctr
CNI_IFNAME=eth0
CNI_NETNS=/run/netns/ctr
CNI_PATH=/run/plugins:$PLUGINS"
	cp $DATA/ctr /run/saved
	cni_check "$c" "$WITH"
	assert_json "CHECK has prevResult" "$(</run/got-CHECK)" '.prevResult.ips[0].address == "10.1.17.9/24"'
	assert_same_json "CHECK" "$(jq 'del(.prevResult)' /run/got-CHECK)" "$(</run/saved)"
	cni_status "$c" "$WITH"
	assert_same_json "STATUS" "$(</run/got-STATUS)" "$(</run/saved)"
	cni_gc "$(jq -c '."cni.dev/valid-attachments" = [{containerID: "ctr", ifname: "eth0"}]' <<<"$c")" "$WITH"
	assert_json "GC has the attachments" "$(</run/got-GC)" '."cni.dev/valid-attachments" == [{containerID: "ctr", ifname: "eth0"}]'
	cni_del "$c" "$WITH"
	assert_same_json "DEL" "$(jq 'del(.prevResult)' /run/got-DEL)" "$(</run/saved)"
	assert_eq "nothing is kept" "$(kept)" ""
}

@test "the reference's bridge and host-local as delegates, found first in CNI_PATH" {
	need_reference bridge host-local
	lease_v4 false
	cni_add "$(flannel '.delegate = {isDefaultGateway: true}')" CNI_PATH="$REFERENCE:$PLUGINS"
	assert_json "an address of the lease" "$output" '.ips[0].address == "10.1.17.2/24"'
	# The reference's CHECK does not find a route that was given without a gateway.
	cni_check "$(flannel)" CNI_PATH="$PLUGINS"
	cni_del "$(flannel)" CNI_PATH="$PLUGINS"
	no_attachments
	cni_add "$(flannel '.delegate = {isDefaultGateway: true}')"
	cni_del "$(flannel)" CNI_PATH="$REFERENCE:$PLUGINS"
	no_attachments
}

@test "a delegate that fails: its code and words, and nothing is kept" {
	lease_v4
	delegate mine '[[ $CNI_COMMAND == DEL ]] || { echo "{\"code\": 11, \"msg\": \"pool is full\", \"details\": \"of mine\"}"; exit 1; }'
	c=$(flannel '.cniVersion = "1.1.0" | .delegate = {type: "mine"}')
	EXPECT=1 cni_add "$c" "$WITH"
	assert_json "ADD" "$output" '.code == 11 and .msg == "failed to delegate add: pool is full" and .details == "of mine"'
	assert_eq "nothing is kept" "$(kept)" ""
	EXPECT=1 cni_check "$(jq -c '.prevResult = {cniVersion: "1.1.0"}' <<<"$c")" "$WITH"
	assert_json "CHECK" "$output" '.code == 11'
	EXPECT=1 cni_status "$c" "$WITH"
	assert_json "STATUS" "$output" '.code == 11'
	EXPECT=1 cni_add "$(flannel '.delegate = {type: "nobody"}')"
	assert_match "no such delegate" "$(jq -r .msg <<<"$output")" 'failed to find plugin "nobody" in path'
	assert_eq "nothing is kept" "$(kept)" ""
}

@test "a delegate that fails to remove: DEL fails, the file stays for the next try" {
	lease_v4
	delegate mine
	c=$(flannel '.delegate = {type: "mine"}')
	cni_add "$c" "$WITH"
	delegate mine '[[ $CNI_COMMAND != DEL ]] || { echo "{\"code\": 11, \"msg\": \"busy\"}"; exit 1; }'
	EXPECT=1 cni_del "$c" "$WITH"
	assert_json "the delegate's code" "$output" '.code == 11'
	assert_eq "the file" "$(kept)" $DATA/ctr
	delegate mine
	cni_del "$c" "$WITH"
	assert_eq "nothing is kept" "$(kept)" ""
}

@test "a second ADD that fails, as the interface is there, leaves the first one's file" {
	lease_v4
	cni_add "$(flannel '.delegate = {hairpinMode: true}')"
	cp $DATA/ctr /run/saved
	EXPECT=1 cni_add "$(flannel)"
	assert_same_json "the file" "$(<$DATA/ctr)" "$(</run/saved)"
	cni_del "$(flannel)"
	no_attachments
}

# ---- files that are missing or damaged ----

@test "without subnet.env, and with keys missing: the words that people look up, code 11, STATUS 50" {
	local before text
	before=$(snapshot host ctr)
	EXPECT=1 cni_add "$(flannel)"
	text="failed to load flannel 'subnet.env' file: open /run/flannel/subnet.env: no such file or directory. Check the flannel pod log for this node."
	assert_json "ADD" "$output" '[.code, .msg]' "$(jq -cn --arg t "$text" '[11, $t]')"
	EXPECT=1 cni_status "$(flannel '.cniVersion = "1.1.0"')"
	assert_json "STATUS" "$output" '[.code, .msg]' "$(jq -cn --arg t "$text" '[50, $t]')"
	lease FLANNEL_NETWORK=10.1.0.0/16 FLANNEL_SUBNET=10.1.17.1/24 FLANNEL_IPMASQ=true
	EXPECT=1 cni_add "$(flannel '.subnetFile = "/run/flannel/subnet.env"')"
	text="failed to load flannel 'subnet.env' file: /run/flannel/subnet.env is missing FLANNEL_MTU. Check the flannel pod log for this node."
	assert_json "a key" "$output" .msg "$text"
	: >/run/flannel/subnet.env
	EXPECT=1 cni_status "$(flannel '.cniVersion = "1.1.0"')"
	text="failed to load flannel 'subnet.env' file: /run/flannel/subnet.env is missing FLANNEL_NETWORK, FLANNEL_IPV6_NETWORK, FLANNEL_SUBNET, FLANNEL_IPV6_SUBNET, FLANNEL_MTU, FLANNEL_IPMASQ. Check the flannel pod log for this node."
	assert_json "all keys" "$output" '[.code, .msg]' "$(jq -cn --arg t "$text" '[50, $t]')"
	lease_v4
	echo FLANNEL_SUBNET=10.1.17.1 >>/run/flannel/subnet.env
	EXPECT=1 cni_add "$(flannel)"
	assert_match "a value" "$(jq -r .msg <<<"$output")" 'subnet.env: FLANNEL_SUBNET: invalid CIDR address: 10.1.17.1\. Check'
	assert_eq "nothing has changed" "$(snapshot host ctr)" "$before"
}

@test "ADD waits for a daemon that has only just begun, as long as it is told to" {
	EXPECT=1 cni_add "$(flannel '.subnetFileTimeout = 0')"
	assert_json "at once" "$output" .code 11
	: >/run/flannel/subnet.env
	(
		wait_for "it waits" 10 pgrep -f "$PLUGINS/flannel"
		lease_v4 # while it waits, or just before: it must not matter
	) 3>&- &
	cni_add "$(flannel '.subnetFileTimeout = "60s"')"
	assert_match "an address" "$(jq -r '.ips[0].address' <<<"$output")" '10.1.17.'
	wait
	EXPECT=1 cni_add "$(flannel '.subnetFileTimeout = "61s"')"
	assert_match "no longer than" "$(jq -r '.msg + .details' <<<"$output")" 'subnetFileTimeout.*(60s|1m|60000)'
}

@test "STATUS: ready, and the delegate's answer when its pool is full" {
	lease FLANNEL_NETWORK=10.1.0.0/16 FLANNEL_SUBNET=10.1.17.1/30 FLANNEL_MTU=1400 FLANNEL_IPMASQ=true
	c=$(flannel '.cniVersion = "1.1.0"')
	cni_status "$c"
	cni_add "$c"
	EXPECT=1 cni_status "$c"
	assert_json "the pool is full" "$output" '.code == 50'
	EXPECT=1 cni_add "$c" @ctr2
	assert_match "ADD says so, too" "$(jq -r .msg <<<"$output")" 'no IP addresses available in range set'
	cni_del "$c"
	cni_status "$c"
}

@test "DEL after the kept file was lost, emptied or damaged: everything goes all the same" {
	local damage
	lease_v4 false
	c=$(flannel '.delegate = {isDefaultGateway: true}')
	for damage in rm 'truncate -s 0' 'truncate -s 30'; do
		cni_add "$c"
		assert_eq "masqueraded" "$(masquerades | wc -l)" 1
		$damage $DATA/ctr
		cni_check "$c"
		cni_del "$c" CNI_NETNS=
		no_attachments
		assert_eq "no file" "$(kept)" ""
	done
	cni_add "$c"
	rm $DATA/ctr /run/flannel/subnet.env
	cni_del "$c"
	no_attachments
}

@test "DEL when there never was anything: success, nothing printed, nothing made" {
	local before
	before=$(snapshot)
	: >/run/plain
	for netns in '' /run/netns/gone /run/plain /run/netns/ctr; do
		NO_PREV=1 cni_del "$(flannel)" CNI_NETNS="$netns"
		assert_eq "quiet" "$output$stderr" ""
		cni_del "$(flannel '.delegate = {type: "nobody"}')" CNI_NETNS="$netns"
		cni_del "$(flannel '.delegate = {type: 1, name: "x", ipam: 1} | .runtimeConfig = 1')" CNI_NETNS="$netns"
		cni_del "$(flannel '.delegate = [] | .ipam = {type: 7}')" CNI_NETNS="$netns" || :
	done
	left "$before"
	assert_eq "no folder" "$(ls -d $DATA 2>/dev/null || :)" ""
}

# ---- one container on two networks ----

@test "two flannel interfaces of one container: each is removed with its own configuration, in either order" {
	local first second
	lease_v4 false
	one=$(flannel '.delegate = {bridge: "br1"}')
	two=$(flannel '.name = "cbr1" | .delegate = {bridge: "br2"} | .ipam = {dataDir: "/run/leases"}')
	for order in 'eth0 eth1' 'eth1 eth0'; do
		cni_add "$one"
		cni_add "$two" CNI_IFNAME=eth1
		assert_eq "the reference's name is the first one's" "$(jq -r .bridge $DATA/ctr)" br1
		for ifname in $order; do
			[[ $ifname == eth0 ]] && it=$one || it=$two
			cni_check "$it" CNI_IFNAME="$ifname"
			cni_del "$it" CNI_IFNAME="$ifname"
			cni_del "$it" CNI_IFNAME="$ifname"
		done
		no_attachments
		assert_eq "nothing is kept" "$(kept)" ""
		assert_eq "no lease" "$(find /run/leases -name '10.*')" ""
	done
}

# ---- GC ----

gc() { # NETWORK ATTACHMENTS
	cni_gc "$(flannel '.cniVersion = "1.1.0" | .name = "'"$1"'" | .delegate = {isDefaultGateway: true}
		| ."cni.dev/valid-attachments" = '"$2")"
}

@test "GC: no list is nothing, a list keeps what is in it, an empty list nothing; other networks are left alone" {
	lease_v4 false
	container other
	c=$(flannel '.cniVersion = "1.1.0" | .delegate = {isDefaultGateway: true}')
	cni_add "$c"
	cni_add "$c" @ctr2
	cni_add "$(jq -c '.name = "cbr1"' <<<"$c")" @other
	cni_gc "$c"
	assert_eq "without a list" "$(kept | wc -l) $(leases | wc -l)" "3 3"
	gc cbr0 '[{"containerID": "ctr2", "ifname": "eth0"}]'
	assert_eq "the files" "$(kept)" $DATA/ctr2$'\n'$DATA/other
	assert_eq "the leases" "$(find /var/lib/cni/networks -name '10.*' -printf '%P\n' | sort)" $'cbr0/10.1.17.3\ncbr1/10.1.17.2'
	assert_eq "the rules" "$(masquerades | wc -l)" 2
	pings ctr2 10.1.17.1
	rm /run/flannel/subnet.env
	: >$DATA/dead
	: >$DATA/.dead:eth0
	gc cbr0 '[]'
	assert_eq "the files, a damaged one among them" "$(kept)" $DATA/other
	gc cbr1 '[]'
	assert_eq "the leases" "$(leases)" ""
	assert_eq "the rules" "$(masquerades)" ""
}

# ---- mistakes ----

@test "mistakes in the configuration: code, place, words; nothing is made" {
	local before
	lease_v4
	before=$(snapshot host ctr)
	while IFS='~' read -r change code message; do
		EXPECT=1 cni_add "$(flannel "$change")"
		assert_eq "$change" "$(jq -r '[.code, .msg] | join("~")' <<<"$output")" "$code~$message"
	done <<-'TABLE'
		.delegate = {type: 1}~7~'delegate' dictionary, if present, must have (string) 'type' field
		.delegate = {name: "x"}~7~'delegate' dictionary must not have 'name' field, it'll be set by flannel
		.delegate = {ipam: {}}~7~'delegate' dictionary must not have 'ipam' field, it'll be set by flannel
		.delegate = {type: "flannel"}~7~delegate: type: flannel cannot be its own delegate
		.delegate = {type: ""}~7~failed to delegate add: no plugin name provided
		.delegate = {type: "../bridge"}~7~failed to delegate add: invalid plugin name: ../bridge
		.delegate = [1]~6~failed to load netconf: delegate: expected an object
		.ipam = {routes: {}}~6~failed to parse ipam.routes: expected a list
		.runtimeConfig = "x"~6~failed to load netconf: runtimeConfig: expected an object
		.dataDir = 1~6~failed to load netconf: dataDir: expected a path, found number
		.delegate = {mtu: "big"}~6~failed to delegate add: failed to load netconf: mtu: expected an integer, found string
	TABLE
	EXPECT=1 cni_add "$(flannel '.dataDir = "/proc/nowhere"')"
	assert_match "a folder that cannot be" "$(jq -r .msg <<<"$output")" '/proc/nowhere'
	assert_eq "nothing has changed" "$(snapshot host ctr)" "$before"
	cni_add "$(flannel '.delegate = null | .ipam = null | .runtimeConfig = null')"
}

@test "keys in any case" {
	lease_v4
	mv /run/flannel/subnet.env /run/flannel/other.env
	cni_add '{"cniVersion": "1.0.0", "name": "cbr0", "type": "flannel", "SUBNETFILE": "/run/flannel/other.env",
		"DataDir": "/run/kept", "Delegate": {"ISDEFAULTGATEWAY": true}, "RuntimeConfig": {"MAC": "02:00:00:00:00:09"}}'
	assert_json "all of them" "$output" '.interfaces[2].mac == "02:00:00:00:00:09" and ([.routes[].dst] | index("0.0.0.0/0"))'
	assert_eq "the folder" "$(ls /run/kept)" ctr
}

# ---- what the reference's flannel left, and what it finds of ours ----

# Its DEL: the kept text goes to the delegate as it is, then the file goes.
reference_del() {
	cni_exec bridge "$(<$DATA/ctr)" CNI_COMMAND=DEL CNI_PATH="$REFERENCE" CNI_CONTAINERID=ctr CNI_NETNS=/run/netns/ctr CNI_IFNAME=eth0
	assert_eq "its status" "$status" 0
	rm $DATA/ctr
}

@test "the reference removes what we made, and we what it made" {
	need_reference bridge host-local
	lease_v4 false
	cni_add "$(flannel)"
	reference_del
	no_attachments
	cni_del "$(flannel)"
	# Its ADD: the text in a file of its own, with no more about it than its name.
	mkdir -p $DATA
	echo '{"cniVersion":"0.3.1","ipMasq":true,"ipam":{"ranges":[[{"subnet":"10.1.17.0/24"}]],"routes":[{"dst":"10.1.0.0/16"}],"type":"host-local"},"isGateway":true,"mtu":1472,"name":"cbr0","type":"bridge"}' >$DATA/ctr
	cni_exec bridge "$(<$DATA/ctr)" CNI_COMMAND=ADD CNI_PATH="$REFERENCE" CNI_CONTAINERID=ctr CNI_NETNS=/run/netns/ctr CNI_IFNAME=eth0
	assert_eq "its status" "$status" 0
	cni_check "$(flannel ".prevResult = $(jq -c '.cniVersion = "1.0.0" | del(.ips[].version)' <<<"$output")")"
	cni_del "$(flannel)"
	no_attachments
	assert_eq "nothing is kept" "$(kept)" ""
}

# ---- failures at each step ----

# The system calls that are flannel's own, each `NAME N`, and the delegate's first ones; its others are in 600-failures.
steps() {
	CNI_WRAP=(strace -f -qq -o "$BATS_TEST_TMPDIR/trace")
	cni_add "$1" >&2
	CNI_WRAP=()
	NO_PREV=1 cni_del "$1" >&2
	awk '{ sub(/^[0-9]+ +/, "") } !/^[a-z]/ { next }
		{ name = $0; sub(/\(.*/, "", name); n[name]++; if (/subnet\.env/) begun = 1 }
		begun && name ~ /^(openat|read|write|fsync|rename|mkdir|access|fsetxattr|getxattr|setns|socket|sendmsg)$/ { print name, n[name] }
		name == "sendmsg" { exit }' "$BATS_TEST_TMPDIR/trace"
}

@test "each step of an ADD fails once, or is its last: an error is told, the file goes with it, DEL leaves nothing" {
	local c before name n how
	local -a all
	need strace
	[[ -z ${CNIBOX_SANITIZED:-} ]] || skip "a tracer and the leak checker exclude each other"
	lease_v4 false
	c=$(flannel '.delegate = {ipMasqBackend: "nftables"}')
	mapfile -t all < <(steps "$c" 2>/dev/null)
	[[ ${#all[@]} -gt 14 ]] || flunk "only ${#all[@]} steps" "${all[*]}"
	before=$(snapshot)
	for step in "${all[@]}"; do
		read -r name n <<<"$step"
		for how in error=EIO signal=KILL; do
			CNI_WRAP=(strace -f -qq -o /dev/null -e "inject=$name:$how:when=$n")
			EXPECT=any cni_add "$c" >"$BATS_TEST_TMPDIR/log" 2>&1
			CNI_WRAP=()
			# Who cannot go back to the namespace it came from, ends at once: as if killed.
			if [[ $how == error=EIO && $status == 1 ]]; then
				assert_eq "$step $how: the kept file" "$(kept)" ""
				assert "$step $how: one error" jq -e .msg <<<"$output"
			fi
			NO_PREV=1 cni_del "$c" >>"$BATS_TEST_TMPDIR/log" || { cat "$BATS_TEST_TMPDIR/log"; flunk "$step $how: DEL"; }
			assert_eq "$step $how: links, kept files, leases, rules" \
				"$(ip -br link | grep -c veth) $(kept) $(find /var/lib/cni/networks -name '10.*') $(masquerades)" "0   "
		done
	done
	rm -f /var/lib/cni/networks/cbr0/new # host-local's draft of a lease, which the next one overwrites
	left "$before"
}

# ---- what a person is told ----

@test "cni list finds mistakes inside of delegate, by the keys of the plugin that it is for" {
	jq -n '{cniVersion: "1.0.0", name: "cbr0", plugins: [
		{type: "flannel", subnetfile: "/x", delegate: {isDefaultGatway: true, mtu: "big", hairpinMode: true}},
		{type: "flannel", delegate: {type: "macvlan", mode: "bridge", isGateway: true}},
		{type: "flannel", delegate: {type: "nobody", any: 1}}]}' >/etc/cni/net.d/cbr0.conflist
	assert_eq "the problems" "$(CNI_PATH=$PLUGINS "$CNIBOX" cni list | grep conflist: | sed 's,.*/cbr0.conflist: ,,')" \
		'plugins[0].delegate.mtu: expected an integer, found string
plugins[0].delegate.isDefaultGatway: unknown key; did you mean "isDefaultGateway"?
plugins[1].type: flannel makes an interface, as plugins[0] does: ADD finds the name taken
plugins[1].delegate.isGateway: unknown key
plugins[2].type: flannel makes an interface, as plugins[0] does: ADD finds the name taken
plugins[2].delegate.type: failed to find plugin "nobody" in path ['"$PLUGINS"']'
}
