#!/usr/bin/env bats
# The process contract of a CNI plugin (environment, stdin, stdout, exit status), through loopback, which has no keys
# of its own. What the reference plugin says to the same input is compared where it is installed.

load lib/all
sandbox

CONF='{"cniVersion": "1.0.0", "name": "n", "type": "loopback"}'

setup() {
	container ctr
	ip -n ctr link set lo down
}

# plugin STDIN [VARIABLE=value ...]: an ADD, with the variables changed; VARIABLE= leaves one empty.
plugin() {
	local stdin=$1 program=${PROGRAM:-$PLUGINS/loopback}

	shift
	status=0
	output=$(env -i PATH="$PATH" CNI_COMMAND=ADD CNI_CONTAINERID=ctr CNI_NETNS=/run/netns/ctr CNI_IFNAME=lo \
		CNI_PATH="$PLUGINS" "$@" timeout 10 "$program" <<<"$stdin" 2>"$BATS_TEST_TMPDIR/stderr") || status=$?
	stderr=$(<"$BATS_TEST_TMPDIR/stderr")
	printf '+ %s <<<%s\n%s\n' "$*" "$stdin" "$output"
}

# refused CODE MESSAGE [DETAILS]: what the last call said.
refused() {
	assert_eq "the exit status" "$status" 1
	assert_eq "stdout is one error object" \
		"$(jq -c '[.code, .msg, .details // ""]' <<<"$output")" "$(jq -cn --arg m "$2" --arg d "${3:-}" "[$1, \$m, \$d]")"
	assert_eq "nothing on stderr" "$stderr" ""
}

# The same input to the reference: equal but for the key it leaves out.
as_reference() {
	local ours=$output

	need_reference loopback
	PROGRAM=$REFERENCE/loopback plugin "$@"
	assert_same_json "the reference says the same" "$(jq 'del(.cniVersion)' <<<"$ours")" "$output"
}

@test "missing variables are listed in order, code 4" {
	plugin "$CONF" CNI_NETNS=
	refused 4 'required env variables [CNI_NETNS] missing'
	as_reference "$CONF" CNI_NETNS=
	plugin "$CONF" CNI_CONTAINERID= CNI_NETNS= CNI_IFNAME= CNI_PATH=
	refused 4 'required env variables [CNI_CONTAINERID,CNI_NETNS,CNI_IFNAME,CNI_PATH] missing'
	as_reference "$CONF" CNI_CONTAINERID= CNI_NETNS= CNI_IFNAME= CNI_PATH=
	plugin "$CONF" CNI_COMMAND=DEL CNI_NETNS= CNI_PATH=
	refused 4 'required env variables [CNI_PATH] missing'
	as_reference "$CONF" CNI_COMMAND=DEL CNI_NETNS= CNI_PATH=
}

# (In this the installed 1.1.1 differs from the newer skeleton.)
@test "an invalid variable wins over a missing one" {
	plugin "$CONF" CNI_CONTAINERID=-a CNI_NETNS=
	refused 4 'invalid characters in containerID' -a
	plugin "$CONF" CNI_CONTAINERID=-a
	as_reference "$CONF" CNI_CONTAINERID=-a
	plugin "$CONF" CNI_IFNAME=0123456789abcdef CNI_PATH=
	refused 4 'interface name is too long' 'interface name should be less than 16 characters'
	plugin "$CONF" CNI_IFNAME=0123456789abcdef
	as_reference "$CONF" CNI_IFNAME=0123456789abcdef
}

@test "interface names" {
	local name

	for name in . ..; do
		plugin "$CONF" CNI_IFNAME=$name
		refused 4 'interface name is . or ..'
		as_reference "$CONF" CNI_IFNAME=$name
	done
	for name in a/b a:b 'a b' $'a\u00a0b'; do
		plugin "$CONF" CNI_IFNAME="$name"
		refused 4 'interface name contains / or : or whitespace characters'
		as_reference "$CONF" CNI_IFNAME="$name"
	done
}

@test "stdin that is no configuration, codes 6 and 7" {
	plugin ''
	refused 6 'error unmarshall network config: unexpected end of JSON input'
	as_reference ''
	plugin '{"name": '
	assert_json "a decoding error" "$output" '.code == 6 and (.msg | startswith("error unmarshall network config: "))'
	plugin '{"cniVersion": "1.0.0"}'
	refused 7 'missing network name'
	as_reference '{"cniVersion": "1.0.0"}'
	plugin '{"cniVersion": "1.0.0", "name": "a/b"}'
	refused 7 'invalid characters found in network name' a/b
	as_reference '{"cniVersion": "1.0.0", "name": "a/b"}'
	plugin '{"name": "n"} trailing'
	assert_json "a decoding error" "$output" '.code == 6'
}

@test "an unknown command comes after a bad configuration" {
	plugin "$CONF" CNI_COMMAND=FOO
	refused 4 'unknown CNI_COMMAND: FOO'
	as_reference "$CONF" CNI_COMMAND=FOO
	plugin '{}' CNI_COMMAND=FOO
	refused 7 'missing network name'
}

@test "versions that do not fit, code 1" {
	plugin '{"cniVersion": "9.9", "name": "n"}'
	refused 1 'incompatible CNI versions' \
		'config is "9.9", plugin supports ["0.1.0" "0.2.0" "0.3.0" "0.3.1" "0.4.0" "1.0.0" "1.1.0"]'
	assert_eq "lo was not touched" "$(ip -n ctr -j link show lo | jq -r '.[0].operstate')" DOWN
	plugin '{"cniVersion": "0.3.1", "name": "n"}' CNI_COMMAND=CHECK
	refused 1 'config version does not allow CHECK'
	as_reference '{"cniVersion": "0.3.1", "name": "n"}' CNI_COMMAND=CHECK
	plugin "$CONF" CNI_COMMAND=GC
	refused 1 'config version does not allow GC'
	plugin "$CONF" CNI_COMMAND=STATUS
	refused 1 'config version does not allow STATUS'
	plugin '{"cniVersion": "1.2.0", "name": "n"}' CNI_COMMAND=GC
	refused 1 'plugin version does not allow GC'
}

