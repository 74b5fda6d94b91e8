/*
 * HTTP by libcurl: handles and their options, errors in our words, and calls by one handle, which keeps its connections.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>

#include "base/clock.h"
#include "remote/http_internal.h"

enum { CONNECT_MS = 2000, DEAD_PEER_MS = 5000 };

/* ---- bytes ---- */

static bool bytes_add(struct bytes *bytes, const void *data, size_t size)
{
	if (size > bytes->max - bytes->size)
		return false;
	if (bytes->room - bytes->size <= size) {
		bytes->room = bytes->size + size + bytes->room / 2 + 4096;
		bytes->data = xrealloc(bytes->data, bytes->room);
	}
	memcpy(bytes->data + bytes->size, data, size);
	bytes->size += size;
	return true;
}

void transfer_end(struct transfer *transfer)
{
	free(transfer->in.data);
}

static size_t on_body(char *data, size_t one, size_t n, void *arg)
{
	struct transfer *transfer = arg;

	transfer->too_much |= !bytes_add(&transfer->in, data, one * n);
	return transfer->too_much ? 0 : one * n;
}

/* An empty line ends the headers; those of 100 Continue are not them. */
static size_t on_header(char *data, size_t one, size_t n, void *arg)
{
	struct transfer *transfer = arg;

	if (one * n >= 9 && strncmp(data, "HTTP/", 5) == 0)
		transfer->headers = false;
	if (one * n == 2 && data[0] == '\r')
		transfer->headers = true;
	return one * n;
}

/* ---- options ---- */

/* A peer that is gone without a word is noticed by TCP. */
static int on_socket(void *arg, curl_socket_t fd, curlsocktype purpose)
{
	const unsigned dead_ms = DEAD_PEER_MS;
	const int on = 1, idle_s = 2, interval_s = 1, count = 3;

	(void)arg, (void)purpose;
	(void)!fcntl(fd, F_SETFD, FD_CLOEXEC);
	(void)!setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	(void)!setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof(idle_s));
	(void)!setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s, sizeof(interval_s));
	(void)!setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof(count));
	(void)!setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &dead_ms, sizeof(dead_ms));
	return CURL_SOCKOPT_OK;
}

CURL *http_easy(const struct http_options *options)
{
	CURL *easy = curl_easy_init();
	unsigned connect_ms = options->connect_ms ? options->connect_ms : CONNECT_MS;

	if (!easy)
		return NULL;
#if LIBCURL_VERSION_NUM >= 0x075500
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
#else
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
#if LIBCURL_VERSION_NUM >= 0x075700
	/* A deadline holds when name servers are silent, too: who asks them is not waited for. */
	curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
#endif
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)connect_ms);
	curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, on_socket);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	if (!options->proxy)
		curl_easy_setopt(easy, CURLOPT_PROXY, "");
	tls_set(easy, options);
	return easy;
}

static void add_header(struct curl_slist **headers, struct arena *arena, const char *name,
		       const char *value)
{
	if (value)
		*headers = curl_slist_append(*headers, arena_printf(arena, "%s%s", name, value));
}

struct curl_slist *http_headers(const struct http_request *request)
{
	auto_arena struct arena arena = { 0 };
	struct curl_slist *headers = NULL;

	add_header(&headers, &arena, "Content-Type: ",
		   request->body && !request->content_type ? "application/json"
							   : request->content_type);
	add_header(&headers, &arena, "Authorization: ", request->authorization);
	add_header(&headers, &arena, "", request->header);
	add_header(&headers, &arena, "Expect:", "");
	return headers;
}

void http_set_request(CURL *easy, const struct http_request *request, struct transfer *transfer,
		      struct curl_slist *headers)
{
	curl_easy_setopt(easy, CURLOPT_URL, request->url);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->why);
	curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
	if (request->body) {
		curl_easy_setopt(easy, CURLOPT_POST, 1L);
		curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
				 (curl_off_t)strlen(request->body));
		curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, request->body);
	}
	curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
}

/* ---- errors ---- */

static const char *either(const char *data, const char *file, const char *usual)
{
	return data ? "the given text" : file ? file : usual;
}

/* What curl says, without its own words for what ours say. */
static const char *reason_of(CURL *easy, CURLcode code, const struct transfer *transfer)
{
	long number = 0;

	if (code == CURLE_COULDNT_CONNECT && easy) {
		curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &number);
		if (number)
			return strerror((int)number);
	}
	return *transfer->why ? transfer->why : curl_easy_strerror(code);
}

/* An alert of the server's that is about what we showed, or did not show, to it. */
static bool about_our_certificate(const char *reason)
{
	return strstr(reason, "alert") &&
	       (strstr(reason, "certificate") || strstr(reason, "unknown ca") ||
		strstr(reason, "handshake failure"));
}

