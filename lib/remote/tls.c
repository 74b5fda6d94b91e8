#include "remote/http_internal.h"

/* A NUL behind PEM text is part of it for mbedTLS; OpenSSL stops in front of it. */
static void set_pem(CURL *easy, CURLoption file_option, CURLoption blob_option, const char *file,
		    const char *data)
{
	struct curl_blob blob = { (void *)data, data ? strlen(data) + 1 : 0, CURL_BLOB_COPY };

	if (data)
		curl_easy_setopt(easy, blob_option, &blob);
	else if (file)
		curl_easy_setopt(easy, file_option, file);
}

void tls_set(CURL *easy, const struct http_options *options)
{
	curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (options->cafile || options->ca_data) {
		curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
		if (options->ca_data)
			curl_easy_setopt(easy, CURLOPT_CAINFO, NULL);
		set_pem(easy, CURLOPT_CAINFO, CURLOPT_CAINFO_BLOB, options->cafile,
			options->ca_data);
	}
	set_pem(easy, CURLOPT_SSLCERT, CURLOPT_SSLCERT_BLOB, options->certfile, options->cert_data);
	set_pem(easy, CURLOPT_SSLKEY, CURLOPT_SSLKEY_BLOB, options->keyfile, options->key_data);
	if (options->insecure) {
		curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
		curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
	}
#ifdef WITH_MBEDTLS
	tls_set_mbedtls(easy);
#endif
}
