/*
 * Completion: the shells' scripts (completion/) hand over the words and show what this prints, so
 * that they never know an applet. A candidate is a line, its description behind a tab; "@file" and
 * "@dir" ask the shell for paths.
 */
#include <dirent.h>
#include <stdio.h>

#include "base/text.h"
#include "describe/help.h"
#include "describe/help_text.h"
#include "describe/scan.h"

/* iproute2's; lib/kernel, which knows it too, lies above this layer */
#define NETNS_DIR "/run/netns"
#define WORDS_MAX 256

struct completer {
	FILE *out;
	const char *typed; /* the incomplete word, or the part behind "--name=" */
	const char *lead;  /* "--name=", which candidates repeat; "" otherwise */
	bool split;        /* the shell takes "--name=" for a word of its own: nothing to repeat */
	struct arena *arena;
};

static void candidate(const struct completer *completer, const char *word, const char *description)
{
	if (!has_prefix(word, completer->typed))
		return;
	fprintf(completer->out, "%s%s", completer->lead, word);
	if (description && *description)
		fprintf(completer->out, "\t%s", description);
	fputc('\n', completer->out);
}

static void directory_entries(const struct completer *completer, const char *dir)
{
	DIR *stream = opendir(dir);
	struct dirent *entry;

	while (stream && (entry = readdir(stream)))
		if (entry->d_name[0] != '.')
			candidate(completer, entry->d_name, NULL);
	if (stream)
		closedir(stream);
}

static bool is_directory_row(const struct field *field)
{
	return field->metavar &&
	       (streq(field->metavar, "DIR") || streq(field->metavar, "DIRECTORY"));
}

static void values(const struct completer *completer, const struct field *field)
{
	struct field value = field->type == FIELD_LIST ? field_element(field) : *field;

	switch (value.type) {
	case FIELD_BOOL:
		candidate(completer, "true", NULL);
		candidate(completer, "false", NULL);
		break;
	case FIELD_ENUM:
		for (int i = 0; value.names[i]; i++)
			if (*value.names[i])
				candidate(completer, value.names[i], NULL);
		break;
	case FIELD_IFNAME: directory_entries(completer, "/sys/class/net"); break;
	case FIELD_NETNS: directory_entries(completer, NETNS_DIR); break;
	case FIELD_PATH:
		fputs(is_directory_row(field) ? "@dir\n" : "@file\n", completer->out);
		break;
	default: /* a command line of its own: a program, or its arguments */
		if (field->flags & FIELD_RAW_REST)
			fputs("@file\n", completer->out);
		break;
	}
}

/* ---- options ---- */

static void option_candidates(const struct completer *completer, const struct verb *verb)
{
	for (const struct field *field = verb->fields; field && field->type; field++) {
		bool on = field->type == FIELD_BOOL && verb->defaults &&
			  !field_empty(field, verb->defaults);
		char name[OPTION_NAME_SIZE];

		if (!field_is_option(field) || (field->flags & (FIELD_HIDDEN | FIELD_DEPRECATED)))
			continue;
		option_spell(field->key, name);
		candidate(completer, arena_printf(completer->arena, on ? "--no-%s" : "--%s", name),
			  field->help);
	}
	candidate(completer, "--help", "show the help text");
}

static const struct field *find_option(const struct field *fields, const char *word, size_t len)
{
	char name[OPTION_NAME_SIZE];

	for (const struct field *field = fields; field && field->type; field++) {
		if (!field_is_option(field))
			continue;
		option_spell(field->key, name);
		if (strlen(name) == len && !strncmp(name, word, len))
			return field;
	}
	return NULL;
}

/* "--name=part": the candidates repeat what stands before the part. */
static void attached_value(struct completer completer, const struct verb *verb)
{
	const char *equals = strchr(completer.typed, '=');
	const struct field *field = find_option(verb->fields, completer.typed + 2,
						(size_t)(equals - completer.typed - 2));

	if (!completer.split)
		completer.lead = arena_printf(completer.arena, "%.*s",
					      (int)(equals + 1 - completer.typed), completer.typed);
	completer.typed = equals + 1;
	if (field)
		values(&completer, field);
}

static void option_words(const struct completer *completer, const struct verb *verb,
			 char *const *words, size_t n)
{
	struct scan scan = { .fields = verb->fields, .argc = (int)n - 1, .argv = words };
	const struct field *argument;
	enum scan_kind kind, last = SCAN_END;

	while ((kind = scan_next(&scan)) != SCAN_END)
		last = kind;
	if (last == SCAN_NO_VALUE && scan.i >= scan.argc && scan.field) {
		values(completer, scan.field);
		return;
	}
	argument = scan_argument(&scan);
	if (!scan.plain && has_prefix(completer->typed, "--") && strchr(completer->typed, '='))
		attached_value(*completer, verb);
	else if (argument && (scan.plain || completer->typed[0] != '-'))
		values(completer, argument);
	else if (!scan.plain)
		option_candidates(completer, verb);
}

