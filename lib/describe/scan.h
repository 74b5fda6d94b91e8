/*
 * The grammar of the command line, apart from what is done with it: one step per option or
 * argument. Parsing, the search for --help and completion all walk the words with it, so that they
 * agree on what is a value and what is not.
 */
#ifndef DESCRIBE_SCAN_H
#define DESCRIBE_SCAN_H

#include "describe/field.h"

#define OPTION_NAME_SIZE 64

enum scan_kind {
	SCAN_END,
	SCAN_OPTION,   /* field, value (NULL: a boolean without one), negated */
	SCAN_ARGUMENT, /* field, value */
	SCAN_HELP,     /* -h or --help */
	SCAN_UNKNOWN,  /* word is no option */
	SCAN_NO_VALUE, /* field's option needs a value, and there is none */
	SCAN_EXTRA,    /* word is an argument too many */
};

struct scan {
	const struct field *fields; /* may be NULL: no options */
	int argc;
	char *const *argv;
	int i;                /* the next word */
	unsigned n_arguments; /* positional rows filled; a list stays the current one */
	bool plain;           /* behind "--", or in a FIELD_RAW_REST list: no more options */
	const char *bundle;   /* the rest of "-abc" */
	/* the step */
	const struct field *field;
	const char *word; /* as it stands on the command line */
	const char *value;
	bool negated; /* --no-x */
};

enum scan_kind scan_next(struct scan *scan);
/* The row that the next argument fills, NULL = none. */
const struct field *scan_argument(const struct scan *scan);
/* True for a row that is given as an option (not an argument, and one word can hold it). */
bool field_is_option(const struct field *field);
/* containerId -> container-id, without "--". Returns name. */
const char *option_spell(const char *key, char name[OPTION_NAME_SIZE]);

#endif
