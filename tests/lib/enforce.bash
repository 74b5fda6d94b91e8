# A node n1 with routed pods web (10.1.0.2) and db (10.1.0.3), and a world outside (192.0.2.2), all of both families, each
# with an echo on TCP ports 80 and 81: `load lib/enforce`, `sandbox forward`.
#
#   backends                      the back ends that can be tried here; BACKENDS="..." for others
#   given 'pods; deny db; allow db web 80; many N'      the objects, by functions that print YAML
#   policy VERB ...               policy-iptables; apply and verify: of those objects, on node n1, by $backend
#   reaches FROM TO PORT [6]      a connection is made, within seconds
#   blocked FROM TO PORT [6]      it is not
#   talk FROM TO PORT             a connection that stays; talks PORT says something over it and hears it again; hang_up
#   rules                         everything in the kernel that is anybody's, without counters
# shellcheck shell=bash

declare -gA IPV4=([web]=10.1.0.2 [db]=10.1.0.3 [outside]=192.0.2.2 [new]=10.1.0.9 [x]=10.2.0.2 [y]=10.2.0.3)
declare -gA IPV6=([web]=fd01::2 [db]=fd01::3 [outside]=2001:db8::2 [new]=fd01::9 [x]=fd02::2 [y]=fd02::3)

backends() {
	local name

	for name in ${BACKENDS:-$(policy apply --backend none 2>&1 | sed 's/.*: auto//; s/,//g')}; do
		[[ $name == nftables ]] || type -t "$name-restore" >/dev/null || continue
		echo "$name"
	done
}

# ---- the node ----

# An address on a veth pair of its own, routed by the node.
join_pod() {
	local name=$1 four=$2 six=$3

	ip link add "to-$name" type veth peer name eth0 netns "$name"
	ip link set "to-$name" up
	ip addr add 169.254.0.1/32 dev "to-$name"
	ip -6 addr add fe80::1/64 dev "to-$name" nodad
	ip route add "$four" dev "to-$name"
	ip -6 route add "$six" dev "to-$name"
	ip -n "$name" link set eth0 up
	ip -n "$name" addr add "$four/32" dev eth0
	ip -n "$name" -6 addr add "$six/128" dev eth0 nodad
	ip -n "$name" route add 169.254.0.1 dev eth0
	ip -n "$name" route add default via 169.254.0.1
	ip -n "$name" -6 route add default via fe80::1 dev eth0
	echo_in "$name"
}

echo_in() {
	nsenter --net="/run/netns/$1" -- python3 - >/dev/null 2>&1 3>&- <<-'E' &
	import selectors, socket
	wait = selectors.DefaultSelector()
	def come(listener):
	    wait.register(listener.accept()[0], selectors.EVENT_READ, echo)
	def echo(peer):
	    try:
	        data = peer.recv(100)
	        peer.sendall(data)
	    except OSError:
	        data = b""
	    if not data:
	        wait.unregister(peer)
	        peer.close()
	for port in 80, 81:
	    listener = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True)
	    wait.register(listener, selectors.EVENT_READ, come)
	while True:
	    for key, _ in wait.select():
	        key.data(key.fileobj)
	E
	wait_for "an echo in $1" 10 listens "$1" 81
}

policy_node() {
	local name

	sysctl -qw net.ipv6.conf.all.forwarding=1 net.ipv6.conf.default.accept_dad=0
	container web db outside
	for name in web db outside; do
		join_pod "$name" "${IPV4[$name]}" "${IPV6[$name]}"
	done
}

# Two pods on a bridge.
bridge_pods() {
	local name

	ip link add br0 type bridge
	ip addr add 10.2.0.1/24 dev br0
	ip -6 addr add fd02::1/64 dev br0 nodad
	ip link set br0 up
	container x y
	for name in x y; do
		ip link add "to-$name" type veth peer name eth0 netns "$name"
		ip link set "to-$name" master br0 up
		ip -n "$name" link set eth0 up
		ip -n "$name" addr add "${IPV4[$name]}/24" dev eth0
		ip -n "$name" -6 addr add "${IPV6[$name]}/64" dev eth0 nodad
		echo_in "$name"
	done
}

