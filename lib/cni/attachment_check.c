/* CHECK of a container interface: prevResult against one dump of links, addresses and routes. */
#include "cni/attachment.h"

#include "kernel/addr.h"
#include "kernel/route.h"

#include <errno.h>

const struct cni_interface *attachment_interface(const struct cni_result *result, const char *name,
						 bool in_container)
{
	list_each(interface, &result->interfaces) {
		bool sandboxed = interface->sandbox && interface->sandbox[0];

		if (sandboxed == in_container && streq(interface->name, name))
			return interface;
	}
	return NULL;
}

/* An interface of the host may have the same name; but not every plugin says which of them are in the container. */
bool attachment_owns(const struct cni_result *prev, const struct cni_ip *ip, const char *ifname)
{
	const struct cni_interface *interface;

	if (!ip->has_interface)
		return true;
	if (ip->interface < 0 || (size_t)ip->interface >= prev->interfaces.n)
		return false;
	interface = &prev->interfaces.items[ip->interface];
	if (!streq(interface->name, ifname))
		return false;
	return (interface->sandbox && *interface->sandbox) ||
	       !attachment_interface(prev, ifname, true);
}

static bool addrs_have(const addrs_t *addrs, const struct cidr *wanted)
{
	list_each(addr, addrs)
		if (cidr_equal(&addr->cidr, wanted))
			return true;
	return false;
}

/* dst and gateway; for default routes the destination only, as the reference. */
static const struct route *routes_find(const routes_t *routes, const struct cidr *dst,
				       const struct ip *gw, uint32_t table)
{
	list_each(route, routes) {
		if (!cidr_equal(&route->dst, dst) || (table && route->table != table))
			continue;
		if (dst->prefix == 0 || !gw->family || ip_is_unspecified(gw) ||
		    ip_equal(&route->gw, gw))
			return route;
	}
	return NULL;
}

static int check_addresses(const struct cni_result *prev, const char *ifname, const addrs_t *addrs,
			   const routes_t *routes, struct error *err)
{
	char text[CIDR_TEXT_SIZE];

	list_each(ip, &prev->ips) {
		struct cidr network = cidr_network(&ip->address);

		if (!attachment_owns(prev, ip, ifname))
			continue;
		if (!addrs_have(addrs, &ip->address))
			return fail(err, ENOENT, "Failed to match addr %s on interface %s",
				    cidr_format(&ip->address, text), ifname);
		/* A single address has no subnet route. */
		if (ip->address.prefix < ip_bits(&ip->address.ip) &&
		    !routes_find(routes, &network, &(struct ip){ 0 }, 0))
			return fail(err, ENOENT,
				    "Failed to find Gateway: no route to %s on interface %s",
				    cidr_format(&network, text), ifname);
	}
	return 0;
}

static int check_routes(const struct cni_result *prev, const routes_t *routes, struct error *err)
{
	char text[CIDR_TEXT_SIZE], gw[IP_TEXT_SIZE];

	list_each(wanted, &prev->routes) {
		struct cidr dst = cidr_network(&wanted->dst);

		if (!routes_find(routes, &dst, &wanted->gw, wanted->has_table ? wanted->table : 0))
			return fail(err, ENOENT, "Expected Route %s%s%s not found in routing table",
				    cidr_format(&dst, text), wanted->gw.family ? " via " : "",
				    ip_format(&wanted->gw, gw));
	}
	return 0;
}

static int check_link(const struct cni_request *request, const struct cni_interface *wanted,
		      const char *kind, const struct link *link, struct error *err)
{
	char is[MAC_TEXT_SIZE], should[MAC_TEXT_SIZE];

	if (!streq(wanted->sandbox, request->netns))
		return fail(err, EINVAL,
			    "Sandbox in prevResult %s doesn't match configured netns: %s",
			    wanted->sandbox, request->netns);
	if (kind && !streq(link->kind, kind))
		return fail(err, EINVAL, "Container interface %s not of type %s", link->name, kind);
	if (wanted->mac.set && !mac_equal(&wanted->mac, &link->mac))
		return fail(err, EINVAL, "Interface %s Mac %s doesn't match container Mac: %s",
			    link->name, mac_format(&wanted->mac, should),
			    mac_format(&link->mac, is));
	return 0;
}

int attachment_check(struct attachment *a, const struct cni_result *prev, const char *kind,
		     struct link *link, struct error *err)
{
	struct arena *arena = a->request->arena;
	const char *ifname = a->request->ifname;
	const struct cni_interface *wanted = attachment_interface(prev, ifname, true);
	addrs_t addrs = { 0 };
	routes_t routes = { 0 };

	if (!wanted)
		return fail(err, ENOENT, "Interface %s is missing from prevResult", ifname);
	if (link_get(a->container, ifname, link, err))
		return wrap(err, "Container Interface name in prevResult: %s not found", ifname);
	if (check_link(a->request, wanted, kind, link, err))
		return -err->errnum;
	if (addr_list(a->container, 0, link->index, arena, &addrs, err) ||
	    route_list(a->container, 0, 0, 0, arena, &routes, err))
		return -err->errnum;
	if (check_addresses(prev, ifname, &addrs, &routes, err))
		return -err->errnum;
	return check_routes(prev, &routes, err);
}

int attachment_check_bridge(struct attachment *a, const struct cni_result *prev, const char *name,
			    bool promisc, struct link *bridge, struct error *err)
{
	const struct cni_interface *wanted = attachment_interface(prev, name, false);
	char is[MAC_TEXT_SIZE], should[MAC_TEXT_SIZE];

	if (!wanted)
		return fail(err, ENOENT, "bridge \"%s\" is missing from prevResult", name);
	if (link_get(a->host, name, bridge, err))
		return wrap(err, "bridge \"%s\"", name);
	if (!streq(bridge->kind, "bridge"))
		return fail(err, EINVAL, "\"%s\" exists but is not a bridge", name);
	if (wanted->mac.set && !mac_equal(&wanted->mac, &bridge->mac))
		return fail(err, EINVAL,
			    "Bridge interface %s Mac doesn't match: %s in prevResult, %s here",
			    name, mac_format(&wanted->mac, should), mac_format(&bridge->mac, is));
	if (promisc != !!(bridge->flags & LINK_PROMISC))
		return fail(
			err, EINVAL,
			"Bridge interface %s configured promisc mode %s doesn't match current state",
			name, promisc ? "true" : "false");
	return 0;
}

int attachment_check_port(struct attachment *a, const struct cni_result *prev,
			  const struct link *container, const struct link *bridge,
			  struct error *err)
{
	const struct cni_interface *wanted;
	struct link port = { 0 };

	if (link_get_index(a->host, container->peer, &port, err))
		return wrap(err, "peer of %s", container->name);
	wanted = attachment_interface(prev, port.name, false);
	if (!wanted)
		return fail(err, ENOENT, "host interface %s is missing from prevResult", port.name);
	if (port.master != bridge->index)
		return fail(err, EINVAL, "host interface %s is not connected to bridge %s",
			    port.name, bridge->name);
	if (wanted->mac.set && !mac_equal(&wanted->mac, &port.mac))
		return fail(err, EINVAL, "Interface %s Mac doesn't match host Mac in prevResult",
			    port.name);
	return 0;
}
