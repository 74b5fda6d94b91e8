/* Routes: RTM_NEWROUTE, RTM_DELROUTE and their dump. */
#include "kernel/route.h"

#include <errno.h>
#include <linux/rtnetlink.h>

#include "kernel/netlink_internal.h"
#include "kernel/route_internal.h"

struct listing {
	struct arena *arena;
	routes_t *routes;
	int family, oif;
	uint32_t table;
	uint8_t protocol; /* 0 = any */
	bool records;
};

static const int add_flags[] = {
	[ROUTE_EXCLUSIVE] = NLM_F_EXCL,
	[ROUTE_REPLACE] = NLM_F_REPLACE,
	[ROUTE_APPEND] = 0,
};

static void put_ip(struct nl_msg *msg, int type, const struct ip *ip)
{
	nla_put(msg, type, (int)ip_size(ip), ip->bytes);
}

/* IPv4 through an IPv6 gateway has an attribute of its own (Linux 5.2). */
static void put_gateway(struct nl_msg *msg, const struct route *route)
{
	struct nlattr *attr;
	struct rtvia *via;

	if (!route->gw.family)
		return;
	if (route->gw.family == route->dst.ip.family) {
		put_ip(msg, RTA_GATEWAY, &route->gw);
		return;
	}
	attr = nla_reserve(msg, RTA_VIA, (int)(sizeof(*via) + ip_size(&route->gw)));
	if (!attr) /* no room: the session notices, too */
		return;
	via = nla_data(attr);
	via->rtvia_family = route->gw.family;
	memcpy(via->rtvia_addr, route->gw.bytes, ip_size(&route->gw));
}

static void put_metrics(struct nl_msg *msg, const struct route *route)
{
	struct nlattr *metrics;

	if (!route->mtu && !route->advmss)
		return;
	metrics = nla_nest_start(msg, RTA_METRICS);
	if (route->mtu)
		nla_put_u32(msg, RTAX_MTU, route->mtu);
	if (route->advmss)
		nla_put_u32(msg, RTAX_ADVMSS, route->advmss);
	nla_nest_end(msg, metrics);
}

static uint8_t choose_scope(const struct route *route)
{
	if (route->scope >= 0)
		return (uint8_t)route->scope;
	if (route->type == RTN_LOCAL)
		return RT_SCOPE_HOST;
	return route->gw.family ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
}

static struct rtmsg route_header(const struct route *route)
{
	uint32_t table = route->table ? route->table : RT_TABLE_MAIN;

	return (struct rtmsg){
		.rtm_family = route->dst.ip.family,
		.rtm_dst_len = route->dst.prefix,
		.rtm_table = table < 256 ? (uint8_t)table : RT_TABLE_UNSPEC,
		.rtm_protocol = route->protocol,
		.rtm_type = route->type,
		.rtm_flags = route->onlink ? RTNH_F_ONLINK : 0,
	};
}

static struct nl_msg *start(struct netlink *nl, int type, int flags, const struct rtmsg *header,
			    const struct route *route, const char *verb)
{
	char dst[CIDR_TEXT_SIZE], gw[IP_TEXT_SIZE];
	struct cidr network = cidr_network(&route->dst);
	struct nl_msg *msg =
		netlink_queue(nl, type, flags, header, sizeof(*header), "%s route %s%s%s", verb,
			      cidr_format(&route->dst, dst), route->gw.family ? " via " : "",
			      ip_format(&route->gw, gw));

	if (network.prefix)
		put_ip(msg, RTA_DST, &network.ip);
	put_gateway(msg, route);
	if (route->oif)
		nla_put_u32(msg, RTA_OIF, (uint32_t)route->oif);
	if (route->src.family)
		put_ip(msg, RTA_PREFSRC, &route->src);
	if (route->priority)
		nla_put_u32(msg, RTA_PRIORITY, route->priority);
	if (route->table > 255)
		nla_put_u32(msg, RTA_TABLE, route->table);
	return msg;
}

/* Appending is NLM_F_CREATE alone, as the reference plugins do: another next hop for the same destination is
 * fine, and so is the very same route (the kernel says EEXIST for IPv4). */
