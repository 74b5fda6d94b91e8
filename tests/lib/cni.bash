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
	host-local)
		base='{"cniVersion": "1.0.0", "name": "tnet",
		       "ipam": {"type": "host-local", "subnet": "10.77.0.0/24"}}' ;;
	esac
	jq -c --arg type "$1" '.type = $type | '"${2:-.}" <<<"$base"
}

# Where the runtime keeps ADD's results: one file for an attachment.
cni_cache() {
	local dir=${BATS_TEST_TMPDIR:-${TMPDIR:-/tmp}}/results

	mkdir -p "$dir"
	echo "$dir/$(jq -r .name <<<"$1")-$2-$3.json"
}

cni_find() {
	local name=$1 dir
	local -a dirs

	IFS=: read -ra dirs <<<"$2"
	for dir in "${dirs[@]}"; do
		[[ -x $dir/$name ]] && { echo "$dir/$name"; return; }
	done
	flunk "no plugin \"$name\" in $2; is it built?" >&2
}

# One process: JSON in $1, environment behind. Leaves status, output and stderr.
cni_exec() {
	local json=$1 path='' word program out=${BATS_TEST_TMPDIR:-${TMPDIR:-/tmp}}/cni.$BASHPID

	shift
	for word; do
		[[ $word == CNI_PATH=* ]] && path=${word#*=}
	done
	program=$(cni_find "$(jq -r .type <<<"$json")" "${path:-$PLUGINS}") || return
	status=0
	deadline "${CNI_DEADLINE:-20}" env "$@" "${CNI_WRAP[@]}" "$program" <<<"$json" >"$out.out" 2>"$out.err" || status=$?
	output=$(<"$out.out") stderr=$(<"$out.err")
	rm -f "$out.out" "$out.err"
	printf '+ %s %s <<<%s\n' "$*" "$program" "$json"
	[[ -z $output ]] || printf '%s\n' "$output"
	[[ -z $stderr ]] || printf '  stderr: %s\n' "$stderr"
	[[ $status == 0 ]] || printf '  exit status %s\n' "$status"
}

# The configuration of plugin $2 of list $1 as libcni would hand it over; $3 = prevResult or nothing.
cni_plugin_conf() {
	jq -c --argjson i "$2" --argjson prev "${3:-null}" --argjson runtime "${RUNTIME:-null}" '
		. as $list | ($list.plugins[$i] // $list)
		| if $list.plugins then .name = $list.name | .cniVersion = ($list.cniVersion // "0.1.0") else . end
		| if $prev != null and (has("prevResult") | not) then .prevResult = $prev else . end
		| (.capabilities // {}) as $can
		| ($runtime // {} | with_entries(select($can[.key]))) as $mine
		| if $mine == {} then . else .runtimeConfig = ((.runtimeConfig // {}) + $mine) end' <<<"$1"
}

cni_call() {
	local command=$1 conf=$2 id=ctr netns='' ifname=eth0 word cache prev='' i n
	local -a variables=() environment

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
	cache=$(cni_cache "$conf" "$id" "$ifname")
	[[ $command != @(DEL|CHECK) || -n ${NO_PREV:-} || ! -s $cache ]] || cni_old "$conf" || prev=$(<"$cache")

	n=$(jq '.plugins // [1] | length' <<<"$conf")
	for ((i = 0; i < n; i++)); do
		cni_exec "$(cni_plugin_conf "$conf" "$([[ $command == DEL ]] && echo $((n - 1 - i)) || echo "$i")" "$prev")" \
			"${environment[@]}" || return
		[[ $status == 0 ]] || break
		[[ $command != ADD ]] || prev=$output
	done
	[[ $command != ADD || $status != 0 ]] || printf '%s\n' "$output" >"$cache"
	[[ $command != DEL || $status != 0 ]] || rm -f "$cache"
	[[ $status == "${EXPECT:-0}" ]] || flunk "NOT: $command exits ${EXPECT:-0}: status $status"
}

# Versions that know no prevResult on DEL and CHECK.
cni_old() {
	jq -e '.cniVersion // "0.1.0" | IN("", "0.1.0", "0.2.0", "0.3.0", "0.3.1")' <<<"$1" >/dev/null
}

# ---- snapshots ----

# Link-local addresses, carrier and statistics change by themselves; indices and handles mean nothing.
SNAPSHOT_LINKS='map(select(.ifname != null) | del(.ifindex, .operstate, .stats, .stats64, .link_index, .link_netnsid,
	.num_tx_queues, .num_rx_queues, .gso_max_size, .gso_max_segs, .tso_max_size, .tso_max_segs, .gro_max_size)
	| .flags -= ["LOWER_UP", "NO-CARRIER", "M-DOWN"]
	| del(.linkinfo.info_data?, .linkinfo.info_slave_data?) + {
	    data:  ((.linkinfo.info_data // {}) | with_entries(select(.key | test("timer|root_|bridge_id|topology|designated|gc_") | not))),
	    slave: ((.linkinfo.info_slave_data // {}) | with_entries(select(.key | test("^(state|id|no|designated.*|.*timer|root_.*|cost|bridge_id|topology.*|config_pending)$") | not))) })
	| sort_by(.ifname)'
SNAPSHOT_ADDRESSES='map(select(.ifname != null) | {ifname, addresses: [.addr_info[]? | select(.scope != "link")
	| del(.valid_life_time, .preferred_life_time, .tentative, .stable_privacy)] | sort_by(.local)}) | sort_by(.ifname)'
SNAPSHOT_ROUTES='map(select((.dst // "" | test("^fe80:|^ff00:|^multicast")) | not) | .flags -= ["linkdown", "dead"]) | sort'

snapshot_sysctls() {
	local dir file

	# shellcheck disable=SC2016
	for dir in /proc/sys/net/ipv4/conf/* /proc/sys/net/ipv6/conf/*; do
		for file in accept_ra accept_dad enhanced_dad arp_notify ndisc_notify disable_ipv6 keep_addr_on_down \
			route_localnet rp_filter proxy_arp forwarding arp_filter; do
			[[ -r $dir/$file ]] && printf '%s=%s\n' "${dir#/proc/sys/net/}/$file" "$(<"$dir/$file")"
		done
	done
	printf 'ipv4/ip_forward=%s\n' "$(</proc/sys/net/ipv4/ip_forward)"
}

# Chains and tables that only exist because iptables or nft looked at them do not count, rules do.
snapshot_rules() {
	local program

	for program in iptables-save ip6tables-save; do
		"$program" 2>/dev/null | sed -n "s/^\*/$program /p; /^-A/p; /^:[^ ]* -/{s/ \[.*//;p}" | awk -v p="$program" '
			$1 == p { table = $2; next } { print p, table, $0 }'
	done
	nft -j list ruleset 2>/dev/null | jq -cS '.nftables[] | select(has("metainfo") or has("table") | not)
		| select(.chain.type == null or .chain == null) | del(.[].handle)
		| walk(if type == "object" then del(.packets, .bytes) else . end)' 2>/dev/null
	return 0
}

# Files of plugins and runtimes. Indices, locks and results are there or not; leases count with their content.
snapshot_files() {
	local file

	find /var/lib/cni /run/cni -type f 2>/dev/null | sort | while read -r file; do
		case $file in
		*/lock | */last_reserved_ip.* | /var/lib/cni/results/*) ;;
		*) printf '%s: %s\n' "$file" "$(tr '\r\n' '/ ' <"$file")" ;;
		esac
	done
}

snapshot_here() {
	local function

	{
		printf '{"links": %s, ' "$(ip -d -j link show | jq "$SNAPSHOT_LINKS")"
		printf '"addresses": %s, ' "$(ip -d -j addr show | jq "$SNAPSHOT_ADDRESSES")"
		printf '"routes": %s, ' "$({ ip -j -4 route show table all; ip -j -6 route show table all; } | jq -s "add | $SNAPSHOT_ROUTES")"
		printf '"policy": %s, ' "$({ ip -j -4 rule; ip -j -6 rule; } | jq -s add)"
		printf '"neighbours": %s, ' "$(ip -j neigh show nud permanent | jq 'sort')"
		for function in sysctls rules files; do
			printf '"%s": %s, ' "$function" "$("snapshot_$function" | jq -R . | jq -s .)"
		done
		printf '"end": true}'
	} | jq -S 'del(.end)'
}

snapshot() {
	local name

	for name in "${@:-host}"; do
		jq -n --arg name "$name" --argjson state "$(snapshot_in "$name")" '{($name): $state}'
	done | jq -S -s add
}

snapshot_in() {
	[[ $1 != host ]] || { snapshot_here; return; }
	# shellcheck disable=SC2016
	run_in "$1" bash -c 'source "$CNIBOX_TESTS/lib/cni.bash" && snapshot_here | jq "del(.files)"'
}

left() {
	assert_eq "nothing is left behind" "$(snapshot)" "$1"
}
