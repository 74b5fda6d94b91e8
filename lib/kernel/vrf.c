/*
 * VRFs. A link that becomes a member (or ceases to be one) is set down and up again by the kernel, which makes connected
 * routes anew in the right table and forgets all others. What it forgets is recorded before, word by word, and restored.
 */
#include "kernel/vrf.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include "kernel/addr.h"
#include "kernel/route.h"
#include "kernel/rule.h"

/* ---- find or make ---- */

static bool has_vrf(const links_t *vrfs, uint32_t table)
{
	list_each(vrf, vrfs)
		if (vrf->table == table)
			return true;
	return false;
}

static int free_table(struct netlink *nl, struct arena *arena, uint32_t *table, struct error *err)
{
	links_t vrfs = { 0 };
	rules_t rules = { 0 };
	routes_t routes = { 0 };

	if (link_list(nl, "vrf", 0, arena, &vrfs, err) || rule_list(nl, 0, arena, &rules, err) ||
	    route_list(nl, 0, 0, 0, arena, &routes, err))
		return -err->errnum;
	for (*table = 1; has_vrf(&vrfs, *table) || table_used(*table, &rules, &routes);)
		++*table;
	return 0;
}

/* "Unknown device type" is all that the kernel says when it has no VRFs. */
static int explain(struct netlink *nl, const char *name, struct error *err)
{
	struct error why = { 0 };

	if (err->errnum == EOPNOTSUPP && link_kind_probe(nl, "vrf", &why))
		*err = why;
	return wrap(err, "could not add VRF %s", name);
}

static int make(struct netlink *nl, const char *name, uint32_t table, struct arena *arena,
		struct vrf *vrf, struct error *err)
{
	struct link_spec spec = { .kind = "vrf", .name = name, .up = true, .table = table };

	if (!table && free_table(nl, arena, &spec.table, err))
		return explain(nl, name, err);
	link_queue_create(nl, &spec);
	link_queue_get(nl, name, &vrf->link);
	if (netlink_commit(nl, err))
		return explain(nl, name, err);
	vrf->made = true;
	return 0;
}

static int use(struct netlink *nl, uint32_t table, const struct link *link, struct error *err)
{
	if (!streq(link->kind, "vrf"))
		return fail(err, EEXIST, "Netlink %s is not a VRF", link->name);
	if (table && table != link->table)
		return fail(err, EEXIST, "VRF %s already exist with different routing table %u",
			    link->name, link->table);
	if (link->flags & LINK_UP)
		return 0;
	link_queue_change(nl, link->index, NULL,
			  &(struct link_change){ .what = LINK_SET_UP, .up = true },
			  "set the VRF up");
	return netlink_commit(nl, err);
}

int vrf_ensure(struct netlink *nl, const char *name, uint32_t table, struct arena *arena,
	       struct vrf *vrf, struct error *err)
{
	*vrf = (struct vrf){ 0 };
	link_queue_get(nl, name, &vrf->link);
	netlink_tolerate(nl, ENODEV);
	if (netlink_commit(nl, err))
		return -err->errnum;
	return vrf->link.index ? use(nl, table, &vrf->link, err)
			       : make(nl, name, table, arena, vrf, err);
}

/* ---- members ---- */

/* A member to be, and what the kernel takes away from it. */
struct member {
	struct netlink *nl;
	const struct link *link;
	addrs_t addrs; /* IPv6 */
	routes_t routes;
	int refused; /* errno of the change of master, 0 = it was made */
};

/* Connected routes and the local table are the kernel's own, unless somebody moved them. */
static bool is_restored_by_kernel(const struct route *route)
{
	return route->table == ROUTE_TABLE_LOCAL ||
	       (route->table == ROUTE_TABLE_MAIN && route->protocol == RTPROT_KERNEL);
}

