#!/usr/bin/env bats
# shellcheck disable=SC2086 # paths of our own, without blanks
# HTTP and TLS as stores use them (lib/remote/http.c), against a server that behaves badly in every way.
# Runs with musl, too: TLS is another library there.

load lib/all
load lib/pki
sandbox

HTTP=${CNIBOX%/*}/http

setup() {
	need python3 openssl
	[[ -x $HTTP ]] || missing "$HTTP (make tests)"
}

server() { # PORT [WORD ...]
	python3 "$CNIBOX_TESTS/lib/web.py" "$@" >/dev/null 2>&1 3>&- &
	wait_for "a server on $1" 10 listens host "$1"
}

said() { timeout 20 "$HTTP" "$@" 3>&- </dev/zero 2>&1; }
# The stream also waits for standard input, which must stay silent.
streamed() { timeout 10 "$HTTP" "$@" 3>&- 2>&1 0<> <(:); }

@test "calls: method, body, status; one connection for several; no redirect is followed, no proxy used" {
	server 8000
	assert_eq "GET" "$(said get http://127.0.0.1:8000/echo)" "200 GET None None "
	assert_eq "POST" "$(said post http://127.0.0.1:8000/missing '{"a":1}')" '404 POST application/json None {"a":1}'
	assert_eq "connections" "$(said get http://127.0.0.1:8000/port post http://127.0.0.1:8000/port x get http://127.0.0.1:8000/port | sort -u | wc -l)" 1
	assert_eq "a redirect" "$(said get http://127.0.0.1:8000/redirect)" "302 elsewhere"
	assert_eq "a proxy in the environment" "$(http_proxy=http://127.0.0.1:1 said get http://127.0.0.1:8000/echo)" "200 GET None None "
	assert_match "another protocol" "$(said get file:///etc/hostname)" '^error: .*no URL'
}

@test "what goes wrong is told in words, with the host and without the password" {
	server 8000
	assert_eq "nobody there" "$(said get http://user:secret@127.0.0.1:8001/echo)" "error: 127.0.0.1:8001: Connection refused"
	assert_match "late" "$(said timeout 100 get http://127.0.0.1:8000/slow)" '^error: 127.0.0.1:8000: .*timed out after [0-9]+ milli'
	assert_match "closed" "$(said get http://127.0.0.1:8000/close)" '^error: 127.0.0.1:8000: Empty reply'
	assert_eq "too long" "$(said get http://127.0.0.1:8000/big)" "error: 127.0.0.1:8000: the answer is too long"
	assert_match "no such name" "$(said get http://nowhere.invalid/)" '^error: nowhere.invalid: (Could not resolve|Resolving timed out)'
}

@test "name servers that are silent do not hold a call beyond its deadline" {
	local before

	python3 -c 'import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("127.0.0.53", 53)); time.sleep(60)' 3>&- &
	echo "nameserver 127.0.0.53" >"$BATS_TEST_TMPDIR/resolv.conf"
	mount --bind "$BATS_TEST_TMPDIR/resolv.conf" "$(realpath /etc/resolv.conf)"
	wait_for "a name server" 5 grep -q ':0035 ' /proc/net/udp
	before=$SECONDS
	assert_match "two names" "$(said timeout 100 get http://name.example/ get http://other.example/)" 'name.example: .*timed out.*other.example: .*timed out'
	assert "soon: $((SECONDS - before)) s" test $((SECONDS - before)) -lt 5
	before=$SECONDS
	assert_match "a stream" "$(streamed timeout 100 stream http://name.example/ x)" 'name.example'
	assert "soon: $((SECONDS - before)) s" test $((SECONDS - before)) -lt 5
}

@test "a stream: lines as they come, its end, and a descriptor beside it" {
	server 8000
	assert_eq "lines" "$(streamed stream http://127.0.0.1:8000/lines 'one two three')" \
		$'200 one\n200 two\n200 three\nerror: 127.0.0.1:8000: the stream has ended'
	assert_eq "a last line without end" "$(streamed stream http://127.0.0.1:8000/three x | tail -n 2)" \
		$'200 three\nerror: 127.0.0.1:8000: the stream has ended'
	assert_match "cut" "$(streamed stream http://127.0.0.1:8000/lines 'one cut')" $'200 one\nerror: 127.0.0.1:8000: '
	assert_eq "standard input" "$(said stream http://127.0.0.1:8000/lines 'one wait' | tail -n 1)" input
	assert_match "nobody there" "$(streamed stream http://127.0.0.1:8001/lines one)" 'error: 127.0.0.1:8001: Connection refused'
	assert_match "no answer" "$(streamed timeout 100 stream http://127.0.0.1:8000/slow one)" 'error: 127.0.0.1:8000 does not answer'
}

@test "TLS: a CA alone is enough, a client certificate is shown, and what is wrong names the file" {
	pki_ca
	pki_ca other
	pki_cert server IP:127.0.0.1
	pki_cert client DNS:client clientAuth
	pki_cert late IP:127.0.0.1 serverAuth ca 0
	pki_cert elsewhere DNS:elsewhere
	pki_cert stranger DNS:stranger clientAuth other
	server 8000 $PKI/server.crt $PKI/server.key
	server 8001 $PKI/server.crt $PKI/server.key $PKI/ca.crt
	server 8002 $PKI/late.crt $PKI/late.key
	server 8003 $PKI/elsewhere.crt $PKI/elsewhere.key
	assert_eq "CA alone" "$(said ca $PKI/ca.crt get https://127.0.0.1:8000/echo)" "200 GET None None "
	assert_eq "client certificate" "$(said ca $PKI/ca.crt cert $PKI/client.crt key $PKI/client.key get https://127.0.0.1:8001/echo)" "200 GET None None "
	assert_match "another CA" "$(said ca $PKI/other.crt get https://127.0.0.1:8000/)" \
		"127.0.0.1:8000: its certificate does not hold against $PKI/other.crt: .*(unable to get local issuer|NOT_TRUSTED)"
	assert_match "the system's" "$(said get https://127.0.0.1:8000/)" "against the system's certificates: "
	assert_match "expired" "$(said ca $PKI/ca.crt get https://127.0.0.1:8002/)" "against $PKI/ca.crt: .*(expired|EXPIRED)"
	assert_match "another name" "$(said ca $PKI/ca.crt get https://127.0.0.1:8003/)" "('127.0.0.1'|MISMATCH)"
	assert_match "no CA file" "$(said ca $PKI/none.crt get https://127.0.0.1:8000/)" "no certificates can be read from $PKI/none.crt"
	assert_match "key of another" "$(said ca $PKI/ca.crt cert $PKI/client.crt key $PKI/server.key get https://127.0.0.1:8001/)" \
		"our certificate $PKI/client.crt and key $PKI/server.key cannot be used: |perhaps it refuses our certificate, $PKI/client.crt"
	assert_match "no key" "$(said ca $PKI/ca.crt cert $PKI/client.crt key $PKI/none get https://127.0.0.1:8001/)" "key $PKI/none cannot be used"
	assert_match "none shown" "$(said ca $PKI/ca.crt get https://127.0.0.1:8001/)" '127.0.0.1:8001.*certificate.*none'
	assert_match "a stranger's" "$(said ca $PKI/ca.crt cert $PKI/stranger.crt key $PKI/stranger.key get https://127.0.0.1:8001/)" \
		"127.0.0.1:8001.*refuses our certificate.*$PKI/stranger.crt"
	assert_match "no TLS there" "$(said get https://127.0.0.1:8000/ get http://127.0.0.1:8000/ 2>&1)" 'error'
	assert_match "1.1 is refused" "$(openssl s_client -connect 127.0.0.1:8000 -tls1_1 </dev/null 2>&1)" 'alert|no protocols|unsupported'
}
