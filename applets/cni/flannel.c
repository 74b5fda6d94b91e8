/*
 * flannel: a container on a flannel network (cni-plugins.md, section 2.19). The daemon left the node's lease in
 * subnet.env; from it and the delegate object of the configuration comes the configuration of another plugin, bridge
 * with host-local by default, which does the work.
 *
 * What ADD built is kept in a file until DEL, since the lease may have changed by then. Where that file is lost or
 * damaged, the configuration is built once more: the names of rules, leases and links do not depend on the lease.
 */
#include "base/clock.h"
#include "base/log.h"
#include "base/undo.h"
#include "cni/delegate.h"
#include "cni/hold.h"
#include "cni/saved.h"
#include "lease/subnet_env.h"
#include "describe/applet.h"

#include <errno.h>
#include <time.h>

static const char own_type[] = "flannel";

struct flannel_conf {
	struct hold_conf hold;
	const char *subnet_file, *data_dir;
	int64_t subnet_file_timeout;                   /* ms */
	struct json *delegate, *ipam, *runtime_config; /* objects or NULL once validated */
};

#define ROW(key_, kind, member, help_, ...)                                                     \
	{                                                                                       \
		.key = (key_), .type = (kind), .offset = offsetof(struct flannel_conf, member), \
		.help = (help_), ##__VA_ARGS__                                                  \
	}

/* clang-format off */
static const struct field fields[] = {
	ROW("subnetFile", FIELD_PATH, subnet_file, "where the flannel daemon tells its node's lease"),
	ROW("subnetFileTimeout", FIELD_DURATION, subnet_file_timeout,
	    "how long ADD waits for that file: the daemon may have begun a moment ago", .max = 60000),
	ROW("dataDir", FIELD_PATH, data_dir, "where the delegate's configuration is kept until DEL"),
	ROW("delegate", FIELD_JSON, delegate,
	    "configuration of the plugin that does the work, without name and ipam; type: bridge unless given",
	    .flags = FIELD_ANY_OBJECT),
	ROW("ipam", FIELD_JSON, ipam,
	    "base of the delegate's ipam; type: host-local unless given, ranges and routes are flannel's",
	    .flags = FIELD_ANY_OBJECT),
	ROW("runtimeConfig", FIELD_JSON, runtime_config,
	    "values of declared capabilities, handed to the delegate", .flags = FIELD_ANY_OBJECT),
	HOLD_FIELD(struct flannel_conf, hold),
	FIELDS_END
};
/* clang-format on */

static const struct flannel_conf defaults = {
	.hold = HOLD_DEFAULTS,
	.subnet_file = "/run/flannel/subnet.env",
	.subnet_file_timeout = 2000,
	.data_dir = SAVED_FOLDER,
};

/* ---- validation: pure ---- */

/* null is absent; anything else that is no object is wrong, and is not used. */
static void take_object(struct json **object, const char *key, struct error *err)
{
	if (*object && !json_is_object(*object) && !json_is_null(*object) && !err->errnum)
		fail_code(err, CNI_DECODE_FAILURE, EINVAL,
			  "failed to load netconf: %s: expected an object", key);
	if (!json_is_object(*object))
		*object = NULL;
}

static int check_delegate(const struct json *delegate, struct error *err)
{
	const struct json *type = json_member(delegate, "type");

	if (type && !json_string(type))
		return fail_key(
			err, "delegate.type",
			"'delegate' dictionary, if present, must have (string) 'type' field");
	if (json_member(delegate, "name"))
		return fail_key(err, "delegate.name",
				"'delegate' dictionary must not have 'name' field, it'll be set "
				"by flannel");
	if (json_member(delegate, "ipam"))
		return fail_key(err, "delegate.ipam",
				"'delegate' dictionary must not have 'ipam' field, it'll be set "
				"by flannel");
	return 0;
}

static int check_ipam(const struct json *ipam, struct error *err)
{
	const struct json *type = json_member(ipam, "type"), *routes = json_member(ipam, "routes");

	if (type && !json_string(type))
		return fail_code(err, CNI_DECODE_FAILURE, EINVAL, "ipam.type: expected a string");
	if (routes && !json_is_null(routes) && !json_is_array(routes))
		return fail_code(err, CNI_DECODE_FAILURE, EINVAL,
				 "failed to parse ipam.routes: expected a list");
	return 0;
}

