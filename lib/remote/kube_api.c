/* Requests, with the token as it is now. */
#include "remote/kube_api.h"

#include <errno.h>
#include <stdlib.h>

enum {
	TIMEOUT_MS = 15000,
	REASON_LINES = 64,
	REASON_MS = 1000,
	WATCH_S = 300, /* and up to as much again */
	PAUSE_MIN_MS = 200,
	PAUSE_MAX_MS = 10000,
};

int kube_api_open(struct kube_api *api, const struct lease_place *place, struct error *err)
{
	*api = (struct kube_api){ .http = NULL };
	if (kube_access_find(place, &api->arena, &api->access, err) ||
	    http_open(&api->http, &api->access.tls, err)) {
		kube_api_close(api);
		return -err->errnum;
	}
	return 0;
}

void kube_api_close(struct kube_api *api)
{
	http_closep(&api->http);
	arena_free(&api->arena);
}

static int make_request(const struct kube_api *api, const struct kube_call *call,
			struct arena *arena, struct http_request *request, struct error *err)
{
	*request = (struct http_request){
		.method = call->patch ? "PATCH" : "GET",
		.url = arena_printf(arena, "%s%s", api->access.server, call->path),
		.header = "Accept: application/json",
		.content_type = call->patch ? "application/strategic-merge-patch+json" : NULL,
		.body = call->patch,
		.timeout_ms = TIMEOUT_MS,
	};
	return kube_access_authorization(&api->access, arena, &request->authorization, err);
}

int kube_api_call(struct kube_api *api, const struct kube_call *call, struct json **reply,
		  struct error *err)
{
	auto_arena struct arena arena = { 0 };
	struct http_request request;
	struct http_reply answer;

	*reply = NULL;
	if (make_request(api, call, &arena, &request, err) ||
	    http_call(api->http, &request, &arena, &answer, err))
		return -err->errnum;
	if (answer.status < 200 || answer.status > 299)
		return kube_status_fail(answer.status, answer.body, answer.size, &call->action,
					err);
	*reply = json_parse(answer.body, answer.size, err);
	return *reply ? 0 : wrap(err, "what the API server answers");
}

/* The lines of a refused watch are the reason, in one line or in many. */
static const char *reason_of(struct http_stream *stream, struct arena *arena)
{
	char *reason = arena_strdup(arena, ""), *line;

	for (int i = 0; i < REASON_LINES; i++) {
		if (http_stream_line(stream, -1, REASON_MS, arena, &line, NULL) != 1)
			break;
		reason = arena_printf(arena, "%s%s\n", reason, line);
	}
	return reason;
}

int kube_api_watch(struct kube_api *api, const struct kube_call *call, const char *revision,
		   struct http_stream **stream, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	struct kube_call watch = *call;
	struct http_request request;
	const char *reason;
	long status;

	*stream = NULL;
	watch.path = arena_printf(&arena,
				  "%s?watch=true&allowWatchBookmarks=true"
				  "&resourceVersion=%s&timeoutSeconds=%ld",
				  call->path, revision, WATCH_S + random() % WATCH_S);
	if (make_request(api, &watch, &arena, &request, err) ||
	    http_stream_open(stream, api->http, &request, &status, err))
		return -err->errnum;
	if (status == 200)
		return 0;
	reason = reason_of(*stream, &arena);
	http_stream_close(*stream);
	*stream = NULL;
	return kube_status_fail(status, reason, strlen(reason), &call->action, err);
}

unsigned kube_next_pause(unsigned *pause_ms)
{
	unsigned pause = *pause_ms ? *pause_ms * 2 : PAUSE_MIN_MS;

	*pause_ms = pause < PAUSE_MAX_MS ? pause : PAUSE_MAX_MS;
	return *pause_ms / 2 + (unsigned)random() % (*pause_ms / 2 + 1);
}
