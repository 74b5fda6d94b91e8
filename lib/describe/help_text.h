/* Pieces of text about rows, shared by help, man page, completion and usage errors. All of it goes
 * to the arena. */
#ifndef DESCRIBE_HELP_TEXT_H
#define DESCRIBE_HELP_TEXT_H

#include "describe/field.h"

#include <stdio.h>

/* The word for a value: N, ADDRESS, or the row's own: TARGET. */
const char *field_metavar(const struct field *field, struct arena *arena);
/* "integer", "list of CIDRs": the type of a configuration key. */
const char *field_type_name(const struct field *field, struct arena *arena);
/* The help with what else there is to know behind it: "mtu of both ends (68..65535, default 1500)".
 */
char *field_notes(const struct field *field, const void *defaults, bool as_option,
		  struct arena *arena);
/* "-n, --max-count N", "    --[no-]masquerade". */
char *option_forms(const struct field *field, const void *defaults, struct arena *arena);
/* "netns exec [OPTIONS] TARGET -- COMMAND..." for `fields`, behind the name. */
char *usage_text(const char *name, const struct field *fields, struct arena *arena);

/* Call fn for every row of a configuration, nested ones too, under its path:
 * "ipam.ranges[][].subnet". defaults is the struct that the row lies in, NULL below a list. Hidden
 * rows are left out. */
typedef void row_fn(void *arg, const char *path, const struct field *field, const void *defaults);
void rows_walk(const struct field *fields, const void *defaults, const char *prefix,
	       struct arena *arena, row_fn *fn, void *arg);

/* Words to out from a column on, broken before `width`, later lines indented. A newline ends it. */
void print_wrapped(FILE *out, const char *text, int column, int indent, int width);

#endif
