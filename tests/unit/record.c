/*
 * Routes and addresses by the kernel's own record of them: what is said again, what is left out. Records are built by
 * libnl as the kernel builds them.
 */
#include "fake_kernel.h"

#include <linux/if_addr.h>

#include "kernel/addr.h"
#include "kernel/route.h"

#define TICKS 100

/* One record, listed and then queued again by the session. */
struct replay {
	struct fake kernel; /* that builds */
	struct fake fake;   /* that reads */
	struct arena arena;
	struct nl_msg *msg;
	routes_t routes;
};

static struct nl_msg *replay_begin(struct replay *replay, const void *header, size_t size)
{
	*replay = (struct replay){ .kernel = fake_open(NETLINK_ROUTE),
				   .fake = fake_open(NETLINK_ROUTE) };
	return netlink_queue(replay->kernel.nl, RTM_NEWROUTE, 0, header, size, "record");
}

static const struct nlmsghdr *replay_record(struct replay *replay, int type)
{
	const struct nlmsghdr *record = netlink_queued(replay->kernel.nl, 0);

	fake_reply(&replay->fake, type, NLM_F_MULTI, 2, NLMSG_DATA(record),
		   record->nlmsg_len - NLMSG_HDRLEN);
	fake_reply(&replay->fake, NLMSG_DONE, NLM_F_MULTI, 2, "\0\0\0", 4);
	return record;
}

static struct route *replay_route(struct replay *replay, int family)
{
	replay_record(replay, RTM_NEWROUTE);
	check_ok(route_records(replay->fake.nl, family, 0, 0, &replay->arena, &replay->routes,
			       &replay->fake.err),
		 replay->fake.err);
	check_int(replay->routes.n, 1);
	return replay->routes.n == 1 ? &replay->routes.items[0] : NULL;
}

static void replay_end(struct replay *replay)
{
	fake_close(&replay->kernel);
	fake_close(&replay->fake);
	arena_free(&replay->arena);
}

/* Attributes of the message queued last. */
static const struct rtmsg *read_back(struct replay *replay, size_t n, int type, int flags,
				     struct nlattr **attrs)
{
	const struct nlmsghdr *message = netlink_queued(replay->fake.nl, n);

	check_int(message->nlmsg_type, type);
	check_int(message->nlmsg_flags, NLM_F_REQUEST | flags);
	check_ok(netlink_parse(message, sizeof(struct rtmsg), attrs, RTA_MAX, &replay->fake.err),
		 replay->fake.err);
	return NLMSG_DATA(message);
}

TEST(route_again_carries_what_nobody_here_knows)
{
	const struct rtmsg header = { .rtm_family = AF_INET,
				      .rtm_dst_len = 24,
				      .rtm_tos = 8,
				      .rtm_table = 254,
				      .rtm_protocol = 99,
				      .rtm_type = 1,
				      .rtm_flags =
					      RTNH_F_ONLINK | RTNH_F_LINKDOWN | RTM_F_OFFLOAD };
	struct replay replay on_leave(replay_end);
	struct nl_msg *msg = replay_begin(&replay, &header, sizeof(header));
	struct nlattr *attrs[RTA_MAX + 1], *metrics;
	const struct rtmsg *again;
	struct route *route;

	nla_put(msg, RTA_DST, 4, "\xc0\0\x02\0");
	nla_put(msg, RTA_PREFSRC, 4, "\x0a\x01\0\x05");
	nla_put_u32(msg, RTA_TABLE, 254);
	nla_put_u32(msg, RTA_OIF, 3);
	nla_put_u32(msg, RTA_FLOW, 77);
	metrics = nla_nest_start(msg, RTA_METRICS);
	nla_put_string(msg, RTAX_CC_ALGO, "reno");
	nla_nest_end(msg, metrics);
	route = replay_route(&replay, AF_INET);
	if (!route)
		return;
	route->table = 1000;
	route_queue_again(replay.fake.nl, route, ROUTE_REPLACE);
	again = read_back(&replay, 0, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, attrs);
	check_int(again->rtm_tos, 8);
	check_int(again->rtm_protocol, 99);
	check_int(again->rtm_table, RT_TABLE_UNSPEC);
	check_int(again->rtm_flags, RTNH_F_ONLINK);
	check_int(attr_u32(attrs[RTA_TABLE], 0), 1000);
	check_int(attr_u32(attrs[RTA_FLOW], 0), 77);
	check(memcmp(nla_data(attrs[RTA_PREFSRC]), "\x0a\x01\0\x05", 4) == 0);
	check(nla_find(nla_data(attrs[RTA_METRICS]), nla_len(attrs[RTA_METRICS]), RTAX_CC_ALGO));
	check_str(netlink_label(replay.fake.nl, 0), "add route 192.0.2.0/24 in table 1000");

	route->src = (struct ip){ 0 };
	route->table = 200;
	route_queue_remove(replay.fake.nl, route);
	again = read_back(&replay, 1, RTM_DELROUTE, 0, attrs);
	check_int(again->rtm_table, 200);
	check(attrs[RTA_PREFSRC] == NULL);
}