void route_queue_add(struct netlink *nl, const struct route *route, enum route_add how)
{
	struct rtmsg header = route_header(route);
	struct nl_msg *msg;

	header.rtm_scope = choose_scope(route);
	if (!header.rtm_protocol)
		header.rtm_protocol = RTPROT_BOOT;
	if (!header.rtm_type)
		header.rtm_type = RTN_UNICAST;
	msg = start(nl, RTM_NEWROUTE, NLM_F_CREATE | add_flags[how], &header, route, "add");
	put_metrics(msg, route);
	route_put_frame_oif(msg, route->frame_oif);
	if (how == ROUTE_APPEND)
		netlink_tolerate(nl, EEXIST);
}

/* What is not said matches everything: scope -1, protocol 0, type 0, no gateway, no link. */
void route_queue_del(struct netlink *nl, const struct route *route)
{
	struct rtmsg header = route_header(route);

	header.rtm_scope = route->scope >= 0 ? (uint8_t)route->scope : RT_SCOPE_NOWHERE;
	start(nl, RTM_DELROUTE, 0, &header, route, "delete");
}

static struct ip read_ip(int family, const struct nlattr *attr)
{
	if (!attr || nla_len(attr) < (family == AF_INET ? 4 : 16))
		return (struct ip){ 0 };
	return ip_make(family, nla_data(attr));
}

static struct ip read_gateway(int family, struct nlattr **attrs)
{
	const struct nlattr *via = attrs[RTA_VIA];
	const struct rtvia *rtvia;
	int size;

	if (!via || nla_len(via) < (int)sizeof(*rtvia))
		return read_ip(family, attrs[RTA_GATEWAY]);
	rtvia = nla_data(via);
	size = rtvia->rtvia_family == AF_INET ? 4 : 16;
	if (nla_len(via) < (int)sizeof(*rtvia) + size)
		return (struct ip){ 0 };
	return ip_make(rtvia->rtvia_family, rtvia->rtvia_addr);
}

/* The attributes behind a hop, given the header that a nest has. */
static void read_hop(const struct rtnexthop *hop, struct route *route)
{
	struct nlattr *attrs[RTA_MAX + 1];
	char copy[256] __attribute__((aligned(NLA_ALIGNTO)));
	struct nlattr *nest = (struct nlattr *)copy;

	if (hop->rtnh_len > sizeof(copy))
		return;
	nest->nla_type = RTA_MULTIPATH;
	nest->nla_len = (uint16_t)(NLA_HDRLEN + hop->rtnh_len - sizeof(*hop));
	memcpy(nla_data(nest), hop + 1, hop->rtnh_len - sizeof(*hop));
	netlink_parse_nested(nest, attrs, RTA_MAX);
	route->oif = hop->rtnh_ifindex;
	route->onlink = hop->rtnh_flags & RTNH_F_ONLINK;
	route->gw = read_gateway(route->dst.ip.family, attrs);
}

/* The hop at offset in a list of them; NULL behind the last, or where the list is broken. */
static struct rtnexthop *hop_at(const struct nlattr *multipath, size_t offset)
{
	size_t size = multipath ? (size_t)nla_len(multipath) : 0;
	struct rtnexthop *hop;

	if (offset + sizeof(*hop) > size)
		return NULL;
	hop = (void *)((char *)nla_data(multipath) + offset);
	return hop->rtnh_len < sizeof(*hop) || hop->rtnh_len > size - offset ? NULL : hop;
}

/* Of several next hops the first one stands for the route. */
static void read_hops(const struct nlattr *multipath, struct arena *arena, struct route *route)
{
	const struct rtnexthop *hop;

	for (size_t at = 0; (hop = hop_at(multipath, at)); at += NLMSG_ALIGN(hop->rtnh_len)) {
		struct route one = { .dst = route->dst };

		read_hop(hop, &one);
		*list_add(arena, &route->hops) = (struct route_hop){
			.gw = one.gw,
			.oif = one.oif,
			.weight = hop->rtnh_hops + 1u,
			.flags = hop->rtnh_flags,
		};
		if (at == 0)
			read_hop(hop, route);
		route->shared |= hop->rtnh_ifindex != route->oif;
	}
}

