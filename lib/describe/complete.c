/*
 * Completion: the shells' scripts (completion/) hand over the words and show what this prints, so
 * that they never know an applet. A candidate is a line, its description behind a tab; "@file" and
 * "@dir" ask the shell for paths, "@command" for programs. What is on the node now, verbs that list
 * it tell: their JSON is read here.
 */
#include <ctype.h>
#include <stdio.h>

#include "base/text.h"
#include "describe/help.h"
#include "describe/help_text.h"
#include "describe/json.h"
#include "describe/options.h"
#include "describe/scan.h"

struct completer {
	const struct invocation *call;
	const struct applet *applet; /* of the words; NULL = none */
	const struct verb *verb;     /* its words are `words` */
	char *const *words;
	int n_words;       /* before the incomplete one */
	const char *typed; /* the incomplete word, or the part behind "--name=" */
	const char *lead;  /* "--name=", which candidates repeat; "" otherwise */
};

static void candidate(const struct completer *completer, const char *word, const char *description)
{
	FILE *out = completer->call->out;

	if (!has_prefix(word, completer->typed))
		return;
	fprintf(out, "%s%s", completer->lead, word);
	if (description && *description)
		fprintf(out, "\t%s", description);
	fputc('\n', out);
}

/* ---- what is there now ---- */

/* Shells put a word into the line as it is, and others may have chosen it: nothing that a shell would read. */
static bool is_plain(const char *word)
{
	for (const char *p = word; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr("._:/+@%,-", *p))
			return false;
	return *word && *word != '-';
}

/* The strings under a member ("networks.name"), of every element where there are lists. */
static void collect(const struct json *json, const char *member, words_t *words,
		    struct arena *arena)
{
	size_t len = strcspn(member, ".");
	const char *word = json_string(json);

	for (size_t i = 0; json_is_array(json) && i < json_length(json); i++)
		collect(json_item(json, i), member, words, arena);
	if (json_is_object(json))
		collect(json_member(json, arena_printf(arena, "%.*s", (int)len, member)),
			member + len + (member[len] == '.'), words, arena);
	else if (!*member && word && is_plain(word))
		*list_add(arena, words) = arena_strdup(arena, word);
}

/* Options as they stand on the command line so far, where both verbs have them in common. */
static void *listing_options(const struct completer *completer, const struct verb *verb)
{
	static const char *const json[] = { "--json" };
	struct arena *arena = completer->call->arena;
	void *options = arena_alloc(arena, verb->size);
	struct error err = { 0 };
	int r;

	if (verb->defaults)
		memcpy(options, verb->defaults, verb->size);
	r = options_parse(verb->fields, 1, (char *const *)json, options, arena, &err);
	if (r >= 0 && verb->defaults && completer->verb->defaults == verb->defaults)
		r = options_parse(completer->verb->fields, completer->n_words, completer->words,
				  options, arena, &err);
	(void)r; /* what stands there is incomplete, as it has to be */
	return options;
}

static void listed(const struct completer *completer, const struct verb *verb, const char *member,
		   words_t *words)
{
	struct invocation call = *completer->call;
	void *options = listing_options(completer, verb);
	struct error err = { 0 };
	struct json *json auto_json = NULL;
	char *text = NULL;
	size_t size;

	call.out = text_stream(&text, &size);
	call.steps = false;
	(void)verb->run(&call, options, &err);
	fclose(call.out);
	json = json_parse(text, size, &err);
	collect(json, member, words, call.arena);
	free(text);
}

static const struct verb *verb_of(const struct applet *applet, const char *name)
{
	for (const struct verb *verb = applet->verbs; verb && verb->name; verb++)
		if (streq(verb->name, name))
			return verb;
	return NULL;
}

static bool ask(const struct completer *completer, const struct applet *applet, enum noun noun,
		words_t *words)
{
	bool asked = false;

	for (const struct lister *lister = applet->lists; lister && lister->noun; lister++) {
		const struct verb *verb = lister->own ? lister->own : verb_of(applet, lister->verb);

		if (lister->noun != noun || !verb)
			continue;
		listed(completer, verb, lister->member, words);
		asked = true;
	}
	return asked;
}

