#!/usr/bin/env bats
# cnibox cni, the runtime in a command: what it hands to plugins, what it remembers, what it says to a person.
# Plugins here are scripts that write down how they were called, our own, and the reference's where installed.

load lib/all
sandbox

setup() {
	mkdir -p /run/plugins /run/calls
	container blue
}

# The tool, with stderr kept apart.
tool() {
	status=0
	output=$("$CNIBOX" cni "$@" 2>"$BATS_TEST_TMPDIR/stderr") || status=$?
	stderr=$(<"$BATS_TEST_TMPDIR/stderr")
	printf '+ cni %s\n%s\n  stderr: %s\n  exit status %s\n' "$*" "$output" "$stderr" "$status"
}

works() {
	tool "$@"
	[[ $status == 0 ]] || flunk "NOT: cni $* works" "$stderr"
}

# refuses STATUS MESSAGE WORD ...: one line that says so.
refuses() {
	local want=$1 message=$2

	shift 2
	tool "$@"
	assert_eq "the exit status of cni $*" "$status" "$want"
	assert_match "what it says" "$stderr" "$message"
	assert_eq "in one line" "$(wc -l <<<"$stderr")" 1
}

# network NAME [JQ]: a list of the two scripts, changed by a jq program.
network() {
	jq -n --arg name "$1" '{cniVersion: "1.1.0", name: $name, plugins: [{type: "one"}, {type: "two"}]} | '"${2:-.}" \
		>"/etc/cni/net.d/$1.conflist"
	script one
	script two
}

# script NAME [BODY]: a plugin that notes each call; ADD adds an interface of its name to prevResult.
script() {
	cat >"/run/plugins/$1" <<-SCRIPT
		#!/bin/bash
		me=$1
		n=\$(ls /run/calls | wc -l)
		printf -v call '/run/calls/%03d-%s-%s' "\$n" "\$CNI_COMMAND" $1
		cat >"\$call"
		env | grep '^CNI_' | sort >"/run/env-\$CNI_COMMAND-$1"
		${2:-}
		[[ \$CNI_COMMAND != ADD ]] ||
			jq '(.prevResult // {}) + {cniVersion} | .interfaces += [{name: "'$1'"}]' "\$call"
	SCRIPT
	chmod +x "/run/plugins/$1"
}

