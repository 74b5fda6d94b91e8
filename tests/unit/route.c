/* Addresses, routes, neighbours: messages read back attribute by attribute, records of dumps, frames. */
#include "fake_kernel.h"

#include <linux/if_addr.h>
#include <linux/neighbour.h>

#include "kernel/addr.h"
#include "kernel/neigh.h"
#include "kernel/route.h"

static struct cidr cidr(const char *text)
{
	struct cidr cidr = { 0 };

	check(cidr_parse(text, &cidr));
	return cidr;
}

static struct ip ip(const char *text)
{
	struct ip ip = { 0 };

	check(ip_parse(text, &ip));
	return ip;
}

/* Attributes of message n, its fixed header copied out. */
static void read_back(struct fake *fake, size_t n, int type, int flags, void *header, size_t size,
		      struct nlattr **attrs, int max)
{
	const struct nlmsghdr *message = netlink_queued(fake->nl, n);

	check_int(message->nlmsg_type, type);
	check_int(message->nlmsg_flags, NLM_F_REQUEST | flags);
	check_ok(netlink_parse(message, size, attrs, max, &fake->err), fake->err);
	memcpy(header, NLMSG_DATA(message), size);
}

static void check_ip(const struct nlattr *attr, const char *text)
{
	struct ip want = ip(text);

	check(attr != NULL);
	if (!attr)
		return;
	check_int(nla_len(attr), ip_size(&want));
	check(memcmp(nla_data(attr), want.bytes, ip_size(&want)) == 0);
}

TEST(addr_add_ipv4)
{
	auto_fake struct fake fake = fake_open(NETLINK_ROUTE);
	struct cidr net = cidr("10.1.0.5/24"), pair = cidr("10.1.0.4/31"),
		    home = cidr("127.0.0.2/8");
	struct nlattr *attrs[IFA_MAX + 1];
	struct ifaddrmsg header;

	addr_queue_add(fake.nl, 3, "eth0", &net, 0);
	read_back(&fake, 0, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &header, sizeof(header), attrs,
		  IFA_MAX);
	check_int(header.ifa_family, AF_INET);
	check_int(header.ifa_prefixlen, 24);
	check_int(header.ifa_index, 3);
	check_int(header.ifa_scope, RT_SCOPE_UNIVERSE);
	check_ip(attrs[IFA_LOCAL], "10.1.0.5");
	check_ip(attrs[IFA_ADDRESS], "10.1.0.5");
	check_ip(attrs[IFA_BROADCAST], "10.1.0.255");
	check(attrs[IFA_FLAGS] == NULL);
	check_str(netlink_label(fake.nl, 0), "add address 10.1.0.5/24 to eth0");

	addr_queue_add(fake.nl, 3, "eth0", &pair, 0);
	read_back(&fake, 1, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &header, sizeof(header), attrs,
		  IFA_MAX);
	check(attrs[IFA_BROADCAST] == NULL);
	addr_queue_add(fake.nl, 1, "lo", &home, 0);
	read_back(&fake, 2, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &header, sizeof(header), attrs,
		  IFA_MAX);
	check_int(header.ifa_scope, RT_SCOPE_HOST);
}

TEST(addr_add_ipv6_without_dad_unless_wanted)
{
	auto_fake struct fake fake = fake_open(NETLINK_ROUTE);
	struct cidr net = cidr("fd00::5/64");
	struct nlattr *attrs[IFA_MAX + 1];
	struct ifaddrmsg header;

	addr_queue_add(fake.nl, 3, "eth0", &net, 0);
	read_back(&fake, 0, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &header, sizeof(header), attrs,
		  IFA_MAX);
	check_ip(attrs[IFA_LOCAL], "fd00::5");
	check_int(attr_u32(attrs[IFA_FLAGS], 0), IFA_F_NODAD);
	check(attrs[IFA_BROADCAST] == NULL);
	addr_queue_add(fake.nl, 3, "eth0", &net, ADDR_QUEUE_DAD);
	read_back(&fake, 1, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &header, sizeof(header), attrs,
		  IFA_MAX);
	check(attrs[IFA_FLAGS] == NULL);
	addr_queue_del(fake.nl, 3, "eth0", &net);
	read_back(&fake, 2, RTM_DELADDR, 0, &header, sizeof(header), attrs, IFA_MAX);
	check_ip(attrs[IFA_LOCAL], "fd00::5");
	check_str(netlink_label(fake.nl, 2), "delete address fd00::5/64 from eth0");
}

