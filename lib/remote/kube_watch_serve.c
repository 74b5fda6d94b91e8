/* The kinds that are watched, in one process: a stream for each, waited for together. */
#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/frame.h"
#include "base/text.h"
#include "policy/feed.h"
#include "remote/kube_api.h"
#include "remote/kube_watch.h"

enum {
	PAGE = 250, /* pods: of some 10 KB each */
	PAGES_MAX = 4000,
	ABSENT_MS = 60000, /* until a kind that is not there is looked for again */
	LINES_MAX = 1000,  /* of one kind before the others have their turn */
	KINDS_MAX = 16,
	QUESTION_MAX = 4096,
};

struct watched {
	const struct object_kind *kind;
	struct kube_place place;
	struct http_stream *stream;
	int64_t heard_ms, next_try_ms;
	unsigned pause_ms;
	bool troubled, absent;
};

struct watcher {
	struct kube_api api;
	int fd;
	struct watched kinds[KINDS_MAX];
	size_t n;
	struct frames asked;
};

static void watcher_end(struct watcher *watcher)
{
	for (size_t i = 0; i < watcher->n; i++)
		http_stream_close(watcher->kinds[i].stream);
	kube_api_close(&watcher->api);
	frames_free(&watcher->asked);
}

/* ---- what is said; a failure means that nobody listens any more ---- */

static int say(const struct watcher *watcher, const struct feed_message *message)
{
	auto_arena struct arena arena = { 0 };

	return frame_send(watcher->fd, feed_text(message, &arena));
}

static int say_of(const struct watcher *watcher, const struct watched *watched, enum feed_word word,
		  const char *why)
{
	return say(watcher,
		   &(struct feed_message){ .word = word, .kind = watched->kind->name, .why = why });
}

/* ---- one kind ---- */

static int list_pages(struct watcher *watcher, struct watched *watched, bool *listens,
		      struct error *err)
{
	auto_arena struct arena paths = { 0 };
	const char *path = kube_watch_path(watched->kind, &paths), *next = "";

	for (int i = 0; next && i < PAGES_MAX; i++) {
		auto_arena struct arena arena = { 0 };
		auto_json struct json *page = NULL;
		struct kube_call call = { .action = { "list", watched->kind->plural } };
		const char *message = NULL;
		int r;

		call.path = arena_printf(&arena, "%s?limit=%d%s%s", path, PAGE,
					 *next ? "&continue=" : "", url_escape(&arena, next));
		r = kube_api_call(&watcher->api, &call, &page, err);
		if (r == 0)
			r = kube_watch_page(&watched->place, watched->kind, page, &arena, &message,
					    &next, err);
		if (r < 0)
			return r;
		next = arena_strdup(&paths, next);
		*listens = *listens && frame_send(watcher->fd, message) == 0;
	}
	return 0;
}

/* None of a kind that the cluster does not have. */
static int list_all(struct watcher *watcher, struct watched *watched, bool *listens,
		    struct error *err)
{
	int r;

	*listens = say_of(watcher, watched, FEED_BEGIN, NULL) == 0;
	r = list_pages(watcher, watched, listens, err);
	watched->absent = r == -ENOENT && watched->kind->optional;
	if (r < 0)
		watched->place.revision[0] = '\0';
	if (r < 0 && !watched->absent)
		return r;
	*listens = *listens && say_of(watcher, watched, FEED_END, NULL) == 0;
	return 0;
}

static int start_watch(struct watcher *watcher, struct watched *watched, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	struct kube_call call = { .action = { "watch", watched->kind->plural } };
	int r;

	call.path = kube_watch_path(watched->kind, &arena);
	watched->heard_ms = clock_ms();
	r = kube_api_watch(&watcher->api, &call, watched->place.revision, &watched->stream, err);
	if (r == -ESTALE)
		watched->place.revision[0] = '\0';
	return r;
}

static bool has_gone_back(struct watcher *watcher, const struct watched *watched)
{
	auto_arena struct arena arena = { 0 };
	struct kube_call call = { .action = { "list", watched->kind->plural } };
	auto_json struct json *page = NULL;
	struct error why = { 0 };

	call.path = arena_printf(&arena, "%s?limit=1", kube_watch_path(watched->kind, &arena));
	return kube_api_call(&watcher->api, &call, &page, &why) == 0 &&
	       kube_revision_is_back(watched->place.revision, page);
}

static int connect_to(struct watcher *watcher, struct watched *watched, bool *listens,
		      struct error *err)
{
	int r = 0;

	*listens = true;
	if (!*watched->place.revision || has_gone_back(watcher, watched))
		r = list_all(watcher, watched, listens, err);
	if (r == 0 && !watched->absent)
		r = start_watch(watcher, watched, err);
	return r;
}

