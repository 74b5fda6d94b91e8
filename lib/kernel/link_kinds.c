/* One fill function per kind of link: what goes into IFLA_INFO_DATA when link.c creates one. */
#include "kernel/link_kinds.h"

#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <netlink/attr.h>
#include <netlink/msg.h>

struct kind {
	const char *name;
	void (*fill)(struct nl_msg *msg, const struct link_spec *spec);
};

void link_put_queues(struct nl_msg *msg, unsigned queues)
{
	if (!queues)
		return;
	nla_put_u32(msg, IFLA_NUM_TX_QUEUES, queues);
	nla_put_u32(msg, IFLA_NUM_RX_QUEUES, queues);
}

static void fill_bridge(struct nl_msg *msg, const struct link_spec *spec)
{
	if (spec->vlan_filtering)
		nla_put_u8(msg, IFLA_BR_VLAN_FILTERING, 1);
}

/*
 * The peer is a link message of its own inside. It stays down: the kernel refuses a peer with IFF_UP
 * ("Transport endpoint is not connected"). An index is not asked for, since the kernel honours that only when
 * the other end's is asked for too.
 */
static void fill_veth(struct nl_msg *msg, const struct link_spec *spec)
{
	struct ifinfomsg header = { .ifi_family = AF_UNSPEC };
	struct nlattr *peer = nla_nest_start(msg, VETH_INFO_PEER);

	nlmsg_append(msg, &header, sizeof(header), NLMSG_ALIGNTO);
	if (spec->peer.name)
		nla_put_string(msg, IFLA_IFNAME, spec->peer.name);
	if (spec->peer.mac.set)
		nla_put(msg, IFLA_ADDRESS, sizeof(spec->peer.mac.bytes), spec->peer.mac.bytes);
	if (spec->peer.mtu)
		nla_put_u32(msg, IFLA_MTU, (uint32_t)spec->peer.mtu);
	link_put_queues(msg, spec->queues);
	if (spec->peer.netns > 0)
		nla_put_u32(msg, IFLA_NET_NS_FD, (uint32_t)spec->peer.netns);
	nla_nest_end(msg, peer);
}

static const struct kind kinds[] = {
	{ "bridge", fill_bridge },
	{ "veth", fill_veth },
};

void link_put_kind(struct nl_msg *msg, const struct link_spec *spec)
{
	struct nlattr *info = nla_nest_start(msg, IFLA_LINKINFO), *data;

	nla_put_string(msg, IFLA_INFO_KIND, spec->kind);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (!streq(spec->kind, kinds[i].name))
			continue;
		data = nla_nest_start(msg, IFLA_INFO_DATA);
		kinds[i].fill(msg, spec);
		nla_nest_end(msg, data);
	}
	nla_nest_end(msg, info);
}
