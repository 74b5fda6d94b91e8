#!/usr/bin/env bats
# The runtime tool and the real libcni on one cache: what either attached, the other checks and detaches.

load lib/all
sandbox

setup_file() {
	local cache=${TMPDIR:-/tmp}/cnibox-go.$UID

	need go
	[[ -d /usr/share/gocode/src/github.com/containernetworking/cni/libcni ]] || missing "golang-github-appc-cni-dev"
	export LIBCNI=$BATS_FILE_TMPDIR/libcni
	GO111MODULE=off GOPATH=/usr/share/gocode GOCACHE=$cache GOFLAGS='' \
		deadline 180 go build -o "$LIBCNI" "$CNIBOX_TESTS/lib/libcni/main.go"
}

setup() {
	container ctr
	jq -n '{cniVersion: "1.0.0", name: "pods", plugins: [{type: "bridge", bridge: "cni0", isGateway: true,
		capabilities: {mac: true}, ipam: {type: "host-local", subnet: "10.88.0.0/24"}}]}' >/etc/cni/net.d/pods.conflist
	export CNI_PATH=$PLUGINS
}

libcni() {
	run_log deadline env "$LIBCNI" "$1" /etc/cni/net.d/pods.conflist ctr /run/netns/ctr eth0 "${@:2}"
}

nothing_left() {
	refute "the link is there" ip -n ctr link show eth0
	refute "the lease is there" test -e /var/lib/cni/networks/pods/10.88.0.2
	assert_eq "nothing is remembered" "$(ls /var/lib/cni/results)" ""
}

@test "made by the tool, checked and removed by libcni" {
	run_log "$CNIBOX" cni add pods ctr --container-id ctr
	libcni check
	libcni del
	nothing_left
}

@test "made by libcni, checked and removed by the tool, which need not be told the container id" {
	libcni add
	run_log "$CNIBOX" cni check pods ctr
	assert_match "it is listed" "$("$CNIBOX" cni list)" 'ctr +eth0 +pods +10.88.0.2/24 +/run/netns/ctr'
	run_log "$CNIBOX" cni del pods ctr
	nothing_left
}

@test "both write the same record" {
	local mac=02:00:00:00:00:07 record theirs same

	record=/var/lib/cni/results/pods-ctr-eth0
	CAP_ARGS="{\"mac\": \"$mac\"}" run_log "$CNIBOX" cni add pods ctr --container-id ctr --args 'IgnoreUnknown=1;A=b'
	cp $record "$BATS_TEST_TMPDIR/ours"
	run_log "$CNIBOX" cni del pods ctr
	CAPABILITIES="{\"mac\": \"$mac\"}" libcni add IgnoreUnknown=1 A=b
	theirs=$(<$record)
	# Addresses are new every time; this libcni (1.1) notes no namespace, knows no mtu, and keeps an empty dns.
	same='del(.result.interfaces[].mac, .result.interfaces[].mtu, .result.ips, .result.dns, .netns)'
	assert_same_json "key for key" "$(jq "$same" "$BATS_TEST_TMPDIR/ours")" "$(jq "$same" <<<"$theirs")"
}
