/* The grammar of the command line: see scan.h. */
#include "describe/scan.h"

#include <ctype.h>

/* A hyphen goes in front of a capital that begins a word: after a small letter or digit, or before
 * a small one. */
const char *option_spell(const char *key, char name[OPTION_NAME_SIZE])
{
	size_t len = 0;

	for (const char *p = key; *p && len < OPTION_NAME_SIZE - 2; p++) {
		bool capital = isupper((unsigned char)*p);
		bool after_small =
			p > key && (islower((unsigned char)p[-1]) || isdigit((unsigned char)p[-1]));
		bool before_small =
			p > key && isupper((unsigned char)p[-1]) && islower((unsigned char)p[1]);

		if (capital && (after_small || before_small))
			name[len++] = '-';
		name[len++] = *p == '_' || *p == '.' || *p == '/'
				      ? '-'
				      : (char)tolower((unsigned char)*p);
	}
	name[len] = '\0';
	return name;
}

bool field_is_option(const struct field *field)
{
	if (field->type == FIELD_LIST)
		return !(field->flags & FIELD_POSITIONAL) && field->element != FIELD_OBJECT &&
		       field->element != FIELD_LIST && field->element != FIELD_JSON;
	return !(field->flags & FIELD_POSITIONAL) && field->type != FIELD_OBJECT &&
	       field->type != FIELD_JSON;
}

const struct field *scan_argument(const struct scan *scan)
{
	unsigned i = 0;

	for (const struct field *field = scan->fields; field && field->type; field++)
		if ((field->flags & FIELD_POSITIONAL) && i++ == scan->n_arguments)
			return field;
	return NULL;
}

/* An underscore is as good as a hyphen, as programs of Kubernetes' kind have it: --log_backtrace_at. */
static bool same_name(const char *spelt, const char *name, size_t len)
{
	if (strlen(spelt) != len)
		return false;
	for (size_t i = 0; i < len; i++)
		if (spelt[i] != (name[i] == '_' ? '-' : name[i]))
			return false;
	return true;
}

static const struct field *find_name(const struct field *fields, const char *name, size_t len)
{
	char spelt[OPTION_NAME_SIZE] = { 0 };

	for (const struct field *field = fields; field && field->type; field++) {
		if (!field_is_option(field))
			continue;
		option_spell(field->key, spelt);
		if (same_name(spelt, name, len))
			return field;
	}
	return NULL;
}

static const struct field *find_letter(const struct field *fields, char letter)
{
	for (const struct field *field = fields; field && field->type; field++)
		if (field_is_option(field) && field->letter == letter)
			return field;
	return NULL;
}

/* The following word as a value. One that looks like an option is more likely a forgotten value;
 * "--x=-y" says it. */
static enum scan_kind take_value(struct scan *scan)
{
	const char *next = scan->i < scan->argc ? scan->argv[scan->i] : NULL;

	if (!next || (next[0] == '-' && next[1] && !isdigit((unsigned char)next[1])))
		return SCAN_NO_VALUE;
	scan->value = next;
	scan->i++;
	return SCAN_OPTION;
}

/* name: the word without its dashes. */
static enum scan_kind scan_long(struct scan *scan, const char *name)
{
	const char *equals = strchr(name, '=');
	size_t len = equals ? (size_t)(equals - name) : strlen(name);

	scan->field = find_name(scan->fields, name, len);
	if (!scan->field && !equals && !strncmp(name, "no-", 3)) {
		scan->field = find_name(scan->fields, name + 3, len - 3);
		if (scan->field && scan->field->type != FIELD_BOOL)
			scan->field = NULL;
		scan->negated = scan->field;
	}
	if (!scan->field)
		return streq(name, "help") ? SCAN_HELP : SCAN_UNKNOWN;
	if (equals)
		scan->value = equals + 1;
	if (equals || scan->field->type == FIELD_BOOL)
		return SCAN_OPTION;
	return take_value(scan);
}

static bool is_one_dash(const struct field *fields, const char *name)
{
	const struct field *field = find_name(fields, name, strcspn(name, "="));

	return field && (field->flags & FIELD_ONE_DASH);
}

/* One letter of "-abc"; the value of the last may follow at once ("-n5", "-n=5") or as the next
 * word. */
static enum scan_kind scan_letter(struct scan *scan)
{
	char letter = *scan->bundle++;

	scan->field = find_letter(scan->fields, letter);
	if (!scan->field) {
		scan->bundle = NULL;
		return letter == 'h' ? SCAN_HELP : SCAN_UNKNOWN;
	}
	if (scan->field->type == FIELD_BOOL)
		return SCAN_OPTION;
	if (!*scan->bundle)
		return take_value(scan);
	scan->value = scan->bundle + (*scan->bundle == '=');
	scan->bundle = NULL;
	return SCAN_OPTION;
}

static enum scan_kind scan_plain(struct scan *scan)
{
	scan->field = scan_argument(scan);
	if (!scan->field)
		return SCAN_EXTRA;
	scan->value = scan->word;
	if (scan->field->flags & FIELD_RAW_REST)
		scan->plain = true;
	if (scan->field->type != FIELD_LIST)
		scan->n_arguments++;
	return SCAN_ARGUMENT;
}

enum scan_kind scan_next(struct scan *scan)
{
	scan->value = NULL;
	scan->negated = false;
	if (scan->bundle && *scan->bundle)
		return scan_letter(scan);
	scan->bundle = NULL;
	if (scan->i >= scan->argc)
		return SCAN_END;
	scan->word = scan->argv[scan->i++];
	if (scan->plain || scan->word[0] != '-' || !scan->word[1])
		return scan_plain(scan);
	if (streq(scan->word, "--")) {
		scan->plain = true;
		return scan_next(scan);
	}
	if (scan->word[1] == '-')
		return scan_long(scan, scan->word + 2);
	if (is_one_dash(scan->fields, scan->word + 1))
		return scan_long(scan, scan->word + 1);
	scan->bundle = scan->word + 1;
	return scan_letter(scan);
}
