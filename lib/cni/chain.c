/*
 * A chain of plugins as a runtime runs it. Each plugin's configuration is the member of the list
 * with name, cniVersion, the previous result and what of the runtime's capabilities it asked for;
 * that document goes to delegate_request(), which decides between a call and a process.
 */
#include "cni/chain.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

/* What is asked of each plugin: the words for steps and for errors, and how it is asked. */
struct chain_verb {
	enum cni_command command;
	const char *name, *word;
	int (*run)(struct cni_request *request, const char *type, struct json **reply,
		   struct error *err);
};

static int run_restore(struct cni_request *request, const char *type, struct json **reply unused,
		       struct error *err)
{
	return delegate_restore(request, type, err);
}

/* clang-format off */
static const struct chain_verb verb_add     = { CNI_ADD,    "ADD",     "add",     delegate_request },
			 verb_del     = { CNI_DEL,    "DEL",     "delete",  delegate_request },
			 verb_check   = { CNI_CHECK,  "CHECK",   "check",   delegate_request },
			 verb_gc      = { CNI_GC,     "GC",      "gc",      delegate_request },
			 verb_status  = { CNI_STATUS, "STATUS",  "status",  delegate_request },
			 verb_restore = { CNI_CHECK,  "RESTORE", "restore", run_restore };
/* clang-format on */

static int64_t now_microseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000;
}

static struct owner chain_owner(const struct chain *chain, const struct network *network)
{
	return (struct owner){ network->name, chain->container, chain->ifname };
}

static bool at_least(const struct network *network, const char *version)
{
	return cni_version_compare(network->version, version) >= 0;
}

/* What the plugin declared it can do and the runtime has something to say about. */
static void set_runtime_config(const struct chain *chain, const struct json *plugin,
			       struct json *config)
{
	const struct json *capabilities = json_member(plugin, "capabilities");
	auto_json struct json *given = json_new_object();

	for (void *i = json_first(capabilities); i; i = json_next(capabilities, i)) {
		struct json *value = json_member(chain->capability_args, json_iter_key(i));

		if (value && json_true(json_iter_value(i)))
			json_set(given, json_iter_key(i), json_share(value));
	}
	json_remove(config, "capabilities");
	if (json_length(given))
		json_set(config, "runtimeConfig", take_ptr(given));
}

/* The document a plugin gets on stdin. */
static struct json *plugin_config(const struct chain *chain, const struct network *network,
				  const struct json *plugin, struct json *prev_result,
				  struct json *attachments)
{
	struct json *config = json_copy(plugin);

	json_set(config, "name", json_new_string(network->name));
	json_set(config, "cniVersion", json_new_string(network->version));
	if (prev_result)
		json_set(config, "prevResult", json_share(prev_result));
	if (attachments) {
		json_set(config, "cni.dev/valid-attachments", json_share(attachments));
		json_set(config, "cni.dev/attachments", json_share(attachments));
	}
	set_runtime_config(chain, plugin, config);
	return config;
}

/* Which plugin of the list failed at what: `plugin type="bridge" name="x" failed (add): ...`. */
static int blame(const struct json *plugin, const struct chain_verb *verb, struct error *err)
{
	const char *type = json_string(json_member(plugin, "type")),
		   *name = json_string(json_member(plugin, "name"));

	if (name)
		return wrap(err, "plugin type=\"%s\" name=\"%s\" failed (%s)", type, name,
			    verb->word);
	return wrap(err, "plugin type=\"%s\" failed (%s)", type, verb->word);
}

static void tell(const struct chain *chain, const struct chain_verb *verb,
		 const struct cni_request *request, const char *type, int64_t start,
		 const struct error *error)
{
	struct delegate delegate;
	bool found;

	if (!chain->step)
		return;
	found = delegate_locate(request, type, &delegate, NULL) >= 0;
	chain->step(chain->arg, &(struct chain_step){
					.command = verb->name,
					.type = type,
					.file = found ? delegate.path : NULL,
					.in_process = found && delegate.plugin,
					.microseconds = now_microseconds() - start,
					.error = error,
				});
}

/* For GC and STATUS there is no container, netns or interface. */
static struct cni_request request_make(const struct chain *chain, enum cni_command command)
{
	bool attached = command != CNI_GC && command != CNI_STATUS;

	return (struct cni_request){
		.command = command,
		.container = attached ? chain->container : "",
		.netns = attached && chain->netns ? chain->netns : "",
		.ifname = attached ? chain->ifname : "",
		.args = attached && chain->args ? chain->args : "",
		.path = chain->path,
		.arena = chain->arena,
		.find_plugin = chain->find_plugin,
		.embedded = true,
	};
}

