#!/usr/bin/env bats
# The power goes. A process ends at each of its writes: every file that it keeps is whole, and who comes next goes on. Then files
# as a power cut can leave them, which are empty, half or zeroes: they are mended, or named.
# A sample of the writes; TEST_FULL=1 tries each.

# shellcheck disable=SC2030,SC2031,SC2086 # each test is on its own; paths of our own, without blanks
load lib/all
load lib/power
sandbox forward

setup() {
	need strace jq
	TRACE=$BATS_TEST_TMPDIR/trace
	mkdir -p /etc/cni/net.d
	jq -n '{cniVersion: "1.0.0", name: "mynet", plugins: [
		{type: "bridge", bridge: "cni0", isGateway: true, ipam: {type: "host-local", subnet: "10.1.0.0/24"}},
		{type: "tuning", mtu: 1400}, {type: "firewall", backend: "iptables"}]}' >/etc/cni/net.d/10-mynet.conflist
	jq -n '{cniVersion: "1.0.0", name: "cbr0", plugins: [{type: "flannel", delegate: {isDefaultGateway: true}}]}' >/etc/cni/net.d/20-cbr0.conflist
	mkdir -p /run/flannel
	printf '%s\n' FLANNEL_NETWORK=10.9.0.0/16 FLANNEL_SUBNET=10.9.0.1/24 FLANNEL_MTU=1450 FLANNEL_IPMASQ=false >/run/flannel/subnet.env
	container blue red
}

# No lease of two containers, none in use by somebody whose it is not: each pod has the address of its own lease.
nobody_doubled() {
	assert_eq "no address twice" "$(for pod in blue red; do ip -n $pod -br -4 addr show eth0 2>/dev/null | awk '{ print $3 }'; done | sort | uniq -d)" ""
}

