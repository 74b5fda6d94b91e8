/*
 * Lint of network lists. A plugin's keys are those of its own table, those common to all, those
 * that only the runtime reads and, below ipam, those of its address plugin. What else there is to say, the plugins say
 * themselves: by the checks that a call makes, and in words.
 */
#include "cni/netlint.h"

#include "base/text.h"
#include "cni/delegate.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

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
	const struct netlint *how;
	struct arena *arena;
	const struct networks *networks;
	struct network *network;
	const char *where; /* "plugins[1]", "" for a file with one plugin */
	const char *type;
	size_t number; /* in the chain */
};

/* One plugin of the chain, or its address plugin, with the configuration as it decoded it. */
struct part {
	const struct cni_plugin *plugin;
	const char *type;
	void *conf;
};

static void blame(const struct lint *lint, bool is_error, const char *key, const char *text)
{
	bool joined = *lint->where && *key && *key != '[';
	const char *path = arena_printf(lint->arena, "%s%s%s", lint->where, joined ? "." : "", key);

	network_blame(lint->arena, lint->network, is_error, path, text);
}

static void report(void *arg, bool is_error, const char *text)
{
	const struct lint *lint = arg;

	network_report(lint->arena, lint->network, is_error, lint->where, text);
}

static void take_warning(void *arg, const char *key, const char *text)
{
	blame(arg, false, key, text);
}

/* ---- the plugin's file ---- */

static bool any_folder(const char *path, struct arena *arena)
{
	char *rest = arena_strdup(arena, path);
	struct stat folder;

	for (char *word; (word = strsep(&rest, ":"));)
		if (*word && stat(word, &folder) == 0 && S_ISDIR(folder.st_mode))
			return true;
	return false;
}

/* A node without plugin folders is none, but where somebody writes for one. */
static void check_exists(const struct lint *lint, const char *key, const char *type)
{
	const struct netlint *how = lint->how;
	const struct cni_request request = { .path = how->path,
					     .find_plugin = how->find_plugin,
					     .embedded = true };
	const char *nearest = nearest_word(type, how->names, how->n_names);
	struct delegate delegate = { 0 };
	struct error err = { 0 };

	if (delegate_locate(&request, type, &delegate, &err) < 0)
		blame(lint, true, key,
		      nearest ? arena_printf(lint->arena, "%s; did you mean \"%s\"?", err.message,
					     nearest)
			      : err.message);
	else if (how->strict && !*delegate.path && any_folder(how->path, lint->arena))
		blame(lint, false, key,
		      arena_printf(lint->arena,
				   "\"%s\" is not in %s, where a runtime looks: `cnibox install`",
				   type, how->path));
}

/* ---- its keys and values ---- */

/* An ADD that is thought of. What it cannot do without may come from the runtime. */
static struct cni_request request_of(const struct lint *lint, const struct json *config,
				     const struct cni_common *common)
{
	static const char nothing[] = "";
	struct cni_request request = {
		.command = CNI_ADD,
		.container = "container",
		.netns = nothing,
		.ifname = "eth0",
		.args = nothing,
		.path = nothing,
		.config_text = nothing,
		.config = (struct json *)config,
		.common = *common,
		.arena = lint->arena,
		.capabilities = json_member(config, "capabilities"),
	};

	request.common.cni_version = lint->network->version;
	request.common.name = lint->network->name ? lint->network->name : nothing;
	if (lint->number) /* that there is one is all that counts before anything acts */
		request.common.prev_result = (struct json *)config;
	return request;
}

/* The plugin's own judgement. That this machine lacks something is not the configuration's fault. */
static bool check_values(const struct lint *lint, const struct cni_request *request,
			 const struct part *part)
{
	struct error err = { 0 };

	if (plugin_validate(part->plugin, request, part->conf, &err) >= 0)
		return true;
	network_refuse(lint->arena, lint->network, err.errnum != ENOENT, lint->where, &err);
	return false;
}

static void check_version(const struct lint *lint, const struct cni_plugin *plugin,
			  const struct cni_request *request)
{
	struct error err = { 0 };

	if (!cni_version_known(lint->network->version) ||
	    plugin_supports(plugin, request, &err) >= 0)
		return;
	network_blame(lint->arena, lint->network, true, "cniVersion",
		      arena_printf(lint->arena, "%s (plugin %s): %s", err.message, lint->type,
				   err.details));
}

/* ---- in words ---- */

static void say(const struct lint *lint, const char *type, const char *text)
{
	*list_add(lint->arena, &lint->network->words) =
		arena_printf(lint->arena, "%s: %s", type, text);
}