static int call_plugin(const struct chain *chain, const struct network *network,
		       const struct chain_verb *verb, const struct json *plugin,
		       struct json *prev_result, struct json *attachments, struct json **reply,
		       struct error *err)
{
	auto_json struct json *config =
		plugin_config(chain, network, plugin, prev_result, attachments);
	const char *type = json_string(json_member(plugin, "type"));
	struct cni_request request = request_make(chain, verb->command);
	int64_t start = now_microseconds();
	int r;

	request.config_text = json_text(config, JSON_STYLE_COMPACT, chain->arena);
	request.config_size = strlen(request.config_text);
	r = request_decode(&request, err);
	if (r >= 0)
		r = verb->run(&request, type, reply, err);
	tell(chain, verb, &request, type, start, r < 0 ? err : NULL);
	request_release(&request);
	return r < 0 ? blame(plugin, verb, err) : 0;
}

/* What stands behind "failed (add): "; NULL when it is somebody else's message. */
static const char *cause(const struct error *err)
{
	const char *text = err ? strstr(err->message, "): ") : NULL;

	return text ? text + 3 : NULL;
}

/*
 * The first n plugins in reverse, all of them; the first failure's code, everybody's message.
 * known: why ADD failed, as removing may fail for that very reason, and once is enough.
 */
static int del_all(const struct chain *chain, const struct network *network, size_t n,
		   struct json *prev_result, const struct error *known, struct error *err)
{
	int r = 0;

	while (n-- > 0) {
		struct error one = { 0 };

		if (call_plugin(chain, network, &verb_del, network->plugins.items[n], prev_result,
				NULL, NULL, &one) >= 0)
			continue;
		if (cause(known) && cause(&one) && streq(cause(known), cause(&one)))
			continue;
		if (r == 0)
			*err = one;
		else
			error_join(err, &one);
		r = -one.errnum;
	}
	return r;
}

static int remember(const struct chain *chain, const struct network *network, struct json *result,
		    struct error *err)
{
	const struct cached cached = {
		.network = network->name,
		.container = chain->container,
		.ifname = chain->ifname,
		.netns = chain->netns,
		.args = chain->args,
		.capability_args = chain->capability_args,
		.config = network->text,
		.config_size = network->text_size,
		.result = result,
	};

	return cache_write(chain->cache_folder, &cached, err);
}

/* The remembered result in the list's version; NULL when there is none. */
static int previous_result(const struct chain *chain, const struct network *network,
			   const struct cached *cached, struct json **result, struct error *err)
{
	struct cni_result decoded = { 0 };
	int r;

	if (!cached->result)
		return 0;
	r = result_decode(cached->result, network->version, false, chain->arena, &decoded, err);
	if (r >= 0)
		r = result_to_json(&decoded, network->version, result, err);
	return r < 0 ? wrap(err, "cached result of network \"%s\"", network->name) : 0;
}

/* What the person did not say again is what ADD was told. */
static void recall(struct chain *chain, const struct cached *cached)
{
	if (!chain->netns || !*chain->netns)
		chain->netns = cached->netns;
	if (!chain->args || !*chain->args)
		chain->args = cached->args;
	if (!chain->capability_args)
		chain->capability_args = cached->capability_args;
}

static int check_attachment(const struct chain *chain, struct error *err)
{
	if (!*chain->container)
		return fail_code(err, CNI_UNKNOWN_CONTAINER, EINVAL, "missing containerID");
	if (!cni_valid_name(chain->container))
		return cni_fail(err, CNI_INVALID_ENVIRONMENT, chain->container,
				"invalid characters in containerID");
	return cni_check_ifname(chain->ifname, err);
}

int chain_add(struct chain *chain, const struct network *network, struct json **result,
	      struct error *err)
{
	auto_json struct json *prev = NULL;
	struct error later = { 0 };
	size_t n = 0;
	int r = check_attachment(chain, err);

	if (r < 0)
		return r;
	while (n < network->plugins.n && r >= 0) {
		struct json *reply = NULL;

		r = call_plugin(chain, network, &verb_add, network->plugins.items[n++],
				at_least(network, "0.3.0") ? prev : NULL, NULL, &reply, err);
		if (r < 0)
			break;
		json_release(prev);
		prev = reply;
	}
	if (r >= 0)
		r = remember(chain, network, prev, err);
	if (r >= 0) {
		*result = take_ptr(prev);
		return 0;
	}
	if (del_all(chain, network, n, at_least(network, "0.4.0") ? prev : NULL, err, &later) < 0)
		error_join(err, &later);
	return r;
}

int chain_del(struct chain *chain, const struct network *network, struct error *err)
{
	const struct owner owner = chain_owner(chain, network);
	auto_json struct json *prev = NULL;
	auto_cached struct cached cached = { 0 };
	struct chain own = *chain;
	int r = check_attachment(chain, err);

	if (r < 0)
		return r;
	if (cache_read(chain->cache_folder, &owner, chain->arena, &cached, NULL) >= 0) {
		recall(&own, &cached);
		/* A result that nobody can read any more must not stand in the way of removal. */
		if (at_least(network, "0.4.0") &&
		    previous_result(&own, network, &cached, &prev, NULL) < 0)
			prev = NULL;
	}
	r = del_all(&own, network, network->plugins.n, prev, NULL, err);
	if (r >= 0)
		cache_remove(chain->cache_folder, &owner);
	return r;
}

