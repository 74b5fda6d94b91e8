/* argv to struct by the field table: --long VALUE, --long=VALUE, --bool, --no-bool, -x VALUE, arguments, "--". */
#ifndef DESCRIBE_OPTIONS_H
#define DESCRIBE_OPTIONS_H

#include "base/error.h"
#include "describe/field.h"

/*
 * Parse argv[0..argc) (the words behind the applet and verb) into out, which already holds the defaults.
 * Environment variables named in the rows come first, options win. -USAGE_ERROR (applet.h) with one clear
 * message naming the word at fault, the nearest known option, or the argument that is missing.
 */
int options_parse(const struct field *fields, int argc, char *const *argv, void *out,
		  struct arena *arena, struct error *err) must_check;
/* True when -h or --help stands among the words (before "--"). */
bool options_ask_help(const struct field *fields, int argc, char *const *argv);
/* containerId -> container-id. */
char *option_name(const char *key, struct arena *arena);

#endif
