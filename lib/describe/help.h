/*
 * Readers of descriptors and field tables for people: help, man page, completion words, JSON Schema. For a CNI
 * plugin the configuration keys take the place of options. Everything goes to out.
 */
#ifndef DESCRIBE_HELP_H
#define DESCRIBE_HELP_H

#include "describe/applet.h"

#include <stdio.h>

/* What help needs to know of a CNI plugin; lib/cni provides it, so that this layer stays below lib/cni. */
struct plugin_text {
	const struct field *fields;
	const void *defaults;
	const char *versions; /* "0.1.0, 0.2.0, ..." */
};

void help_list(FILE *out, const struct applet_entry *entries,
	       size_t n); /* cnibox list: names by kind */
void help_applet(FILE *out, const struct applet_entry *entry, const struct verb *verb,
		 const struct plugin_text *plugin); /* verb, plugin may be NULL */
void help_man(FILE *out, const struct applet_entry *entry, const struct plugin_text *plugin,
	      const char *version); /* mdoc or man source */
void help_schema(FILE *out, const struct applet_entry *entry, const struct plugin_text *plugin);
/* Completion: words[0..n) is the command line behind "cnibox", the last one incomplete (may be ""). Prints one
 * candidate a line, a tab and its description behind; a line "@file" or "@dir" asks the shell for paths, "@command" for
 * programs. */
void help_complete(const struct invocation *call, char *const *words, int n);

#endif