int http_fail(const struct http_options *options, CURL *easy, CURLcode code, const char *url,
	      const struct transfer *transfer, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	const char *host = http_host(url, &arena), *reason = reason_of(easy, code, transfer);
	const char *ca = either(options->ca_data, options->cafile, "the system's certificates");
	const char *cert = either(options->cert_data, options->certfile, "none");
	const char *key = either(options->key_data, options->keyfile, "none");

	if (transfer->too_much)
		return fail(err, EMSGSIZE, "%s: the answer is too long", host);
	if (about_our_certificate(reason))
		return fail(err, EACCES, "%s refuses our certificate (%s): %s", host, cert, reason);
	switch (code) {
	case CURLE_OPERATION_TIMEDOUT: return fail(err, ETIMEDOUT, "%s: %s", host, reason);
	case CURLE_COULDNT_RESOLVE_HOST: return fail(err, EHOSTUNREACH, "%s: %s", host, reason);
	case CURLE_COULDNT_CONNECT: return fail(err, ECONNREFUSED, "%s: %s", host, reason);
	case CURLE_PEER_FAILED_VERIFICATION:
		return fail(err, EACCES, "%s: its certificate does not hold against %s: %s", host,
			    ca, reason);
	case CURLE_SSL_CACERT_BADFILE:
		return fail(err, EINVAL, "%s: no certificates can be read from %s", host, ca);
	case CURLE_SSL_CERTPROBLEM:
		return fail(err, EINVAL, "%s: our certificate %s and key %s cannot be used: %s",
			    host, cert, key, reason);
	case CURLE_URL_MALFORMAT:
	case CURLE_UNSUPPORTED_PROTOCOL: return fail(err, EINVAL, "%s: no URL: %s", host, reason);
	default: break;
	}
	/* A server may be gone before its alert is read. */
	if (code != CURLE_GOT_NOTHING && strncmp(url, "https:", 6) == 0)
		return fail(err, ECONNRESET, "%s: %s (perhaps it refuses our certificate, %s)",
			    host, reason, cert);
	return fail(err, ECONNRESET, "%s: %s", host, reason);
}

/* ---- calls ---- */

static const char *copy(struct http *http, const char *text)
{
	return text && *text ? arena_strdup(&http->arena, text) : NULL;
}

int http_open(struct http **http, const struct http_options *options, struct error *err)
{
	struct http *new;

	if (curl_global_init(CURL_GLOBAL_DEFAULT))
		return fail(err, ENOMEM, "libcurl cannot be set up");
	*http = new = xrealloc(NULL, sizeof(*new));
	*new = (struct http){ .options = *options };
	new->options.cafile = copy(new, options->cafile);
	new->options.certfile = copy(new, options->certfile);
	new->options.keyfile = copy(new, options->keyfile);
	new->options.ca_data = copy(new, options->ca_data);
	new->options.cert_data = copy(new, options->cert_data);
	new->options.key_data = copy(new, options->key_data);
	new->easy = http_easy(&new->options);
	if (new->easy)
		return 0;
	http_closep(http);
	return fail(err, ENOMEM, "libcurl cannot be set up");
}

void http_close(struct http *http)
{
	if (!http)
		return;
	curl_easy_cleanup(http->easy);
	curl_global_cleanup();
	arena_free(&http->arena);
	free(http);
}

void http_closep(struct http **http)
{
	http_close(*http);
	*http = NULL;
}

int http_call(struct http *http, const struct http_request *request, struct arena *arena,
	      struct http_reply *reply, struct error *err)
{
	struct transfer transfer on_leave(transfer_end) = { .in = { .max = HTTP_BODY_MAX } };
	struct curl_slist *headers = http_headers(request);
	CURLcode code;

	http_set_request(http->easy, request, &transfer, headers);
	curl_easy_setopt(http->easy, CURLOPT_TIMEOUT_MS,
			 request->timeout_ms ? (long)request->timeout_ms : (long)HTTP_CALL_MS);
	code = curl_easy_perform(http->easy);
	curl_easy_setopt(http->easy, CURLOPT_ERRORBUFFER, NULL);
	curl_easy_setopt(http->easy, CURLOPT_HTTPHEADER, NULL);
	curl_slist_free_all(headers);
	*reply = (struct http_reply){ 0 };
	if (code != CURLE_OK)
		return http_fail(&http->options, http->easy, code, request->url, &transfer, err);
	curl_easy_getinfo(http->easy, CURLINFO_RESPONSE_CODE, &reply->status);
	reply->size = transfer.in.size;
	reply->body = arena_memdup(arena, transfer.in.data ? transfer.in.data : "", reply->size);
	return 0;
}
