/* What a binding does to its interface: see binding_link.h. Each step is a session of its own in the container. */
#include "dhcp/binding_link.h"

#include <errno.h>
#include <sys/socket.h>

#include "kernel/addr.h"
#include "kernel/link.h"

#define PROTOCOL_KERNEL 2 /* RTPROT_KERNEL: routes that come with an address by themselves */

int binding_session(const struct binding *b, struct netlink **nl, struct error *err)
{
	return netlink_open(nl, NETLINK_SESSION_ROUTE, b->netns, err);
}

int binding_set_link(struct binding *b, bool up, struct error *err)
{
	auto_netlink struct netlink *nl = NULL;

	if (binding_session(b, &nl, err))
		return -err->errnum;
	link_queue_change(nl, b->record.index, NULL,
			  &(struct link_change){ .what = LINK_SET_UP, .up = up },
			  up ? "set the interface up" : "set the interface down");
	return netlink_commit(nl, err);
}

void binding_refresh_mac(struct binding *b)
{
	auto_netlink struct netlink *nl = NULL;
	struct link link = { 0 };
	struct error err = { 0 };

	if (binding_session(b, &nl, &err) || link_get_index(nl, b->record.index, &link, &err))
		return;
	if (link.mac.set)
		b->client.mac = b->record.mac = link.mac;
}

/* That it cannot be told counts as being there. */
enum link_is binding_link_state(const struct binding *b)
{
	auto_netlink struct netlink *nl = NULL;
	struct link link = { 0 };
	struct error err = { 0 };

	if (binding_session(b, &nl, &err) || link_get_index(nl, b->record.index, &link, &err))
		return err.errnum == ENODEV ? LINK_IS_GONE : LINK_IS_DOWN;
	return link.flags & LINK_UP ? LINK_IS_UP : LINK_IS_DOWN;
}

/* Routes through the interface that others made: with the address they go, and they must come back with it. */
static void save_routes(struct binding *b, struct netlink *nl)
{
	routes_t all = { 0 };
	struct error err = { 0 };

	arena_free(&b->routes_arena);
	b->routes = (routes_t){ 0 };
	if (route_list(nl, AF_INET, b->record.index, 0, &b->routes_arena, &all, &err))
		return;
	list_each(route, &all)
		if (route->protocol != PROTOCOL_KERNEL)
			*list_add(&b->routes_arena, &b->routes) = *route;
}

void binding_take_down(struct binding *b)
{
	auto_netlink struct netlink *nl = NULL;
	struct error err = { 0 };

	if (binding_session(b, &nl, &err))
		return;
	if (!b->down) {
		save_routes(b, nl);
		addr_queue_del(nl, b->record.index, b->record.ifname, &b->client.lease.address);
		netlink_tolerate(nl, EADDRNOTAVAIL);
	}
	b->down = true;
	link_queue_change(nl, b->record.index, NULL, &(struct link_change){ .what = LINK_SET_UP },
			  "set the interface down");
	if (netlink_commit(nl, &err))
		binding_note(b, "%s", err.message);
}

/* After a restart of the daemon nobody remembers: then the lease knows. */
static void routes_of_lease(struct binding *b)
{
	static const struct ip none = { 0 };

	list_each(route, &b->client.lease.routes)
		*list_add(&b->routes_arena, &b->routes) = (struct route){
			.dst = route->dst,
			.gw = route->on_link ? none : route->gw,
			.oif = b->record.index,
			.scope = route->on_link ? ROUTE_SCOPE_LINK : -1,
		};
}

void binding_bring_back(struct binding *b)
{
	auto_netlink struct netlink *nl = NULL;
	struct error err = { 0 };

	if (binding_session(b, &nl, &err))
		return;
	if (!b->routes.n)
		routes_of_lease(b);
	link_queue_change(nl, b->record.index, NULL,
			  &(struct link_change){ .what = LINK_SET_UP, .up = true },
			  "set the interface up");
	addr_queue_add(nl, b->record.index, b->record.ifname, &b->client.lease.address, false);
	netlink_tolerate(nl, EEXIST);
	list_each(route, &b->routes) {
		route_queue_add(nl, route, ROUTE_EXCLUSIVE);
		netlink_tolerate(nl, EEXIST);
	}
	b->down = false;
	if (netlink_commit(nl, &err))
		binding_note(b, "%s", err.message);
}
