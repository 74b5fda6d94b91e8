#!/usr/bin/env bats
# cnibox ipam: who holds which address, what nobody needs any more, and that only that is given back.

load lib/all
sandbox

store=/var/lib/cni/networks/pods

setup() {
	echo '{ "cniVersion": "1.0.0", "name": "pods", "plugins": [ { "type": "bridge", "ipam": {
		"type": "host-local", "ranges": [ [ { "subnet": "10.1.0.0/28" } ], [ { "subnet": "fd00:1::/120" } ] ] } } ] }' \
		>/etc/cni/net.d/10-pods.conflist
	for name in blue red; do
		ip netns add "$name"
		"$CNIBOX" cni add --container-id "c-$name" pods "$name" >/dev/null
	done
}

states() { "$CNIBOX" ipam list --json "$@" | jq -r '.[] | "\(.address) \(.container) \(.state)"'; }
old()    { touch -d '1 hour ago' "$store"/10.* "$store"/fd00*; }

@test "list says who has which address, since when, and where" {
	touch -d 2026-01-02T03:04:05Z "$store/10.1.0.2"
	"$CNIBOX" ipam list
	assert_eq "of both families" "$(states)" "10.1.0.2 c-blue used
10.1.0.3 c-red used
fd00:1::2 c-blue used
fd00:1::3 c-red used"
	assert_eq "the whole record" "$("$CNIBOX" ipam list --json | jq -cS '.[0]')" \
		'{"address":"10.1.0.2","container":"c-blue","ifname":"eth0","netns":"blue","network":"pods","since":"2026-01-02T03:04:05Z","state":"used"}'
	assert_match "a table" "$("$CNIBOX" ipam list | head -n 1)" '^NETWORK +ADDRESS +CONTAINER +IFNAME +SINCE +STATE +NETNS$'
	assert_eq "one network" "$(states --network pods | wc -l)" 4
	run "$CNIBOX" ipam list --network pod
	assert_eq "a slip" "$status" 1
	assert_match "what may be meant" "$output" 'no leases of network "pod" in /var/lib/cni/networks; did you mean "pods"[?]'
}

@test "without a store there is nothing to list, and a network that is not there is an error" {
	rm -r /var/lib/cni/networks
	assert_eq "nothing" "$("$CNIBOX" ipam list)" ""
	assert_eq "as JSON" "$("$CNIBOX" ipam list --json 2>&1)" "[]"
	assert_eq "a person is told" "$("$CNIBOX" ipam list 2>&1)" "no leases in /var/lib/cni/networks"
	mkdir /run/none
	assert_eq "of pools, too" "$("$CNIBOX" ipam show --conf-dir /run/none 2>&1)" "no network in /run/none has a pool of host-local"
	refute "a network by name" "$CNIBOX" ipam list --network pods
}

@test "each state is told from the others" {
	ip netns exec red ip addr flush dev eth0     # idle: the namespace is there
	ip netns del blue                            # gone
	printf 'ghost\r\neth0' >"$store/10.1.0.9"    # nobody knows it
	: >"$store/10.1.0.10"                        # a crash
	assert_eq "states" "$(states | sed -n '/^10/p')" "10.1.0.2 c-blue gone
10.1.0.3 c-red idle
10.1.0.9 ghost unknown
10.1.0.10 null empty"
}

@test "gc gives back what is gone, and nothing else" {
	ip netns exec red ip addr flush dev eth0
	ip netns del blue
	printf 'ghost\r\neth0' >"$store/10.1.0.9"
	assert_eq "young ones stay" "$("$CNIBOX" ipam gc --json)" "[]"
	old
	assert_eq "a dry run says which" "$("$CNIBOX" ipam gc --dry-run --json | jq -r '.[].address')" $'10.1.0.2\nfd00:1::2'
	assert "and leaves them" test -e "$store/10.1.0.2"
	assert_eq "gc" "$("$CNIBOX" ipam gc --json | jq -r '.[].address')" $'10.1.0.2\nfd00:1::2'
	assert_eq "what is left" "$(states)" "10.1.0.3 c-red idle
10.1.0.9 ghost unknown
fd00:1::3 c-red idle"
	assert_eq "the forgotten one" "$("$CNIBOX" ipam gc --forgotten --json | jq -r '.[].address')" 10.1.0.9
	ip netns add blue
	assert_eq "what was given back is given out again" \
		"$("$CNIBOX" cni add --container-id c-new pods blue | jq -r '.ips[0].address')" 10.1.0.4/28
	assert_eq "and its owner is found" "$(states | grep -c 'c-new used')" 2
}

