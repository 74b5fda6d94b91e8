/*
 * Lint of network lists. A plugin's keys are those of its own table, those common to all, those
 * that only the runtime reads and, below ipam, those of its address plugin.
 */
#include "cni/netlint.h"

#include "base/text.h"
#include "cni/delegate.h"

#include <string.h>

/* Keys of a plugin that the runtime consumes. */
struct runtime_keys {
	const char *name;
	struct json *capabilities, *ipam;
};

static const struct field runtime_fields[] = {
	{ .key = "capabilities",
	  .type = FIELD_JSON,
	  .offset = offsetof(struct runtime_keys, capabilities) },
	{ .key = "name", .type = FIELD_STRING, .offset = offsetof(struct runtime_keys, name) },
	FIELDS_END
};

/* For an address plugin whose keys we do not know: anything goes. */
static const struct field any_ipam_fields[] = {
	{ .key = "ipam", .type = FIELD_JSON, .offset = offsetof(struct runtime_keys, ipam) },
	FIELDS_END
};

struct lint {
	struct networks *networks;
	struct network *network;
	const char *where; /* "plugins[1]", "" for a file with one plugin */
};

/* text starts with a key, or with a blank when it is about the plugin as a whole. */
static void add_problem(struct lint *lint, bool fatal, const char *text)
{
	const char *between = *text == ' ' ? ":" : ".";
	struct arena *arena = lint->networks->arena;

	*list_add(arena, &lint->network->problems) =
		arena_printf(arena, "%s%s%s", lint->where, *lint->where ? between : "",
			     *lint->where ? text : text + (*text == ' '));
	lint->network->unusable |= fatal;
}

static void report(void *arg, bool is_error, const char *text)
{
	(void)is_error; /* whether it matters is for the plugin to say */
	add_problem(arg, false, text);
}

static void check_exists(struct lint *lint, const char *key, const char *type, const char *path,
			 cni_find_fn *find_plugin)
{
	const struct cni_request request = { .path = path,
					     .find_plugin = find_plugin,
					     .embedded = true };
	struct delegate delegate;
	struct error err = { 0 };

	if (delegate_locate(&request, type, &delegate, &err) < 0)
		add_problem(lint, false,
			    arena_printf(lint->networks->arena, "%s: %s", key, err.message));
}

/* The plugin's own judgement, of what a runtime would call it with. As in CHECK: what an ADD cannot do without may come from
 * the runtime. */
static void check_values(struct lint *lint, const struct json *config,
			 const struct cni_common *common, const struct cni_plugin *plugin,
			 void *conf)
{
	struct cni_request request = {
		.command = CNI_CHECK,
		.container = "container",
		.netns = "",
		.ifname = "eth0",
		.args = "",
		.path = "",
		.config_text = "",
		.config = (struct json *)config,
		.common = *common,
		.arena = lint->networks->arena,
	};
	struct error err = { 0 };

	request.common.cni_version = lint->network->version;
	request.common.name = lint->network->name;
	if (!plugin->validate || plugin->validate(&request, conf, &err) >= 0)
		return;
	add_problem(lint, false,
		    arena_printf(request.arena, " %s%s%s", err.message, *err.details ? "; " : "",
				 err.details));
}

static void check_keys(struct lint *lint, const struct json *config,
		       const struct cni_plugin *plugin, const struct cni_plugin *ipam)
{
	struct arena *arena = lint->networks->arena;
	const struct field *tables[4] = { cni_common_fields, runtime_fields, plugin->fields };
	struct cni_common common = { 0 };
	struct runtime_keys keys = { 0 };
	void *outs[4] = { &common, &keys, arena_alloc(arena, plugin->size + 1) };
	size_t n = plugin->fields ? 3 : 2;

	if (plugin->defaults)
		memcpy(outs[2], plugin->defaults, plugin->size);
	tables[n] = ipam && ipam->fields ? ipam->fields : any_ipam_fields;
	outs[n] = ipam && ipam->fields ? arena_alloc(arena, ipam->size + 1) : &keys;
	if (json_check(config, tables, n + 1, outs, arena, report, lint) < 0)
		return; /* all of it has been reported */
	check_values(lint, config, &common, plugin, outs[2]);
}

