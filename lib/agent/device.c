/* Attributes and addresses of a device of ours; see device.h. */
#include "agent/device.h"

#include <errno.h>

#include "kernel/addr.h"

static void queue_attributes(struct netlink *nl, const struct device_spec *spec,
			     const struct link *link, bool *changed)
{
	struct link_change change = { .mtu = spec->mtu, .mac = spec->mac, .up = true };

	if (spec->mtu && link->mtu != spec->mtu)
		change.what |= LINK_SET_MTU;
	if (spec->mac.set && !mac_equal(&spec->mac, &link->mac))
		change.what |= LINK_SET_MAC;
	if (!(link->flags & LINK_UP))
		change.what |= LINK_SET_UP;
	if (!change.what)
		return;
	*changed = true;
	link_queue_change(nl, link->index, NULL, &change, "set the device up");
}

/* The look comes before anything is queued: a dump travels alone. */
static int list_addresses(struct netlink *nl, const struct device_spec *spec,
			  const struct link *link, struct arena *arena, addrs_t *addrs,
			  struct error *err)
{
	int family = spec->address.ip.family;

	return family ? addr_list(nl, family, link->index, arena, addrs, err) : 0;
}

static void queue_address(struct netlink *nl, const struct device_spec *spec,
			  const struct link *link, const addrs_t *addrs, bool *changed)
{
	bool there = !spec->address.ip.family;

	list_each(addr, addrs) {
		if (cidr_equal(&addr->cidr, &spec->address)) {
			there = true;
		} else if (cidr_contains(&spec->network, &addr->cidr.ip)) {
			addr_queue_del(nl, link->index, spec->name, &addr->cidr);
			netlink_tolerate(nl, EADDRNOTAVAIL);
			*changed = true;
		}
	}
	if (there)
		return;
	addr_queue_add(nl, link->index, spec->name, &spec->address, 0);
	netlink_tolerate(nl, EEXIST);
	*changed = true;
}

int device_settle(struct netlink *nl, const struct device_spec *spec, struct link *link,
		  bool *changed, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	addrs_t addrs = { 0 };

	if (list_addresses(nl, spec, link, &arena, &addrs, err))
		return -err->errnum;
	queue_attributes(nl, spec, link, changed);
	queue_address(nl, spec, link, &addrs, changed);
	if (netlink_commit(nl, err))
		return -err->errnum;
	return *changed ? link_get(nl, spec->name, link, err) : 0;
}
