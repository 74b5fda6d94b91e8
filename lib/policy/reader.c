/* What the readers of all kinds of objects share: what is said of one, its JSON decoded, labels. See object.h. */
#include <stdarg.h>
#include <stdio.h>

#include "base/text.h"
#include "describe/path.h"
#include "policy/name.h"
#include "policy/object.h"

#define TEXT_SIZE 1024

/* ---- what is said ---- */

static void say(struct reader *reader, bool is_error, const struct path *path, const char *format,
		va_list args)
{
	char where[PATH_TEXT_SIZE], text[TEXT_SIZE];
	size_t len = 0;

	if (*path_text(path, where))
		len = (size_t)snprintf(text, sizeof(text), "%s: ", where);
	vsnprintf(text + len, sizeof(text) - len, format, args);
	reader->failed |= is_error;
	text_mask(text);
	reader->report(reader->arg, is_error, reader->object, text);
}

void reader_complain(struct reader *reader, const struct path *path, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(reader, true, path, format, args);
	va_end(args);
}

void reader_warn(struct reader *reader, const struct path *path, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(reader, false, path, format, args);
	va_end(args);
}

static void report_json(void *arg, bool is_error, const char *text)
{
	struct reader *reader = arg;
	char masked[TEXT_SIZE], where[PATH_TEXT_SIZE];

	path_text(reader->base, where);
	snprintf(masked, sizeof(masked), "%s%s%s", where, *where ? "." : "", text);
	text_mask(masked);
	reader->failed |= is_error;
	reader->report(reader->arg, is_error, reader->object, masked);
}

/* ---- decoding ---- */

bool reader_decode(struct reader *reader, const struct json *json, const struct field *fields,
		   void *out, struct arena *arena)
{
	struct error err = { 0 };

	if (json_decode(json, fields, out, arena, &err) >= 0)
		return true;
	report_json(reader, true, err.message);
	return false;
}

bool reader_decode_strict(struct reader *reader, const struct json *json,
			  const struct field *fields, void *out, struct arena *arena)
{
	return json_decode_strict(json, fields, out, arena, report_json, reader) >= 0;
}

bool reader_decode_below(struct reader *reader, const struct path *path, const struct json *json,
			 const struct field *fields, void *out, struct arena *arena)
{
	bool right;

	reader->base = path;
	right = reader_decode_strict(reader, json, fields, out, arena);
	reader->base = NULL;
	return right;
}

/* ---- labels ---- */

/* null is "", as Go reads it into a string. */
static void read_label(struct reader *reader, const struct path *path, const char *key,
		       const struct json *json, labels_t *labels)
{
	struct path node = { .parent = path, .key = key };
	const char *value = json_is_null(json) ? "" : json_string(json);
	const char *wrong = name_wrong_label_key(key);
	struct label label;

	if (wrong) {
		reader_complain(reader, path, "\"%s\" %s", key, wrong);
		return;
	}
	if (!value) {
		reader_complain(reader, &node, "expected a string");
		return;
	}
	wrong = name_wrong_label_value(value);
	if (wrong) {
		reader_complain(reader, &node, "\"%s\" %s", value, wrong);
		return;
	}
	label = label_make(&reader->world->symbols, key, value);
	if (!label_find(labels, label.key))
		*list_add(reader->world->arena, labels) = label;
}

void reader_labels(struct reader *reader, const struct path *path, const struct json *json,
		   labels_t *labels)
{
	if (!json || json_is_null(json))
		return;
	if (!json_is_object(json)) {
		reader_complain(reader, path, "expected an object");
		return;
	}
	for (void *i = json_first(json); i; i = json_next(json, i))
		read_label(reader, path, json_iter_key(i), json_iter_value(i), labels);
}
