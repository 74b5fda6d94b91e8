#!/usr/bin/env bats
# cnibox lint: every mistake is named by file, line and key; what is right is passed over in silence.

load lib/all
sandbox

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	mkdir -p bin net.d
	for name in $("$CNIBOX" list --plain | sed -n 's/^cni //p'); do
		ln -sf "$CNIBOX" "bin/$name"
	done
	export CNI_PATH=$PWD/bin
}

# says STATUS WANT FILE ...: that status, and these lines
says() {
	local status=$1 want=$2 got code=0

	shift 2
	got=$("$CNIBOX" lint "$@" 2>&1) || code=$?
	assert_eq "lint $*" "$got" "$want"
	assert_eq "exit status of lint $*" "$code" "$status"
}

clean() { # DESCRIPTION FILE ...
	local got code=0

	got=$("$CNIBOX" lint --strict "${@:2}" 2>&1) || code=$?
	[[ $code == 0 && $got == "nothing is wrong" ]] || flunk "NOT clean: $1" "$got"
}

# The first finding of a plugin's configuration, behind one that is right when it is a chained one.
finding() { # JSON
	local bridge='{"type": "bridge", "isGateway": true, "ipam": {"type": "host-local", "subnet": "10.1.0.0/24"}}'

	printf '{ "cniVersion": "1.0.0", "name": "net", "plugins": [\n' >t.conflist
	[[ $1 =~ ^\{\"type\":\ \"([a-z-]+)\" ]]
	case ${BASH_REMATCH[1]} in
	portmap | bandwidth | tuning | firewall | sbr | vrf) printf '%s,\n' "$bridge" >>t.conflist ;;
	esac
	printf '%s\n] }\n' "$1" >>t.conflist
	"$CNIBOX" lint t.conflist | head -n 1 | sed -E 's/^t.conflist:[0-9]+: //; s/plugins\[[01]\]\.?//; s,'"$CNI_PATH"',BIN,'
}

@test "the configurations of the tests' fixtures are clean, but for what is meant to be wrong" {
	local name ext conf want n=0
	local -A warned=(
		[bandwidth-none]=1 [bandwidth-zero]=1 [bridge-containerd]=2 [bridge-version-none]=1 [portmap-none]=1
		[static-empty]=1 [static-no-keys]=1 [static-routes]=1 [tuning-mac-args]=1 [tuning-nothing]=1
	)

	# An address plugin is called as a runtime would not; below ipam of another it is where it belongs.
	while IFS=$'\t' read -r name ext conf; do
		name=$(basename "$name" .json) want="nothing is wrong"
		printf '%s\n' "$conf" >"t.$ext"
		[[ -z ${warned[$name]:-} ]] || want="0 errors, ${warned[$name]} warning$([[ ${warned[$name]} == 1 ]] || echo s)"
		assert_eq "$name" "$("$CNIBOX" lint "t.$ext" | tail -n 1)" "$want"
		n=$((n + 1))
	done < <(jq -r 'select(.fails | not) | [input_filename, if .conf.plugins then "conflist" else "conf" end,
		(.conf | if .type == .ipam.type then .type = "dummy" else . end | tojson | gsub("\t"; " "))] | join("\t")' "$CNIBOX_TESTS"/fixtures/*.json)
	assert "all of them" test "$n" -gt 150
}

@test "README's configurations, the manifests, each plugin's example and containerd's loopback are clean" {
	local name n=0

	sed -n '/10-pods.conflist/,/\] }/ s/^    //p' "$CNIBOX_TOP/README.md" | sed -n '/^{/,/\] }/p' >readme.conflist
	assert_eq "it is the one of the README" "$(jq -r .name readme.conflist)" pods
	clean README readme.conflist
	grep -o "{ *\"cniVersion\".*}'" "$CNIBOX_TOP/README.md" | grep '"type"' | sed "s/'\$//" | while read -r line; do
		echo "$line" >readme.conf
		clean "$line" readme.conf
	done
	clean "a manifest" "$CNIBOX_TOP/packaging/kubernetes/cnibox-flannel.yaml"
	for name in $("$CNIBOX" list --plain | sed -n 's/^cni //p'); do
		"$CNIBOX" help "$name" | sed -n '/^examples:/,$p' | sed 1d >text
		jq -n input text >example 2>/dev/null || true
		mv example "example.$(jq -r 'if .plugins then "conflist" else "conf" end' example)"
		clean "the example of $name" example.*
		rm example.*
		n=$((n + 1))
	done
	assert "all of them" test "$n" -ge 18
	echo '{"cniVersion":"0.3.1","name":"cni-loopback","plugins":[{"type":"loopback"}]}' >lo.conflist
	clean "containerd's own" lo.conflist
}

@test "each mistake gets its key, its line and what would be right" {
	cat >bad.conflist <<-'FILE'
		{
		  "cniVersion": "1.0.0",
		  "name": "bad",
		  "ipMasq": true,
		  "capabilities": { "portMappings": true },
		  "plugins": [
		    { "type": "portmap" },
		    {
		      "type": "bridgee",
		      "isGatewya": true
		    },
		    {
		      "type": "bridge",
		      "vlan": 5000,
		      "subnet": "10.1.0.0/24",
		      "mtu": "big",
		      "mtu": 9000,
		      "ipam": {
		        "type": "host-local",
		        "ipMasq": true,
		        "ranges": [
		          [ { "subnet": "10.1.0.0/24" },
		            { "subnet": "10.1.0.5/24", "rangeSart": "10.1.0.7" } ]
		        ]
		      }
		    },
		    {
		      "type": "ptp",
		      "ipam": { "type": "host-local", "subnet": "10.2.0.0/24" }
		    }
		  ]
		}
	FILE
	says 1 "bad.conflist:4: warning: ipMasq: unknown key; it belongs into plugins[2] (bridge)
bad.conflist:5: warning: capabilities: unknown key; it belongs into plugins[0] (portmap)
bad.conflist:7: error: plugins[0].type: must be called as chained plugin; prevResult comes from the plugin before this one in \"plugins\" of a network list
bad.conflist:9: error: plugins[1].type: failed to find plugin \"bridgee\" in path [$CNI_PATH]; did you mean \"bridge\"?
bad.conflist:14: error: plugins[2].vlan: invalid VLAN ID 5000 (must be between 0 and 4094)
bad.conflist:15: warning: plugins[2].subnet: unknown key; did you mean \"ipam.subnet\"?
bad.conflist:17: warning: plugins[2].mtu: given twice: what comes last counts
bad.conflist:20: warning: plugins[2].ipam.ipMasq: unknown key; it belongs beside \"ipam\"
bad.conflist:23: warning: plugins[2].ipam.ranges[0][1].rangeSart: unknown key; did you mean \"rangeStart\"?
bad.conflist:23: error: plugins[2].ipam.ranges[0][1].subnet: invalid range set 0: Network has host bits set. For a subnet mask of length 24 the network address is 10.1.0.0
bad.conflist:28: warning: plugins[3].type: ptp makes an interface, as plugins[2] does: ADD finds the name taken
4 errors, 7 warnings" bad.conflist
}

@test "what a plugin refuses, and what it accepts and nobody means" {
	local plugin want n=0

	while IFS='~' read -r plugin want; do
		assert_eq "$plugin" "$(finding "$plugin")" "$want"
		n=$((n + 1))
	done <<-'TABLE'
		{"type": "bridge", "isGateway": "true"}~error: isGateway: expected a boolean, found string
		{"type": "bridge", "isDefaultGateway": true}~warning: isDefaultGateway: has no effect without ipam
		{"type": "bridge", "ipMasq": true}~warning: ipMasq: has no effect without ipam
		{"type": "bridge", "ipMasq": true, "ipam": {"type": "host-local", "subnet": "10.1.0.0/24"}}~warning: ipMasq: there is no gateway to masquerade at: isGateway and isDefaultGateway are not set
		{"type": "bridge", "ipMasq": true, "isGateway": true, "ipMasqBackend": "ebpf", "ipam": {"type": "host-local", "subnet": "10.1.0.0/24"}}~error: ipMasqBackend: unknown ipmasq backend "ebpf"
		{"type": "bridge", "mtu": 9}~error: mtu: invalid MTU 9 (must be 0 or between 68 and 65535)
		{"type": "bridge", "mtu": 150}~warning: mtu: 150 is less than any network's (576)
		{"type": "bridge", "mtu": 65000}~warning: mtu: 65000 is more than jumbo frames have (9216): what leaves the node is fragmented or lost
		{"type": "bridge", "mtu": 1000, "ipam": {"type": "host-local", "subnet": "fd00:1::/64"}}~warning: mtu: IPv6 needs 1280: the interface gets no IPv6 address
		{"type": "bridge", "bridge": "a-name-that-is-too-long"}~error: bridge: "a-name-that-is-too-long" is not an interface name (longer than 15 characters)
		{"type": "bridge", "vlanTrunk": [{"id": 1}, {"minID": 9}]}~error: vlanTrunk[1]: minID and maxID should be configured simultaneously, maxID is missing
		{"type": "bridge", "hairpinMode": true, "promiscMode": true}~error: promiscMode: cannot set hairpin mode and promiscuous mode at the same time
		{"type": "bridge", "ipam": {"type": "bridge"}}~error: ipam.type: bridge does not give out addresses
		{"type": "bridge", "ipam": {"type": "hostlocal"}}~error: ipam.type: failed to find plugin "hostlocal" in path [BIN]; did you mean "host-local"?
		{"type": "bridge", "ipam": {"subnet": "10.1.0.0/24"}}~warning: ipam.type: missing, so that nobody gives out addresses
		{"type": "bridge", "ipam": {"type": "host-local"}}~error: ipam: no IP ranges specified
		{"type": "bridge", "ipam": {"type": "host-local", "subnet": "10.1.0.0"}}~error: ipam.subnet: "10.1.0.0" is not a CIDR (such as 10.1.0.0/24)
		{"type": "bridge", "ipam": {"type": "host-local", "subnet": "10.1.0.0/31"}}~error: ipam.subnet: invalid range set 0: Network 10.1.0.0/31 too small to allocate from
		{"type": "bridge", "ipam": {"type": "host-local", "subnet": "10.1.0.0/24", "rangeEnd": "10.2.0.5"}}~error: ipam.rangeEnd: invalid range set 0: RangeEnd 10.2.0.5 not in network 10.1.0.0/24
		{"type": "bridge", "ipam": {"type": "host-local", "ranges": [{"subnet": "10.1.0.0/24"}]}}~error: ipam.ranges[0]: expected a list, found object
		{"type": "bridge", "ipam": {"type": "host-local", "subnet": "10.9.0.0/24", "ranges": [[{"subnet": "10.1.0.0/24"}], [{"subnet": "10.1.0.0/25"}]]}}~error: ipam.ranges[1]: range set 1 overlaps with 2
		{"type": "bridge", "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.1.0.0/24"}, {"subnet": "fd00::/64"}]]}}~error: ipam.ranges[0][1].subnet: invalid range set 0: mixed address families
		{"type": "bridge", "ipam": {"type": "host-local", "subnet": "10.1.0.0/24", "gateway": "10.2.0.1"}}~warning: ipam: gateway 10.2.0.1 is not in 10.1.0.0/24: no route leads to it
		{"type": "bridge", "ipam": {"type": "host-local", "subnet": "10.1.0.0/24", "routes": [{"dst": "0.0.0.0"}]}}~error: ipam.routes[0].dst: "0.0.0.0" is not a CIDR (such as 10.1.0.0/24)
		{"type": "host-local", "ipam": {"type": "host-local", "subnet": "10.1.0.0/24"}}~warning: type: host-local gives out addresses: it belongs below "ipam"
		{"type": "ptp"}~error: ipam: no plugin name provided; ipam.type names the plugin that gives out addresses
		{"type": "ipvlan", "mode": "l4", "ipam": {"type": "dhcp"}}~error: mode: unknown ipvlan mode: "l4"; there are l2, l3 and l3s
		{"type": "macvlan", "mode": "brigde", "ipam": {"type": "dhcp"}}~error: mode: unknown macvlan mode: "brigde"; there are bridge, private, vepa and passthru
		{"type": "macvlan", "mac": "01:00:5e:00:00:01"}~error: mac: MAC address 01:00:5e:00:00:01 is that of a group, not of one interface
		{"type": "vlan", "vlanId": 5, "ipam": {"type": "dhcp"}}~error: master: "master" field is required. It specifies the host interface name to create the VLAN for
		{"type": "vlan", "master": "eth0", "vlanId": 5}~error: ipam: failed to execute IPAM delegate: no plugin name provided; ipam.type names the plugin that gives out addresses
		{"type": "dummy"}~error: ipam: dummy interface requires an IPAM configuration; ipam.type names the plugin that gives out addresses
		{"type": "macvlan", "ipam": {"type": "static"}}~warning: ipam.addresses: there are none, and the capability ips is not declared
		{"type": "macvlan", "ipam": {"type": "static"}, "capabilities": {"ips": true}}~nothing is wrong
		{"type": "macvlan", "ipam": {"type": "static", "addresses": [{"address": "10.1.0.5"}]}}~error: ipam.addresses[0].address: the 'address' field is expected to be in CIDR notation, got: '10.1.0.5'
		{"type": "macvlan", "ipam": {"type": "dhcp", "request": [{"option": "nosuch"}]}}~error: ipam.request: Can not parse option "nosuch": neither a name known here nor a number from 1 to 254
		{"type": "host-device"}~error: device: specify either "device", "hwaddr", "kernelpath" or "pciBusID"
		{"type": "host-device", "pciBusID": "3:0.1"}~error: pciBusID: failed to find host device: pciBusID: "3:0.1" is not a PCI address such as 0000:03:00.1
		{"type": "host-device", "capabilities": {"deviceID": true}}~nothing is wrong
		{"type": "portmap"}~warning: capabilities: portMappings is not declared: no port is ever mapped
		{"type": "portmap", "capabilities": {"portMapping": true}}~warning: capabilities: portMappings is not declared: no port is ever mapped
		{"type": "portmap", "capabilities": ["portMappings"]}~warning: capabilities: portMappings is not declared: no port is ever mapped
		{"type": "portmap", "backend": "ebpf"}~error: backend: unrecognized backend "ebpf"; backend: there are iptables and nftables
		{"type": "portmap", "markMasqBit": 32}~error: markMasqBit: MasqMarkBit must be between 0 and 31
		{"type": "portmap", "conditionsV4": ["a\nb"], "backend": "nftables"}~error: conditionsV4: "a?b" holds a character that does not belong into a condition
		{"type": "bandwidth"}~warning: capabilities: bandwidth is not declared, and no rate is set: nothing is limited
		{"type": "bandwidth", "ingressRate": 8000000}~error: ingressRate: if rate is set, burst must also be set
		{"type": "bandwidth", "ingressRate": 1000, "ingressBurst": 1000}~warning: ingressRate: 1000 is in bits per second: too few for anything to work
		{"type": "tuning", "sysctl": {"kernel.shmmax": "5"}}~error: sysctl.kernel.shmmax: invalid net sysctl key: "kernel.shmmax"
		{"type": "tuning", "sysctl": {"net.core.somaxconn": 5}}~error: sysctl.net.core.somaxconn: expected a string (also a number stands in quotes)
		{"type": "firewall", "ingressPolicy": "same"}~error: ingressPolicy: unknown ingress policy: "same"; ingressPolicy: there are open, same-bridge and isolated
		{"type": "firewall", "iptablesAdminChainName": "a b"}~error: iptablesAdminChainName: "a b" is not a name of an iptables chain
		{"type": "sbr", "gateways": ["10.1.0.1", "10.2.0.1"]}~error: gateways[1]: there is an IPv4 gateway already
		{"type": "vrf"}~error: vrfname: configuration is expected to have a valid vrf name; vrfname: the name that the VRF's interface has, or is to have
		{"type": "flannel", "delegate": {"isDefaultGatway": true}}~warning: delegate.isDefaultGatway: unknown key; did you mean "isDefaultGateway"?
		{"type": "flannel", "delegate": {"mtu": 9}}~error: delegate.mtu: invalid MTU 9 (must be 0 or between 68 and 65535)
		{"type": "flannel", "delegate": {"ipam": {}}}~error: delegate.ipam: 'delegate' dictionary must not have 'ipam' field, it'll be set by flannel
	TABLE
	assert "all of them" test "$n" -ge 50
}

