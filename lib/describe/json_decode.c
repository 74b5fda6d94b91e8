/*
 * JSON into structs by the field table. The rules are those of the reference's decoder, since the
 * same documents must be accepted: keys in any case, the last of several wins, null leaves what is
 * there, unknown keys are passed over. In contrast to it, errors carry the exact path, and ranges
 * are checked.
 *
 * A scalar is turned into a word and given to field_parse(), so that JSON and the command line
 * agree on every value.
 */
#include "describe/jansson.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/text.h"
#include "describe/json_decode.h"
#include "describe/path.h"

#define KEYS_MAX 64 /* candidates for the nearest key */

static int decode_value(struct decode *decode, const struct path *path, const struct field *field,
			const json_t *value, void *out);

/* Put the path in front of the error. A runtime wants the first only; lint hears of it and goes on. */
static int blame(struct decode *decode, const struct path *path, struct error *error)
{
	char where[PATH_TEXT_SIZE];

	if (*path_text(path, where))
		wrap(error, "%s", where);
	if (decode->report) {
		decode->report(decode->arg, true, error->message);
		decode->failed = true;
		return 0;
	}
	if (decode->err)
		*decode->err = *error;
	return -error->errnum;
}

static const char *found_text(const json_t *value, char text[32])
{
	switch (json_typeof(value)) {
	case JSON_OBJECT: return "object";
	case JSON_ARRAY: return "list";
	case JSON_STRING: return "string";
	case JSON_REAL: snprintf(text, 32, "%g", json_real_value(value)); return text;
	case JSON_INTEGER: return "number";
	case JSON_TRUE:
	case JSON_FALSE: return "boolean";
	case JSON_NULL: break;
	}
	return "null";
}

static int wrong_type(struct decode *decode, const struct path *path, const struct field *field,
		      const json_t *value)
{
	struct error error = { 0 };
	char text[32];

	fail_code(&error, CNI_DECODE_FAILURE, EINVAL, "expected %s, found %s",
		  field_type_text(field), found_text(value, text));
	return blame(decode, path, &error);
}

/* ---- scalars ---- */

static bool takes_number(enum field_type type)
{
	return field_is_number(type) || type == FIELD_DURATION;
}

static bool takes_string(const struct field *field)
{
	if (field->type == FIELD_BOOL)
		return field->flags & FIELD_LOOSE_BOOL;
	return !field_is_number(field->type);
}

/* An empty string stands for "not given" where Go's types of these values read it so. */
static bool blank(const struct field *field, const char *word)
{
	return !*word &&
	       (field->type == FIELD_IP || field->type == FIELD_MAC || field->type == FIELD_IFNAME);
}

static int decode_scalar(struct decode *decode, const struct path *path, const struct field *field,
			 const json_t *value, void *out)
{
	struct error error = { 0 };
	char number[24];
	const char *word = NULL;

	if (field->type == FIELD_BOOL && json_is_boolean(value)) {
		*(bool *)((char *)out + field->offset) = json_is_true(value);
		return 0;
	}
	if (json_is_string(value) && takes_string(field))
		word = json_string_value(value);
	if (json_is_integer(value) && takes_number(field->type)) {
		snprintf(number, sizeof(number), "%" PRId64, (int64_t)json_integer_value(value));
		word = number;
	}
	if (!word)
		return wrong_type(decode, path, field, value);
	if (blank(field, word))
		return 0;
	if (field_parse(field, word, out, decode->arena, &error) < 0)
		return blame(decode, path, &error);
	return 0;
}

/* ---- lists and objects ---- */

static bool is_given(const json_t *object, const struct field *field)
{
	const json_t *value = json_inside(json_member((const struct json *)object, field->key));

	if (json_is_string(value))
		return json_string_length(value) > 0;
	return json_type_of(value) != JSON_NULL;
}

static int check_required(struct decode *decode, const struct path *path,
			  const struct field *fields, const json_t *object)
{
	for (const struct field *field = fields; field->type; field++) {
		struct path node = { .parent = path, .key = field->key };
		struct error error = { 0 };
		int r;

		if (!(field->flags & FIELD_REQUIRED) || is_given(object, field))
			continue;
		fail_code(&error, CNI_INVALID_CONFIG, EINVAL, "required");
		r = blame(decode, &node, &error);
		if (r < 0)
			return r;
	}
	return 0;
}

