# Certificates for tests, with openssl: a CA and whom it vouches for, in $PKI.
#
#   pki_ca [NAME]                         NAME.crt and NAME.key (ca)
#   pki_cert NAME NAMES [USAGE [CA [DAYS]]]  a certificate for NAMES (IP:127.0.0.1,DNS:localhost) and USAGE (serverAuth,clientAuth);
#                                         its subject is /CN=NAME, or PKI_SUBJECT
# shellcheck shell=bash

PKI=/run/pki

pki_ca() {
	mkdir -p "$PKI"
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj "/CN=${1:-ca}" \
		-keyout "$PKI/${1:-ca}.key" -out "$PKI/${1:-ca}.crt" 2>/dev/null
}

pki_cert() {
	local name=$1 ca=${4:-ca}

	openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "${PKI_SUBJECT:-/CN=$name}" \
		-keyout "$PKI/$name.key" -out "$PKI/$name.csr" 2>/dev/null
	openssl x509 -req -in "$PKI/$name.csr" -CA "$PKI/$ca.crt" -CAkey "$PKI/$ca.key" -days "${5:-2}" -out "$PKI/$name.crt" \
		-extfile <(printf 'subjectAltName=%s\nextendedKeyUsage=%s\n' "$2" "${3:-serverAuth,clientAuth}") 2>/dev/null
}
