#!/usr/bin/env bats
# What runtimes count on, for every plugin that is in the binary: environment and its errors for each command, each
# version's ADD, CHECK, DEL and DEL again, keys and arguments as containerd, CRI-O and podman write them.

load lib/all
sandbox

VERSIONS=(0.1.0 0.2.0 0.3.0 0.3.1 0.4.0 1.0.0 1.1.0)

# TYPE=REGEX in the environment: those plugins only.
setup() {
	local type

	container ctr
	ip link add hd0 type veth peer name hd1 # what host-device lends
	ip link add lan0 type veth peer name wire0 # a master
	ip link set lan0 up
	ip link set wire0 up
	mapfile -t TYPES < <("$CNIBOX" list --plain | sed -n 's/^cni //p' | grep -xE "${TYPE:-.*}")
	ABLE=() # those that can work here: the kernel knows the kind of link, and no server is needed (330-dhcp)
	for type in "${TYPES[@]}"; do
		[[ $type == dhcp ]] || lacks_kind "$type" || ABLE+=("$type")
	done
}

lacks_kind() {
	local said

	[[ $1 == @(ipvlan|vlan|dummy|vrf) ]] || return
	said=$(ip link add name probe0 type "$1" 2>&1)
	ip link del probe0 2>/dev/null || :
	[[ $said == *"Unknown device type"* ]]
}

is_chained() { [[ $1 == @(bandwidth|firewall|portmap|sbr|tuning|vrf) ]]; }

# It knows that version, or not.
knows() { # TYPE VERSION
	local oldest=0.1.0

	case $1 in
	bandwidth) oldest=0.3.0 ;;
	vrf)       oldest=0.3.1 ;;
	firewall)  oldest=0.4.0 ;;
	esac
	[[ ! $2 < $oldest ]]
}

# A configuration that works: a chained plugin stands behind bridge.
whole() { # TYPE VERSION
	if is_chained "$1"; then
		jq -c -n --argjson bridge "$(conf bridge)" --argjson it "$(conf "$1")" --arg version "$2" \
			'{cniVersion: $version, name: "tnet", plugins: [$bridge, $it]}'
	else
		conf "$1" ".cniVersion = \"$2\""
	fi
}

# plugin TYPE STDIN [VARIABLE=value ...]: an ADD for ctr on eth0, with the variables changed
plugin() {
	local type=$1 stdin=$2

	shift 2
	status=0
	output=$(env -i PATH="$PATH" CNI_COMMAND=ADD CNI_CONTAINERID=ctr CNI_NETNS=/run/netns/ctr CNI_IFNAME=eth0 \
		CNI_PATH="$PLUGINS" "$@" timeout 30 "$PLUGINS/$type" <<<"$stdin" 2>"$BATS_TEST_TMPDIR/stderr") || status=$?
	printf '+ %s %s <<<%s\n%s\n' "$type" "$*" "$stdin" "$output"
}

refused() { # CODE MESSAGE: and nothing else on stdout or stderr
	assert_eq "the exit status" "$status" 1 &&
		assert_eq "one error object" "$(jq -r '"\(.code | tojson) \(.msg | strings)"' <<<"$output")" "$1 $2" &&
		assert_eq "nothing on stderr" "$(<"$BATS_TEST_TMPDIR/stderr")" ""
}

# ---- the environment ----

# The table of the process contract: what each command requires.
declare -gA requirement=(
	[ADD]="CNI_CONTAINERID CNI_NETNS CNI_IFNAME CNI_PATH" [CHECK]="CNI_CONTAINERID CNI_NETNS CNI_IFNAME CNI_PATH"
	[DEL]="CNI_CONTAINERID CNI_IFNAME CNI_PATH" [GC]=CNI_PATH [STATUS]=CNI_PATH
)

@test "every plugin and command: each missing variable is named, all of them in order, code 4" {
	before=$(snapshot host ctr)
	for type in "${TYPES[@]}"; do
		it=$(conf "$type" '.cniVersion = "1.1.0"')
		for command in ADD CHECK DEL GC STATUS; do
			read -ra needed <<<"${requirement[$command]}"
			for name in "${needed[@]}"; do
				plugin "$type" "$it" CNI_COMMAND=$command "$name="
				refused 4 "required env variables [$name] missing"
			done
			plugin "$type" "$(conf "$type")" CNI_COMMAND=$command CNI_CONTAINERID= CNI_NETNS= CNI_IFNAME= CNI_PATH=
			refused 4 "required env variables [$(IFS=,; echo "${needed[*]}")] missing"
		done
	done
	assert_eq "nothing has changed" "$(snapshot host ctr)" "$before"
}

