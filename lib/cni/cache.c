/* libcni's result cache on disk: one file per attachment, replaced in one step, readable by root
 * only. */
#include "cni/cache.h"

#include "base/file.h"
#include "base/text.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>

#define CACHE_KIND "cniCacheV1"
#define FILE_MAX   ((size_t)16 << 20)

/* The file's own shape; key names are libcni's. */
struct record {
	const char *kind, *container, *config, *ifname, *network, *netns;
	struct json *args, *capability_args, *result;
};

#define ROW(key_, kind_, member)                                                          \
	{                                                                                 \
		.key = (key_), .type = (kind_), .offset = offsetof(struct record, member) \
	}
/* clang-format off */
static const struct field record_fields[] = {
	ROW("kind",           FIELD_STRING, kind),
	ROW("containerId",    FIELD_STRING, container),
	ROW("config",         FIELD_STRING, config),
	ROW("ifName",         FIELD_STRING, ifname),
	ROW("networkName",    FIELD_STRING, network),
	ROW("netns",          FIELD_STRING, netns),
	ROW("cniArgs",        FIELD_JSON,   args),
	ROW("capabilityArgs", FIELD_JSON,   capability_args),
	ROW("result",         FIELD_JSON,   result),
	FIELDS_END
};
/* clang-format on */

static char *results_folder(const char *folder, struct arena *arena)
{
	return arena_printf(arena, "%s/results", folder);
}

static char *file_of(const char *folder, const struct owner *owner, struct arena *arena)
{
	return arena_printf(arena, "%s/results/%s-%s-%s", folder, owner->network, owner->container,
			    owner->ifname);
}

/* "K=V;K=V" to [["K","V"],...]; NULL when there is none. */
static struct json *args_to_pairs(const char *args, struct arena *arena)
{
	struct json *pairs = args && *args ? json_new_array() : NULL;
	char *rest = pairs ? arena_strdup(arena, args) : NULL;

	for (char *word; (word = strsep(&rest, ";"));) {
		struct json *pair = json_new_array();
		char *value = strchr(word, '=');

		if (value)
			*value++ = '\0';
		json_append(pair, json_new_string(word));
		json_append(pair, json_new_string(value ? value : ""));
		json_append(pairs, pair);
	}
	return pairs;
}

static const char *args_from_pairs(const struct json *pairs, struct arena *arena)
{
	const char *args = "";

	for (size_t i = 0; i < json_length(pairs); i++) {
		const char *key = json_string(json_item(json_item(pairs, i), 0));
		const char *value = json_string(json_item(json_item(pairs, i), 1));

		if (key && value)
			args = arena_printf(arena, "%s%s%s=%s", args, *args ? ";" : "", key, value);
	}
	return args;
}

static int damaged(struct error *err, const char *file, const char *what)
{
	return fail_code(err, CNI_DECODE_FAILURE, EBADMSG, "cached attachment %s: %s", file, what);
}

/* libcni before 1.2 does not note the namespace, but results from 0.3.0 on do. */
static const char *sandbox_of(const struct json *result, const char *ifname)
{
	const struct json *interfaces = json_member(result, "interfaces");

	for (size_t i = 0; i < json_length(interfaces); i++) {
		const struct json *interface = json_item(interfaces, i);
		const char *name = json_string(json_member(interface, "name"));
		const char *sandbox = json_string(json_member(interface, "sandbox"));

		if (sandbox && *sandbox && name && ifname && streq(name, ifname))
			return sandbox;
	}
	return NULL;
}

static int take_record(struct cached *cached, struct arena *arena, struct error *err)
{
	struct record record = { 0 };
	int r = json_decode(cached->document, record_fields, &record, arena, err);

	if (r < 0)
		return damaged(err, cached->file, err ? arena_strdup(arena, err->message) : "");
	if (!record.kind) { /* before libcni 0.8: the bare result */
		cached->result = cached->document;
		return 0;
	}
	if (!streq(record.kind, CACHE_KIND))
		return damaged(err, cached->file, "kind: not " CACHE_KIND);
	if (record.config)
		cached->config = base64_decode(arena, record.config, &cached->config_size);
	cached->network = record.network;
	cached->container = record.container;
	cached->ifname = record.ifname;
	cached->netns = record.netns ? record.netns : sandbox_of(record.result, record.ifname);
	cached->args = args_from_pairs(record.args, arena);
	cached->capability_args = record.capability_args;
	cached->result = record.result;
	return 0;
}