/* For DEL and GC a mistake in the delegate is what ADD refused: there is nothing of it. */
static int flannel_validate(const struct cni_request *request, void *data, struct error *err)
{
	struct flannel_conf *conf = data;
	bool removing = request->command == CNI_DEL || request->command == CNI_GC;
	struct error mistake = { 0 };

	take_object(&conf->delegate, "delegate", &mistake);
	take_object(&conf->ipam, "ipam", &mistake);
	take_object(&conf->runtime_config, "runtimeConfig", &mistake);
	if (!mistake.errnum && check_delegate(conf->delegate, &mistake) == 0)
		(void)!check_ipam(conf->ipam, &mistake);
	if (!removing && mistake.errnum)
		*err = mistake;
	return -err->errnum;
}

/* ---- the delegate's configuration: pure ---- */

/* Takes the value. */
static void set_default(struct json *object, const char *key, struct json *value)
{
	if (json_member(object, key))
		json_release(value);
	else
		json_set(object, key, value);
}

static struct json *cidr_object(const char *key, const struct cidr *cidr)
{
	struct json *object = json_new_object();
	char text[CIDR_TEXT_SIZE];

	json_set(object, key, json_new_string(cidr_format(cidr, text)));
	return object;
}

/* A range set of its own for each family: an address of each. */
static void add_range(struct json *ranges, const struct cidr *subnet)
{
	struct json *set;

	if (!subnet->ip.family)
		return;
	set = json_new_array();
	json_append(set, cidr_object("subnet", subnet));
	json_append(ranges, set);
}

static struct json *ipam_config(const struct json *base, const struct subnet_env *env)
{
	struct json *ipam = base ? json_copy(base) : json_new_object();
	struct json *ranges = json_new_array(), *routes = json_member(ipam, "routes");

	routes = json_is_array(routes) ? json_share(routes) : json_new_array();
	set_default(ipam, "type", json_new_string("host-local"));
	add_range(ranges, &env->subnet);
	add_range(ranges, &env->subnet_v6);
	list_each(network, &env->networks)
		json_append(routes, cidr_object("dst", network));
	list_each(network, &env->networks_v6)
		json_append(routes, cidr_object("dst", network));
	json_set(ipam, "ranges", ranges);
	json_set(ipam, "routes", routes);
	return ipam;
}

static bool is_bridge(const struct json *delegate)
{
	const char *type = json_string(json_member(delegate, "type"));

	return type && streq(type, "bridge");
}

/* Where the daemon does not masquerade, or nobody knows, the delegate does. */
static struct json *delegate_config(const struct cni_request *request,
				    const struct flannel_conf *conf, const struct subnet_env *env)
{
	struct json *config = conf->delegate ? json_copy(conf->delegate) : json_new_object();
	const char *version = request->common.cni_version;

	json_set(config, "name", json_new_string(request->common.name));
	set_default(config, "type", json_new_string("bridge"));
	set_default(config, "ipMasq", json_new_bool(!env->masquerade));
	if (env->has_mtu)
		set_default(config, "mtu", json_new_int(env->mtu));
	if (is_bridge(config))
		set_default(config, "isGateway", json_new_bool(true));
	if (version && *version)
		json_set(config, "cniVersion", json_new_string(version));
	if (conf->runtime_config)
		json_set(config, "runtimeConfig", json_share(conf->runtime_config));
	json_set(config, "ipam", ipam_config(conf->ipam, env));
	return config;
}

/* What was kept, in the version and with the result that the runtime has now. */
static struct json *kept_config(const struct cni_request *request, const struct saved *saved)
{
	struct json *config = json_copy(saved->config);
	const char *version = request->common.cni_version;

	set_default(config, "name", json_new_string(request->common.name));
	set_default(config, "type", json_new_string("bridge"));
	if (version && *version)
		json_set(config, "cniVersion", json_new_string(version));
	return config;
}

/* The keys of this call, which are in no kept configuration. */
static void add_call_keys(const struct cni_request *request, struct json *config)
{
	static const char *const keys[] = { "prevResult", "cni.dev/valid-attachments",
					    "cni.dev/attachments" };

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		struct json *value = json_member(request->config, keys[i]);

		if (value)
			json_set(config, keys[i], json_share(value));
	}
}

/* ---- verbs ---- */

/* One call of a delegate: its request and its type, which is in the request. */
struct delegation {
	struct cni_request request;
	const char *type;
};

static void delegation_end(struct delegation *delegation)
{
	request_release(&delegation->request);
}

#define auto_delegation on_leave(delegation_end)

/* Takes the configuration. */
static int delegation_make(struct delegation *delegation, const struct cni_request *request,
			   struct json *config, struct error *err)
{
	int r = request_derive(request, config, &delegation->request, err);

	delegation->type = delegation->request.common.type;
	if (r == 0 && delegation->type && streq(delegation->type, own_type))
		r = fail_code(err, CNI_INVALID_CONFIG, EINVAL,
			      "type: flannel cannot be its own delegate");
	return r < 0 ? wrap(err, "delegate") : 0;
}

