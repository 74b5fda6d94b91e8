#!/usr/bin/env bats
# Memory runs out: each allocation of a call fails once, or is the last that succeeds. A call says so in one error and ends
# with status 1, never by a signal; the DEL that follows leaves nothing.

load lib/all
load lib/fixture
load lib/scarce
sandbox forward

setup_file() { link_scarce; }

setup() {
	need nft
	mkdir -p /etc/cni/net.d
	jq -n '{cniVersion: "1.1.0", name: "scarce", plugins: [
		{type: "bridge", bridge: "cni0", isDefaultGateway: true, ipMasq: true, ipMasqBackend: "nftables",
		 ipam: {type: "host-local", ranges: [[{subnet: "10.77.0.0/24"}], [{subnet: "fd77::/64"}]]}},
		{type: "portmap", backend: "nftables", capabilities: {portMappings: true}},
		{type: "bandwidth", ingressRate: 100000000, ingressBurst: 10000000, egressRate: 100000000, egressBurst: 10000000},
		{type: "tuning", sysctl: {"net.ipv4.conf.eth0.arp_notify": "1"}, mtu: 1400},
		{type: "firewall", backend: "nftables"}]}' >/etc/cni/net.d/scarce.conflist
	CONF=$(jq -c '.plugins[0] + {cniVersion, name}' /etc/cni/net.d/scarce.conflist)
	need_scarce
	container ctr
}

plugin() { # COMMAND [VARIABLE=value]
	timeout --signal KILL 20 env "${@:2}" CNI_COMMAND="$1" CNI_CONTAINERID=ctr CNI_NETNS=/run/netns/ctr CNI_IFNAME=eth0 CNI_PATH="${SCARCE%/*}" \
		"${SCARCE%/*}/bridge" <<<"$CONF"
}

runtime() { # VERB [VARIABLE=value]
	timeout --signal KILL 20 env "${@:2}" "$SCARCE" cni "$1" scarce ctr --capability-args \
		'{"portMappings": [{"hostPort": 8080, "containerPort": 80, "protocol": "tcp"}]}'
}

state() {
	{
		ip -br addr
		ip -n ctr -br addr
		nft list ruleset | grep -vE '^(table|}|\s*$)'
		fixture_files | grep -vE '/(lock|last_reserved_ip.[0-9]+): '
	} 2>/dev/null | sed -E 's/ (UP|DOWN|UNKNOWN|LOWERLAYERDOWN) +/ /; s/ fe80::[^ ]*//; s/ +$//'
}

# each WHO MAKE UNDO WORDS [STEP]: every (STEPth) allocation of `WHO MAKE` fails, alone and with all behind it
each() {
	local who=$1 make=$2 undo=$3 words=$4 step=${5:-1} total n mode code output before failed=0 bad=()

	"$who" "$make" >/dev/null
	"$who" "$undo" >/dev/null
	before=$(state)
	[[ $undo == "$make" ]] || "$who" "$make" >/dev/null
	total=$(<"$SCARCE_COUNT")
	[[ $undo == "$make" ]] || "$who" "$undo" >/dev/null
	[[ $total -gt 50 ]] || flunk "only $total allocations"
	for mode in '' SCARCE_ALL=1; do
		for ((n = 1; n <= total; n += step)); do
			code=0
			[[ ${#bad[@]} -lt 5 ]] || break
			output=$("$who" "$make" "SCARCE_AT=$n" $mode 2>&1) || code=$?
			[[ $code == 0 || ( $code == 1 && $output == *"$words"* ) ]] || bad+=("$n: status $code: $output")
			failed=$((failed + (code != 0)))
			"$who" "$undo" >/dev/null || bad+=("$n: $undo after it")
		done
	done
	echo "$who $make: $total allocations, $failed calls failed"
	[[ ${#bad[@]} == 0 ]] || flunk "${bad[@]}"
	[[ $failed -gt $((total / step)) ]] || flunk "hardly any call failed"
	assert_eq "what is left" "$(state)" "$before"
}

@test "a plugin's ADD: each allocation fails" {
	each plugin ADD DEL memory
}

@test "a plugin's DEL: each allocation fails, and the next DEL works" {
	plugin ADD >/dev/null
	each plugin DEL DEL memory
}

@test "a whole chain by our runtime: an allocation in thirteen fails" {
	each runtime add del memory 13
}
