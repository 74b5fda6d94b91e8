/*
 * The JSON library inside lib/describe: include this first. Its macros and functions that have
 * names of ours are put out of the way before describe/json.h declares them.
 */
#ifndef DESCRIBE_JANSSON_H
#define DESCRIBE_JANSSON_H

#include <jansson.h>
#include <stdbool.h>

#undef json_is_object
#undef json_is_array
#undef json_is_null

/* The library's json_true() is hidden by ours below. */
static inline json_t *json_from_bool(bool value)
{
	return json_boolean(value);
}

#include "describe/json.h"

/* A struct json is the library's value under another name. */
static inline json_t *json_inside(const struct json *json)
{
	return (json_t *)json;
}

static inline struct json *json_outside(json_t *value)
{
	return (struct json *)value;
}

static inline json_type json_type_of(const json_t *value)
{
	return value ? json_typeof(value) : JSON_NULL;
}

#endif
