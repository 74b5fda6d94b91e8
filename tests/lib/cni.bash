# Call plugins the way a runtime does, and look at what they leave behind.
#
#   cni_add | cni_del | cni_check CONF [@CONTAINER] [VARIABLE=value ...]
#   cni_gc | cni_status | cni_version CONF [VARIABLE=value ...]
#     CONF is a file, or the JSON itself; with a "plugins" array it is a list, run as libcni does (in order; DEL in
#     reverse), else one plugin. @NAME means container id NAME in namespace /run/netns/NAME (default @ctr), on eth0.
#     ADD's result is kept, and given to the CHECK and DEL of the same attachment as prevResult (0.4.0 and later);
#     NO_PREV=1 in front leaves it out. EXPECT=1 in front expects exit status 1 (default 0).
#     RUNTIME='{"mac": "..."}' in front is the runtime's configuration; each plugin gets what its capabilities name.
#     CNI_WRAP is an array put in front of the plugin (strace ...).
#     Sets output (stdout), stderr, status; logs all of it.
#   conf TYPE [JQ]        a small configuration of that plugin, changed by a jq program: conf bridge '.mtu = 1400'
#   snapshot [NAME ...]   the state of the host (default) and containers as sorted JSON, without what moves by itself
#   left SNAPSHOT         fail with the difference when the host is not as in that snapshot
# shellcheck shell=bash

CNI_WRAP=()
status=0 output='' stderr=''

cni_add()     { cni_call ADD "$@"; }
cni_del()     { cni_call DEL "$@"; }
cni_check()   { cni_call CHECK "$@"; }
cni_gc()      { cni_call GC "$@"; }
cni_status()  { cni_call STATUS "$@"; }
cni_version() { cni_call VERSION "$@"; }

conf() {
	local base='{"cniVersion": "1.0.0", "name": "tnet"}'

	case $1 in
	bridge)
		base='{"cniVersion": "1.0.0", "name": "tnet", "type": "bridge", "bridge": "cni0", "isGateway": true,
		       "ipam": {"type": "host-local", "subnet": "10.77.0.0/24"}}' ;;
	ptp | dummy | tap)
		base='{"cniVersion": "1.0.0", "name": "tnet", "ipam": {"type": "host-local", "subnet": "10.77.0.0/24"}}' ;;
	macvlan | ipvlan)
		base='{"cniVersion": "1.0.0", "name": "tnet", "master": "lan0",
		       "ipam": {"type": "host-local", "subnet": "10.77.0.0/24"}}' ;;
	vlan)
		base='{"cniVersion": "1.0.0", "name": "tnet", "master": "lan0", "vlanId": 5,
		       "ipam": {"type": "host-local", "subnet": "10.77.0.0/24"}}' ;;
	host-device)
		base='{"cniVersion": "1.0.0", "name": "tnet", "device": "hd0",
		       "ipam": {"type": "host-local", "subnet": "10.77.0.0/24"}}' ;;
	host-local)
		base='{"cniVersion": "1.0.0", "name": "tnet",
		       "ipam": {"type": "host-local", "subnet": "10.77.0.0/24"}}' ;;
	static)
		base='{"cniVersion": "1.0.0", "name": "tnet",
		       "ipam": {"type": "static", "addresses": [{"address": "10.77.0.5/24", "gateway": "10.77.0.1"}]}}' ;;
	bandwidth)
		base='{"cniVersion": "1.0.0", "name": "tnet", "ingressRate": 8000000, "ingressBurst": 800000}' ;;
	tuning)
		base='{"cniVersion": "1.0.0", "name": "tnet", "sysctl": {"net.core.somaxconn": "500"}}' ;;
	portmap)
		base='{"cniVersion": "1.0.0", "name": "tnet",
		       "runtimeConfig": {"portMappings": [{"hostPort": 8080, "containerPort": 80, "protocol": "tcp"}]}}' ;;
	vrf)
		base='{"cniVersion": "1.0.0", "name": "tnet", "vrfname": "blue"}' ;;
	dhcp)
		base='{"cniVersion": "1.0.0", "name": "tnet", "ipam": {"type": "dhcp"}}' ;;
	flannel)
		base='{"cniVersion": "1.0.0", "name": "tnet", "subnetFile": "'$CNIBOX_TESTS'/fixtures/subnet.env"}' ;;
	esac
	base=${base%\}}', "type": "'$1'"}'
	[[ -n ${2:-} ]] || { printf '%s\n' "$base"; return; }
	jq -c "$2" <<<"$base"
}

