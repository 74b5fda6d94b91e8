/*
 * The harness: everything that all CNI plugins have in common, so that a plugin file holds its own
 * business only. Nothing but the answer ever reaches stdout: a result, the version object or one
 * error object.
 */
#include "cni/plugin.h"

#include "base/file.h"
#include "base/log.h"
#include "kernel/netns.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>

#define STDIN_MAX ((size_t)4 << 20)

/* Commands that came after ADD and DEL, and the first CNI version that has them. */
static const char *const command_since[CNI_N_COMMANDS] = {
	[CNI_CHECK] = "0.4.0",
	[CNI_GC] = "1.1.0",
	[CNI_STATUS] = "1.1.0",
};

static const char *oldest(const struct cni_plugin *plugin)
{
	return plugin->oldest ? plugin->oldest : cni_versions[0];
}

static bool supports(const struct cni_plugin *plugin, const char *version)
{
	return cni_version_known(version) && cni_version_compare(version, oldest(plugin)) >= 0;
}

/* The supported versions, quoted or bare, with something between them. */
static char *versions_text(const struct cni_plugin *plugin, const char *quote, const char *between,
			   struct arena *arena)
{
	char *text = arena_strdup(arena, "");

	for (size_t i = 0; i < cni_n_versions; i++)
		if (supports(plugin, cni_versions[i]))
			text = arena_printf(arena, "%s%s%s%s%s", text, *text ? between : "", quote,
					    cni_versions[i], quote);
	return text;
}

/* Does the version have this command at all? Comes first, with words of its own. */
static int check_command_version(const char *version, enum cni_command command, struct error *err)
{
	const char *name = cni_command_names[command], *since = command_since[command];

	if (!since)
		return 0;
	if (!cni_version_valid(version))
		return fail_code(
			err, CNI_DECODE_FAILURE, EINVAL,
			"invalid version \"%s\": three numbers with dots between are expected",
			version);
	if (cni_version_compare(version, since) < 0)
		return fail_code(err, CNI_INCOMPATIBLE_VERSION, EINVAL,
				 "config version does not allow %s", name);
	if (cni_version_compare(version, CNI_VERSION_NEWEST) > 0)
		return fail_code(err, CNI_INCOMPATIBLE_VERSION, EINVAL,
				 "plugin version does not allow %s", name);
	return 0;
}

int plugin_supports(const struct cni_plugin *plugin, const struct cni_request *request,
		    struct error *err)
{
	auto_arena struct arena arena = { 0 };
	const char *version = request_version(request), *details;

	if (supports(plugin, version))
		return 0;
	details = arena_printf(&arena, "config is \"%s\", plugin supports [%s]", version,
			       versions_text(plugin, "\"", " ", &arena));
	return cni_fail(err, CNI_INCOMPATIBLE_VERSION, details, "incompatible CNI versions");
}

static int check_versions(const struct cni_plugin *plugin, const struct cni_request *request,
			  struct error *err)
{
	int r = check_command_version(request_version(request), request->command, err);

	return r < 0 ? r : plugin_supports(plugin, request, err);
}

/*
 * A runtime that passes the host's own namespace would have us rename, move or take down the host's
 * links. The reference finds out after the work is done; nothing has been touched here. What cannot
 * be opened is left to the verbs, which know whether that matters.
 */
static int check_namespace(const struct cni_request *request, struct error *err)
{
	auto_close int fd = -1;
	bool concerned = request->command == CNI_ADD || request->command == CNI_DEL;

	if (!concerned || request->netns_override || !*request->netns)
		return 0;
	if (netns_open(request->netns, &fd, NULL) < 0 || !netns_is_current(fd))
		return 0;
	return fail_code(err, CNI_INVALID_NETNS, EINVAL,
			 "plugin's netns and netns from CNI_NETNS should not be the same");
}

/* Of ADD: what must be around the plugin. */
static int check_place(const struct cni_plugin *plugin, const struct cni_request *request,
		       struct error *err)
{
	bool prev = request->common.prev_result;

	if (plugin->chained && !prev)
		return request_unchained(plugin->chained, err);
	if (plugin->needs_ipam && !request_has_ipam(request) &&
	    !(plugin->takes_prev_addresses && prev))
		return request_lacks_ipam(plugin->needs_ipam, err);
	return 0;
}

int plugin_validate(const struct cni_plugin *plugin, const struct cni_request *request, void *conf,
		    struct error *err)
{
	int r = plugin->validate ? plugin->validate(request, conf, err) : 0;