static void queue_master(const struct member *member, int master, const char *label)
{
	link_queue_change(member->nl, member->link->index, NULL,
			  &(struct link_change){ .what = LINK_SET_MASTER, .master = master },
			  label);
}

/* An IPv4 address of a member is local in the VRF's table only, and the kernel accepts it as source of routes in no other;
 * there it is chosen for being the member's. */
static struct route restored(const struct route *route, uint32_t main_table)
{
	struct route again = *route;

	again.by_hops = true;
	if (route->table == ROUTE_TABLE_MAIN)
		again.table = main_table;
	else if (main_table != ROUTE_TABLE_MAIN && route->dst.ip.family == AF_INET)
		again.src = (struct ip){ 0 };
	return again;
}

/* Addresses first, then what gateways are reached by, then what goes through them. main_table is where those of the main
 * table go. */
static int restore(const struct member *member, uint32_t main_table, struct error *err)
{
	list_each(addr, &member->addrs)
		addr_queue_again(member->nl, addr, member->link->name, false);
	for (int gateways = 0; gateways < 2; gateways++)
		list_each(route, &member->routes) {
			struct route again = restored(route, main_table);

			if (is_restored_by_kernel(route) || route->shared ||
			    !!route->gw.family != gateways)
				continue;
			route_queue_again(member->nl, &again, ROUTE_APPEND);
		}
	return netlink_commit(member->nl, err);
}

/* Addresses that stay (keep_addr_on_down) would be tentative again, for a second or two. */
static int enslave(struct member *member, int master, struct error *err)
{
	list_each(addr, &member->addrs)
		if (!(addr->flags & (ADDR_NODAD | ADDR_TENTATIVE)) &&
		    !ip_is_link_local(&addr->cidr.ip))
			addr_queue_again(member->nl, addr, member->link->name, true);
	queue_master(member, master, "make the interface a member of the VRF");
	netlink_outcome(member->nl, &member->refused);
	return netlink_commit(member->nl, err);
}

static void release(const struct member *member, struct error *err)
{
	struct error later = { 0 };

	queue_master(member, 0, "take the interface out of the VRF");
	if (netlink_commit(member->nl, &later) == 0)
		(void)!restore(member, ROUTE_TABLE_MAIN, &later);
	error_join(err, &later);
}

int vrf_join(struct netlink *nl, const struct vrf *vrf, const struct link *link,
	     struct arena *arena, struct error *err)
{
	struct member member = { .nl = nl, .link = link };

	if (addr_records(nl, AF_INET6, link->index, arena, &member.addrs, err) ||
	    route_records(nl, 0, link->index, 0, arena, &member.routes, err))
		return -err->errnum;
	if (enslave(&member, vrf->link.index, err) == 0 &&
	    restore(&member, vrf->link.table, err) == 0)
		return 0;
	if (!member.refused)
		release(&member, err);
	return wrap(err, "could not set vrf %s as master of %s", vrf->link.name, link->name);
}

int vrf_leave(struct netlink *nl, const char *name, const char *member, struct arena *arena,
	      struct error *err)
{
	struct link vrf, link;
	links_t members = { 0 };
	bool joined;

	link_queue_get(nl, name, &vrf);
	netlink_tolerate(nl, ENODEV);
	link_queue_get(nl, member, &link);
	netlink_tolerate(nl, ENODEV);
	if (netlink_commit(nl, err))
		return -err->errnum;
	if (!vrf.index || !streq(vrf.kind, "vrf"))
		return 0;
	if (link_list(nl, NULL, vrf.index, arena, &members, err))
		return -err->errnum;
	joined = link.index && link.master == vrf.index;
	if (joined)
		queue_master(&(struct member){ .nl = nl, .link = &link }, 0,
			     "take the interface out of the VRF");
	if (members.n == (joined ? 1 : 0)) {
		link_queue_del_index(nl, vrf.index, "delete the VRF");
		netlink_tolerate(nl, ENODEV);
	}
	return netlink_commit(nl, err);
}
