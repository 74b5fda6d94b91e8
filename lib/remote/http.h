/*
 * HTTP and TLS, as far as stores need it; what is behind it is the only place that knows libcurl. Part of cnibox-store alone.
 * Calls block, with a deadline; a stream is waited for beside one descriptor. TLS is 1.2 or newer; redirects are not followed.
 */
#ifndef REMOTE_HTTP_H
#define REMOTE_HTTP_H

#include "base/arena.h"
#include "base/error.h"

struct http;
struct http_options {
	/* NULL = none: the system's, no client certificate. With a CA given, no other counts. */
	const char *cafile, *certfile, *keyfile;
	/* the same as PEM text (a kubeconfig's); win over files */
	const char *ca_data, *cert_data, *key_data;
	bool insecure;       /* the server's certificate is not checked */
	bool proxy;          /* the environment's proxies are used */
	unsigned connect_ms; /* for names, TCP and TLS together; 0 = 2000 */
};
/* Everything is copied. Files are read when a connection is made, so that new certificates are taken. */
int http_open(struct http **http, const struct http_options *options, struct error *err) must_check;
void http_close(struct http *http);
void http_closep(struct http **http);
#define auto_http on_leave(http_closep)

struct http_request {
	const char *method;                       /* "GET", "POST", "PATCH" */
	const char *url;                          /* http://... or https://... */
	const char *content_type, *authorization; /* NULL = none; the header's value */
	const char *header;                       /* one more line, "Name: value"; NULL = none */
	const char *body;                         /* NULL = none */
	unsigned timeout_ms; /* of all of it; of a stream: until its headers are there; 0 = 5000 */
};
struct http_reply {
	long status; /* 200, ... */
	char *body;  /* in the arena, NUL behind */
	size_t size;
};
enum { HTTP_BODY_MAX = 64 << 20, HTTP_LINE_MAX = 4 << 20 };

/* 0 whatever the status is. Else there is no reply: -ETIMEDOUT when it was only late, or another negative errno; the text
 * names the host, the reason and, for TLS, the file. */
int http_call(struct http *http, const struct http_request *request, struct arena *arena,
	      struct http_reply *reply, struct error *err) must_check;

/* A reply that comes in lines, for as long as both sides like. It is open when its headers are there; *status may be no 200:
 * its lines are the reason. A stream must be closed before its http. */
struct http_stream;
int http_stream_open(struct http_stream **stream, struct http *http,
		     const struct http_request *request, long *status,
		     struct error *err) must_check;
/* 1 = *line, in the arena, without its end; 2 = fd (-1 = none) is readable; 0 = neither within timeout_ms (-1 = for ever).
 * -ECONNRESET and the like: the stream has ended. */
int http_stream_line(struct http_stream *stream, int fd, int timeout_ms, struct arena *arena,
		     char **line, struct error *err) must_check;
/* Wait for any of them to have something, as a line may be: 1; 2 = fd (-1 = none) is readable; 0 = neither within timeout_ms. What
 * has come already is not waited for: take all lines first. */
int http_stream_wait(struct http_stream *const *streams, size_t n, int fd, int timeout_ms);
void http_stream_close(struct http_stream *stream); /* NULL-safe */

/* "host:port" of a URL, without what must not be shown (a password), in the arena. */
const char *http_host(const char *url, struct arena *arena);

#endif
