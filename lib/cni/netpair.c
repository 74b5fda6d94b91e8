/* Networks that go badly together; see netlint.h. Each counts its own leases, and a bridge has one gateway of a family. */
#include "cni/netlint.h"

#include "cni/pool.h"

static const char *bridge_of(const struct json *plugin)
{
	const char *bridge = json_string(json_member(plugin, "bridge"));

	return bridge ? bridge : "cni0";
}

/* flannel hands its containers to another plugin, the bridge's unless it is told. */
const char *network_bridge(const struct network *network)
{
	list_each(plugin, &network->plugins) {
		const char *type = json_string(json_member(*plugin, "type"));
		const struct json *delegate = json_member(*plugin, "delegate");
		const char *other = json_string(json_member(delegate, "type"));

		if (type && streq(type, "bridge"))
			return bridge_of(*plugin);
		if (type && streq(type, "flannel") && (!other || streq(other, "bridge")))
			return bridge_of(delegate);
	}
	return NULL;
}

bool network_has_bridge(const struct networks *networks, const char *bridge)
{
	list_each(network, &networks->all) {
		const char *own = network->unusable ? NULL : network_bridge(network);

		if (own && streq(own, bridge))
			return true;
	}
	return false;
}

/* Two networks may share a subnet when each has a part of its own. */
static bool overlap(const struct range *a, const struct range *b)
{
	return a->start.family == b->start.family && ip_compare(&a->start, &b->end) <= 0 &&
	       ip_compare(&b->start, &a->end) <= 0;
}

static void check_ranges(struct network_conflict *conflict, network_conflict_fn *fn, void *arg)
{
	const char *one = network_bridge(conflict->first),
		   *other = network_bridge(conflict->second);

	conflict->bridge = NULL;
	if (overlap(conflict->one, conflict->other)) {
		fn(arg, conflict);
		return;
	}
	if (!one || !other || !streq(one, other) ||
	    conflict->one->subnet.ip.family != conflict->other->subnet.ip.family ||
	    cidr_equal(&conflict->one->subnet, &conflict->other->subnet))
		return;
	conflict->bridge = one;
	fn(arg, conflict);
}

/* Addresses that one gives out, and the other gives everybody. */
static void check_fixed(struct network_conflict *conflict, const range_set_t *ones,
			const range_set_t *others, network_conflict_fn *fn, void *arg)
{
	list_each(one, ones)
		list_each(other, others)
			if (overlap(one, other)) {
				conflict->one = one;
				conflict->other = other;
				conflict->bridge = NULL;
				fn(arg, conflict);
			}
}

static void check_pair(const struct network *first, const struct network *second,
		       struct arena *arena, network_conflict_fn *fn, void *arg)
{
	struct network_conflict conflict = { .first = first, .second = second };
	range_sets_t ones = { 0 }, others = { 0 };
	range_set_t fixed = { 0 }, fixed2 = { 0 };

	if (streq(first->name, second->name)) /* told by itself */
		return;
	if (pool_ranges(first, arena, &ones, NULL) < 0 ||
	    pool_ranges(second, arena, &others, NULL) < 0)
		return;
	pool_fixed(first, arena, &fixed);
	pool_fixed(second, arena, &fixed2);
	check_fixed(&conflict, &fixed, &fixed2, fn, arg);
	list_each(set, &ones)
		check_fixed(&conflict, set, &fixed2, fn, arg);
	list_each(set, &others)
		check_fixed(&conflict, &fixed, set, fn, arg);
	list_each(set, &ones)
		list_each(one, set)
			list_each(set2, &others)
				list_each(other, set2) {
					conflict.one = one;
					conflict.other = other;
					check_ranges(&conflict, fn, arg);
				}
}

void networks_conflicts(const struct networks *networks, struct arena *arena,
			network_conflict_fn *fn, void *arg)
{
	const struct network *all = networks->all.items;

	for (size_t i = 0; i < networks->all.n; i++)
		for (size_t j = i + 1; j < networks->all.n; j++)
			if (!all[i].unusable && !all[j].unusable && all[i].name && all[j].name)
				check_pair(&all[i], &all[j], arena, fn, arg);
}