# ---- objects ----

pod_yaml() {
	printf -- '---\n%s\n%s\n%s\n' "{apiVersion: v1, kind: Pod, metadata: {name: $1, labels: {app: $1}}," \
		" spec: {nodeName: n1, containers: [{name: c, ports: [{containerPort: 80}]}]}," \
		" status: {podIP: $2, podIPs: [{ip: $2}, {ip: \"$3\"}]}}"
}
pods() { pod_yaml web 10.1.0.2 fd01::2; pod_yaml db 10.1.0.3 fd01::3; }
bridged() { pod_yaml x 10.2.0.2 fd02::2; pod_yaml y 10.2.0.3 fd02::3; }

policy_yaml() {
	printf -- '---\n%s\n%s\n' "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: $1}," \
		" spec: {podSelector: {matchLabels: {app: $2}}, policyTypes: [Ingress], $3}}"
}
deny() { policy_yaml "deny-$1" "$1" "ingress: []"; }
allow() {
	policy_yaml "allow-$1-$2-$3" "$1" "ingress: [{from: [{podSelector: {matchLabels: {app: $2}}}], ports: [{port: $3}]}]"
}
many() {
	local i

	for ((i = 0; i < $1; i++)); do
		policy_yaml "many-$i" db "ingress: [{from: [{ipBlock: {cidr: 172.16.$i.0/24}}], ports: [{port: $((1000 + i))}]}]"
	done
}

# ---- the program ----

policy() { "$CNIBOX" policy-iptables "$@"; }
given() { eval "$1" >/run/objects.yaml; }
apply() { policy apply --node n1 --backend "$backend" -f /run/objects.yaml "$@"; }
verify() { policy verify --node n1 --backend "$backend" -f /run/objects.yaml "$@"; }
kill_after() { # MS WORD ...: apply, killed after that long unless it is done
	local ms=$1

	shift
	timeout -s KILL "$(printf '0.%03d' "$ms")" "$CNIBOX" policy-iptables apply --node n1 --backend "$backend" \
		-f /run/objects.yaml "$@" >/dev/null 2>&1 || :
}
status() {
	local code=0

	"$@" >/dev/null || code=$?
	echo "$code"
}

# ---- traffic ----

address_of() {
	[[ ${2:-4} == 6 ]] && echo "${IPV6[$1]}" || echo "${IPV4[$1]}"
}
connects() { # SECONDS FROM TO PORT [6]
	run_in "$2" timeout "$1" bash -c "exec 3<>/dev/tcp/$(address_of "$3" "${5:-4}")/$4" 2>/dev/null
}
reaches() { connects 5 "$@"; }
blocked() { ! connects 0.4 "$@"; }
connect_error() { run_in "$1" timeout 5 bash -c "exec 3<>/dev/tcp/$(address_of "$2" "${4:-4}")/$3" 2>&1 || :; }

declare -gA talk_pids

talk() { # FROM TO PORT
	mkfifo "/run/say.$3" "/run/hear.$3"
	nsenter --net="/run/netns/$1" -- bash -c "exec 3<>/dev/tcp/$(address_of "$2")/$3
		while read -r line; do
			echo \"\$line\" >&3
			answer=
			read -rt \"\${line#* }\" answer <&3
			echo \"=\$answer\"
		done" <"/run/say.$3" >"/run/hear.$3" 3>&- &
	talk_pids[$3]=$!
	exec {say}>"/run/say.$3" {hear}<"/run/hear.$3"
	declare -g "say_$3=$say" "hear_$3=$hear"
	assert "a connection from $1 to $2" talks "$3"
}

talks() { # PORT [SECONDS]
	local say=say_$1 hear=hear_$1 line answer

	line="$RANDOM ${2:-5}"
	echo "$line" >&"${!say}"
	read -rt 10 answer <&"${!hear}"
	[[ $answer == "=$line" ]]
}

