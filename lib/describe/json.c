/*
 * JSON values and text. The readers of field tables are in json_decode.c, json_check.c and
 * json_encode.c; this file serves documents whose shape is not ours.
 */
#include "describe/jansson.h"

#include <errno.h>
#include <stdio.h>
#include <strings.h>

/* ---- parsing ---- */

static bool only_space(const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (!text[i] || !strchr(" \t\r\n", text[i]))
			return false;
	return true;
}

/* Any value is let through: the decoder's "expected an object" is the better error. The library
 * refuses text behind the value, NUL bytes, invalid UTF-8 and more than 2048 levels; of duplicate
 * keys the last one wins. */
/* Length of the UTF-8 sequence at s (RFC 3629), 0 when there is none. */
static size_t utf8_len(const unsigned char *s, size_t size)
{
	size_t len = *s < 0x80   ? 1
		     : *s < 0xc2 ? 0
		     : *s < 0xe0 ? 2
		     : *s < 0xf0 ? 3
		     : *s < 0xf5 ? 4
				 : 0;
	/* The second byte says whether the whole is too long a form, half a surrogate pair, or beyond U+10FFFF. */
	unsigned char low = *s == 0xe0 ? 0xa0 : *s == 0xf0 ? 0x90 : 0x80;
	unsigned char high = *s == 0xed ? 0x9f : *s == 0xf4 ? 0x8f : 0xbf;

	if (len > size || (len > 1 && (s[1] < low || s[1] > high)))
		return 0;
	for (size_t i = 2; i < len; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	return len;
}

/* A copy with U+FFFD for each byte that belongs to no UTF-8 sequence, as Go's decoder reads them: a pod's label may
 * hold anything, and that is no reason to refuse its network. */
static char *replace_invalid(const char *text, size_t *size, struct arena *arena)
{
	char *copy = arena_alloc(arena, *size * 3 + 1), *out = copy;

	for (size_t i = 0; i < *size;) {
		size_t len = utf8_len((const unsigned char *)text + i, *size - i);

		memcpy(out, len ? text + i : "\xef\xbf\xbd", len ? len : 3);
		out += len ? len : 3;
		i += len ? len : 1;
	}
	*size = (size_t)(out - copy);
	return copy;
}

struct json *json_parse(const char *text, size_t size, struct error *err)
{
	json_error_t error;
	json_t *value;

	if (only_space(text, size)) {
		fail_code(err, CNI_DECODE_FAILURE, EINVAL, "unexpected end of JSON input");
		return NULL;
	}
	value = json_loadb(text, size, JSON_DECODE_ANY, &error);
	if (!value && json_error_code(&error) == json_error_invalid_utf8) {
		auto_arena struct arena arena = { 0 };
		char *valid = replace_invalid(text, &size, &arena);

		value = json_loadb(valid, size, JSON_DECODE_ANY, &error);
	}
	if (value)
		return json_outside(value);
	if (json_error_code(&error) == json_error_premature_end_of_input)
		snprintf(error.text, sizeof(error.text), "unexpected end of JSON input");
	fail_code(err, CNI_DECODE_FAILURE, EINVAL, "line %d, column %d: %s", error.line,
		  error.column, error.text);
	return NULL;
}

struct json *json_parse_first(const char *text, size_t size, size_t *used, struct error *err)
{
	const size_t flags = JSON_DECODE_ANY | JSON_REJECT_DUPLICATES | JSON_DISABLE_EOF_CHECK;
	json_error_t error;
	json_t *value = json_loadb(text, size, flags, &error);

	if (value)
		*used = (size_t)error.position;
	else
		fail_code(err, CNI_DECODE_FAILURE, EINVAL, "line %d, column %d: %s", error.line,
			  error.column, error.text);
	return json_outside(value);
}

void json_release(struct json *json)
{
	json_decref(json_inside(json));
}

void json_releasep(struct json **json)
{
	json_release(*json);
}

/* ---- reading ---- */

struct json *json_member(const struct json *object, const char *key)
{
	json_t *found = json_object_get(json_inside(object), key);

	if (found)
		return json_outside(found);
	for (void *i = json_first(object); i; i = json_next(object, i))
		if (!strcasecmp(json_iter_key(i), key))
			found = json_object_iter_value(i);
	return json_outside(found);
}

struct json *json_item(const struct json *array, size_t i)
{
	return json_outside(json_array_get(json_inside(array), i));
}

size_t json_length(const struct json *array)
{
	return json_is_object(array) ? json_object_size(json_inside(array))
				     : json_array_size(json_inside(array));
}

bool json_is_object(const struct json *json)
{
	return json_type_of(json_inside(json)) == JSON_OBJECT;
}

bool json_is_array(const struct json *json)
{
	return json_type_of(json_inside(json)) == JSON_ARRAY;
}

bool json_is_null(const struct json *json)
{
	return json && json_type_of(json_inside(json)) == JSON_NULL;
}

const char *json_string(const struct json *json)
{
	return json_string_value(json_inside(json));
}

bool json_true(const struct json *json)
{
	const char *text = json_string(json);

	return json_type_of(json_inside(json)) == JSON_TRUE || (text && streq(text, "true"));
}

bool json_int(const struct json *json, int64_t *value)
{
	if (json_type_of(json_inside(json)) != JSON_INTEGER)
		return false;
	*value = json_integer_value(json_inside(json));
	return true;
}

void *json_first(const struct json *object)
{
	return json_object_iter(json_inside(object));
}

void *json_next(const struct json *object, void *iter)
{
	return json_object_iter_next(json_inside(object), iter);
}

const char *json_iter_key(void *iter)
{
	return json_object_iter_key(iter);
}

struct json *json_iter_value(void *iter)
{
	return json_outside(json_object_iter_value(iter));
}

/* ---- making ---- */

/* Bytes of the UTF-8 sequence at p (RFC 3629: shortest form, no surrogates), 0 when it is none. */
static size_t utf8_length(const unsigned char *p)
{
	size_t n = p[0] < 0x80   ? 1
		   : p[0] < 0xc2 ? 0
		   : p[0] < 0xe0 ? 2
		   : p[0] < 0xf0 ? 3
		   : p[0] < 0xf5 ? 4
				 : 0;

	for (size_t i = 1; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] >= 0xa0) ||
	    (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] >= 0x90))
		return 0;
	return n;
}

