/*
 * The Kubernetes engine: `config` is a file, `subnets/` are the nodes. They are listed once, in pages, and watched from there on;
 * a watch that ends is resumed where it was, and only a history that is gone (410) means to list again. What is asked of the
 * engine is answered from what the watch has told.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "lease/acquire.h"
#include "remote/engines.h"
#include "remote/kube_api.h"
#include "remote/kube_mirror.h"

enum {
	PAGE = 100, /* nodes: of some 20 KB each */
	PAGES_MAX = 1000,
	CONFIG_LOOK_MS = 10000,
	CONFIG_MAX = 1 << 20,
	DRAIN_MAX = 10000, /* lines at once */
};

#define NODES "/api/v1/nodes"

struct kv_kube {
	struct kv kv;
	const struct lease_place *place;
	struct kube_api api;
	char *name;                /* of this node; NULL = unknown */
	struct kube_mirror mirror; /* of the nodes */
	struct http_stream *stream;
	bool again; /* something has been heard between two questions: the first may have another answer by now */
	int64_t heard_ms;
	/* after a failure: not before next_try_ms, and the same answer until then */
	int64_t next_try_ms;
	unsigned pause_ms;
	struct error why;
	/* the file */
	char config_shape[64];
	int64_t config_look_ms;
	bool v4, v6; /* families of the network; neither = unknown */
};

static struct kv_kube *kube_of(struct kv *kv)
{
	return (struct kv_kube *)kv;
}

/* ---- the network's configuration, a file ---- */