# A server that still waits for an acknowledgement speaks first after a cut, which nobody can cut (README, Limits).
acknowledged() { ! run_in db ss -tinH | grep -q unacked; }

hang_up() {
	local port say hear

	for port in "${!talk_pids[@]}"; do
		say=say_$port hear=hear_$port
		kill "${talk_pids[$port]}"
		eval "exec ${!say}>&- ${!hear}<&-"
		rm "/run/say.$port" "/run/hear.$port"
	done
	talk_pids=()
}

# ---- the kernel ----

# Handles and counters tell whether anything was written again.
counters() {
	nft -a list ruleset 2>/dev/null
	! type -t iptables-legacy-save >/dev/null || { iptables-legacy-save -c; ip6tables-legacy-save -c; } 2>/dev/null | grep '^\['
	ipset list 2>/dev/null
}
rules() {
	counters | sed -E 's/counter packets [0-9]+ bytes [0-9]+//; s/^\[[0-9:]+\] //; s/(:[A-Z]+ [A-Z]+) \[.*/\1/'
}

# Rules, chains, sets and tables of somebody else.
others() {
	local tool

	for tool in iptables-nft ip6tables-nft iptables-legacy ip6tables-legacy; do
		type -t "$tool" >/dev/null || continue
		"$tool" -N THEIRS
		"$tool" -A THEIRS -p tcp --dport 9999 -j DROP
		"$tool" -A FORWARD -m comment --comment theirs -j THEIRS
	done
	ipset create theirs hash:ip
	ipset add theirs 203.0.113.9
	iptables-nft -A FORWARD -m set --match-set theirs src -j DROP
	nft -f - <<-'E'
	table inet theirs {
		set hosts { type ipv4_addr; elements = { 203.0.113.7 }; }
		chain forward { type filter hook forward priority 10; ip saddr @hosts drop; }
	}
	E
}
foreign_rules() {
	local tool

	for tool in iptables-nft ip6tables-nft iptables-legacy ip6tables-legacy; do
		echo "# $tool"
		! type -t "$tool-save" >/dev/null || "$tool-save" 2>/dev/null | grep '^\(-A\|:\)' | grep -v CNIBOX | sed 's/ \[.*//'
	done
	ipset list theirs
	nft list table inet theirs
}
# Is anything of ours there, of that back end?
ours() {
	case $1 in
	nftables) nft list tables | grep cnibox ;;
	*)
		"$1-save" 2>/dev/null | grep CNIBOX || "${1/ip/ip6}-save" 2>/dev/null | grep CNIBOX ;;
	esac
}

# What lets 10.1.0.2 in is taken away; the chain of a group is emptied.
damage_element() {
	local -a element

	if [[ $backend == nftables ]]; then
		nft delete element inet cnibox-policy \
			"$(nft list sets | sed -n 's/.*set \(cnibox-pairs-[0-9a-f]*4\) {/\1/p')" '{ 10.1.0.2 . tcp . 80 }'
	else
		read -ra element < <(ipset list -o save | grep '^add cnibox-.* 10.1.0.2,tcp:80')
		ipset del "${element[1]}" "${element[2]}"
	fi
}
# One element in the place of another: nothing has come or gone.
swap_element() {
	local -a element

	if [[ $backend == nftables ]]; then
		damage_element
	else
		read -ra element < <(ipset list -o save | grep '^add cnibox-.* 10.1.0.2,tcp:80')
		ipset add "${element[1]}" 10.1.0.7,tcp:80
		ipset del "${element[1]}" "${element[2]}"
	fi
}
damage_chain() {
	if [[ $backend == nftables ]]; then
		nft flush chain inet cnibox-policy "$(nft list chains | sed -n 's/.*chain \(CNIBOX-IN-[0-9a-f]*\) {/\1/p')"
	else
		"$backend" -F "$("$backend-save" 2>/dev/null | sed -n 's/^:\(CNIBOX-IN-[^ ]*\).*/\1/p')"
	fi
}
