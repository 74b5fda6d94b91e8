/*
 * Network lists as files. What libcni accepts is accepted here, and read the same way; what it
 * would refuse becomes a problem with file and key, so that a person can be told about all files at
 * once.
 */
#include "cni/netlist.h"

#include "base/file.h"
#include "base/text.h"
#include "cni/request.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>

#define FILE_MAX ((size_t)4 << 20)

/* The keys of a list; of a file with a single plugin only the first three count. */
struct list_keys {
	const char *version, *name, *type;
	struct json *plugins;
	LIST(const char *) versions;
	bool disable_check, disable_gc, only_inlined;
};

#define ROW(key_, kind, member, ...)                                                         \
	{                                                                                    \
		.key = (key_), .type = (kind), .offset = offsetof(struct list_keys, member), \
		##__VA_ARGS__                                                                \
	}

/* clang-format off */
const struct field network_list_fields[] = {
	ROW("cniVersion",             FIELD_STRING, version),
	ROW("name",                   FIELD_STRING, name),
	ROW("type",                   FIELD_STRING, type, .flags = FIELD_HIDDEN),
	ROW("cniVersions",            FIELD_LIST,   versions, .element = FIELD_STRING,
	    .size = sizeof(char *)),
	ROW("disableCheck",           FIELD_BOOL,   disable_check, .flags = FIELD_LOOSE_BOOL),
	ROW("disableGC",              FIELD_BOOL,   disable_gc,    .flags = FIELD_LOOSE_BOOL),
	ROW("loadOnlyInlinedPlugins", FIELD_BOOL,   only_inlined,  .flags = FIELD_LOOSE_BOOL),
	ROW("plugins",                FIELD_JSON,   plugins),
	FIELDS_END
};
/* clang-format on */

static void add_problem(struct arena *arena, struct network *network, bool is_error,
			const char *text, size_t path_len)
{
	*list_add(arena, &network->problems) =
		(struct problem){ arena_strdup(arena, text), path_len, is_error };
}

void network_blame(struct arena *arena, struct network *network, bool is_error, const char *path,
		   const char *text)
{
	add_problem(arena, network, is_error,
		    arena_printf(arena, "%s%s%s", path, *path ? ": " : "", text), strlen(path));
}

void network_report(struct arena *arena, struct network *network, bool is_error, const char *where,
		    const char *text)
{
	const char *end = strstr(text, ": ");
	size_t len = strlen(where), inner = end ? (size_t)(end - text) : 0;
	bool joined = *where && inner && *text != '[';

	if (!inner)
		network_blame(arena, network, is_error, where, text);
	else
		add_problem(arena, network, is_error,
			    arena_printf(arena, "%s%s%s", where, joined ? "." : "", text),
			    len + joined + inner);
}

/* Some messages begin with the key, and some details are it. */
void network_refuse(struct arena *arena, struct network *network, bool is_error, const char *where,
		    const struct error *err)
{
	const char *key = err->key, *text = err->message, *details = err->details;
	size_t len = strlen(key);
	bool joined = *where && *key && *key != '[';

	if (len && has_prefix(text, key) && has_prefix(text + len, ": "))
		text += len + 2;
	if (streq(details, key))
		details = "";
	network_blame(arena, network, is_error,
		      arena_printf(arena, "%s%s%s", where, joined ? "." : "", key),
		      arena_printf(arena, "%s%s%s", text, *details ? "; " : "", details));
}

/* fatal: no runtime takes the file. */
static void problem(struct networks *networks, struct network *network, bool fatal,
		    const char *text)
{
	network_report(networks->arena, network, fatal, "", text);
	network->unusable |= fatal;
}

struct report {
	struct networks *networks;
	struct network *network;
};

