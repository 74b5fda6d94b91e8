/* YAML to JSON values over libyaml's events; see yaml.h. */
#include "describe/jansson.h"
#include "describe/yaml.h"

#include <errno.h>
#include <stdio.h>
#include <yaml.h>

#include "describe/yaml_word.h"

#define DEPTH_MAX    100
#define EXPANDED_MAX 100000 /* values that aliases of one document add */
#define TAG          "tag:yaml.org,2002:"

struct anchor {
	const char *name;
	json_t *value;
	unsigned size; /* values in it */
};

struct yaml {
	yaml_parser_t parser;
	struct arena arena;
	LIST(struct anchor) anchors; /* of this document */
	unsigned size, expanded;     /* values so far; those of aliases */
	struct error *err;
};

static json_t *build(struct yaml *yaml, const yaml_event_t *event, unsigned depth);

static void event_delete(yaml_event_t *event)
{
	yaml_event_delete(event);
}
#define auto_event on_leave(event_delete)

static void value_release(json_t **value)
{
	json_decref(*value);
}
#define auto_value on_leave(value_release)

static json_t *refuse(struct yaml *yaml, const yaml_event_t *event, const char *what)
{
	fail_code(yaml->err, CNI_DECODE_FAILURE, EINVAL, "line %zu, column %zu: %s",
		  event->start_mark.line + 1, event->start_mark.column + 1, what);
	return NULL;
}

static bool next_event(struct yaml *yaml, yaml_event_t *event)
{
	const yaml_parser_t *parser = &yaml->parser;

	if (yaml_parser_parse(&yaml->parser, event))
		return true;
	if (parser->error == YAML_READER_ERROR)
		fail_code(yaml->err, CNI_DECODE_FAILURE, EINVAL, "byte %zu: %s",
			  parser->problem_offset, parser->problem);
	else
		fail_code(yaml->err, CNI_DECODE_FAILURE, EINVAL, "line %zu, column %zu: %s",
			  parser->problem_mark.line + 1, parser->problem_mark.column + 1,
			  parser->problem ? parser->problem : "out of memory");
	return false;
}

/* ---- scalars and aliases ---- */

static bool is_string(const yaml_event_t *event)
{
	const char *tag = (const char *)event->data.scalar.tag;

	if (tag)
		return streq(tag, "!") || streq(tag, TAG "str");
	return event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
}

static json_t *build_scalar(struct yaml *yaml, const yaml_event_t *event)
{
	static const char *const tags[] = { "!",        TAG "str",   TAG "int", TAG "bool",
					    TAG "null", TAG "float", NULL };
	const char *tag = (const char *)event->data.scalar.tag;
	const char *word = (const char *)event->data.scalar.value;
	size_t known = 0;

	if (strlen(word) != event->data.scalar.length)
		return refuse(yaml, event, "a NUL in a string");
	while (tag && tags[known] && !streq(tag, tags[known]))
		known++;
	if (tag && !tags[known])
		return refuse(yaml, event, "a value with a tag of its own");
	return json_inside(is_string(event) ? json_new_string(word) : yaml_word(word));
}

static json_t *build_alias(struct yaml *yaml, const yaml_event_t *event)
{
	const struct anchor *found = NULL;

	list_each(anchor, &yaml->anchors)
		if (streq(anchor->name, (const char *)event->data.alias.anchor))
			found = anchor;
	if (!found)
		return refuse(yaml, event, "an alias without its anchor in front of it");
	yaml->size += found->size;
	yaml->expanded += found->size;
	if (yaml->expanded > EXPANDED_MAX)
		return refuse(yaml, event, "aliases make the document too large");
	return json_incref(found->value);
}

static const char *anchor_of(const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_SCALAR_EVENT: return (const char *)event->data.scalar.anchor;
	case YAML_SEQUENCE_START_EVENT: return (const char *)event->data.sequence_start.anchor;
	case YAML_MAPPING_START_EVENT: return (const char *)event->data.mapping_start.anchor;
	default: return NULL;
	}
}

static void remember(struct yaml *yaml, const yaml_event_t *event, json_t *value, unsigned size)
{
	const char *name = anchor_of(event);

	if (name)
		*list_add(&yaml->arena, &yaml->anchors) =
			(struct anchor){ .name = arena_strdup(&yaml->arena, name),
					 .value = json_incref(value),
					 .size = size };
}

/* ---- lists and mappings ---- */

static json_t *build_list(struct yaml *yaml, unsigned depth)
{
	json_t *list auto_value = json_array();

	for (;;) {
		yaml_event_t event auto_event = { 0 };
		json_t *item;

		if (!next_event(yaml, &event))
			return NULL;
		if (event.type == YAML_SEQUENCE_END_EVENT)
			return take_ptr(list);
		item = build(yaml, &event, depth);
		if (!item)
			return NULL;
		json_array_append_new(list, item);
	}
}

