/* VLANs of bridge ports, and the gateway interface that a VLAN has of its own. */
#include "kernel/bridge.h"

#include "kernel/sysctl.h"

#include <errno.h>
#include <stdio.h>

enum { VLAN_LAST = 4094 };

static bool in_trunk(const uint8_t *trunk, int id)
{
	return trunk && (trunk[id / 8] & (1u << (id % 8)));
}

static int access_vlan(const struct bridge_vlans *vlans)
{
	return vlans->access ? vlans->access : 1;
}

static bool is_tagged(const struct bridge_vlans *vlans, int id)
{
	return in_trunk(vlans->trunk, id) && id != access_vlan(vlans);
}

/* Runs of neighbouring VLANs become one range each. */
static void queue_trunk(struct netlink *nl, int port, const struct bridge_vlans *vlans)
{
	for (int id = 1; id <= VLAN_LAST; id++) {
		struct link_vlan range = { .id = (uint16_t)id };

		if (!is_tagged(vlans, id))
			continue;
		while (id < VLAN_LAST && is_tagged(vlans, id + 1))
			id++;
		range.last = (uint16_t)id;
		link_queue_vlan(nl, port, true, &range, "add the trunk VLANs to the port");
	}
}

int bridge_port_vlans(struct netlink *nl, int port, const struct bridge_vlans *vlans,
		      struct error *err)
{
	struct arena arena auto_arena = { 0 };
	struct link_vlan access = { .id = (uint16_t)access_vlan(vlans),
				    .pvid = true,
				    .untagged = true };
	link_vlans_t there = { 0 };

	if (!vlans->keep_default) {
		if (link_vlans(nl, port, &arena, &there, err))
			return -err->errnum;
		list_each(vlan, &there)
			link_queue_vlan(nl, port, false, vlan, "remove the port's default VLAN");
	}
	link_queue_vlan(nl, port, true, &access, "set the port's VLAN");
	queue_trunk(nl, port, vlans);
	return netlink_commit(nl, err);
}

int bridge_port_vlans_check(struct netlink *nl, int port, const struct bridge_vlans *vlans,
			    struct error *err)
{
	struct arena arena auto_arena = { 0 };
	link_vlans_t there = { 0 };
	uint8_t has[VLAN_LAST / 8 + 1] = { 0 };
	int access = 0;

	if (link_vlans(nl, port, &arena, &there, err))
		return -err->errnum;
	list_each(vlan, &there) {
		if (vlan->pvid && vlan->untagged)
			access = vlan->id;
		for (int id = vlan->id; id <= vlan->last && id <= VLAN_LAST; id++)
			has[id / 8] |= (uint8_t)(1u << (id % 8));
	}
	if (access != access_vlan(vlans))
		return fail(err, EINVAL, "port is not in VLAN %d", access_vlan(vlans));
	for (int id = 1; id <= VLAN_LAST; id++)
		if (is_tagged(vlans, id) && !in_trunk(has, id))
			return fail(err, EINVAL, "port is not in VLAN %d", id);
	return 0;
}

int bridge_vlan_in_use(struct netlink *nl, const struct bridge_use *use, int own_port, bool *in_use,
		       struct error *err)
{
	struct arena arena auto_arena = { 0 };
	int bridge = use->bridge.index;
	link_vlans_t vlans = { 0 };

	*in_use = false;
	if (link_vlans(nl, 0, &arena, &vlans, err))
		return -err->errnum;
	list_each(has, &vlans)
		*in_use |= has->bridge == bridge && has->id <= use->vlan &&
			   use->vlan <= has->last && has->port != bridge && has->port != own_port &&
			   has->port != use->gateway.peer;
	return 0;
}

static int make_gateway(struct netlink *nl, struct bridge_use *use,
			const struct bridge_vlan_gateway *spec, const char *name, struct error *err)
{
	int outcome = 0;

	link_queue_create(nl, &(struct link_spec){
				      .kind = "veth",
				      .name = spec->peer_name,
				      .mtu = spec->mtu,
				      .master = use->bridge.index,
				      .up = true,
				      .peer = { .name = name, .mtu = spec->mtu },
			      });
	netlink_tolerate(nl, EEXIST);
	netlink_outcome(nl, &outcome);
	link_queue_get(nl, name, &use->gateway);
	if (netlink_commit(nl, err))
		return wrap(err, "failed to create vlan interface \"%s\"", name);
	use->vlan = spec->vlan;
	use->gateway_created = outcome == 0;
	return 0;
}

/* What has the name need not be ours: only a port of this bridge gets a VLAN. */
static int complete_gateway(struct netlink *nl, const struct bridge_use *use, struct error *err)
{
	const struct link *gateway = &use->gateway;
	struct link port = { 0 };
	char sysctl[64];

	if (streq(gateway->kind, "veth") && gateway->peer_netns < 0) {
		if (link_get_index(nl, gateway->peer, &port, err))
			return -err->errnum;
		if (port.master == use->bridge.index &&
		    bridge_port_vlans(nl, port.index, &(struct bridge_vlans){ .access = use->vlan },
				      err))
			return -err->errnum;
	}
	snprintf(sysctl, sizeof(sysctl), "net/ipv6/conf/%s/accept_ra", gateway->name);
	sysctl_try(sysctl, "0");
	link_queue_change(nl, gateway->index, NULL,
			  &(struct link_change){ .what = LINK_SET_UP, .up = true },
			  "set the gateway up");
	return netlink_commit(nl, err);
}

int bridge_vlan_gateway(struct netlink *nl, struct bridge_use *use,
			const struct bridge_vlan_gateway *spec, struct error *err)
{
	char name[32];

	if (snprintf(name, sizeof(name), "%s.%d", use->bridge.name, spec->vlan) > 15)
		return fail_code(err, CNI_INVALID_CONFIG, EINVAL,
				 "interface name \"%s\" of the VLAN's gateway is"
				 " longer than 15 characters: use a shorter \"bridge\"",
				 name);
	if (make_gateway(nl, use, spec, name, err))
		return -err->errnum;
	if (use->gateway.flags & LINK_UP)
		return 0;
	if (complete_gateway(nl, use, err))
		return wrap(err, "vlan interface \"%s\"", name);
	return 0;
}