/* By the applet that the words are for, or else by the first that lists such things. */
static void present(const struct completer *completer, enum noun noun)
{
	const struct invocation *call = completer->call;
	words_t words = { 0 };
	bool asked = ask(completer, completer->applet, noun, &words);
	const char *last = "";

	for (size_t i = 0; i < call->n_applets && !asked; i++)
		asked = ask(completer, call->applets[i].applet, noun, &words);
	words_sort(&words);
	list_each(word, &words) {
		if (!streq(*word, last))
			candidate(completer, *word, NULL);
		last = *word;
	}
}

/* ---- values ---- */

/* "main|local|N": what is written in small letters is to be typed as it stands. */
static void choices(const struct completer *completer, const char *metavar)
{
	char *words = arena_strdup(completer->call->arena, metavar), *word;

	while (strchr(metavar, '|') && (word = strsep(&words, "|")))
		if (*word >= 'a')
			candidate(completer, word, NULL);
}

static void enum_names(const struct completer *completer, const char *const *names)
{
	for (; *names; names++)
		if (**names)
			candidate(completer, *names, NULL);
}

static void plugins(const struct completer *completer)
{
	const struct invocation *call = completer->call;

	for (size_t i = 0; i < call->n_applets; i++)
		if (call->applets[i].kind == APPLET_CNI)
			candidate(completer, call->applets[i].name,
				  call->applets[i].applet->summary);
}

/* What people call, or all. */
static void applet_candidates(const struct completer *completer, bool all)
{
	const struct invocation *call = completer->call;

	for (size_t i = 0; i < call->n_applets; i++)
		if (all || call->applets[i].kind != APPLET_CNI || call->applets[i].applet->verbs)
			candidate(completer, call->applets[i].name,
				  call->applets[i].applet->summary);
}

static void values(const struct completer *completer, const struct field *field)
{
	struct field value = field->type == FIELD_LIST ? field_element(field) : *field;
	const char *metavar = field_metavar(field, completer->call->arena);

	if (field->noun == NOUN_PLUGIN)
		plugins(completer);
	else if (field->noun)
		present(completer, field->noun);
	else if (value.type == FIELD_IFNAME)
		present(completer, NOUN_INTERFACE);
	else if (value.type == FIELD_NETNS)
		present(completer, NOUN_NETNS);
	else if (value.type == FIELD_PATH)
		fputs(has_prefix(metavar, "DIR") ? "@dir\n" : "@file\n", completer->call->out);
	else if (value.type == FIELD_ENUM)
		enum_names(completer, value.names);
	else
		choices(completer, metavar);
}

/* Of a list that is a whole command, words[first] is the first word, or the one that is typed. */
static void argument_values(const struct completer *completer, const struct field *field, int first)
{
	bool begun = first < completer->n_words;

	if (!(field->flags & FIELD_RAW_REST))
		values(completer, field);
	else if (field->noun != NOUN_APPLET)
		fputs(begun ? "@file\n" : "@command\n", completer->call->out);
	else if (begun)
		help_complete(completer->call, completer->words + first,
			      completer->n_words - first + 1);
	else
		applet_candidates(completer, false);
}

/* ---- options ---- */

static void option_candidates(const struct completer *completer)
{
	const struct verb *verb = completer->verb;

	for (const struct field *field = verb->fields; field && field->type; field++) {
		bool on = field->type == FIELD_BOOL && verb->defaults &&
			  !field_empty(field, verb->defaults);
		char name[OPTION_NAME_SIZE];

		if (!field_is_option(field) || (field->flags & (FIELD_HIDDEN | FIELD_DEPRECATED)))
			continue;
		option_spell(field->key, name);
		candidate(completer,
			  arena_printf(completer->call->arena, on ? "--no-%s" : "--%s", name),
			  field->help);
	}
	candidate(completer, "--help", "show the help text");
}

