# The firewall plugin in a chain, and what the node forwards then: `load lib/forward`.
#
#   chain BRIDGE SUBNET [JQ]     a list of bridge and firewall; JQ changes the firewall's part
#   alone [JQ]                   the firewall alone behind a made-up result; JQ changes all of it
#   restore CONF [@CONTAINER]    the plugin's verb restore, with the result of ADD
#   outside                      a namespace `outside`, 192.0.2.2 and 2001:db8::2, routed by this node
#   rules                        the filter tables of iptables, both families, without counters and built-in chains
#   programs                     what the last calls under traced=1 executed, the plugins aside
# shellcheck shell=bash

load lib/link

setup_file() {
	export RESTORE=$BATS_FILE_TMPDIR/restore
	link_with restore.c "$RESTORE" "${CNIBOX%/*}"/applets/*/*.o "${CNIBOX%/*}"/applets/*/*/*.o
}

chain() {
	jq -c -n --arg bridge "$1" --arg subnet "$2" '{cniVersion: "1.0.0", name: "net-\($bridge)", plugins: [
		{type: "bridge", bridge: $bridge, isDefaultGateway: true, ipam: {type: "host-local",
		 ranges: [[{subnet: $subnet}], [{subnet: "fd\($subnet | split(".")[1])::/64"}]]}},
		({type: "firewall"} | '"${3:-.}"')]}'
}

alone() {
	jq -c -n '{cniVersion: "1.0.0", name: "tnet", type: "firewall", prevResult: {cniVersion: "1.0.0",
		interfaces: [{name: "cni0"}, {name: "veth1"}, {name: "eth0", sandbox: "/run/netns/ctr"}],
		ips: [{address: "10.77.0.2/24", interface: 2}, {address: "fd77::2/64", interface: 2}]}} | '"${1:-.}"
}

restore() {
	local conf=$1 id=${2:-@ctr} firewall prev

	id=${id#@}
	prev=$(cni_cache "$(jq -r .name <<<"$conf")" "$id" eth0)
	firewall=$(jq -c --slurpfile prev <(cat "$prev" 2>/dev/null) '. as $list
		| (.plugins // [.] | map(select(.type == "firewall"))[0]) + {name: $list.name, cniVersion: $list.cniVersion}
		| if has("prevResult") then . else .prevResult = $prev[0] end' <<<"$conf")
	run_log env CNI_COMMAND=CHECK CNI_CONTAINERID="$id" CNI_NETNS="/run/netns/$id" CNI_IFNAME=eth0 CNI_PATH="$PLUGINS" \
		"$RESTORE" firewall <<<"$firewall"
}

outside() {
	container outside
	ip link add out0 type veth peer name eth0 netns outside
	ip addr add 192.0.2.1/24 dev out0
	ip addr add 2001:db8::1/64 dev out0 nodad
	ip link set out0 up
	ip -n outside addr add 192.0.2.2/24 dev eth0
	ip -n outside addr add 2001:db8::2/64 dev eth0 nodad
	ip -n outside link set eth0 up
	ip -n outside route add default via 192.0.2.1
	ip -n outside route add default via 2001:db8::1
}

rules() {
	local program

	for program in iptables ip6tables; do
		"$program-save" -t filter 2>/dev/null | sed -nE "s/^:([^ ]+) - .*/$program -N \1/p; s/^-A/$program -A/p"
	done
}

# The address of a container, the first of that family.
address_of() { # CONTAINER [-4|-6]
	ip -n "$1" -j "${2:--4}" addr show dev eth0 scope global | jq -r '.[0].addr_info[0].local'
}

blocked() { # FROM ADDRESS: no answer, though there is a way
	await_addresses "$1" "$2"
	! run_in "$1" ping -n -c 1 -W 0.3 "$2" >/dev/null
}