static void shape_of(const char *path, char *shape, size_t size)
{
	struct stat st = { 0 };

	if (stat(path, &st))
		st.st_ino = 0;
	snprintf(shape, size, "%lld.%ld %lld", (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec,
		 (long long)st.st_ino);
}

static int read_config(struct kv_kube *kube, struct arena *arena, char **text, size_t *size,
		       struct error *err)
{
	struct network_config config;

	shape_of(kube->place->net_config_path, kube->config_shape, sizeof(kube->config_shape));
	kube->config_look_ms = clock_ms() + CONFIG_LOOK_MS;
	if (file_read(kube->place->net_config_path, CONFIG_MAX, arena, text, size, err) < 0)
		return err && err->errnum == ENOENT
			       ? fail(err, ENODATA, "the network's configuration %s is not there",
				      kube->place->net_config_path)
			       : wrap(err, "the network's configuration");
	if (network_config_decode(*text, *size, false, arena, &config, NULL) == 0) {
		kube->v4 = config.v4.enabled;
		kube->v6 = config.v6.enabled;
	}
	return 0;
}

static bool config_changed(struct kv_kube *kube)
{
	char shape[sizeof(kube->config_shape)];

	if (clock_ms() < kube->config_look_ms)
		return false;
	kube->config_look_ms = clock_ms() + CONFIG_LOOK_MS;
	shape_of(kube->place->net_config_path, shape, sizeof(shape));
	return !streq(shape, kube->config_shape);
}

/* ---- list and watch ---- */

static void hang_up(struct kv_kube *kube)
{
	http_stream_close(kube->stream);
	kube->stream = NULL;
}

/* True: look again. */
static bool take_line(struct kv_kube *kube, const char *line)
{
	enum kube_heard heard = kube_mirror_event(&kube->mirror, line, strlen(line));

	kube->heard_ms = clock_ms();
	if (heard == KUBE_ENDED)
		hang_up(kube);
	return heard != KUBE_NOTHING;
}

/* What has come already. */
static bool drain(struct kv_kube *kube)
{
	bool changed = false;

	for (int i = 0; kube->stream && i < DRAIN_MAX; i++) {
		auto_arena struct arena arena = { 0 };
		char *line;
		int r = http_stream_line(kube->stream, -1, 0, &arena, &line, NULL);

		if (r < 0) {
			hang_up(kube);
			return true;
		}
		if (r != 1)
			break;
		changed |= take_line(kube, line);
	}
	return changed;
}

static int list_all(struct kv_kube *kube, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	struct kube_mirror mirror = { .prefix = kube->mirror.prefix, .name = kube->mirror.name };
	struct kube_call call = { .action = { "list", "nodes" } };
	const char *next = "";
	int r = 0;

	for (int i = 0; r == 0 && next && i < PAGES_MAX; i++) {
		auto_json struct json *page = NULL;

		call.path = arena_printf(&arena, NODES "?limit=%d%s%s", PAGE,
					 *next ? "&continue=" : "", url_escape(&arena, next));
		r = kube_api_call(&kube->api, &call, &page, err);
		if (r == 0)
			r = kube_mirror_page(&mirror, page, &arena, &next, err);
	}
	kube_mirror_free(r < 0 ? &mirror : &kube->mirror);
	kube->mirror.revision[0] = '\0';
	if (r == 0)
		kube->mirror = mirror;
	return r;
}

static int start_watch(struct kv_kube *kube, struct error *err)
{
	const struct kube_call call = { .action = { "watch", "nodes" }, .path = NODES };

	kube->heard_ms = clock_ms();
	return kube_api_watch(&kube->api, &call, kube->mirror.revision, &kube->stream, err);
}

/* A cluster that was restored from a backup: a watch from where ours was would be silent until it is as far again. */
static bool has_gone_back(struct kv_kube *kube)
{
	const struct kube_call call = { .action = { "list", "nodes" }, .path = NODES "?limit=1" };
	auto_json struct json *page = NULL;
	struct error why = { 0 };

	return *kube->mirror.revision && kube_api_call(&kube->api, &call, &page, &why) == 0 &&
	       kube_revision_is_back(kube->mirror.revision, page);
}

/* The pod that this runs in knows its node. Neither name nor pod: it is nobody's node, which only some calls mind. */
static int find_name(struct kv_kube *kube, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	const char *pod = getenv("POD_NAME"), *namespace = getenv("POD_NAMESPACE"), *name;
	struct kube_call call = { .action = { "get", "pods" } };
	auto_json struct json *object = NULL;

	if (kube->name || !pod || !namespace || !*pod || !*namespace)
		return 0;
	call.path = arena_printf(&arena, "/api/v1/namespaces/%s/pods/%s",
				 url_escape(&arena, namespace), url_escape(&arena, pod));
	if (kube_api_call(&kube->api, &call, &object, err))
		return wrap(err, "find the node of pod %s/%s", namespace, pod);
	name = json_string(json_member(json_member(object, "spec"), "nodeName"));
	if (!name || !*name)
		return fail(err, ENODATA, "pod %s/%s has no node", namespace, pod);
	kube->mirror.name = kube->name = strdup(name);
	return 0;
}

static int connect_to(struct kv_kube *kube, struct error *err)
{
	int r = find_name(kube, err);

	if (r == 0 && (!*kube->mirror.revision || has_gone_back(kube)))
		r = list_all(kube, err);
	if (r == 0)
		r = start_watch(kube, err);
	if (r == -ESTALE) {
		*err = (struct error){ 0 };
		r = list_all(kube, err);
		if (r == 0)
			r = start_watch(kube, err);
	}
	return r;
}

/* Be up to date, or say why not. */
static int sync_nodes(struct kv_kube *kube, struct error *err)
{
	struct error why = { 0 };

	kube->again |= drain(kube);
	if (kube->stream)
		return 0;
	if (clock_ms() < kube->next_try_ms) {
		if (err)
			*err = kube->why;
		return -kube->why.errnum;
	}
	if (connect_to(kube, &why) == 0) {
		kube->pause_ms = 0;
		kube->again = true;
		return 0;
	}
	kube->next_try_ms = clock_ms() + kube_next_pause(&kube->pause_ms);
	wrap(&why, "Kubernetes");
	kube->why = why;
	if (err)
		*err = why;
	return -why.errnum;
}

/* ---- the engine ---- */

static int kube_list(struct kv *kv, const char *prefix, struct arena *arena, kv_entries_t *entries,
		     struct error *err)
{
	struct kv_kube *kube = kube_of(kv);
	auto_arena struct arena own = { 0 };
	char *text;
	size_t size;
	int r = sync_nodes(kube, err);

	if (r < 0)
		return r;
	if (!kube->v4 && !kube->v6)
		(void)!read_config(kube, &own, &text, &size, NULL);
	if (has_prefix(LEASE_SUBNETS, prefix))
		kube_nodes_entries(&kube->mirror.nodes, LEASE_SUBNETS, kube->v4, kube->v6, arena,
				   entries);
	return 0;
}

/* The name of the node whose subnets the key has, in the arena. */
static int find_entry(struct kv_kube *kube, const char *key, struct arena *arena,
		      struct kv_entry *entry, struct error *err)
{
	kv_entries_t entries = { 0 };
	int r = kube_list(&kube->kv, LEASE_SUBNETS, arena, &entries, err);

	if (r < 0)
		return r;
	list_each(there, &entries) {
		if (streq(there->key, key)) {
			*entry = *there;
			entry->value = arena_strdup(arena, there->value);
			return 0;
		}
	}
	return -ENOENT;
}

static int kube_get(struct kv *kv, const char *key, struct arena *arena, struct kv_entry *entry,
		    struct error *err)
{
	struct kv_kube *kube = kube_of(kv);
	char *text;
	size_t size;

	if (!streq(key, LEASE_CONFIG))
		return find_entry(kube, key, arena, entry, err);
	if (read_config(kube, arena, &text, &size, err))
		return -err->errnum;
	*entry = (struct kv_entry){
		.key = LEASE_CONFIG, .value = text, .size = size, .left_ms = KV_LASTING
	};
	return 0;
}

static int need_name(const struct kv_kube *kube, struct error *err)
{
	if (kube->name)
		return 0;
	return fail(err, EINVAL,
		    "which node is this? give --node-name, or set NODE_NAME, or POD_NAME and"
		    " POD_NAMESPACE");
}

static int kube_own(struct kv *kv, struct arena *arena, struct kv_own *own, struct error *err)
{
	struct kv_kube *kube = kube_of(kv);
	const struct kube_mirror *mirror = &kube->mirror;
	int r = sync_nodes(kube, err);

	if (r < 0)
		return r;
	if (need_name(kube, err))
		return -err->errnum;
	if (!mirror->own_there)
		return fail(err, ENOENT, "Kubernetes has no node \"%s\"", kube->name);
	if (mirror->own_node.odd)
		return fail(err, EINVAL, "the podCIDRs of node \"%s\" are none", kube->name);
	*own = (struct kv_own){
		.node = arena_strdup(arena, kube->name),
		.key = kube_subnets_key(&mirror->own_node.subnet, &mirror->own_node.subnet6,
					kube->v4, kube->v6, arena),
		.value = arena_strdup(arena, kube_nodes_value(&mirror->nodes, kube->name)),
		.told = mirror->own.overwrite,
		.told6 = mirror->own.overwrite6,
		.public_ip = mirror->own.public_ip,
		.public_ip6 = mirror->own.public_ip6,
	};
	if (own->key)
		own->key = arena_printf(arena, LEASE_SUBNETS "%s", own->key);
	return 0;
}

/* What the server answers is the node as it is now: no need to wait until the watch says so. */
static int patch_status(struct kv_kube *kube, const char *name, const char *patch,
			struct error *err)
{
	auto_arena struct arena arena = { 0 };
	struct kube_call call = { .action = { "patch", "nodes/status" }, .patch = patch };
	auto_json struct json *object = NULL;

	call.path = arena_printf(&arena, NODES "/%s/status", url_escape(&arena, name));
	if (kube_api_call(&kube->api, &call, &object, err))
		return wrap(err, "Kubernetes");
	kube_mirror_patched(&kube->mirror, object);
	return 0;
}

/* Nobody else writes what we write of our node, so no condition is needed; other subnets are not ours to give. */
static int kube_put(struct kv *kv, const struct kv_put *put, uint64_t *revision, struct error *err)
{
	struct kv_kube *kube = kube_of(kv);
	auto_arena struct arena arena = { 0 };
	struct kv_own own = { 0 };

	if (kube->name && kube_own(kv, &arena, &own, err))
		return -err->errnum;
	if (!own.key || !streq(own.key, put->key))
		return fail(err, ENOTSUP,
			    "in Kubernetes a node's podCIDR is its subnet: there is nothing to"
			    " reserve");
	*revision = 1;
	return patch_status(kube, kube->name,
			    kube_node_patch(put->value, kube->mirror.prefix, &arena), err);
}

static int kube_del(struct kv *kv, const char *key, uint64_t revision unused, struct error *err)
{
	struct kv_kube *kube = kube_of(kv);
	auto_arena struct arena arena = { 0 };
	const char *name;
	int r = sync_nodes(kube, err);

	if (r < 0)
		return r;
	name = kube_nodes_find(&kube->mirror.nodes,
			       key + (has_prefix(key, LEASE_SUBNETS) ? strlen(LEASE_SUBNETS) : 0),
			       kube->v4, kube->v6);
	if (!name)
		return -ENOENT;
	return patch_status(kube, name, kube_node_patch(NULL, kube->mirror.prefix, &arena), err);
}

/* Leases last as long as their nodes. */
static int kube_keep(struct kv *kv unused, const char *key unused, int64_t ttl_ms unused,
		     struct error *err unused)
{
	return 0;
}

static int kube_ready(struct kv *kv, struct error *err)
{
	struct kv_kube *kube = kube_of(kv);
	auto_arena struct arena arena = { 0 };
	time_t seconds = time(NULL);
	struct tm tm;
	char now[32];

	if (!kube->place->set_node_network_unavailable)
		return 0;
	if (need_name(kube, err))
		return -err->errnum;
	if (kube->mirror.own.up)
		return 0;
	strftime(now, sizeof(now), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&seconds, &tm));
	return patch_status(kube, kube->name, kube_node_up_patch(now, &arena), err);
}

