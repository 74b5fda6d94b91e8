#!/usr/bin/env bats
# `cnibox lease`: what is in the store, for a person and for scripts.

load lib/all
load lib/nodes
sandbox

setup() {
	mkdir -p "$STORE/subnets"
	echo '{"Network": "10.5.0.0/16"}' >"$STORE/config"
	echo '{"PublicIP":"192.0.2.1","BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"02:00:00:00:00:01"},"Expires":"2999-01-01T00:00:00Z"}' \
		>"$STORE/subnets/10.5.1.0-24"
	echo '{"PublicIP":"192.0.2.2","BackendType":"host-gw"}' >"$STORE/subnets/10.5.2.0-24"
}

lease() { "$CNIBOX" lease "$@" --store "$STORE"; }

# lease_fails MESSAGE WORD ...
lease_fails() {
	local said code=0

	said=$(lease "${@:2}" 2>&1) || code=$?
	assert_eq "status of: ${*:2}" "$code" 1
	assert_eq "what it says" "$said" "lease $2: $1"
}

@test "list and show: subnet, node, way, and how long" {
	assert_match "the first" "$(lease list)" '10\.5\.1\.0/24 +- +192\.0\.2\.1 +vxlan +02:00:00:00:00:01 +[0-9]+d'
	assert_match "a reservation" "$(lease list)" '10\.5\.2\.0/24 +- +192\.0\.2\.2 +host-gw +- +reserved'
	assert_json "JSON" "$(lease list --json)" '[.[] | .node]' '["192.0.2.1", "192.0.2.2"]'
	for word in 10.5.1.77 10.5.1.0/24 192.0.2.1; do
		assert_json "by $word" "$(lease show $word --json)" '[.[] | .subnet]' '["10.5.1.0/24"]'
	done
	lease_fails "no lease of 2 has to do with 10.6.0.1" show 10.6.0.1
}

@test "who looks makes nothing: a store that nobody has written to has no leases; the first one makes the folder" {
	rm -r "$STORE/subnets"
	chmod 555 "$STORE"
	before=$(ls -laR --time-style=full-iso "$STORE")
	assert_json "nobody's" "$(lease list --json)" '.' '[]'
	for verb in list usage; do lease $verb >/dev/null; done
	lease_fails "no lease of 0 has to do with 10.5.1.0/24" show 10.5.1.0/24
	assert_eq "as it was" "$(ls -laR --time-style=full-iso "$STORE")" "$before"
	chmod 755 "$STORE"
	"$CNIBOX" lease watch --store "$STORE" >/run/out 2>&1 3>&- &
	watch=$!
	wait_for "it listens" 5 eval 'grep -q "^inotify" /proc/$watch/fdinfo/*'
	lease reserve 10.5.7.0/24 192.0.2.7
	wait_for "told of" 5 has "added    10.5.7.0/24" cat /run/out
	kill "$watch"
}

@test "a broken entry is named, and hides nobody" {
	echo junk >"$STORE/subnets/hello"
	lease list >/run/out 2>/run/err
	assert_eq "named" "$(</run/err)" "subnets/hello is no lease: no key of a lease"
	assert_eq "lines" "$(wc -l </run/out)" 4
}

@test "the list is in the order of numbers" {
	for subnet in 10.5.12.0-24 10.5.7.0-24; do
		echo '{"PublicIP":"192.0.2.7"}' >"$STORE/subnets/$subnet"
	done
	assert_eq "subnets" "$(lease list | sed '1d;s/ .*//;$d')" $'10.5.1.0/24\n10.5.2.0/24\n10.5.7.0/24\n10.5.12.0/24'
}

