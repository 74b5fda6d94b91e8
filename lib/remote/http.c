/*
 * HTTP by libcurl: an easy handle for calls, which keeps its connections, and one in a multi handle for each stream. HTTP/1.1
 * only: a stream has a connection of its own, so that its end is seen by itself.
 */
#include "remote/http.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>

#include "base/clock.h"
#include "remote/tls.h"

enum { CONNECT_MS = 2000, CALL_MS = 5000, DEAD_PEER_MS = 5000 };

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

struct http_stream {
	struct http *http;
	CURLM *multi;
	CURL *easy;
	struct curl_slist *headers;
	char *url; /* for errors */
	struct transfer transfer;
	bool ended;
	CURLcode result;
};

const char *http_host(const char *url, struct arena *arena)
{
	const char *host = strstr(url, "://"), *at;
	size_t len;

	host = host ? host + 3 : url;
	len = strcspn(host, "/?#");
	at = memrchr(host, '@', len);
	if (at) {
		len -= (size_t)(at + 1 - host);
		host = at + 1;
	}
	return arena_printf(arena, "%.*s", (int)(len < 256 ? len : 256), host);
}

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

static void bytes_take(struct bytes *bytes, size_t size)
{
	bytes->size -= size;
	memmove(bytes->data, bytes->data + size, bytes->size);
}

static void transfer_end(struct transfer *transfer)
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

static CURL *new_easy(const struct http_options *options)
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

static struct curl_slist *headers_of(const struct http_request *request)
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

