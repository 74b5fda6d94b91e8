/*
 * cnibox: one binary, many applets. The last path segment of argv[0] names the applet; when that is the binary's own
 * name or unknown, the first word does. The table of applets is generated from the folder (see the Makefile); this file
 * looks up, reads the command line, calls, prints the error and exits: the only place that does.
 */
#include "base/error.h"
#include "base/log.h"
#include "base/text.h"
#include "cni/plugin.h"
#include "describe/applet.h"
#include "describe/help.h"
#include "describe/options.h"
#include "kernel/capability.h"

#include <errno.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>

#ifndef VERSION
#define VERSION "unknown"
#endif

#define JSON_OUTPUT "1" /* version of what --json prints: schema/1 describes it */

#define PATIENCE_S 5 /* of who asks for completion; a store may not answer */

enum { STATUS_DONE = 0, STATUS_FAILED = 1, STATUS_USAGE = 2 };

#define KIND_cni  APPLET_CNI
#define KIND_node APPLET_NODE
#define KIND_tool APPLET_TOOL

#define APPLET(kind, symbol, name) extern const struct applet applet_##symbol;
#include "applets.inc"
#undef APPLET

#define APPLET(kind, symbol, name) { name, KIND_##kind, &applet_##symbol },
static const struct applet_entry applets[] = {
#include "applets.inc"
};
#undef APPLET

static const char usage[] =
	"usage: cnibox APPLET [WORDS...]        run an applet (or link its name to this binary)\n"
	"       cnibox list [--plain]           the applets; --plain: `kind name` a line\n"
	"       cnibox help [APPLET [VERB]]     what it does, its options or configuration keys\n"
	"       cnibox help --man APPLET        its manual page\n"
	"       cnibox help --schema APPLET     JSON Schema of its configuration or options\n"
	"       cnibox --version\n";

static bool is_plugin; /* a runtime reads stdout */

/* Nothing more can be asked for, so the words are ready. Code 11 of the specification: try again later. */
_Noreturn void out_of_memory(void)
{
	static const char text[] = "cnibox: out of memory\n";
	static const char json[] =
		"{ \"cniVersion\": \"1.0.0\", \"code\": 11, \"msg\": \"out of memory\" }\n";
	ssize_t n;

	n = is_plugin ? write(STDOUT_FILENO, json, sizeof(json) - 1)
		      : write(STDERR_FILENO, text, sizeof(text) - 1);
	_exit(n < 0 ? STATUS_USAGE : STATUS_FAILED);
}

static const struct applet_entry *applet_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(applets); i++)
		if (streq(applets[i].name, name))
			return &applets[i];
	return NULL;
}

static const struct cni_plugin *find_plugin(const char *name)
{
	const struct applet_entry *entry = applet_find(name);

	return entry ? entry->applet->plugin : NULL;
}

/* What the kernel said, and not a server, who has users of its own. */
static bool root_may(const struct error *err, const char *line)
{
	return (err->errnum == EPERM || err->errnum == EACCES) && geteuid() != 0 &&
	       has_suffix(line, strerror(err->errnum));
}

static int report(const char *name, const struct error *err, int status)
{
	char line[sizeof(err->message) + sizeof(err->details)];

	fflush(stdout); /* what was printed came before */
	error_line(err, line, sizeof(line));
	fprintf(stderr, "%s: %s%s\n", name, line, root_may(err, line) ? " (try as root)" : "");
	return status;
}

/* The words were wrong, and their table says how: where the right ones are told. */
static int report_words(const char *name, const struct error *err)
{
	bool told = strstr(err->message, "did you mean");

	fprintf(stderr, told ? "%s: %s\n" : "%s: %s (see `cnibox help %s`)\n", name, err->message,
		name);
	return STATUS_USAGE;
}

/* The words were wrong: one line that says so. */
static int usage_error(const char *name, const char *format, ...) printf_like(2, 3);