/* `<<: *base` or a list of those: members that the mapping does not have itself. */
static bool merge(json_t *object, const json_t *from)
{
	bool ok = true;

	for (size_t i = 0; ok && i < json_array_size(from); i++)
		ok = json_typeof(json_array_get(from, i)) == JSON_OBJECT &&
		     merge(object, json_array_get(from, i));
	if (json_typeof(from) == JSON_ARRAY)
		return ok;
	return json_typeof(from) == JSON_OBJECT &&
	       json_object_update_missing(object, (json_t *)from) == 0;
}

static bool is_merge(const yaml_event_t *key)
{
	return !is_string(key) && streq((const char *)key->data.scalar.value, "<<");
}

/* One key and its value. What is merged is put aside: the mapping's own keys win, wherever they stand. */
static bool build_member(struct yaml *yaml, const yaml_event_t *key, unsigned depth, json_t *object,
			 json_t *merged)
{
	yaml_event_t event auto_event = { 0 };
	json_t *value auto_value = NULL;
	const char *name;

	if (key->type != YAML_SCALAR_EVENT)
		return refuse(yaml, key, "a key that is no string"), false;
	name = (const char *)key->data.scalar.value;
	if (strlen(name) != key->data.scalar.length)
		return refuse(yaml, key, "a NUL in a key"), false;
	if (!next_event(yaml, &event))
		return false;
	value = build(yaml, &event, depth);
	if (!value)
		return false;
	if (is_merge(key))
		return merge(merged, value) ||
		       (refuse(yaml, key, "<< takes a mapping or a list of mappings"), false);
	if (json_object_get(object, name))
		return refuse(yaml, key, "a key that comes twice"), false;
	return json_object_set(object, name, value) == 0;
}

static json_t *build_mapping(struct yaml *yaml, unsigned depth)
{
	json_t *object auto_value = json_object(), *merged auto_value = json_object();

	for (;;) {
		yaml_event_t key auto_event = { 0 };

		if (!next_event(yaml, &key))
			return NULL;
		if (key.type == YAML_MAPPING_END_EVENT)
			break;
		if (!build_member(yaml, &key, depth, object, merged))
			return NULL;
	}
	json_object_update_missing(object, merged);
	return take_ptr(object);
}

static json_t *build(struct yaml *yaml, const yaml_event_t *event, unsigned depth)
{
	unsigned before = yaml->size++;
	json_t *value = NULL;

	if (depth > DEPTH_MAX)
		return refuse(yaml, event, "nested too deep");
	switch (event->type) {
	case YAML_ALIAS_EVENT: return build_alias(yaml, event);
	case YAML_SCALAR_EVENT: value = build_scalar(yaml, event); break;
	case YAML_SEQUENCE_START_EVENT: value = build_list(yaml, depth + 1); break;
	case YAML_MAPPING_START_EVENT: value = build_mapping(yaml, depth + 1); break;
	default: return refuse(yaml, event, "a value is missing");
	}
	if (value)
		remember(yaml, event, value, yaml->size - before);
	return value;
}

/* ---- documents ---- */

static void forget(struct yaml *yaml)
{
	list_each(anchor, &yaml->anchors)
		json_decref(anchor->value);
	yaml->anchors.n = 0;
	yaml->size = yaml->expanded = 0;
	arena_free(&yaml->arena);
}

struct yaml *yaml_open(const char *text, size_t size)
{
	struct yaml *yaml = xrealloc(NULL, sizeof(*yaml));

	*yaml = (struct yaml){ 0 };
	if (!yaml_parser_initialize(&yaml->parser))
		out_of_memory();
	yaml_parser_set_input_string(&yaml->parser, (const unsigned char *)text, size);
	return yaml;
}

void yaml_close(struct yaml *yaml)
{
	if (!yaml)
		return;
	forget(yaml);
	yaml_parser_delete(&yaml->parser);
	free(yaml);
}

static int read_document(struct yaml *yaml, struct json **json)
{
	yaml_event_t first auto_event = { 0 }, end auto_event = { 0 };
	json_t *value auto_value = NULL;

	if (!next_event(yaml, &first))
		return -EINVAL;
	value = build(yaml, &first, 0);
	if (!value || !next_event(yaml, &end)) /* the end of the document */
		return -EINVAL;
	*json = json_outside(take_ptr(value));
	return 1;
}

int yaml_next(struct yaml *yaml, struct json **json, struct error *err)
{
	struct error unheard = { 0 };

	yaml->err = err ? err : &unheard;
	forget(yaml);
	for (;;) {
		yaml_event_t event auto_event = { 0 };

		if (!next_event(yaml, &event))
			return -EINVAL;
		if (event.type == YAML_DOCUMENT_START_EVENT)
			return read_document(yaml, json);
		if (event.type != YAML_STREAM_START_EVENT && event.type != YAML_DOCUMENT_END_EVENT)
			return 0;
	}
}

struct json *yaml_parse(const char *text, size_t size, struct error *err)
{
	auto_yaml struct yaml *yaml = yaml_open(text, size);
	struct json *json = NULL;

	if (yaml_next(yaml, &json, err) == 0)
		fail_code(err, CNI_DECODE_FAILURE, EINVAL, "the file is empty");
	return json;
}
