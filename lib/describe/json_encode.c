/* Structs into JSON by the field table: the reverse of json_decode.c, decode(encode(x)) = x. */
#include "describe/jansson.h"

static json_t *encode_object(const struct field *fields, const void *in, struct arena *arena);

static json_t *encode_word(const struct field *field, const void *in, struct arena *arena)
{
	return json_inside(json_new_string(field_text(field, in, arena)));
}

/* Not through field_text(): there is no need to allocate for a number. */
static json_t *encode_integer(const struct field *field, const void *in)
{
	const void *member = (const char *)in + field->offset;

	switch (field->type) {
	case FIELD_INT: return json_integer(*(const int *)member);
	case FIELD_UINT32: return json_integer(*(const uint32_t *)member);
	case FIELD_PORT: return json_integer(*(const uint16_t *)member);
	case FIELD_UINT64: /* beyond 63 bits the library's integers end: the nearest value it has */
		if (*(const uint64_t *)member > INT64_MAX)
			return json_integer(INT64_MAX);
		return json_integer((json_int_t) * (const uint64_t *)member);
	default: return json_integer(*(const int64_t *)member);
	}
}

static json_t *encode_value(const struct field *field, const void *in, struct arena *arena)
{
	const void *member = (const char *)in + field->offset;
	const struct list *list = member;
	struct field element;
	json_t *array;

	switch (field->type) {
	case FIELD_BOOL: return json_from_bool(*(const bool *)member);
	case FIELD_INT:
	case FIELD_UINT32:
	case FIELD_INT64:
	case FIELD_UINT64:
	case FIELD_PORT: return encode_integer(field, in);
	case FIELD_OBJECT: return encode_object(field->fields, member, arena);
	case FIELD_CIDR:
		if (!((const struct cidr *)member)->ip.family)
			return json_null();
		return encode_word(field, in, arena);
	case FIELD_JSON:
		if (!*(struct json *const *)member)
			return json_null();
		return json_incref(json_inside(*(struct json *const *)member));
	case FIELD_LIST:
		array = json_array();
		element = field_element(field);
		for (size_t i = 0; i < list->n; i++)
			json_array_append_new(
				array, encode_value(&element, (char *)list->items + i * field->size,
						    arena));
		return array;
	default: return encode_word(field, in, arena);
	}
}

static json_t *encode_object(const struct field *fields, const void *in, struct arena *arena)
{
	json_t *object = json_object();

	for (const struct field *field = fields; field->type; field++)
		if ((field->flags & FIELD_KEEP_EMPTY) || !field_empty(field, in))
			json_object_set_new(object, field->key, encode_value(field, in, arena));
	return object;
}

struct json *json_encode(const struct field *fields, const void *in)
{
	auto_arena struct arena arena = { 0 };

	return json_outside(encode_object(fields, in, &arena));
}

struct json *json_encode_member(const struct field *field, const void *in)
{
	auto_arena struct arena arena = { 0 };

	return json_outside(encode_value(field, in, &arena));
}