/* False: nobody listens. */
static bool be_connected(struct watcher *watcher, struct watched *watched)
{
	struct error why = { 0 };
	bool listens;
	int r;

	if (watched->stream || clock_ms() < watched->next_try_ms)
		return true;
	r = connect_to(watcher, watched, &listens, &why);
	if (r < 0) {
		watched->next_try_ms = clock_ms() + kube_next_pause(&watched->pause_ms);
		watched->troubled = true;
		return listens && say_of(watcher, watched, FEED_TROUBLE, why.message) == 0;
	}
	if (watched->absent)
		watched->next_try_ms = clock_ms() + ABSENT_MS + random() % ABSENT_MS;
	watched->pause_ms = 0;
	if (!watched->troubled)
		return listens;
	watched->troubled = false;
	return listens && say_of(watcher, watched, FEED_WELL, NULL) == 0;
}

static void hang_up(struct watched *watched)
{
	http_stream_close(watched->stream);
	watched->stream = NULL;
}

/* What has come already. False: nobody listens. */
static bool drain(struct watcher *watcher, struct watched *watched)
{
	for (int i = 0; watched->stream && i < LINES_MAX; i++) {
		auto_arena struct arena arena = { 0 };
		const char *message;
		char *line = NULL;
		int r = http_stream_line(watched->stream, -1, 0, &arena, &line, NULL);
		enum kube_line what;

		if (r < 0)
			hang_up(watched);
		if (r != 1)
			break;
		watched->heard_ms = clock_ms();
		what = kube_watch_line(&watched->place, watched->kind, line, strlen(line), &arena,
				       &message);
		if (what == KUBE_LINE_END)
			hang_up(watched);
		if (what == KUBE_LINE_MESSAGE && frame_send(watcher->fd, message) < 0)
			return false;
	}
	if (watched->stream && clock_ms() - watched->heard_ms >= KUBE_SILENCE_MS)
		hang_up(watched);
	return true;
}

/* ---- all of them ---- */

static void start_again(struct watcher *watcher)
{
	for (size_t i = 0; i < watcher->n; i++) {
		hang_up(&watcher->kinds[i]);
		watcher->kinds[i].place.revision[0] = '\0';
		watcher->kinds[i].next_try_ms = 0;
	}
}

/* False: nobody is there to ask. */
static bool answer(struct watcher *watcher, struct error *err)
{
	if (frames_read(&watcher->asked, watcher->fd) < 0)
		return false;
	for (;;) {
		auto_arena struct arena arena = { 0 };
		auto_json struct json *json = NULL;
		struct feed_message message;
		char *text;
		size_t size;
		int r = frames_take(&watcher->asked, QUESTION_MAX, &arena, &text, &size, err);

		if (r <= 0)
			return r == 0;
		if (feed_parse(text, size, &arena, &json, &message, err) < 0)
			return false;
		if (message.word == FEED_AGAIN)
			start_again(watcher);
		if (message.word == FEED_PING &&
		    say(watcher, &(struct feed_message){ .word = FEED_PONG }) < 0)
			return false;
	}
}

/* Until somebody has to be looked at, or tried again. */
static int patience(const struct watcher *watcher)
{
	int64_t now = clock_ms(), until = now + KUBE_SILENCE_MS;

	for (size_t i = 0; i < watcher->n; i++) {
		const struct watched *watched = &watcher->kinds[i];
		int64_t due = watched->stream ? watched->heard_ms + KUBE_SILENCE_MS
					      : watched->next_try_ms;

		until = due < until ? due : until;
	}
	return until > now ? (int)(until - now) : 0;
}

static int wait_for_all(struct watcher *watcher)
{
	struct http_stream *streams[KINDS_MAX];
	size_t n = 0;

	for (size_t i = 0; i < watcher->n; i++)
		if (watcher->kinds[i].stream)
			streams[n++] = watcher->kinds[i].stream;
	return http_stream_wait(streams, n, watcher->fd, patience(watcher));
}

static bool turn(struct watcher *watcher, struct error *err)
{
	for (size_t i = 0; i < watcher->n; i++)
		if (!be_connected(watcher, &watcher->kinds[i]) ||
		    !drain(watcher, &watcher->kinds[i]))
			return false;
	return wait_for_all(watcher) != 2 || answer(watcher, err);
}

int kube_watch_serve(const struct lease_place *place, int fd, struct error *err)
{
	struct watcher watcher on_leave(watcher_end) = { .fd = fd };

	if (kube_api_open(&watcher.api, place, err) < 0)
		return wrap(err, "Kubernetes");
	for (const struct object_kind *kind = object_kinds; kind->name && watcher.n < KINDS_MAX;
	     kind++)
		watcher.kinds[watcher.n++].kind = kind;
	srandom((unsigned)(clock_ms() ^ getpid() << 8));
	while (turn(&watcher, err))
		;
	return -err->errnum;
}
