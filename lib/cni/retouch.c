/* Changes to a link that is in use; see retouch.h. */
#include "cni/retouch.h"

#include <errno.h>
#include <stdio.h>

#include "kernel/addr.h"
#include "kernel/route.h"

enum { ROUTE_BY_KERNEL = 2 };

static int commit_change(struct netlink *nl, const struct link *link,
			 const struct link_change *change, struct error *err)
{
	char label[64];

	snprintf(label, sizeof(label), "change the attributes of %s", link->name);
	link_queue_change(nl, link->index, NULL, change, label);
	return netlink_commit(nl, err);
}

static bool comes_back(const struct route *route)
{
	return route->table == ROUTE_TABLE_LOCAL || route->protocol == ROUTE_BY_KERNEL;
}

/* Going down lost the routes, and the IPv6 addresses, too. */
static void queue_lost(struct netlink *nl, const struct link *link, const addrs_t *addrs,
		       const routes_t *routes)
{
	list_each(addr, addrs) {
		if (ip_is_link_local(&addr->cidr.ip))
			continue;
		addr_queue_add(nl, link->index, link->name, &addr->cidr, false);
		netlink_tolerate(nl, EEXIST);
	}
	list_each(route, routes) {
		if (comes_back(route))
			continue;
		route_queue_again(nl, route, ROUTE_APPEND);
	}
}

/* For drivers that do not take another address while they run. */
static int change_down(struct netlink *nl, const struct link *link,
		       const struct link_change *change, struct error *err)
{
	struct arena arena auto_arena = { 0 };
	struct link_change down = { .what = LINK_SET_UP }, up = { .what = LINK_SET_UP, .up = true };
	struct error later = { 0 };
	addrs_t addrs = { 0 };
	routes_t routes = { 0 };

	if (addr_list(nl, 0, link->index, &arena, &addrs, err) ||
	    route_records(nl, 0, link->index, 0, &arena, &routes, err) ||
	    commit_change(nl, link, &down, err))
		return -err->errnum;
	(void)!commit_change(nl, link, change, err);
	link_queue_change(nl, link->index, NULL, &up, "set the interface up again");
	queue_lost(nl, link, &addrs, &routes);
	if (netlink_commit(nl, &later))
		error_move(err, &later);
	return -err->errnum;
}

int link_retouch(struct netlink *nl, const struct link *link, const struct link_change *change,
		 struct error *err)
{
	int r;

	if (!change->what)
		return 0;
	r = commit_change(nl, link, change, err);
	if (r != -EBUSY || !(change->what & LINK_SET_MAC) || !(link->flags & LINK_UP))
		return r;
	*err = (struct error){ 0 };
	return change_down(nl, link, change, err);
}
