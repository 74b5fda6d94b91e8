/* A fill function for each kind of link, what goes into IFLA_INFO_DATA when link.c creates one, and its counterpart. */
#include "kernel/link_kinds.h"

#include <arpa/inet.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <netlink/attr.h>
#include <netlink/msg.h>

#include "kernel/netlink_internal.h"

struct kind {
	const char *name;
	void (*fill)(struct nl_msg *msg, const struct link_spec *spec);
	void (*read)(const struct nlattr *data, struct link *link);
	const char *module; /* NULL = called like the kind */
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

static void read_bridge(const struct nlattr *data, struct link *link)
{
	struct nlattr *attrs[IFLA_BR_MAX + 1];

	netlink_parse_nested(data, attrs, IFLA_BR_MAX);
	link->vlan_filtering = attr_u8(attrs[IFLA_BR_VLAN_FILTERING], 0);
}

static void fill_macvlan(struct nl_msg *msg, const struct link_spec *spec)
{
	nla_put_u32(msg, IFLA_MACVLAN_MODE, (uint32_t)spec->mode);
	if (spec->queue_len)
		nla_put_u32(msg, IFLA_MACVLAN_BC_QUEUE_LEN, spec->queue_len);
}

static void read_macvlan(const struct nlattr *data, struct link *link)
{
	struct nlattr *attrs[IFLA_MACVLAN_MAX + 1];

	netlink_parse_nested(data, attrs, IFLA_MACVLAN_MAX);
	link->mode = (int)attr_u32(attrs[IFLA_MACVLAN_MODE], 0);
}

static void fill_ipvlan(struct nl_msg *msg, const struct link_spec *spec)
{
	nla_put_u16(msg, IFLA_IPVLAN_MODE, (uint16_t)spec->mode);
}

static void read_ipvlan(const struct nlattr *data, struct link *link)
{
	struct nlattr *attrs[IFLA_IPVLAN_MAX + 1];

	netlink_parse_nested(data, attrs, IFLA_IPVLAN_MAX);
	link->mode = attr_u16(attrs[IFLA_IPVLAN_MODE], 0);
	link->apart = attr_u16(attrs[IFLA_IPVLAN_FLAGS], 0) & (IPVLAN_F_PRIVATE | IPVLAN_F_VEPA);
}

static void fill_vlan(struct nl_msg *msg, const struct link_spec *spec)
{
	nla_put_u16(msg, IFLA_VLAN_ID, (uint16_t)spec->vlan);
}

static void read_vlan(const struct nlattr *data, struct link *link)
{
	struct nlattr *attrs[IFLA_VLAN_MAX + 1];

	netlink_parse_nested(data, attrs, IFLA_VLAN_MAX);
	link->vlan = attr_u16(attrs[IFLA_VLAN_ID], 0);
}

static void fill_vrf(struct nl_msg *msg, const struct link_spec *spec)
{
	nla_put_u32(msg, IFLA_VRF_TABLE, spec->table);
}

static void read_vrf(const struct nlattr *data, struct link *link)
{
	struct nlattr *attrs[IFLA_VRF_MAX + 1];

	netlink_parse_nested(data, attrs, IFLA_VRF_MAX);
	link->table = attr_u32(attrs[IFLA_VRF_TABLE], 0);
}

static void fill_vxlan(struct nl_msg *msg, const struct link_spec *spec)
{
	const struct link_vxlan *vxlan = &spec->vxlan;
	bool is_v6 = vxlan->local.family == AF_INET6;

	nla_put_u32(msg, IFLA_VXLAN_ID, vxlan->vni);
	nla_put_u8(msg, IFLA_VXLAN_LEARNING, vxlan->learning);
	if (vxlan->link)
		nla_put_u32(msg, IFLA_VXLAN_LINK, (uint32_t)vxlan->link);
	if (vxlan->local.family)
		nla_put(msg, is_v6 ? IFLA_VXLAN_LOCAL6 : IFLA_VXLAN_LOCAL,
			(int)ip_size(&vxlan->local), vxlan->local.bytes);
	if (vxlan->port)
		nla_put_u16(msg, IFLA_VXLAN_PORT, htons((uint16_t)vxlan->port));
	if (vxlan->gbp)
		nla_put_flag(msg, IFLA_VXLAN_GBP);
}

static struct ip read_local(struct nlattr **attrs)
{
	const struct nlattr *v4 = attrs[IFLA_VXLAN_LOCAL], *v6 = attrs[IFLA_VXLAN_LOCAL6];