static struct route make_route(const struct rtmsg *header, struct nlattr **attrs,
			       struct arena *arena)
{
	static const uint8_t none[16];
	struct nlattr *metrics[RTAX_MAX + 1];
	struct ip dst = read_ip(header->rtm_family, attrs[RTA_DST]);
	struct route route;

	netlink_parse_nested(attrs[RTA_METRICS], metrics, RTAX_MAX);
	route = (struct route){
		.dst = { dst.family ? dst : ip_make(header->rtm_family, none),
			 header->rtm_dst_len },
		.gw = read_gateway(header->rtm_family, attrs),
		.src = read_ip(header->rtm_family, attrs[RTA_PREFSRC]),
		.oif = (int)attr_u32(attrs[RTA_OIF], 0),
		.scope = header->rtm_scope,
		.table = attr_u32(attrs[RTA_TABLE], header->rtm_table),
		.priority = attr_u32(attrs[RTA_PRIORITY], 0),
		.mtu = attr_u32(metrics[RTAX_MTU], 0),
		.advmss = attr_u32(metrics[RTAX_ADVMSS], 0),
		.protocol = header->rtm_protocol,
		.type = header->rtm_type,
		.onlink = header->rtm_flags & RTNH_F_ONLINK,
		.flags = (uint8_t)header->rtm_flags,
		.has_metric = attrs[RTA_PRIORITY],
		.has_pref = attrs[RTA_PREF],
		.pref = attr_u8(attrs[RTA_PREF], 0),
		.frame_oif = route_read_frame_oif(attrs),
	};
	read_hops(attrs[RTA_MULTIPATH], arena, &route);
	return route;
}

int route_read(const struct nlmsghdr *reply, struct arena *arena, struct route *route,
	       struct error *err)
{
	const struct rtmsg *header = NLMSG_DATA(reply);
	struct nlattr *attrs[RTA_MAX + 1];
	int r = netlink_parse(reply, sizeof(*header), attrs, RTA_MAX, err);

	if (r >= 0)
		*route = make_route(header, attrs, arena);
	return r;
}

/* Without strict checking (before Linux 4.20) the kernel does not filter, hence once more here. */
static int read_route(const struct nlmsghdr *reply, void *arg, struct error *err)
{
	const struct listing *listing = arg;
	const struct rtmsg *header = NLMSG_DATA(reply);
	struct nlattr *attrs[RTA_MAX + 1];
	struct route route;
	int r;

	if (reply->nlmsg_type != RTM_NEWROUTE)
		return 0;
	r = netlink_parse(reply, sizeof(*header), attrs, RTA_MAX, err);
	if (r < 0)
		return r;
	if (header->rtm_family != listing->family || header->rtm_flags & RTM_F_CLONED)
		return 0;
	route = make_route(header, attrs, listing->arena);
	if ((listing->table && route.table != listing->table) ||
	    (listing->protocol && route.protocol != listing->protocol) ||
	    (listing->oif && route.oif != listing->oif && !attrs[RTA_MULTIPATH]))
		return 0;
	if (listing->records)
		route.record = (void *)arena_memdup(listing->arena, reply, reply->nlmsg_len);
	*list_add(listing->arena, listing->routes) = route;
	return 0;
}

static int list_family(struct netlink *nl, struct listing *listing, struct error *err)
{
	struct rtmsg header = {
		.rtm_family = (uint8_t)listing->family,
		.rtm_table = listing->table < 256 ? (uint8_t)listing->table : RT_TABLE_UNSPEC,
		.rtm_protocol = listing->protocol,
	};
	struct nl_msg *msg =
		netlink_queue(nl, RTM_GETROUTE, 0, &header, sizeof(header), "list routes");

	netlink_tolerate(nl, ENOENT); /* a table that does not exist is empty */
	if (listing->oif)
		nla_put_u32(msg, RTA_OIF, (uint32_t)listing->oif);
	if (listing->table > 255)
		nla_put_u32(msg, RTA_TABLE, listing->table);
	return netlink_dump(nl, read_route, listing, err);
}

