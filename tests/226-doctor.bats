#!/usr/bin/env bats
# `cnibox doctor` names what is wrong on a node, mends what is safe with --fix, and finds nothing on one that is well.
# shellcheck disable=SC2030,SC2031 # each test is on its own

load lib/all
load lib/doctor
sandbox forward

setup() {
	mkdir -p /etc/cni/net.d
	cat >/etc/cni/net.d/10-mynet.conflist <<-'END'
	{"cniVersion": "1.1.0", "name": "mynet", "plugins": [
	 {"type":"bridge","bridge":"cni0","isGateway":true,"ipMasq":true,"ipMasqBackend":"nftables",
	  "ipam":{"type":"host-local","ranges":[[{"subnet":"10.1.0.0/24"}]],"routes":[{"dst":"0.0.0.0/0"}]}},
	 {"type":"portmap","backend":"nftables","capabilities":{"portMappings":true}}]}
	END
	container blue red
	for name in blue red; do
		"$CNIBOX" cni add mynet "$name" >/dev/null
	done
}

@test "a node that is well, with pods, and without" {
	is_well
	is_well --fix
	assert_json "as JSON" "$(doctor --json)" '.version, (.problems | length)' $'1\n0'
	for name in blue red; do
		"$CNIBOX" cni del mynet "$name"
	done
	is_well
	rm -r /etc/cni/net.d/* /var/lib/cni/*
	is_well
}

@test "an attachment whose namespace is gone: all that it holds is given back" {
	ip netns del red
	finds attachment 'eth0 of .* to network mynet: its namespace is no more'
	fixes
	assert_eq "no lease" "$(find /var/lib/cni/networks/mynet -name '10.*' | wc -l)" 1
	assert_eq "no rule" "$(nft list chain inet cni_plugins_masquerade masq_checks | grep -c ' masquerade comment')" 1
}

@test "what it says against an attachment is what works" {
	ip netns del red
	finds attachment 'its namespace is no more'
	eval "$remedy"
	is_well
}

@test "a lease that nobody knows of" {
	printf 'c9\r\neth0' >/var/lib/cni/networks/mynet/10.1.0.99
	is_well # it is young: an ADD may be at work
	touch -d '-1 hour' /var/lib/cni/networks/mynet/10.1.0.99
	finds lease '10\.1\.0\.99 of network mynet: held by c9, whom nobody knows'
	assert_eq "it cannot be proved" "$safe" false
	doctor --fix >/dev/null || :
	assert "so that it stays" test -e /var/lib/cni/networks/mynet/10.1.0.99
	eval "$remedy" >/dev/null
	is_well
}

@test "a veth pair that leads nowhere, and one to a container without address" {
	ip link add veth0badcafe type veth peer name leftover
	finds veth 'veth0badcafe leads nowhere'
	fixes
	refute "it is gone" ip link show veth0badcafe
	container green
	ip link add veth0badcafe type veth peer name eth0 netns green
	is_well # it is young: an ADD may be at work
	doctor() { "$CNIBOX" doctor --older-than 0s "$@"; }
	finds veth 'veth0badcafe leads to a container without address'
	assert_eq "it cannot be proved" "$safe" false
	eval "$remedy"
	is_well
}

@test "an ifb link that limits nobody" {
	need_link ifb
	ip link add bwp0123456789a type ifb
	tc qdisc add dev bwp0123456789a root tbf rate 1mbit burst 10kb latency 25ms
	finds ifb 'bwp0123456789a limits nobody'
	fixes
}

@test "an address in use twice" {
	ip -n red addr add 10.1.0.2/24 dev eth0
	finds address '10\.1\.0\.2 is in use twice: in blue and in red|10\.1\.0\.2 is in use twice: in red and in blue'
	assert_eq "who is right cannot be known" "$safe" false
	ip -n red addr del 10.1.0.2/24 dev eth0
	is_well
}

@test "sysctls that break pods" {
	sysctl -qw net.ipv4.ip_forward=0
	finds sysctl 'net\.ipv4\.ip_forward is 0 this node is the gateway of'
	fixes
	sysctl -qw net.ipv4.conf.cni0.rp_filter=1
	is_well
	ip link add up0 type veth peer name up1
	ip link set up0 up
	ip link set up1 up
	ip route add 10.1.0.2/32 dev up0
	finds sysctl 'rp_filter drops what blue sends'
	eval "$remedy" >/dev/null
	is_well
}

@test "network lists: mistakes, and those that do not go together" {
	conf=/etc/cni/net.d/20-other.conflist
	echo '{"cniVersion":"1.0.0","name":"other","plugins":[{"type":"bridge","isGatway":true}]}' >$conf
	finds network '20-other\.conflist: plugins\[0\]\.isGatway: unknown key; did you mean "isGateway"'
	jq -c '.name = "other" | .plugins[0].bridge = "br1"' /etc/cni/net.d/10-mynet.conflist >$conf
	finds conflict 'networks mynet and other give out the same addresses'
	jq -c '.name = "other" | .plugins[0].ipam.ranges[0][0].subnet = "10.2.0.0/24"' /etc/cni/net.d/10-mynet.conflist >$conf
	finds conflict 'networks mynet and other share bridge cni0 with different subnets'
	jq -c '.plugins[0].bridge = "br1" | .plugins[0].ipam.ranges[0][0].subnet = "10.2.0.0/24"' /etc/cni/net.d/10-mynet.conflist >$conf
	finds network '20-other\.conflist: name: "mynet" is also that of'
	rm $conf
	is_well
}

@test "what the kernel has not, and a plugin that cannot work" {
	if ! ip link add probe type ipvlan 2>&1 | grep -q 'Unknown device type'; then
		missing "a kernel without ipvlan links"
	fi
	echo '{"cniVersion":"1.0.0","name":"iv","plugins":[{"type":"ipvlan","master":"cni0","ipam":{"type":"static","addresses":[{"address":"10.8.0.5/24"}]}}]}' >/etc/cni/net.d/30-iv.conflist
	finds kernel 'network iv needs ipvlan links, which this kernel has not'
	assert_eq "what to try" "$remedy" "modprobe ipvlan"
	echo '{"cniVersion":"1.1.0","name":"iv","plugins":[{"type":"bridge","bridge":"b2","ipam":{"type":"host-local","ranges":[[{"subnet":"10.7.0.0/30"}]],"dataDir":"/run/d"}}]}' >/etc/cni/net.d/30-iv.conflist
	mkdir -p /run/d/iv
	printf 'c9\r\neth0' >/run/d/iv/10.7.0.2
	finds status 'network iv, plugin bridge: .*'
	assert_match "where more is told" "$(eval "cnibox ${look#cnibox }" 2>&1 || :)" 'bridge'
}

@test "plugins that lead nowhere, and those of another version" {
	ln -s /nowhere/bridge /opt/cni/bin/zzz
	finds plugin '/opt/cni/bin/zzz leads nowhere there is no /nowhere/bridge'
	rm /opt/cni/bin/zzz
	ln -s /nowhere/bridge "/opt/cni/bin/it's one"
	finds plugin "/opt/cni/bin/it's one leads nowhere there is no /nowhere/bridge"
	eval "$remedy"
	refute "what mends it can be pasted" test -L "/opt/cni/bin/it's one"
	mkdir -p /opt/cni/bin/.cnibox/now
	printf '#!/bin/sh\necho "cnibox 0.0.1"\n' >/opt/cni/bin/.cnibox/now/vlan
	chmod +x /opt/cni/bin/.cnibox/now/vlan
	ln -sf .cnibox/now/vlan /opt/cni/bin/vlan
	finds plugin 'plugins in /opt/cni/bin are cnibox 0\.0\.1, and this is'
	assert_eq "what mends it" "$remedy" "cnibox install --dir /opt/cni/bin"
}

@test "its text: marks, remedies, how many; no colour but on a terminal" {
	ip netns del red
	ip -n blue addr add 10.1.0.1/24 dev eth0
	status=0
	said=$(doctor) || status=$?
	assert_eq "the status" "$status" 1
	assert_match "a remedy that --fix knows, too" "$said" 'mend it: cnibox cni del mynet .* \(or --fix\)'
	assert_match "how many" "$said" '2 found; --fix mends 1 of them'
	refute "no colour" grep -q $'\033' <<<"$said"
	assert "colour" grep -q $'\033' <(script -qec "$CNIBOX doctor" /dev/null </dev/null)
	refute "unless it is not wanted" grep -q $'\033' <(NO_COLOR=1 script -qec "$CNIBOX doctor" /dev/null </dev/null)
	said=$(doctor --fix) || status=$?
	assert_match "what is left" "$said" '1 left$'
}