/* The text with every byte that is not UTF-8 replaced by U+FFFD, as Go's encoder does; release with
 * free(). Names of processes and files can hold any byte, JSON cannot. */
static char *utf8_clean(const char *text)
{
	char *clean = xrealloc(NULL, 3 * strlen(text) + 1), *out = clean;
	const unsigned char *p = (const unsigned char *)text;

	while (*p) {
		size_t n = utf8_length(p);

		if (n)
			memcpy(out, p, n);
		else
			memcpy(out, "\xef\xbf\xbd", 3);
		out += n ? n : 3;
		p += n ? n : 1;
	}
	*out = '\0';
	return clean;
}

static void *json_memory(size_t size)
{
	return xrealloc(NULL, size);
}

/* So that what jansson makes is never NULL for want of memory. */
__attribute__((constructor)) static void json_begin(void)
{
	json_set_alloc_funcs(json_memory, free);
}

struct json *json_new_object(void)
{
	return json_outside(json_object());
}

struct json *json_new_array(void)
{
	return json_outside(json_array());
}

struct json *json_new_string(const char *text)
{
	json_t *value = json_stringn(text, strlen(text));
	auto_free char *clean = NULL;

	if (value)
		return json_outside(value);
	clean = utf8_clean(text);
	return json_outside(json_stringn(clean, strlen(clean)));
}

struct json *json_new_null(void)
{
	return json_outside(json_null());
}

struct json *json_new_bool(bool value)
{
	return json_outside(json_from_bool(value));
}

struct json *json_new_int(int64_t value)
{
	return json_outside(json_integer(value));
}

struct json *json_new_real(double value)
{
	json_t *real = json_real(value);

	return json_outside(real ? real : json_null());
}

struct json *json_copy(const struct json *json)
{
	return json_outside(json_deep_copy(json_inside(json)));
}

struct json *json_share(const struct json *json)
{
	return json_outside(json_incref(json_inside(json)));
}

/* Delete all members of that key in any case, but the exact one when keep_exact is set. */
static void remove_key(json_t *object, const char *key, bool keep_exact)
{
	const char *other;
	json_t *value;
	void *next;

	json_object_foreach_safe(object, next, other, value)
	{
		if (strcasecmp(other, key) != 0 || (keep_exact && streq(other, key)))
			continue;
		json_object_del(object, other);
	}
}

void json_set(struct json *object, const char *key, struct json *take)
{
	auto_free char *clean = NULL;

	remove_key(json_inside(object), key, true);
	if (!json_object_set_new(json_inside(object), key, json_incref(json_inside(take)))) {
		json_release(take);
		return;
	}
	clean = utf8_clean(key);
	json_object_set_new(json_inside(object), clean, json_inside(take));
}

void json_remove(struct json *object, const char *key)
{
	remove_key(json_inside(object), key, false);
}

void json_append(struct json *array, struct json *take)
{
	json_array_append_new(json_inside(array), json_inside(take));
}