@test "what is no configuration, or not one of this file's name or version" {
	local text want

	while IFS='~' read -r text want; do
		printf '%b' "$text" >t.conflist
		assert_eq "$text" "$("$CNIBOX" lint t.conflist | head -n 1)" "t.conflist$want"
	done <<-'TABLE'
		~: error: unexpected end of JSON input
		{\n"name": "x",\n}~:3: error: string or '}' expected near '}' (column 1); is there a comma behind the last one?
		{"plugins": [1, ]}~:1: error: unexpected token near ']' (column 17); is there a comma behind the last one?
		{"name": "x"\n"type": "x"}~:2: error: '}' expected near '"type"' (column 6); is there no comma in front of it?
		{ // name\n"name": "x"}~:1: error: string or '}' expected near '/' (column 3); JSON has no comments
		{'name': 'x'}~:1: error: string or '}' expected near ''' (column 2); JSON has double quotes
		[]~: error: neither a configuration of CNI or flannel nor a ConfigMap with one
		{"cniVersion": "1.0.0", "name": "x", "plugin": []}~:1: warning: plugin: unknown key; did you mean "plugins"?
		{"cniVersion": "1.0.0", "name": "x", "plugins": {}}~:1: error: plugins: expected a list
		{"cniVersion": "1.0.0", "name": "x",\n"plugins": []}~:2: error: plugins: missing or empty
		{"cniVersion": "1.0.0",\n"name": "my net", "plugins": [{"type": "loopback"}]}~:2: error: name: invalid characters in "my net"
		{"name": "x", "plugins": [{"type": "loopback"}]}~:1: warning: cniVersion: missing; it means 0.1.0, which has no CHECK and no GC
		{"cniVersion": "1.0", "name": "x", "plugins": [{"type": "loopback"}]}~:1: error: cniVersion: "1.0" is not known; the newest is 1.1.0
		{"cniVersion": 1.0, "name": "x", "plugins": [{"type": "loopback"}]}~:1: error: cniVersion: expected a string, found 1
		{"cniVersion": "1.0.0", "name": "x", "type": "loopback"}~:1: error: type: a file *.conflist is read as a list, which has "plugins"
		{"cniVersion": "1.0.0", "name": "x", "plugins": [{"type": ""}]}~:1: error: plugins[0].type: missing
		{"cniVersion": "0.3.1", "name": "x", "plugins": [{"type": "loopback"}, {"type": "firewall"}]}~:1: error: cniVersion: incompatible CNI versions (plugin firewall): config is "0.3.1", plugin supports ["0.4.0" "1.0.0" "1.1.0"]
	TABLE
	echo '{"cniVersion": "1.0.0", "name": "x", "plugins": [{"type": "loopback"}]}' >t.conf
	says 1 $'t.conf:1: error: plugins: runtimes read a list only from a file *.conflist\n1 error, 0 warnings' t.conf
	says 1 $'none.conf: error: open: No such file or directory\n1 error, 0 warnings' none.conf
}

network() { # FILE NAME BRIDGE IPAM
	printf '{ "cniVersion": "1.0.0", "name": "%s", "plugins": [\n { "type": "bridge", "bridge": "%s", "isGateway": true,\n   "ipam": { "type": "host-local", %s } } ] }\n' \
		"${@:2}" >"net.d/$1"
}

@test "a folder: which file wins, and what does not go together" {
	network 10-a.conflist a br0 '"subnet": "10.1.0.0/24", "rangeStart": "10.1.0.2", "rangeEnd": "10.1.0.99"'
	network 20-b.conflist b br1 '"subnet": "10.1.0.0/24", "rangeStart": "10.1.0.99"'
	network 30-c.conflist a br2 '"subnet": "10.3.0.0/24"'
	network 40-d.conflist d br0 '"subnet": "10.4.0.0/24"'
	network 50-e.conflist e br0 '"subnet": "10.1.0.0/24", "rangeStart": "10.1.0.240", "rangeEnd": "10.1.0.250"'
	echo '{' >net.d/05-x.conflist
	touch net.d/10-a.conflist.bak
	says 1 "net.d/05-x.conflist:2: error: unexpected end of JSON input (column 0)
net.d/20-b.conflist:3: warning: plugins[0].ipam: 10.1.0.0/24 overlaps 10.1.0.0/24 of network a in net.d/10-a.conflist: addresses are given out twice
net.d/30-c.conflist:1: warning: name: \"a\" is also that of net.d/10-a.conflist, which comes first
net.d/40-d.conflist:3: warning: plugins[0].ipam: bridge br0 has 10.1.0.0/24 from network a in net.d/10-a.conflist already, not 10.4.0.0/24
net.d/50-e.conflist:3: warning: plugins[0].ipam: 10.1.0.0/24 overlaps 10.1.0.0/24 of network b in net.d/20-b.conflist: addresses are given out twice
net.d/50-e.conflist:3: warning: plugins[0].ipam: bridge br0 has 10.4.0.0/24 from network d in net.d/40-d.conflist already, not 10.1.0.0/24
1 error, 5 warnings" net.d
	assert_eq "who wins" "$("$CNIBOX" lint -e net.d | grep -A2 '^net.d$')" "net.d
  containerd and CRI-O take net.d/10-a.conflist (network a), the first by name that can be used
  nobody reads 10-a.conflist.bak: names end in .conf, .conflist or .json"
	rm net.d/*.conflist
	says 1 $'net.d: error: no network in it that can be used\n1 error, 0 warnings' net.d
}

@test "addresses of static and of host-local do not go together either" {
	fixed() {
		printf '{ "cniVersion": "1.0.0", "name": "%s", "type": "ptp",\n  "ipam": { "type": "static", "addresses": [ { "address": "%s" } ] } }\n' \
			"$2" "$3" >"net.d/$1"
	}
	network 10-a.conflist a br0 '"subnet": "10.1.0.0/24"'
	fixed 20-s.conf s 10.1.0.7/24
	fixed 30-t.conf t 10.2.0.7/24
	fixed 40-u.conf u 10.2.0.7/16
	says 0 'net.d/20-s.conf:2: warning: ipam: 10.1.0.7/24 overlaps 10.1.0.0/24 of network a in net.d/10-a.conflist: addresses are given out twice
net.d/40-u.conf:2: warning: ipam: 10.2.0.7/16 overlaps 10.2.0.7/24 of network t in net.d/30-t.conf: addresses are given out twice
0 errors, 2 warnings' net.d
}

@test "an MTU that is more than the master of this node has" {
	ip link add lan0 mtu 1400 type veth peer name lan1
	for plugin in '"macvlan"' '"ipvlan"' '"vlan", "vlanId": 7'; do
		assert_eq "$plugin" "$(finding '{"type": '"$plugin"', "master": "lan0", "mtu": 1500, "ipam": {"type": "dhcp"}}')" \
			"warning: mtu: 1500 is more than lan0 of this node has (1400): ADD refuses it"
		for other in '"master": "lan0", "mtu": 1400' '"master": "lan7", "mtu": 1500' '"master": "lan0", "linkInContainer": true, "mtu": 1500'; do
			assert_eq "$plugin $other" "$(finding '{"type": '"$plugin, $other"', "ipam": {"type": "dhcp"}}')" "nothing is wrong"
		done
	done
}

@test "no master, and no default route to have one" {
	clean "macvlan" - <<<'{"cniVersion": "1.0.0", "name": "x", "type": "macvlan", "mtu": 1500, "ipam": {"type": "dhcp"}}'
}

@test "gateways that nobody reaches, and addresses that nobody can have" {
	local text want

	while IFS='~' read -r text want; do
		assert_eq "$text" "$(finding '{"type": "bridge", "ipam": {"type": "host-local", '"$text"'}}')" "$want"
	done <<-'TABLE'
		"subnet": "10.1.0.0/24", "routes": [{"dst": "0.0.0.0/0", "gw": "10.2.0.1"}]~warning: ipam: default via 10.2.0.1: no subnet leads to that gateway: ADD fails
		"subnet": "fd00::/64", "routes": [{"dst": "fd01::/64", "gw": "fd02::1"}]~warning: ipam: fd01::/64 via fd02::1: no subnet leads to that gateway: ADD fails
		"subnet": "10.1.0.0/24", "routes": [{"dst": "10.2.0.0/24"}, {"dst": "0.0.0.0/0", "gw": "10.2.0.1"}]~nothing is wrong
		"subnet": "10.1.0.0/24", "routes": [{"dst": "0.0.0.0/0", "gw": "10.1.0.9"}]~nothing is wrong
		"ranges": [[{"subnet": "10.1.0.0/24"}, {"subnet": "10.2.0.0/24", "gateway": "10.3.0.1"}]]~warning: ipam: gateway 10.3.0.1 is not in 10.2.0.0/24: no route leads to it
		"subnet": "224.0.0.0/24"~warning: ipam: 224.0.0.0/24 has no addresses for a container
		"subnet": "127.1.0.0/24"~warning: ipam: 127.1.0.0/24 has no addresses for a container
	TABLE
}

@test "what host-local has given out is held against the ranges" {
	network 10-a.conflist a br0 '"subnet": "10.1.0.0/28"'
	mkdir -p /var/lib/cni/networks/{a,old}
	printf 'x\r\neth0' | tee /var/lib/cni/networks/a/{10.1.0.2,10.1.0.3,10.9.0.4} /var/lib/cni/networks/old/10.1.0.5 >/dev/null
	says 0 'net.d/10-a.conflist:3: warning: plugins[0].ipam: 1 of the leases in /var/lib/cni/networks/a, as 10.9.0.4, are in none of the ranges
net.d/10-a.conflist:3: warning: plugins[0].ipam: 1 of these addresses, as 10.1.0.5, are leased by network "old" (/var/lib/cni/networks/old), and would be given out again
0 errors, 2 warnings' net.d/10-a.conflist
	assert_match "how full it is" "$("$CNIBOX" lint -e net.d/10-a.conflist)" \
		'host-local: an address of 10.1.0.1-10.1.0.14 \(13, 2 taken\), kept in /var/lib/cni/networks/a'
}

@test "a network of flannel, alone, in a manifest and from stdin" {
	local text want

	while IFS='~' read -r text want; do
		printf '%b' "$text" >net-conf.json
		assert_eq "$text" "$("$CNIBOX" lint net-conf.json | head -n 1)" "$want"
	done <<-'TABLE'
		{"Network": "10.244.0.0/16", "Backend": {"Type": "vxlan"}}~nothing is wrong
		{"Network": "10.244.0.0", "Backend": {"Type": "vxlan"}}~net-conf.json:1: error: Network: "10.244.0.0" is not a CIDR (such as 10.1.0.0/24)
		{"Netwrk": "10.244.0.0/16",\n"Backend": {"Type": "vxlan"}}~net-conf.json:1: warning: Netwrk: unknown key; did you mean "Network"?
		{"Network": "10.244.0.0/16",\n"Backend": {"Typ": "vxlan"}}~net-conf.json:2: warning: Backend.Typ: unknown key; did you mean "Type"?
		{"Network": "10.244.0.0/16",\n"Backend": {"Type": "vxlam"}}~net-conf.json:2: error: Backend.Type: backend "vxlam" is not served here; vxlan, host-gw and udp are
		{"Network": "10.244.0.0/16",\n"Backend": {"Type": "vxlan",\n "VNI": 0}}~net-conf.json:3: error: Backend.VNI: 0 is out of range 1..16777215
		{"Network": "10.244.0.0/16"}~net-conf.json:1: warning: Backend: missing: it means udp, which is slow; vxlan is usual
		{"Network": "10.244.0.0/24",\n"SubnetLen": 25}~net-conf.json:2: error: SubnetLen: network must be able to accommodate at least four subnets
		{"Network": "10.244.0.0/16",\n"SubnetMin": "10.9.0.0"}~net-conf.json:2: error: SubnetMin: SubnetMin is not in the range of the Network
		{"EnableIPv6": true,\n"Network": "10.244.0.0/16"}~net-conf.json:1: error: IPv6Network: please define a correct IPv6Network parameter in the flannel config
	TABLE
	sed 's/"10.244.0.0.16"/"10.244.0.0"/; s/"portmap"/"portmpa"/' "$CNIBOX_TOP/packaging/kubernetes/cnibox-flannel.yaml" >m.yaml
	line() { grep -n "$1" m.yaml | cut -d: -f1; }
	want="m.yaml:$(line portmpa): error: data.cni-conf.json.plugins[1].type: failed to find plugin \"portmpa\" in path [$CNI_PATH]; did you mean \"portmap\"?
m.yaml:$(line '"10.244.0.0"'): error: data.net-conf.json.Network: \"10.244.0.0\" is not a CIDR (such as 10.1.0.0/24)
2 errors, 0 warnings"
	says 1 "$want" m.yaml
	assert_eq "from stdin" "$("$CNIBOX" lint - <m.yaml)" "${want//m.yaml/stdin}"
	jq -n '{kind: "ConfigMap", apiVersion: "v1", data: {"net-conf.json": "{\"Network\": \"10.1\"}"}}' >m.json
	says 1 "m.json:5: error: data.net-conf.json.Network: \"10.1\" is not a CIDR (such as 10.1.0.0/24)
1 error, 0 warnings" m.json
}

@test "plugins that a runtime would not find, where there is a folder of them" {
	network 10-a.conflist a br0 '"subnet": "10.1.0.0/24"'
	rm bin/host-local
	says 0 "net.d/10-a.conflist:3: warning: plugins[0].ipam.type: \"host-local\" is not in $CNI_PATH, where a runtime looks: \`cnibox install\`
0 errors, 1 warning" net.d/10-a.conflist
	clean "a machine that is no node" --path /nonexistent net.d/10-a.conflist
	printf '#!/bin/sh\n' >bin/calico && chmod +x bin/calico
	echo '{"cniVersion": "1.0.0", "name": "x", "type": "calico", "what": "ever"}' >x.conf
	clean "keys of a plugin that is not ours" x.conf
}

@test "in words: what each plugin of the chain would do" {
	cat >pods.conflist <<-'FILE'
		{ "cniVersion": "1.0.0", "name": "pods", "plugins": [
		  { "type": "bridge", "bridge": "cni0", "isDefaultGateway": true, "ipMasq": true, "ipMasqBackend": "nftables",
		    "ipam": { "type": "host-local", "ranges": [ [ { "subnet": "10.1.0.0/24" } ], [ { "subnet": "fd00:1::/64" } ] ] } },
		  { "type": "portmap", "backend": "nftables", "capabilities": { "portMappings": true } },
		  { "type": "bandwidth", "ingressRate": 8000000, "ingressBurst": 80000 },
		  { "type": "firewall", "ingressPolicy": "isolated" },
		  { "type": "tuning", "sysctl": { "net.core.somaxconn": "500" } } ] }
	FILE
	says 0 'pods.conflist: network pods, CNI 1.0.0
  bridge: a veth pair, whose host end is a port of bridge cni0, made when absent
  bridge: cni0 gets 10.1.0.1/24 and fd00:1::1/64, and the node forwards
  bridge: what leaves the subnet is masqueraded, by nftables
  host-local: an address of 10.1.0.1-10.1.0.254 (253, 0 taken), kept in /var/lib/cni/networks/pods
  host-local: an address of fd00:1::1-fd00:1::ffff:ffff:ffff:ffff (more than enough, 0 taken), kept in /var/lib/cni/networks/pods
  routes: default via 10.1.0.1, default via fd00:1::1
  portmap: ports of the host lead to the container, by nftables; the node and the container itself may use them, too
  bandwidth: to the container at most 8000000 bits per second
  firewall: the node forwards what the container sends and receives, but of no other container of a bridge
  tuning: net.core.somaxconn becomes "500"
nothing is wrong' --explain pods.conflist
	mkdir -p /run/flannel
	printf 'FLANNEL_%s\n' NETWORK=10.5.0.0/16 SUBNET=10.5.7.1/24 MTU=1450 IPMASQ=true >/run/flannel/subnet.env
	echo '{"cniVersion": "1.0.0", "name": "five", "type": "flannel", "delegate": {"bridge": "br5"}}' >five.conf
	says 0 "five.conf: network five, CNI 1.0.0
  flannel: the node's lease in /run/flannel/subnet.env, handed to bridge
  bridge: a veth pair, whose host end is a port of bridge br5, made when absent
  bridge: br5 gets 10.5.7.1/24, and the node forwards
  host-local: an address of 10.5.7.1-10.5.7.254 (253, 0 taken), kept in /var/lib/cni/networks/five
  routes: 10.5.0.0/16 via 10.5.7.1
nothing is wrong" -e five.conf
	for plugin in '{"type": "ptp", "ipam": {"type": "host-local", "subnet": "10.1.0.0/24"}}~ptp: a veth pair, and a route of the host to each container; the host'\''s end has 10.1.0.1/32' \
		'{"type": "macvlan", "master": "eth1", "ipam": {"type": "dhcp"}}~macvlan: an interface with a MAC address of its own, mode bridge on eth1' \
		'{"type": "vlan", "master": "eth1", "vlanId": 7, "ipam": {"type": "dhcp"}}~vlan: an interface in VLAN 7 on eth1' \
		'{"type": "ipvlan", "ipam": {"type": "static", "addresses": [{"address": "10.1.0.5/24"}]}}~static: 10.1.0.5/24, the same for each container' \
		'{"type": "dummy", "ipam": {"type": "dhcp"}}~dhcp: addresses from a DHCP server, kept by a daemon' \
		'{"type": "host-device", "device": "eth7"}~host-device: the device eth7 moves into the container, and back at the end'; do
		finding "${plugin%%~*}" >/dev/null
		assert "${plugin#*~}" grep -qxF "  ${plugin#*~}" <("$CNIBOX" lint -e t.conflist)
	done
}

@test "as JSON; the exit status; no bytes of a file reach the terminal" {
	echo '{"cniVersion": "1.0.0", "name": "x", "type": "loopback", "a\u001b[31m": 1}' >t.conf
	says 0 $'t.conf:1: warning: a?[31m: unknown key\n0 errors, 1 warning' t.conf
	says 1 $'t.conf:1: warning: a?[31m: unknown key\n0 errors, 1 warning' --strict t.conf
	echo '{"cniVersion": "1.0.0", "name": "x", "type": "bridge", "mtu": 9, "brigde": "y"}' >t.conf
	assert_same_json "findings and files" "$("$CNIBOX" lint --json t.conf || true)" '{"version": 1,
		"files": [{"file": "t.conf", "kind": "network", "name": "x", "cniVersion": "1.0.0", "does": []}],
		"findings": [{"file": "t.conf", "line": 1, "severity": "warning", "path": "brigde", "text": "unknown key; did you mean \"bridge\"?"},
			{"file": "t.conf", "line": 1, "severity": "error", "path": "mtu", "text": "invalid MTU 9 (must be 0 or between 68 and 65535)"}]}'
	refute "an error" "$CNIBOX" lint --json t.conf
	run "$CNIBOX" lint
	assert_eq "without a file" "$status" 2
}
