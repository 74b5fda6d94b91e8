#!/usr/bin/env bats
# The power goes while an agent of the node writes: what it keeps is whole, and the next one goes on with it. Then the same files as a
# power cut can leave them. See 606.

# shellcheck disable=SC2030,SC2031,SC2086 # each test is on its own; paths of our own, without blanks
load lib/all
load lib/power
load lib/nodes
load lib/etcd
sandbox forward

setup() {
	need strace jq
	TRACE=$BATS_TEST_TMPDIR/trace
}

# ---- the network's agent ----

ended_or_at_work() { ! kill -0 "$traced" || grep -q FLANNEL_MTU /run/n1/subnet.env; } 2>/dev/null

# An agent that is killed at each write of its beginning; the next one has the same subnet.
@test "an agent that ends at a write: subnet.env and the lease are whole, and the next has the same subnet" {
	local name n i subnet traced
	local -a calls

	nodes 1 vxlan
	CNIBOX_LOG=info nsenter --net=/run/netns/n1 strace -f -qq -e "trace=$WRITES" -o "$TRACE" "$CNIBOX" vxlan "${PLACE[@]}" --iface eth0 \
		--subnet-file /run/n1/subnet.env >>"$STORE/n1.log" 2>&1 3>&- &
	traced=$!
	ready n1
	wait_for "it is at work" 5 ip -n n1 link show flannel.1
	pkill -TERM -P "$traced"
	wait "$traced" || :
	subnet=$(subnet n1)
	mapfile -t calls < <(writes)
	[[ ${#calls[@]} -gt 3 ]] || flunk "only ${#calls[@]} writes" "$(<"$TRACE")"
	for ((i = 0; i < ${#calls[@]}; i += SAMPLE)); do
		read -r name n <<<"${calls[i]}"
		echo "killed at $name number $n"
		rm -f /run/n1/subnet.env
		CNIBOX_LOG=info nsenter --net=/run/netns/n1 strace -f -qq -o /dev/null -e "trace=$name" -e "inject=$name:signal=KILL:when=$n" \
			"$CNIBOX" vxlan "${PLACE[@]}" --iface eth0 --subnet-file /run/n1/subnet.env >>"$STORE/n1.log" 2>&1 3>&- &
		traced=$!
		# Where it is the store's process that ends, so does the next one, and there is no subnet as long as that goes on.
		wait_for "it has ended, or got beyond that" 2 ended_or_at_work >/dev/null || :
		pkill -TERM -P "$traced" || :
		wait "$traced" || :
		whole
		agent n1
		wait_for "it has its subnet" 20 grep -q FLANNEL_MTU /run/n1/subnet.env
		assert_eq "its subnet" "$(subnet n1)" "$subnet"
		whole
		agent_kill n1
	done
	echo "${#calls[@]} writes"
}

again() {
	agent n1
	wait_for "subnet.env is whole" 5 whole
	wait_for "the lease" 5 grep -q FLANNEL_MTU /run/n1/subnet.env
	agent_kill n1
}

@test "an agent's subnet.env and leases: the next first pass writes them again" {
	nodes 1 vxlan
	again
	subnet=$(subnet n1)
	each_damage again /run/n1/subnet.env
	assert_eq "the same subnet" "$(subnet n1)" "$subnet"
	each_damage again "$(echo $STORE/subnets/*)"
}

# ---- what it remembers of the network ----

REMEMBERED=/var/lib/cnibox/remembered/run-n1-subnet.env

with_etcd() {
	need etcd etcdctl
	[[ -x ${CNIBOX%/*}/cnibox-store ]] || missing "cnibox-store (libcurl's development files)"
	nodes 1 vxlan
	etcd_start
	etcd_network vxlan
}

etcd_is_far()  { ip -n n1 route add prohibit 192.0.2.201; }
etcd_is_near() { ip -n n1 route del prohibit 192.0.2.201; }
store_pid()    { pgrep -P "$(agent_pid n1)" cnibox-store; }

# store_under [OPTION ...]: an agent whose store's process runs under strace from before it reaches etcd, and until it ends. An agent is
# confined, and cannot start strace itself.
store_under() {
	etcd_is_far
	agent n1
	wait_for "the store's process" 5 store_pid >/dev/null
	strace -p "$(store_pid)" "$@" 2>/run/strace.log 3>&- &
	strace=$!
	wait_for "strace is there" 5 grep -q attached /run/strace.log
	etcd_is_near
}

ended_or_saved() { ! kill -0 $strace 2>/dev/null || [[ $(stat -c %i $REMEMBERED) != "$before" ]]; }

# What a boot without etcd takes along is on the disk.
without_etcd() {
	ip -n n1 link del flannel.1
	rm -rf /run/n1
	etcd_is_far
	agent n1
}

@test "an agent's store that ends at a write: what it remembers is whole, and a boot without etcd goes on with it" {
	local name n call subnet
	local -a calls

	with_etcd
	store_under -e "trace=$WRITES" -o "$TRACE"
	ready n1
	wait_for "it is remembered" 10 test -s $REMEMBERED
	agent_kill n1
	wait $strace || :
	subnet=$(jq -s -r '.[1].own.key' $REMEMBERED)
	mapfile -t calls < <(writes remembered)
	[[ ${#calls[@]} -gt 3 ]] || flunk "only ${#calls[@]} writes" "$(<"$TRACE")"
	for call in "${calls[@]}"; do
		read -r name n <<<"$call"
		echo "killed at $name number $n"
		before=$(stat -c %i $REMEMBERED)
		store_under -o /dev/null -e "trace=$name" -e "inject=$name:signal=KILL:when=$n"
		wait_for "it has ended, or got beyond that" 20 ended_or_saved
		agent_kill n1 KILL
		wait $strace || :
		whole
		without_etcd
		ready n1
		assert_eq "its subnet" "$(subnet n1)" "${subnet%-*}/${subnet#*-}"
		agent_kill n1
		etcd_is_near
	done
	echo "${#calls[@]} writes"
}

remembers_again() {
	without_etcd
	wait_for "etcd is asked in vain" 10 grep -q 'Permission denied' $STORE/n1.log
	refute "it has no subnet" test -e /run/n1/subnet.env
	etcd_is_near
	wait_for "its subnet" 20 grep -q FLANNEL_MTU /run/n1/subnet.env
	wait_for "it is remembered again" 10 cmp -s <(tail -n 1 $REMEMBERED | jq .own.key) <(echo "\"$subnet\"")
	whole
	agent_kill n1
	: >$STORE/n1.log
}

@test "what an agent remembers: damaged, it is no network; the next one that etcd answers writes it again" {
	with_etcd
	agent n1
	wait_for "it is remembered" 10 test -s $REMEMBERED
	agent_kill n1
	subnet=$(jq -s -r '.[1].own.key' $REMEMBERED)
	each_damage remembers_again $REMEMBERED
}

# ---- the agent of policies ----

TOLD=/run/policy.sock.told

# Pods of this node, isolated, whose addresses only their plugins know.
pods() {
	local name

	need nft
	container "$@"
	mkdir -p /run/objects /etc/cni/net.d
	for name; do
		printf -- '---\n%s\n' "{apiVersion: v1, kind: Pod, metadata: {name: $name, uid: u}, spec: {nodeName: n1}}"
	done >/run/objects/pods.yaml
	printf -- '---\n%s\n' '{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: deny}, spec: {podSelector: {}}}' >/run/objects/deny.yaml
	jq -n '{cniVersion: "1.0.0", name: "gated", plugins: [{type: "ptp", ipam: {type: "host-local", subnet: "10.1.0.0/24"},
		policy: {socket: "/run/policy.sock", timeout: "20s"}}]}' >/etc/cni/net.d/10-gated.conflist
}
guard() { # [COMMAND ...] that runs it
	"$@" "$CNIBOX" policy-iptables watch --node n1 --backend nftables --file /run/objects --resync 0 --socket /run/policy.sock \
		>>/run/watch.log 2>&1 3>&- &
	guard=$!
}
guard_end() {
	kill "-${1:-TERM}" $guard
	wait $guard || :
}
gated() { # VERB POD
	CNI_ARGS="IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=$2" "$CNIBOX" cni "$1" gated "$2" >/dev/null
}
either_ended() { ! kill -0 $guard || ! kill -0 $asking; } 2>/dev/null

# told POD ...: these are, and are in force with the addresses that were told
told() {
	local address

	assert_eq "who was told of" "$(jq -r .name $TOLD | sort)" "$(printf '%s\n' "$@" | sort)"
	for address in $(jq -r '.ips[]' $TOLD); do
		assert "$address is in force" grep -qF "$address" <(nft list ruleset)
	done
}

@test "the agent of policies that ends at a write: what it was told stays, and the next one answers who asked" {
	local name n call
	local -a calls

	pods blue red
	guard
	gated add red
	guard_end
	cp $TOLD /run/good
	guard strace -qq -e "trace=$WRITES" -o "$TRACE"
	gated add blue
	pkill -TERM -P $guard
	wait $guard || :
	told blue red
	gated del blue
	mapfile -t calls < <(writes .policy.sock.told)
	[[ ${#calls[@]} -gt 3 ]] || flunk "only ${#calls[@]} writes" "$(<"$TRACE")"
	for call in "${calls[@]}"; do
		read -r name n <<<"$call"
		echo "killed at $name number $n"
		cp /run/good $TOLD
		guard strace -qq -o /dev/null -e "trace=$name" -e "inject=$name:signal=KILL:when=$n"
		gated add blue 3>&- &
		asking=$!
		wait_for "it has ended, or answers" 20 either_ended
		pkill -TERM -P $guard || :
		wait $guard || :
		whole
		assert_match "who was told of before" "$(jq -r .name $TOLD | xargs)" red
		guard
		wait $asking
		told blue red
		gated del blue
		guard_end KILL
	done
	echo "${#calls[@]} writes"
}

# The lines that are left whole stay.
told_again() {
	local left

	left=$(tr -d '\0' <$TOLD | while read -r line || [[ $line ]]; do jq -r .name <<<"$line" 2>/dev/null || :; done)
	guard
	gated add blue
	told blue $left
	whole
	gated del blue
	guard_end
	cp /run/good $TOLD
}

@test "what the agent of policies was told" {
	pods blue green red
	guard
	gated add red
	gated add green
	guard_end
	cp $TOLD /run/good
	each_damage told_again $TOLD
	# Zeroes behind what is whole are not left there, though nothing has changed.
	head -c 100 /dev/zero >>$TOLD
	guard
	wait_for "it is written again" 10 cmp -s /run/good $TOLD
	told green red
	guard_end
}