calls() {
	local name
	local -a names=()

	for name in /run/calls/*; do
		[[ -e $name ]] && names+=("${name#/run/calls/???-}")
	done
	echo "${names[*]}"
}

# call N: the configuration that the Nth call got; remembered NETWORK ...: the file of an attachment.
call() { cat /run/calls/"$(printf %03d "$1")"-*; }
cache() { cat /var/lib/cni/results/"$1"-*; }

export CNI_PATH=/run/plugins

@test "a chain: order, prevResult, result, environment" {
	network net
	works add net blue --container-id ctr1 --ifname net7 --args 'A=b;C=d'
	assert_json "the last plugin's result" "$output" '[.interfaces[].name] == ["one", "two"]'
	assert_json "the list's version and name go in" "$(call 0)" '.cniVersion == "1.1.0" and .name == "net" and .type == "one"'
	refute "prevResult for the first" jq -e .prevResult <(call 0)
	assert_json "prevResult for the second" "$(call 1)" '.prevResult.interfaces[0].name == "one"'
	works check net blue --container-id ctr1 --ifname net7
	works del net blue --container-id ctr1 --ifname net7
	assert_eq "the calls" "$(calls)" "ADD-one ADD-two CHECK-one CHECK-two DEL-two DEL-one"
	assert_json "CHECK gets the final result" "$(call 2)" '[.prevResult.interfaces[].name] == ["one", "two"]'
	assert_json "DEL too" "$(call 5)" '[.prevResult.interfaces[].name] == ["one", "two"]'
	assert_eq "the environment" "$(</run/env-ADD-two)" $'CNI_ARGS=A=b;C=d\nCNI_COMMAND=ADD\nCNI_CONTAINERID=ctr1\nCNI_IFNAME=net7\nCNI_NETNS=/run/netns/blue\nCNI_NETNS_OVERRIDE=\nCNI_PATH=/run/plugins'
	assert_eq "DEL is told the arguments of ADD" "$(grep CNI_ARGS /run/env-DEL-one)" "CNI_ARGS=A=b;C=d"
}

@test "capabilities: only what a plugin declares, and the key stays here" {
	network net '.plugins[1].capabilities = {mac: true, portMappings: false, ips: true}'
	CAP_ARGS='{"mac": "aa:bb:cc:dd:ee:ff", "portMappings": []}' works add net blue
	assert_json "the first declares nothing" "$(call 0)" 'has("runtimeConfig") | not'
	assert_json "the second gets its own" "$(call 1)" '.runtimeConfig == {"mac": "aa:bb:cc:dd:ee:ff"}'
	assert_json "capabilities is for the runtime" "$(call 1)" 'has("capabilities") | not'
	works del net blue
	assert_json "DEL gets what ADD got" "$(call 2)" '.runtimeConfig == {"mac": "aa:bb:cc:dd:ee:ff"}'
}

@test "the cache is libcni's, key for key" {
	local id

	network net
	id=cnitool-$(printf /run/netns/blue | sha512sum | cut -c 1-20)
	CAP_ARGS='{"mac": "x"}' works add net blue --args 'A=b;C=d'
	assert_eq "the files" "$(ls /var/lib/cni/results)" "net-$id-eth0"
	assert_eq "the modes" "$(stat -c %a /var/lib/cni/results /var/lib/cni/results/*)" $'700\n600'
	assert_same_json "the record" "$(cache net | jq 'del(.config, .result)')" "{\"kind\": \"cniCacheV1\",
		\"containerId\": \"$id\", \"ifName\": \"eth0\", \"networkName\": \"net\", \"netns\": \"/run/netns/blue\",
		\"cniArgs\": [[\"A\", \"b\"], [\"C\", \"d\"]], \"capabilityArgs\": {\"mac\": \"x\"}}"
	assert_eq "the list, byte for byte" "$(cache net | jq -r .config | base64 -d)" "$(</etc/cni/net.d/net.conflist)"
	assert_json "the result" "$(cache net)" '.result.interfaces | length == 2'
	works del net blue
	assert_eq "nothing is left" "$(ls /var/lib/cni/results)" ""
}

@test "an attachment that libcni made is found by its namespace" {
	network net
	mkdir -p /var/lib/cni/results
	echo '{"kind":"cniCacheV1","containerId":"pod1","config":"","ifName":"eth0","networkName":"net","netns":"/run/netns/blue",
		"cniArgs":[["IgnoreUnknown","1"]],"result":{"cniVersion":"1.0.0","interfaces":[{"name":"x"}]}}' \
		>/var/lib/cni/results/net-pod1-eth0
	works del net blue
	assert_eq "its container id" "$(grep CONTAINERID /run/env-DEL-one)" CNI_CONTAINERID=pod1
	assert_eq "its arguments" "$(grep CNI_ARGS /run/env-DEL-one)" CNI_ARGS=IgnoreUnknown=1
	assert_json "its result, in the list's version" "$(call 0)" '.prevResult == {"cniVersion": "1.1.0", "interfaces": [{"name": "x"}]}'
	assert_eq "nothing is left" "$(ls /var/lib/cni/results)" ""
}

@test "DEL works with a damaged cache, CHECK does not" {
	network net
	works add net blue
	truncate -s 20 /var/lib/cni/results/net-*
	refuses 1 'cached attachment /var/lib/cni/results/net-[^ ]*: ' check net blue
	works del net blue
	assert_json "without prevResult" "$(call 2)" 'has("prevResult") | not'
	assert_eq "nothing is left" "$(ls /var/lib/cni/results)" ""
}

@test "DEL works when namespace and network file are gone" {
	network net
	works add net blue
	ip netns del blue
	rm /etc/cni/net.d/net.conflist
	works del net blue
	assert_eq "the calls" "$(calls)" "ADD-one ADD-two DEL-two DEL-one"
	assert_eq "the namespace as it was" "$(grep NETNS= /run/env-DEL-one)" CNI_NETNS=/run/netns/blue
	refuses 1 'no network "net" in /etc/cni/net.d' del net blue
}

@test "arguments that are no pairs are wrong words, and no plugin sees them" {
	network net
	script one
	refuses 2 '^cni add: --args: ARGS: invalid pair "bogus"$' add --args 'A=b;bogus' net blue
	refuses 2 '^cni check: --args: ARGS: invalid pair "A=b=c"$' check --args A=b=c net blue
	assert_eq "the calls" "$(calls)" ""
}

@test "nothing to list is said, where no program reads it" {
	mkdir /run/none
	assert_eq "in words" "$("$CNIBOX" cni list --conf-dir /run/none --cache-dir /run/none 2>&1)" \
		"no networks in /run/none, and no attachments in /run/none/results"
	assert_eq "not on stdout" "$("$CNIBOX" cni list --conf-dir /run/none --cache-dir /run/none 2>/dev/null)" ""
	assert_eq "JSON" "$("$CNIBOX" cni list --conf-dir /run/none --cache-dir /run/none --json 2>&1 | jq -c .)" '{"networks":[],"attachments":[]}'
}

@test "a failing ADD takes back what was done, and says who failed" {
	network net '.plugins += [{type: "three", name: "last"}, {type: "four"}]'
	script three '[[ $CNI_COMMAND != ADD ]] || { echo "{\"code\": 11, \"msg\": \"try later\", \"details\": \"full\"}"; exit 1; }'
	script four
	tool add net blue
	assert_eq "the exit status" "$status" 1
	assert_match "plugin, reason, details" "$stderr" 'plugin type="three" name="last" failed \(add\): try later \(full\)$'
	assert_eq "the calls" "$(calls)" "ADD-one ADD-two ADD-three DEL-three DEL-two DEL-one"
	assert_eq "nothing on stdout" "$output" ""
	refute "it is remembered" ls /var/lib/cni/results/net-*
}

@test "plugins that fail without an error object" {
	network net '.plugins = [{type: "one"}]'
	script one 'echo "oh dear" >&2; exit 3'
	tool add net blue
	assert_match "its stderr is the message" "$stderr" 'plugin type="one" failed \(add\): netplugin failed: "oh dear'
	assert_eq "and passed through, for ADD and DEL" "$(grep -c '^oh dear$' <<<"$stderr")" 2
	script one 'exit 3'
	refuses 1 'netplugin failed with no error message: exit status 3' add net blue
	script one 'kill -9 $$'
	refuses 1 'netplugin failed with no error message: signal: Killed' add net blue
	script one 'echo nonsense; exit 1'
	refuses 1 'netplugin failed but error parsing its diagnostic message "nonsense' add net blue
	script one '[[ $CNI_COMMAND != ADD ]] || { echo "{}{"; exit 0; }'
	refuses 1 'plugin type="one" failed \(add\): result of plugin /run/plugins/one: ' add net blue
}

@test "DEL goes on after a failure, reports all, and can be repeated" {
	network net '.plugins += [{type: "three"}]'
	script three
	works add net blue
	script two '[[ $CNI_COMMAND != DEL ]] || exit 4'
	script one '[[ $CNI_COMMAND != DEL ]] || exit 5'
	refuses 1 'type="two" failed \(delete\): .*status 4; plugin type="one" failed \(delete\): .*status 5' del net blue
	assert "it is still remembered" ls /var/lib/cni/results/net-*
	script one
	script two
	works del net blue
}

@test "a busy plugin file is tried again" {
	network net '.plugins = [{type: "one"}]'
	exec 8>>/run/plugins/one
	"$CNIBOX" cni add net blue >/run/out 2>/run/err 3>&- 8>&- &
	read -rt 0.3 <> <(:) || :
	exec 8>&-
	assert "ADD succeeded" wait $!
	assert_json "with its result" "$(</run/out)" '.interfaces[0].name == "one"'
}

@test "results of versions before 0.3.0 are not chained, and are printed as they should be" {
	network net '.cniVersion = "0.2.0" | .plugins = [{type: "one"}, {type: "two"}]'
	script one '[[ $CNI_COMMAND != ADD ]] || { echo "{\"ip4\": {\"ip\": \"10.1.0.5/24\"}}"; exit; }'
	script two '[[ $CNI_COMMAND != ADD ]] || { echo "{\"cniVersion\": \"0.3.1\", \"ips\": [{\"address\": \"10.1.0.6/24\"}]}"; exit; }'
	works add net blue
	assert_json "no prevResult" "$(call 1)" 'has("prevResult") | not'
	assert_same_json "the result, converted" "$output" '{"cniVersion": "0.2.0", "ip4": {"ip": "10.1.0.6/24"}, "dns": {}}'
	refuses 1 'configuration version "0.2.0" does not support CHECK command' check net blue
	works del net blue
	assert_json "no prevResult on DEL" "$(call 2)" 'has("prevResult") | not'
}

@test "keys of a list: cniVersions, disableCheck, disableGC, loadOnlyInlinedPlugins" {
	network net '.cniVersion = "0.4.0" | .cniVersions = ["0.3.1", "1.0.0", "1.1.0", "9.0.0"] | .disableCheck = "true" | .disableGC = true'
	mkdir /etc/cni/net.d/net
	echo '{"type": "three"}' >/etc/cni/net.d/net/50-more.conf
	script three
	works add net blue
	assert_json "the newest version that is known" "$(call 0)" '.cniVersion == "1.1.0"'
	works check net blue
	works gc net --all
	assert_eq "no CHECK, no GC; the one dropped in comes last" "$(calls)" "ADD-one ADD-two ADD-three"
	network net '.loadOnlyInlinedPlugins = true'
	works status net
	assert_eq "only those of the list" "$(calls)" "ADD-one ADD-two ADD-three STATUS-one STATUS-two"
	network net '.loadOnlyInlinedPlugins = true | .plugins = []'
	refuses 1 '/net.conflist: plugins: missing or empty' add net blue
}

@test "gc: attachments that are not valid, then every plugin" {
	network net
	container red
	works add net blue --container-id b
	works add net red --container-id r
	rm /run/calls/*
	refuses 2 'say what to keep: --valid ID:IFNAME, --alive, or --all' gc net
	refuses 2 '"b" is not ID:IFNAME' gc net --valid b
	works gc net --valid b:eth0 --valid x:y
	assert_eq "the calls" "$(calls)" "DEL-two DEL-one GC-one GC-two"
	assert_eq "who went" "$(grep CONTAINERID /run/env-DEL-one)" CNI_CONTAINERID=r
	assert_json "both spellings of the list" "$(call 2)" '.["cni.dev/attachments"] == .["cni.dev/valid-attachments"] and
		.["cni.dev/attachments"] == [{"containerID": "b", "ifname": "eth0"}, {"containerID": "x", "ifname": "y"}]'
	assert_eq "no container in the environment" "$(grep -E '(ID|NETNS|IFNAME)=' /run/env-GC-one)" $'CNI_CONTAINERID=\nCNI_IFNAME=\nCNI_NETNS='
	works gc net --alive
	assert "blue is alive" ls /var/lib/cni/results/net-b-eth0
	ip netns del blue
	echo '{' >/var/lib/cni/results/net-x-eth0
	refuses 1 'cached attachment /var/lib/cni/results/net-x-eth0: ' gc net --alive
	rm /var/lib/cni/results/net-x-eth0
	works gc net --alive
	refute "blue is remembered" ls /var/lib/cni/results/net-b-eth0
}

@test "status: each plugin, the worst decides" {
	network net
	script two 'echo "{\"code\": 50, \"msg\": \"no daemon\"}"; exit 1'
	tool status net --json
	assert_eq "the exit status" "$status" 1
	assert_json "one is ready" "$output" '.[0] | .plugin == "one" and .status == "ready"'
	assert_json "two is not" "$output" '.[1] | .plugin == "two" and .status == "not ready" and .code == 50 and .message == "plugin type=\"two\" failed (status): no daemon" or .message == "no daemon"'
	assert_match "it is said" "$stderr" 'plugin type="two" failed \(status\): no daemon'
	network net '.cniVersion = "1.0.0"'
	refuses 1 'configuration version "1.0.0" does not support STATUS command' status net
}

@test "plugins of our own: in process, whether linked or only built in" {
	jq -n '{cniVersion: "1.1.0", name: "lo", plugins: [{type: "loopback"}]}' >/etc/cni/net.d/lo.conflist
	ip -n blue link set lo down
	CNI_PATH=$PLUGINS works add lo blue --ifname lo --verbose
	assert_match "the link's file, in process" "$stderr" "^ADD loopback: $PLUGINS/loopback in process, [0-9.]+ ms$"
	CNI_PATH=/nowhere works check lo blue --ifname lo -v
	assert_match "built in" "$stderr" '^CHECK loopback: built in, [0-9.]+ ms$'
	script loopback
	CNI_PATH=/run/plugins:$PLUGINS works del lo blue --ifname lo -v
	assert_match "a foreign file of that name wins when it comes first" "$stderr" '^DEL loopback: /run/plugins/loopback executed, '
	assert_eq "it was called" "$(calls)" DEL-loopback
	tool add lo host
	CNI_PATH=/nowhere tool add lo /proc/self/ns/net --ifname lo
	assert_match "the host's own namespace is refused" "$stderr" "plugin's netns and netns from CNI_NETNS should not be the same"
}

@test "no plugin folder at all: bridge and host-local from the binary" {
	jq -n '{cniVersion: "1.1.0", name: "br", plugins: [{type: "bridge", isGateway: true,
		ipam: {type: "host-local", subnet: "10.77.0.0/24"}}]}' >/etc/cni/net.d/br.conflist
	export CNI_PATH=/nowhere
	works add br blue
	assert_json "an address" "$output" '.ips[0].address == "10.77.0.2/24"'
	works check br blue
	works status br
	works gc br --alive
	assert "the lease is kept" test -s /var/lib/cni/networks/br/10.77.0.2
	works gc br --all
	refute "the lease is there" test -e /var/lib/cni/networks/br/10.77.0.2
	refute "the link is there" ip -n blue link show eth0
	works list
}

@test "one plugin of ours delegates to a foreign one, with the same bytes" {
	jq -n '{cniVersion: "1.0.0", name: "br", plugins: [{type: "bridge", ipam: {type: "fake", "x-own": [1]}}]}' >/etc/cni/net.d/br.conflist
	script fake '[[ $CNI_COMMAND != ADD ]] || { echo "{\"cniVersion\": \"1.0.0\", \"ips\": [{\"address\": \"10.77.0.9/24\"}]}"; exit; }'
	works add br blue
	assert_json "its address" "$output" '.ips[0].address == "10.77.0.9/24"'
	assert_json "it saw the whole configuration" "$(call 0)" '.type == "bridge" and .ipam["x-own"] == [1]'
	works check br blue
	works del br blue
	assert_eq "the calls" "$(calls)" "ADD-fake CHECK-fake DEL-fake"
	script fake '[[ $CNI_COMMAND != ADD ]] || { echo "{\"code\": 11, \"msg\": \"pool is full\"}"; exit 1; }'
	refuses 1 'plugin type="bridge" failed \(add\): .*pool is full$' add br blue
	refute "the link is left" ip -n blue link show eth0
}

@test "attaching twice is refused before anything is called" {
	network net '.plugins = [{type: "one"}]'
	script one '[[ $CNI_COMMAND != ADD ]] || ip -n blue link add eth0 type veth'
	works add net blue
	refuses 1 'network "net" is attached to blue as eth0 already; `cnibox cni del` removes it' add net blue
	assert_eq "the calls" "$(calls)" ADD-one
}

@test "an interface that is there is nobody's to take down: not another network's, nor a stranger's" {
	network net '.plugins = [{type: "dummy"}]'
	network br '.plugins = [{type: "bridge"}]'
	works add br blue
	refuses 1 'cni add: blue has an interface eth0 already; --ifname names another' add net blue
	assert "the first one's" ip -n blue link show eth0
	container red
	ip -n red link add eth0 type veth peer name other
	refuses 1 'cni add: red has an interface eth0 already; --ifname names another' add br red
	assert "the stranger's" ip -n red link show eth0
	works add br red --ifname net1
}

@test "list: networks, problems with file and key, attachments" {
	network net
	echo '{"cniVersion": "1.0.0", "name": "br", "plugins": [{"type": "bridge", "isGatewya": true, "mtu": "big", "capabilities": {}}]}' \
		>/etc/cni/net.d/br.conflist
	echo '{"cniVersion": "1.0.0", "name": "net", "type": "loopback"}' >/etc/cni/net.d/zz.conf
	works add net blue --container-id c1
	works list
	assert_match "a network" "$output" $'\nnet +1.1.0 +one, two +/etc/cni/net.d/net.conflist\n'
	assert_match "an unknown key" "$output" 'br.conflist: plugins\[0\].isGatewya: unknown key; did you mean "isGateway"\?'
	assert_match "a wrong value" "$output" 'br.conflist: plugins\[0\].mtu: '
	assert_match "a name twice" "$output" 'zz.conf: name: "net" is also that of /etc/cni/net.d/net.conflist'
	assert_match "an attachment" "$output" 'c1 +eth0 +net '
	echo '{' >/etc/cni/net.d/aa.conf
	tool list --json
	assert_eq "a broken file shows in the status" "$status" 1
	assert_json "as JSON" "$output" '(.networks | map(.name) == [null, "br", "net", "net"]) and (.networks[0].problems | length == 1) and
		.attachments[0].container == "c1" and .attachments[0].netns == "/run/netns/blue"'
}

@test "list: what a plugin would refuse shows before it is called" {
	while IFS='~' read -r plugin message; do
		echo "{\"cniVersion\": \"1.0.0\", \"name\": \"x\", \"plugins\": [{\"type\": \"loopback\"}, $plugin]}" >/etc/cni/net.d/x.conflist
		tool list
		assert_eq "$plugin" "$(sed -n 's/^.*x.conflist: //p' <<<"$output")" "$message"
	done <<-'TABLE'
		{"type": "host-device", "device": "eth7", "capabilities": {"deviceId": true}}~plugins[1].capabilities.deviceId: not read by this plugin; did you mean "deviceID"?
		{"type": "bridge", "capabilities": {"ips": true}, "ipam": {"type": "host-local", "subnet": "10.1.0.0/24"}}~
		{"type": "bridge", "ipam": {"subnet": "10.1.0.0/24"}}~plugins[1].ipam.type: missing, so that nobody gives out addresses
		{"type": "macvlan", "mode": "brigde"}~plugins[1].mode: unknown macvlan mode: "brigde"; there are bridge, private, vepa and passthru
		{"type": "firewall", "ingressPolicy": "same"}~plugins[1].ingressPolicy: unknown ingress policy: "same"; ingressPolicy: there are open, same-bridge and isolated
		{"type": "vlan", "master": "eth0", "vlanId": 9999, "ipam": {"type": "dhcp"}}~plugins[1].vlanId: invalid VLAN ID 9999 (must be between 0 and 4095 inclusive)
		{"type": "bandwidth", "ingressRate": 8000}~plugins[1].ingressRate: if rate is set, burst must also be set
		{"type": "host-device", "capabilities": {"deviceID": true}}~
		{"type": "bandwidth", "capabilities": {"bandwidth": true}}~
		{"type": "ipvlan"}~
	TABLE
	echo '{"cniVersion": "1.0.0", "name": "x", "type": "ptp", "mtu": 9}' >/etc/cni/net.d/x.conf
	tool list
	assert_match "a file with one plugin" "$output" 'x.conf: mtu: invalid MTU 9 \(must be 0 or between 68 and 65535\)'
}

@test "words that are wrong get one line" {
	network net
	refuses 1 'no network "nett" in /etc/cni/net.d; did you mean "net"\?' add nett blue
	refuses 1 'no folder of networks "/nowhere" \(--conf-dir or NETCONFPATH sets it\)' add net blue --conf-dir /nowhere
	refuses 1 'blu' add net blu
	refuses 1 'blu' del net blu
	refuses 2 'missing argument NETWORK' add
	refuses 2 'missing argument NETNS' add net
	refuses 2 'name the namespace, or the container with --container-id' del net
	refuses 2 '--capability-args: ' add net blue --capability-args '{'
	refuses 2 '--capability-args: expected a JSON object' add net blue --capability-args '[]'
	refuses 1 'no namespace "blu"; did you mean "blue"\?' add net blu
	refuses 1 'no namespace "qqq" \(see `cnibox netns list`\)' add net qqq
	refuses 2 '--ifname: "0123456789abcdef": interface name is too long \(interface name should be less than 16 characters\)' \
		add net blue --ifname 0123456789abcdef
	refuses 2 '--ifname: "": interface name is empty' add net blue --ifname ""
	refuses 2 '--container-id: "a b" is not a container id \(letters, ' add net blue --container-id 'a b'
	refuses 2 '--container-id: "" is not a container id' del net --container-id ""
	refuses 2 '--valid: "x" is not ID:IFNAME' gc net --valid x
	refuses 2 '--valid: "a b" is not a container id' gc net --valid 'a b:eth0'
	refuses 2 '--valid: "a:e/0": interface name contains / or : or' gc net --valid a:e/0
	refuses 1 'network "net" is not attached to container "cnitool-[0-9a-f]+" as eth0' check net blue
	network net '.plugins = [{type: "on"}]'
	refuses 1 'plugin type="on" failed \(add\): failed to find plugin "on" in path \[/run/plugins\]' add net blue
	network net '.plugins = [{type: "../one"}]'
	refuses 1 'invalid plugin name: ../one' add net blue
	assert_eq "nothing was called" "$(calls)" ""
}

@test "what a plugin says cannot touch the terminal, and stays one line" {
	network net
	printf '#!/bin/sh\nprintf %%s "{\\"code\\": 120, \\"msg\\": \\"a\\\\nb\\\\u001b[31m\\", \\"details\\": \\"c\\\\nx\\"}"; exit 1\n' >/run/plugins/one
	tool add net blue
	assert_eq "masked" "$stderr" 'cni add: plugin type="one" failed (add): a?b?[31m (c?x)'
}

@test "a file that cannot be read is a problem with its reason, and does not hide the others" {
	network net
	mkdir /etc/cni/net.d/aa.conflist
	ln -s /nowhere /etc/cni/net.d/bb.conf
	head -c 5000000 /dev/zero >/etc/cni/net.d/cc.json
	: >/etc/cni/net.d/dd.conf
	echo '{"name": "net2", "plugins": [{"type": 1}]}' >/etc/cni/net.d/ee.conflist
	tool list
	assert_eq "the exit status" "$status" 1
	for line in 'aa.conflist: is not a regular file' 'bb.conf: open: No such file or directory' \
		'cc.json: larger than 4194304 bytes' 'dd.conf: unexpected end of JSON input' \
		'ee.conflist: plugins[0].type: expected a string'; do
		assert "$line" grep -qxF "/etc/cni/net.d/$line" <<<"$output"
	done
	assert "the good one" grep -q '^net  ' <<<"$output"
	works status net
}

@test "who may not read the attachments sees the networks, and is told" {
	need setpriv
	need_root
	network net
	works add net blue
	chmod 755 /run/plugins
	status=0
	output=$(setpriv --reuid 65534 --regid 65534 --clear-groups "$CNIBOX" cni list 2>&1) || status=$?
	assert_eq "the exit status" "$status" 1
	assert_match "the network" "$output" $'\nnet +1.1.0 '
	assert_match "the reason" "$output" 'cni list: cached attachments /var/lib/cni/results: Permission denied [(]try as root[)]'
}

@test "the reference's plugins run as well, and ours removes what they made" {
	need_reference bridge host-local
	jq -n '{cniVersion: "1.0.0", name: "br", plugins: [{type: "bridge", isGateway: true, ipam: {type: "host-local", subnet: "10.77.0.0/24"}}]}' \
		>/etc/cni/net.d/br.conflist
	works add br blue --path "$REFERENCE" -v
	assert_match "executed" "$stderr" "^ADD bridge: $REFERENCE/bridge executed"
	assert_json "an address" "$output" '.ips[0].address == "10.77.0.2/24"'
	works check br blue --path "$PLUGINS:$REFERENCE" -v
	assert_match "ours, on the same attachment" "$stderr" "^CHECK bridge: $PLUGINS/bridge in process"
	works del br blue --path "$PLUGINS:$REFERENCE"
	refute "the link is there" ip -n blue link show eth0
	refute "the lease is there" ls /var/lib/cni/networks/br/10.77.0.2
}
