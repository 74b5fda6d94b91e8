/*
 * What a plugin of others leaves behind when it ends: a status, a result or an error on its standard output, and whatever else it
 * says. Its error is passed on as one that every runtime can read; a result that cannot be read is one, too.
 *
 * Input: the status and the configuration's version on a line; standard output, and behind a line "--" the standard error.
 */
#include "fuzz.h"

#include "cni/delegate.h"
#include "cni/result.h"
#include "describe/json.h"

static const struct delegate delegate = { .type = "theirs", .path = "/opt/cni/bin/theirs" };

/* libcni reads an unsigned code, and gives up the message with a code that is none. */
static void read_error(const struct error *err, const char *version, struct arena *arena)
{
	char *text = plugin_error_text(err, version, arena), line[2048];
	auto_json struct json *json = text ? json_parse(text, strlen(text), NULL) : NULL;
	const char *message = json_string(json_member(json, "msg"));
	int64_t code = 0;

	fuzz_check(err->errnum > 0 && *err->message, "no word about what is wrong");
	fuzz_check(message && *message, "no error: %s", text ? text : "nothing");
	fuzz_check(json_int(json_member(json, "code"), &code) && code > 0, "its code is %lld",
		   (long long)code);
	for (const char *p = error_line(err, line, sizeof(line)); *p; p++)
		fuzz_check((unsigned char)*p >= ' ' && *p != 127, "it steers a terminal: %s", line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_arena struct arena arena = { 0 };
	char *text = arena_memdup(&arena, data, size), *end = text + size, *head = fuzz_line(&text);
	char *mark = memmem(text, (size_t)(end - text), "\n--\n", 4);
	size_t left = (size_t)((mark ? mark : end) - text);
	struct process_result done = { .output = arena_memdup(&arena, text, left),
				       .output_size = left,
				       .errors = mark ? mark + 4 : "" };
	auto_json struct json *reply = NULL;
	const char *version = strchr(head, ' ') ? strchr(head, ' ') + 1 : "1.0.0";
	struct cni_result result = { 0 };
	struct error err = { 0 };

	done.status = (int)strtoul(head, NULL, 10) & 255;
	if (delegate_heard(&delegate, &done, &arena, &reply, &err) < 0 ||
	    result_decode(reply, version, false, &arena, &result, &err) < 0)
		read_error(&err, version, &arena);
	else
		fuzz_check(!done.status, "it has failed");
	return 0;
}
