/*
 * Links: creation, change, look-up and listing. One parser turns every RTM_NEWLINK, be it a reply, a record of a
 * dump or an event, into a struct link. Bridge ports and their VLANs are in link_port.c, waiting in link_wait.c.
 */
#include "kernel/link.h"

#include <errno.h>
#include <netinet/in.h> /* before the kernel's, which give way to it */

#include <linux/if.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/rtnetlink.h>

#include "kernel/link_kinds.h"
#include "kernel/netlink_internal.h"

/* What a listing collects, and the filter once more: an unknown kind filters nothing in the kernel. */
struct listing {
	struct arena *arena;
	links_t *links;
	const char *kind;
	int master;
};

static void read_port(const struct nlattr *nest, struct link *link)
{
	struct nlattr *port[IFLA_BRPORT_MAX + 1];

	netlink_parse_nested(nest, port, IFLA_BRPORT_MAX);
	link->is_port = true;
	link->hairpin = attr_u8(port[IFLA_BRPORT_MODE], 0);
	link->isolated = attr_u8(port[IFLA_BRPORT_ISOLATED], 0);
	link->port_state = attr_u8(port[IFLA_BRPORT_STATE], 0);
}

static void read_info(const struct nlattr *nest, struct link *link)
{
	struct nlattr *info[IFLA_INFO_MAX + 1];
	char port_kind[16];

	netlink_parse_nested(nest, info, IFLA_INFO_MAX);
	attr_text(info[IFLA_INFO_KIND], link->kind, sizeof(link->kind));
	attr_text(info[IFLA_INFO_SLAVE_KIND], port_kind, sizeof(port_kind));
	if (streq(port_kind, "bridge") && info[IFLA_INFO_SLAVE_DATA])
		read_port(info[IFLA_INFO_SLAVE_DATA], link);
	if (info[IFLA_INFO_DATA])
		link_read_kind(info[IFLA_INFO_DATA], link);
}

static int link_parse(const struct nlmsghdr *reply, struct link *link, struct error *err)
{
	const struct ifinfomsg *header = NLMSG_DATA(reply);
	struct nlattr *attrs[IFLA_MAX + 1], *xdp[IFLA_XDP_MAX + 1];
	int r = netlink_parse(reply, sizeof(*header), attrs, IFLA_MAX, err);

	if (r < 0)
		return r;
	*link = (struct link){
		.index = header->ifi_index,
		.flags = header->ifi_flags,
		.mtu = (int)attr_u32(attrs[IFLA_MTU], 0),
		.operstate = attr_u8(attrs[IFLA_OPERSTATE], 0),
		.master = (int)attr_u32(attrs[IFLA_MASTER], 0),
		.peer = (int)attr_u32(attrs[IFLA_LINK], 0),
		.peer_netns = (int)attr_u32(attrs[IFLA_LINK_NETNSID], (uint32_t)-1),
		.promiscuity = (int)attr_u32(attrs[IFLA_PROMISCUITY], 0),
		.txqlen = (int)attr_u32(attrs[IFLA_TXQLEN], 0),
	};
	attr_text(attrs[IFLA_IFNAME], link->name, sizeof(link->name));
	attr_text(attrs[IFLA_IFALIAS], link->alias, sizeof(link->alias));
	if (attrs[IFLA_ADDRESS] && nla_len(attrs[IFLA_ADDRESS]) == sizeof(link->mac.bytes)) {
		link->mac.set = true;
		memcpy(link->mac.bytes, nla_data(attrs[IFLA_ADDRESS]), sizeof(link->mac.bytes));
	}
	if (header->ifi_family == AF_BRIDGE && attrs[IFLA_PROTINFO])
		read_port(attrs[IFLA_PROTINFO], link);
	netlink_parse_nested(attrs[IFLA_XDP], xdp, IFLA_XDP_MAX);
	link->has_xdp = attr_u8(xdp[IFLA_XDP_ATTACHED], 0);
	read_info(attrs[IFLA_LINKINFO], link);
	return 0;
}

static int read_link(const struct nlmsghdr *reply, void *arg, struct error *err)
{
	return reply->nlmsg_type == RTM_NEWLINK ? link_parse(reply, arg, err) : 0;
}

static int read_listed(const struct nlmsghdr *reply, void *arg, struct error *err)
{
	const struct listing *listing = arg;
	struct link link;
	int r;

	if (reply->nlmsg_type != RTM_NEWLINK)
		return 0;
	r = link_parse(reply, &link, err);
	if (r < 0)
		return r;
	if ((!listing->kind || streq(listing->kind, link.kind)) &&
	    (!listing->master || listing->master == link.master))
		*list_add(listing->arena, listing->links) = link;
	return 0;
}