/* One that says nothing of its configuration has its summary. */
static void say_all(const struct lint *lint, const char *type, struct advice *advice)
{
	const struct netlint *how = lint->how;

	for (size_t i = 0; i < how->n_names && !advice->words.n; i++)
		if (streq(how->names[i], type))
			say(lint, type, how->summaries[i]);
	list_each(word, &advice->words)
		say(lint, type, *word);
	advice->words.n = 0;
	advice->words.items = NULL;
}

static void say_routes(const struct lint *lint, const struct advice *advice)
{
	char dst[CIDR_TEXT_SIZE], gateway[IP_TEXT_SIZE];
	const char *text = NULL;

	list_each(route, &advice->result.routes) {
		const struct ip *via = &route->gw;

		list_each(ip, &advice->result.ips)
			if (!via->family && ip->address.ip.family == route->dst.ip.family)
				via = &ip->gateway;
		text = arena_printf(lint->arena, "%s%s%s%s%s", text ? text : "", text ? ", " : "",
				    route->dst.prefix ? cidr_format(&route->dst, dst) : "default",
				    via->family ? " via " : "",
				    via->family ? ip_format(via, gateway) : "");
	}
	if (text)
		say(lint, "routes", text);
	else if (advice->result.ips.n)
		say(lint, "routes", "none, so that no more than the own subnet is reached");
}

static void check_gateways(const struct lint *lint, const struct advice *advice)
{
	char gateway[IP_TEXT_SIZE], subnet[CIDR_TEXT_SIZE];

	list_each(ip, &advice->result.ips)
		if (ip->gateway.family && !cidr_contains(&ip->address, &ip->gateway))
			blame(lint, false, "ipam",
			      arena_printf(lint->arena,
					   "gateway %s is not in %s: no route leads to it",
					   ip_format(&ip->gateway, gateway),
					   cidr_format(&ip->address, subnet)));
}

/* The kernel takes a route only by a gateway that it has on a link. */
static bool reaches(const struct cni_result *result, const struct ip *gateway)
{
	list_each(ip, &result->ips)
		if (cidr_contains(&ip->address, gateway))
			return true;
	list_each(route, &result->routes)
		if (!route->gw.family && route->dst.prefix && cidr_contains(&route->dst, gateway))
			return true;
	return false;
}

static void check_routes(const struct lint *lint, const struct advice *advice)
{
	char dst[CIDR_TEXT_SIZE], gateway[IP_TEXT_SIZE];

	list_each(route, &advice->result.routes) {
		bool told = !advice->result.ips.n;

		list_each(ip, &advice->result.ips)
			told |= ip_equal(&ip->gateway, &route->gw);
		if (told || !route->gw.family || reaches(&advice->result, &route->gw))
			continue;
		blame(lint, false, "ipam",
		      arena_printf(lint->arena,
				   "%s via %s: no subnet leads to that gateway: ADD fails",
				   route->dst.prefix ? cidr_format(&route->dst, dst) : "default",
				   ip_format(&route->gw, gateway)));
	}
}

static void lint_delegated(const struct lint *parent, struct json *config);

/* The address plugin speaks first, and is heard last. */
static void explain(const struct lint *lint, const struct cni_request *request,
		    const struct part *plugin, const struct part *ipam)
{
	struct advice advice = { .arena = lint->arena, .warn = take_warning, .arg = (void *)lint };
	auto_json struct json *delegate = NULL;
	strings_t later;

	list_each(network, &lint->networks->all)
		if (network->name)
			*list_add(lint->arena, &advice.networks) = network->name;
	if (ipam->plugin && ipam->plugin->explain)
		ipam->plugin->explain(request, ipam->conf, &advice);
	later = advice.words;
	advice.words = (strings_t){ 0 };
	if (plugin->plugin->explain)
		plugin->plugin->explain(request, plugin->conf, &advice);
	delegate = advice.delegate;
	say_all(lint, plugin->type, &advice);
	advice.words = later;
	if (ipam->plugin)
		say_all(lint, ipam->type, &advice);
	if (!plugin->plugin->chained)
		say_routes(lint, &advice);
	check_gateways(lint, &advice);
	check_routes(lint, &advice);
	if (delegate)
		lint_delegated(lint, delegate);
}

/* ---- one plugin ---- */

static void *conf_of(const struct cni_plugin *plugin, struct arena *arena)
{
	void *conf = arena_alloc(arena, plugin->size + 1);

	if (plugin->defaults)
		memcpy(conf, plugin->defaults, plugin->size);
	return conf;
}

