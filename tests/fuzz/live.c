/*
 * What the source of policies and the gate's plugins may say, and what the gate tells them. Input: a line that says what follows.
 * "gate", and a question; "answer", and one to it; "told", and the file of what plugins have said; "feed", and messages of the source's
 * process; "page", and a page of a list of pods; anything else, and the lines of a watch of that kind ("Pod"): whatever they are, what
 * comes of them is settled.
 */
#include "scratch.h"

#include <errno.h>

#include "base/file.h"
#include "guard/guard_internal.h"
#include "policy/feed.h"
#include "policy/gate.h"
#include "policy/live.h"
#include "remote/kube_watch.h"

enum { LINES_MAX = 32 };

static void report(void *arg, bool is_error, const char *object, const char *text)
{
	(void)arg;
	(void)is_error;
	for (const char *p = text; *p; p++)
		fuzz_check((unsigned char)*p >= ' ' && *p != 127, "%s: it steers a terminal",
			   object);
}

static void ask(const char *text, size_t size, struct arena *arena)
{
	struct gate_question question;
	struct error err = { 0 };

	if (gate_question_parse(text, size, arena, &question, &err) < 0)
		fuzz_check(*err.message, "no word about what is wrong");
	else
		fuzz_check(question.space && question.name && question.uid, "nobody asks");
}

static void hear_answer(const char *text, size_t size, struct arena *arena)
{
	struct error err = { 0 }, again = { 0 };
	int r = gate_answer_parse(text, size, &err);
	const struct gate_answer same = { .error = err.message };
	const char *written = gate_answer_text(&same, arena);

	fuzz_check((r < 0) == (*err.message != '\0') || r == -EACCES, "%d: %s", r, err.message);
	if (r != -EACCES || !*err.message)
		return;
	fuzz_check(gate_answer_parse(written, strlen(written), &again) == -EACCES &&
			   streq(err.message, again.message),
		   "\"%s\" is not what it was: %s", err.message, again.message);
}

/* A pod for each name that the seeds have, which has no address yet. */
static void expect_pods(struct live *live)
{
	static const char *const pods[] = { "a", "b", "c" };

	live_begin(live, "Pod");
	for (size_t i = 0; i < ARRAY_SIZE(pods); i++) {
		auto_arena struct arena arena = { 0 };
		const char *text = arena_printf(
			&arena,
			"{\"apiVersion\": \"v1\", \"kind\": \"Pod\", \"metadata\": {\"name\": "
			"\"%s\", \"uid\": \"u\"}, \"spec\": {\"nodeName\": \"n1\"}}",
			pods[i]);
		auto_json struct json *json = json_parse(text, strlen(text), NULL);

		live_put(live, "Pod", json, NULL);
	}
	live_end(live, "Pod");
}

/* What still holds of it is kept, as a file that is read as the same. */
static const char *read_told(const char *path, struct arena *arena)
{
	const struct live_options live_options = { "n1", report, NULL };
	const struct guard_options options = { .socket = path };
	struct guard guard = { .options = &options };
	struct error err = { 0 };
	char *kept = "";
	size_t size = 0;
	int r;

	live_open(&guard.live, &live_options);
	expect_pods(guard.live);
	(void)live_update(guard.live);
	live_settle(guard.live);
	told_read(&guard);
	fuzz_check(told_keep(&guard, &err) == 0, "%s", err.message);
	r = file_read(arena_printf(arena, "%s.told", path), 4 << 20, arena, &kept, &size, &err);
	fuzz_check((r == 0 && strlen(kept) == size) || r == -ENOENT, "it is not mended: %s",
		   err.message);
	live_close(guard.live);
	free(guard.told);
	return kept;
}

static void told(const char *text, size_t size, struct arena *arena)
{
	const char *path = arena_printf(arena, "%s/sock", scratch_empty()), *kept;

	scratch_write(arena_printf(arena, "%s.told", path), text, size);
	kept = read_told(path, arena);
	fuzz_check(streq(kept, read_told(path, arena)), "what is kept changes: %s", kept);
}

/* One message, as the guard takes it. */
static void take(struct live *live, const char *text, bool ours, struct arena *arena)
{
	struct feed_message message;
	struct error err = { 0 };
	auto_json struct json *json = NULL;
	int r = feed_parse(text, strlen(text), arena, &json, &message, &err);

	fuzz_check(r == 0 || (!ours && *err.message), "%s", err.message);
	fuzz_check(!ours || object_kind_find(message.kind), "of what kind?");
	if (r < 0 || !object_kind_find(message.kind))
		return;
	if (message.word == FEED_BEGIN)
		live_begin(live, message.kind);
	if (message.word == FEED_END)
		live_end(live, message.kind);
	for (size_t i = 0; i < json_length(message.objects); i++)
		live_put(live, message.kind, json_item(message.objects, i), NULL);
	if (message.word == FEED_REMOVE && message.name)
		live_remove(live, message.kind, message.space ? message.space : "", message.name);
}

/* What was settled is settled. */
static void settle(struct live *live)
{
	(void)live_update(live);
	live_settle(live);
	fuzz_check(difference_is_empty(live_update(live)), "it is not settled");
}

static void feed(char *text, struct arena *arena)
{
	const struct live_options options = { "n1", report, NULL };
	struct live *live;

	live_open(&live, &options);
	for (int i = 0; *text && i < LINES_MAX; i++) {
		take(live, fuzz_line(&text), false, arena);
		settle(live);
	}
	live_close(live);
}

static void page(const char *text, size_t size, struct arena *arena)
{
	const struct object_kind *kind = object_kind_find("Pod");
	const struct live_options options = { "n1", report, NULL };
	auto_json struct json *json = json_parse(text, size, NULL);
	const char *message = NULL, *next = NULL;
	struct kube_place place = { "" };
	struct error err = { 0 };
	struct live *live;

	if (kube_watch_page(&place, kind, json, arena, &message, &next, &err) < 0) {
		fuzz_check(*err.message, "no word about what is wrong");
		return;
	}
	live_open(&live, &options);
	take(live, message, true, arena);
	settle(live);
	live_close(live);
}

static void watch(const struct object_kind *kind, char *text, struct arena *arena)
{
	const struct live_options options = { "n1", report, NULL };
	struct kube_place place = { "1" };
	struct live *live;

	live_open(&live, &options);
	settle(live);
	for (int i = 0; *text && i < LINES_MAX; i++) {
		const char *line = fuzz_line(&text), *message;

		if (kube_watch_line(&place, kind, line, strlen(line), arena, &message) ==
		    KUBE_LINE_MESSAGE)
			take(live, message, true, arena);
		settle(live);
	}
	live_close(live);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_arena struct arena arena = { 0 };
	char *text = arena_memdup(&arena, data, size), *end = text + size;
	const char *what = fuzz_line(&text);
	const struct object_kind *kind = object_kind_find(what);

	if (strcmp(what, "gate") == 0)
		ask(text, (size_t)(end - text), &arena);
	else if (strcmp(what, "answer") == 0)
		hear_answer(text, (size_t)(end - text), &arena);
	else if (strcmp(what, "told") == 0)
		told(text, (size_t)(end - text), &arena);
	else if (strcmp(what, "feed") == 0)
		feed(text, &arena);
	else if (strcmp(what, "page") == 0)
		page(text, (size_t)(end - text), &arena);
	else
		watch(kind ? kind : object_kind_find("Pod"), text, &arena);
	return 0;
}