static int usage_error(const char *name, const char *format, ...)
{
	char line[512];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	text_mask(line);
	fprintf(stderr, "%s: %s\n", name, line);
	return STATUS_USAGE;
}

/* "unknown applet", with the nearest name. */
static int unknown(const char *applet, const char *what, const char *word, const char *const *names,
		   size_t n)
{
	const char *nearest = nearest_word(word, names, n);
	const char *name = applet ? applet : "cnibox";

	if (nearest)
		return usage_error(name, "unknown %s \"%s\"; did you mean \"%s\"?", what, word,
				   nearest);
	return usage_error(name, "unknown %s \"%s\" (see `cnibox %s%s`)", what, word,
			   applet         ? "help "
			   : *word == '-' ? "help"
					  : "list",
			   applet ? applet : "");
}

static int unknown_applet(const char *word)
{
	const char *names[ARRAY_SIZE(applets) + 3] = { "list", "help", "complete" };

	for (size_t i = 0; i < ARRAY_SIZE(applets); i++)
		names[i + 3] = applets[i].name;
	if (*word == '-')
		return unknown(NULL, "option", word, (const char *[]){ "--version", "--help" }, 2);
	return unknown(NULL, "applet", word, names, ARRAY_SIZE(names));
}

static const struct verb *verb_find(const struct applet *applet, const char *name)
{
	for (const struct verb *verb = applet->verbs; verb && verb->name; verb++)
		if (streq(verb->name, name))
			return verb;
	return NULL;
}

static int unknown_verb(const struct applet_entry *entry, const char *word)
{
	const char *names[32];
	size_t n = 0;

	for (const struct verb *verb = entry->applet->verbs; verb->name && n < ARRAY_SIZE(names);
	     verb++)
		names[n++] = verb->name;
	if (word)
		return unknown(entry->name, "verb", word, names, n);
	fprintf(stderr, "cnibox %s: say what to do:", entry->name);
	for (size_t i = 0; i < n; i++)
		fprintf(stderr, " %s", names[i]);
	fprintf(stderr, " (see `cnibox help %s`)\n", entry->name);
	return STATUS_USAGE;
}

static int check_needs(unsigned needs, struct error *err)
{
	if ((needs & NEEDS_NET_ADMIN) && !capability_net_admin())
		return fail(err, EPERM,
			    "needs root (CAP_NET_ADMIN); `unshare -Ur` gives it in a sandbox");
	if ((needs & NEEDS_SYS_ADMIN) && !capability_sys_admin())
		return fail(err, EPERM,
			    "needs root (CAP_SYS_ADMIN); `unshare -Ur` gives it in a sandbox");
	return 0;
}

static int show_help(const struct applet_entry *entry, const struct verb *verb, struct arena *arena)
{
	struct plugin_text text;

	if (entry->applet->plugin)
		plugin_describe(entry->applet->plugin, &text, arena);
	help_applet(stdout, entry, verb, entry->applet->plugin ? &text : NULL);
	return STATUS_DONE;
}

/* A result that could not be written is a failure: a full disk must not look like success. */
static int finish_output(int status)
{
	if (fflush(stdout) || ferror(stdout)) {
		fprintf(stderr, "cnibox: cannot write the output: %s\n", strerror(errno));
		return STATUS_FAILED;
	}
	return status;
}

/* https://no-color.org: a variable that is there and not empty. */
static bool colour_wanted(int fd)
{
	const char *no = getenv("NO_COLOR"), *terminal = getenv("TERM");

	return isatty(fd) && !(no && *no) && !(terminal && streq(terminal, "dumb"));
}

static struct invocation invocation(const char *name, struct arena *arena)
{
	return (struct invocation){
		.name = name,
		.version = VERSION,
		.out = stdout,
		.arena = arena,
		.colour = colour_wanted(STDOUT_FILENO),
		.steps = colour_wanted(STDERR_FILENO),
		.find_plugin = find_plugin,
		.applets = applets,
		.n_applets = ARRAY_SIZE(applets),
	};
}