	return r < 0 || request->command != CNI_ADD ? r : check_place(plugin, request, err);
}

/* The plugin's own keys, decoded and validated; in the request's arena. */
static int load_config(const struct cni_plugin *plugin, const struct cni_request *request,
		       void **conf, struct error *err)
{
	bool removing = request->command == CNI_DEL || request->command == CNI_GC;
	const struct field *fields =
		removing && plugin->del_fields ? plugin->del_fields : plugin->fields;
	int r = 0;

	*conf = arena_alloc(request->arena, plugin->size ? plugin->size : 1);
	if (plugin->defaults)
		memcpy(*conf, plugin->defaults, plugin->size);
	if (fields)
		r = json_decode(request->config, fields, *conf, request->arena, err);
	if (r < 0)
		return plugin->load_context ? wrap(err, "%s", plugin->load_context) : r;
	return plugin_validate(plugin, request, *conf, err);
}

static int run_verb(const struct cni_plugin *plugin, struct cni_request *request, void *conf,
		    struct cni_result *result, struct error *err)
{
	switch (request->command) {
	case CNI_ADD: return plugin->add(request, conf, result, err);
	case CNI_DEL: return plugin->del(request, conf, err);
	case CNI_CHECK: return plugin->check ? plugin->check(request, conf, err) : 0;
	case CNI_GC:
		/* No list means that the runtime said nothing, not that nothing is valid. */
		return plugin->gc && request->common.has_attachments
			       ? plugin->gc(request, conf, err)
			       : 0;
	case CNI_STATUS: return plugin->status ? plugin->status(request, conf, err) : 0;
	case CNI_VERSION:
	case CNI_N_COMMANDS:
	default: return fail_code(err, CNI_INVALID_ENVIRONMENT, EINVAL, "unknown CNI_COMMAND");
	}
}

/* Configuration, then the verb. *conf stays valid for a roll back. */
static int load_and_run(const struct cni_plugin *plugin, struct cni_request *request, void **conf,
			struct cni_result *result, struct error *err)
{
	int r = load_config(plugin, request, conf, err);

	return r < 0 ? r : run_verb(plugin, request, *conf, result, err);
}

/* A result that the configuration's version cannot express is worth nothing: give everything
 * back. */
static int encode_or_undo(const struct cni_plugin *plugin, struct cni_request *request, void *conf,
			  const struct cni_result *result, struct json **reply, struct error *err)
{
	int r = result_to_json(result, request_version(request), reply, err);
	struct error later = { 0 };

	if (r >= 0)
		return 0;
	request->command = CNI_DEL;
	if (plugin->del(request, conf, &later) < 0)
		error_join(err, &later);
	request->command = CNI_ADD;
	return r;
}

static int print_versions(const struct cni_plugin *plugin, struct arena *arena, struct error *err)
{
	const char *text =
		arena_printf(arena, "{\"cniVersion\":\"%s\",\"supportedVersions\":[%s]}\n",
			     CNI_VERSION_NEWEST, versions_text(plugin, "\"", ",", arena));
	int r = fd_write_all(STDOUT_FILENO, text, strlen(text));

	if (r < 0)
		return fail_code(err, CNI_IO_FAILURE, -r, "error writing the version to stdout: %s",
				 strerror(-r));
	return 0;
}

/* Who started it by hand, or as a health check of an image, gets told what it is. */
static int print_about(const char *name, const struct cni_plugin *plugin,
		       const char *program_version, struct arena *arena)
{
	fprintf(stderr, "CNI %s plugin %s%s\nCNI protocol versions supported: %s\n", name,
		*program_version == 'v' ? "" : "v", program_version,
		versions_text(plugin, "", ", ", arena));
	return 0;
}

static int read_config(struct cni_request *request, struct error *err)
{
	char *text;
	int r = fd_read_all(STDIN_FILENO, STDIN_MAX, request->arena, &text, &request->config_size,
			    err);

	if (r < 0) {
		if (err)
			err->code = CNI_IO_FAILURE;
		return wrap(err, "error reading from stdin");
	}
	request->config_text = text;
	return request_decode(request, err);
}

/* A result that nobody got is worth nothing, either. */
static void take_back(const struct cni_plugin *plugin, struct cni_request *request,
		      struct error *err)
{
	struct cni_result none = { 0 };
	struct error later = { 0 };
	void *conf;

	request->command = CNI_DEL;
	if (load_and_run(plugin, request, &conf, &none, &later) < 0)
		error_join(err, &later);
	request->command = CNI_ADD;
}