@test "every plugin: what a command does not need is not looked at" {
	for type in "${TYPES[@]}"; do
		for command in GC STATUS; do
			plugin "$type" "$(conf "$type" '.cniVersion = "1.1.0"')" CNI_COMMAND=$command CNI_CONTAINERID=-bad \
				CNI_IFNAME=a/b CNI_NETNS=dummy
			if [[ $command == STATUS && " ${ABLE[*]} " != *" $type "* ]]; then
				assert_json "$type: what this kernel lacks" "$output" .code 50
			else
				assert_eq "$type $command" "$status:$output" 0:
			fi
		done
		plugin "$type" '' CNI_COMMAND=VERSION CNI_CONTAINERID=-bad CNI_IFNAME=a/b CNI_NETNS=dummy CNI_PATH=dummy
		assert_eq "$type VERSION" "$status:$output" \
			"0:{\"cniVersion\":\"1.1.0\",\"supportedVersions\":[$(for version in "${VERSIONS[@]}"; do
				! knows "$type" "$version" || printf '"%s"\n' "$version"; done | paste -sd,)]}"
		env -i CNI_COMMAND=VERSION "$PLUGINS/$type" <&- >/dev/null
		env -i "$PLUGINS/$type" <&- >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/stderr"
		assert_match "$type without a command" "$(<"$BATS_TEST_TMPDIR/stderr")" "^CNI $type plugin v"
		assert_eq "on stderr only" "$(<"$BATS_TEST_TMPDIR/out")" ""
	done
}

@test "every plugin: container ids, names, versions and commands that cannot be, with their codes" {
	before=$(snapshot host ctr)
	while IFS='~' read -r change environment code message; do
		for type in "${TYPES[@]}"; do
			plugin "$type" "$(conf "$type" "$change")" "$environment"
			refused "$code" "$message"
		done
	done <<-'TABLE'
		.~CNI_CONTAINERID=a/b~4~invalid characters in containerID
		.~CNI_CONTAINERID=-a~4~invalid characters in containerID
		.~CNI_IFNAME=..~4~interface name is . or ..
		.~CNI_IFNAME=0123456789abcdef~4~interface name is too long
		.~CNI_IFNAME=a:b~4~interface name contains / or : or whitespace characters
		.~CNI_COMMAND=add~4~unknown CNI_COMMAND: add
		del(.name)~CNI_ARGS=~7~missing network name
		.name = "a b"~CNI_ARGS=~7~invalid characters found in network name
		.cniVersion = "1.0"~CNI_ARGS=~1~incompatible CNI versions
		.cniVersion = "0.3.1"~CNI_COMMAND=CHECK~1~config version does not allow CHECK
		.cniVersion = "1.0.0"~CNI_COMMAND=GC~1~config version does not allow GC
		.cniVersion = "1.0.0"~CNI_COMMAND=STATUS~1~config version does not allow STATUS
		.cniVersion = "1.2.0"~CNI_COMMAND=STATUS~1~plugin version does not allow STATUS
		.~CNI_NETNS=/proc/self/ns/net~8~plugin's netns and netns from CNI_NETNS should not be the same
	TABLE
	assert_eq "nothing has changed" "$(snapshot host ctr)" "$before"
}

@test "a namespace that is none: ADD and CHECK say why with code 8, DEL succeeds" {
	: >/run/plain
	before=$(snapshot)
	for type in bridge loopback; do
		while IFS='~' read -r path reason; do
			for command in ADD CHECK; do
				plugin $type "$(conf $type '.prevResult = {cniVersion: "1.0.0"}')" CNI_COMMAND=$command CNI_NETNS="$path"
				assert_eq "$type $command" "$status" 1
				assert_json "code" "$output" .code 8
				assert_match "message" "$(jq -r .msg <<<"$output")" "failed to open netns \"$path\": $reason"
			done
			plugin $type "$(conf $type)" CNI_COMMAND=DEL CNI_NETNS="$path"
			assert_eq "$type DEL" "$status:$output" 0:
		done <<-'TABLE'
			/run/netns/gone~failed to Statfs "/run/netns/gone": no such file or directory
			/run/plain~unknown FS magic on "/run/plain": 
		TABLE
	done
	left "$before"
}

# ---- versions ----

# shape VERSION: a filter that is true for a result of that version and false for others
shape() {
	case $1 in
	0.[12].0)    echo '(has("ips") or has("interfaces") | not) and has("dns") and .ip4.ip' ;;
	0.3.* | 0.4.0) echo 'has("dns") and ([.ips[].version] | all(. == "4" or . == "6"))' ;;
	*)           echo '(has("dns") or has("ip4") or ([.ips[] | has("version")] | any)) | not' ;;
	esac
}

