/* See feed.h. */
#include "policy/feed.h"

static const char *const words[] = { "nothing", "begin", "put",  "end",   "remove", "trouble",
				     "well",    "pong",  "ping", "again", NULL };

#define MESSAGE(member) offsetof(struct feed_message, member)

static const struct field fields[] = {
	{ "word", FIELD_ENUM, MESSAGE(word), .names = words },
	{ "kind", FIELD_STRING, MESSAGE(kind) },
	{ "namespace", FIELD_STRING, MESSAGE(space) },
	{ "name", FIELD_STRING, MESSAGE(name) },
	{ "why", FIELD_STRING, MESSAGE(why) },
	{ "objects", FIELD_JSON, MESSAGE(objects) },
	FIELDS_END,
};

char *feed_text(const struct feed_message *message, struct arena *arena)
{
	auto_json struct json *json = json_encode(fields, message);

	return json_text(json, JSON_STYLE_COMPACT, arena);
}

int feed_parse(const char *text, size_t size, struct arena *arena, struct json **json,
	       struct feed_message *message, struct error *err)
{
	*message = (struct feed_message){ 0 };
	*json = json_parse(text, size, err);
	return *json ? json_decode(*json, fields, message, arena, err) : -err->errnum;
}
