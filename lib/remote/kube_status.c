/* From status to error. */
#include "remote/kube_status.h"

#include <errno.h>

#include "base/text.h"
#include "describe/json.h"

enum { WORDS_MAX = 400 };

static int errnum_of(long status)
{
	switch (status) {
	case 401: return EPERM;
	case 403: return EACCES;
	case 404: return ENOENT;
	case 409: return EEXIST;
	case 410: return ESTALE;
	default: return EIO;
	}
}

/* Somebody else's words: short, and without what steers a terminal. */
static const char *words_of(const char *body, size_t size, struct arena *arena)
{
	auto_json struct json *json = json_parse(body, size, NULL);
	const char *message = json_string(json_member(json, "message"));
	char *words;

	if (!message || !*message)
		return NULL;
	words = arena_printf(arena, "%.*s", WORDS_MAX, message);
	text_mask(words);
	return words;
}

int kube_status_fail(long status, const char *body, size_t size, const struct kube_action *action,
		     struct error *err)
{
	auto_arena struct arena arena = { 0 };
	const char *words = words_of(body, size, &arena);
	int errnum = errnum_of(status);

	if (status == 401)
		return fail(err, errnum,
			    "the API server does not know us (401%s%s): the token or certificate"
			    " has expired, or is another cluster's",
			    words ? " " : "", words ? words : "");
	if (status == 403)
		return fail(err, errnum,
			    "%s; what our role lacks: resources [\"%s\"], verbs [\"%s\"]",
			    words ? words : "the API server refuses (403)", action->resource,
			    action->verb);
	return fail(err, errnum, "the API server refuses to %s %s: %s (%ld)", action->verb,
		    action->resource, words ? words : "no reason given", status);
}