/* Both families are asked one after the other; what the kernel did not filter is filtered here. */
TEST(addr_list_reads_one_link)
{
	struct {
		struct ifaddrmsg header;
		struct nlattr local;
		uint8_t ip[4];
		struct nlattr flags;
		uint32_t value;
	} record = {
		.header = { AF_INET, 24, 0, RT_SCOPE_UNIVERSE, 3 },
		.local = { 8, IFA_LOCAL },
		.ip = { 10, 1, 0, 5 },
		.flags = { 8, IFA_FLAGS },
		.value = 0x480,
	};
	auto_fake struct fake fake = fake_open(NETLINK_ROUTE);
	auto_arena struct arena arena = { 0 };
	addrs_t addrs = { 0 };
	char text[CIDR_TEXT_SIZE];

	fake_reply(&fake, RTM_NEWADDR, NLM_F_MULTI, 2, &record, sizeof(record));
	record.header.ifa_index = 4;
	fake_reply(&fake, RTM_NEWADDR, NLM_F_MULTI, 2, &record, sizeof(record));
	fake_reply(&fake, NLMSG_DONE, NLM_F_MULTI, 2, "\0\0\0", 4);
	fake_reply(&fake, NLMSG_DONE, NLM_F_MULTI, 4, "\0\0\0", 4);
	check_ok(addr_list(fake.nl, 0, 3, &arena, &addrs, &fake.err), fake.err);
	check_int(netlink_sends(fake.nl), 2);
	check_int(addrs.n, 1);
	check_str(cidr_format(&addrs.items[0].cidr, text), "10.1.0.5/24");
	check_int(addrs.items[0].index, 3);
	check_int(addrs.items[0].flags, 0x480);
}

TEST(route_add_with_everything)
{
	auto_fake struct fake fake = fake_open(NETLINK_ROUTE);
	struct nlattr *attrs[RTA_MAX + 1], *metrics[RTAX_MAX + 1];
	struct rtmsg header;

	route_queue_add(fake.nl,
			&(struct route){ .dst = cidr("10.9.8.7/16"),
					 .gw = ip("10.1.0.1"),
					 .oif = 3,
					 .src = ip("10.1.0.5"),
					 .scope = -1,
					 .table = 1000,
					 .priority = 77,
					 .mtu = 1300,
					 .advmss = 1200,
					 .protocol = RTPROT_STATIC,
					 .onlink = true },
			ROUTE_EXCLUSIVE);
	read_back(&fake, 0, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, &header, sizeof(header), attrs,
		  RTA_MAX);
	check_int(header.rtm_family, AF_INET);
	check_int(header.rtm_dst_len, 16);
	check_int(header.rtm_table, RT_TABLE_UNSPEC);
	check_int(header.rtm_scope, RT_SCOPE_UNIVERSE);
	check_int(header.rtm_protocol, RTPROT_STATIC);
	check_int(header.rtm_type, RTN_UNICAST);
	check_int(header.rtm_flags, RTNH_F_ONLINK);
	check_ip(attrs[RTA_DST], "10.9.0.0");
	check_ip(attrs[RTA_GATEWAY], "10.1.0.1");
	check_ip(attrs[RTA_PREFSRC], "10.1.0.5");
	check_int(attr_u32(attrs[RTA_OIF], 0), 3);
	check_int(attr_u32(attrs[RTA_TABLE], 0), 1000);
	check_int(attr_u32(attrs[RTA_PRIORITY], 0), 77);
	netlink_parse_nested(attrs[RTA_METRICS], metrics, RTAX_MAX);
	check_int(attr_u32(metrics[RTAX_MTU], 0), 1300);
	check_int(attr_u32(metrics[RTAX_ADVMSS], 0), 1200);
	check_str(netlink_label(fake.nl, 0), "add route 10.9.8.7/16 via 10.1.0.1");
}