static void put_mac(struct nl_msg *msg, const struct mac *mac)
{
	nla_put(msg, IFLA_ADDRESS, sizeof(mac->bytes), mac->bytes);
}

/* Statistics and virtual functions make up most of a reply, and nobody here reads them. */
static void put_mask(struct nl_msg *msg)
{
	nla_put_u32(msg, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
}

void link_queue_create(struct netlink *nl, const struct link_spec *spec)
{
	struct ifinfomsg header = {
		.ifi_family = AF_UNSPEC,
		.ifi_flags = spec->up ? IFF_UP : 0,
		.ifi_change = spec->up ? IFF_UP : 0,
	};
	struct nl_msg *msg = netlink_queue(nl, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &header,
					   sizeof(header), "create %s %s", spec->kind, spec->name);

	nla_put_string(msg, IFLA_IFNAME, spec->name);
	if (spec->mtu)
		nla_put_u32(msg, IFLA_MTU, (uint32_t)spec->mtu);
	if (spec->mac.set)
		put_mac(msg, &spec->mac);
	if (spec->master)
		nla_put_u32(msg, IFLA_MASTER, (uint32_t)spec->master);
	if (spec->link)
		nla_put_u32(msg, IFLA_LINK, (uint32_t)spec->link);
	if (spec->netns > 0)
		nla_put_u32(msg, IFLA_NET_NS_FD, (uint32_t)spec->netns);
	link_put_queues(msg, spec->queues);
	link_put_kind(msg, spec);
}

/* A hardware address that no kind accepts, and no parent: refused by the kind, or for want of it. */
int link_kind_probe(struct netlink *nl, const char *kind, struct error *err)
{
	const struct link_spec spec = { .kind = kind, .name = "", .mac = { .set = true } };
	struct error why = { 0 };
	int r;

	link_queue_create(nl, &spec);
	r = netlink_commit(nl, &why);
	if (r == -EOPNOTSUPP)
		return fail(err, EOPNOTSUPP, "this kernel has no %s links (try: modprobe %s)", kind,
			    link_kind_module(kind));
	return r == -EPERM ? fail(err, EPERM, "%s", why.message) : 0;
}

void link_queue_get(struct netlink *nl, const char *name, struct link *link)
{
	struct ifinfomsg header = { .ifi_family = AF_UNSPEC };
	struct nl_msg *msg =
		netlink_queue(nl, RTM_GETLINK, 0, &header, sizeof(header), "look up link %s", name);

	*link = (struct link){ .peer_netns = -1 };
	/* One that is too long for a name can only be an alternative one (Linux 5.5). */
	nla_put_string(msg, strlen(name) < IFNAMSIZ ? IFLA_IFNAME : IFLA_ALT_IFNAME, name);
	put_mask(msg);
	netlink_expect(nl, read_link, link);
}

void link_queue_get_index(struct netlink *nl, int index, struct link *link)
{
	struct ifinfomsg header = { .ifi_family = AF_UNSPEC, .ifi_index = index };
	struct nl_msg *msg = netlink_queue(nl, RTM_GETLINK, 0, &header, sizeof(header),
					   "look up link %d", index);

	*link = (struct link){ .peer_netns = -1 };
	put_mask(msg);
	netlink_expect(nl, read_link, link);
}

void link_queue_del(struct netlink *nl, const char *name)
{
	struct ifinfomsg header = { .ifi_family = AF_UNSPEC };
	struct nl_msg *msg =
		netlink_queue(nl, RTM_DELLINK, 0, &header, sizeof(header), "delete link %s", name);

	nla_put_string(msg, IFLA_IFNAME, name);
}

void link_queue_del_index(struct netlink *nl, int index, const char *label)
{
	struct ifinfomsg header = { .ifi_family = AF_UNSPEC, .ifi_index = index };

	netlink_queue(nl, RTM_DELLINK, 0, &header, sizeof(header), "%s", label);
}

static void set_flag(struct ifinfomsg *header, unsigned flag, bool on)
{
	header->ifi_change |= flag;
	header->ifi_flags |= on ? flag : 0;
}

/* IPv4's device settings travel in link messages (since Linux 2.6.37). */
static void put_arp_notify(struct nl_msg *msg)
{
	struct nlattr *families = nla_nest_start(msg, IFLA_AF_SPEC);
	struct nlattr *inet = nla_nest_start(msg, AF_INET),
		      *conf = nla_nest_start(msg, IFLA_INET_CONF);

	nla_put_u32(msg, IPV4_DEVCONF_ARP_NOTIFY, 1);
	nla_nest_end(msg, conf);
	nla_nest_end(msg, inet);
	nla_nest_end(msg, families);
}

/* Of what makes a VXLAN device only that is sent which may change, and the number, without which nothing may. */
static void put_learning(struct nl_msg *msg, const struct link_change *change)
{
	link_put_kind(msg, &(struct link_spec){
				   .kind = "vxlan",
				   .vxlan = { .vni = change->vni, .learning = change->learning } });
}

/* RTM_NEWLINK without NLM_F_CREATE changes what is there. Where the index is not known the name finds the link,
 * so that a new name needs an index. */
void link_queue_change(struct netlink *nl, int index, const char *name,
		       const struct link_change *change, const char *label)
{
	struct ifinfomsg header = { .ifi_family = AF_UNSPEC, .ifi_index = index };
	struct nl_msg *msg;

	if (change->what & LINK_SET_UP)
		set_flag(&header, IFF_UP, change->up);
	if (change->what & LINK_SET_PROMISC)
		set_flag(&header, IFF_PROMISC, change->promisc);
	if (change->what & LINK_SET_ALLMULTI)
		set_flag(&header, IFF_ALLMULTI, change->allmulti);
	msg = netlink_queue(nl, RTM_NEWLINK, 0, &header, sizeof(header), "%s", label);
	if (!index)
		nla_put_string(msg, IFLA_IFNAME, name);
	else if (change->what & LINK_SET_NAME)
		nla_put_string(msg, IFLA_IFNAME, change->new_name);
	if (change->what & LINK_SET_MTU)
		nla_put_u32(msg, IFLA_MTU, (uint32_t)change->mtu);
	if (change->what & LINK_SET_TXQLEN)
		nla_put_u32(msg, IFLA_TXQLEN, (uint32_t)change->txqlen);
	if (change->what & LINK_SET_MAC)
		put_mac(msg, &change->mac);
	if (change->what & LINK_SET_MASTER)
		nla_put_u32(msg, IFLA_MASTER, (uint32_t)change->master);
	if (change->what & LINK_SET_NETNS)
		nla_put_u32(msg, IFLA_NET_NS_FD, (uint32_t)change->netns);
	if (change->what & LINK_SET_INDEX)
		nla_put_u32(msg, IFLA_NEW_IFINDEX, (uint32_t)change->new_index);
	if (change->what & LINK_SET_ALIAS)
		nla_put(msg, IFLA_IFALIAS, (int)strlen(change->alias), change->alias);
	if (change->what & LINK_SET_ARP_NOTIFY)
		put_arp_notify(msg);
	if (change->what & LINK_SET_LEARNING)
		put_learning(msg, change);
}

/* "Link not found" is what users know from the reference plugins; callers put the name in front. */
static int get_one(struct netlink *nl, struct error *err)
{
	int r = netlink_commit(nl, err);

	return r == -ENODEV ? fail(err, ENODEV, "Link not found") : r;
}

int link_get(struct netlink *nl, const char *name, struct link *link, struct error *err)
{
	link_queue_get(nl, name, link);
	return get_one(nl, err);
}

int link_get_index(struct netlink *nl, int index, struct link *link, struct error *err)
{
	link_queue_get_index(nl, index, link);
	return get_one(nl, err);
}

int link_list(struct netlink *nl, const char *kind, int master, struct arena *arena, links_t *links,
	      struct error *err)
{
	struct ifinfomsg header = { .ifi_family = AF_UNSPEC };
	struct listing listing = { .arena = arena,
				   .links = links,
				   .master = master,
				   .kind = kind && *kind ? kind : NULL };
	struct nl_msg *msg =
		netlink_queue(nl, RTM_GETLINK, 0, &header, sizeof(header), "list links");

	put_mask(msg);
	if (master)
		nla_put_u32(msg, IFLA_MASTER, (uint32_t)master);
	if (listing.kind) {
		struct nlattr *info = nla_nest_start(msg, IFLA_LINKINFO);

		nla_put_string(msg, IFLA_INFO_KIND, kind);
		nla_nest_end(msg, info);
	}
	return netlink_dump(nl, read_listed, &listing, err);
}

const struct link *links_at(const links_t *links, int index)
{
	list_each(link, links)
		if (link->index == index)
			return link;
	return NULL;
}
