/* doctor: what is wrong on this node, from what is there now, and what mends it; the checks are in lib/node. */
#include "describe/applet.h"
#include "describe/json.h"
#include "lease/place.h"
#include "node/health.h"

#include <errno.h>

struct options {
	const char *conf_dir, *path, *cache_dir, *data_dir;
	struct lease_place place;
	bool fix, json;
};

static const struct options defaults = {
	.conf_dir = "/etc/cni/net.d",
	.path = "/opt/cni/bin",
	.cache_dir = "/var/lib/cni",
	.data_dir = "/var/lib/cni/networks",
	.place = LEASE_PLACE_DEFAULTS,
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
	LEASE_PLACE_FIELDS(offsetof(struct options, place)), /* who is on the other nodes */
	ROW("json",     FIELD_BOOL,   json,      "JSON instead of text", .letter = 'j'),
	FIELDS_END
};
/* clang-format on */

static int doctor_run(struct invocation *call, void *options_, struct error *err)
{
	const struct options *options = options_;
	const struct health_query query = { .conf_dir = options->conf_dir,
					    .plugin_path = options->path,
					    .cache_dir = options->cache_dir,
					    .data_dir = options->data_dir,
					    .version = call->version,
					    .place = &options->place,
					    .find_plugin = call->find_plugin,
					    .fix = options->fix };
	struct health_report report;
	int r;

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
		"Looks at what is there now: attachments whose namespace is gone, leases that nobody knows of, veth "
		"pairs and ifb links that lead nowhere, rules of attachments that are gone, addresses in use twice, "
		"sysctls that break pods, network lists by themselves and with each other, links that the kernel "
		"has not, plugins that lead nowhere or are of another version, other nodes that do not answer or have the same addresses. Each comes with a command that mends it.\n\n"
		"--fix mends what is safe: what is left of something that is provably gone, by the code of the plugins' "
		"own DEL, and forwarding, which they set themselves. Without it nothing is changed.\n\n"
		"Exit status: 0 nothing is wrong (any more), 1 something is.",
	.example = "cnibox doctor\n"
		   "cnibox doctor --fix",
	.run = &run,
};