/* null in a list is an object without members: it still lacks those that are required. */
static int decode_element(struct decode *decode, const struct path *path,
			  const struct field *element, const json_t *value, void *item)
{
	if (element->type == FIELD_OBJECT && json_type_of(value) == JSON_NULL)
		return check_required(decode, path, element->fields, NULL);
	return decode_value(decode, path, element, value, item);
}

static int decode_list(struct decode *decode, const struct path *path, const struct field *field,
		       const json_t *value, void *out)
{
	struct list *list = (struct list *)((char *)out + field->offset);
	struct field element = field_element(field);

	if (json_type_of(value) != JSON_ARRAY)
		return wrong_type(decode, path, field, value);
	*list = (struct list){ 0 };
	for (size_t i = 0; i < json_array_size(value); i++) {
		struct path node = { .parent = path, .index = i };
		void *item = list_grow(decode->arena, list, field->size);
		int r;

		/* Never NULL, not for null and not for what is refused: who walks a list need not
		 * look. */
		if (element.type == FIELD_STRING || element.type == FIELD_PATH)
			*(const char **)item = "";
		r = decode_element(decode, &node, &element, json_array_get(value, i), item);
		if (r < 0)
			return r;
	}
	return 0;
}

/* No row of exactly this key. */
static int refuse_key(struct decode *decode, const struct path *path, const struct field *fields)
{
	const char *keys[KEYS_MAX], *nearest;
	struct error error = { 0 };
	size_t n = 0;

	for (const struct field *field = fields; field->type && n < KEYS_MAX; field++)
		keys[n++] = field->key;
	nearest = nearest_word(path->key, keys, n);
	fail_code(&error, CNI_INVALID_CONFIG, EINVAL, "unknown key%s%s%s",
		  nearest ? "; did you mean \"" : "", nearest ? nearest : "", nearest ? "\"?" : "");
	return blame(decode, path, &error);
}

static int decode_member(struct decode *decode, const struct path *path, const struct field *fields,
			 const json_t *value, void *out)
{
	const struct field *field = field_find(fields, path->key);

	if (field && !(decode->strict && !streq(field->key, path->key)))
		return decode_value(decode, path, field, value, out);
	return decode->strict ? refuse_key(decode, path, fields) : 0;
}

static int decode_object(struct decode *decode, const struct path *path, const struct field *fields,
			 const json_t *value, void *out)
{
	const char *key;
	json_t *member;

	json_object_foreach((json_t *)value, key, member)
	{
		struct path node = { .parent = path, .key = key };
		int r = decode_member(decode, &node, fields, member, out);

		if (r < 0)
			return r;
	}
	return check_required(decode, path, fields, value);
}

static int decode_value(struct decode *decode, const struct path *path, const struct field *field,
			const json_t *value, void *out)
{
	void *member = (char *)out + field->offset;

	if (json_type_of(value) == JSON_NULL)
		return 0;
	if (field->seen)
		*((bool *)out + field->seen - 1) = true;
	switch (field->type) {
	case FIELD_OBJECT:
		if (json_type_of(value) != JSON_OBJECT)
			return wrong_type(decode, path, field, value);
		return decode_object(decode, path, field->fields, value, member);
	case FIELD_LIST: return decode_list(decode, path, field, value, out);
	case FIELD_JSON: *(struct json **)member = json_outside((json_t *)value); return 0;
	default: return decode_scalar(decode, path, field, value, out);
	}
}

int decode_document(struct decode *decode, const struct json *json, const struct field *fields,
		    void *out)
{
	static const struct field document = { .type = FIELD_OBJECT };
	const json_t *value = json_inside(json);

	if (json_type_of(value) != JSON_OBJECT)
		return wrong_type(decode, NULL, &document, value ? value : json_null());
	return decode_object(decode, NULL, fields, value, out);
}

int json_decode(const struct json *json, const struct field *fields, void *out, struct arena *arena,
		struct error *err)
{
	struct decode decode = { .arena = arena, .err = err };

	return decode_document(&decode, json, fields, out);
}

int json_decode_strict(const struct json *json, const struct field *fields, void *out,
		       struct arena *arena, json_report_fn *report, void *arg)
{
	struct decode decode = { .arena = arena, .report = report, .arg = arg, .strict = true };
	int r = decode_document(&decode, json, fields, out);

	return r < 0 ? r : decode.failed ? -EINVAL : 0;
}
