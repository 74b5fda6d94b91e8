# Every plugin with a rich configuration, ready to be disturbed: `load lib/every`.
#
#   every_ready PLUGIN      makes what it needs; sets PLUGIN, CONF and (of a chained one) PREV; WEAK=1 where the kernel has not
#                           its links, so that ADD and CHECK may fail, as long as they do it well
#   every_call VERB [VARIABLE=value ...]   one call for container ctr, eth0, without prevResult for DEL, as after a failed
#                           ADD; sets status and output. $PROGRAMS is where the plugins are, CNI_WRAP is put in front
#   every_works VERB        it succeeds (WEAK: or fails)
#   every_answers VERB      what it printed is what VERB has to say when it succeeds
#   every_fresh             what only the namespace's end takes back: of sbr and tuning, before an ADD and before one looks
#   every_standing VERB     what VERB needs: an attachment, for all but ADD, STATUS and VERSION
#   every_checked           the CHECK that follows is of the ADD that was just called
#   every_left BEFORE       nothing is left, but for what was there in $BEFORE=$(every_state)
# VERB GC names the attachment as valid, GCALL does not.
# shellcheck shell=bash

load lib/dhcp

every_conf() { # JQ, of the whole configuration
	jq -n -c --arg type "$PLUGIN" '{cniVersion: "1.1.0", name: "tnet", type: $type} | '"$1"
}

EVERY_RANGES='{type: "host-local", ranges: [[{subnet: "10.77.0.0/24"}], [{subnet: "fd77::/64"}]], routes: [{dst: "0.0.0.0/0"}]}'

every_ready() {
	PLUGIN=$1 PREV=null PROGRAMS=${PROGRAMS:-$PLUGINS} TRACE=$BATS_TEST_TMPDIR/trace
	need strace nft jq
	container ctr
	WEAK=''
	ip link add lan0 type veth peer name lan1
	ip link set lan0 up
	ip link set lan1 up
	"every_ready_${1//-/_}"
	every_settle
}

# The first attachment makes what all share.
every_settle() {
	MAC=$(ip -n ctr -j link show eth0 2>/dev/null | jq -r '.[0].address')
	every_works ADD
	every_works DEL
	every_fresh
}

every_kind() { # KIND [ARGUMENT ...]
	local -a below=()

	[[ $1 != @(macvlan|ipvlan|vlan) ]] || below=(link lan0)
	if ip link add name probe0 "${below[@]}" type "$@" 2>/dev/null; then
		ip link del probe0
	else
		WEAK=1
	fi
}

every_ready_loopback() { CONF=$(every_conf .); }
every_ready_dummy()    { every_kind dummy; CONF=$(every_conf ".ipam = $EVERY_RANGES"); }
every_ready_macvlan()  { every_kind macvlan; CONF=$(every_conf ".master = \"lan0\" | .ipam = $EVERY_RANGES"); }
every_ready_ptp()      { CONF=$(every_conf ".ipMasq = true | .ipMasqBackend = \"nftables\" | .ipam = $EVERY_RANGES"); }

every_ready_bridge() {
	CONF=$(every_conf ".isDefaultGateway = true | .ipMasq = true | .ipMasqBackend = \"nftables\" | .macspoofchk = true
		| .mtu = 1400 | .ipam = $EVERY_RANGES")
}

every_ready_ipvlan() {
	every_kind ipvlan
	CONF=$(every_conf ".master = \"lan0\" | .ipam = $EVERY_RANGES")
}

every_ready_vlan() {
	every_kind vlan id 9
	CONF=$(every_conf ".master = \"lan0\" | .vlanId = 5 | .ipam = $EVERY_RANGES")
}

every_ready_host_device() {
	ip link add hd0 type veth peer name hd1
	ip link set hd1 up
	ip addr add 192.0.2.5/24 dev hd0
	ip link set hd0 up
	CONF=$(every_conf ".device = \"hd0\" | .ipam = $EVERY_RANGES")
	# What the host had on it is not kept through an attachment.
	every_call ADD
	every_call DEL
}

every_ready_tap() {
	[[ -r /dev/net/tun && -w /dev/net/tun ]] || missing "/dev/net/tun, to be opened"
	CONF=$(every_conf ".ipam = $EVERY_RANGES")
}

every_ready_host_local() { CONF=$(every_conf ".type = \"bridge\" | .ipam = $EVERY_RANGES | .ipam.resolvConf = \"/run/resolv.conf\""); echo nameserver 192.0.2.1 >/run/resolv.conf; }

every_ready_static() {
	CONF=$(every_conf '.type = "bridge" | .ipam = {type: "static", addresses: [{address: "10.77.0.5/24", gateway: "10.77.0.1"}], routes: [{dst: "0.0.0.0/0"}]}')
}

every_ready_dhcp() {
	need dnsmasq
	ip link del lan0
	lan
	server_place dora 192.0.2.1
	dnsmasq_in dora 192.0.2.10 192.0.2.200
	daemon
	ip link add lan-ctr type veth peer name eth0 netns ctr
	ip link set lan-ctr master lan0 up
	ip -n ctr link set eth0 up
	CONF=$(dhcp_conf '.cniVersion = "1.1.0"')
}

every_ready_flannel() {
	printf '%s\n' FLANNEL_NETWORK=10.77.0.0/16 FLANNEL_SUBNET=10.77.0.1/24 FLANNEL_MTU=1450 FLANNEL_IPMASQ=true >/run/subnet.env
	CONF=$(every_conf '.subnetFile = "/run/subnet.env" | .delegate = {isDefaultGateway: true, ipMasq: true, ipMasqBackend: "nftables"}')
}

# What a chained plugin comes after.
every_chained() {
	PLUGIN=bridge every_ready_bridge
	CONF=$(jq -c '.name = "under" | .type = "bridge"' <<<"$CONF") PLUGIN=bridge every_works ADD
	PREV=$output
}

every_ready_portmap() {
	every_chained
	CONF=$(every_conf '.backend = "nftables" | .runtimeConfig = {portMappings: [
		{hostPort: 8080, containerPort: 80, protocol: "tcp"}, {hostPort: 53, containerPort: 53, protocol: "udp", hostIP: "192.0.2.1"}]}')
}