int chain_check(struct chain *chain, const struct network *network, struct error *err)
{
	const struct owner owner = chain_owner(chain, network);
	auto_json struct json *prev = NULL;
	auto_cached struct cached cached = { 0 };
	struct chain own = *chain;
	int r = check_attachment(chain, err);

	if (r < 0)
		return r;
	if (!at_least(network, "0.4.0"))
		return fail_code(err, CNI_INCOMPATIBLE_VERSION, EINVAL,
				 "configuration version \"%s\" does not support CHECK command",
				 network->version);
	if (network->disable_check)
		return 0;
	r = cache_read(chain->cache_folder, &owner, chain->arena, &cached, err);
	if (r == -ENOENT)
		return fail(err, ENOENT, "network \"%s\" is not attached to container \"%s\" as %s",
			    network->name, chain->container, chain->ifname);
	if (r >= 0)
		r = previous_result(&own, network, &cached, &prev, err);
	recall(&own, &cached);
	for (size_t i = 0; i < network->plugins.n && r >= 0; i++)
		r = call_plugin(&own, network, &verb_check, network->plugins.items[i], prev, NULL,
				NULL, err);
	return r;
}

static struct json *attachments_json(const owners_t *valid)
{
	struct json *list = json_new_array();

	list_each(owner, valid) {
		struct json *one = json_new_object();

		json_set(one, "containerID", json_new_string(owner->container));
		json_set(one, "ifname", json_new_string(owner->ifname));
		json_append(list, one);
	}
	return list;
}

/* The chain for a remembered attachment, with everything that ADD was told. */
static struct chain chain_of(const struct chain *chain, const struct cached *cached)
{
	struct chain own = *chain;

	own.container = cached->container;
	own.ifname = cached->ifname;
	own.netns = cached->netns;
	own.args = cached->args;
	own.capability_args = cached->capability_args;
	return own;
}

int chain_restore(struct chain *chain, const struct network *network, const struct cached *cached,
		  struct error *err)
{
	struct chain own = chain_of(chain, cached);
	auto_json struct json *prev = NULL;
	struct error all = { 0 };
	int r = check_attachment(&own, err);

	if (r >= 0)
		r = previous_result(&own, network, cached, &prev, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < network->plugins.n; i++) {
		struct error one = { 0 };

		if (call_plugin(&own, network, &verb_restore, network->plugins.items[i], prev, NULL,
				NULL, &one) < 0 &&
		    one.errnum != ENOTSUP)
			error_join(&all, &one);
	}
	if (all.errnum && err)
		*err = all;
	return -all.errnum;
}

int chain_gc(struct chain *chain, const struct network *network, const owners_t *valid, unsigned *n,
	     struct error *err)
{
	auto_json struct json *attachments = attachments_json(valid);
	auto_cached_list cached_list_t remembered = { 0 };
	struct error all = { 0 };
	int r;

	*n = 0;
	if (network->disable_gc)
		return 0;
	r = cache_list(chain->cache_folder, false, chain->arena, &remembered, err);
	if (r < 0)
		return r;
	list_each(cached, &remembered) {
		struct error one = { 0 };
		struct chain own;

		if (!streq(cached->network, network->name) ||
		    owners_have(valid, cached->container, cached->ifname))
			continue;
		own = chain_of(chain, cached);
		if (chain_del(&own, network, &one) < 0)
			error_join(&all, &one);
		else
			++*n;
	}
	for (size_t i = 0; i < network->plugins.n && at_least(network, "1.1.0"); i++) {
		struct error one = { 0 };

		if (call_plugin(chain, network, &verb_gc, network->plugins.items[i], NULL,
				attachments, NULL, &one) < 0)
			error_join(&all, &one);
	}
	if (all.errnum && err)
		*err = all;
	return -all.errnum;
}

int chain_status(struct chain *chain, const struct network *network, struct error *err)
{
	struct error all = { 0 };

	if (!at_least(network, "1.1.0"))
		return fail_code(err, CNI_INCOMPATIBLE_VERSION, EINVAL,
				 "configuration version \"%s\" does not support STATUS command",
				 network->version);
	for (size_t i = 0; i < network->plugins.n; i++) {
		struct error one = { 0 };

		if (call_plugin(chain, network, &verb_status, network->plugins.items[i], NULL, NULL,
				NULL, &one) < 0)
			error_join(&all, &one);
	}
	if (all.errnum && err)
		*err = all;
	return -all.errnum;
}
