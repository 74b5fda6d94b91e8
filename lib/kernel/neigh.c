/* Neighbours, and forwarding entries of bridges and VXLAN devices. */
#include "kernel/neigh.h"

#include <errno.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include "kernel/netlink_internal.h"

struct listing {
	struct arena *arena;
	neighs_t *neighs;
	int index;
	bool fdb;
};

static struct nl_msg *start(struct netlink *nl, int type, int flags, const struct neigh *neigh,
			    const char *verb)
{
	char ip[IP_TEXT_SIZE], mac[MAC_TEXT_SIZE];
	struct ndmsg header = {
		.ndm_family = neigh->fdb ? AF_BRIDGE : neigh->ip.family,
		.ndm_ifindex = neigh->index,
		.ndm_state = neigh->state ? neigh->state : NUD_PERMANENT,
		.ndm_flags = neigh->fdb ? NTF_SELF : 0,
	};
	struct nl_msg *msg =
		netlink_queue(nl, type, flags, &header, sizeof(header), "%s %s %s%s%s on link %d",
			      verb, neigh->fdb ? "forwarding entry" : "neighbour",
			      neigh->fdb ? mac_format(&neigh->mac, mac) : ip_format(&neigh->ip, ip),
			      neigh->fdb && neigh->ip.family ? " via " : "",
			      neigh->fdb ? ip_format(&neigh->ip, ip) : "", neigh->index);

	if (neigh->ip.family)
		nla_put(msg, NDA_DST, (int)ip_size(&neigh->ip), neigh->ip.bytes);
	if (neigh->mac.set)
		nla_put(msg, NDA_LLADDR, sizeof(neigh->mac.bytes), neigh->mac.bytes);
	return msg;
}

/* VXLAN keeps a list of remote ends for what is flooded: an entry for a group address or for 00:00:00:00:00:00
 * joins the others, and the kernel refuses to replace it. */
static bool is_flooded(const struct neigh *neigh)
{
	static const uint8_t zero[6];

	return neigh->fdb &&
	       (neigh->mac.bytes[0] & 1 || memcmp(neigh->mac.bytes, zero, sizeof(zero)) == 0);
}

void neigh_queue_set(struct netlink *nl, const struct neigh *neigh)
{
	start(nl, RTM_NEWNEIGH, NLM_F_CREATE | (is_flooded(neigh) ? NLM_F_APPEND : NLM_F_REPLACE),
	      neigh, "set");
}

void neigh_queue_del(struct netlink *nl, const struct neigh *neigh)
{
	start(nl, RTM_DELNEIGH, 0, neigh, "delete");
}

void neigh_queue_ask(struct netlink *nl, int index, const struct ip *ip)
{
	const struct ndmsg header = { .ndm_family = ip->family,
				      .ndm_ifindex = index,
				      .ndm_flags = NTF_USE };
	char text[IP_TEXT_SIZE];
	struct nl_msg *msg = netlink_queue(nl, RTM_NEWNEIGH, NLM_F_CREATE, &header, sizeof(header),
					   "ask for neighbour %s", ip_format(ip, text));

	nla_put(msg, NDA_DST, (int)ip_size(ip), ip->bytes);
}

static struct neigh make_neigh(const struct ndmsg *header, struct nlattr **attrs)
{
	const struct nlattr *dst = attrs[NDA_DST], *mac = attrs[NDA_LLADDR];
	int size = dst ? nla_len(dst) : 0;
	struct neigh neigh = {
		.index = header->ndm_ifindex,
		.state = header->ndm_state,
		.fdb = header->ndm_family == AF_BRIDGE,
	};

	if (size == 4 || size == 16)
		neigh.ip = ip_make(size == 4 ? AF_INET : AF_INET6, nla_data(dst));
	if (mac && nla_len(mac) == sizeof(neigh.mac.bytes)) {
		neigh.mac.set = true;
		memcpy(neigh.mac.bytes, nla_data(mac), sizeof(neigh.mac.bytes));
	}
	return neigh;
}

/* Of forwarding entries those on the device itself; entries that a bridge keeps for its port are not. */
static int read_neigh(const struct nlmsghdr *reply, void *arg, struct error *err)
{
	const struct listing *listing = arg;
	const struct ndmsg *header = NLMSG_DATA(reply);
	struct nlattr *attrs[NDA_MAX + 1];
	int r;

	if (reply->nlmsg_type != RTM_NEWNEIGH)
		return 0;
	r = netlink_parse(reply, sizeof(*header), attrs, NDA_MAX, err);
	if (r < 0)
		return r;
	if ((listing->index && header->ndm_ifindex != listing->index) ||
	    (listing->fdb ? header->ndm_family != AF_BRIDGE || !(header->ndm_flags & NTF_SELF)
			  : header->ndm_family != AF_INET && header->ndm_family != AF_INET6))
		return 0;
	*list_add(listing->arena, listing->neighs) = make_neigh(header, attrs);
	return 0;
}

bool neigh_is_permanent(const struct neigh *neigh)
{
	return !neigh->state || neigh->state & NUD_PERMANENT;
}

int neigh_list(struct netlink *nl, int index, bool fdb, struct arena *arena, neighs_t *neighs,
	       struct error *err)
{
	struct ndmsg header = { .ndm_family = fdb ? AF_BRIDGE : AF_UNSPEC };
	struct listing listing = { arena, neighs, index, fdb };
	struct nl_msg *msg = netlink_queue(nl, RTM_GETNEIGH, 0, &header, sizeof(header), "list %s",
					   fdb ? "forwarding entries" : "neighbours");

	if (index)
		nla_put_u32(msg, NDA_IFINDEX, (uint32_t)index);
	return netlink_dump(nl, read_neigh, &listing, err);
}

const struct neigh *neigh_find(const neighs_t *neighs, const struct neigh *wanted)
{
	list_each(neigh, neighs)
		if (neigh->index == wanted->index && neigh->fdb == wanted->fdb &&
		    (wanted->fdb ? mac_equal(&neigh->mac, &wanted->mac)
				 : ip_equal(&neigh->ip, &wanted->ip)))
			return neigh;
	return NULL;
}