	if (v4 && nla_len(v4) == 4)
		return ip_make(AF_INET, nla_data(v4));
	if (v6 && nla_len(v6) == 16)
		return ip_make(AF_INET6, nla_data(v6));
	return (struct ip){ 0 };
}

static void read_vxlan(const struct nlattr *data, struct link *link)
{
	struct nlattr *attrs[IFLA_VXLAN_MAX + 1];
	uint16_t port;

	netlink_parse_nested(data, attrs, IFLA_VXLAN_MAX);
	port = ntohs(attr_u16(attrs[IFLA_VXLAN_PORT], 0));
	link->vxlan = (struct link_vxlan){
		.vni = attr_u32(attrs[IFLA_VXLAN_ID], 0),
		.port = port == LINK_VXLAN_PORT ? 0 : port,
		.link = (int)attr_u32(attrs[IFLA_VXLAN_LINK], 0),
		.local = read_local(attrs),
		.learning = attr_u8(attrs[IFLA_VXLAN_LEARNING], 0),
		.gbp = attrs[IFLA_VXLAN_GBP],
	};
}

/* Made by ioctls (tun.c); owner and group are there when they are set. */
static void read_tun(const struct nlattr *data, struct link *link)
{
	struct nlattr *attrs[IFLA_TUN_MAX + 1];

	netlink_parse_nested(data, attrs, IFLA_TUN_MAX);
	link->mode = attr_u8(attrs[IFLA_TUN_TYPE], 0);
	link->tun.multi_queue = attr_u8(attrs[IFLA_TUN_MULTI_QUEUE], 0);
	link->tun.has_owner = attrs[IFLA_TUN_OWNER] != NULL;
	link->tun.owner = attr_u32(attrs[IFLA_TUN_OWNER], 0);
	link->tun.has_group = attrs[IFLA_TUN_GROUP] != NULL;
	link->tun.group = attr_u32(attrs[IFLA_TUN_GROUP], 0);
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

/* clang-format off */
static const struct kind kinds[] = {
	{ "bridge",  fill_bridge,  read_bridge },
	{ "veth",    fill_veth },
	{ "macvlan", fill_macvlan, read_macvlan },
	{ "ipvlan",  fill_ipvlan,  read_ipvlan },
	{ "vlan",    fill_vlan,    read_vlan, "8021q" },
	{ "vrf",     fill_vrf,     read_vrf },
	{ "vxlan",   fill_vxlan,   read_vxlan },
	{ "tun",     NULL,         read_tun },
};
/* clang-format on */

/* NULL = a kind that takes no data, or none that anybody here knows. */
static const struct kind *find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (streq(name, kinds[i].name))
			return &kinds[i];
	return NULL;
}

void link_put_kind(struct nl_msg *msg, const struct link_spec *spec)
{
	struct nlattr *info = nla_nest_start(msg, IFLA_LINKINFO), *data;
	const struct kind *kind = find(spec->kind);

	nla_put_string(msg, IFLA_INFO_KIND, spec->kind);
	if (kind && kind->fill) {
		data = nla_nest_start(msg, IFLA_INFO_DATA);
		kind->fill(msg, spec);
		nla_nest_end(msg, data);
	}
	nla_nest_end(msg, info);
}

void link_read_kind(const struct nlattr *data, struct link *link)
{
	const struct kind *kind = find(link->kind);

	if (kind && kind->read)
		kind->read(data, link);
}

const char *link_kind_module(const char *kind)
{
	const struct kind *known = find(kind);

	return known && known->module ? known->module : kind;
}