every_ready_bandwidth() {
	every_kind ifb
	every_chained
	CONF=$(every_conf '. + {ingressRate: 8000000, ingressBurst: 800000, egressRate: 8000000, egressBurst: 800000}')
}

every_ready_tuning() {
	every_chained
	CONF=$(every_conf '. + {mac: "02:00:00:00:00:77", mtu: 1300, promisc: true, allmulti: true, txQLen: 500, sysctl: {"net.ipv4.conf.eth0.arp_notify": "1"}}')
}

every_ready_firewall() {
	every_chained
	CONF=$(every_conf '.backend = "nftables" | .ingressPolicy = "same-bridge"')
}

every_ready_sbr() {
	every_chained
	CONF=$(every_conf .)
}

every_ready_vrf() {
	every_kind vrf table 9
	every_chained
	CONF=$(every_conf '.vrfname = "red"')
}

# ---- calls ----

every_call() {
	local verb=$1 conf=$CONF

	shift
	case $verb in
	ADD)   [[ $PREV == null ]] || conf=$(jq -c --argjson prev "$PREV" '.prevResult = $prev' <<<"$CONF") ;;
	CHECK) conf=$CHECKED ;;
	GC)    conf=$(jq -c '."cni.dev/valid-attachments" = [{containerID: "ctr", ifname: "eth0"}]' <<<"$CONF") ;;
	GCALL) conf=$(jq -c '."cni.dev/valid-attachments" = []' <<<"$CONF") ;;
	esac
	status=0
	output=$(deadline env CNI_COMMAND="${verb%ALL}" CNI_CONTAINERID=ctr CNI_NETNS=/run/netns/ctr CNI_IFNAME=eth0 \
		CNI_PATH="$PROGRAMS" "$@" "${CNI_WRAP[@]}" "$PROGRAMS/$PLUGIN" <<<"$conf" 2>"$BATS_TEST_TMPDIR/stderr") || status=$?
}

every_works() {
	every_call "$@"
	[[ $status == 0 || ( $status == 1 && -n $WEAK && $1 == @(ADD|CHECK|STATUS) ) ]] || flunk "NOT: $PLUGIN: $1 exits 0" "exit status $status" "$output" "$(<"$BATS_TEST_TMPDIR/stderr")"
}

every_answers() {
	case $1 in
	ADD)     jq -e -s 'length == 1 and .[0].cniVersion == "1.1.0"' <<<"$output" >/dev/null ;;
	VERSION) jq -e -s 'length == 1 and (.[0].supportedVersions | length > 5)' <<<"$output" >/dev/null ;;
	*)       [[ -z $output ]] ;;
	esac
}

every_fresh() {
	case $PLUGIN in
	tuning) ip -n ctr link set eth0 mtu 1400 promisc off allmulticast off txqueuelen 1000 address "$MAC" ;;
	sbr)
		ip -n ctr route replace 10.77.0.0/24 dev eth0 proto kernel scope link src 10.77.0.2
		ip -n ctr route replace fd77::/64 dev eth0 proto kernel metric 256
		ip -n ctr route replace default via 10.77.0.1
		ip -n ctr -6 route replace default via fd77::1
		ip -n ctr route flush table 100
		ip -n ctr -6 route flush table 100 ;;
	esac
}

every_standing() {
	[[ $1 != ADD ]] || every_fresh
	[[ $1 != @(ADD|STATUS|VERSION) ]] || return 0
	every_fresh
	every_works ADD
	every_checked
}

every_checked() {
	[[ $status == 0 && $output == *cniVersion* ]] || output=null
	CHECKED=$(jq -c --argjson prev "$output" '.prevResult = $prev' <<<"$CONF")
}

# All that an attachment can leave, or take away. What moves by itself is taken out.
every_state() {
	{
		ip -o -d link show
		ip -br addr
		ip -n ctr -o -d link show
		ip -n ctr -br addr
		ip route show table all
		ip -6 route show table all
		ip -n ctr route show table all
		ip -n ctr rule
		tc qdisc show
		cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv6/conf/all/forwarding
		nft list ruleset | grep -vE '^(table|}|\s*$)'
		find /var/lib/cni /run/cni -type f ! -path '*/.cnibox/*' ! -name lock ! -name 'last_reserved*'
	} 2>/dev/null | sed -E 's/^[0-9]+: //; s/ (UP|DOWN|UNKNOWN|LOWERLAYERDOWN) +/ /; s/ fe80::[^ ]*//; /^(fe80|ff00|multicast)/d
		s/ linkdown//; /table local/d; /fe80|bridge_id|designated/s/.*//; s/@[^ :]*//; s/ (state|group|qlen|mode|qdisc|numtxqueues|gso_[a-z_0-9]*|hello_timer|tcn_timer|topology_change_timer|gc_timer) [^ ]+//g
		s/<[^>]*>//; s/ +$//'
}

every_same() {
	[[ $(every_state) == "$1" ]]
}

every_left() {
	every_fresh
	every_same "$1" || wait_for "nothing is left" 10 every_same "$1" && return
	diff -u --label before --label after <(echo "$1") <(every_state)
	return 1
}
