/*
 * install: turns a CNI plugin folder over to this binary in one step, and back. What it does with the folder is
 * lib/cni/plugin_dir.c's business; here are the words of a person and the answer.
 */
#include "cni/plugin_dir.h"
#include "describe/applet.h"
#include "describe/table.h"

#include <errno.h>
#include <limits.h>
#include <unistd.h>

#include "base/text.h"

struct options {
	const char *dir, *binary;
	strings_t only, applet;
	bool copy, remove, dry_run, json;
};

static const struct options defaults = { .dir = "/opt/cni/bin" };

#define OPTION(member) offsetof(struct options, member)

static const struct field fields[] = {
	{ "dir", FIELD_PATH, OPTION(dir), .help = "folder of CNI plugins" },
	{ "binary", FIELD_PATH, OPTION(binary),
	  .help = "where the plugins' links lead to; unset: this program" },
	{ "copy", FIELD_BOOL, OPTION(copy),
	  .help = "put a copy of the program into the folder, for one that is mounted elsewhere" },
	{ "only", FIELD_LIST, OPTION(only), .element = FIELD_STRING, .size = sizeof(char *),
	  .noun = NOUN_PLUGIN, .metavar = "PLUGIN", .help = "just this plugin" },
	{ "remove", FIELD_BOOL, OPTION(remove), .help = "give the folder back as it was" },
	{ "dryRun", FIELD_BOOL, OPTION(dry_run), .letter = 'n',
	  .help = "only say what would be done" },
	{ "json", FIELD_BOOL, OPTION(json), .letter = 'j', .help = "JSON instead of text" },
	{ "applet", FIELD_LIST, OPTION(applet), .flags = FIELD_POSITIONAL | FIELD_RAW_REST,
	  .element = FIELD_STRING, .size = sizeof(char *), .noun = NOUN_APPLET,
	  .help = "what to become when that is done, with its words" },
	FIELDS_END
};

struct row {
	const char *plugin, *before, *now;
};

static const struct field row_fields[] = { { "plugin", FIELD_STRING, offsetof(struct row, plugin) },
					   { "before", FIELD_STRING, offsetof(struct row, before) },
					   { "now", FIELD_STRING, offsetof(struct row, now) },
					   FIELDS_END };

static const char *const was_names[] = {
	[PLUGIN_WAS_ABSENT] = "absent",
	[PLUGIN_WAS_OURS] = "cnibox",
	[PLUGIN_WAS_FOREIGN] = "other",
};

static void print_rows(struct invocation *call, const plugin_dir_rows_t *rows,
		       const struct options *options)
{
	LIST(struct row) shown = { 0 };

	list_each(row, rows)
		*list_add(call->arena, &shown) = (struct row){
			.plugin = row->name,
			.before =
				options->remove ? was_names[PLUGIN_WAS_OURS] : was_names[row->was],
			.now = options->remove ? was_names[row->was] : was_names[PLUGIN_WAS_OURS],
		};
	table_print(call->out, row_fields, shown.items, shown.n, sizeof(struct row), options->json);
	if (!rows->n && !options->json)
		fprintf(call->out, "%s: no plugin there is cnibox's\n", options->dir);
}

