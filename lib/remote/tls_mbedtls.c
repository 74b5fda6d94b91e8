#include <arpa/inet.h>
#include <mbedtls/ssl.h>

#include "base/arena.h"
#include "remote/http_internal.h"

enum { ADDRESS_NAME = MBEDTLS_ASN1_CONTEXT_SPECIFIC | 7 }; /* RFC 5280 4.2.1.6, iPAddress */

/* The address that the URL of the connection has in a name's place; its size, 0 for a name. */
static size_t address_of(CURL *easy, unsigned char address[16])
{
	CURLU *url = curl_url();
	char *text = NULL, *host = NULL;
	size_t size = 0;

	curl_easy_getinfo(easy, CURLINFO_EFFECTIVE_URL, &text);
	if (url && text && !curl_url_set(url, CURLUPART_URL, text, 0) &&
	    !curl_url_get(url, CURLUPART_HOST, &host, 0)) {
		host[strcspn(host, "]")] = '\0';
		size = inet_pton(AF_INET, host, address) == 1                     ? 4
		       : inet_pton(AF_INET6, host + (*host == '['), address) == 1 ? 16
										  : 0;
	}
	curl_free(host);
	curl_url_cleanup(url);
	return size;
}

/* The server's own certificate, whose chain has been held against the CA: the only fault that is taken off is that of its name. */
static int on_verify(void *easy, mbedtls_x509_crt *certificate, int depth, uint32_t *flags)
{
	const mbedtls_x509_sequence *name = &certificate->subject_alt_names;
	unsigned char address[16];
	size_t size;

	if (depth || !(*flags & MBEDTLS_X509_BADCERT_CN_MISMATCH))
		return 0;
	size = address_of(easy, address);
	for (; size && name; name = name->next)
		if (name->buf.tag == ADDRESS_NAME && name->buf.len == size &&
		    memcmp(name->buf.p, address, size) == 0)
			*flags &= ~(uint32_t)MBEDTLS_X509_BADCERT_CN_MISMATCH;
	return 0;
}

static CURLcode on_config(CURL *easy, void *config, void *arg)
{
	(void)arg;
	mbedtls_ssl_conf_verify(config, on_verify, easy);
	return CURLE_OK;
}

void tls_set_mbedtls(CURL *easy)
{
	curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, on_config);
}
