/* A look-up in dumps of tables; see near.h. */
#include "agent/near.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "kernel/rule.h"

static void make(const routes_t *routes, struct arena *arena, struct near_table *table)
{
	const struct route *last = NULL;
	routes_t sorted = { 0 };

	list_each(route, routes)
		if (route->protocol != ROUTE_PROTOCOL_CNIBOX)
			*list_add(arena, &sorted) = *route;
	if (sorted.n)
		qsort(sorted.items, sorted.n, sizeof(*sorted.items), route_place_order);
	list_each(route, &sorted) {
		if (last && route_dst_order(last, route) == 0)
			continue;
		last = route;
		*list_add(arena, &table->routes) = *route;
		table->lens[route->dst.ip.family == AF_INET6][route->dst.prefix] = true;
	}
}

void near_make(const routes_t *routes, struct arena *arena, struct near *near)
{
	*near = (struct near){ .main = { .id = ROUTE_TABLE_MAIN } };
	make(routes, arena, &near->main);
}

static int read_table(struct netlink *nl, struct arena *arena, struct near_table *table,
		      struct error *err)
{
	auto_arena struct arena all = { 0 };
	routes_t routes = { 0 };

	if (route_list(nl, 0, 0, table->id, &all, &routes, err))
		return -err->errnum;
	make(&routes, arena, table);
	return 0;
}

/* Whatever the packet is, wherever it comes from. Local's has nobody else's addresses. */
static bool asks_always(const struct rule *rule)
{
	return !rule->special && !rule->inverted && !rule->refuses && !rule->src.prefix &&
	       !rule->dst.prefix && !*rule->in && !rule->mark_bits && rule->table &&
	       rule->table != ROUTE_TABLE_LOCAL && rule->table != ROUTE_TABLE_DEFAULT;
}

/* NULL = main. */
static const struct near_table *table_of(struct near *near, uint32_t id, struct arena *arena)
{
	struct near_table *table;

	if (id == ROUTE_TABLE_MAIN)
		return NULL;
	list_each(other, &near->others)
		if ((*other)->id == id)
			return *other;
	table = arena_alloc(arena, sizeof(*table));
	*table = (struct near_table){ .id = id };
	*list_add(arena, &near->others) = table;
	return table;
}

/* A kernel without rules asks main. */
static int read_rules(struct netlink *nl, struct arena *arena, struct near *near, struct error *err)
{
	struct error why = { 0 };
	rules_t rules = { 0 };
	int r = rule_list(nl, 0, arena, &rules, &why);

	if (r < 0 && r != -EOPNOTSUPP)
		return fail(err, why.errnum, "%s", why.message);
	list_each(rule, &rules)
		if (asks_always(rule))
			*list_add(arena, &near->asked[rule->src.ip.family == AF_INET6]) =
				table_of(near, rule->table, arena);
	return 0;
}

int near_read(struct netlink *nl, struct arena *arena, struct near *near, struct error *err)
{
	int r;

	*near = (struct near){ .main = { .id = ROUTE_TABLE_MAIN } };
	r = read_rules(nl, arena, near, err);
	if (r == 0)
		r = read_table(nl, arena, &near->main, err);
	for (size_t i = 0; i < near->others.n && r == 0; i++)
		r = read_table(nl, arena, near->others.items[i], err);
	return r;
}

static bool table_leads(const struct near_table *table, int link,
			bool (*leads)(const void *arg, const struct cidr *dst), const void *arg)
{
	list_each(route, &table->routes)
		if (route->oif == link && leads(arg, &route->dst))
			return true;
	return false;
}

bool near_leads(const struct near *near, int link,
		bool (*leads)(const void *arg, const struct cidr *dst), const void *arg)
{
	list_each(other, &near->others)
		if (table_leads(*other, link, leads, arg))
			return true;
	return table_leads(&near->main, link, leads, arg);
}

static const struct route *look_up(const struct near_table *table, const struct ip *ip)
{
	bool v6 = ip->family == AF_INET6;

	for (int len = ip_bits(ip); len >= 0 && table->routes.n; len--) {
		const struct route wanted = { .dst = cidr_network(
						      &(struct cidr){ *ip, (uint8_t)len }) };
		const struct route *found = NULL;

		if (table->lens[v6][len])
			found = bsearch(&wanted, table->routes.items, table->routes.n,
					sizeof(wanted), route_dst_order);
		if (found)
			return found;
	}
	return NULL;
}

static bool is_direct(const struct route *route, int link)
{
	return route && route->oif == link && !route->gw.family && !route->shared &&
	       route_is_unicast(route);
}

/* The kernel takes a gateway that the table of the route itself has on a link, or else the rules. */
bool near_has(const struct near *near, int link, const struct ip *ip)
{
	const struct route *route = ip->family ? look_up(&near->main, ip) : NULL;

	if (!ip->family || is_direct(route, link) || !near->others.n)
		return is_direct(route, link);
	list_each(table, &near->asked[ip->family == AF_INET6]) {
		route = look_up(*table ? *table : &near->main, ip);
		if (route)
			break;
	}
	return is_direct(route, link);
}