@test "what other nodes write steers no terminal" {
	echo '{"PublicIP":"192.0.2.7","BackendType":"x\u001b[31m"}' >"$STORE/subnets/10.5.7.0-24"
	echo junk >"$STORE/subnets/"$'b\e[31md'
	lease list >/run/out 2>&1
	"$CNIBOX" lease watch --store "$STORE" >>/run/out 3>&- &
	watch=$!
	wait_for "the last one" 10 has "added    10.5.7.0/24" cat /run/out
	kill "$watch"
	assert "is told" grep -qF 'added    10.5.7.0/24  192.0.2.7  x?[31m' /run/out
	assert "is told" grep -qF 'subnets/b?[31md is no lease' /run/out
	refute "with its sequences" grep -q $'\e' /run/out
}

@test "watch ends when nobody can be told" {
	status=0
	said=$(deadline "$CNIBOX" lease watch --store "$STORE" 2>&1 >/dev/full) || status=$?
	assert_eq "status" "$status" 1
	assert_eq "reason" "$said" "cnibox: cannot write the output: No space left on device"
}

@test "usage, and the list's last line: how many subnets are free of how many, in each family" {
	assert_eq "list" "$(lease list | tail -n 1)" "253 of 255 subnets are free"
	assert_eq "usage" "$(lease usage)" $'NETWORK      SUBNETS  TAKEN  FREE\n10.5.0.0/16  255      2      253'
	echo '{"Network": "10.5.0.0/16", "SubnetMin": "10.5.2.0", "SubnetMax": "10.5.11.0", "EnableIPv6": true, "IPv6Network": "fd00:5::/48"}' >"$STORE/config"
	echo '{"PublicIP":"192.0.2.9","PublicIPv6":"fd77::9"}' >"$STORE/subnets/10.5.4.0-22&fd00:5:0:4::-64"
	assert_eq "the family with fewer" "$(lease list | tail -n 1)" "5 of 10 subnets are free"
	assert_json "JSON" "$(lease usage --json)" '. == [{network: "10.5.0.0/16", subnets: 10, taken: 5, free: 5},
		{network: "fd00:5::/48", subnets: 65535, taken: 1, free: 65534}]'
	rm "$STORE/config"
	assert_eq "without a network the list is one" "$(lease list | wc -l)" 4
	lease_fails "the store has no network configuration: $STORE/config would hold it, such as \
{\"Network\": \"10.244.0.0/16\", \"Backend\": {\"Type\": \"vxlan\"}}" usage
}

@test "what is said of etcd, and not where it is, is told to be of no use; a store without leases says so, too" {
	mkdir -p /run/bare
	assert_eq "what is said" "$("$CNIBOX" lease list --store /run/bare --etcd-prefix /x --etcd-username root 2>&1)" \
"cnibox: warning: --etcd-prefix is of no use without --etcd-endpoints: the store is /run/bare
cnibox: warning: --etcd-username is of no use without --etcd-endpoints: the store is /run/bare
no leases in the store"
	assert_eq "nothing for programs" "$("$CNIBOX" lease list --store /run/bare --json 2>&1)" "[]"
}

