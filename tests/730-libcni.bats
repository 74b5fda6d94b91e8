#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031 # each test exports capabilities of its own
# The real libcni as caller: it finds plugins and keeps results as runtimes do, and is the only one that calls CHECK.

load lib/all
load lib/runtime
sandbox forward

setup_file() {
	local cache=${TMPDIR:-/tmp}/cnibox-go.$UID

	need go
	[[ -d /usr/share/gocode/src/github.com/containernetworking/cni/libcni ]] || missing "golang-github-appc-cni-dev"
	export LIBCNI=$BATS_FILE_TMPDIR/libcni
	GO111MODULE=off GOPATH=/usr/share/gocode GOCACHE=$cache GOFLAGS='' \
		deadline 180 go build -o "$LIBCNI" "$CNIBOX_TESTS/lib/libcni/main.go"
}

setup() {
	our_plugins
	container ctr ctr2
	LIST=/etc/cni/net.d/pods.conflist
}

# libcni VERB [CONTAINER [ARGS ...]]: with $CAPABILITIES
libcni() {
	run_log deadline env CNI_PATH="$PLUGINS" "$LIBCNI" "$1" "$LIST" "${2:-ctr}" "${NETNS-/run/netns/${2:-ctr}}" eth0 "${@:3}"
}

# The bridge after its first port; the cache after its first result.
warm_up() {
	libcni add
	libcni del
}

@test "libcni: validate finds every plugin and its versions" {
	network_list pods >"$LIST"
	libcni validate
	network_list pods '.cniVersion = "0.9.9"' >"$LIST"
	refute "an unknown version" libcni validate
	network_list pods '.plugins[1] = {type: "no-such-plugin"}' >"$LIST"
	refute "an unknown plugin" libcni validate
}

@test "libcni: validate names the capabilities that the list declares" {
	network_list pods '.plugins[0].capabilities = {mac: true, ips: true}' >"$LIST"
	assert_match "mac" "$(libcni validate)" mac
	assert_match "ips" "$(libcni validate)" ips
}

@test "libcni: ADD, CHECK, DEL and DEL again, with every version it knows" {
	local version before result
	for version in 0.1.0 0.2.0 0.3.0 0.3.1 0.4.0 1.0.0; do
		network_list pods '.cniVersion = "'$version'"' >"$LIST"
		warm_up
		before=$(snapshot)
		result=$(deadline env CNI_PATH="$PLUGINS" "$LIBCNI" add "$LIST" ctr /run/netns/ctr eth0)
		assert_json "the result is of version $version" "$result" .cniVersion "$version"
		assert_eq "libcni kept it" "$(find /var/lib/cni/results -name 'pods-ctr-eth0' | wc -l)" 1
		[[ $version == 0.[123].* ]] || libcni check
		pings ctr 10.88.0.1
		libcni del
		libcni del
		left "$before"
		no_attachments
	done
}

@test "libcni: CHECK notices what is gone" {
	network_list pods >"$LIST"
	libcni add
	libcni check
	ip -n ctr addr flush dev eth0
	refute "without the address" libcni check
	libcni del
	libcni add
	ip -n ctr link del eth0
	refute "without the link" libcni check
	libcni del
	no_attachments
}

@test "libcni: DEL without a namespace, and after the namespace is gone" {
	network_list pods >"$LIST"
	warm_up
	libcni add
	libcni add ctr2
	ip netns del ctr2
	libcni del ctr2
	NETNS='' libcni del ctr
	ip netns del ctr
	wait_for "the kernel removes the ports" 5 no_attachments
}