static void set_request(CURL *easy, const struct http_request *request, struct transfer *transfer,
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

static int fail_curl(const struct http_options *options, CURL *easy, CURLcode code, const char *url,
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
	new->easy = new_easy(&new->options);
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
	struct curl_slist *headers = headers_of(request);
	CURLcode code;

	set_request(http->easy, request, &transfer, headers);
	curl_easy_setopt(http->easy, CURLOPT_TIMEOUT_MS,
			 request->timeout_ms ? (long)request->timeout_ms : (long)CALL_MS);
	code = curl_easy_perform(http->easy);
	curl_easy_setopt(http->easy, CURLOPT_ERRORBUFFER, NULL);
	curl_easy_setopt(http->easy, CURLOPT_HTTPHEADER, NULL);
	curl_slist_free_all(headers);
	*reply = (struct http_reply){ 0 };
	if (code != CURLE_OK)
		return fail_curl(&http->options, http->easy, code, request->url, &transfer, err);
	curl_easy_getinfo(http->easy, CURLINFO_RESPONSE_CODE, &reply->status);
	reply->size = transfer.in.size;
	reply->body = arena_memdup(arena, transfer.in.data ? transfer.in.data : "", reply->size);
	return 0;
}

/* ---- streams ---- */

static int fail_stream(struct http_stream *stream, struct error *err)
{
	if (stream->result == CURLE_OK && !stream->transfer.too_much) {
		auto_arena struct arena arena = { 0 };

		return fail(err, ECONNRESET, "%s: the stream has ended",
			    http_host(stream->url, &arena));
	}
	return fail_curl(&stream->http->options, stream->easy, stream->result, stream->url,
			 &stream->transfer, err);
}

static int drive(struct http_stream *stream, struct error *err)
{
	int running, left;
	CURLMsg *message;

	if (curl_multi_perform(stream->multi, &running) != CURLM_OK)
		return fail(err, EIO, "libcurl cannot go on");
	while ((message = curl_multi_info_read(stream->multi, &left))) {
		stream->ended = true;
		stream->result = message->data.result;
	}
	return 0;
}

static int milliseconds_until(int64_t deadline)
{
	int64_t left = deadline - clock_ms();

	return left < 0 ? 0 : left > 600000 ? 600000 : (int)left;
}

static int start_stream(struct http_stream *stream, const struct http_request *request,
			long *status, struct error *err)
{
	int64_t deadline = clock_ms() + (request->timeout_ms ? request->timeout_ms : CALL_MS);

	while (!stream->transfer.headers && !stream->ended) {
		if (drive(stream, err) < 0)
			return -err->errnum;
		if (stream->transfer.headers || stream->ended)
			break;
		if (clock_ms() >= deadline) {
			auto_arena struct arena arena = { 0 };

			return fail(err, ETIMEDOUT, "%s does not answer",
				    http_host(stream->url, &arena));
		}
		curl_multi_poll(stream->multi, NULL, 0, milliseconds_until(deadline), NULL);
	}
	if (!stream->transfer.headers)
		return fail_stream(stream, err);
	curl_easy_getinfo(stream->easy, CURLINFO_RESPONSE_CODE, status);
	return 0;
}

int http_stream_open(struct http_stream **stream, struct http *http,
		     const struct http_request *request, long *status, struct error *err)
{
	struct http_stream *new = xrealloc(NULL, sizeof(*new));
	int r;

	*new = (struct http_stream){
		.http = http,
		.multi = curl_multi_init(),
		.easy = new_easy(&http->options),
		.headers = headers_of(request),
		.url = strdup(request->url),
		.transfer = { .in = { .max = HTTP_LINE_MAX } },
	};
	*stream = NULL;
	if (!new->multi || !new->easy || !new->url) {
		http_stream_close(new);
		return fail(err, ENOMEM, "libcurl cannot be set up");
	}
	set_request(new->easy, request, &new->transfer, new->headers);
	curl_multi_add_handle(new->multi, new->easy);
	r = start_stream(new, request, status, err);
	if (r < 0)
		http_stream_close(new);
	else
		*stream = new;
	return r;
}

/* The line at the front; the last one may lack its end. */
static char *take_line(struct http_stream *stream, struct arena *arena)
{
	struct bytes *in = &stream->transfer.in;
	char *end = in->size ? memchr(in->data, '\n', in->size) : NULL, *line;
	size_t size = end ? (size_t)(end - in->data) : in->size;

	if (!end && !(stream->ended && in->size))
		return NULL;
	line = arena_memdup(arena, in->data, size);
	if (size && line[size - 1] == '\r')
		line[size - 1] = '\0';
	bytes_take(in, end ? size + 1 : size);
	return line;
}

int http_stream_line(struct http_stream *stream, int fd, int timeout_ms, struct arena *arena,
		     char **line, struct error *err)
{
	int64_t deadline = timeout_ms < 0 ? INT64_MAX : clock_ms() + timeout_ms;
	struct curl_waitfd extra = { .fd = fd, .events = CURL_WAIT_POLLIN };
	int r;

	for (;;) {
		*line = take_line(stream, arena);
		if (*line)
			return 1;
		if (stream->ended)
			return fail_stream(stream, err);
		r = drive(stream, err);
		if (r < 0)
			return r;
		*line = take_line(stream, arena);
		if (*line)
			return 1;
		if (stream->ended)
			continue;
		extra.revents = 0;
		curl_multi_poll(stream->multi, &extra, fd >= 0, milliseconds_until(deadline), NULL);
		if (extra.revents)
			return 2;
		if (timeout_ms >= 0 && clock_ms() >= deadline) {
			r = drive(stream, err);
			if (r < 0)
				return r;
			*line = take_line(stream, arena);
			return *line ? 1 : stream->ended ? fail_stream(stream, err) : 0;
		}
	}
}

enum { WAIT_FDS = 64 };

/* The descriptors of a stream, behind those that are there; and how long libcurl would wait. */
static void add_fds(const struct http_stream *stream, struct pollfd *fds, nfds_t *n,
		    int *timeout_ms)
{
	fd_set in, out, odd;
	int max = -1;
	long wait_ms = -1;

	FD_ZERO(&in);
	FD_ZERO(&out);
	FD_ZERO(&odd);
	curl_multi_fdset(stream->multi, &in, &out, &odd, &max);
	for (int fd = 0; fd <= max && *n < WAIT_FDS; fd++) {
		short events = (short)((FD_ISSET(fd, &in) ? POLLIN : 0) |
				       (FD_ISSET(fd, &out) ? POLLOUT : 0));

		if (events)
			fds[(*n)++] = (struct pollfd){ .fd = fd, .events = events };
	}
	curl_multi_timeout(stream->multi, &wait_ms);
	if (wait_ms >= 0 && wait_ms < *timeout_ms)
		*timeout_ms = (int)wait_ms;
}

int http_stream_wait(struct http_stream *const *streams, size_t n, int fd, int timeout_ms)
{
	struct pollfd fds[WAIT_FDS] = { { .fd = fd, .events = POLLIN } };
	nfds_t n_fds = 1;
	int r;

	for (size_t i = 0; i < n; i++) {
		if (streams[i]->ended)
			return 1;
		add_fds(streams[i], fds, &n_fds, &timeout_ms);
	}
	r = poll(fds, n_fds, timeout_ms);
	if (r > 0 && fds[0].revents)
		return 2;
	return r > 0;
}

void http_stream_close(struct http_stream *stream)
{
	if (!stream)
		return;
	if (stream->multi && stream->easy)
		curl_multi_remove_handle(stream->multi, stream->easy);
	curl_easy_cleanup(stream->easy);
	curl_multi_cleanup(stream->multi);
	curl_slist_free_all(stream->headers);
	transfer_end(&stream->transfer);
	free(stream->url);
	free(stream);
}