TEST(route_defaults_and_ways_to_add)
{
	auto_fake struct fake fake = fake_open(NETLINK_ROUTE);
	struct route route = { .dst = cidr("::/0"), .oif = 3, .scope = -1 };
	struct nlattr *attrs[RTA_MAX + 1];
	struct rtmsg header;

	route_queue_add(fake.nl, &route, ROUTE_APPEND);
	read_back(&fake, 0, RTM_NEWROUTE, NLM_F_CREATE, &header, sizeof(header), attrs, RTA_MAX);
	check_int(header.rtm_family, AF_INET6);
	check_int(header.rtm_table, RT_TABLE_MAIN);
	check_int(header.rtm_protocol, RTPROT_BOOT);
	check_int(header.rtm_scope, RT_SCOPE_LINK);
	for (int i = 0; i <= RTA_MAX; i++)
		check((attrs[i] != NULL) == (i == RTA_OIF));
	check_str(netlink_label(fake.nl, 0), "add route ::/0");
	fake_error(&fake, 1, EEXIST, NULL); /* the same route once more */
	check_ok(netlink_commit(fake.nl, &fake.err), fake.err);

	route.scope = ROUTE_SCOPE_HOST;
	route.table = 10;
	route_queue_add(fake.nl, &route, ROUTE_REPLACE);
	read_back(&fake, 0, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, &header, sizeof(header),
		  attrs, RTA_MAX);
	check_int(header.rtm_scope, RT_SCOPE_HOST);
	check_int(header.rtm_table, 10);
	fake_error(&fake, 2, EEXIST, NULL);
	check_int(netlink_commit(fake.nl, &fake.err), -EEXIST);
}

TEST(route_via_the_other_family_and_deletion)
{
	auto_fake struct fake fake = fake_open(NETLINK_ROUTE);
	struct route route = {
		.dst = cidr("10.0.0.0/8"), .gw = ip("fe80::1"), .oif = 3, .scope = -1
	};
	struct nlattr *attrs[RTA_MAX + 1];
	struct rtmsg header;

	route_queue_add(fake.nl, &route, ROUTE_EXCLUSIVE);
	read_back(&fake, 0, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, &header, sizeof(header), attrs,
		  RTA_MAX);
	check(attrs[RTA_GATEWAY] == NULL);
	check_int(nla_len(attrs[RTA_VIA]), 18);
	check_int(*(uint16_t *)nla_data(attrs[RTA_VIA]), AF_INET6);
	check(memcmp((char *)nla_data(attrs[RTA_VIA]) + 2, route.gw.bytes, 16) == 0);

	route_queue_del(fake.nl, &route);
	read_back(&fake, 1, RTM_DELROUTE, 0, &header, sizeof(header), attrs, RTA_MAX);
	check_int(header.rtm_scope, RT_SCOPE_NOWHERE);
	check_int(header.rtm_protocol, RTPROT_UNSPEC);
	check_int(header.rtm_type, RTN_UNSPEC);
	check_str(netlink_label(fake.nl, 1), "delete route 10.0.0.0/8 via fe80::1");
}

