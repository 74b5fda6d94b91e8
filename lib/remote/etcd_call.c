/* Endpoints, tokens and errors. */
#include "remote/etcd_call.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/text.h"

enum {
	PATIENCE_MIN_MS = 2500,
	PATIENCE_MAX_MS = 10000,
	CONNECT_ALL_MS =
		1800, /* all endpoints together: what is wrong is told within two seconds */
	CONNECT_MIN_MS = 500,
};

/* gRPC's codes, as far as they matter here. */
enum {
	CODE_INVALID = 3,
	CODE_DEADLINE = 4,
	CODE_NOT_FOUND = 5,
	CODE_FORBIDDEN = 7,
	CODE_NOT_ENABLED = 9,
	CODE_OUT_OF_RANGE = 11,
	CODE_UNAVAILABLE = 14,
	CODE_UNAUTHENTICATED = 16,
};

/* ---- what went wrong ---- */

static bool has(const char *text, const char *part)
{
	return text && strstr(text, part);
}

bool etcd_lost_token(struct etcd *etcd, int code, const char *message)
{
	if (code != CODE_UNAUTHENTICATED && !has(message, "invalid auth token") &&
	    !has(message, "user name is empty") && !has(message, "Unauthenticated") &&
	    !has(message, "revision of auth store is old"))
		return false;
	free(etcd->token);
	etcd->token = NULL;
	return true;
}

/* The gateway is a client of its own member, with the server's certificate as its own (flannel.md, section 2.7, TLS). */
static bool gateway_is_shut_out(const struct etcd *etcd, int code, const char *message)
{
	return code == CODE_UNAVAILABLE && has_prefix(etcd->urls.items[etcd->current], "https:") &&
	       (has(message, "connection closed") || has(message, "handshake failed") ||
		has(message, "bad certificate"));
}

int etcd_fail(const struct etcd *etcd, int code, const char *message, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	const char *host = http_host(etcd->urls.items[etcd->current], &arena);

	if (!message)
		message = "an error without words";
	if (gateway_is_shut_out(etcd, code, message))
		return fail(
			err, EPROTO,
			"%s: etcd refuses its own HTTP gateway (%s): its members ask for client certificates, so their server"
			" certificate must be one for clients, too (extendedKeyUsage = serverAuth, clientAuth)",
			host, message);
	if (has(message, "user name is empty") && !etcd->username)
		return fail(err, EACCES, "%s: etcd wants a user (--etcd-username)", host);
	if (code == CODE_FORBIDDEN || has(message, "permission denied"))
		return fail(err, EACCES, "%s: user %s of etcd may not do this: %s", host,
			    etcd->username ? etcd->username : "(none)", message);
	if (code == CODE_NOT_FOUND)
		return fail(err, ENOENT, "%s: %s", host, message);
	if (code == CODE_OUT_OF_RANGE)
		return fail(err, ERANGE, "%s: %s", host, message);
	return fail(err, code == CODE_UNAVAILABLE || code == CODE_DEADLINE ? EAGAIN : EPROTO,
		    "%s: %s", host, message);
}

/* ---- one endpoint ---- */

const char *etcd_url(const struct etcd *etcd, const char *path, struct arena *arena)
{
	return arena_printf(arena, "%s/v3/%s", etcd->urls.items[etcd->current], path);
}

void etcd_next(struct etcd *etcd)
{
	etcd->current = (etcd->current + 1) % etcd->urls.n;
}

/* A user's name may be in a certificate, but not over HTTP: with users, etcd refuses whoever shows one with such a name. */
static int fail_foreign(const struct http_request *request, const struct http_reply *answer,
			struct arena *arena, struct error *err)
{
	const char *host = http_host(request->url, arena);

	if (has(answer->body, "CommonName of client"))
		return fail(err, EACCES,
			    "%s: etcd has users, and takes no certificate with a common name then"
			    " (--etcd-certfile): one without CN in its subject is needed",
			    host);
	return wrap(err, "%s: HTTP status %ld", host, answer->status);
}

static int post(struct etcd *etcd, const char *path, const char *body, unsigned timeout_ms,
		struct arena *arena, struct etcd_reply *reply, struct error *err)
{
	struct http_request request = {
		.method = "POST",
		.url = etcd_url(etcd, path, arena),
		.authorization = etcd->token,
		.body = body,
		.timeout_ms = timeout_ms,
	};
	struct http_reply answer;

	*reply = (struct etcd_reply){ 0 };
	if (http_call(etcd->http, &request, arena, &answer, err) < 0)
		return wrap(err, "etcd");
	if (etcd_reply_parse(answer.body, answer.size, arena, reply, err) < 0)
		return fail_foreign(&request, &answer, arena, err);
	if (answer.status != 200 && !reply->code)
		reply->code = answer.status == 503 ? CODE_UNAVAILABLE : CODE_INVALID;
	return 0;
}

static int log_in_here(struct etcd *etcd, unsigned timeout_ms, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	struct etcd_reply reply;
	int r;

	if (!etcd->username || etcd->token)
		return 0;
	r = post(etcd, "auth/authenticate", etcd_login_text(etcd->username, etcd->password, &arena),
		 timeout_ms, &arena, &reply, err);
	if (r < 0 || reply.code == CODE_NOT_ENABLED || has(reply.message, "is not enabled"))
		return r;
	if (reply.code) {
		etcd_fail(etcd, reply.code, reply.message, err);
		return wrap(err, "log in to etcd as %s", etcd->username);
	}
	etcd->token = reply.token ? strdup(reply.token) : NULL;
	return 0;
}

