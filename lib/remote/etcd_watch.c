/*
 * TCP notices a host that is gone (see http.c); a process that hangs is noticed by a small question beside the stream, whenever
 * that has been silent for PROBE_MS.
 */
#include "remote/etcd_watch.h"

#include <errno.h>

#include "base/clock.h"

enum { PROBE_MS = 4000, ANSWER_MS = 1500 };

void etcd_watch_close(struct etcd_watch *watch)
{
	http_stream_close(watch->stream);
	watch->stream = NULL;
}

static int lose(struct etcd_watch *watch, struct etcd *etcd, int r)
{
	etcd_watch_close(watch);
	if (r != -ERANGE)
		etcd_next(etcd);
	return r;
}

/* What the line says of the watch itself: 0 = it goes on. */
static int judge(struct etcd *etcd, const struct etcd_event *event, struct error *err)
{
	if (event->compacted)
		return fail(err, ERANGE, "the revision has been compacted");
	if (!event->canceled && !event->code)
		return 0;
	etcd_lost_token(etcd, event->code, event->reason);
	return etcd_fail(etcd, event->code, event->reason, err);
}

static int read_event(struct etcd *etcd, const char *line, struct arena *arena,
		      struct etcd_event *event, struct error *err)
{
	if (etcd_event_parse(line, strlen(line), arena, event, err) < 0)
		return -err->errnum;
	return judge(etcd, event, err);
}

/* Both watches say that they are there. */
static int greet(struct etcd_watch *watch, struct etcd *etcd, struct error *err)
{
	int64_t deadline = clock_ms() + ANSWER_MS;

	for (int n = 0; n < 2;) {
		auto_arena struct arena arena = { 0 };
		struct etcd_event event;
		int64_t left = deadline - clock_ms();
		char *line;
		int r = http_stream_line(watch->stream, -1, left > 0 ? (int)left : 0, &arena, &line,
					 err);

		if (r == 0)
			return fail(err, ETIMEDOUT, "etcd does not begin to watch");
		if (r < 0 || (r = read_event(etcd, line, &arena, &event, err)) < 0)
			return r;
		n += event.created;
		watch->revision = event.revision;
	}
	return 0;
}

static int open_here(struct etcd_watch *watch, struct etcd *etcd, const char *body,
		     struct error *err)
{
	auto_arena struct arena arena = { 0 };
	struct http_request request = {
		.method = "POST",
		.url = etcd_url(etcd, "watch", &arena),
		.header = "Grpc-Metadata-hasleader: true",
		.body = body,
		.timeout_ms = ANSWER_MS,
	};
	long status;

	if (etcd_log_in(etcd, err) < 0)
		return -err->errnum;
	request.authorization = etcd->token;
	if (http_stream_open(&watch->stream, etcd->http, &request, &status, err) < 0)
		return wrap(err, "etcd");
	return greet(watch, etcd, err);
}

int etcd_watch_open(struct etcd_watch *watch, struct etcd *etcd, const char *body,
		    struct error *err)
{
	struct error all = { 0 };
	int r = 0;

	/* One more than there are: a token may have been lost. */
	for (size_t i = 0; i <= etcd->urls.n; i++) {
		bool had_token = etcd->token;
		struct error why = { 0 };

		r = open_here(watch, etcd, body, &why);
		watch->opened_ms = clock_ms();
		watch->probe_ms = watch->opened_ms + PROBE_MS;
		if (r == 0)
			return 0;
		etcd_watch_close(watch);
		error_move(&all, &why);
		if (r == -ERANGE)
			break;
		if (!had_token || etcd->token)
			etcd_next(etcd);
	}
	if (err)
		*err = all;
	return r;
}

static int probe(struct etcd_watch *watch, struct etcd *etcd, const char *key, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	struct etcd_range range = { .key = key, .serializable = true, .count_only = true };
	struct etcd_reply reply;

	watch->probe_ms = clock_ms() + PROBE_MS;
	return etcd_call_here(etcd, "kv/range", etcd_range_text(&range, &arena), ANSWER_MS, &arena,
			      &reply, err);
}

int etcd_watch_next(struct etcd_watch *watch, struct etcd *etcd, const char *key, int fd,
		    int timeout_ms, struct arena *arena, struct etcd_event *event,
		    struct error *err)
{
	int64_t deadline = timeout_ms < 0 ? INT64_MAX : clock_ms() + timeout_ms;

	for (;;) {
		int64_t now = clock_ms(),
			until = watch->probe_ms < deadline ? watch->probe_ms : deadline;
		char *line;
		int r = http_stream_line(watch->stream, fd, until > now ? (int)(until - now) : 0,
					 arena, &line, err);

		if (r == 1) {
			watch->probe_ms = clock_ms() + PROBE_MS;
			r = read_event(etcd, line, arena, event, err);
			return r < 0 ? lose(watch, etcd, r) : 1;
		}
		if (r < 0)
			return lose(watch, etcd, r);
		if (r == 2 || clock_ms() >= deadline)
			return r;
		if (clock_ms() >= watch->probe_ms && (r = probe(watch, etcd, key, err)) < 0)
			return lose(watch, etcd, r);
	}
}
