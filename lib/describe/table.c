/*
 * Records as aligned columns for people, or as JSON for programs, from the same field table. Where a terminal is narrower than the
 * columns, cells break at blanks, or the columns that have no room go on in the next line, indented, and so do their headings:
 * whatever takes fewer lines.
 */
#include "describe/table.h"

#include <ctype.h>

#include "base/terminal.h"
#include "base/text.h"
#include "describe/json.h"
#include "describe/scan.h"

#define COLUMNS_MAX 32

#define GAP    2 /* blanks between columns */
#define INDENT 4 /* before the later lines of a row */

struct column {
	const struct field *field;
	char heading[OPTION_NAME_SIZE];
	size_t width;
	size_t word; /* the longest: it can be no narrower */
	bool breaks; /* it begins a line of its own */
};

/* Cells lie row by row, with the headings before them. */
struct grid {
	struct column columns[COLUMNS_MAX];
	size_t n_columns, n_rows;
	char **cells;
};

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
		*column = (struct column){ .field = field };
		option_spell(field->metavar ? field->metavar : field->key, column->heading);
		for (char *p = column->heading; *p; p++)
			*p = *p == '-' ? ' ' : (char)toupper((unsigned char)*p);
		n++;
	}
	return n;
}

static void measure(struct column *column, const char *cell)
{
	size_t width = text_columns(cell, strlen(cell));

	if (width > column->width)
		column->width = width;
	while (*cell) {
		size_t size = strcspn(cell, " ");

		width = text_columns(cell, size);
		if (width > column->word)
			column->word = width;
		cell += size + strspn(cell + size, " ");
	}
}

static void fill(struct grid *grid, const char *records, size_t size, struct arena *arena)
{
	grid->cells = arena_alloc(arena, grid->n_rows * grid->n_columns * sizeof(*grid->cells));
	for (size_t i = 0; i < grid->n_rows * grid->n_columns; i++) {
		size_t row = i / grid->n_columns;
		struct column *column = &grid->columns[i % grid->n_columns];

		grid->cells[i] = row ? cell_text(column->field, records + (row - 1) * size, arena)
				     : column->heading;
		measure(column, grid->cells[i]);
	}
}

/* ---- whether it fits ---- */

/* Take from the widest column that can give, until the terminal has room. */
static bool squeeze(struct grid *grid, size_t room)
{
	size_t width = GAP * (grid->n_columns - 1);

	for (size_t i = 0; i < grid->n_columns; i++)
		width += grid->columns[i].width;
	for (; width > room; width--) {
		struct column *widest = NULL;

		for (size_t i = 0; i < grid->n_columns; i++) {
			struct column *column = &grid->columns[i];

			if (column->width > column->word &&
			    (!widest || column->width > widest->width))
				widest = column;
		}
		if (!widest)
			return false;
		widest->width--;
	}
	return true;
}

static size_t count_lines(const char *cell, size_t width)
{
	size_t n = 0;

	do {
		text_line(&cell, width);
		n++;
	} while (*cell);
	return n;
}

static size_t row_lines(const struct grid *grid, char *const *cells)
{
	size_t lines = 0, most = 0;

	for (size_t i = 0; i < grid->n_columns; i++) {
		const struct column *column = &grid->columns[i];
		size_t n = count_lines(cells[i], column->width);

		lines += column->breaks ? most : 0;
		most = column->breaks || n > most ? n : most;
	}
	return lines + most;
}

static size_t grid_lines(const struct grid *grid)
{
	size_t lines = 0;

	for (size_t row = 0; row < grid->n_rows; row++)
		lines += row_lines(grid, &grid->cells[row * grid->n_columns]);
	return lines;
}

static void fold(struct grid *grid, size_t room)
{
	size_t used = 0, most = room > INDENT ? room - INDENT : 0;

	for (size_t i = 0; i < grid->n_columns; i++) {
		struct column *column = &grid->columns[i];

		if (column->width > most)
			column->width = column->word > most ? column->word : most;
		column->breaks = i && used + GAP + column->width > room;
		used = column->width + (column->breaks ? INDENT : i ? used + GAP : 0);
	}
}

static void lay_out(struct grid *grid, size_t room)
{
	struct grid folded = *grid;

	if (!room)
		return;
	fold(&folded, room);
	if (!squeeze(grid, room) || grid_lines(grid) > grid_lines(&folded))
		*grid = folded;
}

/* ---- printing ---- */

/* Nothing is padded at the end: no white space there. */
static void print_part(FILE *out, size_t indent, const struct column *columns, size_t n,
		       char *const *cells)
{
	const char *rest[COLUMNS_MAX];
	bool more;

	memcpy(rest, cells, n * sizeof(*rest));
	do {
		size_t blanks = indent;

		more = false;
		for (size_t i = 0; i < n; i++) {
			const char *text = rest[i];
			size_t size = text_line(&rest[i], columns[i].width);

			if (size) {
				fprintf(out, "%*s%.*s", (int)blanks, "", (int)size, text);
				blanks = 0;
			}
			blanks += columns[i].width + GAP - text_columns(text, size);
			more |= *rest[i] != '\0';
		}
		fputc('\n', out);
	} while (more);
}

static void print_row(FILE *out, const struct grid *grid, char *const *cells)
{
	for (size_t i = 0, end; i < grid->n_columns; i = end) {
		for (end = i + 1; end < grid->n_columns && !grid->columns[end].breaks; end++)
			;
		print_part(out, i ? INDENT : 0, &grid->columns[i], end - i, &cells[i]);
	}
}

void table_print_under(FILE *out, const struct field *fields, const void *records, size_t n,
		       size_t size, table_under_fn *under, void *arg)
{
	auto_arena struct arena arena = { 0 };
	struct grid grid = { .n_rows = n + 1 };

	grid.n_columns = make_columns(fields, grid.columns);
	if (!n || !grid.n_columns)
		return;
	fill(&grid, records, size, &arena);
	lay_out(&grid, terminal_columns(out));
	for (size_t row = 0; row < grid.n_rows; row++) {
		print_row(out, &grid, &grid.cells[row * grid.n_columns]);
		if (row && under)
			under(arg, row - 1, out);
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
