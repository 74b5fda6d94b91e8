#!/usr/bin/env bats
# What a pod can leave whose namespace ended without DEL, made by an ADD: `cnibox doctor` finds each of it, and --fix takes it
# away by the plugins' own code. What a namespace takes with it is no finding.
# shellcheck disable=SC2030,SC2031,SC2034 # each test is on its own

load lib/all
load lib/doctor
load lib/legacy
load lib/dhcp
sandbox forward

setup() {
	mkdir -p /etc/cni/net.d
	[[ $BATS_TEST_DESCRIPTION != *legacy* ]] || use_legacy
	BACKEND=nftables
	[[ $BATS_TEST_DESCRIPTION != *iptables* ]] || BACKEND=iptables
	jq -n -c --arg b $BACKEND '{cniVersion: "1.0.0", name: "mynet", plugins: [
		{type: "bridge", bridge: "cni0", isGateway: true, ipMasq: true, ipMasqBackend: $b, macspoofchk: true,
		 ipam: {type: "host-local", subnet: "10.1.0.0/24", routes: [{dst: "0.0.0.0/0"}]}},
		{type: "portmap", backend: $b, capabilities: {portMappings: true}},
		{type: "firewall", backend: $b}]}' >/etc/cni/net.d/10-mynet.conflist
	container blue
	"$CNIBOX" cni add mynet blue --capability-args '{"portMappings":[{"hostPort":8081,"containerPort":80,"protocol":"tcp"}]}' >/dev/null
}

bridge() { # [JQ]
	jq -n -c '{type: "bridge", bridge: "br9", isGateway: true, ipam: {type: "host-local", subnet: "10.9.0.0/24"}} | '"${1:-.}"
}

masq() { bridge ".ipMasq = true | .ipMasqBackend = \"$BACKEND\""; }
portmap() { echo '{"type": "portmap", "backend": "'"$BACKEND"'", "capabilities": {"portMappings": true}}'; }
firewall() { echo '{"type": "firewall", "backend": "'"$BACKEND"'"}'; }

rules_of() { # ADDRESS
	{
		nft list ruleset
		for program in iptables iptables-legacy ip6tables; do
			! type -t $program-save || $program-save
		done
	} 2>/dev/null | grep -F "$1"
}

# All checks at once: what was left by plugins whose rules tell of the pod.
all_rules() {
	status=0
	said=$(doctor --json) || status=$?
	assert_json "each" "$said" '[.problems[] | [.check, .safe]]' '[["masquerade",true],["port map",true],["firewall",true]]'
	assert_match "in words" "$(jq -r '.problems[].text' <<<"$said" | paste -sd' ')" \
		'rule for 10\.9\.0\.2 of container .* in network .*port that leads to 10\.9\.0\.2 .*lets pass 10\.9\.0\.2 '
	assert_match "--fix" "$(doctor --fix)" 'all of it is mended'
	is_well
	refute "no rule" rules_of 10.9.0.2
	still_checked
}

@test "rules of masquerade, port map and firewall: nftables" {
	orphan "$(masq)" "$(portmap)" "$(firewall)"
	all_rules
}

@test "the same, where names are so long that the comments are cut" {
	OTHER=a-network-with-a-very-long-name-indeed ID=$(printf 'c%.0s' {1..64}) orphan "$(masq)" "$(portmap)" "$(firewall)"
	all_rules
}

@test "the same with iptables" {
	need iptables
	orphan "$(masq)" "$(portmap)" "$(firewall)"
	all_rules
}

@test "the same with legacy iptables" {
	orphan "$(masq)" "$(portmap)" "$(firewall)"
	assert "they are in legacy tables" grep -q 10.9.0.2 <(iptables-legacy-save)
	all_rules
}

@test "rules of the firewall plugin that nobody wrote down, iptables" {
	need iptables
	orphan "$(bridge)" "$(firewall)"
	rm -r /run/cni/firewall # as the reference leaves them
	finds firewall 'rules that let 10\.9\.0\.2 pass'
	fixes
	refute "no rule" rules_of 10.9.0.2
}