static int undo_save(void *arg, struct error *err)
{
	return saved_undo(arg, err);
}

/* What the delegate has built; its failure is not more than what led here. */
static int undo_delegate(void *arg, struct error *err)
{
	struct delegation *to = arg;

	return delegate_call(&to->request, CNI_DEL, to->type, NULL, err);
}

/* Where the daemon has not written it yet, or not whole, it is waited for. */
static int await_lease(const struct flannel_conf *conf, struct arena *arena, struct subnet_env *env,
		       struct error *err)
{
	static const struct timespec pause = { .tv_nsec = 50000000 };
	const int64_t deadline = clock_ms() + conf->subnet_file_timeout;
	struct error why = { 0 };
	int r;

	while ((r = subnet_env_load(conf->subnet_file, arena, env, &why)) < 0) {
		if ((r != -ENOENT && r != -ENODATA) || clock_ms() >= deadline)
			return fail(err, -r, "%s", why.message);
		nanosleep(&pause, NULL);
		why = (struct error){ 0 };
	}
	return 0;
}

static int flannel_add(struct cni_request *request, void *data, struct cni_result *result,
		       struct error *err)
{
	struct flannel_conf *conf = data;
	const struct owner owner = request_owner(request);
	struct delegation to auto_delegation = { 0 };
	struct saved before auto_saved = { 0 };
	struct undo undo auto_undo = { 0 };
	struct subnet_env env;

	if (await_lease(conf, request->arena, &env, err) < 0)
		return error_code(err, CNI_TRY_AGAIN_LATER);
	if (delegation_make(&to, request, delegate_config(request, conf, &env), err) ||
	    saved_write(conf->data_dir, &owner, to.request.config_text, request->arena, &before,
			err))
		return -err->errnum;
	undo_push(&undo, undo_save, &before, "forget the delegate's configuration");
	if (delegate_call(&to.request, CNI_ADD, to.type, result, err))
		return wrap(err, "failed to delegate add");
	undo_push(&undo, undo_delegate, &to, "undo what the delegate has done");
	if (hold_add(&conf->hold, request, result, err))
		return -err->errnum;
	undo_clear(&undo);
	return 0;
}

/* From the lease of today, as far as it is known. */
static int delegation_rebuild(struct delegation *delegation, const struct cni_request *request,
			      const struct flannel_conf *conf, struct error *err)
{
	struct subnet_env env;
	struct json *config;

	if (subnet_env_load(conf->subnet_file, request->arena, &env, NULL) < 0)
		log_debug("flannel: no lease in %s", conf->subnet_file);
	config = delegate_config(request, conf, &env);
	add_call_keys(request, config);
	return delegation_make(delegation, request, config, err);
}

static int del_kept(const struct cni_request *request, const struct saved *saved, struct error *err)
{
	struct delegation to auto_delegation = { 0 };
	struct json *config = kept_config(request, saved);

	add_call_keys(request, config);
	if (delegation_make(&to, request, config, err) ||
	    delegate_call(&to.request, CNI_DEL, to.type, NULL, err))
		return wrap(err, "failed to delegate del");
	saved_remove(saved);
	return 0;
}

/* Nothing is known to be there: what can be cleaned is, what cannot is no failure. */
static void del_unknown(const struct cni_request *request, const struct flannel_conf *conf)
{
	struct delegation to auto_delegation = { 0 };
	struct error why = { 0 };

	if (delegation_rebuild(&to, request, conf, &why) ||
	    delegate_call(&to.request, CNI_DEL, to.type, NULL, &why))
		log_debug("flannel: %s", why.message);
}

static int flannel_del(struct cni_request *request, void *data, struct error *err)
{
	struct flannel_conf *conf = data;
	const struct owner owner = request_owner(request);
	struct saved saved auto_saved = { 0 };
	bool found = saved_find(conf->data_dir, &owner, request->arena, &saved);

	saved_sweep(conf->data_dir, &owner, request->arena);
	if (found && saved.config)
		return del_kept(request, &saved, err);
	del_unknown(request, conf);
	if (found)
		saved_remove(&saved);
	return 0;
}

/* The delegate as ADD called it; a lost file is built again, if the lease is there. */
static int delegation_recall(struct delegation *delegation, const struct cni_request *request,
			     const struct flannel_conf *conf, struct error *err)
{
	const struct owner owner = request_owner(request);
	struct saved saved auto_saved = { 0 };
	struct subnet_env env;
	struct json *config;

	if (saved_find(conf->data_dir, &owner, request->arena, &saved) && saved.config)
		config = kept_config(request, &saved);
	else if (subnet_env_load(conf->subnet_file, request->arena, &env, err) < 0)
		return -err->errnum;
	else
		config = delegate_config(request, conf, &env);
	add_call_keys(request, config);
	return delegation_make(delegation, request, config, err);
}

