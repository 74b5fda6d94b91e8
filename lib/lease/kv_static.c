/*
 * The engine of one file: the network and all its leases as somebody wrote them down, `{"config": {...}, "subnets": {"10.5.1.0-24":
 * {"PublicIP": "192.0.2.1"}, ...}}`. Nothing is written: this node's lease is the entry with its address. What an entry leaves out
 * is what every node can work out for itself: the way is the network's, the MAC of a VXLAN end comes from the node's address.
 */
#include "lease/kv.h"

#include <errno.h>
#include <poll.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/inotify.h"
#include "base/text.h"
#include "describe/json.h"
#include "lease/network.h"
#include "lease/subnet.h"

enum { DOCUMENT_MAX = 16 << 20 };

#define SUBNETS "subnets/"

struct kv_static {
	struct kv kv;
	char *path;
	int events; /* inotify, on the folder: the file may be replaced */
};

struct document {
	struct json *json;
	const struct json *subnets;
	struct network_config config;
	const char *config_text;
};

static struct kv_static *static_of(struct kv *kv)
{
	return (struct kv_static *)kv;
}

static void document_end(struct document *document)
{
	json_release(document->json);
}

static int document_read(struct kv_static *file, struct arena *arena, struct document *document,
			 struct error *err)
{
	const struct json *config;
	char *text;
	size_t size;
	int r = file_read(file->path, DOCUMENT_MAX, arena, &text, &size, err);

	*document = (struct document){ .config_text = "", .config.backend.type = "" };
	if (r < 0)
		return r;
	document->json = json_parse(text, size, err);
	if (!document->json)
		return wrap(err, "%s", file->path);
	config = json_member(document->json, "config");
	document->subnets = json_member(document->json, "subnets");
	if (!json_is_object(config) || !json_is_object(document->subnets))
		return fail(err, EINVAL,
			    "%s: an object with \"config\" and \"subnets\" is expected",
			    file->path);
	document->config_text = json_text(config, JSON_STYLE_COMPACT, arena);
	if (network_config_decode(document->config_text, strlen(document->config_text), true, arena,
				  &document->config, err))
		return wrap(err, "%s: config", file->path);
	return 0;
}

/* ---- entries ---- */

/* The same on every node, and another one for every address. */
static const char *mac_for(const char *address, struct arena *arena)
{
	char hex[11];

	sha512_hex(hex, 10, "cnibox vtep ", address, NULL);
	return arena_printf(arena, "02:%.2s:%.2s:%.2s:%.2s:%.2s", hex, hex + 2, hex + 4, hex + 6,
			    hex + 8);
}

static void complete_vtep(struct json *value, const char *address_key, const char *data_key,
			  int vni, struct arena *arena)
{
	const char *address = json_string(json_member(value, address_key));
	struct json *data;

	if (!address || json_member(value, data_key))
		return;
	data = json_new_object();
	json_set(data, "VNI", json_new_int(vni));
	json_set(data, "VtepMAC", json_new_string(mac_for(address, arena)));
	json_set(value, data_key, data);
}

static const char *value_of(const struct document *document, const struct json *entry,
			    struct arena *arena)
{
	const struct network_backend *backend = &document->config.backend;
	auto_json struct json *value = json_copy(entry);
	const char *type;

	if (!json_is_object(value))
		return json_text(value, JSON_STYLE_COMPACT, arena);
	if (!json_member(value, "BackendType") && !streq(backend->type, "udp"))
		json_set(value, "BackendType", json_new_string(backend->type));
	type = json_string(json_member(value, "BackendType"));
	if (type && streq(type, "vxlan")) {
		complete_vtep(value, "PublicIP", "BackendData", backend->vni, arena);
		complete_vtep(value, "PublicIPv6", "BackendV6Data", backend->vni, arena);
	}
	return json_text(value, JSON_STYLE_COMPACT, arena);
}

static struct kv_entry make_entry(const char *key, const char *value)
{
	char digest[17];

	sha512_hex(digest, 16, value, NULL);
	return (struct kv_entry){ .key = key,
				  .value = value,
				  .size = strlen(value),
				  .revision = strtoull(digest, NULL, 16) | 1,
				  .left_ms = -1 };
}

static int kv_static_get(struct kv *kv, const char *key, struct arena *arena,
			 struct kv_entry *entry, struct error *err)
{
	struct document document on_leave(document_end) = { 0 };
	const struct json *found;
	int r = document_read(static_of(kv), arena, &document, err);

	if (r < 0)
		return r;
	if (streq(key, "config")) {
		*entry = make_entry("config", document.config_text);
		return 0;
	}
	found = has_prefix(key, SUBNETS) ? json_member(document.subnets, key + strlen(SUBNETS))
					 : NULL;
	if (!found)
		return -ENOENT;
	*entry = make_entry(arena_strdup(arena, key), value_of(&document, found, arena));
	return 0;
}

static int compare_entries(const void *a, const void *b)
{
	return strcmp(((const struct kv_entry *)a)->key, ((const struct kv_entry *)b)->key);
}

