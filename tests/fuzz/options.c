/*
 * The command line: options of every applet and verb, and completion, which reads half a command line.
 *
 * Input: one word a line; the first is the applet, the second may be a verb.
 */
#include "applets.h"

#include "describe/help.h"
#include "describe/options.h"

#define WORDS_MAX 64

static const struct verb *find_verb(const struct applet *applet, const char *name)
{
	for (const struct verb *verb = applet->verbs; verb && verb->name; verb++)
		if (streq(verb->name, name))
			return verb;
	return NULL;
}

/* Without what is there: verbs that list it would be run, with options that lead anywhere. */
static void complete(char *const *words, int n, struct arena *arena)
{
	static struct applet applets[ARRAY_SIZE(fuzz_applets)];
	static struct applet_entry entries[ARRAY_SIZE(fuzz_applets)];
	static FILE *nowhere;
	struct invocation call = { .arena = arena,
				   .applets = entries,
				   .n_applets = ARRAY_SIZE(entries) };

	for (size_t i = 0; i < ARRAY_SIZE(fuzz_applets) && !nowhere; i++) {
		applets[i] = *fuzz_applets[i].applet;
		applets[i].lists = NULL;
		entries[i] = fuzz_applets[i];
		entries[i].applet = &applets[i];
	}
	if (!nowhere)
		nowhere = fopen("/dev/null", "we");
	call.out = nowhere;
	help_complete(&call, words, n);
}

static void parse(const struct verb *verb, int n, char **words, struct arena *arena)
{
	void *options = arena_alloc(arena, verb->size + 1);
	struct error err = { 0 };

	if (verb->defaults)
		memcpy(options, verb->defaults, verb->size);
	if (options_ask_help(verb->fields, n, words))
		return;
	if (options_parse(verb->fields, n, words, options, arena, &err) < 0)
		fuzz_check(*err.message, "no word about what is wrong");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_arena struct arena arena = { 0 };
	char *text = arena_memdup(&arena, data, size), *words[WORDS_MAX + 1] = { 0 };
	const struct applet_entry *entry;
	const struct verb *verb;
	int n = 0;

	while (*text && n < WORDS_MAX)
		words[n++] = fuzz_line(&text);
	complete(words, n, &arena);
	entry = n ? fuzz_applet(words[0]) : NULL;
	if (!entry)
		return 0;
	verb = n > 1 ? find_verb(entry->applet, words[1]) : NULL;
	if (verb)
		parse(verb, n - 2, words + 2, &arena);
	else if (entry->applet->run)
		parse(entry->applet->run, n - 1, words + 1, &arena);
	return 0;
}
