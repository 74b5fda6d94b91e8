/*
 * Lint of a document against several tables at once: all errors, and the keys that no table knows.
 * A runtime must accept unknown keys (CNI specification), so that this is the only place that finds
 * a misspelt one.
 */
#include "describe/jansson.h"

#include <errno.h>
#include <stdio.h>

#include "base/text.h"
#include "describe/json_decode.h"
#include "describe/path.h"

#define ROWS_MAX 16  /* rows of one key in different tables */
#define KEYS_MAX 512 /* candidates for the nearest key */

struct walk {
	json_report_fn *report;
	void *arg;
	const struct field *roots; /* rows of the whole document */
	size_t n_roots;
};

static void walk_value(const struct walk *walk, const struct path *path, const struct field *rows,
		       size_t n, const json_t *value);

static const char *nearest_key(const struct field *rows, size_t n, const char *key)
{
	const char *keys[KEYS_MAX];
	size_t n_keys = 0;

	for (size_t i = 0; i < n; i++)
		for (const struct field *field = rows[i].fields; field->type && n_keys < KEYS_MAX;
		     field++)
			if (!(field->flags & FIELD_HIDDEN))
				keys[n_keys++] = field->key;
	return nearest_word(key, keys, n_keys);
}

static bool rows_have(const struct field *rows, size_t n, const char *key)
{
	for (size_t i = 0; i < n; i++)
		if (field_find(rows[i].fields, key))
			return true;
	return false;
}

/* In one of the tables: nobody is to write it. */
static bool is_hidden(const struct field *rows, size_t n, const char *key)
{
	for (size_t i = 0; i < n; i++) {
		const struct field *row = field_find(rows[i].fields, key);

		if (row && row->flags & FIELD_HIDDEN)
			return true;
	}
	return false;
}

/* The object of these rows that has the key: it was written one level too high. */
static const char *lower_place(const struct field *rows, size_t n, const char *key)
{
	for (size_t i = 0; i < n; i++)
		for (const struct field *row = rows[i].fields; row->type; row++)
			if (row->type == FIELD_OBJECT && field_find(row->fields, key) &&
			    !is_hidden(rows, n, row->key))
				return row->key;
	return NULL;
}

static void warn_unknown(const struct walk *walk, const struct path *path, const struct field *rows,
			 size_t n)
{
	char where[PATH_TEXT_SIZE], text[2 * PATH_TEXT_SIZE + 128];
	const char *nearest = nearest_key(rows, n, path->key),
		   *lower = lower_place(rows, n, path->key);
	const struct path *top = path;

	while (top->parent)
		top = top->parent;
	path_text(path, where);
	if (lower)
		snprintf(text, sizeof(text), "%s: unknown key; did you mean \"%s.%s\"?", where,
			 lower, path->key);
	else if (top != path && rows_have(walk->roots, walk->n_roots, path->key))
		snprintf(text, sizeof(text), "%s: unknown key; it belongs beside \"%s\"", where,
			 top->key);
	else if (nearest)
		snprintf(text, sizeof(text), "%s: unknown key; did you mean \"%s\"?", where,
			 nearest);
	else
		snprintf(text, sizeof(text), "%s: unknown key", where);
	walk->report(walk->arg, false, text);
}

static void warn_deprecated(const struct walk *walk, const struct path *path,
			    const struct field *field)
{
	char where[PATH_TEXT_SIZE], text[PATH_TEXT_SIZE + 256];

	snprintf(text, sizeof(text), "%s: deprecated: %s", path_text(path, where),
		 field->help ? field->help : "");
	walk->report(walk->arg, false, text);
}

/* Below an object, the rows of all tables that know the key are followed together. */
static void walk_object(const struct walk *walk, const struct path *path, const struct field *rows,
			size_t n, const json_t *object)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)object, key, value)
	{
		struct path node = { .parent = path, .key = key };
		struct field found[ROWS_MAX];
		size_t n_found = 0;

		for (size_t i = 0; i < n; i++) {
			const struct field *field = field_find(rows[i].fields, key);

			if (field && n_found < ROWS_MAX)
				found[n_found++] = *field;
		}
		if (!n_found)
			warn_unknown(walk, &node, rows, n);
		else if (found[0].flags & FIELD_DEPRECATED)
			warn_deprecated(walk, &node, &found[0]);
		walk_value(walk, &node, found, n_found, value);
	}
}

static void walk_list(const struct walk *walk, const struct path *path, const struct field *rows,
		      size_t n, const json_t *list)
{
	struct field elements[ROWS_MAX];

	for (size_t i = 0; i < n; i++)
		elements[i] = field_element(&rows[i]);
	for (size_t i = 0; i < json_array_size(list); i++) {
		struct path node = { .parent = path, .index = i };

		walk_value(walk, &node, elements, n, json_array_get(list, i));
	}
}

static void walk_value(const struct walk *walk, const struct path *path, const struct field *rows,
		       size_t n, const json_t *value)
{
	enum field_type want = json_type_of(value) == JSON_OBJECT ? FIELD_OBJECT : FIELD_LIST;
	struct field fit[ROWS_MAX];
	size_t n_fit = 0;

	if (json_type_of(value) != JSON_OBJECT && json_type_of(value) != JSON_ARRAY)
		return;
	for (size_t i = 0; i < n; i++) {
		if (rows[i].type == FIELD_JSON) /* any content is fine there */
			return;
		if (rows[i].type == want)
			fit[n_fit++] = rows[i];
	}
	if (n_fit && want == FIELD_OBJECT)
		walk_object(walk, path, fit, n_fit, value);
	else if (n_fit)
		walk_list(walk, path, fit, n_fit, value);
}

int json_check(const struct json *json, const struct field *const *tables, size_t n_tables,
	       void *const *outs, struct arena *arena, json_report_fn *report, void *arg)
{
	struct decode decode = { .arena = arena, .report = report, .arg = arg };
	struct field rows[ROWS_MAX];
	struct walk walk = { .report = report, .arg = arg, .roots = rows, .n_roots = n_tables };

	if (n_tables > ROWS_MAX)
		return -E2BIG;
	for (size_t i = 0; i < n_tables; i++) {
		int r = decode_document(&decode, json, tables[i], outs[i]);

		if (r < 0)
			return r;
		if (!json_is_object(json))
			return -EINVAL;
		rows[i] = (struct field){ .type = FIELD_OBJECT, .fields = tables[i] };
	}
	walk_value(&walk, NULL, rows, n_tables, json_inside(json));
	return decode.failed ? -EINVAL : 0;
}