/* ---- words in front ---- */

static void verb_candidates(const struct completer *completer, const struct applet *applet)
{
	for (const struct verb *verb = applet->verbs; verb && verb->name; verb++)
		candidate(completer, verb->name, verb->summary);
}

static void applet_candidates(const struct completer *completer, const struct applet_entry *entries,
			      size_t n)
{
	for (size_t i = 0; i < n; i++)
		candidate(completer, entries[i].name, entries[i].applet->summary);
}

static void first_word(const struct completer *completer, const struct applet_entry *entries,
		       size_t n)
{
	applet_candidates(completer, entries, n);
	candidate(completer, "list", "the applets of this binary");
	candidate(completer, "help", "what an applet does and takes");
	if (completer->typed[0] == '-') {
		candidate(completer, "--help", "how to call cnibox");
		candidate(completer, "--version", "the version of this binary");
	}
}

static const struct applet_entry *find_applet(const struct applet_entry *entries, size_t n,
					      const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (streq(entries[i].name, name))
			return &entries[i];
	return NULL;
}

static void applet_words(const struct completer *completer, const struct applet *applet,
			 char *const *words, size_t n)
{
	static const struct verb none = { .name = NULL };

	if (applet->run) {
		option_words(completer, applet->run, words, n);
		return;
	}
	if (!applet->verbs) {
		option_words(completer, &none, words, n);
		return;
	}
	if (n == 1 && completer->typed[0] == '-')
		option_candidates(completer, &none);
	else if (n == 1)
		verb_candidates(completer, applet);
	for (const struct verb *verb = applet->verbs; n > 1 && verb->name; verb++)
		if (streq(verb->name, words[0]))
			option_words(completer, verb, words + 1, n - 1);
}

static void help_words(const struct completer *completer, const struct applet_entry *entries,
		       size_t n_entries, char *const *words, size_t n)
{
	const struct applet_entry *entry;
	bool option = n > 1 && words[0][0] == '-';

	if (n == 1 && completer->typed[0] == '-') {
		candidate(completer, "--man", "print the manual page");
		candidate(completer, "--schema", "print the JSON Schema");
	} else if (n == 1u + option) {
		applet_candidates(completer, entries, n_entries);
	} else if (n == 2) {
		entry = find_applet(entries, n_entries, words[0]);
		if (entry)
			verb_candidates(completer, entry->applet);
	}
}

/*
 * Bash breaks words at "=", so that "--name=part" arrives as three words: put together again, with
 * the part alone as what is typed. True when the incomplete word was such a part.
 */
static bool join_equals(char **words, size_t *n, struct arena *arena)
{
	bool last = false;
	size_t to = 0;

	for (size_t i = 0; i < *n; i++) {
		bool value = to > 0 && streq(words[i], "=") && has_prefix(words[to - 1], "--");

		last = value;
		if (value) {
			const char *part = i + 1 < *n ? words[++i] : "";

			words[to - 1] = arena_printf(arena, "%s=%s", words[to - 1], part);
		} else {
			words[to++] = words[i];
		}
	}
	*n = to;
	return last;
}

void help_complete(FILE *out, const struct applet_entry *entries, size_t n_entries,
		   char *const *words, size_t n)
{
	auto_arena struct arena arena = { 0 };
	struct completer completer = { .out = out, .typed = "", .lead = "", .arena = &arena };
	const struct applet_entry *entry;
	char *copy[WORDS_MAX];

	if (n > WORDS_MAX)
		return;
	for (size_t i = 0; i < n; i++)
		copy[i] = words[i];
	if (!n)
		copy[n++] = arena_strdup(&arena, "");
	completer.split = join_equals(copy, &n, &arena);
	completer.typed = copy[n - 1];
	entry = find_applet(entries, n_entries, copy[0]);
	if (n == 1)
		first_word(&completer, entries, n_entries);
	else if (streq(copy[0], "help"))
		help_words(&completer, entries, n_entries, copy + 1, n - 1);
	else if (streq(copy[0], "list"))
		candidate(&completer, "--plain", "kind and name, for programs");
	else if (entry)
		applet_words(&completer, entry->applet, copy + 1, n - 1);
}