static int run_verb(const struct applet_entry *entry, const struct verb *verb, int argc,
		    char **argv)
{
	struct arena arena on_leave(arena_free) = { 0 };
	struct error err = { 0 };
	char name[64];
	struct invocation call = invocation(name, &arena);
	void *options = arena_alloc(&arena, verb->size ? verb->size : 1);
	int r;

	snprintf(name, sizeof(name), verb->name ? "%s %s" : "%s", entry->name, verb->name);
	if (options_ask_help(verb->fields, argc, argv))
		return finish_output(show_help(entry, verb->name ? verb : NULL, &arena));
	if (verb->defaults)
		memcpy(options, verb->defaults, verb->size);
	r = options_parse(verb->fields, argc, argv, options, &arena, &err);
	if (r < 0)
		return report_words(name, &err);
	r = check_needs(verb->needs, &err);
	if (r == 0)
		r = verb->run(&call, options, &err);
	call_step(&call, NULL);
	if (r < 0)
		return report(name, &err, r == -USAGE_ERROR ? STATUS_USAGE : STATUS_FAILED);
	if (r > 0 && err.message[0]) /* a status of the verb's own, with its reason */
		return report(name, &err, r);
	return finish_output(r);
}

static int run_tool(const struct applet_entry *entry, int argc, char **argv)
{
	struct arena arena on_leave(arena_free) = { 0 };
	const struct verb *verb;

	if (entry->applet->run)
		return run_verb(entry, entry->applet->run, argc, argv);
	if (argc < 1)
		return unknown_verb(entry, NULL);
	if (streq(argv[0], "-h") || streq(argv[0], "--help"))
		return show_help(entry, NULL, &arena);
	verb = verb_find(entry->applet, argv[0]);
	if (!verb)
		return unknown_verb(entry, argv[0]);
	return run_verb(entry, verb, argc - 1, argv + 1);
}

/* Words come from a person, or start a daemon: a runtime never passes any. */
static int run_plugin(const struct applet_entry *entry, int argc, char **argv)
{
	struct arena arena on_leave(arena_free) = { 0 };
	const struct verb *verb;

	if (argc > 0 && !getenv("CNI_COMMAND")) {
		if (streq(argv[0], "-h") || streq(argv[0], "--help"))
			return finish_output(show_help(entry, NULL, &arena));
		verb = verb_find(entry->applet, argv[0]);
		if (verb)
			return run_verb(entry, verb, argc - 1, argv + 1);
		if (entry->applet->verbs && argv[0][0] != '-')
			return unknown_verb(entry, argv[0]);
		return usage_error(
			entry->name,
			"unexpected word \"%s\": a CNI plugin reads its environment and stdin"
			" (see `cnibox help %s`)",
			argv[0], entry->name);
	}
	is_plugin = true;
	return plugin_main(entry->name, entry->applet->plugin, find_plugin, VERSION);
}

static int run_applet(const struct applet_entry *entry, int argc, char **argv)
{
	return entry->applet->plugin ? run_plugin(entry, argc, argv) : run_tool(entry, argc, argv);
}

static int command_list(int argc, char **argv)
{
	static const char *const kinds[] = { "cni", "node", "tool" };

	if (argc == 1 && streq(argv[0], "--plain")) {
		for (size_t i = 0; i < ARRAY_SIZE(applets); i++)
			printf("%s %s\n", kinds[applets[i].kind], applets[i].name);
	} else if (argc > 0) {
		return usage_error("cnibox list", "unexpected word \"%s\"; only --plain is known",
				   argv[streq(argv[0], "--plain")]);
	} else {
		help_list(stdout, applets, ARRAY_SIZE(applets));
	}
	return finish_output(STATUS_DONE);
}

