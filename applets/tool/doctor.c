/* doctor: what is wrong on this node, from what is there now, and what mends it; the checks are in lib/node. */
#include "describe/applet.h"
#include "base/text.h"
#include "describe/json.h"
#include "describe/scan.h"
#include "lease/place.h"
#include "node/health.h"

#include <errno.h>

struct options {
	const char *conf_dir, *path, *cache_dir, *data_dir;
	struct lease_place place;
	bool fix, json;
	int64_t older_than;
};

static const struct options defaults = {
	.conf_dir = "/etc/cni/net.d",
	.path = "/opt/cni/bin",
	.cache_dir = "/var/lib/cni",
	.data_dir = "/var/lib/cni/networks",
	.place = LEASE_PLACE_DEFAULTS,
	.older_than = 60000,
};

#define ROW(key_, kind, member, help_, ...)                                                \
	{                                                                                  \
		.key = (key_), .type = (kind), .offset = offsetof(struct options, member), \
		.help = (help_), ##__VA_ARGS__                                             \
	}

/* clang-format off */
static const struct field fields[] = {
	ROW("fix",      FIELD_BOOL,   fix,       "mend what is safe to mend: marked in the list"),
	ROW("confDir",  FIELD_PATH,   conf_dir,  "folder of network lists", .env = "NETCONFPATH"),
	ROW("path",     FIELD_PATH,   path,      "folders of plugins", .env = "CNI_PATH", .metavar = "DIR[:DIR]"),
	ROW("cacheDir", FIELD_PATH,   cache_dir, "folder where attachments are remembered"),
	ROW("dataDir",  FIELD_PATH,   data_dir,  "folder of host-local's leases"),
	ROW("olderThan", FIELD_DURATION, older_than, "leave what is younger: an ADD may be going on", .max = INT64_MAX / 2),
	LEASE_PLACE_FIELDS(offsetof(struct options, place)), /* who is on the other nodes */
	ROW("json",     FIELD_BOOL,   json,      "JSON instead of text", .letter = 'j'),
	FIELDS_END
};
/* clang-format on */

/* ---- the same folders and store, for the commands that it tells of ---- */

static bool is_of_place(const struct field *field)
{
	return field->flags & FIELD_ONE_DASH &&
	       !streq(field->key, "etcdPassword"); /* not to be seen */
}

/* Those of some options that are not as usual: " --cache-dir /x". No keys: those of the store. */
static const char *words_of(const struct options *options, const char *const *keys,
			    struct arena *arena)
{
	const char *words = "";

	for (const struct field *field = fields; field->type; field++) {
		const char *value = field_text(field, options, arena);
		char name[OPTION_NAME_SIZE];

		if (!(keys ? is_one_of(field->key, keys) : is_of_place(field)) ||
		    streq(value, field_text(field, &defaults, arena)))
			continue;
		option_spell(field->key, name);
		words = field->type == FIELD_BOOL
				? arena_printf(arena, "%s --%s%s", words,
					       streq(value, "true") ? "" : "no-", name)
				: arena_printf(arena, "%s --%s %s", words, name,
					       shell_word(arena, value));
	}
	return words;
}

static int doctor_run(struct invocation *call, void *options_, struct error *err)
{
	const struct options *options = options_;
	struct health_query query = { .conf_dir = options->conf_dir,
				      .plugin_path = options->path,
				      .cache_dir = options->cache_dir,
				      .data_dir = options->data_dir,
				      .version = call->version,
				      .place = &options->place,
				      .find_plugin = call->find_plugin,
				      .older_than_ms = options->older_than,
				      .fix = options->fix };
	struct health_report report;
	int r;

	query.cni_options = words_of(
		options, (const char *const[]){ "confDir", "path", "cacheDir", NULL }, call->arena);
	query.cache_option =
		words_of(options, (const char *const[]){ "cacheDir", NULL }, call->arena);
	query.data_option =
		words_of(options, (const char *const[]){ "dataDir", NULL }, call->arena);
	query.lease_options = words_of(options, NULL, call->arena);
	query.own_options = arena_printf(call->arena, "%s%s%s", query.cni_options,
					 query.data_option, query.lease_options);
	call_step(call, "looking");
	r = health_look(&query, call->arena, &report, err);
	call_step(call, NULL);
	if (r < 0)
		return r;
	if (options->json) {
		auto_json struct json *json = json_encode(health_fields, &report);

		fprintf(call->out, "%s\n", json_text(json, JSON_STYLE_INDENT, call->arena));
	} else {
		health_print(call->out, &report, options->fix, call->colour);
	}
	return health_left(&report) > 0;
}

static const struct verb run = {
	.fields = fields,
	.size = sizeof(struct options),
	.defaults = &defaults,
	.needs = NEEDS_SYS_ADMIN | NEEDS_NET_ADMIN,
	.run = doctor_run,
};

const struct applet applet_doctor = {
	.summary = "what is wrong on this node, and what mends it",
	.about =
		"Looks at what is there now: attachments whose namespace is gone, or that are not as they were made (one of "
		"each network is asked by its CHECK), leases that nobody knows of, veth pairs and ifb links that lead "
		"nowhere, rules of attachments that are gone, addresses in use twice, sysctls that break pods, network lists "
		"by themselves and with each other, links that the kernel has not, plugins that lead nowhere or are of "
		"another version, other nodes that do not answer or have the same addresses. Each comes with a command that "
		"mends it, or, where none does, with one that tells more.\n\n"
		"--fix mends what is safe: what is left of something that is provably gone, by the code of the plugins' own "
		"DEL, and forwarding, which they set themselves. While there are namespaces that cannot be seen from here, "
		"as in a container without the node's processes, who has an address is not proved. Without --fix nothing is "
		"changed.\n\n"
		"Exit status: 0 nothing is wrong (any more), 1 something is.",
	.example = "cnibox doctor\n"
		   "cnibox doctor --fix",
	.run = &run,
};