@test "the chains of a spoof check" {
	orphan "$(bridge '.macspoofchk = true')"
	finds 'spoof check' 'macspoofchk rules of port veth'
	fixes
	assert_eq "the other pod's alone are left" "$(nft list table bridge nat | grep -c 'chain cni-br-iface-')" 2
}

@test "the ifb link of a limit" {
	need_link ifb
	orphan "$(bridge)" '{"type": "bandwidth", "ingressRate": 1000000, "ingressBurst": 1000000, "egressRate": 1000000, "egressBurst": 1000000}'
	finds ifb 'bwp.* limits nobody, once of other/.*/eth0'
	fixes
	refute "no link" grep -q bwp <(ip -o link)
}

# A file is young for a minute.
aged() {
	find /run/cni /var/lib/cni -type f -exec touch -d '-1 hour' {} + 2>/dev/null || :
}

@test "what tuning and flannel keep until DEL" {
	orphan "$(bridge)" '{"type": "tuning", "mtu": 1400}'
	is_well
	aged
	finds file '/run/cni/tuning/.*_eth0\.json is of a container whom nobody knows'
	assert_eq "it cannot be proved" "$safe" false
	eval "$remedy"
	is_well
	mkdir -p /run/flannel
	printf '%s\n' FLANNEL_NETWORK=10.9.0.0/16 FLANNEL_SUBNET=10.9.0.1/24 FLANNEL_MTU=1450 FLANNEL_IPMASQ=true >/run/flannel/subnet.env
	OTHER=cbr0 orphan '{"type": "flannel", "delegate": {"bridge": "br9", "isDefaultGateway": true}}'
	aged
	finds file '/var/lib/cni/flannel/.* is of a container whom nobody knows'
	eval "$remedy"
	is_well
}

@test "files that a killed write left, and one that a runtime cannot read" {
	echo '{"kind": "cniCa' >/var/lib/cni/results/other-c1-eth0
	echo '{' >/var/lib/cni/results/.other-c1-eth0.0123456789abcdef
	is_well
	aged
	assert_json "both" "$(doctor --json)" '[.problems[].text] | length' 2
	status=0
	said=$(doctor --fix) || status=$?
	finds file 'cached attachment /var/lib/cni/results/other-c1-eth0: '
	assert_eq "no half file" "$(find /var/lib/cni/results -name '.*' -type f)" ""
	eval "$remedy"
	is_well
}

@test "a lease by DHCP, of the daemon and in its files" {
	need dnsmasq
	lan
	server_place dora 192.0.2.1
	dnsmasq_in dora 192.0.2.10 192.0.2.20
	daemon
	for form in daemon files; do # the daemon holds the namespace, and its link with it
		HELD=1 orphan '{"type": "bridge", "bridge": "lan0", "ipam": {"type": "dhcp"}}'
		[[ $form == daemon ]] || { kill -KILL "$DAEMON"; wait "$DAEMON" || :; }
		finds lease '192\.0\.2\.[0-9]+ of network other, by DHCP: the namespace of .* is no more'
		fixes
	done
	assert_eq "no file" "$(find /run/cni/dhcp.leases -name '*.json')" ""
}

@test "a device that the kernel returned under a name of its own" {
	ip link add dev7 type ifb
	ip link set dev7 alias hd0
	finds device 'dev7 is hd0, which a container had'
	fixes
	assert "its name" ip link show hd0
	ip link set hd0 name dev8 alias hd0
	finds device 'dev8 is hd0'
	eval "$remedy"
	is_well
}

