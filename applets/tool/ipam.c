/*
 * ipam: the addresses that host-local has given out, seen from the whole node: who has which since when, how full the pools
 * are, and which leases nobody needs any more. lib/cni/holding.c judges; this file shows, and gives back what is told to.
 */
#include <errno.h>

#include "base/clock.h"
#include "cni/holding.h"
#include "cni/pool.h"
#include "describe/applet.h"
#include "describe/table.h"

#define YOUNG_MS 60000 /* an ADD that is going on has a lease, and nothing else yet */

struct options {
	const char *conf_dir, *data_dir, *cache_dir, *network;
	LIST(const char *) words; /* addresses and containers */
	bool json, dry_run, force, forgotten;
	int64_t older_than;
};

static const struct options defaults = {
	.conf_dir = "/etc/cni/net.d",
	.data_dir = "/var/lib/cni/networks",
	.cache_dir = "/var/lib/cni",
	.older_than = YOUNG_MS,
};

/* clang-format off */
#define ROW(key_, kind, member, help_, ...) \
	{ .key = (key_), .type = (kind), .offset = offsetof(struct options, member), .help = (help_), ##__VA_ARGS__ }
#define ROWS_WHERE \
	ROW("dataDir",  FIELD_PATH, data_dir,  "folder of leases, one below for each network"), \
	ROW("cacheDir", FIELD_PATH, cache_dir, "folder where runtimes remember attachments")
#define ROW_CONF    ROW("confDir", FIELD_PATH, conf_dir, "folder of network lists", .env = "NETCONFPATH")
#define ROW_NETWORK ROW("network", FIELD_STRING, network, "this network only", .noun = NOUN_NETWORK)
#define ROW_JSON    ROW("json", FIELD_BOOL, json, "JSON instead of text", .letter = 'j')
#define ROW_DRY     ROW("dryRun", FIELD_BOOL, dry_run, "say what would be given back, and leave it", .letter = 'n')

static const struct field list_fields[] = { ROWS_WHERE, ROW_NETWORK, ROW_JSON, FIELDS_END };
static const struct field show_fields[] = { ROWS_WHERE, ROW_CONF, ROW_JSON, FIELDS_END };
static const struct field release_fields[] = {
	ROW("lease", FIELD_LIST, words, "an address, or a container id", .flags = FIELD_POSITIONAL | FIELD_REQUIRED,
	    .element = FIELD_STRING, .size = sizeof(char *), .noun = NOUN_ADDRESS),
	ROW("force", FIELD_BOOL, force, "also an address that a namespace has"),
	ROW_DRY, ROWS_WHERE, ROW_NETWORK, ROW_JSON, FIELDS_END
};
static const struct field gc_fields[] = {
	ROW("forgotten", FIELD_BOOL, forgotten,
	    "also leases that no runtime remembers, of addresses that no namespace here has"),
	ROW("olderThan", FIELD_DURATION, older_than, "leave younger leases: an ADD may be going on",
	    .max = INT64_MAX / 2),
	ROW_DRY, ROWS_WHERE, ROW_NETWORK, ROW_JSON, FIELDS_END
};

/* ---- what is shown ---- */

struct line {
	const char *network, *container, *ifname, *netns;
	struct ip ip;
	const char *since;
	int state;
};

#define LINE(key_, kind, member, ...) \
	{ .key = (key_), .type = (kind), .offset = offsetof(struct line, member), ##__VA_ARGS__ }
static const struct field line_fields[] = {
	LINE("network",   FIELD_STRING, network),
	LINE("address",   FIELD_IP,     ip),
	LINE("container", FIELD_STRING, container),
	LINE("ifname",    FIELD_STRING, ifname),
	LINE("since",     FIELD_STRING, since),
	LINE("state",     FIELD_ENUM,   state, .names = holding_state_names, .flags = FIELD_KEEP_EMPTY),
	LINE("netns",     FIELD_STRING, netns),
	FIELDS_END
};

#define POOL(key_, kind, member, ...) \
	{ .key = (key_), .type = (kind), .offset = offsetof(struct pool, member), ##__VA_ARGS__ }
static const struct field pool_fields[] = {
	POOL("network", FIELD_STRING, network),
	POOL("ranges",  FIELD_STRING, ranges),
	POOL("size",    FIELD_UINT64, size),
	POOL("used",    FIELD_UINT64, used, .flags = FIELD_KEEP_EMPTY),
	POOL("stale",   FIELD_UINT64, stale, .flags = FIELD_KEEP_EMPTY),
	POOL("problem", FIELD_STRING, problem, .flags = FIELD_HIDDEN),
	POOL("file",    FIELD_STRING, file),
	FIELDS_END
};
/* clang-format on */

static void print(struct invocation *call, const holdings_t *holdings, bool as_json)
{
	LIST(struct line) lines = { 0 };
	char since[CLOCK_TEXT_SIZE];

	list_each(holding, holdings)
		*list_add(call->arena, &lines) = (struct line){
			.network = holding->network,
			.container = holding->container,
			.ifname = holding->ifname,
			.netns = holding->netns,
			.ip = holding->ip,
			.state = holding->state,
			.since = arena_strdup(call->arena, clock_format(holding->since_ms, since)),
		};
	table_print(call->out, line_fields, lines.items, lines.n, sizeof(*lines.items), as_json);
}

static int read_all(struct invocation *call, const struct options *options, holdings_t *holdings,
		    struct error *err)
{
	return holdings_read(options->data_dir, options->network, options->cache_dir,
			     options->forgotten, call->arena, holdings, err);
}

/* ---- list, show ---- */

static int ipam_list_run(struct invocation *call, void *options_, struct error *err)
{
	const struct options *options = options_;
	holdings_t holdings = { 0 };
	int r = read_all(call, options, &holdings, err);

	if (r < 0)
		return r;
	print(call, &holdings, options->json);
	if (!holdings.n && !options->json)
		fprintf(stderr, "no leases in %s\n", options->data_dir);
	return 0;
}

static int ipam_show_run(struct invocation *call, void *options_, struct error *err)
{
	const struct options *options = options_;
	holdings_t holdings = { 0 };
	pools_t pools = { 0 };
	int r = read_all(call, options, &holdings, err);

	if (r >= 0)
		r = pools_read(options->conf_dir, &holdings, call->arena, &pools, err);
	if (r < 0)
		return r;
	table_print(call->out, pool_fields, pools.items, pools.n, sizeof(*pools.items),
		    options->json);
	if (!pools.n && !options->json)
		fprintf(stderr, "no network in %s has a pool of host-local\n", options->conf_dir);
	list_each(pool, &pools)
		if (pool->problem && !options->json)
			fprintf(call->out, "\n%s: %s\n", pool->file, pool->problem);
	return 0;
}

/* ---- release, gc ---- */

/* Gives back what it can; the first failure is told, after the others were tried. */
static int give_back(struct invocation *call, const struct options *options,
		     const holdings_t *chosen, struct error *err)
{
	holdings_t freed = { 0 };
	int r = 0;

	list_each(holding, chosen) {
		struct error own = { 0 };
		int one = options->dry_run ? 1 : holding_release(options->data_dir, holding, &own);

		if (one > 0)
			*list_add(call->arena, &freed) = *holding;
		if (one < 0 && r == 0) {
			r = one;
			*err = own;
		}
	}
	print(call, &freed, options->json);
	return r;
}

static bool is_meant(const struct holding *holding, const char *word)
{
	struct ip ip;

	return ip_parse(word, &ip) ? ip_equal(&ip, &holding->ip) : streq(holding->container, word);
}

static int choose(struct invocation *call, const struct options *options, const char *word,
		  const holdings_t *all, holdings_t *chosen, struct error *err)
{
	size_t found = 0;

	list_each(holding, all) {
		if (holding->state == HOLDING_EMPTY || !is_meant(holding, word))
			continue;
		found++;
		if (holding->state == HOLDING_USED && !options->force)
			return fail(
				err, EBUSY,
				"%s: namespace %s has the address (--force gives it back all the same)",
				word, holding->netns);
		*list_add(call->arena, chosen) = *holding;
	}
	return found ? 0
		     : fail(err, ENOENT, "%s: there is no such lease in %s", word,
			    options->data_dir);
}

static int ipam_release_run(struct invocation *call, void *options_, struct error *err)
{
	const struct options *options = options_;
	holdings_t all = { 0 }, chosen = { 0 };
	int r = read_all(call, options, &all, err);

	list_each(word, &options->words)
		if (r >= 0)
			r = choose(call, options, *word, &all, &chosen, err);
	return r < 0 ? r : give_back(call, options, &chosen, err);
}

static int ipam_gc_run(struct invocation *call, void *options_, struct error *err)
{
	const struct options *options = options_;
	int64_t newest = clock_wall_ms() - options->older_than;
	holdings_t all = { 0 }, chosen = { 0 };
	int r = read_all(call, options, &all, err);

	if (r < 0)
		return r;
	list_each(holding, &all)
		if (holding->since_ms <= newest &&
		    (holding->state == HOLDING_GONE ||
		     (holding->state == HOLDING_UNKNOWN && options->forgotten)))
			*list_add(call->arena, &chosen) = *holding;
	return give_back(call, options, &chosen, err);
}

#define VERB(name_, summary_)                                                                    \
	{                                                                                        \
		.name = #name_, .summary = (summary_), .fields = name_##_fields,                 \
		.size = sizeof(struct options), .defaults = &defaults, .run = ipam_##name_##_run \
	}

static const struct verb verbs[] = {
	VERB(list, "who holds which address, since when, and if it is needed"),
	VERB(show, "the pools, and how full they are"),
	VERB(release, "give back the leases of an address or a container"),
	VERB(gc, "give back the leases whose namespace is no more"),
	{ 0 },
};

static const struct lister lists[] = {
	{ NOUN_NETWORK, "show", "network" },
	{ NOUN_ADDRESS, "list", "address" },
	{ NOUN_ADDRESS, "list", "container" },
	{ 0 },
};

const struct applet applet_ipam = {
	.summary = "the addresses that host-local has given out",
	.about =
		"A lease is used while a namespace has its address; idle when its container's namespace is there without it;"
		" gone when a runtime remembers the container and its namespace is no more; unknown when nobody remembers"
		" it, and no namespace that can be seen has the address; empty when a crash left a file without owner."
		"\n\n"
		"`gc` gives back those that are gone, and, with --forgotten, the unknown ones. Each is looked at once more"
		" under the network's lock: what has changed hands stays. Leases of dhcp are with its daemon"
		" (`cnibox dhcp leases`), static has none.",
	.example = "cnibox ipam list\n"
		   "cnibox ipam gc --dry-run           # what would be given back\n"
		   "cnibox ipam release 10.1.0.7",
	.verbs = verbs,
	.lists = lists,
};