static void report_problem(void *arg, bool is_error, const char *text)
{
	struct report *report = arg;

	problem(report->networks, report->network, is_error, text);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Names in a folder that end in one of the suffixes (NULL-terminated), sorted, without hidden
 * files. */
static int folder_names(const char *folder, const char *const *suffixes, struct arena *arena,
			words_t *names)
{
	DIR *dir = opendir(folder);
	int r = dir ? 0 : -errno;

	for (struct dirent *entry; dir && (entry = readdir(dir));)
		for (const char *const *suffix = suffixes; *suffix; suffix++)
			if (entry->d_name[0] != '.' && has_suffix(entry->d_name, *suffix))
				*list_add(arena, names) = arena_strdup(arena, entry->d_name);
	if (dir)
		closedir(dir);
	if (names->n)
		qsort(names->items, names->n, sizeof(const char *), compare_names);
	return r;
}

/* Parse and own; NULL with the error. */
static struct json *document_parse(struct networks *networks, const char *text, size_t size,
				   struct error *err)
{
	struct json *json = json_parse(text, size, err);

	if (json)
		*list_add(networks->arena, &networks->documents) = json;
	return json;
}

/* The highest version that we know among those offered. */
static const char *choose_version(const struct list_keys *keys)
{
	const char *best = keys->version && *keys->version ? keys->version : cni_versions[0];

	list_each(version, &keys->versions) {
		bool best_is_ours = cni_version_compare(best, CNI_VERSION_NEWEST) <= 0;

		if (!cni_version_valid(*version) ||
		    cni_version_compare(*version, CNI_VERSION_NEWEST) > 0)
			continue;
		if (!keys->version || !best_is_ours || cni_version_compare(*version, best) > 0)
			best = *version;
	}
	return best;
}

static void add_plugin(struct networks *networks, struct network *network, struct json *plugin,
		       const char *where)
{
	const char *type = json_string(json_member(plugin, "type"));
	struct arena *arena = networks->arena;

	if (!json_is_object(plugin))
		problem(networks, network, true,
			arena_printf(arena, "%s: expected an object", where));
	else if (!type || !*type)
		problem(networks, network, true,
			arena_printf(arena, "%s%stype: %s", where, *where ? "." : "",
				     json_member(plugin, "type") && !type ? "expected a string"
									  : "missing"));
	*list_add(networks->arena, &network->plugins) = plugin;
}

/* `<folder>/<network>/`*.conf: members that others drop in behind those of the list. */
static void add_dropped_in(struct networks *networks, struct network *network)
{
	struct arena *arena = networks->arena;
	const char *folder = arena_printf(arena, "%s/%s", networks->folder, network->name);
	words_t names = { 0 };

	if (folder_names(folder, (const char *const[]){ ".conf", NULL }, arena, &names) < 0)
		return;
	list_each(name, &names) {
		const char *path = arena_printf(arena, "%s/%s", folder, *name);
		struct error err = { 0 };
		struct json *json = NULL;
		char *text;
		size_t size;

		if (file_read(path, FILE_MAX, arena, &text, &size, &err) >= 0)
			json = document_parse(networks, text, size, &err);
		if (json)
			add_plugin(networks, network, json, path);
		else
			problem(networks, network, true,
				arena_printf(arena, "%s: %s", path, err.message));
	}
}

static void read_plugins(struct networks *networks, struct network *network,
			 const struct list_keys *keys)
{
	struct arena *arena = networks->arena;

	if (keys->plugins && !json_is_array(keys->plugins)) {
		problem(networks, network, true, "plugins: expected a list");
		return;
	}
	for (size_t i = 0; i < json_length(keys->plugins) && json_is_array(keys->plugins); i++)
		add_plugin(networks, network, json_item(keys->plugins, i),
			   arena_printf(arena, "plugins[%zu]", i));
	if (!keys->only_inlined && networks->folder &&
	    cni_valid_name(network->name ? network->name : ""))
		add_dropped_in(networks, network);
	if (!network->plugins.n)
		problem(networks, network, true, "plugins: missing or empty");
}

/* A file with one plugin becomes a list with one member, as libcni makes it. */
static void wrap_single(struct networks *networks, struct network *network)
{
	auto_json struct json *list = json_new_object(), *plugins = json_new_array();

	json_append(plugins, json_share(network->document));
	json_set(list, "name", json_new_string(network->name ? network->name : ""));
	json_set(list, "cniVersion", json_new_string(network->version));
	json_set(list, "plugins", take_ptr(plugins));
	network->text = json_text(list, JSON_STYLE_COMPACT, networks->arena);
	network->text_size = strlen(network->text);
	add_plugin(networks, network, network->document, "");
}

static void check_name(struct networks *networks, struct network *network)
{
	if (!network->name || !*network->name)
		problem(networks, network, true, "name: missing");
	else if (!cni_valid_name(network->name))
		problem(networks, network, true,
			arena_printf(networks->arena, "name: invalid characters in \"%s\"",
				     network->name));
	list_each(other, &networks->all)
		if (other < network && !other->unusable && network->name &&
		    streq(other->name, network->name))
			problem(networks, network, false,
				arena_printf(networks->arena,
					     "name: \"%s\" is also that of %s, which comes first",
					     network->name, other->file));
}

static void read_list(struct networks *networks, struct network *network)
{
	const struct json *document = network->document;
	bool is_list = json_member(document, "plugins") || !json_member(document, "type");
	struct report report = { .networks = networks, .network = network };
	struct list_keys keys = { 0 };
	const struct field *const tables[] = { network_list_fields };
	struct error err = { .message = "expected an object" };
	int r;

	if (is_list)
		r = json_check(document, tables, 1, (void *const[]){ &keys }, networks->arena,
			       report_problem, &report);
	else
		r = json_decode(document, network_list_fields, &keys, networks->arena, &err);
	if (r < 0 && !network->unusable)
		problem(networks, network, true, err.message);
	network->name = keys.name;
	network->version = choose_version(&keys);
	network->disable_check = keys.disable_check;
	network->disable_gc = keys.disable_gc;
	check_name(networks, network);
	if (!cni_version_known(network->version))
		network_blame(networks->arena, network, true, "cniVersion",
			      arena_printf(networks->arena,
					   "\"%s\" is not known; the newest is " CNI_VERSION_NEWEST,
					   network->version));
	if (!is_list)
		wrap_single(networks, network);
	else
		read_plugins(networks, network, &keys);
	if (is_list && network->file &&
	    (has_suffix(network->file, ".conf") || has_suffix(network->file, ".json")))
		network_blame(networks->arena, network, true, "plugins",
			      "runtimes read a list only from a file *.conflist");
	if (!is_list && network->file && has_suffix(network->file, ".conflist"))
		network_blame(networks->arena, network, true, "type",
			      "a file *.conflist is read as a list, which has \"plugins\"");
}

/* What a file's error says behind the file's name, which is in front of every problem already. */
static const char *without_path(const char *message, const char *path, struct arena *arena)
{
	const char *at = strstr(message, path), *behind = at ? at + strlen(path) : NULL;

	if (!at)
		return message;
	if (at == message)
		return arena_strdup(arena, behind + strspn(behind, ": "));
	return arena_printf(arena, "%.*s%s", (int)(at - message - 1), message, behind);
}

void networks_add_source(struct networks *networks, const char *file, const char *text, size_t size)
{
	struct network *network = list_add(networks->arena, &networks->all);
	struct error err = { 0 };

	*network = (struct network){
		.file = file,
		.version = "",
		.source = text,
		.source_size = size,
		.text = text,
		.text_size = size,
	};
	network->document = document_parse(networks, text, size, &err);
	if (network->document) {
		read_list(networks, network);
		return;
	}
	network_blame(networks->arena, network, true, "", err.message);
	network->unusable = true;
}

void networks_add_file(struct networks *networks, const char *file)
{
	struct network *network;
	struct error err = { 0 };
	char *text;
	size_t size;

	if (file_read(file, FILE_MAX, networks->arena, &text, &size, &err) >= 0) {
		networks_add_source(networks, file, text, size);
		return;
	}
	network = list_add(networks->arena, &networks->all);
	*network = (struct network){ .file = file, .version = "", .unusable = true };
	network_blame(networks->arena, network, true, "",
		      without_path(err.message, file, networks->arena));
}

int networks_add_folder(struct networks *networks, const char *folder, struct error *err)
{
	static const char *const suffixes[] = { ".conf", ".conflist", ".json", NULL };
	words_t names = { 0 };
	int r;

	networks->folder = folder;
	r = folder_names(folder, suffixes, networks->arena, &names);
	if (r < 0)
		return fail_errno(err, -r, "folder of networks %s", folder);
	list_each(name, &names)
		networks_add_file(networks, arena_printf(networks->arena, "%s/%s", folder, *name));
	return 0;
}

int networks_load(const char *folder, struct arena *arena, struct networks *networks,
		  struct error *err)
{
	*networks = (struct networks){ .arena = arena };
	return networks_add_folder(networks, folder, err);
}

void networks_release(struct networks *networks)
{
	list_each(document, &networks->documents)
		json_release(*document);
	networks->documents.n = 0;
}

int networks_find(const struct networks *networks, const char *name, const struct network **network,
		  struct error *err)
{
	auto_arena struct arena arena = { 0 };
	words_t names = { 0 };
	const char *nearest;

	list_each(one, &networks->all) {
		if (one->name && !one->unusable)
			*list_add(&arena, &names) = one->name;
		if (!one->name || !streq(one->name, name))
			continue;
		if (one->unusable)
			return fail_code(err, CNI_INVALID_CONFIG, EINVAL, "%s: %s", one->file,
					 one->problems.items[0].text);
		*network = one;
		return 0;
	}
	nearest = nearest_word(name, names.items, names.n);
	if (nearest)
		return fail(err, ENOENT, "no network \"%s\" in %s; did you mean \"%s\"?", name,
			    networks->folder, nearest);
	list_each(one, &networks->all)
		if (!one->name && one->problems.n)
			return fail(err, ENOENT,
				    "no network \"%s\" in %s, where %s cannot be used: %s", name,
				    networks->folder, one->file, one->problems.items[0].text);
	return fail(err, ENOENT, "no network \"%s\" in %s (%zu there: `cnibox cni list`)", name,
		    networks->folder, names.n);
}

int networks_add_text(struct networks *networks, const char *text, size_t size,
		      const struct network **network, struct error *err)
{
	struct network *one = list_add(networks->arena, &networks->all);

	*one = (struct network){ .text = text, .text_size = size, .version = "" };
	one->document = document_parse(networks, text, size, err);
	if (!one->document)
		return wrap(err, "cached configuration");
	read_list(networks, one);
	if (one->unusable)
		return fail_code(err, CNI_INVALID_CONFIG, EINVAL, "cached configuration: %s",
				 one->problems.items[0].text);
	*network = one;
	return 0;
}
