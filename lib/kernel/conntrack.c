/*
 * ctnetlink. A flow is identified by its first tuple and, since another may have taken its place meanwhile, by its id.
 * Layout: linux/netfilter/nfnetlink_conntrack.h.
 */
#include "kernel/conntrack.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>
#include <stdio.h>

#include "kernel/netlink_internal.h"
#include "kernel/sysctl.h"

/* Which parts of a tuple a filter looks at; the kernel's own numbers (net/netfilter/nf_internals.h). */
enum {
	FILTER_IP_SOURCE = 1 << 0,
	FILTER_PROTOCOL = 1 << 3,
	FILTER_DESTINATION_PORT = 1 << 5,
};

struct listing {
	const struct flow_filter *filter;
	struct arena *arena;
	flows_t *flows;
};

struct tuple {
	struct ip source, destination;
	uint8_t protocol;
	uint16_t source_port, destination_port;
};

static struct nl_msg *queue(struct netlink *nl, int type, int family, const char *label)
{
	struct nfgenmsg header = { .nfgen_family = (uint8_t)family, .version = NFNETLINK_V0 };

	return netlink_queue(nl, NFNL_SUBSYS_CTNETLINK << 8 | type, 0, &header, sizeof(header),
			     "%s", label);
}

static void put_ip(struct nl_msg *msg, const struct ip *ip, int v4, int v6)
{
	if (ip->family)
		nla_put(msg, ip->family == AF_INET ? v4 : v6, (int)ip_size(ip), ip->bytes);
}

/* What is not set is left out. */
static void put_tuple(struct nl_msg *msg, int type, const struct tuple *tuple)
{
	struct nlattr *nest = nla_nest_start(msg, NLA_F_NESTED | type), *part;

	if (tuple->source.family || tuple->destination.family) {
		part = nla_nest_start(msg, NLA_F_NESTED | CTA_TUPLE_IP);
		put_ip(msg, &tuple->source, CTA_IP_V4_SRC, CTA_IP_V6_SRC);
		put_ip(msg, &tuple->destination, CTA_IP_V4_DST, CTA_IP_V6_DST);
		nla_nest_end(msg, part);
	}
	if (tuple->protocol) {
		part = nla_nest_start(msg, NLA_F_NESTED | CTA_TUPLE_PROTO);
		nla_put_u8(msg, CTA_PROTO_NUM, tuple->protocol);
		if (tuple->source_port)
			nla_put_u16(msg, CTA_PROTO_SRC_PORT, htons(tuple->source_port));
		if (tuple->destination_port)
			nla_put_u16(msg, CTA_PROTO_DST_PORT, htons(tuple->destination_port));
		nla_nest_end(msg, part);
	}
	nla_nest_end(msg, nest);
}

static struct ip read_ip(struct nlattr *const *attrs, int v4, int v6)
{
	if (attrs[v4] && nla_len(attrs[v4]) == 4)
		return ip_make(AF_INET, nla_data(attrs[v4]));
	if (attrs[v6] && nla_len(attrs[v6]) == 16)
		return ip_make(AF_INET6, nla_data(attrs[v6]));
	return (struct ip){ 0 };
}

static struct tuple read_tuple(const struct nlattr *nest)
{
	struct nlattr *tb[CTA_TUPLE_MAX + 1], *ip[CTA_IP_MAX + 1], *proto[CTA_PROTO_MAX + 1];

	netlink_parse_nested(nest, tb, CTA_TUPLE_MAX);
	netlink_parse_nested(tb[CTA_TUPLE_IP], ip, CTA_IP_MAX);
	netlink_parse_nested(tb[CTA_TUPLE_PROTO], proto, CTA_PROTO_MAX);
	return (struct tuple){
		.source = read_ip(ip, CTA_IP_V4_SRC, CTA_IP_V6_SRC),
		.destination = read_ip(ip, CTA_IP_V4_DST, CTA_IP_V6_DST),
		.protocol = attr_u8(proto[CTA_PROTO_NUM], 0),
		.source_port = ntohs(attr_u16(proto[CTA_PROTO_SRC_PORT], 0)),
		.destination_port = ntohs(attr_u16(proto[CTA_PROTO_DST_PORT], 0)),
	};
}

