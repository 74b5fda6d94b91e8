/*
 * Help on a terminal: the list of applets, and what one applet, verb or CNI plugin takes.
 * Everything that can be told from a descriptor is told from it; no other text on options exists.
 */
#include "describe/help.h"

#include "base/terminal.h"
#include "describe/help_text.h"
#include "describe/json.h"
#include "describe/scan.h"

#define WIDTH      90 /* where there is no terminal to ask */
#define WIDTH_MIN  60
#define WIDTH_MAX  100
#define COLUMN_MAX 30 /* a left column that is longer gets a line of its own */

struct printer {
	FILE *out;
	struct arena *arena;
	int width;
	int column;   /* where the right column begins */
	bool measure; /* first pass: find the column */
};

/* Columns of the terminal, within what is pleasant to read. */
static int terminal_width(FILE *out)
{
	size_t columns = terminal_columns(out);

	if (!columns)
		return WIDTH;
	return columns < WIDTH_MIN ? WIDTH_MIN : columns > WIDTH_MAX ? WIDTH_MAX : (int)columns - 1;
}

/* ---- two columns ---- */

static void row(struct printer *printer, const char *left, const char *right)
{
	int len = 2 + (int)strlen(left);

	if (printer->measure) {
		if (len + 2 > printer->column && len + 2 <= COLUMN_MAX)
			printer->column = len + 2;
		return;
	}
	fprintf(printer->out, "  %s", left);
	if (!*right) {
		fputc('\n', printer->out);
		return;
	}
	if (len + 2 > printer->column)
		fprintf(printer->out, "\n%*s", printer->column, "");
	else
		fprintf(printer->out, "%*s", printer->column - len, "");
	print_wrapped(printer->out, right, printer->column, printer->column, printer->width);
}

/* Run fn twice over the same rows, so that the column is known when they are printed. */
#define two_passes(printer, call)           \
	do {                                \
		(printer)->column = 8;      \
		(printer)->measure = true;  \
		call;                       \
		(printer)->measure = false; \
		call;                       \
	} while (0)

/* ---- lists ---- */

static const char *const kind_titles[] = {
	[APPLET_CNI] = "CNI plugins",
	[APPLET_NODE] = "node agents",
	[APPLET_TOOL] = "tools",
};

static void list_rows(struct printer *printer, const struct applet_entry *entries, size_t n,
		      enum applet_kind kind)
{
	for (size_t i = 0; i < n; i++)
		if (entries[i].kind == kind)
			row(printer, entries[i].name, entries[i].applet->summary);
}

static size_t count_kind(const struct applet_entry *entries, size_t n, enum applet_kind kind)
{
	size_t count = 0;

	for (size_t i = 0; i < n; i++)
		count += entries[i].kind == kind;
	return count;
}

void help_list(FILE *out, const struct applet_entry *entries, size_t n)
{
	struct printer printer = {
		.out = out, .width = terminal_width(out), .column = 8, .measure = true
	};
	bool first = true;

	for (enum applet_kind kind = APPLET_CNI; kind <= APPLET_TOOL; kind++)
		list_rows(&printer, entries, n, kind);
	printer.measure = false;
	for (enum applet_kind kind = APPLET_CNI; kind <= APPLET_TOOL; kind++) {
		if (!count_kind(entries, n, kind))
			continue;
		fprintf(out, "%s%s:\n", first ? "" : "\n", kind_titles[kind]);
		list_rows(&printer, entries, n, kind);
		first = false;
	}
}

/* ---- one applet ---- */

/* Paragraphs, wrapped; lines that begin with a space stay as they are. */
static void print_text(struct printer *printer, const char *text)
{
	while (text && *text) {
		const char *end = strstr(text, "\n\n");
		size_t size = end ? (size_t)(end - text) : strlen(text);
		char *paragraph = arena_memdup(printer->arena, text, size);

		if (*text == ' ') {
			fprintf(printer->out, "%s\n", paragraph);
		} else {
			for (char *p = paragraph; *p; p++)
				*p = *p == '\n' ? ' ' : *p;
			print_wrapped(printer->out, paragraph, 0, 0, printer->width);
		}
		fputc('\n', printer->out);
		text = end ? end + 2 : NULL;
	}
}

static void print_example(struct printer *printer, const char *example)
{
	const char *line = example, *end;

	if (!example)
		return;
	fprintf(printer->out, "\nexamples:\n");
	for (; *line; line = *end ? end + 1 : end) {
		end = line + strcspn(line, "\n");
		fprintf(printer->out, "%s%.*s\n", end > line ? "  " : "", (int)(end - line), line);
	}
}

static void argument_rows(struct printer *printer, const struct verb *verb)
{
	for (const struct field *field = verb->fields; field && field->type; field++)
		if ((field->flags & FIELD_POSITIONAL) && !(field->flags & FIELD_HIDDEN))
			row(printer, field_metavar(field, printer->arena),
			    field_notes(field, verb->defaults, true, printer->arena));
}

static void option_rows(struct printer *printer, const struct verb *verb)
{
	for (const struct field *field = verb->fields; field && field->type; field++)
		if (field_is_option(field) && !(field->flags & FIELD_HIDDEN))
			row(printer, option_forms(field, verb->defaults, printer->arena),
			    field_notes(field, verb->defaults, true, printer->arena));
	row(printer, "-h, --help", "show this text");
}