static void lint_parts(const struct lint *lint, const struct json *config, struct part *plugin,
		       struct part *ipam)
{
	const struct field *tables[5] = { cni_common_fields, runtime_fields };
	struct cni_common common = { 0 };
	struct runtime_keys keys = { 0 };
	void *outs[5] = { &common, &keys };
	struct cni_request request;
	size_t n = 2;
	bool right;

	plugin->conf = outs[n] = conf_of(plugin->plugin, lint->arena);
	if (plugin->plugin->fields)
		tables[n++] = plugin->plugin->fields;
	if (ipam->plugin)
		ipam->conf = conf_of(ipam->plugin, lint->arena);
	outs[n] = ipam->plugin ? ipam->conf : (void *)&keys;
	if (ipam->plugin)
		tables[n++] = ipam->plugin->fields;
	else if (!plugin->plugin->is_ipam)
		tables[n++] = any_ipam_fields;
	right = json_check(config, tables, n, outs, lint->arena, report, (void *)lint) >= 0;
	request = request_of(lint, config, &common);
	if (right)
		check_version(lint, plugin->plugin, &request);
	if (!right)
		return;
	right = check_values(lint, &request, plugin);
	if ((!ipam->plugin || check_values(lint, &request, ipam)) && right)
		explain(lint, &request, plugin, ipam);
}

/* ---- capabilities ---- */

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
static void check_capabilities(const struct lint *lint, const struct json *config,
			       const struct cni_plugin *plugin, const struct cni_plugin *ipam)
{
	const struct json *capabilities = json_member(config, "capabilities");
	const char *names[32], *nearest;
	size_t n = capability_names(plugin, names, 0, ARRAY_SIZE(names));

	n = capability_names(ipam, names, n, ARRAY_SIZE(names));
	if (capabilities && !json_is_object(capabilities))
		blame(lint, true, "capabilities",
		      "expected an object, such as {\"portMappings\": true}");
	for (void *i = json_first(capabilities); i; i = json_next(capabilities, i)) {
		const char *word = json_iter_key(i);

		if (is_among(word, names, n))
			continue;
		nearest = nearest_word(word, names, n);
		blame(lint, false, arena_printf(lint->arena, "capabilities.%s", word),
		      arena_printf(lint->arena, "not read by this plugin%s%s%s",
				   nearest ? "; did you mean \"" : "", nearest ? nearest : "",
				   nearest ? "\"?" : ""));
	}
}

/* ---- delegates ---- */

/* What a plugin hands to another one is that one's keys, and so are the capabilities. Addresses come from the plugin. */
static void lint_delegate(const struct lint *parent, const struct json *config,
			  const struct cni_plugin *plugin)
{
	const struct json *delegate = json_member(config, plugin->delegate_key);
	const char *type = json_string(json_member(delegate, "type"));
	struct lint lint = *parent;
	struct cni_common common = { .ipam.type = "host-local" };
	struct cni_request request;
	struct part other = { 0 };
	struct runtime_keys keys = { 0 };

	if (!json_is_object(delegate))
		return;
	lint.where = arena_printf(lint.arena, "%s%s%s", parent->where, *parent->where ? "." : "",
				  plugin->delegate_key);
	lint.type = other.type = type ? type : plugin->delegate_type;
	check_exists(&lint, "type", other.type);
	other.plugin = lint.how->find_plugin(other.type);
	if (!other.plugin || !other.plugin->fields)
		return;
	other.conf = conf_of(other.plugin, lint.arena);
	request = request_of(&lint, delegate, &common);
	if (json_check(delegate,
		       (const struct field *const[]){ cni_common_fields, runtime_fields,
						      other.plugin->fields },
		       3, (void *const[]){ &request.common, &keys, other.conf }, lint.arena, report,
		       &lint) < 0)
		return;
	request = request_of(&lint, delegate, &common);
	check_values(&lint, &request, &other);
}

/* What a plugin would hand to another one now: in words alone, since its values are not the file's. */
static void lint_delegated(const struct lint *parent, struct json *config)
{
	const char *type = json_string(json_member(config, "type"));
	const char *ipam_type = json_string(json_member(json_member(config, "ipam"), "type"));
	struct network scratch = { .name = parent->network->name,
				   .version = parent->network->version };
	struct lint lint = *parent;
	struct part plugin = { .type = type }, ipam = { .type = ipam_type };

	plugin.plugin = type ? lint.how->find_plugin(type) : NULL;
	ipam.plugin = ipam_type ? lint.how->find_plugin(ipam_type) : NULL;
	lint.network = &scratch;
	lint.type = type;
	if (!plugin.plugin || plugin.plugin->delegate_key)
		return;
	lint_parts(&lint, config, &plugin, &ipam);
	list_each(word, &scratch.words)
		*list_add(lint.arena, &parent->network->words) = *word;
}