int etcd_call_here(struct etcd *etcd, const char *path, const char *body, unsigned timeout_ms,
		   struct arena *arena, struct etcd_reply *reply, struct error *err)
{
	for (int i = 0; i < 2; i++) {
		if (log_in_here(etcd, timeout_ms, err) < 0 ||
		    post(etcd, path, body, timeout_ms, arena, reply, err) < 0)
			return -err->errnum;
		if (!reply->code)
			return 0;
		if (!etcd_lost_token(etcd, reply->code, reply->message) || !etcd->username)
			break;
	}
	return etcd_fail(etcd, reply->code, reply->message, err);
}

/* ---- whichever answers ---- */

/* Another endpoint may know better than that one. */
static bool is_its_own_fault(const struct etcd_reply *reply)
{
	return !reply->code || reply->code == CODE_UNAVAILABLE || reply->code == CODE_DEADLINE;
}

static void adapt_patience(struct etcd *etcd, int r)
{
	if (r == 0)
		etcd->patience_ms = PATIENCE_MIN_MS;
	else if (r == -ETIMEDOUT && etcd->patience_ms < PATIENCE_MAX_MS)
		etcd->patience_ms *= 2;
}

int etcd_call(struct etcd *etcd, const char *path, const char *body, struct arena *arena,
	      struct etcd_reply *reply, struct error *err)
{
	int64_t deadline = clock_ms() + 2 * (int64_t)etcd->patience_ms;
	struct error all = { 0 };
	int r = -EAGAIN;

	for (size_t i = 0; i < etcd->urls.n && (!i || clock_ms() < deadline); i++) {
		struct error why = { 0 };

		r = etcd_call_here(etcd, path, body, etcd->patience_ms, arena, reply, &why);
		adapt_patience(etcd, r);
		if (r == 0)
			return 0;
		if (!is_its_own_fault(reply)) {
			all = why;
			break;
		}
		error_move(&all, &why);
		etcd_next(etcd);
	}
	if (err)
		*err = all;
	return r;
}

int etcd_log_in(struct etcd *etcd, struct error *err)
{
	return log_in_here(etcd, etcd->patience_ms, err);
}

/* ---- options ---- */

/* Without a scheme it is one of TLS where there are certificates, as for flannel. */
static const char *url_of(const char *word, size_t len, bool tls, struct arena *arena)
{
	char *url = arena_memdup(arena, word, len), *host = strstr(url, "://");

	for (char *p = url; host && p < host; p++)
		*p = (char)tolower((unsigned char)*p);
	host = host ? host + 3 : url;
	while (len > (size_t)(host - url) && url[len - 1] == '/')
		url[--len] = '\0';
	if (host == url)
		return arena_printf(arena, "%s://%s", tls ? "https" : "http", url);
	return url;
}

static void add_url(struct etcd *etcd, const char *word, size_t len, bool tls)
{
	while (len && isspace((unsigned char)*word))
		word++, len--;
	while (len && isspace((unsigned char)word[len - 1]))
		len--;
	if (len)
		*list_add(&etcd->arena, &etcd->urls) = url_of(word, len, tls, &etcd->arena);
}

static bool is_url(const char *url, struct arena *arena)
{
	return (has_prefix(url, "http://") || has_prefix(url, "https://")) &&
	       *http_host(url, arena);
}

/* Not more of it than that: there may be a password before the host. */
static const char *wrong_url(const char *url, struct arena *arena)
{
	const char *host = http_host(url, arena);

	return *host ? host : url;
}

static int read_urls(struct etcd *etcd, const char *text, bool tls, struct error *err)
{
	for (const char *word = text; *word; word += strcspn(word, ","), word += *word == ',')
		add_url(etcd, word, strcspn(word, ","), tls);
	if (!etcd->urls.n)
		return fail(err, EINVAL, "no URL in --etcd-endpoints");
	list_each(url, &etcd->urls)
		if (!is_url(*url, &etcd->arena))
			return fail(
				err, EINVAL,
				"\"%s\" in --etcd-endpoints: http://HOST:PORT or https://HOST:PORT is expected",
				wrong_url(*url, &etcd->arena));
	return 0;
}

static const char *given(struct etcd *etcd, const char *text)
{
	return text && *text ? arena_strdup(&etcd->arena, text) : NULL;
}

int etcd_open(struct etcd *etcd, const struct lease_place *place, struct error *err)
{
	struct http_options options = {
		.cafile = place->etcd_cafile,
		.certfile = place->etcd_certfile,
		.keyfile = place->etcd_keyfile,
	};

	*etcd = (struct etcd){ .patience_ms = PATIENCE_MIN_MS };
	if (read_urls(etcd, place->etcd_endpoints,
		      given(etcd, place->etcd_cafile) || given(etcd, place->etcd_certfile), err))
		return -err->errnum;
	etcd->username = given(etcd, place->etcd_username);
	etcd->password = given(etcd, place->etcd_password);
	etcd->current = (size_t)random() % etcd->urls.n;
	options.connect_ms = CONNECT_ALL_MS / (unsigned)etcd->urls.n;
	if (options.connect_ms < CONNECT_MIN_MS)
		options.connect_ms = CONNECT_MIN_MS;
	return http_open(&etcd->http, &options, err);
}

void etcd_close(struct etcd *etcd)
{
	http_close(etcd->http);
	free(etcd->token);
	arena_free(&etcd->arena);
}
