/*
 * Keys that are given twice: the parser keeps the last one, so the text is looked at again, member by member.
 */
#include "describe/jansson.h"
#include "describe/json_walk.h"

#include <strings.h>

void walk_skip_value(struct json_walk *walk)
{
	unsigned depth = 0;

	while (walk->at < walk->end) {
		char c = *walk->at;

		if (c == '"') {
			walk_skip_string(walk);
			continue;
		}
		if (depth == 0 && (c == ',' || c == '}' || c == ']'))
			return;
		depth += c == '{' || c == '[';
		depth -= c == '}' || c == ']';
		walk->at++;
	}
}

bool walk_find(struct json_walk *walk, char c)
{
	while (walk->at < walk->end && *walk->at != c)
		walk->at++;
	return walk->at < walk->end;
}

static bool has_repeated_key(const char *text, size_t size)
{
	json_error_t error;
	json_t *value = json_loadb(text, size, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &error);

	json_decref(value);
	return !value && json_error_code(&error) == json_error_duplicate_key;
}

/* Keys with escapes in them are not looked for. */
bool json_repeats(const char *text, size_t size, const char *member)
{
	struct json_walk walk = { text, text + size };
	size_t len = strlen(member);

	if (!walk_find(&walk, '{'))
		return false;
	while (walk_find(&walk, '"')) {
		const char *key = walk.at + 1, *value;
		bool wanted;

		walk_skip_string(&walk);
		wanted = (size_t)(walk.at - key) == len + 1 && !strncasecmp(key, member, len);
		if (!walk_find(&walk, ':'))
			return false;
		value = ++walk.at;
		walk_skip_value(&walk);
		if (walk.at > walk.end)
			return false;
		if (wanted && has_repeated_key(value, (size_t)(walk.at - value)))
			return true;
	}
	return false;
}