static int kv_static_list(struct kv *kv, const char *prefix, struct arena *arena,
			  kv_entries_t *entries, struct error *err)
{
	struct document document on_leave(document_end) = { 0 };
	int r = document_read(static_of(kv), arena, &document, err);

	if (r < 0)
		return r;
	for (void *i = json_first(document.subnets); i; i = json_next(document.subnets, i)) {
		const char *key = arena_printf(arena, SUBNETS "%s", json_iter_key(i));

		if (has_prefix(key, prefix))
			*list_add(arena, entries) =
				make_entry(key, value_of(&document, json_iter_value(i), arena));
	}
	if (entries->n)
		qsort(entries->items, entries->n, sizeof(*entries->items), compare_entries);
	return 0;
}

/* ---- changes, of which there are none ---- */

static bool same_value(const struct kv_entry *there, const char *value, struct arena *arena)
{
	struct subnet_lease a = { 0 }, b = { 0 };

	return subnet_value_parse(there->value, there->size, arena, &a, NULL) == 0 &&
	       subnet_value_parse(value, strlen(value), arena, &b, NULL) == 0 &&
	       subnet_lease_equal(&a, &b);
}

/* What the file says already may be "written". */
static int kv_static_put(struct kv *kv, const struct kv_put *put, uint64_t *revision,
			 struct error *err)
{
	auto_arena struct arena arena = { 0 };
	const struct kv_static *file = static_of(kv);
	struct kv_entry there;
	int r;

	if (put->when == KV_ABSENT)
		return fail(err, EROFS,
			    "%s has no entry with an address of this node, which would say %s; "
			    "add one, or use --observe",
			    file->path, put->value);
	r = kv_static_get(kv, put->key, &arena, &there, err);
	if (r < 0)
		return r == -ENOENT ? -EEXIST : r;
	if (!same_value(&there, put->value, &arena))
		return fail(err, EROFS, "%s: %s says %s, and this node would say %s", file->path,
			    put->key + strlen(SUBNETS), there.value, put->value);
	*revision = there.revision;
	return 0;
}

static int kv_static_del(struct kv *kv, const char *key, uint64_t revision unused,
			 struct error *err)
{
	return fail(err, EROFS, "%s: delete %s: the file is for people to change",
		    static_of(kv)->path, key);
}

static int kv_static_keep(struct kv *kv unused, const char *key unused, int64_t ttl_ms unused,
			  struct error *err unused)
{
	return 0;
}

/* ---- watching ---- */

/* The file itself, or the link that Kubernetes turns over in a mounted ConfigMap. */
static bool concerns(const struct kv_static *file, const char *name)
{
	return streq(name, strrchr(file->path, '/') + 1) || streq(name, "..data");
}

struct heard {
	const struct kv_static *file;
	bool any;
};

static void hear(void *arg, const struct inotify_event *event)
{
	struct heard *heard = arg;

	heard->any |= event->len == 0 || concerns(heard->file, event->name);
}

static bool drain(struct kv_static *file)
{
	struct heard heard = { .file = file };

	inotify_drain(file->events, hear, &heard);
	return heard.any;
}

static int kv_static_wait(struct kv *kv, int fd, int timeout_ms, struct error *err)
{
	struct kv_static *file = static_of(kv);
	int64_t deadline = timeout_ms < 0 ? INT64_MAX : clock_ms() + timeout_ms;

	for (;;) {
		struct pollfd fds[] = { { file->events, POLLIN, 0 }, { fd, POLLIN, 0 } };
		int64_t left = timeout_ms < 0 ? -1 : deadline - clock_ms();

		if (poll(fds, 2, timeout_ms >= 0 && left < 0 ? 0 : (int)left) < 0 && errno != EINTR)
			return fail_errno(err, errno, "wait for %s", file->path);
		if (fds[1].revents)
			return 2;
		if (drain(file))
			return 1;
		if (clock_ms() >= deadline)
			return 0;
	}
}

/* ---- life ---- */

static void kv_static_close(struct kv *kv)
{
	struct kv_static *file = static_of(kv);

	close_fd(&file->events);
	free(file->path);
	free(file);
}

static const struct kv_engine engine = {
	.get = kv_static_get,
	.list = kv_static_list,
	.put = kv_static_put,
	.del = kv_static_del,
	.keep = kv_static_keep,
	.wait = kv_static_wait,
	.close = kv_static_close,
};

int kv_static_open(struct kv **kv, const char *path, struct error *err)
{
	const uint32_t mask = IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_DELETE;
	auto_arena struct arena arena = { 0 };
	struct kv_static *file = xrealloc(NULL, sizeof(*file));
	char *folder;

	*file = (struct kv_static){ .kv = { &engine },
				    .events = inotify_init1(IN_CLOEXEC | IN_NONBLOCK) };
	*kv = &file->kv;
	file->path = strdup(strchr(path, '/') ? path : arena_printf(&arena, "./%s", path));
	folder = arena_strdup(&arena, file->path);
	strrchr(folder, '/')[1] = '\0';
	if (file->events < 0 || inotify_add_watch(file->events, folder, mask) < 0) {
		fail_errno(err, errno, "watch %s", folder);
		kv_closep(kv);
		return -err->errnum;
	}
	return 0;
}
