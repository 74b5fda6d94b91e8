/*
 * What lib/remote/http*.c and tls*.c share, and nobody else knows: libcurl.
 */
#ifndef REMOTE_HTTP_INTERNAL_H
#define REMOTE_HTTP_INTERNAL_H

#include <curl/curl.h>

#include "remote/http.h"

enum { HTTP_CALL_MS = 5000 };

struct http {
	struct arena arena; /* of the options */
	struct http_options options;
	CURL *easy;
};

/* Bytes that come or go, whose front may be taken. */
struct bytes {
	char *data;
	size_t size, room, max;
};

struct transfer {
	struct bytes in;
	bool too_much;
	bool headers; /* they are there */
	char why[CURL_ERROR_SIZE];
};

void transfer_end(struct transfer *transfer);

/* A handle with the options of a caller who keeps them for as long as the handle lives; NULL without memory. */
CURL *http_easy(const struct http_options *options);
/* The transfer is filled while the handle is at work, and so are the headers used: the caller's to free. */
void http_set_request(CURL *easy, const struct http_request *request, struct transfer *transfer,
		      struct curl_slist *headers);
struct curl_slist *http_headers(const struct http_request *request);
/* What went wrong, in our words; easy may be NULL. */
int http_fail(const struct http_options *options, CURL *easy, CURLcode code, const char *url,
	      const struct transfer *transfer, struct error *err);

/* The options are the caller's for as long as the handle lives. */
void tls_set(CURL *easy, const struct http_options *options);
/* mbedTLS before 3.6 holds no certificate against an address, only against names: with that library (MUSL=1), we do. */
void tls_set_mbedtls(CURL *easy);

#endif