/* What a record says of the moment, or what is said anew. A next hop object stands for all that describes next hops; the
 * kernel reports both. */
static bool is_carried(int type, bool by_id)
{
	switch (type) {
	case RTA_NH_ID: return by_id;
	case RTA_TABLE:
	case RTA_PREFSRC:
	case RTA_IIF:
	case RTA_CACHEINFO: return false;
	case RTA_OIF:
	case RTA_GATEWAY:
	case RTA_VIA:
	case RTA_MULTIPATH:
	case RTA_ENCAP:
	case RTA_ENCAP_TYPE: return !by_id;
	default: return true;
	}
}

/* What the kernel takes back of the flags that it reports. */
enum { KEPT_FLAGS = RTNH_F_ONLINK | RTNH_F_PERVASIVE };

static void carry(struct nl_msg *msg, const struct nlattr *attr)
{
	struct rtnexthop *hop;
	struct nlattr *copy;

	copy = nla_reserve(msg, attr->nla_type, nla_len(attr));
	if (!copy) /* no room: the session notices, too */
		return;
	memcpy(nla_data(copy), nla_data(attr), (size_t)nla_len(attr));
	if (nla_type(attr) == RTA_MULTIPATH)
		for (size_t at = 0; (hop = hop_at(copy, at)); at += NLMSG_ALIGN(hop->rtnh_len))
			hop->rtnh_flags &= KEPT_FLAGS;
}

/* Seconds that are left; the kernel reports them in ticks, and 0 = forever. */
static uint32_t time_left(const struct nlattr *cacheinfo)
{
	const struct rta_cacheinfo *info;
	long ticks = sysconf(_SC_CLK_TCK);

	if (!cacheinfo || nla_len(cacheinfo) < (int)sizeof(*info) || ticks <= 0)
		return 0;
	info = nla_data(cacheinfo);
	return info->rta_expires > 0 ? (uint32_t)(info->rta_expires / ticks) + 1 : 0;
}

static void queue_record(struct netlink *nl, int type, int flags, const struct route *route)
{
	struct rtmsg header = *(const struct rtmsg *)NLMSG_DATA(route->record);
	struct nlattr *attr, *first = nlmsg_attrdata(route->record, sizeof(header));
	int left, size = nlmsg_attrlen(route->record, sizeof(header));
	bool by_id = !route->by_hops && nla_find(first, size, RTA_NH_ID);
	struct nlattr *cacheinfo = nla_find(first, size, RTA_CACHEINFO);
	uint32_t seconds = header.rtm_family == AF_INET6 ? time_left(cacheinfo) : 0;
	char dst[CIDR_TEXT_SIZE];
	struct nl_msg *msg;

	header.rtm_table = route->table < 256 ? (uint8_t)route->table : RT_TABLE_UNSPEC;
	header.rtm_flags &= KEPT_FLAGS;
	msg = netlink_queue(nl, type, flags, &header, sizeof(header), "%s route %s in table %u",
			    type == RTM_NEWROUTE ? "add" : "delete", cidr_format(&route->dst, dst),
			    route->table);
	netlink_room(nl, (size_t)size);
	nla_for_each_attr(attr, first, size, left)
		if (is_carried(nla_type(attr), by_id))
			carry(msg, attr);
	if (route->src.family)
		put_ip(msg, RTA_PREFSRC, &route->src);
	nla_put_u32(msg, RTA_TABLE, route->table);
	if (type == RTM_NEWROUTE && seconds)
		nla_put_u32(msg, RTA_EXPIRES, seconds);
}

void route_queue_again(struct netlink *nl, const struct route *route, enum route_add how)
{
	queue_record(nl, RTM_NEWROUTE, NLM_F_CREATE | add_flags[how], route);
	if (how == ROUTE_APPEND)
		netlink_tolerate(nl, EEXIST);
}

