# Namespaces of a test. The test's own network namespace is the host; containers are named namespaces in it.
#
#   container NAME ...            make the namespaces /run/netns/NAME, with lo up
#   netns NAME                    the path of a container's namespace
#   run_in NAME COMMAND ...       run it there, with a deadline; NAME `host` is the node itself
#   pings FROM ADDRESS            one answer within two seconds
#   serve NAME PORT [TEXT]        a TCP server in the background there; ready when it returns
#   fetch FROM ADDRESS PORT       print what that server says
# All of it disappears with the sandbox; nothing needs to be removed.
# shellcheck shell=bash

netns() {
	[[ $1 == host ]] && echo /proc/self/ns/net || echo "/run/netns/$1"
}

container() {
	local name

	for name; do
		ip netns add "$name" || return
		ip -n "$name" link set lo up || return
	done
}

run_in() {
	local name=$1

	shift
	if [[ $name == host ]]; then
		deadline "$@"
	else
		deadline nsenter --net="/run/netns/$name" -- "$@"
	fi
}

# A node asks for no neighbour's IPv6 address before it is sure of its own: up to two seconds after a link is up.
sure_of_addresses() { # NAME, host
	[[ -z $(run_in "$1" ip -6 addr show tentative) ]]
}
await_addresses() { # NAME ADDRESS; one on a link without carrier is never sure
	[[ $2 != *:* ]] || (wait_for "sure" 3 eval "sure_of_addresses host && sure_of_addresses $1") >/dev/null 2>&1 || :
}

pings() {
	await_addresses "$1" "$2"
	if type -t ping >/dev/null; then
		run_log run_in "$1" ping -n -c 1 -W 2 "$2"
	else
		run_log run_in "$1" busybox ping -c 1 -W 2 "$2"
	fi
}

serve() {
	local name=$1 port=$2 text=${3:-hello}

	nsenter --net="$(netns "$name")" -- busybox nc -ll -p "$port" -e echo "$text" >/dev/null 2>&1 3>&- &
	wait_for "a server on port $port of $name" 5 listens "$name" "$port"
}

listens() {
	[[ -n $(run_in "$1" ss -Htln "sport = :$2") ]]
}

fetch() {
	local host=$2

	[[ $host != *:* ]] || host="[$host]"
	run_in "$1" busybox nc -w 2 "${host//[\[\]]/}" "$3" </dev/null
}
