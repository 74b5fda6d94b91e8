/*
 * cni: a runtime in a command. It reads the network lists of a folder, runs their chains for a
 * namespace, and remembers what it did where libcni does, so that either side can remove what the
 * other made. Plugins are found in the plugin path; one that is not there is served by this binary
 * itself.
 */
#include "cni/chain.h"
#include "cni/listing.h"
#include "cni/netlint.h"
#include "cni/remembered.h"
#include "cni/restore.h"
#include "describe/applet.h"
#include "kernel/link.h"
#include "kernel/netns.h"

#include <errno.h>

struct options {
	const char *network, *netns;
	const char *conf_dir, *path, *ifname, *container_id, *args, *capability_args, *cache_dir;
	LIST(const char *) valid;
	bool alive, all;
	bool verbose, json;
};

static const struct options defaults = {
	.conf_dir = "/etc/cni/net.d",
	.path = "/opt/cni/bin",
	.ifname = "eth0",
	.cache_dir = "/var/lib/cni",
};

/* clang-format off */
#define ROW(key_, kind, member, help_, ...) \
	{ .key = (key_), .type = (kind), .offset = offsetof(struct options, member), \
	  .help = (help_), ##__VA_ARGS__ }

#define ROW_NETWORK \
	ROW("network", FIELD_STRING, network, "name of the network", \
	    .flags = FIELD_POSITIONAL | FIELD_REQUIRED, .noun = NOUN_NETWORK)
#define ROW_NETNS(flags_) \
	ROW("netns", FIELD_NETNS, netns, "namespace: name, path, pid or container id", \
	    .flags = FIELD_POSITIONAL | (flags_))
#define ROWS_WHERE \
	ROW("confDir",  FIELD_PATH,   conf_dir,  "folder of network lists", .env = "NETCONFPATH"), \
	ROW("path",     FIELD_PATH,   path,      "folders of plugins", .metavar = "DIR[:DIR]", .env = "CNI_PATH"), \
	ROW("cacheDir", FIELD_PATH,   cache_dir, "folder where attachments are remembered")
#define ROWS_ATTACHMENT \
	ROW("ifname", FIELD_STRING, ifname, "interface in the namespace", .env = "CNI_IFNAME", \
	    .noun = NOUN_ATTACHED), \
	ROW("containerId", FIELD_STRING, container_id, \
	    "container id (default: made from the namespace's path)", .metavar = "ID", .noun = NOUN_CONTAINER), \
	ROW("args", FIELD_STRING, args, "what plugins get as CNI_ARGS", .metavar = "K=V;K=V", .env = "CNI_ARGS"), \
	ROW("capabilityArgs", FIELD_STRING, capability_args, \
	    "a value for each capability that plugins declare", .metavar = "JSON", .env = "CAP_ARGS")
#define ROW_VERBOSE \
	ROW("verbose", FIELD_BOOL, verbose, "each plugin called, its file and time, on stderr", \
	    .letter = 'v')
#define ROW_JSON ROW("json", FIELD_BOOL, json, "JSON instead of text", .letter = 'j')

static const struct field attach_fields[] = {
	ROW_NETWORK, ROW_NETNS(FIELD_REQUIRED), ROWS_ATTACHMENT, ROWS_WHERE, ROW_VERBOSE, FIELDS_END
};
static const struct field detach_fields[] = {
	ROW_NETWORK, ROW_NETNS(0), ROWS_ATTACHMENT, ROWS_WHERE, ROW_VERBOSE, FIELDS_END
};
static const struct field gc_fields[] = {
	ROW_NETWORK,
	ROW("valid", FIELD_LIST, valid, "an attachment to keep",
	    .metavar = "ID:IFNAME", .element = FIELD_STRING, .size = sizeof(char *)),
	ROW("alive", FIELD_BOOL, alive, "keep attachments whose namespace is still there"),
	ROW("all",   FIELD_BOOL, all,   "keep none"),
	ROWS_WHERE, ROW_VERBOSE, FIELDS_END
};
static const struct field status_fields[] = {
	ROW_NETWORK, ROWS_WHERE, ROW_VERBOSE, ROW_JSON, FIELDS_END
};
static const struct field restore_fields[] = {
	ROW("network", FIELD_STRING, network, "name of the network (default: all)", .flags = FIELD_POSITIONAL,
	    .noun = NOUN_NETWORK),
	ROWS_WHERE, ROW_VERBOSE, ROW_JSON, FIELDS_END
};
static const struct field list_fields[] = { ROWS_WHERE, ROW_JSON, FIELDS_END };
/* clang-format on */

/* What every verb has in hand. */
struct session {
	struct invocation *call;
	const struct options *options;
	struct networks networks;
	const struct network *network;
	struct json *capabilities;
	struct chain chain;
};

static void session_close(struct session *session)
{
	json_release(take_ptr(session->capabilities));
	networks_release(&session->networks);
}

#define auto_session on_leave(session_close)

static void print_step(void *arg, const struct chain_step *step)
{
	const struct session *session = arg;
	const char *how = !step->file        ? "not found"
			  : !*step->file     ? "built in"
			  : step->in_process ? "in process"
					     : "executed";
	double ms = (double)step->microseconds / 1000;
	char line[sizeof(step->error->message)];

	if (!session->options->verbose)
		return;
	call_step(session->call, NULL);
	fprintf(stderr, "%s %s: %s%s%s, %.1f ms", step->command, step->type,
		step->file ? step->file : "", step->file && *step->file ? " " : "", how, ms);
	fprintf(stderr, step->error ? ": %s\n" : "\n",
		step->error ? error_line(step->error, line, sizeof(line)) : "");
}

static int read_capabilities(struct session *session, struct error *err)
{
	const char *text = session->options->capability_args;

	if (!text || !*text)
		return 0;
	session->capabilities = json_parse(text, strlen(text), err);
	if (!session->capabilities)
		return wrap(err, "--capability-args"), -USAGE_ERROR;
	if (!json_is_object(session->capabilities))
		return fail(err, USAGE_ERROR,
			    "--capability-args: expected a JSON object, such as "
			    "{\"portMappings\": [...]}");
	return 0;
}

static const char not_an_id[] =
	"is not a container id (letters, digits, '_', '.' and '-'; the first a letter or digit)";

/* Everything but the network lists. */
static int session_start(struct session *session, struct invocation *call,
			 const struct options *options, struct error *err)
{
	*session =
		(struct session){ .call = call, .options = options, .networks.arena = call->arena };
	session->chain = (struct chain){
		.ifname = options->ifname,
		.args = options->args ? options->args : "",
		.path = options->path,
		.cache_folder = options->cache_dir,
		.find_plugin = call->find_plugin,
		.arena = call->arena,
		.step = print_step,
		.arg = session,
	};
	if (options->ifname && cni_check_ifname(options->ifname, err) < 0)
		return wrap(err, "--ifname: \"%s\"", options->ifname), -USAGE_ERROR;
	if (options->container_id && !cni_valid_name(options->container_id))
		return fail(err, USAGE_ERROR, "--container-id: \"%s\" %s", options->container_id,
			    not_an_id);
	if (options->args && cni_check_args(options->args, err) < 0)
		return wrap(err, "--args"), -USAGE_ERROR;
	return read_capabilities(session, err);
}

static int load_networks(struct session *session, struct error *err)
{
	int r = networks_load(session->options->conf_dir, session->call->arena, &session->networks,
			      err);

	if (r == -ENOENT || r == -ENOTDIR)
		return fail(err, -r,
			    "no folder of networks \"%s\" (--conf-dir or NETCONFPATH sets it)",
			    session->options->conf_dir);
	return r;
}

static int find_network(struct session *session, struct error *err)
{
	int r = load_networks(session, err);

	session->chain.capability_args = session->capabilities;
	call_step(session->call, "asking the plugins"); /* DHCP takes seconds */
	return r < 0 ? r
		     : networks_find(&session->networks, session->options->network,
				     &session->network, err);
}

/* Where a namespace that has gone must have been. */
static const char *gone_netns(const char *word, struct arena *arena)
{
	if (strchr(word, '/'))
		return word;
	if (word[strspn(word, "0123456789")] == '\0')
		return arena_printf(arena, "/proc/%s/ns/net", word);
	return arena_printf(arena, "%s/%s", NETNS_RUN_DIR, word);
}

/* Which attachment DEL and CHECK are about. The namespace may have gone, if the attachment is
 * remembered. */
static int find_attachment(struct session *session, struct error *err)
{
	const struct options *options = session->options;
	struct arena *arena = session->call->arena;
	const char *other;
	char *path = NULL;
	int r = 0;

	if (!options->netns && !options->container_id)
		return fail(err, USAGE_ERROR,
			    "name the namespace, or the container with --container-id");
	if (options->netns)
		r = netns_resolve(options->netns, arena, &path, err);
	if (options->netns)
		session->chain.netns = r < 0 ? gone_netns(options->netns, arena) : path;
	session->chain.container = options->container_id;
	if (!session->chain.container)
		session->chain.container = remembered_default_id(session->chain.netns, arena);
	if (remembered_has(&session->chain, options->network))
		return 0;
	other = options->container_id || !session->chain.netns
			? NULL
			: remembered_by_netns(&session->chain, options->network);
	if (other)
		session->chain.container = other;
	return other ? 0 : r;
}

/* ADD would fail, and its roll back would take down what is in use, whoever made it: only lo is there for all. */
static int refuse_attached(const struct session *session, struct error *err)
{
	auto_netlink struct netlink *nl = NULL;
	auto_close int fd = -1;
	struct link link;
	bool ours = remembered_has(&session->chain, session->options->network);

	if ((!ours && streq(session->chain.ifname, "lo")) ||
	    netns_open(session->chain.netns, &fd, NULL) < 0 ||
	    netlink_open(&nl, NETLINK_SESSION_ROUTE, fd, NULL) < 0 ||
	    link_get(nl, session->chain.ifname, &link, NULL) < 0)
		return 0;
	if (!ours)
		return fail(err, EEXIST, "%s has an interface %s already; --ifname names another",
			    session->options->netns, session->chain.ifname);
	return fail(err, EEXIST,
		    "network \"%s\" is attached to %s as %s already; `cnibox cni del` removes it",
		    session->options->network, session->options->netns, session->chain.ifname);
}

static int run_add(struct invocation *call, void *opaque, struct error *err)
{
	const struct options *options = opaque;
	auto_session struct session session;
	auto_json struct json *result = NULL;
	char *path;
	int r = session_start(&session, call, options, err);

	if (r >= 0)
		r = find_network(&session, err);
	if (r >= 0)
		r = netns_resolve(options->netns, call->arena, &path, err);
	if (r < 0)
		return r;
	session.chain.netns = path;
	session.chain.container = options->container_id ? options->container_id
							: remembered_default_id(path, call->arena);
	r = refuse_attached(&session, err);
	if (r >= 0)
		r = chain_add(&session.chain, session.network, &result, err);
	call_step(call, NULL);
	if (r >= 0)
		fprintf(call->out, "%s\n",
			result_text(result, session.network->version, call->arena));
	return r;
}

/* A network whose file has gone is still known from its attachments. */
static int network_from_cache(struct session *session, struct error *err)
{
	const struct owner owner = { session->options->network, session->chain.container,
				     session->chain.ifname };
	auto_cached struct cached cached = { 0 };

	if (cache_read(session->options->cache_dir, &owner, session->call->arena, &cached, NULL) <
		    0 ||
	    !cached.config)
		return -err->errnum;
	return networks_add_text(&session->networks, cached.config, cached.config_size,
				 &session->network, err);
}

static int run_del(struct invocation *call, void *opaque, struct error *err)
{
	auto_session struct session session;
	int found, r = session_start(&session, call, opaque, err);

	if (r < 0)
		return r;
	found = find_network(&session, err);
	r = find_attachment(&session, found < 0 ? NULL : err);
	if (found < 0)
		r = r < 0 ? found : network_from_cache(&session, err);
	return r < 0 ? r : chain_del(&session.chain, session.network, err);
}

static int run_check(struct invocation *call, void *opaque, struct error *err)
{
	auto_session struct session session;
	int r = session_start(&session, call, opaque, err);

	if (r >= 0)
		r = find_network(&session, err);
	if (r >= 0)
		r = find_attachment(&session, err);
	return r < 0 ? r : chain_check(&session.chain, session.network, err);
}

static int add_valid(const char *word, struct arena *arena, owners_t *valid, struct error *err)
{
	const char *colon = strchr(word, ':');
	struct owner *owner;

	if (!colon || colon == word || !colon[1])
		return fail(err, USAGE_ERROR, "--valid: \"%s\" is not ID:IFNAME", word);
	owner = list_add(arena, valid);
	owner->container = arena_printf(arena, "%.*s", (int)(colon - word), word);
	owner->ifname = colon + 1;
	if (!cni_valid_name(owner->container))
		return fail(err, USAGE_ERROR, "--valid: \"%s\" %s", owner->container, not_an_id);
	if (cni_check_ifname(owner->ifname, err) < 0)
		return wrap(err, "--valid: \"%s\"", word), -USAGE_ERROR;
	return 0;
}

static int run_gc(struct invocation *call, void *opaque, struct error *err)
{
	const struct options *options = opaque;
	auto_session struct session session;
	owners_t valid = { 0 };
	unsigned n = 0;
	int r = session_start(&session, call, options, err);

	if (r < 0)
		return r;
	if (options->valid.n + options->alive == 0 && !options->all)
		return fail(
			err, USAGE_ERROR,
			"say what to keep: --valid ID:IFNAME, --alive, or --all to keep nothing");
	if (options->all && options->valid.n + options->alive)
		return fail(err, USAGE_ERROR,
			    "--all keeps nothing; it does not go with --valid or --alive");
	list_each(word, &options->valid)
		if ((r = add_valid(*word, call->arena, &valid, err)) < 0)
			return r;
	r = find_network(&session, err);
	if (r >= 0 && options->alive)
		r = remembered_alive(&session.chain, options->network, &valid, err);
	if (r >= 0)
		r = chain_gc(&session.chain, session.network, &valid, &n, err);
	call_step(call, NULL);
	if (options->verbose)
		fprintf(stderr, "attachments removed: %u\n", n);
	return r;
}

struct status {
	struct session *session;
	status_rows_t rows;
};

static void collect_status(void *arg, const struct chain_step *step)
{
	struct status *status = arg;

	print_step(status->session, step);
	status_add(&status->rows, step, status->session->call->arena);
}

static int run_status(struct invocation *call, void *opaque, struct error *err)
{
	const struct options *options = opaque;
	auto_session struct session session;
	struct status status = { .session = &session };
	int r = session_start(&session, call, options, err);

	if (r >= 0)
		r = find_network(&session, err);
	if (r < 0)
		return r;
	session.chain.step = collect_status;
	session.chain.arg = &status;
	r = chain_status(&session.chain, session.network, err);
	call_step(call, NULL);
	status_print(&status.rows, call->out, options->json);
	return r;
}

/* A name without attachments is right when there is such a network. */
static int check_name(struct session *session, struct error *err)
{
	networks_release(&session->networks);
	session->networks = (struct networks){ .arena = session->call->arena };
	return find_network(session, err);
}

/* Attachments bring their networks along; those in the folder are for what an old runtime left. */
static int run_restore(struct invocation *call, void *opaque, struct error *err)
{
	const struct options *options = opaque;
	auto_session struct session session;
	restore_rows_t rows = { 0 };
	bool failed = false;
	int r = session_start(&session, call, options, err);

	if (r < 0)
		return r;
	if (load_networks(&session, NULL) < 0)
		session.networks.folder = options->conf_dir;
	r = restore_attachments(&session.chain, &session.networks, options->network, &rows, &failed,
				err);
	if (r >= 0 && options->network && !rows.n)
		r = check_name(&session, err);
	if (r >= 0 || rows.n)
		restore_print(&rows, call->out, options->json);
	return r < 0 ? r : failed;
}

static int run_list(struct invocation *call, void *opaque, struct error *err)
{
	const struct options *options = opaque;
	auto_session struct session session;
	auto_cached_list cached_list_t remembered = { 0 };
	struct listing listing = { 0 };
	const struct netlint how = { .path = options->path, .find_plugin = call->find_plugin };
	int r = session_start(&session, call, options, err);

	if (r >= 0)
		r = load_networks(&session, err);
	if (r < 0)
		return r;
	/* Who may not see the attachments sees the networks. */
	r = cache_list(options->cache_dir, false, call->arena, &remembered, err);
	list_each(network, &session.networks.all)
		network_lint(&session.networks, network, &how);
	listing_make(&listing, &session.networks, &remembered, call->arena);
	listing_print(&listing, call->out, options->json);
	if (r >= 0 && !options->json && !listing.networks.n && !listing.attachments.n)
		fprintf(stderr, "no networks in %s, and no attachments in %s/results\n",
			options->conf_dir, options->cache_dir);
	return r < 0 ? r : listing.unusable;
}

#define VERB(name_, summary_, table, needs_, function)                                          \
	{                                                                                       \
		.name = (name_), .summary = (summary_), .fields = (table),                      \
		.size = sizeof(struct options), .defaults = &defaults, .needs = NEEDS_##needs_, \
		.run = (function)                                                               \
	}

/* clang-format off */
static const struct verb verbs[] = {
	VERB("add",    "attach a namespace to a network",            attach_fields, SYS_ADMIN,  run_add),
	VERB("del",    "detach it again",                            detach_fields, SYS_ADMIN,  run_del),
	VERB("check",  "is the attachment still as it was made",     detach_fields, SYS_ADMIN,  run_check),
	VERB("gc",     "remove what attachments left that are gone", gc_fields,     SYS_ADMIN,  run_gc),
	VERB("status", "can the network take more attachments",      status_fields, NOTHING,    run_status),
	VERB("restore", "put back rules that somebody flushed",      restore_fields, SYS_ADMIN, run_restore),
	VERB("list",   "networks with their problems, attachments",  list_fields,   NOTHING,    run_list),
	{ 0 }
};
static const struct lister lists[] = {
	{ NOUN_NETWORK,   "list", "networks.name" },
	{ NOUN_CONTAINER, "list", "attachments.container" },
	{ NOUN_ATTACHED,  "list", "attachments.ifname" },
	{ 0 }
};
/* clang-format on */

const struct applet applet_cni = {
	.summary = "attach namespaces to networks, as a runtime does",
	.about =
		"Reads network lists (*.conf, *.conflist, *.json) from a folder, runs their plugins "
		"for a namespace and remembers attachments where libcni does, so that either can "
		"remove what the other made.\n\n"
		"Plugins are looked for in the plugin path; one that is not there but part of this "
		"binary runs from it, so that no plugin folder is needed. --verbose tells which.\n\n"
		"restore is for after `nft flush ruleset`, `iptables -F` or `firewall-cmd --reload`: each "
		"plugin of each remembered attachment puts back the rules of its own that are missing; "
		"what is there is left alone. It exits with status 1 when one could not, and names "
		"plugins that are not part of this binary, as they cannot be asked.\n\n"
		"list exits with status 1 when a network is unusable.",
	.example = "ip netns add blue\n"
		   "cnibox cni add mynet blue\n"
		   "cnibox cni list\n"
		   "cnibox cni del mynet blue",
	.verbs = verbs,
	.lists = lists,
};
