/* Addresses of links: RTM_NEWADDR, RTM_DELADDR and their dump. */
#include "kernel/addr.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>

#include "kernel/netlink_internal.h"

struct listing {
	struct arena *arena;
	addrs_t *addrs;
	int family, index;
	bool records;
};

static void put_ip(struct nl_msg *msg, int type, const struct ip *ip)
{
	nla_put(msg, type, (int)ip_size(ip), ip->bytes);
}

/* IFA_LOCAL and IFA_ADDRESS differ only on point-to-point links, which get none of their addresses here. */
static struct nl_msg *start(struct netlink *nl, int type, int flags, int index,
			    const struct cidr *cidr, const char *verb, const char *towards,
			    const char *name)
{
	char text[CIDR_TEXT_SIZE];
	struct ifaddrmsg header = {
		.ifa_family = cidr->ip.family,
		.ifa_prefixlen = cidr->prefix,
		.ifa_scope = ip_is_loopback(&cidr->ip) ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE,
		.ifa_index = (uint32_t)index,
	};
	struct nl_msg *msg =
		netlink_queue(nl, type, flags, &header, sizeof(header), "%s address %s %s %s", verb,
			      cidr_format(cidr, text), towards, name);

	put_ip(msg, IFA_LOCAL, &cidr->ip);
	put_ip(msg, IFA_ADDRESS, &cidr->ip);
	return msg;
}

void addr_queue_add(struct netlink *nl, int index, const char *name, const struct cidr *cidr,
		    unsigned how)
{
	uint32_t flags = 0;
	struct nl_msg *msg =
		start(nl, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, index, cidr, "add", "to", name);
	struct ip broadcast = cidr_last(cidr);

	if (cidr->ip.family == AF_INET && cidr->prefix < 31)
		put_ip(msg, IFA_BROADCAST, &broadcast);
	if (cidr->ip.family == AF_INET6 && !(how & ADDR_QUEUE_DAD))
		flags |= IFA_F_NODAD;
	if (how & ADDR_QUEUE_NO_ROUTE)
		flags |= IFA_F_NOPREFIXROUTE;
	if (flags)
		nla_put_u32(msg, IFA_FLAGS, flags);
}

void addr_queue_del(struct netlink *nl, int index, const char *name, const struct cidr *cidr)
{
	start(nl, RTM_DELADDR, 0, index, cidr, "delete", "from", name);
}

/* Without strict checking (before Linux 4.20) the kernel does not filter, hence once more here. */
static int read_addr(const struct nlmsghdr *reply, void *arg, struct error *err)
{
	const struct listing *listing = arg;
	const struct ifaddrmsg *header = NLMSG_DATA(reply);
	struct nlattr *attrs[IFA_MAX + 1], *ip;
	struct addr *addr;
	int r;

	if (reply->nlmsg_type != RTM_NEWADDR)
		return 0;
	r = netlink_parse(reply, sizeof(*header), attrs, IFA_MAX, err);
	if (r < 0)
		return r;
	ip = attrs[IFA_LOCAL] ? attrs[IFA_LOCAL] : attrs[IFA_ADDRESS];
	if (header->ifa_family != listing->family ||
	    (listing->index && (int)header->ifa_index != listing->index) || !ip ||
	    nla_len(ip) < (header->ifa_family == AF_INET ? 4 : 16))
		return 0;
	addr = list_add(listing->arena, listing->addrs);
	*addr = (struct addr){
		.index = (int)header->ifa_index,
		.cidr = { ip_make(header->ifa_family, nla_data(ip)), header->ifa_prefixlen },
		.scope = header->ifa_scope,
		.flags = attr_u32(attrs[IFA_FLAGS], header->ifa_flags),
	};
	if (listing->records)
		addr->record = (void *)arena_memdup(listing->arena, reply, reply->nlmsg_len);
	return 0;
}

/* A family at a time: a dump of all would bring those of protocols that nobody here speaks. */
static int list_families(struct netlink *nl, int family, struct listing listing, struct error *err)
{
	static const int families[] = { AF_INET, AF_INET6 };
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(families) && r >= 0; i++) {
		struct ifaddrmsg header = { .ifa_family = (uint8_t)families[i],
					    .ifa_index = (uint32_t)listing.index };

		if (family && family != families[i])
			continue;
		listing.family = families[i];
		netlink_queue(nl, RTM_GETADDR, 0, &header, sizeof(header), "list addresses");
		r = netlink_dump(nl, read_addr, &listing, err);
	}
	return r < 0 ? r : 0;
}

int addr_list(struct netlink *nl, int family, int index, struct arena *arena, addrs_t *addrs,
	      struct error *err)
{
	struct listing listing = { arena, addrs, .index = index };

	return list_families(nl, family, listing, err);
}

int addr_records(struct netlink *nl, int family, int index, struct arena *arena, addrs_t *addrs,
		 struct error *err)
{
	struct listing listing = { arena, addrs, .index = index, .records = true };

	return list_families(nl, family, listing, err);
}

void addr_queue_again(struct netlink *nl, const struct addr *addr, const char *name, bool replace)
{
	struct ifaddrmsg header = *(const struct ifaddrmsg *)NLMSG_DATA(addr->record);
	struct nlattr *attr, *first = nlmsg_attrdata(addr->record, sizeof(header));
	int left, size = nlmsg_attrlen(addr->record, sizeof(header));
	uint32_t flags = addr->flags & ~(uint32_t)(IFA_F_TENTATIVE | IFA_F_PERMANENT);
	char text[CIDR_TEXT_SIZE];
	struct nl_msg *msg;

	if (!(addr->flags & IFA_F_TENTATIVE) && header.ifa_family == AF_INET6)
		flags |= IFA_F_NODAD;
	header.ifa_flags = 0;
	msg = netlink_queue(nl, RTM_NEWADDR, replace ? NLM_F_REPLACE : NLM_F_CREATE | NLM_F_EXCL,
			    &header, sizeof(header), "%s address %s of %s",
			    replace ? "keep" : "restore", cidr_format(&addr->cidr, text), name);
	nla_for_each_attr(attr, first, size, left)
		if (nla_type(attr) != IFA_FLAGS)
			nla_put(msg, nla_type(attr), nla_len(attr), nla_data(attr));
	nla_put_u32(msg, IFA_FLAGS, flags);
	netlink_tolerate(nl, replace ? ENOENT : EEXIST);
}

bool addr_has_ipv6(void)
{
	return access("/proc/self/net/if_inet6", F_OK) == 0;
}
