/*
 * See documents.h. A list is walked in two passes over its text: the first finds its members, passing
 * over the items; the second parses one item after the other.
 */
#include "describe/documents.h"

#include <errno.h>

#include "base/text.h"
#include "describe/yaml.h"

#define ITEMS "items"

struct walk {
	const char *text;
	size_t size, at;
	document_fn *fn;
	void *arg;
	struct error *err;
	size_t items; /* where the object's items begin, 0 = none */
};

static void skip_space(struct walk *walk)
{
	while (walk->at < walk->size && walk->text[walk->at] &&
	       strchr(" \t\r\n", walk->text[walk->at]))
		walk->at++;
}

static bool take(struct walk *walk, char c)
{
	skip_space(walk);
	if (walk->at >= walk->size || walk->text[walk->at] != c)
		return false;
	walk->at++;
	return true;
}

/* Lines are counted from the start of the text, not of the document. */
static int fail_at(struct walk *walk, const struct error *inner)
{
	unsigned lines = 0;

	for (size_t i = 0; i < walk->at; i++)
		lines += walk->text[i] == '\n';
	if (!lines)
		return fail_code(walk->err, CNI_DECODE_FAILURE, EINVAL, "%s", inner->message);
	return fail_code(walk->err, CNI_DECODE_FAILURE, EINVAL,
			 "document that begins in line %u: %s", lines + 1, inner->message);
}

static struct json *parse_value(struct walk *walk, struct error *err)
{
	size_t used;
	struct json *json;

	skip_space(walk);
	json = json_parse_first(walk->text + walk->at, walk->size - walk->at, &used, err);
	if (json)
		walk->at += used;
	return json;
}

/* Behind a string, whose opening quote is behind us. */
static void skip_string(struct walk *walk)
{
	for (; walk->at < walk->size && walk->text[walk->at] != '"'; walk->at++)
		if (walk->text[walk->at] == '\\')
			walk->at++;
	walk->at++;
}

/* Behind a list, without a look at what is in it. */
static bool skip_list(struct walk *walk)
{
	size_t depth = 0;

	while (walk->at < walk->size) {
		char c = walk->text[walk->at++];

		if (c == '"')
			skip_string(walk);
		else if (c == '[' || c == '{')
			depth++;
		else if ((c == ']' || c == '}') && --depth == 0)
			return true;
	}
	return false;
}

/* One member, but for items, which are only found. */
static bool read_member(struct walk *walk, struct json *object)
{
	auto_json struct json *key = parse_value(walk, NULL);
	const char *name = json_string(key);
	struct json *value;

	if (!name || !take(walk, ':'))
		return false;
	skip_space(walk);
	if (streq(name, ITEMS) && !walk->items && walk->at < walk->size &&
	    walk->text[walk->at] == '[') {
		walk->items = walk->at;
		return skip_list(walk);
	}
	value = json_member(object, name) || streq(name, ITEMS) ? NULL : parse_value(walk, NULL);
	if (!value)
		return false;
	json_set(object, name, value);
	return true;
}

static bool read_members(struct walk *walk, struct json *object)
{
	if (!take(walk, '{'))
		return false;
	if (take(walk, '}'))
		return true;
	do {
		if (!read_member(walk, object))
			return false;
	} while (take(walk, ','));
	return take(walk, '}');
}

static bool hand_items(const struct walk *outer, const struct json *list)
{
	struct walk walk = *outer;

	walk.at = outer->items;
	if (!take(&walk, '['))
		return false;
	if (take(&walk, ']'))
		return true;
	do {
		auto_json struct json *item = parse_value(&walk, NULL);

		if (!item)
			return false;
		walk.fn(walk.arg, item, list);
	} while (take(&walk, ','));
	return take(&walk, ']');
}

/* The whole document at once: what is no list, and what is broken, for the message. */
static int parse_whole(struct walk *walk)
{
	struct error inner = { 0 };
	auto_json struct json *json = parse_value(walk, &inner);

	if (!json)
		return fail_at(walk, &inner);
	walk->fn(walk->arg, json, NULL);
	return 0;
}

/* By its kind: anything else with a member of that name is for the reader to refuse. */
static bool is_list(const struct walk *walk, const struct json *object)
{
	const char *kind = json_string(json_member(object, "kind"));

	return walk->items && kind && has_suffix(kind, "List");
}

static int walk_document(struct walk *walk)
{
	auto_json struct json *object = json_new_object();
	size_t start = walk->at;

	walk->items = 0;
	if (read_members(walk, object) && is_list(walk, object) && hand_items(walk, object))
		return 0;
	walk->at = start;
	return parse_whole(walk);
}

static int each_yaml(struct walk *walk)
{
	auto_yaml struct yaml *yaml = yaml_open(walk->text, walk->size);
	struct json *json;
	int r;

	while ((r = yaml_next(yaml, &json, walk->err)) > 0) {
		if (!json_is_null(json))
			walk->fn(walk->arg, json, NULL);
		json_release(json);
	}
	return r;
}

int documents_each(const char *text, size_t size, document_fn *fn, void *arg, struct error *err)
{
	struct walk walk = { .text = text, .size = size, .fn = fn, .arg = arg, .err = err };
	int r = 0;

	skip_space(&walk);
	if (walk.at == size || (text[walk.at] != '{' && text[walk.at] != '['))
		return each_yaml(&walk);
	for (; r >= 0 && walk.at < size; skip_space(&walk))
		r = walk_document(&walk);
	return r;
}