/* ---- the place in the chain ---- */

/* Two that make the same interface, and addresses from a plugin that gives none. */
static void check_place(const struct lint *lint, const struct part *plugin, const struct part *ipam)
{
	const documents_t *chain = &lint->network->plugins;

	if (plugin->plugin->is_ipam)
		blame(lint, false, "type",
		      arena_printf(lint->arena, "%s gives out addresses: it belongs below \"ipam\"",
				   plugin->type));
	if (ipam->plugin && !ipam->plugin->is_ipam)
		blame(lint, true, "ipam.type",
		      arena_printf(lint->arena, "%s does not give out addresses", ipam->type));
	if (plugin->plugin->chained || plugin->plugin->passes_on || plugin->plugin->is_ipam)
		return;
	for (size_t i = 0; i < lint->number; i++) {
		const char *type = json_string(json_member(chain->items[i], "type"));
		const struct cni_plugin *before = type ? lint->how->find_plugin(type) : NULL;

		if (!before || before->chained || before->passes_on || before->is_ipam)
			continue;
		blame(lint, false, "type",
		      arena_printf(
			      lint->arena,
			      "%s makes an interface, as plugins[%zu] does: ADD finds the name taken",
			      plugin->type, i));
		return;
	}
}

static void lint_plugin(const struct lint *lint, const struct json *config)
{
	const char *ipam_type = json_string(json_member(json_member(config, "ipam"), "type"));
	cni_find_fn *find_plugin = lint->how->find_plugin;
	struct part plugin = { .plugin = find_plugin(lint->type), .type = lint->type };
	struct part ipam = { .type = ipam_type };

	check_exists(lint, "type", lint->type);
	if (ipam_type && *ipam_type)
		check_exists(lint, "ipam.type", ipam_type);
	if (ipam_type && !(plugin.plugin && plugin.plugin->is_ipam))
		ipam.plugin = find_plugin(ipam_type);
	if (!plugin.plugin)
		return;
	check_place(lint, &plugin, &ipam);
	lint_parts(lint, config, &plugin, &ipam);
	if (plugin.plugin->delegate_key)
		lint_delegate(lint, config, plugin.plugin);
	else
		check_capabilities(lint, config, plugin.plugin, ipam.plugin);
	if (!plugin.plugin->delegate_key && !ipam_type &&
	    json_length(json_member(config, "ipam")) > 0)
		blame(lint, false, "ipam.type", "missing, so that nobody gives out addresses");
}

/* ---- the list ---- */

/* A key of the list that one of its plugins has was written one level too high. */
static void check_list_keys(struct network *network, const struct netlint *how, struct arena *arena)
{
	list_each(problem, &network->problems) {
		const char *key =
			arena_printf(arena, "%.*s", (int)problem->path_len, problem->text);

		for (size_t i = 0; i < network->plugins.n && *key && !strchr(key, '['); i++) {
			const char *type =
				json_string(json_member(network->plugins.items[i], "type"));
			const struct cni_plugin *plugin = type ? how->find_plugin(type) : NULL;

			if (!strstr(problem->text, ": unknown key") || !plugin ||
			    !(field_find(runtime_fields, key) ||
			      (plugin->fields && field_find(plugin->fields, key))))
				continue;
			problem->text = arena_printf(
				arena, "%s: unknown key; it belongs into plugins[%zu] (%s)", key, i,
				type);
			break;
		}
	}
}

void network_lint(struct networks *networks, struct network *network, const struct netlint *how)
{
	size_t n_inline = json_length(json_member(network->document, "plugins"));
	struct arena *arena = networks->arena;

	if (network->plugins.n && network->plugins.items[0] != network->document)
		check_list_keys(network, how, arena);
	if (network->plugins.n && !json_member(network->document, "cniVersion") &&
	    !json_member(network->document, "cniVersions"))
		network_blame(arena, network, false, "cniVersion",
			      arena_printf(arena,
					   "missing; it means %s, which has no CHECK and no GC",
					   network->version));
	for (size_t i = 0; i < network->plugins.n; i++) {
		const struct json *config = network->plugins.items[i];
		struct lint lint = { .how = how,
				     .arena = arena,
				     .networks = networks,
				     .network = network,
				     .where = "",
				     .type = json_string(json_member(config, "type")),
				     .number = i };

		if (config != network->document)
			lint.where = arena_printf(
				arena, i < n_inline ? "plugins[%zu]" : "plugins[%zu] (dropped in)",
				i);
		if (lint.type && *lint.type)
			lint_plugin(&lint, config);
	}
}