TEST(route_again_cleans_the_flags_of_next_hops)
{
	const struct rtmsg header = { .rtm_family = AF_INET, .rtm_table = 254, .rtm_type = 1 };
	struct {
		struct rtnexthop hop;
		struct nlattr gw;
		uint8_t ip[4];
	} hops[2] = {
		{ { sizeof(hops[0]), RTNH_F_DEAD | RTNH_F_ONLINK, 4, 3 },
		  { 8, RTA_GATEWAY },
		  { 10, 1, 0, 1 } },
		{ { sizeof(hops[0]), RTNH_F_LINKDOWN, 0, 3 }, { 8, RTA_GATEWAY }, { 10, 1, 0, 2 } },
	};
	struct replay replay on_leave(replay_end);
	struct nl_msg *msg = replay_begin(&replay, &header, sizeof(header));
	struct nlattr *attrs[RTA_MAX + 1];
	struct route *route;

	nla_put(msg, RTA_MULTIPATH, sizeof(hops), hops);
	route = replay_route(&replay, AF_INET);
	if (!route)
		return;
	check(!route->shared);
	check_int(route->oif, 3);
	route_queue_again(replay.fake.nl, route, ROUTE_EXCLUSIVE);
	read_back(&replay, 0, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, attrs);
	check_int(nla_len(attrs[RTA_MULTIPATH]), sizeof(hops));
	memcpy(hops, nla_data(attrs[RTA_MULTIPATH]), sizeof(hops));
	check_int(hops[0].hop.rtnh_flags, RTNH_F_ONLINK);
	check_int(hops[0].hop.rtnh_hops, 4);
	check_int(hops[1].hop.rtnh_flags, 0);
	check_int(hops[1].ip[3], 2);
}

TEST(route_with_next_hops_on_two_links_is_shared)
{
	const struct rtmsg header = { .rtm_family = AF_INET, .rtm_table = 254, .rtm_type = 1 };
	const struct rtnexthop hops[2] = { { sizeof(hops[0]), 0, 0, 3 },
					   { sizeof(hops[0]), 0, 0, 4 } };
	struct replay replay on_leave(replay_end);
	struct nl_msg *msg = replay_begin(&replay, &header, sizeof(header));
	struct route *route;

	nla_put(msg, RTA_MULTIPATH, sizeof(hops), hops);
	route = replay_route(&replay, AF_INET);
	check(route && route->shared);
}

/* A next hop object excludes what the kernel reports of it. */
TEST(route_again_by_next_hop_object)
{
	const struct rtmsg header = { .rtm_family = AF_INET, .rtm_table = 254, .rtm_type = 1 };
	struct replay replay on_leave(replay_end);
	struct nl_msg *msg = replay_begin(&replay, &header, sizeof(header));
	struct nlattr *attrs[RTA_MAX + 1];
	struct route *route;

	nla_put_u32(msg, RTA_NH_ID, 5);
	nla_put_u32(msg, RTA_OIF, 3);
	nla_put(msg, RTA_GATEWAY, 4, "\x0a\x01\0\x01");
	route = replay_route(&replay, AF_INET);
	if (!route)
		return;
	route_queue_again(replay.fake.nl, route, ROUTE_APPEND);
	read_back(&replay, 0, RTM_NEWROUTE, NLM_F_CREATE, attrs);
	check_int(attr_u32(attrs[RTA_NH_ID], 0), 5);
	check(!attrs[RTA_OIF] && !attrs[RTA_GATEWAY]);
	route->by_hops = true;
	route_queue_again(replay.fake.nl, route, ROUTE_APPEND);
	read_back(&replay, 1, RTM_NEWROUTE, NLM_F_CREATE, attrs);
	check(!attrs[RTA_NH_ID] && attrs[RTA_OIF] && attrs[RTA_GATEWAY]);
}

