# etcd for a test, on the nodes' link (tests/lib/nodes.bash): one member or several, with or without TLS.
# shellcheck disable=SC2034,SC2086,SC2206 # for who loads it; paths of our own, without blanks
#
#   etcd_start [N [tls]]       members e1..eN at 192.0.2.201.., each a node of its own; ready when it returns.
#                              tls: mutual, certificates in $PKI (pki_ca, pki_cert); a client's is client.crt
#                              options of each member are in ETCD_OPTIONS
#   etcd_member NAME [OPTION]  (again) a member that is not running
#   etcd_kill NAME [SIGNAL]    9 if none is given
#   etcd WORD ...              etcdctl, from the host; ETCD_USER=name:password
#   etcd_leader                name of the member that leads
#   etcd_network TYPE [JQ]     write the network's configuration, as `nodes` has it for the folder
#   etcd_users                 from now on it wants a user: flannel (password se-cr-et) for the network, root is $ETCD_USER
#   etcd_leases                KEY VALUE of each lease, sorted
# $ETCD is all the endpoints with commas between; PLACE becomes the options that name this store.
# shellcheck shell=bash

# shellcheck source=tests/lib/pki.bash
source "$CNIBOX_TESTS/lib/pki.bash"
ETCD_PREFIX=/coreos.com/network ETCD_OPTIONS=()

etcd_start() {
	local n=${1:-1} i scheme=http

	need etcd etcdctl
	mkdir -p $STORE
	ip link show under >/dev/null 2>&1 || { ip link add under type bridge; ip link set under up; }
	ip addr add 192.0.2.200/24 dev under
	ETCD_TLS=${2:-} ETCD_CLUSTER='' ETCD='' ETCD_AUTH=()
	if [[ $ETCD_TLS ]]; then
		scheme=https
		pki_ca
		pki_cert client DNS:client
		ETCD_AUTH=(--cacert $PKI/ca.crt --cert $PKI/client.crt --key $PKI/client.key)
	fi
	for ((i = 1; i <= n; i++)); do
		node_add "e$i" $((200 + i))
		ETCD_CLUSTER+=${ETCD_CLUSTER:+,}e$i=$scheme://192.0.2.$((200 + i)):2380
		ETCD+=${ETCD:+,}$scheme://192.0.2.$((200 + i)):2379
		[[ ! $ETCD_TLS ]] || pki_cert "e$i" "IP:192.0.2.$((200 + i))"
	done
	PLACE=(--etcd-endpoints "$ETCD")
	[[ ! $ETCD_TLS ]] || PLACE+=(--etcd-cafile $PKI/ca.crt --etcd-certfile $PKI/client.crt --etcd-keyfile $PKI/client.key)
	for ((i = 1; i <= n; i++)); do
		etcd_member "e$i"
	done
	wait_for "etcd is healthy" 15 etcd_healthy
}

etcd_member() {
	local name=$1 number=$((200 + ${1#e})) scheme=http tls=()

	shift
	if [[ $ETCD_TLS ]]; then
		scheme=https
		tls=(--cert-file $PKI/$name.crt --key-file $PKI/$name.key --trusted-ca-file $PKI/ca.crt --client-cert-auth
			--peer-cert-file $PKI/$name.crt --peer-key-file $PKI/$name.key --peer-trusted-ca-file $PKI/ca.crt --peer-client-cert-auth)
	fi
	nsenter --net="/run/netns/$name" etcd --name "$name" --data-dir "$STORE/$name.etcd" --logger zap --unsafe-no-fsync \
		--listen-client-urls "$scheme://192.0.2.$number:2379" --advertise-client-urls "$scheme://192.0.2.$number:2379" \
		--listen-peer-urls "$scheme://192.0.2.$number:2380" --initial-advertise-peer-urls "$scheme://192.0.2.$number:2380" \
		--initial-cluster "$ETCD_CLUSTER" "${tls[@]}" "${ETCD_OPTIONS[@]}" "$@" >>"$STORE/$name.log" 2>&1 3>&- &
	echo $! >"$STORE/$name.pid"
}

etcd_kill() { agent_kill "$1" "${2:-KILL}"; }

etcd() {
	case ${1:-} in
	-*) command etcd "$@" ;;
	*) ETCDCTL_API=3 etcdctl --endpoints "$ETCD" "${ETCD_AUTH[@]}" ${ETCD_USER:+--user "$ETCD_USER"} --command-timeout 3s "$@" 2>&1 ;;
	esac
}

etcd_healthy() { ETCDCTL_API=3 etcdctl --endpoints "${1:-$ETCD}" "${ETCD_AUTH[@]}" ${ETCD_USER:+--user "$ETCD_USER"} endpoint health >/dev/null 2>&1; }

etcd_leader() {
	etcd endpoint status -w json | tail -n 1 | jq -r '.[] | select(.Status.leader == .Status.header.member_id)
		| .Endpoint | sub(".*[.]20"; "e") | sub(":.*"; "")'
}

etcd_network() {
	etcd put $ETCD_PREFIX/config "$(jq -n -c --arg type "$1" '{Network: "10.5.0.0/16", Backend: {Type: $type}} | '"${2:-.}")" >/dev/null
}

etcd_users() {
	etcd user add root:rootpass
	etcd role add flannel
	etcd role grant-permission flannel --prefix=true readwrite $ETCD_PREFIX/
	etcd user add flannel:se-cr-et
	etcd user grant-role flannel flannel
	etcd user grant-role root root
	etcd auth enable
	ETCD_USER=root:rootpass
}

etcd_leases() { etcd get --prefix $ETCD_PREFIX/subnets/ | paste -d' ' - - | sed "s,^$ETCD_PREFIX/subnets/,," | sort; }
