/*
 * JSON, the only place that knows the JSON library. Two levels: field tables to and from text, and, for
 * documents whose shape is not ours (a network list that is passed on), a value with few operations.
 *
 * Keys are matched without regard to case, an exact match first: runtimes depend on it. Errors carry the
 * exact path: `ipam.ranges[0][1].subnet: "10.2.0.0" is not a CIDR`.
 */
#ifndef DESCRIBE_JSON_H
#define DESCRIBE_JSON_H

#include "base/error.h"
#include "describe/field.h"

struct json;

/* The JSON library has functions of these names: the symbols must differ. */
#define json_string json_to_string
#define json_true   json_to_bool
#define json_copy   json_clone

/* ---- values: own what the name says `new`, `parse` or `copy`; everything else is borrowed ---- */
struct json *json_parse(const char *text, size_t size,
			struct error *err); /* NULL on error, code 6 */
/* The first of several values behind each other, which no key may be in twice; *used is how much of the text it took. */
struct json *json_parse_first(const char *text, size_t size, size_t *used, struct error *err);
/* The text's value of a top-level member (any case) has a key twice; a parsed value does not show that. */
bool json_repeats(const char *text, size_t size, const char *member);
void json_release(struct json *json); /* NULL-safe */
void json_releasep(struct json **json);
#define auto_json on_leave(json_releasep)

struct json *json_member(const struct json *object, const char *key); /* any case; NULL = none */
struct json *json_item(const struct json *array, size_t i);           /* NULL past the end */
size_t json_length(const struct json *array);                         /* of an array or object */
bool json_is_object(const struct json *json);                         /* NULL-safe, all of them */
bool json_is_array(const struct json *json);
bool json_is_null(const struct json *json);
const char *json_string(const struct json *json);       /* NULL when no string */
bool json_true(const struct json *json);                /* true, or the string "true" */
bool json_int(const struct json *json, int64_t *value); /* false when no integer */
/* Walk an object in its own order: `for (void *i = json_first(o); i; i = json_next(o, i))`. */
void *json_first(const struct json *object);
void *json_next(const struct json *object, void *iter);
const char *json_iter_key(void *iter);
struct json *json_iter_value(void *iter);

struct json *json_new_object(void);
struct json *json_new_array(void);
struct json *json_new_string(const char *text);
struct json *json_new_bool(bool value);
struct json *json_new_null(void);
struct json *json_new_int(int64_t value);
struct json *json_new_real(double value);         /* null when it is no number */
struct json *json_copy(const struct json *json);  /* deep */
struct json *json_share(const struct json *json); /* one more reference */
void json_set(struct json *object, const char *key,
	      struct json *take);                       /* takes value; replaces any case */
void json_remove(struct json *object, const char *key); /* any case */
void json_append(struct json *array, struct json *take);

enum json_style {
	JSON_STYLE_COMPACT, /* {"a":1} */
	JSON_STYLE_INDENT, /* four spaces, no final newline; <, >, & escaped, as the reference prints */
	JSON_STYLE_SORTED, /* the same with keys in alphabetical order (results of 1.0.0 and later) */
	JSON_STYLE_COMPACT_SORTED, /* {"a":1}, keys in alphabetical order; <, >, & escaped */
	JSON_STYLE_INDENT_ONE,     /* as JSON_STYLE_INDENT with one space */
};
char *json_text(const struct json *json, enum json_style style, struct arena *arena);

/* ---- tables ---- */
/* Decode an object into out (already holding the defaults). Strings and lists go to the arena; FIELD_JSON
 * members borrow from json. First error only: code 6 for a wrong type, 7 for a wrong value, message with path. */
int json_decode(const struct json *json, const struct field *fields, void *out, struct arena *arena,
		struct error *err) must_check;
/* The same for lint, with several tables for one document (common keys, the plugin's, its IPAM's): every error goes to
 * report, and every key that is in none of the tables (with the nearest known one) or deprecated, as a warning.
 * -EINVAL when there was an error; warnings alone give 0. At most 16 tables. */
typedef void json_report_fn(void *arg, bool is_error, const char *text);
int json_check(const struct json *json, const struct field *const *tables, size_t n_tables,
	       void *const *outs, struct arena *arena, json_report_fn *report,
	       void *arg) must_check;
/* As json_decode(), for objects whose makers know no other case and no other keys (Kubernetes): every error goes to
 * report, and a key that is not written exactly as in the table is one. */
int json_decode_strict(const struct json *json, const struct field *fields, void *out,
		       struct arena *arena, json_report_fn *report, void *arg) must_check;
/* Encode the struct; members that are empty are left out unless FIELD_KEEP_EMPTY. Never fails. */
struct json *json_encode(const struct field *fields, const void *in);
struct json *json_encode_member(const struct field *field,
				const void *in); /* one row's value, empty or not */
/* The members of an object that the table has, and theirs, into the object out; as they are, whatever their type. */
void json_project(const struct json *json, const struct field *fields, struct json *out);
/* JSON Schema (2020-12) of a table, with the defaults of the instance when one is given. */
struct json *json_schema(const struct field *fields, const void *defaults, const char *title);

#endif