void route_queue_remove(struct netlink *nl, const struct route *route)
{
	queue_record(nl, RTM_DELROUTE, 0, route);
}

static int list_families(struct netlink *nl, int family, struct listing listing, struct error *err)
{
	static const int families[] = { AF_INET, AF_INET6 };
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(families) && r >= 0; i++) {
		listing.family = families[i];
		if (!family || family == families[i])
			r = list_family(nl, &listing, err);
	}
	return r < 0 ? r : 0;
}

int route_list(struct netlink *nl, int family, int oif, uint32_t table, struct arena *arena,
	       routes_t *routes, struct error *err)
{
	struct listing listing = { arena, routes, .oif = oif, .table = table };

	return list_families(nl, family, listing, err);
}

int route_records(struct netlink *nl, int family, int oif, uint32_t table, struct arena *arena,
		  routes_t *routes, struct error *err)
{
	struct listing listing = { arena, routes, .oif = oif, .table = table, .records = true };

	return list_families(nl, family, listing, err);
}

int route_list_protocol(struct netlink *nl, uint8_t protocol, struct arena *arena, routes_t *routes,
			struct error *err)
{
	struct listing listing = { arena, routes, .table = ROUTE_TABLE_MAIN, .protocol = protocol };

	return list_families(nl, 0, listing, err);
}

bool route_is_unicast(const struct route *route)
{
	return !route->type || route->type == RTN_UNICAST;
}

struct way {
	int oif;
	uint32_t mtu;
};

static int read_way(const struct nlmsghdr *reply, void *arg, struct error *err)
{
	struct nlattr *attrs[RTA_MAX + 1], *metrics[RTAX_MAX + 1];
	struct way *way = arg;
	int r = netlink_parse(reply, sizeof(struct rtmsg), attrs, RTA_MAX, err);

	if (r < 0)
		return r;
	netlink_parse_nested(attrs[RTA_METRICS], metrics, RTAX_MAX);
	*way = (struct way){ (int)attr_u32(attrs[RTA_OIF], 0), attr_u32(metrics[RTAX_MTU], 0) };
	return 0;
}

int route_way(struct netlink *nl, const struct ip *ip, int *oif, uint32_t *mtu, struct error *err)
{
	struct rtmsg header = { .rtm_family = ip->family, .rtm_dst_len = (uint8_t)ip_bits(ip) };
	char text[IP_TEXT_SIZE];
	struct nl_msg *msg = netlink_queue(nl, RTM_GETROUTE, 0, &header, sizeof(header),
					   "look up the route to %s", ip_format(ip, text));
	struct way way = { 0 };
	int r;

	put_ip(msg, RTA_DST, ip);
	netlink_tolerate(nl, ENETUNREACH);
	netlink_tolerate(nl, EHOSTUNREACH);
	netlink_tolerate(nl, EACCES); /* an unreachable, prohibit or blackhole route */
	netlink_tolerate(nl, EINVAL);
	netlink_expect(nl, read_way, &way);
	r = netlink_commit(nl, err);
	*oif = way.oif;
	*mtu = way.mtu;
	return r;
}

int route_to(struct netlink *nl, const struct ip *ip, int *oif, struct error *err)
{
	uint32_t mtu;

	return route_way(nl, ip, oif, &mtu, err);
}

int route_dst_order(const void *a_, const void *b_)
{
	const struct route *a = a_, *b = b_;
	int order = ip_compare(&a->dst.ip, &b->dst.ip);

	return order ? order : (a->dst.prefix > b->dst.prefix) - (a->dst.prefix < b->dst.prefix);
}

static uint32_t metric_of(const struct route *route)
{
	enum { IPV6_METRIC = 1024 };

	return route->priority || route->dst.ip.family != AF_INET6 ? route->priority : IPV6_METRIC;
}

int route_place_order(const void *a_, const void *b_)
{
	const struct route *a = a_, *b = b_;
	int order = route_dst_order(a, b);

	return order ? order : (metric_of(a) > metric_of(b)) - (metric_of(a) < metric_of(b));
}
