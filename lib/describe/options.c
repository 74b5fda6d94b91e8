/*
 * The command line into a struct by the field table: walks the words with scan.c, gives each value
 * to field_parse(), and says what is wrong in one line that names the word at fault.
 */
#include "describe/options.h"

#include <errno.h>
#include <stdio.h>

#include "base/text.h"
#include "describe/applet.h"
#include "describe/help_text.h"
#include "describe/scan.h"

#define ROWS_MAX 128

struct parse {
	const struct field *fields; /* may be NULL */
	void *out;
	struct arena *arena;
	struct error *err;
	bool given[ROWS_MAX]; /* by row: in the words read now */
	bool environment[ROWS_MAX];
};

char *option_name(const char *key, struct arena *arena)
{
	char name[OPTION_NAME_SIZE];

	return arena_strdup(arena, option_spell(key, name));
}

bool options_ask_help(const struct field *fields, int argc, char *const *argv)
{
	struct scan scan = { .fields = fields, .argc = argc, .argv = argv };
	enum scan_kind kind;

	while ((kind = scan_next(&scan)) != SCAN_END)
		if (kind == SCAN_HELP)
			return true;
	return false;
}

/* How the user names the row: --mtu, or TARGET for an argument. */
static const char *row_name(const struct field *field, struct arena *arena)
{
	if (field->flags & FIELD_POSITIONAL)
		return field_metavar(field, arena);
	return arena_printf(arena, "--%s", option_name(field->key, arena));
}

static int unknown_option(const struct parse *parse, const char *word)
{
	char *name = arena_printf(parse->arena, "%.*s", (int)strcspn(word, "="), word);
	const char *names[2 * ROWS_MAX] = { "--help" }, *nearest = NULL;
	size_t n = 1;

	for (const struct field *field = parse->fields; field && field->type; field++) {
		const char *spelt = option_name(field->key, parse->arena);

		if (!field_is_option(field) || (field->flags & FIELD_HIDDEN) ||
		    n + 2 > ARRAY_SIZE(names))
			continue;
		names[n++] = arena_printf(parse->arena, "--%s", spelt);
		if (field->type == FIELD_BOOL)
			names[n++] = arena_printf(parse->arena, "--no-%s", spelt);
	}
	if (name[1] == '-')
		nearest = nearest_word(name, names, n);
	if (nearest)
		return fail(parse->err, USAGE_ERROR, "unknown option \"%s\"; did you mean \"%s\"?",
			    name, nearest);
	return fail(parse->err, USAGE_ERROR, "unknown option \"%s\"", name);
}

/* The value's own error, with the row's name (or another origin) in front, as a usage error. */
static int bad_value(const struct parse *parse, const char *origin)
{
	wrap(parse->err, "%s", origin);
	if (parse->err) {
		parse->err->errnum = USAGE_ERROR;
		parse->err->code = 0;
	}
	return -USAGE_ERROR;
}

/* A list that the user gives replaces the one before it (default, environment), and never grows a
 * constant. */
static void start_row(struct parse *parse, const struct field *field)
{
	size_t i = (size_t)(field - parse->fields);

	if (i >= ROWS_MAX || parse->given[i])
		return;
	parse->given[i] = true;
	if (field->type == FIELD_LIST)
		*(struct list *)((char *)parse->out + field->offset) = (struct list){ 0 };
}

/* Manifests name variables that need not be set: --public-ip=$(PUBLIC_IP). */
static bool is_nothing(const struct field *field, const char *value)
{
	return !*value && (field->flags & FIELD_ONE_DASH) &&
	       (field->type == FIELD_IP || field->type == FIELD_LIST);
}

static int set_row(struct parse *parse, const struct field *field, const char *value)
{
	start_row(parse, field);
	if (is_nothing(field, value)) {
		if (field->type == FIELD_IP)
			*(struct ip *)((char *)parse->out + field->offset) = (struct ip){ 0 };
		return 0;
	}
	if (!*value && field->type == FIELD_PATH && !(field->flags & FIELD_ONE_DASH))
		return fail(parse->err, EINVAL, "\"\" is not %s", field_type_text(field));
	if (field->seen)
		*((bool *)parse->out + field->seen - 1) = true;
	return field_parse(field, value, parse->out, parse->arena, parse->err);
}

/* Words separated by commas fill a list; an empty variable counts as not set. */
static int read_variable(struct parse *parse, const struct field *field)
{
	const char *value = field->env ? getenv(field->env) : NULL;
	bool in_words = field->type == FIELD_LIST && !(field->flags & FIELD_ONE_WORD);
	char *words, *word;
	int r = 0;

	if (!value || !*value)
		return 0;
	words = arena_strdup(parse->arena, value);
	if (!in_words)
		r = set_row(parse, field, value);
	while (in_words && r >= 0 && (word = strsep(&words, ",")))
		r = *word ? set_row(parse, field, word) : 0;
	return r < 0 ? bad_value(parse, arena_printf(parse->arena, "$%s", field->env)) : 0;
}

static int step(struct parse *parse, const struct scan *scan, enum scan_kind kind)
{
	const struct field *field = scan->field;
	struct error *err = parse->err;
	int r;

	switch (kind) {
	case SCAN_OPTION:
	case SCAN_ARGUMENT:
		r = set_row(parse, field,
			    scan->value     ? scan->value
			    : scan->negated ? "false"
					    : "true");
		return r < 0 ? bad_value(parse, row_name(field, parse->arena)) : 0;
	case SCAN_UNKNOWN: return unknown_option(parse, scan->word);
	case SCAN_NO_VALUE:
		return fail(err, USAGE_ERROR, "option \"%s\" needs a value: %s=%s", scan->word,
			    row_name(field, parse->arena), field_metavar(field, parse->arena));
	case SCAN_EXTRA: return fail(err, USAGE_ERROR, "unexpected argument \"%s\"", scan->word);
	case SCAN_HELP: /* main asks first; whoever does not gets past it */
	case SCAN_END: break;
	}
	return 0;
}

static int check_required(const struct parse *parse)
{
	for (const struct field *field = parse->fields; field && field->type; field++) {
		size_t i = (size_t)(field - parse->fields);

		if (!(field->flags & FIELD_REQUIRED) || i >= ROWS_MAX || parse->given[i] ||
		    parse->environment[i])
			continue;
		return fail(parse->err, USAGE_ERROR, "missing %s %s",
			    field->flags & FIELD_POSITIONAL ? "argument" : "option",
			    row_name(field, parse->arena));
	}
	return 0;
}

int options_parse(const struct field *fields, int argc, char *const *argv, void *out,
		  struct arena *arena, struct error *err)
{
	struct parse parse = { .fields = fields, .out = out, .arena = arena, .err = err };
	struct scan scan = { .fields = fields, .argc = argc, .argv = argv };
	enum scan_kind kind;
	int r = 0;

	for (const struct field *field = fields; field && field->type && r >= 0; field++)
		r = read_variable(&parse, field);
	if (r < 0)
		return r;
	memcpy(parse.environment, parse.given, sizeof(parse.given));
	memset(parse.given, 0, sizeof(parse.given));
	while ((kind = scan_next(&scan)) != SCAN_END) {
		r = step(&parse, &scan, kind);
		if (r < 0)
			return r;
	}
	return check_required(&parse);
}
