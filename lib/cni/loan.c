/*
 * Lending devices. One message moves, renames and sets the alias, so that no third namespace is needed: the kernel moves
 * first - under the new name when the old one is taken over there - and renames then. It does not go back when the
 * renaming fails, hence the look before and the search after a failure.
 */
#include "cni/loan.h"

#include "kernel/netns.h"

#include <ctype.h>
#include <errno.h>
#include <sys/socket.h>

#define HERE         "/proc/thread-self/ns/net"
#define ANY_NAME     "dev%d" /* the kernel counts */
#define RTN_UNICAST  1
#define PROTO_KERNEL 2

/* ---- what the host loses ---- */

/* What the kernel made of an address comes back with it. */
static bool is_lost(const struct route *route, int index)
{
	return route->type == RTN_UNICAST && route->protocol != PROTO_KERNEL && route->oif == index;
}

/* A device that is down has no routes. */
int loan_save(struct netlink *host, const struct link *device, struct arena *arena,
	      struct loan *loan, struct error *err)
{
	routes_t routes = { 0 };

	*loan = (struct loan){ .device = *device };
	if (addr_records(host, 0, device->index, arena, &loan->addrs, err))
		return -err->errnum;
	if ((device->flags & LINK_UP) &&
	    route_records(host, 0, device->index, 0, arena, &routes, err))
		return -err->errnum;
	list_each(route, &routes)
		if (is_lost(route, device->index))
			*list_add(arena, &loan->routes) = *route;
	return 0;
}

/* Under its old index everything can be as it was; under another (before Linux 5.13, or when somebody has the index by
 * now) what we know of it. */
static void queue_addrs(struct netlink *host, const struct loan *loan, int index)
{
	list_each(addr, &loan->addrs) {
		if (ip_is_link_local(&addr->cidr.ip))
			continue;
		if (index == loan->device.index) {
			addr_queue_again(host, addr, loan->device.name, false);
			continue;
		}
		addr_queue_add(host, index, loan->device.name, &addr->cidr, 0);
		netlink_tolerate(host, EEXIST);
	}
}

static void queue_route(struct netlink *host, const struct loan *loan, const struct route *route,
			int index)
{
	struct route moved = *route;

	moved.oif = index;
	if (index == loan->device.index)
		route_queue_again(host, route, ROUTE_APPEND);
	else
		route_queue_add(host, &moved, ROUTE_APPEND);
}

/* Those that others depend on, which have no gateway, come first. */
static void queue_routes(struct netlink *host, const struct loan *loan, int index)
{
	for (int gateways = 0; gateways <= 1; gateways++)
		list_each(route, &loan->routes)
			if (!!route->gw.family == gateways)
				queue_route(host, loan, route, index);
}

static int restore(struct netlink *host, const struct loan *loan, struct error *err)
{
	const struct link *before = &loan->device;
	struct link_change change = { .what = LINK_SET_UP, .up = before->flags & LINK_UP };
	struct link back;

	if (before->master) {
		change.what |= LINK_SET_MASTER;
		change.master = before->master;
	}
	if (link_get(host, before->name, &back, err))
		return wrap(err, "%s", before->name);
	queue_addrs(host, loan, back.index);
	link_queue_change(host, back.index, NULL, &change, "set the device as it was");
	queue_routes(host, loan, back.index);
	return netlink_commit(host, err);
}

/* ---- moving ---- */

/* Whoever is root in the container can write an alias: what it says is a name, and not a pattern. */
static bool has_home(const struct link *link)
{
	return field_valid_ifname(link->alias) && !strchr(link->alias, '%');
}

static int look_for(struct netlink *nl, const char *name, struct link *link, struct error *err)
{
	link_queue_get(nl, name, link);
	netlink_tolerate(nl, ENODEV);
	return netlink_commit(nl, err);
}

/* Out of the container, down; the change says what else. */
static int move_home(struct netlink *container, int index, struct link_change change,
		     struct error *err)
{
	int home auto_close = -1;
	int r = netns_open(HERE, &home, err);

	if (r < 0)
		return r;
	change.what |= LINK_SET_UP | LINK_SET_NETNS | LINK_SET_NAME | LINK_SET_ALIAS;
	change.netns = home;
	link_queue_change(container, index, NULL, &change, "move the device to the host");
	return netlink_commit(container, err);
}

/* To where it was, with its index when nobody has that by now. */
static int move_back(struct netlink *container, int index, const struct link *before,
		     struct error *err)
{
	struct link_change change = { .what = LINK_SET_INDEX,
				      .new_name = before->name,
				      .alias = before->alias,
				      .new_index = before->index };

	if (move_home(container, index, change, NULL) == 0)
		return 0;
	change.what = 0;
	return move_home(container, index, change, err);
}

static bool same_device(const struct link *a, const struct link *b)
{
	return streq(a->kind, b->kind) && a->mac.set == b->mac.set &&
	       (!a->mac.set || mac_equal(&a->mac, &b->mac));
}