# at_each VERB NETWORK: the runtime's verb for pod blue is killed at each write; red comes after it
at_each() {
	local verb=$1 network=$2 name n i
	local -a calls

	"$CNIBOX" cni add $network red >/dev/null # what all share
	[[ $verb == add ]] || "$CNIBOX" cni add $network blue >/dev/null
	strace -f -qq -e "trace=$WRITES" -o "$TRACE" "$CNIBOX" cni $verb $network blue >/dev/null
	mapfile -t calls < <(writes)
	[[ ${#calls[@]} -gt 3 ]] || flunk "only ${#calls[@]} writes" "$(<"$TRACE")"
	"$CNIBOX" cni del $network blue
	"$CNIBOX" cni del $network red
	for ((i = 0; i < ${#calls[@]}; i += SAMPLE)); do
		read -r name n <<<"${calls[i]}"
		echo "$verb: killed at $name number $n"
		[[ $verb == add ]] || "$CNIBOX" cni add $network blue >/dev/null
		strace -f -qq -o /dev/null -e "trace=$name" -e "inject=$name:signal=KILL:when=$n" "$CNIBOX" cni $verb $network blue >/dev/null 2>&1 || :
		whole
		"$CNIBOX" cni add $network red >/dev/null
		nobody_doubled
		"$CNIBOX" ipam list --json | jq -e '[.[].state] | index("empty") == null' >/dev/null
		"$CNIBOX" cni check $network red
		"$CNIBOX" cni del $network blue
		"$CNIBOX" cni del $network red
		whole
		assert_eq "no lease" "$(find /var/lib/cni/networks -name '10.*' -type f | wc -l)" 0
		assert_eq "nothing is remembered" "$(find /var/lib/cni/results /var/lib/cni/flannel /run/cni -type f ! -name '.*' 2>/dev/null)" ""
	done
	echo "${#calls[@]} writes of $verb, network $network"
}

@test "an ADD that ends at a write" {
	at_each add mynet
}

@test "a DEL that ends at a write" {
	at_each del mynet
}

@test "an ADD and a DEL of flannel that end at a write" {
	at_each add cbr0
	at_each del cbr0
}

# ---- files as a power cut can leave them ----

# Who asks gets another address, and none that somebody has.
add_and_del() {
	"$CNIBOX" cni add mynet blue >/dev/null
	nobody_doubled
	"$CNIBOX" cni check mynet blue
	"$CNIBOX" cni del mynet blue
}

@test "host-local: what it reserved last" {
	"$CNIBOX" cni add mynet red >/dev/null
	each_damage add_and_del /var/lib/cni/networks/mynet/last_reserved_ip.0
	"$CNIBOX" cni check mynet red
}

# Half a lease is of somebody whom nobody knows; one without owner is free, although a file is there.
damaged_lease() {
	local state

	add_and_del
	touch -d '-1 hour' "$1"
	state=$("$CNIBOX" ipam list --network mynet --json | jq -r --arg ip "${1##*/}" '.[] | select(.address == $ip) | .state')
	case $(tr -d '\0' <"$1") in
	'') assert_eq "its state" "$state" empty
		"$CNIBOX" cni add one blue >/dev/null
		assert_match "it is taken over" "$(<"$1")" '^cnitool-'
		"$CNIBOX" cni del one blue ;;
	*)  assert_eq "its state" "$state" unknown
		assert_match "doctor names it" "$("$CNIBOX" doctor || :)" "${1##*/} of network mynet: held by g"
		"$CNIBOX" ipam release "${1##*/}" >/dev/null
		refute "it is free" test -e "$1" ;;
	esac
	printf 'gone\r\neth0' >"$1"
}

@test "host-local: a lease whose container died with the power" {
	"$CNIBOX" cni add mynet red >/dev/null
	# The same leases, and only that address to give: in the same folder, and in one on another file system than its temporary files.
	jq '.name = "one" | .plugins = [.plugins[0]] | .plugins[0].ipam += {rangeStart: "10.1.0.9", rangeEnd: "10.1.0.9"}' \
		/etc/cni/net.d/10-mynet.conflist >/etc/cni/net.d/30-one.conflist
	for way in link mount; do
		case $way in
		link) ln -s mynet /var/lib/cni/networks/one ;;
		mount)
			rm /var/lib/cni/networks/one
			mkdir /var/lib/cni/networks/one
			mount --bind /var/lib/cni/networks/mynet /var/lib/cni/networks/one ;;
		esac
		printf 'gone\r\neth0' >/var/lib/cni/networks/mynet/10.1.0.9
		each_damage damaged_lease /var/lib/cni/networks/mynet/10.1.0.9
	done
	"$CNIBOX" cni check mynet red
}

@test "host-local: an index that lies" {
	"$CNIBOX" cni add mynet red >/dev/null
	for link in /var/lib/cni/networks/.cnibox/mynet/*:*; do
		ln -sfn 10.1.0.77 "$link"
	done
	ln -s 10.1.0.2 /var/lib/cni/networks/.cnibox/mynet/blue:eth0:0
	add_and_del
	"$CNIBOX" cni check mynet red
	"$CNIBOX" cni del mynet red
	assert_eq "no lease" "$(find /var/lib/cni/networks/mynet -name '10.*')" ""
}

cannot_read() {
	touch -d '-1 hour' "$1"
	assert_match "doctor names it" "$("$CNIBOX" doctor || :)" "cached attachment $1: "
	add_and_del
}

@test "what a runtime remembers" {
	"$CNIBOX" cni add mynet red >/dev/null
	each_damage cannot_read "$(echo /var/lib/cni/results/mynet-*-eth0)"
	"$CNIBOX" cni del mynet red
	assert_eq "and DEL takes it away" "$(find /var/lib/cni/results /var/lib/cni/networks/mynet -name 'mynet-*' -o -name '10.*')" ""
}

del_works() {
	"$CNIBOX" cni del mynet red
	assert_eq "nothing is left" "$(find /var/lib/cni/results /run/cni /var/lib/cni/networks/mynet/10.* -type f 2>/dev/null)" ""
	refute "no rule" grep -q 10.1.0 <(iptables-save 2>/dev/null)
	"$CNIBOX" cni add mynet red >/dev/null
}

@test "what tuning and firewall keep until DEL" {
	"$CNIBOX" cni add mynet red >/dev/null
	for folder in tuning firewall; do
		for damage in 's 0' 's 20'; do
			find /run/cni/$folder -type f -exec truncate -$damage {} +
			del_works
		done
	done
}

needs_words() {
	status=0
	output=$("$CNIBOX" cni add cbr0 blue 2>&1) || status=$?
	assert_eq "it is refused" "$status" 1
	assert_match "by name" "$output" '/run/flannel/subnet\.env'
}

@test "subnet.env: flannel names it" {
	for size in 0 10; do
		truncate -s $size /run/flannel/subnet.env
		needs_words
	done
	head -c 80 /dev/zero >/run/flannel/subnet.env
	needs_words
}