@test "every plugin and version: ADD in its shape, CHECK from 0.4.0, DEL, and DEL again" {
	before=$(snapshot host ctr)
	for type in "${ABLE[@]}"; do
		for version in "${VERSIONS[@]}"; do
			knows "$type" "$version" || continue
			it=$(whole "$type" "$version")
			cni_add "$it"
			assert_json "$type: the version of the result" "$output" .cniVersion "$version"
			assert_json "$type: its shape" "$output" "$(shape "$version")"
			[[ $version == 0.[123].* ]] || cni_check "$it"
			cni_del "$it"
			assert_eq "DEL prints nothing" "$output" ""
			NO_PREV=1 cni_del "$it"
			assert_eq "DEL prints nothing" "$output" ""
		done
	done
	cni_add "$(conf host-local 'del(.cniVersion)')"
	assert_json "without a version it is 0.1.0" "$output" '.cniVersion == "0.1.0" and (.ip4 | has("ip"))'
	EXPECT=1 cni_add "$(conf bridge '.cniVersion = "0.2.0" | del(.ipam, .isGateway)')"
	assert_json "no address to tell an old runtime" "$output" .msg "cannot convert: no valid IP addresses"
	refute "the interface was taken back" ip -n ctr link show eth0
}

@test "CNI_NETNS is in the result as it was given" {
	ln -s /run/netns /run/other
	plugin bridge "$(conf bridge)" CNI_NETNS=/run/other/ctr
	assert_json "the path" "$output" '.interfaces[2].sandbox' /run/other/ctr
	assert_json "addresses point to the container's interface" "$output" '.ips[0].interface' 2
}

# ---- keys and arguments, as runtimes write them ----

@test "keys count in any case at every level, as containerd writes them" {
	plugin bridge '{"CNIVERSION": "1.0.0", "Name": "tnet", "TYPE": "bridge", "ISGATEWAY": true, "Mtu": 1400,
		"IPAM": {"Type": "host-local", "Ranges": [[{"Subnet": "10.77.0.0/24", "GateWay": "10.77.0.9"}]],
			 "ROUTES": [{"DST": "192.0.2.0/24", "GW": "10.77.0.9"}]},
		"RuntimeConfig": {"MAC": "02:00:00:00:00:05", "IPs": ["10.77.0.50/24"],
			"portMappings": [{"HostPort": 80, "ContainerPort": 8080, "Protocol": "tcp", "HostIP": ""}],
			"bandwidth": {"IngressRate": 1000, "IngressBurst": 4294967295}}}'
	assert_json "all of it" "$output" '.ips[0].address == "10.77.0.50/24" and .ips[0].gateway == "10.77.0.9" and
		.interfaces[2].mac == "02:00:00:00:00:05" and .interfaces[2].mtu == 1400 and .routes[0].dst == "192.0.2.0/24"'
}

@test "CNI_ARGS of containerd, CRI-O and podman" {
	pod='K8S_POD_NAMESPACE=default;K8S_POD_NAME=web;K8S_POD_INFRA_CONTAINER_ID=0c2a;K8S_POD_UID=0c2a'
	for args in "IgnoreUnknown=1;$pod" "$pod;IgnoreUnknown=true" \
		"IgnoreUnknown=1;$pod;IP=10.77.0.40;MAC=02:00:00:00:00:06" \
		"IgnoreUnknown=1;K8S_POD_NAME=web;MAC=02:00:00:00:00:06;IP=10.77.0.40/24"; do
		plugin bridge "$(conf bridge)" CNI_ARGS="$args"
		assert_eq "ADD with $args" "$status" 0
		[[ $args != *IP=* ]] || assert_json "address and MAC" "$output" \
			'.ips[0].address == "10.77.0.40/24" and .interfaces[2].mac == "02:00:00:00:00:06"'
		plugin bridge "$(conf bridge)" CNI_COMMAND=DEL CNI_ARGS="$args"
		assert_eq "DEL with $args" "$status" 0
	done
	for type in "${ABLE[@]}"; do
		plugin "$type" "$(conf "$type")" CNI_ARGS="$pod"
		if [[ $type == loopback ]]; then
			assert_eq "a plugin that does not read them takes anything" "$status" 0
		elif is_chained "$type" && [[ $type != tuning ]]; then
			assert_match "$type: what it misses is prevResult" "$(jq -r .msg <<<"$output")" 'chained|prevResult'
		else
			delegate='' # flannel says, as the reference, that it was another one who refused
			[[ $type != flannel ]] || delegate='failed to delegate add: '
			refused 4 "${delegate}ARGS: unknown args [$(sed 's/[^;]*/"&"/g; s/;/ /g' <<<"$pod")]"
		fi
	done
	while IFS='~' read -r args message; do
		plugin bridge "$(conf bridge)" CNI_ARGS="$args"
		assert_eq "$args" "$status" 1
		assert_json "code of $args" "$output" .code 4
		assert_match "$args" "$(jq -r .msg <<<"$output")" "^$message"
	done <<-'TABLE'
		IgnoreUnknown=1;~ARGS: invalid pair ""
		IgnoreUnknown~ARGS: invalid pair "IgnoreUnknown"
		IgnoreUnknown=1;A=b=c~ARGS: invalid pair "A=b=c"
		IgnoreUnknown=yes~ARGS: 
		ignoreunknown=1;A=b~ARGS: unknown args \["ignoreunknown=1" "A=b"\]
		IgnoreUnknown=0;A=b~ARGS: unknown args \["A=b"\]
		MAC=zz~ARGS: 
	TABLE
	assert_eq "nothing was left" "$(cd /var/lib/cni/networks/tnet && echo 10.*)" '10.*'
}

