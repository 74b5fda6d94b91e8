# A cluster: nodes of nodes.bash, and an API server that they reach at 192.0.2.200 (kubeapi.py).
#
#   cluster N [TYPE [JQ]]        nodes n1..nN, of Kubernetes as well, with podCIDRs 10.5.N.0/24 (and fd00:5:0:N::/64)
#   api_up [OPTION=VALUE ...]    start the API server, plain HTTP unless cert= is among the options; api_down: end it
#   api WORD ...                 tell it something (see kubeapi.py)
#   kube NODE [OPTION ...]       start the agent of $AGENT there, by the URL of the API server unless $ACCESS says otherwise
#   certificates                 in $PKI: ca, server, and admin, a user
#   annotation NODE NAME         flannel's annotation, as it is
# shellcheck shell=bash
# shellcheck source=tests/lib/nodes.bash
source "${BASH_SOURCE[0]%/*}/nodes.bash"
# shellcheck source=tests/lib/pki.bash
source "${BASH_SOURCE[0]%/*}/pki.bash"

KUBE=/run/kube PREFIX=flannel.alpha.coreos.com API=192.0.2.200

cluster() {
	local n=$1 i

	nodes "$@"
	mkdir -p $KUBE
	node_add api 200
	[[ -n ${API_LATE:-} ]] || api_up
	for ((i = 1; i <= n; i++)); do
		api node "n$i" "10.5.$i.0/24" "fd00:5:0:$i::/64"
	done
}

api_up() {
	local port=8080

	[[ " $* " != *" cert="* ]] || port=6443
	echo $((port + 1)) >$KUBE/control
	nsenter --net=/run/netns/api python3 "$CNIBOX_TESTS/lib/kubeapi.py" $API $port state=$KUBE/state "$@" \
		>>$KUBE/api.log 2>&1 3>&- &
	echo $! >$KUBE/pid
	wait_for "the API server" 20 listens api $((port + 1))
}

api_down() {
	kill "$(<$KUBE/pid)"
	wait "$(<$KUBE/pid)" 2>/dev/null || :
}

api() {
	# shellcheck disable=SC2016 # not ours to expand
	nsenter --net=/run/netns/api bash -c '
		exec 3<>"/dev/tcp/$1/$2" && (IFS=$'"'\\t'"'; echo "${*:3}" >&3) && read -ru 3 said && cat <&3
		[[ $said == ok ]] || { echo "api: $said" >&2; exit 1; }' api $API "$(<$KUBE/control)" "$@"
}

kube() {
	local node=$1

	shift
	# shellcheck disable=SC2086 # words
	agent "$node" --kube-subnet-mgr --net-config-path $STORE/config \
		${ACCESS---node-name $node --kube-api-url http://$API:8080} "$@"
}

certificates() {
	pki_ca
	pki_cert server "IP:$API" serverAuth
	pki_cert admin DNS:admin clientAuth
}

annotation() {
	api get "$1" | jq -r --arg key "$PREFIX/$2" '.metadata.annotations[$key] // "(none)"'
}
annotations() { # all of flannel's, sorted
	api get "$1" | jq -c --arg prefix "$PREFIX/" '[.metadata.annotations | to_entries[] | select(.key | startswith($prefix))
		| {key: (.key | ltrimstr($prefix)), value}] | sort_by(.key) | from_entries'
}
condition() { api get "$1" | jq -c '.status.conditions[] | select(.type == "NetworkUnavailable") | [.status, .reason, .message]'; }
is() { [[ $("${@:2}") == "$1" ]]; }