# Where the runtime keeps ADD's results: one file for an attachment. $1 is the network's name.
cni_cache() {
	local dir=${BATS_TEST_TMPDIR:-${TMPDIR:-/tmp}}/results

	[[ -d $dir ]] || mkdir -p "$dir"
	echo "$dir/$1-$2-$3.json"
}

# Sets program.
cni_find() {
	local name=$1 dir
	local -a dirs

	IFS=: read -ra dirs <<<"$2"
	for dir in "${dirs[@]}"; do
		[[ -x $dir/$name ]] && { program=$dir/$name; return; }
	done
	flunk "no plugin \"$name\" in $2; is it built?" >&2
}

# One process: plugin $1, JSON $2, environment behind. Leaves status, output and stderr.
cni_exec() {
	local type=$1 json=$2 path='' word program out=${BATS_TEST_TMPDIR:-${TMPDIR:-/tmp}}/cni.$BASHPID

	shift 2
	for word; do
		[[ $word == CNI_PATH=* ]] && path=${word#*=}
	done
	cni_find "$type" "${path:-$PLUGINS}" || return
	status=0
	# A tracer and the leak checker exclude each other.
	deadline "${CNI_DEADLINE:-20}" env "$@" ${CNI_WRAP:+ASAN_OPTIONS=detect_leaks=0} "${CNI_WRAP[@]}" "$program" <<<"$json" >"$out.out" 2>"$out.err" || status=$?
	output=$(<"$out.out") stderr=$(<"$out.err")
	printf '+ %s %s <<<%s\n' "$*" "$program" "$json"
	[[ -z $output ]] || printf '%s\n' "$output"
	[[ -z $stderr ]] || printf '  stderr: %s\n' "$stderr"
	[[ $status == 0 ]] || printf '  exit status %s\n' "$status"
}

# What jq says of list or plugin $1, kept, since jq is slow to start: sets facts to its name, the number of plugins, whether
# its version knows no prevResult; then of each plugin the type, whether it has a prevResult, and the configuration as
# libcni would hand it over.
declare -gA CNI_FACTS
cni_facts() {
	local key="${RUNTIME:-null} $1"

	[[ -n ${CNI_FACTS[$key]:-} ]] || CNI_FACTS[$key]=$(jq -c -r --argjson runtime "${RUNTIME:-null}" '
		. as $list
		| .name, (.plugins // [1] | length), (.cniVersion // "0.1.0" | IN("", "0.1.0", "0.2.0", "0.3.0", "0.3.1")),
		(range(.plugins // [1] | length) as $i | ($list.plugins[$i]? // $list)
		| if $list.plugins then .name = $list.name | .cniVersion = ($list.cniVersion // "0.1.0") else . end
		| (.capabilities // {}) as $can
		| ($runtime // {} | with_entries(select($can[.key]))) as $mine
		| if $mine == {} then . else .runtimeConfig = ((.runtimeConfig // {}) + $mine) end
		| .type, has("prevResult"), .)' <<<"$1") || return
	mapfile -t facts <<<"${CNI_FACTS[$key]}"
}

cni_call() {
	local command=$1 conf=$2 id=ctr netns='' ifname=eth0 word cache prev='' i n at
	local -a variables=() environment facts plugin

	shift 2
	[[ $conf == \{* ]] || conf=$(<"$conf")
	for word; do
		case $word in
		@*)                id=${word#@} ;;
		CNI_CONTAINERID=*) id=${word#*=} ;;
		CNI_IFNAME=*)      ifname=${word#*=} ;;
		esac
		[[ $word == @* ]] || variables+=("$word")
	done
	netns=/run/netns/$id
	environment=(CNI_COMMAND="$command" CNI_PATH="$PLUGINS")
	[[ $command != @(ADD|DEL|CHECK) ]] ||
		environment+=(CNI_CONTAINERID="$id" CNI_NETNS="$netns" CNI_IFNAME="$ifname")
	environment+=("${variables[@]}")
	cni_facts "$conf" || return
	cache=$(cni_cache "${facts[0]}" "$id" "$ifname") n=${facts[1]}
	# Old versions know no prevResult on DEL and CHECK.
	[[ $command != @(DEL|CHECK) || -n ${NO_PREV:-} || ${facts[2]} == true || ! -s $cache ]] || prev=$(<"$cache")

	for ((i = 0; i < n; i++)); do
		[[ $command == DEL ]] && at=$((n - 1 - i)) || at=$i
		plugin=("${facts[@]:3 + 3 * at:3}")
		[[ -z $prev || ${plugin[1]} == true ]] || plugin[2]=${plugin[2]%\}}',"prevResult":'$prev'}'
		cni_exec "${plugin[0]}" "${plugin[2]}" "${environment[@]}" || return
		[[ $status == 0 ]] || break
		[[ $command != ADD ]] || prev=$output
	done
	[[ $command != ADD || $status != 0 ]] || printf '%s\n' "$output" >"$cache"
	[[ $command != DEL || $status != 0 ]] || rm -f "$cache"
	[[ $status == "${EXPECT:-0}" ]] || [[ ${EXPECT:-} == any ]] ||
		flunk "NOT: $command exits ${EXPECT:-0}: status $status"
}

# ---- snapshots ----

# Carrier, timers and statistics change by themselves; so do link-local addresses, and what the kernel makes of an
# address (table local). Indices and handles mean nothing, nor does an alias that repeats the name (host-device 1.1.1). Bridge MAC addresses follow the ports unless pinned.
SNAPSHOT_FILTER='
	def moving: test("timer|root_|bridge_id|topology|designated|^(gc_.*|state|id|no|cost|config_pending)$");
	def details: (. // {}) | with_entries(select(.key | moving | not));
	{
		links: ($devices[0] | map(select(.ifname)
			| if .ifalias == .ifname then del(.ifalias) else . end
			| .kind = .linkinfo.info_kind | .data = (.linkinfo.info_data | details)
			| .port = (.linkinfo.info_slave_data | details)
			| .flags -= ["LOWER_UP", "NO-CARRIER", "M-DOWN"]
			| del(.linkinfo, .ifindex, .link_index, .link_netnsid, .operstate, .num_tx_queues, .num_rx_queues,
			      .gso_max_size, .gso_max_segs, .tso_max_size, .tso_max_segs, .gro_max_size,
			      .gso_ipv4_max_size, .gro_ipv4_max_size)) | sort_by(.ifname)),
		addresses: ($devices[1] | map(select(.ifname) | {ifname, addresses: (.addr_info // []
			| map(select(.scope != "link")
			| del(.valid_life_time, .preferred_life_time, .tentative, .dadfailed)) | sort_by(.local))})
			| sort_by(.ifname)),
		routes: ($ways[0] | map(select(.table != "local" or .protocol != "kernel")
			| select(.dst // "" | test("^fe80:|^ff00:|^multicast") | not)
			| .flags = ((.flags // []) - ["linkdown", "dead"])) | sort),
		policy: ($ways[1] + $policy6[0]),
		neighbours: ($ways[2] | sort),
		sysctls: ($sysctls | split("\n") | map(select(. != "") | sub("^/proc/sys/net/"; "") | sub(":"; "=")) | sort),
		rules: ([($iptables | split("\n")[] | select(. != "")),
			($nft[].nftables[]? | select((.metainfo or .table or (.chain.type // null)) | not) | del(.[].handle)
			 | select(($seen == "nf_tables" and (.[].family | IN("ip", "ip6")) and
				   (.[].table | IN("nat", "filter", "mangle", "raw"))) | not)
			 | walk(if type == "object" then del(.packets, .bytes) else . end) | tojson)]),
		shaping: [($qdiscs | add // [] | map(select(.handle != "0:") | del(.refcnt)) | sort_by(.dev, .handle)),
			($filters | map(map(del(.options.actions[]?.index))))],
		files: ($files | split("\n") | map(select(. != ""))),
	}'

snapshot_sysctls() {
	grep -s '' /proc/sys/net/ipv4/ip_forward \
		/proc/sys/net/ipv[46]/conf/*/{forwarding,accept_ra,accept_dad,enhanced_dad,disable_ipv6,keep_addr_on_down} \
		/proc/sys/net/ipv[46]/conf/*/{arp_notify,ndisc_notify,route_localnet,rp_filter,proxy_arp,arp_filter} \
		/proc/sys/net/core/somaxconn /proc/sys/net/ipv4/ip_local_port_range
}

# Chains and tables that only exist because iptables or nft looked at them do not count; rules and own chains do.
snapshot_iptables() {
	{
		iptables-save 2>/dev/null
		echo ip6tables-save
		ip6tables-save 2>/dev/null
	} | awk -v p=iptables-save '
		/^ip6tables-save$/ { p = $1 }
		/^\*/ { table = substr($1, 2) }
		/^-A/ { print p, table, $0 }
		/^:[^ ]* -/ { print p, table, $1 }'
}

# What sends traffic elsewhere, of every link that can hold such filters.
snapshot_filters() {
	local kind dev link

	while read -r _ kind _ dev link _; do
		[[ $kind != @(ingress|clsact) || $dev != dev ]] || tc -d -j filter show dev "$link" ingress
	done < <(tc qdisc show)
}

# Leases count with their content; locks, counters, our index of leases, our notes on who was admitted, and the runtime's
# cache do not.
snapshot_files() {
	local file text

	find /var/lib/cni /run/cni -type f ! -name lock ! -name 'last_reserved_ip.*' \
		! -path '/var/lib/cni/results/*' ! -path '*/.cnibox/*' ! -path '/run/cni/firewall/*' 2>/dev/null |
		sort | while read -r file; do
		text=$(<"$file")
		printf '%s: %s\n' "$file" "${text//[$'\r\n']/|}"
	done
}

# What iptables-save shows needs not be shown again as nft rules, where iptables is nft's.
snapshot_here() { # [JQ, of the snapshot]
	local seen=legacy

	[[ $(iptables --version 2>/dev/null) != *nf_tables* ]] || seen=nf_tables
	jq -n -S "$SNAPSHOT_FILTER | ${1:-.}" --arg seen $seen \
		--slurpfile devices <(ip -d -j -b - <<<$'link show\naddr show') --slurpfile policy6 <(ip -j -6 rule) \
		--slurpfile ways <(ip -j -b - <<<$'route show table all\nrule\nneigh show nud permanent') \
		--slurpfile nft <(nft -j list ruleset 2>/dev/null) --rawfile iptables <(snapshot_iptables) \
		--slurpfile qdiscs <(tc -d -j qdisc show) --slurpfile filters <(snapshot_filters) \
		--rawfile sysctls <(snapshot_sysctls) --rawfile files <(snapshot_files) ||
		{ echo "no snapshot: $EPOCHREALTIME"; return 1; } # like no other one
}

snapshot() {
	local name

	if [[ $# -le 1 ]]; then
		snapshot_in "${1:-host}" "{\"${1:-host}\": .}"
		return
	fi
	for name; do
		snapshot_in "$name" "{\"$name\": .}"
	done | jq -S -s add
}

snapshot_in() { # NAME [JQ]
	[[ $1 != host ]] || { snapshot_here "${2:-.}"; return; }
	# shellcheck disable=SC2016
	run_in "$1" bash -c 'source "$CNIBOX_TESTS/lib/cni.bash" && snapshot_here "$1"' - "del(.files) | ${2:-.}"
}

left() {
	assert_eq "nothing is left behind" "$(snapshot)" "$1"
}
