/* A look-up in a dump of the main table; see near.h. */
#include "agent/near.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

void near_make(const routes_t *routes, struct arena *arena, struct near *near)
{
	const struct route *last = NULL;
	routes_t sorted = { 0 };

	*near = (struct near){ .routes = { 0 } };
	list_each(route, routes)
		if (route->protocol != ROUTE_PROTOCOL_CNIBOX)
			*list_add(arena, &sorted) = *route;
	if (sorted.n)
		qsort(sorted.items, sorted.n, sizeof(*sorted.items), route_place_order);
	list_each(route, &sorted) {
		if (last && route_dst_order(last, route) == 0)
			continue;
		last = route;
		*list_add(arena, &near->routes) = *route;
		near->lens[route->dst.ip.family == AF_INET6][route->dst.prefix] = true;
	}
}

int near_read(struct netlink *nl, struct arena *arena, struct near *near, struct error *err)
{
	auto_arena struct arena all = { 0 };
	routes_t routes = { 0 };

	if (route_list(nl, 0, 0, ROUTE_TABLE_MAIN, &all, &routes, err))
		return -err->errnum;
	near_make(&routes, arena, near);
	return 0;
}

static const struct route *look_up(const struct near *near, const struct ip *ip)
{
	bool v6 = ip->family == AF_INET6;

	for (int len = ip_bits(ip); len >= 0 && near->routes.n; len--) {
		const struct route wanted = { .dst = cidr_network(
						      &(struct cidr){ *ip, (uint8_t)len }) };
		const struct route *found = NULL;

		if (near->lens[v6][len])
			found = bsearch(&wanted, near->routes.items, near->routes.n, sizeof(wanted),
					route_dst_order);
		if (found)
			return found;
	}
	return NULL;
}

bool near_has(const struct near *near, int link, const struct ip *ip)
{
	const struct route *route = ip->family ? look_up(near, ip) : NULL;

	return route && route->oif == link && !route->gw.family && !route->shared &&
	       route_is_unicast(route);
}