/* The capabilities that a plugin reads are the rows of its runtimeConfig. */
static size_t capability_names(const struct cni_plugin *plugin, const char **names, size_t n,
			       size_t max)
{
	const struct field *row =
		plugin && plugin->fields ? field_find(plugin->fields, "runtimeConfig") : NULL;

	if (row && row->type == FIELD_OBJECT)
		for (row = row->fields; row->type != FIELD_END && n < max; row++)
			names[n++] = row->key;
	return n;
}

static bool is_among(const char *word, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (streq(word, names[i]))
			return true;
	return false;
}

/* One that no plugin reads is passed over in silence by the runtime: the ports of a pod are not there, and nobody says why. */
static void check_capabilities(struct lint *lint, const struct json *config,
			       const struct cni_plugin *plugin, const struct cni_plugin *ipam)
{
	const struct json *capabilities = json_member(config, "capabilities");
	struct arena *arena = lint->networks->arena;
	const char *names[32], *nearest;
	size_t n = capability_names(plugin, names, 0, ARRAY_SIZE(names));

	n = capability_names(ipam, names, n, ARRAY_SIZE(names));
	for (void *i = json_first(capabilities); i; i = json_next(capabilities, i)) {
		const char *word = json_iter_key(i);

		if (is_among(word, names, n))
			continue;
		nearest = nearest_word(word, names, n);
		add_problem(lint, false,
			    arena_printf(arena, "capabilities.%s: not read by this plugin%s%s%s",
					 word, nearest ? "; did you mean \"" : "",
					 nearest ? nearest : "", nearest ? "\"?" : ""));
	}
}

/* What a plugin hands to another one is that one's keys, and so are the capabilities and addresses. */
static void lint_delegate(const struct lint *parent, const struct json *config,
			  const struct cni_plugin *plugin, const char *path,
			  cni_find_fn *find_plugin)
{
	struct arena *arena = parent->networks->arena;
	const struct json *delegate = json_member(config, plugin->delegate_key);
	const char *type = json_string(json_member(delegate, "type"));
	struct lint lint = *parent;
	const struct cni_plugin *other;

	if (!json_is_object(delegate))
		return;
	lint.where = arena_printf(arena, "%s%s%s", parent->where, *parent->where ? "." : "",
				  plugin->delegate_key);
	type = type ? type : plugin->delegate_type;
	check_exists(&lint, "type", type, path, find_plugin);
	other = find_plugin(type);
	if (other)
		check_keys(&lint, delegate, other, NULL);
}

static void lint_plugin(struct lint *lint, const struct json *config, const char *path,
			cni_find_fn *find_plugin)
{
	const char *type = json_string(json_member(config, "type"));
	const char *ipam_type = json_string(json_member(json_member(config, "ipam"), "type"));
	const struct cni_plugin *plugin = type ? find_plugin(type) : NULL,
				*ipam = ipam_type ? find_plugin(ipam_type) : NULL;

	if (!type || !*type)
		return;
	check_exists(lint, "type", type, path, find_plugin);
	if (ipam_type && *ipam_type)
		check_exists(lint, "ipam.type", ipam_type, path, find_plugin);
	if (plugin)
		check_keys(lint, config, plugin, ipam);
	if (plugin && plugin->delegate_key)
		lint_delegate(lint, config, plugin, path, find_plugin);
	else if (plugin)
		check_capabilities(lint, config, plugin, ipam);
	if (plugin && !plugin->delegate_key && !ipam_type &&
	    json_length(json_member(config, "ipam")) > 0)
		add_problem(lint, false, "ipam.type: missing, so that nobody gives out addresses");
}

void network_lint(struct networks *networks, struct network *network, const char *path,
		  cni_find_fn *find_plugin)
{
	size_t n_inline = json_length(json_member(network->document, "plugins"));

	for (size_t i = 0; i < network->plugins.n; i++) {
		struct lint lint = { .networks = networks, .network = network, .where = "" };

		if (network->plugins.items[i] != network->document)
			lint.where = arena_printf(
				networks->arena,
				i < n_inline ? "plugins[%zu]" : "plugins[%zu] (dropped in)", i);
		lint_plugin(&lint, network->plugins.items[i], path, find_plugin);
	}
}