/* "--name=part": the candidates repeat what stands before the part. */
static void attached_value(struct completer completer)
{
	struct scan scan = { .fields = completer.verb->fields,
			     .argc = 1,
			     .argv = (char *const *)&completer.typed };

	if (scan_next(&scan) != SCAN_OPTION || !scan.value)
		return; /* letters, and no value */
	completer.lead = arena_printf(completer.call->arena, "%.*s",
				      (int)(scan.value - completer.typed), completer.typed);
	completer.typed = scan.value;
	values(&completer, scan.field);
}

static void option_words(const struct completer *completer)
{
	struct scan scan = { .fields = completer->verb->fields,
			     .argc = completer->n_words,
			     .argv = completer->words };
	const struct field *argument;
	enum scan_kind kind, last = SCAN_END;
	int first = scan.argc;

	while ((kind = scan_next(&scan)) != SCAN_END) {
		last = kind;
		if (kind == SCAN_ARGUMENT && scan.field->flags & FIELD_RAW_REST &&
		    first == scan.argc)
			first = scan.i - 1;
	}
	argument = scan_argument(&scan);
	if (last == SCAN_NO_VALUE && scan.i >= scan.argc && scan.field)
		values(completer, scan.field);
	else if (!scan.plain && completer->typed[0] == '-' && strchr(completer->typed, '='))
		attached_value(*completer);
	else if (argument && (scan.plain || completer->typed[0] != '-'))
		argument_values(completer, argument, first);
	else if (!scan.plain)
		option_candidates(completer);
}

/* ---- words in front ---- */

static void verb_candidates(const struct completer *completer, const struct applet *applet)
{
	for (const struct verb *verb = applet->verbs; verb && verb->name; verb++)
		candidate(completer, verb->name, verb->summary);
}

static void first_word(const struct completer *completer)
{
	applet_candidates(completer, true);
	candidate(completer, "list", "the applets of this binary");
	candidate(completer, "help", "what an applet does and takes");
	if (completer->typed[0] == '-') {
		candidate(completer, "--help", "how to call cnibox");
		candidate(completer, "--version", "the version of this binary");
	}
}

static const struct applet *find_applet(const struct invocation *call, const char *name)
{
	for (size_t i = 0; i < call->n_applets; i++)
		if (streq(call->applets[i].name, name))
			return call->applets[i].applet;
	return NULL;
}

/* What stands behind the applet's name: n words, and the incomplete one. */
static void applet_words(struct completer *completer, char *const *words, int n)
{
	static const struct verb none = { .name = NULL };
	const struct applet *applet = completer->applet;

	completer->words = words;
	completer->n_words = n;
	completer->verb = applet->run;
	if (!applet->run && applet->verbs && n > 0) {
		completer->words++;
		completer->n_words--;
		completer->verb = verb_of(applet, words[0]);
	} else if (!applet->run) {
		completer->verb = &none;
	}
	if (completer->verb == &none && applet->verbs && completer->typed[0] != '-')
		verb_candidates(completer, applet);
	else if (completer->verb)
		option_words(completer);
}

static void help_words(const struct completer *completer, char *const *words, int n)
{
	const struct applet *applet = n ? find_applet(completer->call, words[0]) : NULL;

	if (n == 0 && completer->typed[0] == '-') {
		candidate(completer, "--man", "print the manual page");
		candidate(completer, "--schema", "print the JSON Schema");
	} else if (n == (n && words[0][0] == '-')) {
		applet_candidates(completer, true);
	} else if (n == 1 && applet) {
		verb_candidates(completer, applet);
	}
}

void help_complete(const struct invocation *call, char *const *words, int n)
{
	struct completer completer = { .call = call, .typed = n ? words[n - 1] : "", .lead = "" };

	completer.applet = n > 1 ? find_applet(call, words[0]) : NULL;
	if (n <= 1)
		first_word(&completer);
	else if (streq(words[0], "help"))
		help_words(&completer, words + 1, n - 2);
	else if (streq(words[0], "list"))
		candidate(&completer, "--plain", "kind and name, for programs");
	else if (completer.applet)
		applet_words(&completer, words + 1, n - 2);
}
