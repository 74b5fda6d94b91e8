/* Pools of addresses; see pool.h. */
#include "cni/pool.h"

#include <errno.h>

#include "cni/netlist.h"
#include "ipam/range_table.h"

struct pool_conf {
	struct range range; /* old style, beside type */
	range_sets_t ranges;
};

static const struct field conf_fields[] = {
	{ "ranges", FIELD_LIST, offsetof(struct pool_conf, ranges), .element = FIELD_LIST,
	  .size = sizeof(range_set_t), .fields = range_set_fields },
	RANGE_ROWS(struct pool_conf, range.),
	FIELDS_END
};

static bool is_set_up(const struct pool_conf *conf)
{
	return conf->range.subnet.ip.family != 0;
}

/* As host-local does: what stands beside the type comes first. */
static int decode(const struct json *ipam, struct arena *arena, range_sets_t *sets,
		  struct error *err)
{
	struct pool_conf conf = { 0 };
	int r = json_decode(ipam, conf_fields, &conf, arena, err);

	if (r < 0)
		return r;
	if (is_set_up(&conf)) {
		range_set_t set = { 0 };

		*list_add(arena, &set) = conf.range;
		*list_add(arena, sets) = set;
	}
	list_each(set, &conf.ranges)
		*list_add(arena, sets) = *set;
	return ranges_canonical(sets, err);
}

static struct pool count(const char *network, const range_set_t *set, const holdings_t *holdings,
			 struct arena *arena)
{
	struct pool pool = { .network = arena_strdup(arena, network) };

	if (set) {
		pool.ranges = range_set_text(set, arena);
		pool.size = range_set_size(set);
	}
	list_each(holding, holdings) {
		if (!streq(holding->network, network) ||
		    (set && !range_set_find(set, &holding->ip)))
			continue;
		pool.used += holding->state != HOLDING_EMPTY;
		pool.stale += holding->state == HOLDING_GONE;
	}
	return pool;
}

/* What the network's IPAM plugin of that type is configured with, or NULL. */
static const struct json *ipam_of(const struct network *network, const char *wanted)
{
	list_each(plugin, &network->plugins) {
		const struct json *ipam = json_member(*plugin, "ipam");
		const char *type = json_string(json_member(ipam, "type"));

		if (type && streq(type, wanted))
			return ipam;
	}
	return NULL;
}

int pool_ranges(const struct network *network, struct arena *arena, range_sets_t *sets,
		struct error *err)
{
	const struct json *ipam = network->name ? ipam_of(network, "host-local") : NULL;

	return ipam ? decode(ipam, arena, sets, err) : 0;
}

void pool_fixed(const struct network *network, struct arena *arena, range_set_t *fixed)
{
	const struct json *addresses = json_member(ipam_of(network, "static"), "addresses"), *one;

	for (size_t i = 0; (one = json_item(addresses, i)); i++) {
		const char *text = json_string(json_member(one, "address"));
		struct range range = { 0 };

		if (!text || !cidr_parse(text, &range.subnet))
			continue;
		range.start = range.end = range.subnet.ip;
		*list_add(arena, fixed) = range;
	}
}

static void add_network(const struct network *network, const holdings_t *holdings,
			struct arena *arena, pools_t *pools)
{
	const struct json *ipam = network->name ? ipam_of(network, "host-local") : NULL;
	const char *file = arena_strdup(arena, network->file);
	range_sets_t sets = { 0 };
	struct error err = { 0 };

	if (!ipam)
		return;
	if (decode(ipam, arena, &sets, &err) < 0) {
		*list_add(arena, pools) = count(network->name, NULL, holdings, arena);
		pools->items[pools->n - 1].file = file;
		pools->items[pools->n - 1].problem = arena_printf(arena, "ipam: %s", err.message);
		return;
	}
	list_each(set, &sets) {
		*list_add(arena, pools) = count(network->name, set, holdings, arena);
		pools->items[pools->n - 1].file = file;
	}
}

static bool have(const pools_t *pools, const char *network)
{
	list_each(pool, pools)
		if (streq(pool->network, network))
			return true;
	return false;
}

int pools_read(const char *conf_dir, const holdings_t *holdings, struct arena *arena,
	       pools_t *pools, struct error *err)
{
	auto_networks struct networks networks = { 0 };
	int r = networks_load(conf_dir, arena, &networks, err);

	if (r < 0 && r != -ENOENT)
		return r;
	list_each(network, &networks.all)
		add_network(network, holdings, arena, pools);
	list_each(holding, holdings)
		if (!have(pools, holding->network))
			*list_add(arena, pools) = count(holding->network, NULL, holdings, arena);
	return 0;
}
