/*
 * What the source of policies and the gate's plugins may say. Input: a line that says what follows. "gate", and a question; "feed",
 * and messages of the source's process; "page", and a page of a list of pods; anything else, and the lines of a watch of that kind ("Pod"): whatever they are, what comes
 * of them is settled.
 */
#include "fuzz.h"

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
	else if (strcmp(what, "feed") == 0)
		feed(text, &arena);
	else if (strcmp(what, "page") == 0)
		page(text, (size_t)(end - text), &arena);
	else
		watch(kind ? kind : object_kind_find("Pod"), text, &arena);
	return 0;
}
