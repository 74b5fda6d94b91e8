/* Records as aligned columns for people, or as JSON for programs, from the same field table. */
#include "describe/table.h"

#include <ctype.h>

#include "base/text.h"
#include "describe/json.h"
#include "describe/scan.h"

#define COLUMNS_MAX 32

struct column {
	const struct field *field;
	char heading[OPTION_NAME_SIZE];
	size_t width;
};

/* Columns on the terminal: continuation bytes of UTF-8 take none. */
static size_t text_width(const char *text)
{
	size_t width = 0;

	for (; *text; text++)
		width += ((unsigned char)*text & 0xc0) != 0x80;
	return width;
}

/* Absent is "-". Control characters could move the cursor of whoever looks: a process names itself.
 */
static char *cell_text(const struct field *field, const void *record, struct arena *arena)
{
	bool empty = field_empty(field, record) && !(field->flags & FIELD_KEEP_EMPTY);
	char *text = empty ? NULL : field_text(field, record, arena);

	if (!text || !*text)
		return arena_strdup(arena, "-");
	text_mask(text);
	return text;
}

static size_t make_columns(const struct field *fields, struct column *columns)
{
	size_t n = 0;

	for (const struct field *field = fields; field->type && n < COLUMNS_MAX; field++) {
		struct column *column = &columns[n];

		if (field->flags & FIELD_HIDDEN)
			continue;
		column->field = field;
		option_spell(field->metavar ? field->metavar : field->key, column->heading);
		for (char *p = column->heading; *p; p++)
			*p = *p == '-' ? ' ' : (char)toupper((unsigned char)*p);
		column->width = text_width(column->heading);
		n++;
	}
	return n;
}

/* The last column is not padded: no white space at the end of a line. */
static void print_cell(FILE *out, const char *text, size_t width, bool last)
{
	size_t len = text_width(text);

	fputs(text, out);
	if (last)
		fputc('\n', out);
	else
		fprintf(out, "%*s", (int)(width > len ? width - len : 0) + 2, "");
}

void table_print_under(FILE *out, const struct field *fields, const void *records_, size_t n,
		       size_t size, table_under_fn *under, void *arg)
{
	const char *records = records_;
	auto_arena struct arena arena = { 0 };
	struct column columns[COLUMNS_MAX];
	size_t n_columns = make_columns(fields, columns);
	char **cells;

	if (!n || !n_columns)
		return;
	cells = arena_alloc(&arena, n * n_columns * sizeof(*cells));
	for (size_t i = 0; i < n * n_columns; i++) {
		struct column *column = &columns[i % n_columns];
		size_t len;

		cells[i] = cell_text(column->field, records + i / n_columns * size, &arena);
		len = text_width(cells[i]);
		column->width = len > column->width ? len : column->width;
	}
	for (size_t i = 0; i < n_columns; i++)
		print_cell(out, columns[i].heading, columns[i].width, i == n_columns - 1);
	for (size_t i = 0; i < n * n_columns; i++) {
		bool last = i % n_columns == n_columns - 1;

		print_cell(out, cells[i], columns[i % n_columns].width, last);
		if (last && under)
			under(arg, i / n_columns, out);
	}
}

void table_print(FILE *out, const struct field *fields, const void *records, size_t n, size_t size,
		 bool as_json)
{
	auto_arena struct arena arena = { 0 };
	auto_json struct json *array = NULL;

	if (!as_json) {
		table_print_under(out, fields, records, n, size, NULL, NULL);
		return;
	}
	array = json_new_array();
	for (size_t i = 0; i < n; i++)
		json_append(array, json_encode(fields, (const char *)records + i * size));
	fprintf(out, "%s\n", json_text(array, JSON_STYLE_INDENT, &arena));
}