/* Until when nothing has to be looked at: our own matters, and a server that has gone silent. */
static int patience(const struct kv_kube *kube, int64_t deadline)
{
	int64_t until = kube->heard_ms + KUBE_SILENCE_MS, now = clock_ms();

	if (until > kube->config_look_ms)
		until = kube->config_look_ms;
	if (until > deadline)
		until = deadline;
	return until > now ? (int)(until - now) : 0;
}

static int kube_wait(struct kv *kv, int fd, int timeout_ms, struct error *err unused)
{
	struct kv_kube *kube = kube_of(kv);
	int64_t deadline = timeout_ms < 0 ? INT64_MAX : clock_ms() + timeout_ms;

	if (kube->again) {
		kube->again = false;
		return 1;
	}
	while (kube->stream) {
		auto_arena struct arena arena = { 0 };
		char *line;
		int r = http_stream_line(kube->stream, fd, patience(kube, deadline), &arena, &line,
					 NULL);

		if (r == 2)
			return 2;
		if (r == 1) {
			if (take_line(kube, line)) {
				(void)drain(kube);
				return 1;
			}
		}
		if (r < 0 || clock_ms() - kube->heard_ms >= KUBE_SILENCE_MS)
			hang_up(kube);
		if (config_changed(kube))
			return 1;
		if (clock_ms() >= deadline)
			return 0;
	}
	return 1;
}

static void kube_close(struct kv *kv)
{
	struct kv_kube *kube = kube_of(kv);

	hang_up(kube);
	kube_mirror_free(&kube->mirror);
	kube_api_close(&kube->api);
	free(kube->name);
	free(kube);
}

static const struct kv_engine engine = {
	.get = kube_get,
	.list = kube_list,
	.put = kube_put,
	.del = kube_del,
	.keep = kube_keep,
	.wait = kube_wait,
	.own = kube_own,
	.ready = kube_ready,
	.close = kube_close,
};

int kv_kubernetes_open(struct kv **kv, const struct lease_place *place, struct error *err)
{
	struct kv_kube *kube = xrealloc(NULL, sizeof(*kube));

	*kube = (struct kv_kube){ .kv = { &engine }, .place = place };
	if (place->node_name && *place->node_name)
		kube->mirror.name = kube->name = strdup(place->node_name);
	*kv = &kube->kv;
	if (kube_api_open(&kube->api, place, err) == 0 &&
	    kube_prefix(place->kube_annotation_prefix, &kube->api.arena, &kube->mirror.prefix,
			err) == 0)
		return 0;
	kv_closep(kv);
	return wrap(err, "Kubernetes");
}