@test "libcni: capabilities and CNI_ARGS reach the plugins" {
	local result
	network_list pods '.plugins[0] |= (.capabilities = {mac: true, ips: true} | .ipam.capabilities = {ips: true})' >"$LIST"
	export CAPABILITIES='{"mac": "02:00:00:00:00:77", "ips": ["10.88.0.99/24"]}'
	result=$(deadline env CNI_PATH="$PLUGINS" "$LIBCNI" add "$LIST" ctr /run/netns/ctr eth0)
	assert_json "the hardware address" "$result" '.interfaces[] | select(.sandbox) | .mac' 02:00:00:00:00:77
	assert_json "the address" "$result" '.ips[0].address' 10.88.0.99/24
	libcni check
	libcni del
	unset CAPABILITIES
	network_list pods >"$LIST"
	libcni add ctr IgnoreUnknown=1 K8S_POD_NAME=x IP=10.88.0.98
	assert_match "the lease" "$(leases)" '10\.88\.0\.98'
	refute "an unknown argument is refused without IgnoreUnknown" libcni add ctr2 K8S_POD_NAME=x
	libcni del ctr2
	libcni del
	no_attachments
}

@test "libcni: a failed ADD passes the plugin's error on" {
	network_list pods '.plugins[0].ipam = {type: "host-local", subnet: "10.88.0.0/30"}' >"$LIST"
	libcni add
	assert_match "the reason" "$(libcni add ctr2 2>&1 || :)" 'no IP addresses available in range set'
	libcni del ctr2
	libcni del
	no_attachments
}

@test "libcni: the whole chain with port maps and limits: ADD, CHECK, DEL, DEL again; a failing member takes back all" {
	local version before
	need_chain
	outside_world
	serve ctr 8000 "I am ctr"
	export CAPABILITIES='{"portMappings": [{"hostPort": 8080, "containerPort": 8000, "protocol": "tcp"}],
		"bandwidth": {"ingressRate": 80000000, "ingressBurst": 8000000, "egressRate": 40000000, "egressBurst": 4000000}}'
	for version in 0.4.0 1.0.0; do
		whole_chain pods '.cniVersion = "'$version'"' >"$LIST"
		assert_match "what the list can do" "$(libcni validate)" 'bandwidth portMappings|portMappings bandwidth'
		warm_up
		before=$(snapshot)
		libcni add
		# The reference's portmap looks for the IPv4 rules among the IPv6 ones, too.
		[[ $PLUGINS == "$REFERENCE" ]] || libcni check
		[[ $(fetch world 192.0.2.1 8080) == "I am ctr" ]] || flunk "NOT: the port is reached from outside"
		assert_eq "both directions are limited" "$(tc qdisc show | grep -c '^qdisc tbf')" 2
		libcni del
		libcni del
		refute "the port is open" fetch world 192.0.2.1 8080
		left "$before"
		no_attachments
		whole_chain pods '.cniVersion = "'$version'" | .plugins[4].sysctl = {"net.core.no_such": "1"}' >"$LIST"
		refute "ADD" libcni add
		libcni del
		# A failed ADD has no result, without which the reference's firewall removes nothing.
		[[ $PLUGINS == "$REFERENCE" ]] || left "$before"
		no_attachments
		[[ $PLUGINS != "$REFERENCE" ]] || return 0
	done
}

@test "libcni: CHECK of the whole chain notices each member's loss" {
	[[ $PLUGINS != "$REFERENCE" ]] || missing "a CHECK of the reference's portmap that finds its own rules"
	need_chain
	outside_world
	export CAPABILITIES='{"portMappings": [{"hostPort": 8080, "containerPort": 8000, "protocol": "tcp"}],
		"bandwidth": {"ingressRate": 80000000, "ingressBurst": 8000000}}'
	whole_chain pods '.plugins[0].ipam.ranges |= .[:1]' >"$LIST"
	libcni add
	libcni check
	run_in ctr sh -c 'echo 99 >/proc/sys/net/core/somaxconn'
	refute "the sysctl" libcni check
	run_in ctr sh -c 'echo 500 >/proc/sys/net/core/somaxconn'
	libcni check
	tc qdisc del dev "$(tc qdisc show | sed -n 's/^qdisc tbf .* dev \(veth[^ ]*\) .*/\1/p')" root
	refute "the limit" libcni check
	libcni del
	libcni add
	iptables -t nat -F
	nft flush table ip nat 2>/dev/null || :
	nft delete table inet cni_hostport 2>/dev/null || :
	refute "the port map" libcni check
	libcni del
	no_attachments
}