static bool is_wanted(const struct flow_filter *filter, const struct flow *flow)
{
	return (!filter->family || flow->destination.family == filter->family) &&
	       (!filter->protocol || filter->protocol == flow->protocol) &&
	       (!filter->destination_port || filter->destination_port == flow->destination_port) &&
	       (!filter->reply_source.family ||
		ip_equal(&filter->reply_source, &flow->reply_source));
}

static int read_flow(const struct nlmsghdr *reply, void *arg, struct error *err)
{
	const struct listing *listing = arg;
	struct nlattr *attrs[CTA_MAX + 1];
	struct tuple original, answer;
	struct flow flow;
	int r;

	if (reply->nlmsg_type != (NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW))
		return 0;
	r = netlink_parse(reply, sizeof(struct nfgenmsg), attrs, CTA_MAX, err);
	if (r < 0)
		return r;
	original = read_tuple(attrs[CTA_TUPLE_ORIG]);
	answer = read_tuple(attrs[CTA_TUPLE_REPLY]);
	flow = (struct flow){
		.protocol = original.protocol,
		.source = original.source,
		.destination = original.destination,
		.source_port = original.source_port,
		.destination_port = original.destination_port,
		.reply_source = answer.source,
		.reply_port = answer.source_port,
		.id = attr_u32(attrs[CTA_ID], 0),
		.zone = ntohs(attr_u16(attrs[CTA_ZONE], 0)),
	};
	if (is_wanted(listing->filter, &flow))
		*list_add(listing->arena, listing->flows) = flow;
	return 0;
}

/* Both directions are named, each with the parts that count. */
static void put_filter(struct nl_msg *msg, const struct flow_filter *filter)
{
	const struct tuple original = { .protocol = filter->protocol,
					.destination_port = filter->destination_port },
			   answer = { .source = filter->reply_source };
	struct nlattr *nest;

	if (filter->translated) {
		nla_put_u32(msg, CTA_STATUS, htonl(IPS_DST_NAT));
		nla_put_u32(msg, CTA_STATUS_MASK, htonl(IPS_DST_NAT));
	}
	if (!filter->protocol && !filter->reply_source.family)
		return;
	nest = nla_nest_start(msg, NLA_F_NESTED | CTA_FILTER);
	nla_put_u32(msg, CTA_FILTER_ORIG_FLAGS,
		    (filter->protocol ? FILTER_PROTOCOL : 0) |
			    (filter->destination_port ? FILTER_DESTINATION_PORT : 0));
	nla_put_u32(msg, CTA_FILTER_REPLY_FLAGS,
		    filter->reply_source.family ? FILTER_IP_SOURCE : 0);
	nla_nest_end(msg, nest);
	if (filter->protocol)
		put_tuple(msg, CTA_TUPLE_ORIG, &original);
	if (filter->reply_source.family)
		put_tuple(msg, CTA_TUPLE_REPLY, &answer);
}

int conntrack_open(struct netlink **nl, struct error *err)
{
	return netlink_open(nl, NETLINK_SESSION_NETFILTER, -1, err);
}

int conntrack_list(struct netlink *nl, const struct flow_filter *filter, struct arena *arena,
		   flows_t *flows, struct error *err)
{
	struct listing listing = { filter, arena, flows };
	struct nl_msg *msg = queue(nl, IPCTNL_MSG_CT_GET, filter->family, "list connections");

	put_filter(msg, filter);
	return netlink_dump(nl, read_flow, &listing, err);
}

void conntrack_queue_del(struct netlink *nl, const struct flow *flow)
{
	const struct tuple tuple = { flow->source, flow->destination, flow->protocol,
				     flow->source_port, flow->destination_port };
	char label[128], text[IP_TEXT_SIZE];
	struct nl_msg *msg;

	snprintf(label, sizeof(label), "forget a connection to %s port %u",
		 ip_format(&flow->destination, text), flow->destination_port);
	msg = queue(nl, IPCTNL_MSG_CT_DELETE, flow->destination.family, label);
	put_tuple(msg, CTA_TUPLE_ORIG, &tuple);
	nla_put_u32(msg, CTA_ID, flow->id);
	if (flow->zone)
		nla_put_u16(msg, CTA_ZONE, htons(flow->zone));
	netlink_tolerate(nl, ENOENT);
}

bool conntrack_any(void)
{
	char count[16] = "";

	return sysctl_read("net/netfilter/nf_conntrack_count", count, sizeof(count), NULL) < 0 ||
	       !streq(count, "0");
}