@test "links and rules in the pod itself go with its namespace" {
	ip link add up0 type veth peer name up1
	ip link set up0 up
	declare -A below=([macvlan]="link up0" [ipvlan]="link up0" [vlan]="link up0") words=([vrf]="table 5" [vlan]="id 5")
	for type in macvlan ipvlan vlan dummy vrf; do
		# shellcheck disable=SC2086 # words
		! ip link add probe0 ${below[$type]:-} type $type ${words[$type]:-} 2>/dev/null || { ip link del probe0; kinds+=("$type"); }
	done
	for type in "${kinds[@]}"; do
		case $type in
		vrf) orphan "$(bridge)" '{"type": "vrf", "vrfname": "red"}' ;;
		vlan) orphan '{"type": "vlan", "master": "up0", "vlanId": 5, "ipam": {"type": "host-local", "subnet": "10.9.0.0/24"}}' ;;
		*) orphan "{\"type\": \"$type\", \"master\": \"up0\", \"ipam\": {\"type\": \"host-local\", \"subnet\": \"10.9.0.0/24\"}}" ;;
		esac
		is_well
	done
	orphan "$(bridge)" '{"type": "sbr"}'
	is_well
	if [[ -c /dev/net/tun ]]; then
		orphan '{"type": "tap", "ipam": {"type": "host-local", "subnet": "10.9.0.0/24"}}'
		is_well
	fi
	assert "macvlan, at least" test ${#kinds[@]} -ge 1
}

@test "an attachment that the runtime remembers: one finding, whatever it left" {
	jq -n -c --argjson a "$(masq)" --argjson b "$(portmap)" --argjson c "$(firewall)" \
		'{cniVersion: "1.0.0", name: "other", plugins: [$a + {macspoofchk: true}, $b, $c, {type: "tuning", mtu: 1400}]}' >/etc/cni/net.d/20-other.conflist
	container green
	"$CNIBOX" cni add other green --capability-args "$PORTS" >/dev/null
	ip netns del green
	aged
	finds attachment 'eth0 of .* to network other: its namespace is no more'
	fixes
	refute "no rule" rules_of 10.9.0.2
	assert_eq "no file" "$(find /run/cni/tuning -type f)" ""
}

@test "sysctls: forwarding of one link; policies that do not see bridged packets" {
	[[ -e /proc/sys/net/bridge/bridge-nf-call-iptables ]] || missing "br_netfilter"
	sysctl -qw net.ipv4.conf.cni0.forwarding=0
	finds sysctl 'net\.ipv4\.conf\.cni0\.forwarding is 0 this node is the gateway of'
	fixes
	jq -n -c '{kind: "Pod", apiVersion: "v1", spec: {nodeName: "n1"}, metadata: {name: "blue", labels: {app: "blue"}}, status: {podIP: "10.1.0.2"}},
		{kind: "NetworkPolicy", apiVersion: "networking.k8s.io/v1", metadata: {name: "none"}, spec: {podSelector: {}, policyTypes: ["Ingress"]}}' >/run/objects.json
	sysctl -qw net.bridge.bridge-nf-call-iptables=1
	"$CNIBOX" policy-iptables apply --node n1 -f /run/objects.json --backend nftables >/dev/null
	is_well
	sysctl -qw net.bridge.bridge-nf-call-iptables=0
	finds sysctl 'net\.bridge\.bridge-nf-call-iptables is 0 policies \(nftables\) do not see what blue and others on bridge cni0'
	assert_eq "it is the administrator's" "$safe" false
	eval "$remedy" >/dev/null
	is_well
}

@test "a network whose addresses are those of the node's own" {
	ip link add up0 type ifb
	ip addr add 10.9.0.7/24 dev up0
	jq -n -c --argjson a "$(bridge)" '{cniVersion: "1.0.0", name: "other", plugins: [$a]}' >/etc/cni/net.d/20-other.conflist
	finds conflict 'network other gives out addresses of this node.s up0 10\.9\.0\.7/24 \(up0\) is within 10\.9\.0\.0/24'
	ip addr replace 10.8.0.7/24 dev up0
	ip addr del 10.9.0.7/24 dev up0
	is_well
}
