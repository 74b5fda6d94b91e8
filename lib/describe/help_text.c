/* Pieces of text about rows: see help_text.h. */
#include "describe/help_text.h"

#include <ctype.h>

#include "base/terminal.h"
#include "base/text.h"
#include "describe/scan.h"

static const char *upper_name(const char *key, struct arena *arena)
{
	char name[OPTION_NAME_SIZE];

	option_spell(key, name);
	for (char *p = name; *p; p++)
		*p = (char)toupper((unsigned char)*p);
	return arena_strdup(arena, name);
}

static char *enum_words(const struct field *field, const char *between, struct arena *arena)
{
	char *text = NULL;

	for (int i = 0; field->names[i]; i++)
		if (*field->names[i])
			text = text ? arena_printf(arena, "%s%s%s", text, between, field->names[i])
				    : arena_strdup(arena, field->names[i]);
	return text;
}

const char *field_metavar(const struct field *field, struct arena *arena)
{
	if (field->metavar)
		return field->metavar;
	if (field->flags & FIELD_POSITIONAL)
		return upper_name(field->key, arena);
	switch (field->type == FIELD_LIST ? field->element : field->type) {
	case FIELD_PATH: return has_suffix(field->key, "ir") ? "DIR" : "FILE"; /* confDir, dir */
	case FIELD_NETNS: return "NETNS";
	case FIELD_BOOL: return "yes|no";
	case FIELD_INT:
	case FIELD_UINT32:
	case FIELD_INT64:
	case FIELD_UINT64: return "N";
	case FIELD_PORT: return "PORT";
	case FIELD_IP: return "ADDRESS";
	case FIELD_CIDR: return "CIDR";
	case FIELD_MAC: return "MAC";
	case FIELD_IFNAME: return "INTERFACE";
	case FIELD_DURATION: return "TIME";
	case FIELD_ENUM: return enum_words(field, "|", arena);
	default: return upper_name(field->key, arena);
	}
}

/* clang-format off */
static const char *const type_names[][2] = {
	[FIELD_STRING]   = { "string", "strings" },
	[FIELD_PATH]     = { "path", "paths" },
	[FIELD_NETNS]    = { "namespace", "namespaces" },
	[FIELD_BOOL]     = { "boolean", "booleans" },
	[FIELD_INT]      = { "integer", "integers" },
	[FIELD_UINT32]   = { "integer", "integers" },
	[FIELD_INT64]    = { "integer", "integers" },
	[FIELD_UINT64]   = { "integer", "integers" },
	[FIELD_PORT]     = { "port", "ports" },
	[FIELD_ENUM]     = { "word", "words" },
	[FIELD_IP]       = { "IP address", "IP addresses" },
	[FIELD_CIDR]     = { "CIDR", "CIDRs" },
	[FIELD_MAC]      = { "MAC address", "MAC addresses" },
	[FIELD_IFNAME]   = { "interface name", "interface names" },
	[FIELD_DURATION] = { "duration", "durations" },
	[FIELD_OBJECT]   = { "object", "objects" },
	[FIELD_LIST]     = { "list", "lists" },
	[FIELD_JSON]     = { "any value", "any values" },
};
/* clang-format on */

static const char *type_name(const struct field *field, bool plural, struct arena *arena)
{
	struct field element;

	if (field->type == FIELD_JSON && field->flags & FIELD_ANY_OBJECT)
		return type_names[FIELD_OBJECT][plural];
	if (field->type != FIELD_LIST)
		return type_names[field->type][plural];
	element = field_element(field);
	return arena_printf(arena, "%s of %s", type_names[FIELD_LIST][plural],
			    type_name(&element, true, arena));
}

const char *field_type_name(const struct field *field, struct arena *arena)
{
	return type_name(field, false, arena);
}

/* The default as a person writes it; NULL when there is nothing to say. */
static const char *default_text(const struct field *field, const void *defaults,
				struct arena *arena)
{
	const char *text;

	if (!defaults || field->type == FIELD_OBJECT || field->type == FIELD_JSON)
		return NULL;
	if (field_empty(field, defaults) && field->type != FIELD_ENUM)
		return NULL;
	if (field->flags & FIELD_REQUIRED)
		return NULL;
	text = field_text(field, defaults, arena);
	return *text ? text : NULL;
}

/* Notes stand in parentheses behind the help. */
static void note(char **text, const char *words, struct arena *arena)
{
	*text = *text ? arena_printf(arena, "%s; %s", *text, words) : arena_strdup(arena, words);
}