/* Built by libnl as the kernel builds it: two next hops, of which the first counts. */
TEST(route_list_keeps_multipath_routes)
{
	auto_fake struct fake fake = fake_open(NETLINK_ROUTE), kernel = fake_open(NETLINK_ROUTE);
	auto_arena struct arena arena = { 0 };
	const struct rtmsg header = {
		.rtm_family = AF_INET, .rtm_dst_len = 16, .rtm_table = 254, .rtm_type = 1
	};
	const struct nlmsghdr *record;
	routes_t routes = { 0 };
	struct nl_msg *msg =
		netlink_queue(kernel.nl, RTM_NEWROUTE, 0, &header, sizeof(header), "record");
	struct {
		struct rtnexthop hop;
		struct nlattr gw;
		uint8_t ip[4];
	} hops[2] = {
		{ { sizeof(hops[0]), RTNH_F_ONLINK, 0, 5 }, { 8, RTA_GATEWAY }, { 10, 1, 0, 1 } },
		{ { sizeof(hops[0]), 0, 0, 6 }, { 8, RTA_GATEWAY }, { 10, 2, 0, 1 } },
	};
	char text[IP_TEXT_SIZE];

	nla_put(msg, RTA_DST, 4, "\x0a\x09\0\0");
	nla_put(msg, RTA_MULTIPATH, sizeof(hops), hops);
	record = netlink_queued(kernel.nl, 0);
	fake_reply(&fake, RTM_NEWROUTE, NLM_F_MULTI, 2, NLMSG_DATA(record),
		   record->nlmsg_len - NLMSG_HDRLEN);
	fake_reply(&fake, NLMSG_DONE, NLM_F_MULTI, 2, "\0\0\0", 4);
	check_ok(route_list(fake.nl, AF_INET, 5, 254, &arena, &routes, &fake.err), fake.err);
	check_int(routes.n, 1);
	if (routes.n != 1)
		return;
	check_int(routes.items[0].oif, 5);
	check_str(ip_format(&routes.items[0].gw, text), "10.1.0.1");
	check(routes.items[0].onlink);
}

TEST(neigh_messages)
{
	static const struct mac mac = { true, { 2, 1, 2, 3, 4, 5 } }, zero = { true, { 0 } };
	auto_fake struct fake fake = fake_open(NETLINK_ROUTE);
	struct nlattr *attrs[NDA_MAX + 1];
	struct ndmsg header;

	neigh_queue_set(fake.nl, &(struct neigh){ .index = 3, .ip = ip("fd00::1"), .mac = mac });
	read_back(&fake, 0, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, &header, sizeof(header),
		  attrs, NDA_MAX);
	check_int(header.ndm_family, AF_INET6);
	check_int(header.ndm_ifindex, 3);
	check_int(header.ndm_state, NUD_PERMANENT);
	check_int(header.ndm_flags, 0);
	check_ip(attrs[NDA_DST], "fd00::1");
	check(memcmp(nla_data(attrs[NDA_LLADDR]), mac.bytes, 6) == 0);

	neigh_queue_set(
		fake.nl,
		&(struct neigh){ .index = 3, .ip = ip("10.0.0.2"), .mac = mac, .fdb = true });
	read_back(&fake, 1, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, &header, sizeof(header),
		  attrs, NDA_MAX);
	check_int(header.ndm_family, AF_BRIDGE);
	check_int(header.ndm_flags, NTF_SELF);
	check_ip(attrs[NDA_DST], "10.0.0.2");
	check_str(netlink_label(fake.nl, 1),
		  "set forwarding entry 02:01:02:03:04:05 via 10.0.0.2 on link 3");

	neigh_queue_set(
		fake.nl,
		&(struct neigh){ .index = 3, .ip = ip("10.0.0.2"), .mac = zero, .fdb = true });
	read_back(&fake, 2, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_APPEND, &header, sizeof(header),
		  attrs, NDA_MAX);
	neigh_queue_del(fake.nl, &(struct neigh){ .index = 3, .ip = ip("10.0.0.2") });
	read_back(&fake, 3, RTM_DELNEIGH, 0, &header, sizeof(header), attrs, NDA_MAX);
	check(attrs[NDA_LLADDR] == NULL);
	check_str(netlink_label(fake.nl, 3), "delete neighbour 10.0.0.2 on link 3");
}
