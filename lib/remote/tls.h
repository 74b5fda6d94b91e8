/*
 * TLS of an HTTP connection, for lib/remote/http.c alone: what libcurl is told about it.
 */
#ifndef REMOTE_TLS_H
#define REMOTE_TLS_H

#include <curl/curl.h>

#include "remote/http.h"

/* The options are the caller's for as long as the handle lives. */
void tls_set(CURL *easy, const struct http_options *options);

/* mbedTLS before 3.6 holds no certificate against an address, only against names: with that library (MUSL=1), we do. */
void tls_set_mbedtls(CURL *easy);

#endif