static int read_file(const char *file, struct arena *arena, struct cached *cached,
		     struct error *err)
{
	struct error why = { 0 };
	char *text;
	size_t size;
	int r = file_read(file, FILE_MAX, arena, &text, &size, &why);

	if (r == -ENOENT)
		return r;
	if (r < 0)
		return damaged(err, file, why.message);
	cached->file = arena_strdup(arena, file);
	cached->document = json_parse(text, size, &why);
	return cached->document ? take_record(cached, arena, err) : damaged(err, file, why.message);
}

static int compare_files(const void *a, const void *b)
{
	return strcmp(((const struct cached *)a)->file, ((const struct cached *)b)->file);
}

int cache_read_file(const char *file, struct arena *arena, struct cached *cached, struct error *err)
{
	int r;

	*cached = (struct cached){ 0 };
	r = read_file(file, arena, cached, err);
	if (r >= 0 && (!cached->network || !cached->container || !cached->ifname))
		r = damaged(err, file, "does not say whose it is");
	if (r < 0)
		cached_release(cached);
	return r;
}

/* A file that went between reading the folder and now is none. */
static int list_file(const char *file, bool strict, struct arena *arena, cached_list_t *list,
		     struct error *err)
{
	struct cached cached;
	int r = cache_read_file(file, arena, &cached, strict ? err : NULL);

	if (r >= 0)
		*list_add(arena, list) = cached;
	return strict && r == -EBADMSG ? r : 0;
}

int cache_write(const char *folder, const struct cached *cached, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	const struct owner owner = { cached->network, cached->container, cached->ifname };
	auto_json struct json *args = args_to_pairs(cached->args, &arena), *json = NULL;
	struct record record = {
		.kind = CACHE_KIND,
		.container = cached->container,
		.config = base64_encode(&arena, cached->config, cached->config_size),
		.ifname = cached->ifname,
		.network = cached->network,
		.netns = cached->netns,
		.args = args,
		.capability_args = cached->capability_args,
		.result = cached->result,
	};
	const char *text;

	if (dir_make(results_folder(folder, &arena), 0700, err) < 0)
		return wrap(err, "remember the attachment");
	json = json_encode(record_fields, &record);
	text = json_text(json, JSON_STYLE_COMPACT, &arena);
	if (file_replace(file_of(folder, &owner, &arena), 0600, text, strlen(text), false, err) < 0)
		return wrap(err, "remember the attachment");
	return 0;
}

int cache_read(const char *folder, const struct owner *owner, struct arena *arena,
	       struct cached *cached, struct error *err)
{
	int r;

	*cached = (struct cached){ 0 };
	r = read_file(file_of(folder, owner, arena), arena, cached, err);
	cached->network = owner->network;
	cached->container = owner->container;
	cached->ifname = owner->ifname;
	return r;
}

void cache_remove(const char *folder, const struct owner *owner)
{
	auto_arena struct arena arena = { 0 };

	unlink(file_of(folder, owner, &arena));
}

int cache_list(const char *folder, bool strict, struct arena *arena, cached_list_t *list,
	       struct error *err)
{
	const char *path = results_folder(folder, arena);
	DIR *dir = opendir(path);
	int r = 0;

	if (!dir)
		return errno == ENOENT ? 0 : fail_errno(err, errno, "cached attachments %s", path);
	for (struct dirent *entry; r >= 0 && (entry = readdir(dir));)
		if (entry->d_name[0] != '.')
			r = list_file(arena_printf(arena, "%s/%s", path, entry->d_name), strict,
				      arena, list, err);
	closedir(dir);
	if (list->n)
		qsort(list->items, list->n, sizeof(*list->items), compare_files);
	return r;
}

void cached_release(struct cached *cached)
{
	json_release(take_ptr(cached->document));
}

void cached_list_release(cached_list_t *list)
{
	list_each(cached, list)
		cached_release(cached);
}