TEST(route_again_lives_as_long_as_before)
{
	const struct rtmsg header = { .rtm_family = AF_INET6, .rtm_table = 254, .rtm_type = 1 };
	const struct rta_cacheinfo info = { .rta_expires = 600 * TICKS };
	struct replay replay on_leave(replay_end);
	struct nl_msg *msg = replay_begin(&replay, &header, sizeof(header));
	struct nlattr *attrs[RTA_MAX + 1];
	struct route *route;

	check_int(sysconf(_SC_CLK_TCK), TICKS);
	nla_put_u32(msg, RTA_OIF, 3);
	nla_put(msg, RTA_CACHEINFO, sizeof(info), &info);
	route = replay_route(&replay, AF_INET6);
	if (!route)
		return;
	route_queue_again(replay.fake.nl, route, ROUTE_EXCLUSIVE);
	read_back(&replay, 0, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, attrs);
	check_int(attr_u32(attrs[RTA_EXPIRES], 0), 601);
	check(attrs[RTA_CACHEINFO] == NULL);
	route_queue_remove(replay.fake.nl, route);
	read_back(&replay, 1, RTM_DELROUTE, 0, attrs);
	check(attrs[RTA_EXPIRES] == NULL);
}

TEST(addr_again_without_looking_for_duplicates)
{
	const struct ifaddrmsg header = { AF_INET6, 64, IFA_F_PERMANENT, 0, 3 };
	const struct ifa_cacheinfo info = { .ifa_prefered = 100, .ifa_valid = 200 };
	struct replay replay on_leave(replay_end);
	struct nl_msg *msg = replay_begin(&replay, &header, sizeof(header));
	struct nlattr *attrs[IFA_MAX + 1];
	const struct nlmsghdr *message;
	addrs_t addrs = { 0 };

	nla_put(msg, IFA_ADDRESS, 16, "\xfd\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\x05");
	nla_put(msg, IFA_CACHEINFO, sizeof(info), &info);
	nla_put_u32(msg, IFA_FLAGS, IFA_F_PERMANENT | IFA_F_NOPREFIXROUTE);
	replay_record(&replay, RTM_NEWADDR);
	check_ok(addr_records(replay.fake.nl, AF_INET6, 3, &replay.arena, &addrs, &replay.fake.err),
		 replay.fake.err);
	check_int(addrs.n, 1);
	if (addrs.n != 1)
		return;
	addr_queue_again(replay.fake.nl, &addrs.items[0], "eth0", false);
	message = netlink_queued(replay.fake.nl, 0);
	check_int(message->nlmsg_flags, NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL);
	check_ok(netlink_parse(message, sizeof(header), attrs, IFA_MAX, &replay.fake.err),
		 replay.fake.err);
	check_int(attr_u32(attrs[IFA_FLAGS], 0), IFA_F_NOPREFIXROUTE | IFA_F_NODAD);
	check_int(((struct ifa_cacheinfo *)nla_data(attrs[IFA_CACHEINFO]))->ifa_valid, 200);
	check_str(netlink_label(replay.fake.nl, 0), "restore address fd01::5/64 of eth0");

	addrs.items[0].flags |= ADDR_TENTATIVE; /* still in doubt: that is not for us to end */
	addr_queue_again(replay.fake.nl, &addrs.items[0], "eth0", true);
	message = netlink_queued(replay.fake.nl, 1);
	check_int(message->nlmsg_flags, NLM_F_REQUEST | NLM_F_REPLACE);
	check_ok(netlink_parse(message, sizeof(header), attrs, IFA_MAX, &replay.fake.err),
		 replay.fake.err);
	check_int(attr_u32(attrs[IFA_FLAGS], 0), IFA_F_NOPREFIXROUTE);
}
