/* What a server says of one kind, as messages: pure. Anything may come. */
#include "remote/kube_watch.h"

#include <errno.h>
#include <stdio.h>

#include "policy/feed.h"

const char *kube_watch_path(const struct object_kind *kind, struct arena *arena)
{
	return arena_printf(arena, "%s/%s/%s", streq(kind->version, "v1") ? "/api" : "/apis",
			    kind->version, kind->plural);
}

static const char *meta_word(const struct json *object, const char *key)
{
	return json_string(json_member(json_member(object, "metadata"), key));
}

static const char *put_text(const struct object_kind *kind, struct json *objects,
			    struct arena *arena)
{
	return feed_text(
		&(struct feed_message){ .word = FEED_PUT, .kind = kind->name, .objects = objects },
		arena);
}

static const char *one_text(const struct object_kind *kind, const struct json *object,
			    struct arena *arena)
{
	auto_json struct json *objects = json_new_array();

	json_append(objects, object_trim(kind, object));
	return put_text(kind, objects, arena);
}

static const char *gone_text(const struct object_kind *kind, const struct json *object,
			     struct arena *arena)
{
	return feed_text(&(struct feed_message){ .word = FEED_REMOVE,
						 .kind = kind->name,
						 .space = meta_word(object, "namespace"),
						 .name = meta_word(object, "name") },
			 arena);
}

/* 410, or a reason that is none: what has happened since is forgotten there, and everything must be listed. */
static enum kube_line take_end(struct kube_place *place, const struct json *status)
{
	int64_t code = 410;

	(void)json_int(json_member(status, "code"), &code);
	if (code == 410)
		place->revision[0] = '\0';
	return KUBE_LINE_END;
}

enum kube_line kube_watch_line(struct kube_place *place, const struct object_kind *kind,
			       const char *line, size_t size, struct arena *arena,
			       const char **message)
{
	auto_json struct json *event = json_parse(line, size, NULL);
	const char *type = json_string(json_member(event, "type"));
	const struct json *object = json_member(event, "object");
	bool gone;

	*message = NULL;
	if (!type || !json_is_object(object) || streq(type, "ERROR"))
		return take_end(place, object);
	kube_revision_keep(place->revision, object);
	gone = streq(type, "DELETED");
	if ((!gone && !streq(type, "ADDED") && !streq(type, "MODIFIED")) ||
	    !meta_word(object, "name"))
		return KUBE_LINE_NOTHING;
	*message = gone ? gone_text(kind, object, arena) : one_text(kind, object, arena);
	return KUBE_LINE_MESSAGE;
}

int kube_watch_page(struct kube_place *place, const struct object_kind *kind,
		    const struct json *page, struct arena *arena, const char **message,
		    const char **next, struct error *err)
{
	auto_json struct json *objects = json_new_array();
	const struct json *items = json_member(page, "items");
	const char *more = meta_word(page, "continue");

	if (!kube_revision(page))
		return fail(err, EPROTO,
			    "the API server's list of %s has no revision, or one that is too long",
			    kind->plural);
	for (size_t i = 0; i < json_length(items); i++)
		json_append(objects, object_trim(kind, json_item(items, i)));
	kube_revision_keep(place->revision, page);
	*message = put_text(kind, objects, arena);
	*next = more && *more ? arena_strdup(arena, more) : NULL;
	return 0;
}