@test "an error says its version first, four spaces deep, without a newline" {
	plugin '{"cniVersion": "0.4.0", "name": "a b"}'
	assert_eq "the bytes" "$output" $'{\n    "cniVersion": "0.4.0",\n    "code": 7,\n    "msg": "invalid characters found in network name",\n    "details": "a b"\n}'
}

@test "VERSION ignores everything else" {
	local out=$BATS_TEST_TMPDIR/out

	env -i CNI_COMMAND=VERSION CNI_IFNAME='not a name' CNI_NETNS=dummy CNI_PATH=dummy "$PLUGINS/loopback" <&- >"$out"
	assert_eq "one line" "$(cat "$out"; echo .)" \
		'{"cniVersion":"1.1.0","supportedVersions":["0.1.0","0.2.0","0.3.0","0.3.1","0.4.0","1.0.0","1.1.0"]}'$'\n.'
	plugin '{"cniVersion":"1.1.0"}' CNI_COMMAND=VERSION
	assert_eq "the exit status" "$status" 0
}

@test "without a command it says what it is, on stderr" {
	plugin '' CNI_COMMAND=
	assert_eq "the exit status" "$status" 0
	assert_eq "nothing on stdout" "$output" ""
	assert_match "the first line" "$stderr" $'^CNI loopback plugin v[^\n]+\nCNI protocol versions supported: 0.1.0, 0.2.0, 0.3.0, 0.3.1, 0.4.0, 1.0.0, 1.1.0$'
}

@test "the host's own namespace is refused before anything is touched, code 8" {
	local command

	for command in ADD DEL; do
		plugin "$CONF" CNI_COMMAND=$command CNI_NETNS=/proc/self/ns/net
		refused 8 "plugin's netns and netns from CNI_NETNS should not be the same"
		assert_match "the host's lo is up" "$(ip link show lo)" '[<,]UP[,>]'
	done
	plugin "$CONF" CNI_COMMAND=DEL CNI_NETNS=/proc/self/ns/net CNI_NETNS_OVERRIDE=TRUE
	assert_eq "unless it is meant" "$status" 0
}

@test "every version: ADD, CHECK, DEL twice" {
	local version

	for version in 0.1.0 0.2.0 0.3.0 0.3.1 0.4.0 1.0.0 1.1.0; do
		plugin "{\"cniVersion\": \"$version\", \"name\": \"n\"}"
		assert_eq "ADD $version" "$status" 0
		assert_json "its version" "$output" .cniVersion $version
		plugin "{\"cniVersion\": \"$version\", \"name\": \"n\"}" CNI_COMMAND=DEL
		assert_eq "DEL $version" "$status:$output" 0:
		plugin "{\"cniVersion\": \"$version\", \"name\": \"n\"}" CNI_COMMAND=DEL
		assert_eq "DEL $version again" "$status:$output" 0:
	done
}

@test "the shapes of results, old and new" {
	plugin '{"name": "n"}'
	assert_same_json "0.1.0" "$output" \
		'{"cniVersion": "0.1.0", "ip4": {"ip": "127.0.0.1/8"}, "ip6": {"ip": "::1/128"}, "dns": {}}'
	plugin '{"name": "n", "cniVersion": "0.3.1"}'
	assert_json "0.3.1 says the IP version" "$output" '[.ips[].version] == ["4", "6"] and .dns == {}'
	plugin "$CONF"
	assert_json "1.0.0 does not" "$output" '([.ips[] | has("version")] | any | not) and (has("dns") | not)'
	assert_json "index 0 is there" "$output" '.ips[0].interface == 0'
	assert_eq "no newline at the end" "$(env -i CNI_COMMAND=ADD CNI_CONTAINERID=c CNI_NETNS=/run/netns/ctr \
		CNI_IFNAME=lo CNI_PATH=/ "$PLUGINS/loopback" <<<"$CONF" | tail -c 1)" '}'
}

@test "keys are read in any case" {
	plugin '{"CNIVERSION": "1.0.0", "Name": "n"}'
	assert_eq "the exit status" "$status" 0
	assert_json "the version was seen" "$output" .cniVersion 1.0.0
}

@test "prevResult must be of the configuration's family" {
	plugin '{"cniVersion": "1.1.0", "name": "n", "prevResult": {"cniVersion": "1.0.0", "ips": [{"address": "10.1.0.5/24"}]}}'
	assert_same_json "it is printed in the configuration's version" "$output" \
		'{"cniVersion": "1.1.0", "ips": [{"address": "10.1.0.5/24"}]}'
	plugin '{"cniVersion": "1.1.0", "name": "n", "prevResult": {"cniVersion": "0.4.0"}}'
	refused 6 'could not parse prevResult: result type supports [1.0.0 1.1.0] but unmarshalled CNIVersion is "0.4.0"'
}

@test "a broken stdout is a failure" {
	status=0
	env -i CNI_COMMAND=ADD CNI_CONTAINERID=c CNI_NETNS=/run/netns/ctr CNI_IFNAME=lo CNI_PATH=/ \
		"$PLUGINS/loopback" <<<"$CONF" >/dev/full 2>"$BATS_TEST_TMPDIR/stderr" || status=$?
	assert_eq "the exit status" "$status" 1
	assert_match "it is told on stderr" "$(<"$BATS_TEST_TMPDIR/stderr")" 'error writing the result to stdout: No space left'
}
