/* The forwarding entries of bridges: one dump of AF_BRIDGE neighbours. neigh.c changes those of VXLAN devices. */
#include "kernel/fdb.h"

#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include "kernel/netlink_internal.h"

struct listing {
	struct arena *arena;
	fdbs_t *fdbs;
};

static int read_entry(const struct nlmsghdr *reply, void *arg, struct error *err)
{
	const struct listing *listing = arg;
	const struct ndmsg *header = NLMSG_DATA(reply);
	struct nlattr *attrs[NDA_MAX + 1];
	const struct nlattr *mac, *dst;
	struct fdb *fdb;
	int r;

	if (reply->nlmsg_type != RTM_NEWNEIGH)
		return 0;
	r = netlink_parse(reply, sizeof(*header), attrs, NDA_MAX, err);
	mac = r < 0 ? NULL : attrs[NDA_LLADDR];
	if (r < 0 || header->ndm_family != AF_BRIDGE || !mac ||
	    nla_len(mac) != (int)sizeof(fdb->mac.bytes))
		return r;
	fdb = list_add(listing->arena, listing->fdbs);
	fdb->index = header->ndm_ifindex;
	fdb->master = (int)attr_u32(attrs[NDA_MASTER], 0);
	fdb->vlan = attr_u16(attrs[NDA_VLAN], 0);
	fdb->local = fdb->master && header->ndm_state & NUD_PERMANENT;
	fdb->mac.set = true;
	memcpy(fdb->mac.bytes, nla_data(mac), sizeof(fdb->mac.bytes));
	dst = attrs[NDA_DST];
	if (dst && (nla_len(dst) == 4 || nla_len(dst) == 16))
		fdb->ip = ip_make(nla_len(dst) == 4 ? AF_INET : AF_INET6, nla_data(dst));
	return 0;
}

int fdb_list(struct netlink *nl, struct arena *arena, fdbs_t *fdbs, struct error *err)
{
	struct ndmsg header = { .ndm_family = AF_BRIDGE };
	struct listing listing = { arena, fdbs };

	netlink_queue(nl, RTM_GETNEIGH, 0, &header, sizeof(header), "list forwarding entries");
	return netlink_dump(nl, read_entry, &listing, err);
}