@test "with attachments that cannot be read nobody is taken for forgotten" {
	printf 'ghost\r\neth0' >"$store/10.1.0.9"
	old
	echo '{' >/var/lib/cni/results/pods-broken-eth0
	refute "gc --forgotten" "$CNIBOX" ipam gc --forgotten
	assert "the lease is there" test -e "$store/10.1.0.9"
	assert "the list works" "$CNIBOX" ipam list
}

@test "an address that is in use on the way to its release is refused, and what is not is given back" {
	run -1 "$CNIBOX" ipam release 10.1.0.2
	assert_match "it says who has it" "$output" '10[.]1[.]0[.]2: namespace blue has the address [(]--force'
	run -1 "$CNIBOX" ipam release 10.1.0.77
	assert_match "it says where it looked" "$output" '10[.]1[.]0[.]77: there is no such lease in /var/lib/cni/networks'
	run -1 "$CNIBOX" ipam release c-blue 10.1.0.77
	assert "nothing is given back unless all of it can be" test -e "$store/10.1.0.2"
	assert_eq "forced" "$("$CNIBOX" ipam release --force --json 10.1.0.2 | jq -r '.[].address')" 10.1.0.2
	refute "it is free" test -e "$store/10.1.0.2"
	ip netns del blue
	assert_eq "by container" "$("$CNIBOX" ipam release --json c-blue | jq -r '.[].address')" fd00:1::2
	assert_eq "the other's are there" "$(states | grep -c c-red)" 2
}

locks() { grep -q -- "$1FLOCK .*:$(stat -c %i "$store/lock") " /proc/locks; }

@test "a lease that changes hands stays" {
	ip netns del blue
	old
	# While somebody has the network locked, its lease is given to another.
	mkfifo "$BATS_TEST_TMPDIR/fifo"
	flock "$store/lock" cat "$BATS_TEST_TMPDIR/fifo" 3>&- &
	wait_for "the lock is held" 10 locks ""
	"$CNIBOX" ipam gc --json 3>&- >"$BATS_TEST_TMPDIR/out" &
	gc=$!
	wait_for "gc waits for it" 10 locks "-> "
	rm "$store/10.1.0.2"
	printf 'other\r\neth0' >"$store/10.1.0.2"
	: >"$BATS_TEST_TMPDIR/fifo"
	wait "$gc"
	assert_eq "given back" "$(jq -r '.[].address' "$BATS_TEST_TMPDIR/out")" fd00:1::2
	assert_eq "the other's" "$(tr '\r\n' ' ' <"$store/10.1.0.2")" "other  eth0"
}

@test "show tells how full the pools are" {
	ip netns del blue
	echo '{ "cniVersion": "1.0.0", "name": "wrong", "type": "bridge", "ipam": { "type": "host-local", "subnet": "10.2.0.0/31" } }' \
		>/etc/cni/net.d/20-wrong.conf
	mkdir /var/lib/cni/networks/other
	printf 'c\r\neth0' >/var/lib/cni/networks/other/10.9.0.2
	"$CNIBOX" ipam show
	assert_eq "pools" "$("$CNIBOX" ipam show --json | jq -r '.[] | "\(.network) \(.ranges) \(.size) \(.used) \(.stale)"')" \
		"pods 10.1.0.1-10.1.0.14 13 2 1
pods fd00:1::1-fd00:1::ff 254 2 1
wrong null null 0 0
other null null 1 0"
	assert_match "what is wrong" "$("$CNIBOX" ipam show)" "20-wrong.conf: ipam: .*10.2.0.0/31"
}
