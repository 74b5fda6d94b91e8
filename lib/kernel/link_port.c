/* Bridge ports: their options, and the VLANs that they carry. */
#include "kernel/link.h"

#include <netinet/in.h> /* before the kernel's, which give way to it */

#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include "kernel/netlink_internal.h"

struct vlan_listing {
	int index;
	struct arena *arena;
	link_vlans_t *vlans;
};

/* As data of the master's kind rather than by the bridge's own message, since that one takes no name. */
void link_queue_port(struct netlink *nl, const char *name, const struct link_port *port)
{
	struct ifinfomsg header = { .ifi_family = AF_UNSPEC };
	struct nl_msg *msg = netlink_queue(nl, RTM_NEWLINK, 0, &header, sizeof(header),
					   "set bridge port options of %s", name);
	struct nlattr *info, *data;

	nla_put_string(msg, IFLA_IFNAME, name);
	info = nla_nest_start(msg, IFLA_LINKINFO);
	nla_put_string(msg, IFLA_INFO_SLAVE_KIND, "bridge");
	data = nla_nest_start(msg, IFLA_INFO_SLAVE_DATA);
	nla_put_u8(msg, IFLA_BRPORT_MODE, port->hairpin);
	nla_put_u8(msg, IFLA_BRPORT_ISOLATED, port->isolated);
	nla_nest_end(msg, data);
	nla_nest_end(msg, info);
}

static void put_vlan(struct nl_msg *msg, uint16_t id, unsigned flags)
{
	struct bridge_vlan_info info = { .vid = id, .flags = (uint16_t)flags };

	nla_put(msg, IFLA_BRIDGE_VLAN_INFO, sizeof(info), &info);
}

/* A range is two entries: its begin and its end. The kernel refuses PVID on a range. */
void link_queue_vlan(struct netlink *nl, int index, bool add, const struct link_vlan *vlan,
		     const char *label)
{
	struct ifinfomsg header = { .ifi_family = AF_BRIDGE, .ifi_index = index };
	unsigned flags = add ? (vlan->pvid ? BRIDGE_VLAN_INFO_PVID : 0) |
					 (vlan->untagged ? BRIDGE_VLAN_INFO_UNTAGGED : 0)
			     : 0;
	struct nl_msg *msg = netlink_queue(nl, add ? RTM_SETLINK : RTM_DELLINK, 0, &header,
					   sizeof(header), "%s", label);
	struct nlattr *spec = nla_nest_start(msg, IFLA_AF_SPEC);

	if (vlan->last > vlan->id) {
		put_vlan(msg, vlan->id, flags | BRIDGE_VLAN_INFO_RANGE_BEGIN);
		put_vlan(msg, vlan->last, flags | BRIDGE_VLAN_INFO_RANGE_END);
	} else {
		put_vlan(msg, vlan->id, flags);
	}
	nla_nest_end(msg, spec);
}

static void read_vlan(const struct bridge_vlan_info *info, int port, int bridge,
		      const struct vlan_listing *listing)
{
	struct link_vlan *vlan;

	if (info->flags & BRIDGE_VLAN_INFO_RANGE_END && listing->vlans->n) {
		listing->vlans->items[listing->vlans->n - 1].last = info->vid;
		return;
	}
	vlan = list_add(listing->arena, listing->vlans);
	*vlan = (struct link_vlan){
		.id = info->vid,
		.last = info->vid,
		.pvid = info->flags & BRIDGE_VLAN_INFO_PVID,
		.untagged = info->flags & BRIDGE_VLAN_INFO_UNTAGGED,
		.port = port,
		.bridge = bridge,
	};
}

/* The bridge dump cannot be filtered in the kernel: strict checking refuses an index in its header. */
static int read_vlans(const struct nlmsghdr *reply, void *arg, struct error *err)
{
	const struct vlan_listing *listing = arg;
	const struct ifinfomsg *header = NLMSG_DATA(reply);
	struct nlattr *attrs[IFLA_MAX + 1], *attr;
	int left, r = netlink_parse(reply, sizeof(*header), attrs, IFLA_MAX, err);

	if (r < 0 || (listing->index && header->ifi_index != listing->index) ||
	    !attrs[IFLA_AF_SPEC])
		return r;
	nla_for_each_nested(attr, attrs[IFLA_AF_SPEC], left)
		if (nla_type(attr) == IFLA_BRIDGE_VLAN_INFO &&
		    nla_len(attr) >= (int)sizeof(struct bridge_vlan_info))
			read_vlan(nla_data(attr), header->ifi_index,
				  (int)attr_u32(attrs[IFLA_MASTER], 0), listing);
	return 0;
}

int link_vlans(struct netlink *nl, int index, struct arena *arena, link_vlans_t *vlans,
	       struct error *err)
{
	struct ifinfomsg header = { .ifi_family = AF_BRIDGE };
	struct vlan_listing listing = { .index = index, .arena = arena, .vlans = vlans };
	struct nl_msg *msg =
		netlink_queue(nl, RTM_GETLINK, 0, &header, sizeof(header), "list bridge vlans");

	nla_put_u32(msg, IFLA_EXT_MASK, RTEXT_FILTER_BRVLAN_COMPRESSED);
	return netlink_dump(nl, read_vlans, &listing, err);
}
