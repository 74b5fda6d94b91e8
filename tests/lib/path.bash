# A node whose packets are followed by `cnibox path`; behind lib/nodes: `load lib/path`.
#
#   path_node [JQ]          the node: a network of bridge and portmap, its list changed by jq
#   is_ok WORDS             path says that it is well
#   stops WHAT PATTERN WORDS   the one thing that stops the packet, in these words; $remedy is what is said against it
#   mends WORDS             that is run, and the path is well
#   port_of POD, mac_of POD its end on the host; its hardware address
#   only80                  /run/objects.json: blue and red on n1, and a policy that lets only TCP port 80 come to red
#   on NODE WORDS           path on another node, which sees no namespace but its own, as JSON
# shellcheck shell=bash
# shellcheck disable=SC2034 # of the tests

# Pods blue, red and green on cni0 (green's port 80 is the node's 8080), and outside behind up0.
path_node() { # [JQ, of the network list]
	mkdir -p /etc/cni/net.d
	jq "${1:-.}" >/etc/cni/net.d/10-mynet.conflist <<-'END'
	{"cniVersion": "1.0.0", "name": "mynet", "plugins": [
	 {"type":"bridge","bridge":"cni0","isGateway":true,"ipMasq":true,"ipMasqBackend":"nftables",
	  "ipam":{"type":"host-local","ranges":[[{"subnet":"10.1.0.0/24"}]],"routes":[{"dst":"0.0.0.0/0"}]}},
	 {"type":"portmap","backend":"nftables","capabilities":{"portMappings":true}}]}
	END
	container blue red green outside
	ip link add up0 type veth peer name eth0 netns outside
	ip addr add 192.0.2.1/24 dev up0
	ip link set up0 up
	ip -n outside addr add 192.0.2.9/24 dev eth0
	ip -n outside link set eth0 up
	for name in blue red; do
		"$CNIBOX" cni add mynet "$name" >/dev/null
	done
	"$CNIBOX" cni add mynet green \
		--capability-args '{"portMappings":[{"hostPort":8080,"containerPort":80,"protocol":"tcp"}]}' >/dev/null
}

BLUE=10.1.0.2 RED=10.1.0.3 GREEN=10.1.0.4

only80() {
	local pod

	for pod in blue:$BLUE red:$RED; do
		jq -n -c --arg name "${pod%%:*}" --arg ip "${pod#*:}" '{kind: "Pod", apiVersion: "v1", spec: {nodeName: "n1"},
			metadata: {name: $name, labels: {app: $name}}, status: {podIP: $ip}}'
	done >/run/objects.json
	jq -n -c '{kind: "NetworkPolicy", apiVersion: "networking.k8s.io/v1", metadata: {name: "only80"},
		spec: {podSelector: {matchLabels: {app: "red"}}, policyTypes: ["Ingress"], ingress: [{ports: [{port: 80}]}]}}' >>/run/objects.json
}

port_of() { # POD: its end on the host
	ip -j link show master cni0 | jq -r --arg i "$(ip -n "$1" -j link show eth0 | jq '.[0].link_index')" '.[] | select(.ifindex == ($i | tonumber)).ifname'
}

mac_of() { ip -n "$1" -j link show eth0 | jq -r '.[0].address'; }

cnibox() { "$CNIBOX" "$@"; } # as a remedy has it
path() { cnibox path --store /run/store "$@"; }

is_ok() { # WORDS
	status=0
	said=$(path "$@") || status=$?
	assert_match "path $*" "$status $said" "^0 .*ok: "
}

# The one thing that stops it, and a remedy that is run and mends it.
stops() { # WHAT PATTERN WORDS
	local what=$1 pattern=$2

	shift 2
	status=0
	said=$(path --json "$@") || status=$?
	assert_eq "path $*: the status" "$status" 1
	stop=$(jq -c '[.hops[].facts[] | select(.level == "stop")]' <<<"$said")
	assert_json "one thing" "$stop" 'length' 1
	assert_json "what" "$stop" '.[0].what' "$what"
	assert_match "in words" "$(jq -r '.[0] | .text, .why' <<<"$stop" | paste -sd' ')" "$pattern"
	remedy=$(jq -r '.[0].remedy' <<<"$stop")
	assert_json "no more than that" "$said" '.arrives' false
}

mends() { # WORDS
	eval "$remedy" >/dev/null
	is_ok "$@"
}

on() { # NODE WORDS
	nsenter --net="/run/netns/$1" unshare --mount --pid --fork --mount-proc -- bash -c 'mount -t tmpfs tmpfs /run/netns; exec "$@"' - \
		"$CNIBOX" path --store "$STORE" --json "${@:2}"
}