/* `help`, `help NAME [VERB]`, `help --man NAME`, `help --schema NAME`. */
static int command_help(int argc, char **argv)
{
	struct arena arena on_leave(arena_free) = { 0 };
	bool man = argc > 0 && streq(argv[0], "--man"),
	     schema = argc > 0 && streq(argv[0], "--schema");
	const struct applet_entry *entry;
	const struct verb *verb = NULL;
	struct plugin_text text, *plugin = NULL;

	if (argc == 0) {
		fputs(usage, stdout);
		return finish_output(STATUS_DONE);
	}
	argc -= man || schema;
	argv += man || schema;
	if (argc == 0)
		return usage_error("cnibox help", "name an applet (see `cnibox list`)");
	if (argv[0][0] == '-' && argv[0][1])
		return usage_error("cnibox help",
				   "unknown option \"%s\"; known are --man, --schema", argv[0]);
	entry = applet_find(argv[0]);
	if (!entry)
		return unknown_applet(argv[0]);
	if (argc > 1 && !(verb = verb_find(entry->applet, argv[1])))
		return entry->applet->verbs ? unknown_verb(entry, argv[1])
					    : unknown(entry->name, "verb", argv[1], NULL, 0);
	if (argc > 1 + !!verb || (verb && (man || schema)))
		return usage_error("cnibox help", "unexpected word \"%s\"",
				   argv[1 + (verb && !(man || schema))]);
	if (entry->applet->plugin) {
		plugin_describe(entry->applet->plugin, &text, &arena);
		plugin = &text;
	}
	if (man)
		help_man(stdout, entry, plugin, VERSION);
	else if (schema)
		help_schema(stdout, entry, plugin);
	else
		help_applet(stdout, entry, verb, plugin);
	return finish_output(STATUS_DONE);
}

static int command_complete(int argc, char **argv)
{
	struct arena arena on_leave(arena_free) = { 0 };
	struct invocation call = invocation("complete", &arena);

	alarm(PATIENCE_S);
	help_complete(&call, argv, argc);
	return finish_output(STATUS_DONE);
}

static int run_word(int argc, char **argv)
{
	const char *word = argc > 1 ? argv[1] : "--help";
	const struct applet_entry *entry;

	if (argc > 2 && (streq(word, "--version") || streq(word, "-V") || streq(word, "--help") ||
			 streq(word, "-h")))
		return usage_error("cnibox", "unexpected word \"%s\"", argv[2]);
	if (streq(word, "--version") || streq(word, "-V")) {
		printf("cnibox %s\nCNI specification %s and older\nJSON output " JSON_OUTPUT "\n",
		       VERSION, CNI_VERSION_NEWEST);
		return finish_output(STATUS_DONE);
	}
	if (streq(word, "--help") || streq(word, "-h")) {
		fputs(usage, argc > 1 ? stdout : stderr);
		return argc > 1 ? finish_output(STATUS_DONE) : STATUS_USAGE;
	}
	if (streq(word, "list"))
		return command_list(argc - 2, argv + 2);
	if (streq(word, "help"))
		return command_help(argc - 2, argv + 2);
	if (streq(word, "complete"))
		return command_complete(argc - 2, argv + 2);
	entry = applet_find(word);
	if (entry)
		return run_applet(entry, argc - 2, argv + 2);
	return unknown_applet(word);
}

/* One growth of the heap is enough for nearly every call, and giving memory back before the end is wasted work. */
static void tune_heap(void)
{
#ifdef __GLIBC__
	mallopt(M_TOP_PAD, 256 << 10);
	mallopt(M_TRIM_THRESHOLD, 4 << 20);
#endif
}

int main(int argc, char **argv)
{
	const char *name = argc > 0 ? strrchr(argv[0], '/') : NULL;
	const struct applet_entry *entry;

	if (argc < 1)
		return STATUS_USAGE;
	tune_heap();
	entry = applet_find(name ? name + 1 : argv[0]);
	if (entry)
		return run_applet(entry, argc - 1, argv + 1);
	return run_word(argc, argv);
}