@test "how JSON is read: unknown keys, keys twice, null, fractions, what follows the object" {
	while IFS='~' read -r text code want; do
		plugin host-local "$text"
		if [[ $code == 0 ]]; then
			assert_eq "$text" "$status:$(jq -r '.ips[0].address' <<<"$output")" "0:$want"
			plugin host-local "$text" CNI_COMMAND=DEL
		else
			assert_eq "$text" "$status" 1
			assert_json "$text" "$output" .code "$code"
			assert_match "$text" "$(jq -r .msg <<<"$output")" "$want"
		fi
	done <<-'TABLE'
		{"name": "a", "cniVersion": "1.0.0", "x": {"y": [1]}, "ipam": {"z": 1, "subnet": "10.1.0.0/24"}}~0~10.1.0.2/24
		{"name": "b", "cniVersion": "1.0.0", "ipam": {"subnet": "x", "subnet": "10.2.0.0/24"}}~0~10.2.0.2/24
		{"name": "c", "cniVersion": "1.0.0", "ipam": {"subnet": "10.3.0.0/24", "gateway": null, "routes": null}}~0~10.3.0.2/24
		{"name": "d", "cniVersion": "1.0.0", "ipam": {"subnet": "10.4.0.0/24"}} {}~6~error unmarshall network config: 
		{"name": "e", "cniVersion": "1.0.0", "ipam": {"subnet": "10.5.0.0/24", "routes": [{"dst": "0.0.0.0/0", "mtu": 1.5}]}}~6~mtu: expected an integer
		{"name": "f", "cniVersion": "1.0.0", "ipam": {"subnet": "10.6.0.0/24", "routes": [{"dst": "0.0.0.0/0", "scope": 300}]}}~7~scope: 300 is out of range
		[]~6~error unmarshall network config: 
	TABLE
	plugin host-local "$(printf '{"name": "g", "cniVersion": "1.0.0", "note": "\xe9t\xe9", "ipam": {"subnet": "10.7.0.0/24"}}')"
	assert_eq "bytes that are no UTF-8 are replaced" "$status:$(jq -r '.ips[0].address' <<<"$output")" 0:10.7.0.2/24
}

@test "prevResult of DEL and CHECK is the whole chain's: interfaces and addresses of later plugins do not matter" {
	chain=$(conf bridge)
	cni_add "$chain"
	result=$(jq -c '.interfaces += [{name: "bwpabc", mac: "02:00:00:00:00:77"}, {name: "net1", sandbox: "/run/netns/ctr"}]' <<<"$output")
	plugin bridge "$(jq -c --argjson r "$result" '.prevResult = $r' <<<"$chain")" CNI_COMMAND=CHECK
	assert_eq "CHECK" "$status:$output" 0:
	ip -n ctr link set eth0 address 02:00:00:00:00:42 # as the tuning plugin does, and says so
	result=$(jq -c '.interfaces[2].mac = "02:00:00:00:00:42"' <<<"$result")
	plugin bridge "$(jq -c --argjson r "$result" '.prevResult = $r' <<<"$chain")" CNI_COMMAND=CHECK
	assert_eq "CHECK of another MAC" "$status:$output" 0:
	plugin bridge "$(jq -c --argjson r "$result" '.prevResult = $r' <<<"$chain")" CNI_COMMAND=DEL
	assert_eq "DEL" "$status:$output" 0:
	refute "the interface is there" ip -n ctr link show eth0
}

