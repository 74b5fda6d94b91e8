#!/usr/bin/env bats
# shellcheck disable=SC2086,SC2206,SC2030,SC2031 # paths of our own, without blanks; each test is a process
# A boot without etcd: what a node remembers of its network.

load lib/all
load lib/nodes
load lib/etcd
sandbox

setup() {
	need etcd etcdctl ping
	[[ -x ${CNIBOX%/*}/cnibox-store ]] || missing "cnibox-store (libcurl's development files)"
}

peers_of() { ip -n "$1" route show proto 118; }
put_lease() { etcd put "$ETCD_PREFIX/subnets/$1" "$2" >/dev/null; }

# As the machine is after it has booted: nothing of the agent is left but what is on its disk.
reboot() {
	agent_kill "$1" KILL
	ip -n "$1" link del flannel.1
	ip -n "$1" route flush proto 118
	rm -rf "/run/${1:?}"
}

@test "a node that boots while etcd is down has its subnet, its MAC and its peers from its own disk" {
	nodes 2 vxlan
	etcd_start
	etcd_network vxlan
	AGENT=vxlan
	agent n1
	agent n2
	ready n1 n2
	pod n2
	wait_for "routes" 5 has "$(subnet n2) via" peers_of n1
	file=/var/lib/cnibox/remembered/run-n1-subnet.env
	wait_for "both are remembered" 15 grep -q "$(subnet n2)" $file
	assert_eq "its mode" "$(stat -c %a $file)" 600
	before=$(peers_of n1) mac=$(ip -n n1 -j link show flannel.1 | jq -r '.[0].address') was=$(subnet n1)
	etcd_kill e1
	reboot n1
	agent n1
	wait_for "its subnet" 4 grep -q FLANNEL_MTU /run/n1/subnet.env
	assert_eq "the same one" "$(subnet n1)" "$was"
	assert_eq "its MAC" "$(ip -n n1 -j link show flannel.1 | jq -r '.[0].address')" "$mac"
	wait_for "its peers" 2 has "$before" peers_of n1
	pod n1
	wait_for "traffic" 6 reach n1 n2
	etcd_member e1
	wait_for "etcd" 10 etcd_healthy
	put_lease 10.5.204.0-24 "{\"PublicIP\":\"192.0.2.7\",\"BackendType\":\"vxlan\",\"BackendData\":{\"VNI\":1,\"VtepMAC\":\"02:00:00:00:00:07\"}}"
	wait_for "a new peer" 4 has 10.5.204.0 peers_of n1
	assert_eq "leases of n1" "$(etcd_leases | grep -c 192.0.2.1\")" 1
	# Of another network nothing is remembered.
	etcd_kill e1
	reboot n1
	agent n1 --etcd-prefix /other
	wait_for "it is told" 3 grep -q "Connection refused" $STORE/n1.log
	refute "a subnet" test -e /run/n1/subnet.env
	agent_kill n1
	etcd_member e1
	wait_for "etcd" 10 etcd_healthy
	nsenter --net=/run/netns/n1 "$CNIBOX" vxlan --cleanup "${PLACE[@]}" --iface eth0 --subnet-file /run/n1/subnet.env
	refute "what is remembered after --cleanup" test -e $file
}