@test "reserve: new ones, and one that the node has; what is another's is refused, and nothing changes" {
	lease reserve 10.5.7.0/24 192.0.2.7
	assert_eq "the entry" "$(<"$STORE/subnets/10.5.7.0-24")" '{"PublicIP":"192.0.2.7","PublicIPv6":null}'
	lease reserve 10.5.1.0/24 192.0.2.1
	assert_eq "the node's own loses its end, and keeps its data" "$(<"$STORE/subnets/10.5.1.0-24")" \
		'{"PublicIP":"192.0.2.1","PublicIPv6":null,"BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"02:00:00:00:00:01"}}'
	before=$(cd "$STORE/subnets" && grep . ./*)
	lease_fails "10.5.2.0/24 belongs to 192.0.2.2" reserve 10.5.2.0/24 192.0.2.3
	lease_fails "the network gives out no such subnet (see its config)" reserve 10.6.0.0/24 192.0.2.3
	lease_fails "the network gives out no such subnet (see its config)" reserve 10.5.8.0/23 192.0.2.3
	assert_eq "the store" "$(cd "$STORE/subnets" && grep . ./*)" "$before"
}

@test "reserve knows a node by the address that flannel knows it by, and writes no null for it" {
	lease_fails "nodes of this network are known by their IPv4 addresses: fd77::9 is none" reserve 10.5.7.0/24 fd77::9
	refute "an entry" test -e "$STORE/subnets/10.5.7.0-24"
	echo '{"EnableIPv4": false, "EnableIPv6": true, "IPv6Network": "fd00:5::/48"}' >"$STORE/config"
	lease_fails "nodes of this network are known by their IPv6 addresses: 192.0.2.9 is none" reserve fd00:5:0:7::/64 192.0.2.9
	lease reserve fd00:5:0:7::/64 fd77::9
	assert_eq "the entry" "$(<"$STORE/subnets/0.0.0.0-0&fd00:5:0:7::-64")" '{"PublicIPv6":"fd77::9"}'
}

@test "reserve in dual stack: the other family's subnet is named, or the first that is free; the node's lease keeps its own" {
	echo '{"Network": "10.5.0.0/16", "EnableIPv6": true, "IPv6Network": "fd00:5::/48"}' >"$STORE/config"
	assert_eq "the other is chosen" "$(lease reserve 10.5.7.0/24 192.0.2.7)" "10.5.7.0/24 and fd00:5:0:1::/64"
	assert_eq "the entry" "$(<"$STORE/subnets/10.5.7.0-24&fd00:5:0:1::-64")" '{"PublicIP":"192.0.2.7","PublicIPv6":null}'
	assert_eq "what is taken is passed by" "$(lease reserve fd00:5:0:9::/64 192.0.2.8)" "10.5.3.0/24 and fd00:5:0:9::/64"
	assert_eq "both are named" "$(lease reserve fd00:5:0:a::/64 192.0.2.9 --with 10.5.10.0/24)" "10.5.10.0/24 and fd00:5:0:a::/64"
	assert_eq "again, by the other half" "$(lease reserve 10.5.10.0/24 192.0.2.9)" "10.5.10.0/24 and fd00:5:0:a::/64"
	lease_fails "--with: in this family it is fd00:5:0:a::/64" reserve 10.5.10.0/24 192.0.2.9 --with fd00:5:0:b::/64
	lease_fails "fd00:5:0:9::/64 belongs to 192.0.2.8" reserve 10.5.11.0/24 192.0.2.10 --with fd00:5:0:9::/64
	lease_fails "the network gives out no such subnet (see its config)" reserve 10.6.0.0/24 192.0.2.10
	assert_eq "entries" "$(find "$STORE/subnets" -type f | wc -l)" 5
}

@test "release removes a lease; an agent that still wants it takes it again" {
	lease release 10.5.2.0/24
	refute "it is there" test -e "$STORE/subnets/10.5.2.0-24"
	lease_fails "nobody has this subnet" release 10.5.2.0/24
}

@test "watch tells what is there and what happens" {
	"$CNIBOX" lease watch --store "$STORE" >/run/watch 3>&- &
	watch=$!
	wait_for "what is there" 3 has "added    10.5.2.0/24  192.0.2.2  host-gw" cat /run/watch
	lease reserve 10.5.7.0/24 192.0.2.7
	wait_for "an addition" 3 has "added    10.5.7.0/24  192.0.2.7" cat /run/watch
	echo '{"PublicIP":"192.0.2.77","BackendType":"host-gw"}' >"$STORE/subnets/10.5.2.0-24"
	wait_for "a change" 3 has "changed  10.5.2.0/24  192.0.2.77  host-gw" cat /run/watch
	lease release 10.5.7.0/24
	wait_for "a removal" 3 has "removed  10.5.7.0/24  192.0.2.7" cat /run/watch
	kill "$watch"
}

@test "a store that is not there is not made by looking at it" {
	status=0
	said=$("$CNIBOX" lease list --store /run/none 2>&1) || status=$?
	assert_eq "status" "$status" 1
	assert_eq "what it says" "$said" "lease list: store /run/none (an agent makes it; --store, --etcd-endpoints and --kube-subnet-mgr name others): No such file or directory"
	refute "it was made" test -e /run/none
}
