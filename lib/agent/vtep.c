/* The VXLAN device; see vtep.h. One look and one batch of changes where there are any. */
#include "agent/vtep.h"

#include <errno.h>
#include <stdio.h>

#include "agent/device.h"
#include "kernel/sysctl.h"

struct link_vxlan vtep_shape(const struct network_backend *backend, int below,
			     const struct ip *local)
{
	return (struct link_vxlan){
		.vni = (uint32_t)backend->vni,
		.port = backend->port == LINK_VXLAN_PORT ? 0 : backend->port,
		.link = below,
		.local = *local,
		.learning = backend->learning,
		.gbp = backend->gbp,
	};
}

bool vtep_is(const struct link_vxlan *there, const struct link_vxlan *shape)
{
	return shape->vni == there->vni && shape->port == there->port &&
	       shape->link == there->link && ip_equal(&shape->local, &there->local) &&
	       shape->gbp == there->gbp;
}

static int look(struct netlink *nl, const char *name, struct link *link, struct error *err)
{
	link_queue_get(nl, name, link);
	netlink_tolerate(nl, ENODEV);
	return netlink_commit(nl, err);
}

/* Another device of that name is in the way, unless it is no VXLAN device: then it is somebody's, and stays. */
static int clear_way(struct netlink *nl, const struct vtep_spec *spec, const struct link *there,
		     struct error *err)
{
	if (!streq(there->kind, "vxlan"))
		return fail(err, EEXIST, "there is an interface %s that is no VXLAN device",
			    spec->name);
	link_queue_del_index(nl, there->index, "delete the VXLAN device of another shape");
	netlink_tolerate(nl, ENODEV);
	return netlink_commit(nl, err);
}

static int create(struct netlink *nl, const struct vtep_spec *spec, const struct mac *mac,
		  struct link *link, struct error *err)
{
	struct link_spec wanted = {
		.kind = "vxlan",
		.name = spec->name,
		.mtu = spec->mtu,
		.mac = mac->set ? *mac : mac_random(),
		.vxlan = spec->vxlan,
	};
	char sysctl[64];

	link_queue_create(nl, &wanted);
	link_queue_get(nl, spec->name, link);
	if (netlink_commit(nl, err))
		return -err->errnum;
	snprintf(sysctl, sizeof(sysctl), "net/ipv6/conf/%s/accept_ra", spec->name);
	sysctl_try(sysctl, "0");
	return 0;
}

/* A device of another name has our number, so that there can be no second one: ours, by its shape and MAC, gets its name back. */
static int find_renamed(struct netlink *nl, const struct vtep_spec *spec, struct link *link,
			struct error *err)
{
	auto_arena struct arena arena = { 0 };
	struct link_change down = { .what = LINK_SET_UP, .up = false },
			   name = { .what = LINK_SET_NAME, .new_name = spec->name };
	links_t links = { 0 };

	if (!spec->mac.set)
		return 0;
	if (link_list(nl, "vxlan", 0, &arena, &links, err))
		return -err->errnum;
	list_each(there, &links) {
		if (!vtep_is(&there->vxlan, &spec->vxlan) || !mac_equal(&spec->mac, &there->mac))
			continue;
		link_queue_change(nl, there->index, NULL, &down, "set the renamed device down");
		link_queue_change(nl, there->index, NULL, &name, "give the device its name back");
		return netlink_commit(nl, err) ? -err->errnum : look(nl, spec->name, link, err);
	}
	return 0;
}

/* Where the network says no, what a foreign frame teaches would count beside what leases say. */
static int settle_learning(struct netlink *nl, const struct vtep_spec *spec,
			   const struct link *link, bool *changed, struct error *err)
{
	struct link_change change = { .what = LINK_SET_LEARNING,
				      .vni = link->vxlan.vni,
				      .learning = spec->vxlan.learning };

	if (link->vxlan.learning == spec->vxlan.learning)
		return 0;
	*changed = true;
	link_queue_change(nl, link->index, NULL, &change, "change what it learns");
	return netlink_commit(nl, err);
}

/* Adopt, or make anew. A MAC that somebody else changed meanwhile (systemd's MACAddressPolicy) is put right. */
static int ensure_device(struct netlink *nl, const struct vtep_spec *spec, struct link *link,
			 bool *changed, struct error *err)
{
	struct mac mac = spec->mac;

	if (look(nl, spec->name, link, err))
		return -err->errnum;
	if (!link->index && find_renamed(nl, spec, link, err))
		return -err->errnum;
	if (link->index && streq(link->kind, "vxlan") && vtep_is(&link->vxlan, &spec->vxlan))
		return settle_learning(nl, spec, link, changed, err);
	*changed = true;
	if (link->index && streq(link->kind, "vxlan") && !mac.set)
		mac = link->mac;
	if (link->index && clear_way(nl, spec, link, err))
		return -err->errnum;
	return create(nl, spec, &mac, link, err);
}

int vtep_ensure(struct netlink *nl, const struct vtep_spec *spec, struct link *link, bool *changed,
		struct error *err)
{
	const struct device_spec device = {
		.name = spec->name,
		.mtu = spec->mtu,
		.mac = spec->mac,
		.address = spec->address,
		.network = spec->network,
	};

	*changed = false;
	if (ensure_device(nl, spec, link, changed, err) ||
	    device_settle(nl, &device, link, changed, err))
		return wrap(err, "VXLAN device %s", spec->name);
	return 0;
}