static bool has_arguments(const struct verb *verb)
{
	for (const struct field *field = verb->fields; field && field->type; field++)
		if ((field->flags & FIELD_POSITIONAL) && !(field->flags & FIELD_HIDDEN))
			return true;
	return false;
}

static void print_options(struct printer *printer, const struct verb *verb)
{
	if (has_arguments(verb)) {
		fprintf(printer->out, "arguments:\n");
		two_passes(printer, argument_rows(printer, verb));
		fputc('\n', printer->out);
	}
	fprintf(printer->out, "options:\n");
	two_passes(printer, option_rows(printer, verb));
}

static void verb_rows(struct printer *printer, const struct applet *applet)
{
	for (const struct verb *verb = applet->verbs; verb->name; verb++)
		row(printer, usage_text(verb->name, verb->fields, printer->arena), verb->summary);
}

static void print_verbs(struct printer *printer, const struct applet_entry *entry)
{
	fprintf(printer->out, "verbs:\n");
	two_passes(printer, verb_rows(printer, entry->applet));
	fprintf(printer->out, "\n`cnibox help %s VERB` tells the options of one.\n", entry->name);
}

static void help_verbs(struct printer *printer, const struct applet_entry *entry)
{
	fprintf(printer->out, "usage: cnibox %s VERB [WORD...]\n\n%s\n\n", entry->name,
		entry->applet->summary);
	print_text(printer, entry->applet->about);
	print_verbs(printer, entry);
	print_example(printer, entry->applet->example);
}

static void help_verb(struct printer *printer, const struct applet_entry *entry,
		      const struct verb *verb)
{
	bool alone = verb == entry->applet->run;
	const char *name =
		alone ? arena_printf(printer->arena, "cnibox %s", entry->name)
		      : arena_printf(printer->arena, "cnibox %s %s", entry->name, verb->name);

	fprintf(printer->out, "usage: %s\n\n%s\n\n", usage_text(name, verb->fields, printer->arena),
		alone ? entry->applet->summary : verb->summary);
	if (alone)
		print_text(printer, entry->applet->about);
	print_options(printer, verb);
	if (alone)
		print_example(printer, entry->applet->example);
}

static void key_row(void *arg, const char *path, const struct field *field, const void *defaults)
{
	struct printer *printer = arg;
	const char *notes = field_notes(field, defaults, false, printer->arena);

	row(printer, path,
	    arena_printf(printer->arena, "%s%s%s", field_type_name(field, printer->arena),
			 *notes ? ": " : "", notes));
}

static void help_plugin(struct printer *printer, const struct applet_entry *entry,
			const struct plugin_text *plugin)
{
	fprintf(printer->out, "%s (CNI plugin): %s\n\n", entry->name, entry->applet->summary);
	print_text(printer, entry->applet->about);
	print_wrapped(
		printer->out,
		"A runtime calls it with CNI_COMMAND, CNI_CONTAINERID, CNI_NETNS, CNI_IFNAME and "
		"CNI_PATH in its environment and the configuration on standard input.",
		0, 0, printer->width);
	if (plugin->fields && plugin->fields->type) {
		fprintf(printer->out, "\nconfiguration keys, besides cniVersion, name and type:\n");
		two_passes(printer, rows_walk(plugin->fields, plugin->defaults, "", printer->arena,
					      key_row, printer));
	}
	if (plugin->versions)
		fprintf(printer->out, "\nCNI versions: %s\n", plugin->versions);
	if (entry->applet->verbs) {
		fputc('\n', printer->out);
		print_verbs(printer, entry);
	}
	print_example(printer, entry->applet->example);
}

void help_applet(FILE *out, const struct applet_entry *entry, const struct verb *verb,
		 const struct plugin_text *plugin)
{
	auto_arena struct arena arena = { 0 };
	struct printer printer = { .out = out, .arena = &arena, .width = terminal_width(out) };

	if (plugin && !verb)
		help_plugin(&printer, entry, plugin);
	else if (verb || entry->applet->run)
		help_verb(&printer, entry, verb ? verb : entry->applet->run);
	else
		help_verbs(&printer, entry);
}

/* ---- JSON Schema ---- */

/* Each verb's options, under $defs. */
static void add_verbs(struct json *schema, const struct applet_entry *entry)
{
	struct json *verbs = json_new_object();
	static const struct field none = FIELDS_END;

	for (const struct verb *verb = entry->applet->verbs; verb->name; verb++)
		json_set(verbs, verb->name,
			 json_schema(verb->fields ? verb->fields : &none, verb->defaults,
				     verb->summary));
	json_set(schema, "$defs", verbs);
}

void help_schema(FILE *out, const struct applet_entry *entry, const struct plugin_text *plugin)
{
	static const struct field none = FIELDS_END;
	const struct verb *run = entry->applet->run;
	auto_arena struct arena arena = { 0 };
	auto_json struct json *schema = NULL;

	if (plugin)
		schema = json_schema(plugin->fields ? plugin->fields : &none, plugin->defaults,
				     entry->name);
	else if (run)
		schema = json_schema(run->fields ? run->fields : &none, run->defaults, entry->name);
	else
		json_set(schema = json_new_object(), "title", json_new_string(entry->name));
	if (entry->applet->verbs)
		add_verbs(schema, entry);
	fprintf(out, "%s\n", json_text(schema, JSON_STYLE_INDENT, &arena));
}
