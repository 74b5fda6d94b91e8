#!/usr/bin/env bats
# shellcheck disable=SC2086 # options of our own, without blanks
# docker-opts: the files that flannel's script writes (flannel.md, section 6.2), byte for byte.

load lib/all
sandbox

OUT=/run/docker_opts.env

setup() {
	mkdir -p /run/flannel
	lease true
}

lease() { # IPMASQ
	printf '%s\n' FLANNEL_NETWORK=10.5.0.0/16 FLANNEL_SUBNET=10.5.29.1/24 FLANNEL_MTU=1450 FLANNEL_IPMASQ=$1 >/run/flannel/subnet.env
}

# opts WORD ...: its status, and what it says
opts() {
	status=0
	said=$("$CNIBOX" docker-opts "$@" 2>&1) || status=$?
}

# wrote DESCRIPTION FILE WORDS LINE ...
wrote() {
	local description=$1 file=$2

	shift 2
	printf '%s\n' "$@" >/run/want
	assert "$description" diff -u /run/want "$file"
}

BIP='DOCKER_OPT_BIP="--bip=10.5.29.1/24"' MTU='DOCKER_OPT_MTU="--mtu=1450"' MASQ='DOCKER_OPT_IPMASQ="--ip-masq=false"'
ALL='DOCKER_OPTS=" --bip=10.5.29.1/24 --ip-masq=false --mtu=1450"'

@test "each option of the script, and its files" {
	opts
	assert_eq "status, words" "$status $said" "0 "
	wrote "without options: both kinds" $OUT "$BIP" "$MASQ" "$MTU" "$ALL"
	assert_eq "mode" "$(stat -c %a $OUT)" 644
	opts -i
	wrote "-i" $OUT "$BIP" "$MASQ" "$MTU"
	opts -c
	wrote "-c" $OUT "$ALL"
	opts -i -c
	wrote "-i -c" $OUT "$BIP" "$MASQ" "$MTU" "$ALL"
	opts -ic -m
	wrote "-m" $OUT "$BIP" "$MTU" 'DOCKER_OPTS=" --bip=10.5.29.1/24 --mtu=1450"'
	opts -c -k DOCKER_NETWORK_OPTIONS -d /run/flannel/docker
	wrote "-k and -d" /run/flannel/docker 'DOCKER_NETWORK_OPTIONS=" --bip=10.5.29.1/24 --ip-masq=false --mtu=1450"'
	lease false
	opts -c
	wrote "masquerade is the other's" $OUT 'DOCKER_OPTS=" --bip=10.5.29.1/24 --ip-masq=true --mtu=1450"'
	mv /run/flannel/subnet.env /run/elsewhere
	opts -c -f /run/elsewhere
	wrote "-f" $OUT 'DOCKER_OPTS=" --bip=10.5.29.1/24 --ip-masq=true --mtu=1450"'
}

@test "a device, a pipe and a symbolic link stay what they are" {
	mkfifo /run/pipe
	ln -s pipe /run/link
	for way in pipe link; do
		cat /run/pipe >/run/read &
		opts -c -d /run/$way
		wait $!
		wrote "a pipe, by $way" /run/read "$ALL"
	done
	assert_eq "they are still there" "$(stat -c %F /run/pipe /run/link)" $'fifo\nsymbolic link'
	ln -sf file /run/link
	: >/run/file
	opts -c -d /run/link
	wrote "what a link leads to" /run/file "$ALL"
	assert "the link" test -L /run/link
}

@test "what the environment has comes first, or counts where the file says nothing" {
	DOCKER_OPTS='-H unix:///x' opts
	wrote "options that were there" $OUT "$BIP" "$MASQ" "$MTU" \
		'DOCKER_OPTS="-H unix:///x  --bip=10.5.29.1/24 --ip-masq=false --mtu=1450"'
	MINE=--debug opts -c -k MINE
	wrote "under another name" $OUT 'MINE="--debug  --bip=10.5.29.1/24 --ip-masq=false --mtu=1450"'
	DOCKER_OPT_LOG=--log-level=warn opts
	wrote "an option of its own, in the order of names" $OUT "$BIP" "$MASQ" 'DOCKER_OPT_LOG="--log-level=warn"' "$MTU" \
		'DOCKER_OPTS=" --bip=10.5.29.1/24 --ip-masq=false --log-level=warn --mtu=1450"'
	echo FLANNEL_MTU=1400 >/run/flannel/subnet.env
	FLANNEL_MTU=9000 FLANNEL_SUBNET=10.5.3.1/24 opts -c
	wrote "the file wins" $OUT 'DOCKER_OPTS=" --bip=10.5.3.1/24 --mtu=1400"'
}

@test "no file is no options; a wrong FLANNEL_IPMASQ and a route of the own subnet are status 1" {
	rm /run/flannel/subnet.env
	opts
	assert_eq "status without the file" "$status" 0
	assert_match "it warns" "$said" '^cnibox: warning: /run/flannel/subnet.env: no such file; the agent writes it: Docker is told of no subnet$'
	wrote "it says so" $OUT 'DOCKER_OPTS=""'
	opts -i
	assert_eq "nothing at all" "$(stat -c %s $OUT)" 0
	lease perhaps
	echo before >$OUT
	opts
	assert_eq "status of a wrong FLANNEL_IPMASQ" "$status" 1
	assert_match "it is named" "$said" 'FLANNEL_IPMASQ is "perhaps"'
	wrote "nothing is written" $OUT before
	opts -m
	assert_eq "nobody asked for it with -m" "$status" 0
	lease true
	ip link add eth0 type veth peer name p0
	ip addr add 192.0.2.1/24 dev eth0
	ip link set eth0 up
	ip link set p0 up
	ip route add 10.5.29.0/24 dev eth0
	opts
	assert_eq "a bridge's own route is fine" "$status" 0
	ip route replace 10.5.29.0/24 via 192.0.2.2
	rm $OUT
	opts -c
	assert_eq "one via another node is not" "$status $said" "1 docker-opts: 10.5.29.0/24, this node's own subnet, has a route via 192.0.2.2"
	wrote "the file is written all the same" $OUT "$ALL"
	opts --nosuch
	assert_eq "wrong words" "$status" 2
}