char *field_notes(const struct field *field, const void *defaults, bool as_option,
		  struct arena *arena)
{
	struct field value = field->type == FIELD_LIST ? field_element(field) : *field;
	const char *help = field->help ? field->help : "", *text;
	char min[24], max[24], *notes = NULL;

	if (value.type == FIELD_ENUM && !as_option)
		note(&notes, enum_words(&value, ", ", arena), arena);
	if (field_is_number(value.type) && value.type != FIELD_PORT &&
	    field_range(&value, min, max))
		note(&notes,
		     arena_printf(arena, value.max < value.min ? "%s or more" : "%s..%s", min, max),
		     arena);
	text = default_text(field, defaults, arena);
	if (text)
		note(&notes, arena_printf(arena, "default %s", text), arena);
	if (field->env)
		note(&notes, arena_printf(arena, "or $%s", field->env), arena);
	if (as_option && field->type == FIELD_LIST && field_is_option(field))
		note(&notes, "repeatable", arena);
	if ((field->flags & FIELD_REQUIRED) && !(field->flags & FIELD_POSITIONAL))
		note(&notes, "required", arena);
	if (field->flags & FIELD_DEPRECATED)
		help = arena_printf(arena, "deprecated: %s", help);
	if (!notes)
		return arena_strdup(arena, help);
	return arena_printf(arena, "%s%s(%s)", help, *help ? " " : "", notes);
}

char *option_forms(const struct field *field, const void *defaults, struct arena *arena)
{
	bool on = field->type == FIELD_BOOL && defaults && !field_empty(field, defaults);
	bool value = field->type != FIELD_BOOL;
	char name[OPTION_NAME_SIZE], letter[8] = "    ";

	option_spell(field->key, name);
	if (field->letter)
		snprintf(letter, sizeof(letter), "-%c, ", field->letter);
	return arena_printf(arena, "%s--%s%s%s%s", letter, on ? "[no-]" : "", name,
			    value ? " " : "", value ? field_metavar(field, arena) : "");
}

static const char *argument_form(const struct field *field, struct arena *arena)
{
	bool required = field->flags & FIELD_REQUIRED, list = field->type == FIELD_LIST;
	const char *name = field_metavar(field, arena);

	if (field->flags & FIELD_RAW_REST)
		return arena_printf(arena, required ? "-- %s..." : "[-- %s...]", name);
	return arena_printf(arena, required ? "%s%s" : "[%s%s]", name, list ? "..." : "");
}

char *usage_text(const char *name, const struct field *fields, struct arena *arena)
{
	bool options = false;
	char *text;

	for (const struct field *field = fields; field && field->type; field++)
		options |= field_is_option(field) && !(field->flags & FIELD_HIDDEN);
	text = arena_printf(arena, options ? "%s [OPTION...]" : "%s", name);
	for (const struct field *field = fields; field && field->type; field++)
		if ((field->flags & FIELD_POSITIONAL) && !(field->flags & FIELD_HIDDEN))
			text = arena_printf(arena, "%s %s", text, argument_form(field, arena));
	return text;
}

void rows_walk(const struct field *fields, const void *defaults, const char *prefix,
	       struct arena *arena, row_fn *fn, void *arg)
{
	for (const struct field *field = fields; field && field->type; field++) {
		const char *path = arena_printf(arena, "%s%s", prefix, field->key);
		const void *inner = defaults ? (const char *)defaults + field->offset : NULL;
		struct field below = *field;

		if (field->flags & FIELD_HIDDEN)
			continue;
		if (field->type != FIELD_OBJECT || field->help)
			fn(arg, path, field, defaults);
		while (below.type == FIELD_LIST) {
			path = arena_printf(arena, "%s[]", path);
			below = field_element(&below);
			inner = NULL;
		}
		if (below.type == FIELD_OBJECT)
			rows_walk(below.fields, inner, arena_printf(arena, "%s.", path), arena, fn,
				  arg);
	}
}

void print_wrapped(FILE *out, const char *text, int column, int indent, int width)
{
	while (*text) {
		size_t size = strcspn(text, " ");
		int len = (int)text_columns(text, size);

		if (column > indent && column + 1 + len > width) {
			fprintf(out, "\n%*s", indent, "");
			column = indent;
		} else if (column > indent) {
			fputc(' ', out);
			column++;
		}
		fprintf(out, "%.*s", (int)size, text);
		column += len;
		text += size;
		text += strspn(text, " ");
	}
	fputc('\n', out);
}