static int flannel_check(struct cni_request *request, void *conf, struct error *err)
{
	struct delegation to auto_delegation = { 0 };

	if (delegation_recall(&to, request, conf, err))
		return -err->errnum;
	return delegate_call(&to.request, CNI_CHECK, to.type, NULL, err);
}

static int flannel_restore(struct cni_request *request, void *conf, struct error *err)
{
	struct delegation to auto_delegation = { 0 };

	if (delegation_recall(&to, request, conf, err))
		return -err->errnum;
	return delegate_restore(&to.request, to.type, err);
}

/* Kept for this network and no valid attachment; a damaged one serves nobody. */
static bool is_stale(const struct cni_request *request, const struct saved *saved)
{
	const char *network = json_string(json_member(saved->config, "name"));

	if (saved->config && (!network || !streq(network, request->common.name)))
		return false;
	return !owners_have(&request->common.attachments, saved->container, saved->ifname);
}

/* Where the interface is known, DEL as the runtime would have called it, had it not forgotten. */
static int gc_kept(const struct cni_request *parent, const struct saved *saved, struct error *err)
{
	struct cni_request request = *parent;

	request.container = saved->container;
	request.ifname = saved->ifname;
	if (saved->config && saved->ifname && cni_valid_name(saved->container))
		return del_kept(&request, saved, err);
	saved_remove(saved);
	return 0;
}

static int flannel_gc(struct cni_request *request, void *data, struct error *err)
{
	struct flannel_conf *conf = data;
	struct delegation to auto_delegation = { 0 };
	saved_list_t list auto_saved_list = { 0 };

	saved_list(conf->data_dir, request->arena, &list);
	list_each(saved, &list) {
		struct error one = { 0 };

		if (is_stale(request, saved) && gc_kept(request, saved, &one) < 0)
			error_join(err, &one);
	}
	if (delegation_rebuild(&to, request, conf, err) == 0) {
		struct error one = { 0 };

		(void)!delegate_call(&to.request, CNI_GC, to.type, NULL, &one);
		error_join(err, &one);
	}
	return -err->errnum;
}

static int flannel_status(struct cni_request *request, void *data, struct error *err)
{
	struct flannel_conf *conf = data;
	struct delegation to auto_delegation = { 0 };
	struct subnet_env env;

	if (subnet_env_load(conf->subnet_file, request->arena, &env, err) < 0)
		return error_code(err, CNI_NOT_AVAILABLE);
	if (delegation_make(&to, request, delegate_config(request, conf, &env), err))
		return -err->errnum;
	return delegate_call(&to.request, CNI_STATUS, to.type, NULL, err);
}

/* With the lease of today, when there is one. */
static void flannel_explain(const struct cni_request *request, const void *data,
			    struct advice *advice)
{
	const struct flannel_conf *conf = data;
	const char *type = json_string(json_member(conf->delegate, "type"));
	struct subnet_env env;

	advice_say(advice, "the node's lease in %s, handed to %s", conf->subnet_file,
		   type ? type : "bridge");
	if (subnet_env_load(conf->subnet_file, request->arena, &env, NULL) == 0)
		advice->delegate = delegate_config(request, conf, &env);
}

static const struct cni_plugin plugin = {
	.fields = fields,
	.size = sizeof(struct flannel_conf),
	.defaults = &defaults,
	.load_context = "failed to load netconf",
	.delegate_key = "delegate",
	.delegate_type = "bridge",
	.validate = flannel_validate,
	.explain = flannel_explain,
	.add = flannel_add,
	.del = flannel_del,
	.check = flannel_check,
	.gc = flannel_gc,
	.status = flannel_status,
	.restore = flannel_restore,
};

const struct applet applet_flannel = {
	.summary = "join a container to a flannel network",
	.about =
		"CNI plugin. Reads the lease of this node from subnet.env, where the flannel daemon writes it, and has another"
		" plugin do the work: bridge, with addresses of the lease from host-local, routes to all of the flannel"
		" network, and its MTU. Keys below delegate go to that plugin, keys below ipam to its address plugin.\n\n"
		"Unless the daemon masquerades, the delegate does. A default route is added only with"
		" delegate.isDefaultGateway.",
	.example = "{ \"cniVersion\": \"1.0.0\", \"name\": \"cbr0\", \"type\": \"flannel\",\n"
		   "  \"delegate\": { \"hairpinMode\": true, \"isDefaultGateway\": true } }",
	.plugin = &plugin,
};