/* The kernel refused in the middle: when the device is over there, under either name, it comes back. */
static void retrieve(struct attachment *a, const struct loan *loan)
{
	const char *const names[] = { loan->device.name, a->request->ifname };
	struct link there = { 0 };

	if (look_for(a->host, loan->device.name, &there, NULL) == 0 && there.index)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (look_for(a->container, names[i], &there, NULL) == 0 && there.index &&
		    same_device(&there, &loan->device) &&
		    move_back(a->container, there.index, &loan->device, NULL) == 0)
			break;
	(void)!restore(a->host, loan, NULL);
}

int loan_give(struct attachment *a, const struct loan *loan, struct link *moved, struct error *err)
{
	const char *ifname = a->request->ifname;
	struct link there;

	if (strchr(ifname, '%')) /* a pattern to the kernel */
		return fail_code(err, CNI_INVALID_ENVIRONMENT, EINVAL,
				 "\"%s\" cannot be the name of a device", ifname);
	if (look_for(a->container, ifname, &there, err))
		return -err->errnum;
	if (there.index)
		return fail(err, EEXIST, "the container has an interface %s already", ifname);
	link_queue_change(a->host, loan->device.index, NULL,
			  &(struct link_change){
				  .what = LINK_SET_NETNS | LINK_SET_NAME | LINK_SET_ALIAS,
				  .netns = a->netns,
				  .new_name = ifname,
				  .alias = loan->device.name,
			  },
			  "move it to the container");
	if (netlink_commit(a->host, err) || link_get(a->container, ifname, moved, err)) {
		retrieve(a, loan);
		return -err->errnum;
	}
	return 0;
}

/* The name to come back under: that of the alias, or one of the kernel's choice when it is taken. */
static int choose_name(struct netlink *host, const struct link *link, bool *free, struct error *err)
{
	struct link taken;

	if (look_for(host, link->alias, &taken, err))
		return -err->errnum;
	*free = taken.index == 0;
	return 0;
}

static int open_both(const struct cni_request *request, struct netlink **container,
		     struct netlink **host, struct error *err)
{
	if (attachment_container(request, container, err))
		return -err->errnum;
	return *container ? netlink_open(host, NETLINK_SESSION_ROUTE, -1, err) : 0;
}

int loan_cancel(const struct cni_request *request, const struct loan *loan, struct error *err)
{
	struct netlink *container auto_netlink = NULL, *host auto_netlink = NULL;
	struct link there;

	if (open_both(request, &container, &host, err))
		return -err->errnum;
	if (!container)
		return 0;
	if (link_get(container, request->ifname, &there, err) ||
	    move_back(container, there.index, &loan->device, err))
		return wrap(err, "%s", request->ifname);
	return restore(host, loan, err);
}

/* Renamed by the container's root; index 0 = not there. */
static int look_for_renamed(struct netlink *container, const char *home, const struct mac *mac,
			    struct arena *arena, struct link *found, struct error *err)
{
	links_t links = { 0 };

	if (link_list(container, NULL, 0, arena, &links, err))
		return -err->errnum;
	list_each(link, &links)
		if (has_home(link) &&
		    (home ? streq(link->alias, home)
			  : mac->set && link->mac.set && mac_equal(&link->mac, mac)))
			*found = *link;
	return 0;
}

int loan_take_back(const struct cni_request *request, const char *home, const struct mac *mac,
		   bool *found, struct error *err)
{
	struct netlink *container auto_netlink = NULL, *host auto_netlink = NULL;
	struct link there;
	bool free = false;

	*found = false;
	if (open_both(request, &container, &host, err))
		return -err->errnum;
	if (!container)
		return 0;
	if (look_for(container, request->ifname, &there, err))
		return -err->errnum;
	if (!there.index && (home || mac->set) &&
	    look_for_renamed(container, home, mac, request->arena, &there, err))
		return -err->errnum;
	if (!there.index || !has_home(&there))
		return 0;
	*found = true;
	if (choose_name(host, &there, &free, err))
		return -err->errnum;
	return move_home(container, there.index,
			 (struct link_change){ .new_name = free ? there.alias : ANY_NAME,
					       .alias = free ? "" : there.alias },
			 err);
}

/* ---- returned by the kernel ---- */

static bool is_kernels_name(const char *name)
{
	if (strncmp(name, "dev", 3) != 0 || !name[3])
		return false;
	for (const char *c = name + 3; *c; c++)
		if (!isdigit((unsigned char)*c))
			return false;
	return true;
}

bool loan_returned(const struct link *link, const char *ifname)
{
	return has_home(link) &&
	       (!ifname || streq(link->name, ifname) || is_kernels_name(link->name));
}

int loan_rename(struct netlink *host, const struct link *link, struct error *err)
{
	bool free = streq(link->name, link->alias);

	if (!free && choose_name(host, link, &free, err))
		return -err->errnum;
	if (!free)
		return 0;
	link_queue_change(host, link->index, NULL,
			  &(struct link_change){
				  .what = LINK_SET_UP | LINK_SET_NAME | LINK_SET_ALIAS,
				  .new_name = link->alias,
				  .alias = "",
			  },
			  "give the device its name back");
	return netlink_commit(host, err);
}