@test "loopback: any interface name, another address on lo is refused, CHECK and DEL follow the link" {
	plugin loopback "$(conf loopback)" CNI_IFNAME=anything
	assert_json "its result" "$output" '.interfaces[0] | .name == "lo" and .mac == "00:00:00:00:00:00" and .sandbox == "/run/netns/ctr"'
	ip -n ctr link set lo down
	plugin loopback "$(conf loopback)" CNI_COMMAND=CHECK
	refused 999 "loopback interface is down"
	ip -n ctr link set lo up
	plugin loopback "$(conf loopback)" CNI_COMMAND=DEL
	assert_match "lo is down" "$(ip -n ctr link show lo)" 'state DOWN'
	plugin loopback "$(conf loopback)" CNI_COMMAND=DEL CNI_NETNS=
	assert_eq "DEL without a namespace" "$status:$output" 0:
	ip -n ctr addr add 192.0.2.1/32 dev lo
	plugin loopback "$(conf loopback)"
	assert_eq "another address" "$status" 1
	assert_match "is named" "$(jq -r .msg <<<"$output")" 'loopback interface found with non-loopback address "192.0.2.1'
}

# ---- netlink ----

@test "what the kernel says reaches the person" {
	conf bridge '.ipam.routes = [{dst: "192.0.2.0/24", gw: "203.0.113.9"}]' >/etc/cni/net.d/10-tnet.conf
	status=0
	said=$("$CNIBOX" cni add tnet ctr 2>&1) || status=$?
	assert_eq "the exit status" "$status" 1
	assert_match "the step, the reason, the kernel's own words" "$said" \
		'add route 192\.0\.2\.0/24 via 203\.0\.113\.9: Network is unreachable \(Nexthop has invalid gateway\)'
}

@test "a kernel that does not answer is an error after a while, not a hang, and the host is as before" {
	need strace
	[[ -z ${CNIBOX_SANITIZED:-} ]] || skip "a tracer and the leak checker exclude each other"
	links=$(ip -br link | wc -l)
	before=$(snapshot host ctr)
	for n in 1 3; do
		# The request is swallowed: as far as the plugin knows it was sent.
		CNI_DEADLINE=60 CNI_WRAP=(strace -qq -o /dev/null -e inject="sendmsg:retval=64:when=$n")
		start=$EPOCHSECONDS
		EXPECT=1 cni_add "$(conf bridge)"
		assert "in time" test $((EPOCHSECONDS - start)) -lt 30
		assert_match "the reason" "$(jq -r .msg <<<"$output")" 'timed out|Timeout|timeout|no answer|not answer'
		CNI_WRAP=()
		NO_PREV=1 cni_del "$(conf bridge)"
	done
	ip link del cni0 2>/dev/null || :
	assert_eq "links" "$(ip -br link | wc -l)" "$links"
	assert_eq "leases" "$(cd /var/lib/cni/networks/tnet 2>/dev/null && echo 10.*)" '10.*'
}

# ---- schemas ----

@test "the schema of every applet is valid JSON Schema, takes the fixtures and refuses a mistake" {
	python3 -c 'import jsonschema' 2>/dev/null || missing "python3-jsonschema"
	"$CNIBOX" list --plain | while read -r kind name; do
		"$CNIBOX" help --schema "$name" >"$BATS_TEST_TMPDIR/$name.json"
		echo "$kind $name"
	done >"$BATS_TEST_TMPDIR/names"
	cd "$BATS_TEST_TMPDIR"
	run_log python3 - "$CNIBOX_TESTS"/fixtures/*.json <<-'PYTHON'
		import json, sys, jsonschema
		schemas = {}
		for line in open("names"):
		    kind, name = line.split()
		    schema = json.load(open(name + ".json"))
		    jsonschema.Draft202012Validator.check_schema(schema)
		    for part in schema.get("$defs", {}).values():
		        jsonschema.Draft202012Validator.check_schema(part)
		    if kind == "cni":
		        schemas[name] = jsonschema.Draft202012Validator(schema)
		taken = 0
		for path in sys.argv[1:]:
		    fixture = json.load(open(path))
		    conf = fixture["conf"]
		    if fixture.get("fails") or "case" in path or conf.get("type") not in schemas:
		        continue
		    schemas[conf["type"]].validate(conf)
		    taken += 1
		assert taken > 40, taken
		for conf in ({"name": "n", "type": "bridge", "mtu": "big"}, {"name": "n", "type": "bridge", "vlan": [1]}):
		    assert not schemas["bridge"].is_valid(conf), conf
		assert not schemas["host-local"].is_valid({"name": "n", "type": "host-local", "ipam": {"ranges": [1]}})
	PYTHON
}
