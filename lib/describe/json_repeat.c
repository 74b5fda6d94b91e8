/*
 * Keys that are given twice: the parser keeps the last one, so the text is looked at again, member by member. It has
 * been parsed before, which is why a bracket outside of a string is enough to know the depth.
 */
#include "describe/jansson.h"

#include <strings.h>

struct walk {
	const char *at, *end;
};

/* Past a string that begins here. */
static void skip_string(struct walk *walk)
{
	for (walk->at++; walk->at < walk->end && *walk->at != '"'; walk->at++)
		if (*walk->at == '\\')
			walk->at++;
	if (walk->at < walk->end)
		walk->at++;
}

/* Up to a comma, or the bracket that closes what is around. */
static void skip_value(struct walk *walk)
{
	unsigned depth = 0;

	while (walk->at < walk->end) {
		char c = *walk->at;

		if (c == '"') {
			skip_string(walk);
			continue;
		}
		if (depth == 0 && (c == ',' || c == '}' || c == ']'))
			return;
		depth += c == '{' || c == '[';
		depth -= c == '}' || c == ']';
		walk->at++;
	}
}

static bool find(struct walk *walk, char c)
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
	struct walk walk = { text, text + size };
	size_t len = strlen(member);

	if (!find(&walk, '{'))
		return false;
	while (find(&walk, '"')) {
		const char *key = walk.at + 1, *value;
		bool wanted;

		skip_string(&walk);
		wanted = (size_t)(walk.at - key) == len + 1 && !strncasecmp(key, member, len);
		if (!find(&walk, ':'))
			return false;
		value = ++walk.at;
		skip_value(&walk);
		if (walk.at > walk.end)
			return false;
		if (wanted && has_repeated_key(value, (size_t)(walk.at - value)))
			return true;
	}
	return false;
}