static int own_path(struct arena *arena, const char **path, struct error *err)
{
	char text[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", text, sizeof(text) - 1);

	if (len < 0)
		return fail_errno(err, errno, "find this program's file");
	text[len] = '\0';
	*path = arena_strdup(arena, text);
	return 0;
}

/* All that this program has, or those that are asked for. */
static int choose_plugins(struct invocation *call, const strings_t *only, strings_t *names,
			  struct error *err)
{
	for (size_t i = 0; i < call->n_applets && !only->n; i++)
		if (call->applets[i].kind == APPLET_CNI)
			*list_add(call->arena, names) = call->applets[i].name;
	list_each(name, only) {
		if (!call->find_plugin(*name))
			return fail(err, USAGE_ERROR, "--only: \"%s\" is no plugin of this program",
				    *name);
		*list_add(call->arena, names) = *name;
	}
	return 0;
}

/* What is to come after is known before anything is changed. A plugin's name is there because somebody takes it for what
 * is to be installed. */
static int check_applet(const struct invocation *call, const struct options *options,
			struct error *err)
{
	const char *name = options->applet.n ? options->applet.items[0] : NULL, *nearest;
	strings_t names = { 0 };

	for (size_t i = 0; i < call->n_applets && name; i++) {
		*list_add(call->arena, &names) = call->applets[i].name;
		if (!streq(call->applets[i].name, name))
			continue;
		if (call->applets[i].kind != APPLET_CNI || call->applets[i].applet->verbs)
			return 0;
		return fail(err, USAGE_ERROR,
			    "\"%s\" is a plugin: with --only %s it is the only one to be installed",
			    name, name);
	}
	if (!name)
		return 0;
	nearest = nearest_word(name, names.items, names.n);
	if (nearest)
		return fail(err, USAGE_ERROR, "unknown applet \"%s\"; did you mean \"%s\"?", name,
			    nearest);
	return fail(err, USAGE_ERROR, "unknown applet \"%s\"", name);
}

/* Where the links lead. A file that is not there is for another root than ours, which --dir says; otherwise it is a slip that
 * would take all plugins off this node. */
static int find_binary(const struct invocation *call, const struct options *options,
		       const char **path, struct error *err)
{
	*path = options->binary;
	if (!*path)
		return own_path(call->arena, path, err);
	if (**path != '/')
		return fail(err, USAGE_ERROR, "--binary: \"%s\" is not a path from the root",
			    *path);
	if (options->dir == defaults.dir && access(*path, X_OK))
		return fail_errno(err, errno, "--binary: the plugins would lead to %s", *path);
	return 0;
}

/* A container has no shell to call one after the other. Returns only when that fails. */
static int become(struct invocation *call, strings_t *applet, struct error *err)
{
	strings_t words = { 0 };

	*list_add(call->arena, &words) = "cnibox";
	list_each(word, applet)
		*list_add(call->arena, &words) = *word;
	*list_add(call->arena, &words) = NULL;
	fflush(call->out);
	execv("/proc/self/exe", (char *const *)words.items);
	return fail_errno(err, errno, "become %s", applet->items[0]);
}

static int install_run(struct invocation *call, void *options_, struct error *err)
{
	struct options *options = options_;
	struct plugin_dir dir = { .path = options->dir,
				  .copy = options->copy,
				  .dry_run = options->dry_run,
				  .arena = call->arena };
	plugin_dir_rows_t rows = { 0 };
	strings_t names = { 0 };
	int r = 0;

	if (check_applet(call, options, err) || find_binary(call, options, &dir.binary, err) ||
	    choose_plugins(call, &options->only, &names, err))
		return -err->errnum;
	if (options->remove)
		r = plugin_dir_give_back(&dir, &rows, err);
	else
		r = plugin_dir_take(&dir, &names, &rows, err);
	if (r < 0)
		return r;
	print_rows(call, &rows, options);
	return options->applet.n ? become(call, &options->applet, err) : 0;
}

static const struct verb run = {
	.fields = fields,
	.size = sizeof(struct options),
	.defaults = &defaults,
	.run = install_run,
};

const struct applet applet_install = {
	.summary = "turn a CNI plugin folder over in one step, and back",
	.about =
		"Each plugin that this program has becomes a link in the folder. All of them change hands in one"
		" rename, while runtimes use the folder: a call finds the old plugins or the new ones, never a mixture"
		" and never none. What was there is kept, and returns with --remove in the same way. Plugins that this"
		" program does not have are left alone. Running it again brings a folder up to date, or completes"
		" what was interrupted.",
	.example = "cnibox install --dry-run\n"
		   "cnibox install\n"
		   "cnibox install --remove\n"
		   "cnibox install --copy --dir /host/opt/cni/bin   # from inside a container\n"
		   "cnibox install --copy flanneld --ip-masq        # and then be the node's agent",
	.run = &run,
};