static int print_result(const struct cni_request *request, const struct json *reply,
			struct error *err)
{
	const char *text = result_text(reply, request_version(request), request->arena);
	int r = fd_write_all(STDOUT_FILENO, text, strlen(text));

	if (r < 0)
		return fail_code(err, CNI_IO_FAILURE, -r, "error writing the result to stdout: %s",
				 strerror(-r));
	return 0;
}

static int answer(const struct cni_plugin *plugin, struct cni_request *request, struct error *err)
{
	auto_json struct json *reply = NULL;
	int r;

	if (request->command == CNI_VERSION)
		return print_versions(plugin, request->arena, err);
	r = read_config(request, err);
	if (r < 0)
		return r;
	if (request->command == CNI_N_COMMANDS)
		return fail_code(err, CNI_INVALID_ENVIRONMENT, EINVAL, "unknown CNI_COMMAND: %s",
				 getenv("CNI_COMMAND"));
	r = plugin_reply(plugin, request, &reply, err);
	if (r < 0 || !reply)
		return r;
	r = print_result(request, reply, err);
	if (r < 0)
		take_back(plugin, request, err);
	return r;
}

/* The answer of last resort also goes to stderr, for the case that stdout is what is broken. */
static void print_error(const struct cni_request *request, const struct error *err)
{
	const char *version = request->config ? request_version(request) : NULL;
	const char *text = plugin_error_text(err, version, request->arena);

	if (fd_write_all(STDOUT_FILENO, text, strlen(text)) < 0)
		log_error("%s", err->message);
}

int plugin_call(const struct cni_plugin *plugin, struct cni_request *request,
		struct cni_result *result, struct error *err)
{
	void *conf;
	int r = check_versions(plugin, request, err);

	return r < 0 ? r : load_and_run(plugin, request, &conf, result, err);
}

int plugin_reply(const struct cni_plugin *plugin, struct cni_request *request, struct json **reply,
		 struct error *err)
{
	struct cni_result result = { 0 };
	void *conf;
	int r = check_versions(plugin, request, err);

	*reply = NULL;
	if (r >= 0)
		r = check_namespace(request, err);
	if (r >= 0)
		r = load_and_run(plugin, request, &conf, &result, err);
	if (r < 0 || request->command != CNI_ADD)
		return r < 0 ? r : 0;
	return encode_or_undo(plugin, request, conf, &result, reply, err);
}

/* The configuration is held to what CHECK holds it to: it has been accepted before. Unlike CHECK, no version lacks it. */
int plugin_restore(const struct cni_plugin *plugin, struct cni_request *request, struct error *err)
{
	void *conf;
	int r;

	request->command = CNI_CHECK;
	r = plugin_supports(plugin, request, err);
	if (r >= 0 && plugin->restore)
		r = load_config(plugin, request, &conf, err);
	return r < 0 || !plugin->restore ? r : plugin->restore(request, conf, err);
}

void plugin_describe(const struct cni_plugin *plugin, struct plugin_text *text, struct arena *arena)
{
	*text = (struct plugin_text){
		.fields = plugin->fields,
		.defaults = plugin->defaults,
		.versions = versions_text(plugin, "", ", ", arena),
	};
}

char *plugin_error_text(const struct error *err, const char *version, struct arena *arena)
{
	auto_json struct json *object = json_new_object();

	if (version)
		json_set(object, "cniVersion", json_new_string(version));
	json_set(object, "code", json_new_int(err->code ? err->code : CNI_INTERNAL));
	json_set(object, "msg", json_new_string(err->message));
	if (*err->details)
		json_set(object, "details", json_new_string(err->details));
	return json_text(object, JSON_STYLE_INDENT, arena);
}

int plugin_main(const char *name, const struct cni_plugin *plugin, cni_find_fn *find_plugin,
		const char *program_version)
{
	auto_arena struct arena arena = { 0 };
	struct cni_request request = { .arena = &arena, .find_plugin = find_plugin };
	struct error err = { 0 };
	bool unset;
	int r;

	/* A runtime that went away must not kill us in the middle of the work. */
	signal(SIGPIPE, SIG_IGN);
	r = request_from_environment(&request, &unset, &err);
	if (unset)
		return print_about(name, plugin, program_version, &arena);
	if (r >= 0)
		r = answer(plugin, &request, &err);
	if (r < 0)
		print_error(&request, &err);
	request_release(&request);
	return r < 0 ? 1 : 0;
}
