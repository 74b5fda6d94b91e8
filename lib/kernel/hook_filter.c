/* Filters of tc: matchall, flower and u32 are read, of others it is said that they are there. */
#include "kernel/hook_filter.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/tc_act/tc_gact.h>
#include <linux/tc_act/tc_mirred.h>
#include <sys/socket.h>

#include "kernel/netlink_internal.h"

struct listing {
	struct arena *arena;
	hook_filters_t *filters;
};

/* ---- actions ---- */

/* What the last word of an action means; TC_ACT_PIPE: the next action has it. */
static enum hook_act act_of(int word)
{
	switch (word) {
	case TC_ACT_UNSPEC: return HOOK_ACT_NEXT;
	case TC_ACT_OK:
	case TC_ACT_RECLASSIFY:
	case TC_ACT_PIPE: return HOOK_ACT_PASS;
	case TC_ACT_SHOT: return HOOK_ACT_DROP;
	default: return HOOK_ACT_UNKNOWN;
	}
}

static int read_gact(const struct nlattr *nest, struct hook_filter *filter)
{
	struct nlattr *attrs[TCA_GACT_MAX + 1];
	struct tc_gact gact;

	netlink_parse_nested(nest, attrs, TCA_GACT_MAX);
	if (attrs[TCA_GACT_PROB] || !attrs[TCA_GACT_PARMS] ||
	    nla_len(attrs[TCA_GACT_PARMS]) < (int)sizeof(gact))
		return TC_ACT_QUEUED;
	memcpy(&gact, nla_data(attrs[TCA_GACT_PARMS]), sizeof(gact));
	filter->act = act_of(gact.action);
	return gact.action;
}

/* A copy for another link changes nothing. */
static int read_mirred(const struct nlattr *nest, struct hook_filter *filter)
{
	struct nlattr *attrs[TCA_MIRRED_MAX + 1];
	struct tc_mirred mirred;

	netlink_parse_nested(nest, attrs, TCA_MIRRED_MAX);
	if (!attrs[TCA_MIRRED_PARMS] || nla_len(attrs[TCA_MIRRED_PARMS]) < (int)sizeof(mirred))
		return TC_ACT_QUEUED;
	memcpy(&mirred, nla_data(attrs[TCA_MIRRED_PARMS]), sizeof(mirred));
	filter->act = act_of(mirred.action);
	if (mirred.eaction != TCA_EGRESS_REDIR && mirred.eaction != TCA_INGRESS_REDIR)
		return mirred.action;
	filter->act = HOOK_ACT_SEND;
	filter->to = (int)mirred.ifindex;
	return TC_ACT_STOLEN;
}

/* Until one of them decides. A filter without actions lets pass. */
static void read_actions(const struct nlattr *nest, struct hook_filter *filter)
{
	struct nlattr *actions[TCA_ACT_MAX_PRIO + 1];
	int word = TC_ACT_PIPE;

	netlink_parse_nested(nest, actions, TCA_ACT_MAX_PRIO);
	filter->act = HOOK_ACT_PASS;
	for (int i = 0; i <= TCA_ACT_MAX_PRIO && word == TC_ACT_PIPE; i++) {
		struct nlattr *attrs[TCA_ACT_MAX + 1];
		char kind[16];

		netlink_parse_nested(actions[i], attrs, TCA_ACT_MAX);
		attr_text(attrs[TCA_ACT_KIND], kind, sizeof(kind));
		if (!actions[i])
			continue;
		filter->act = HOOK_ACT_UNKNOWN;
		word = streq(kind, "gact")     ? read_gact(attrs[TCA_ACT_OPTIONS], filter)
		       : streq(kind, "mirred") ? read_mirred(attrs[TCA_ACT_OPTIONS], filter)
					       : TC_ACT_QUEUED;
	}
}

/* ---- what they match ---- */

static void read_matchall(const struct nlattr *nest, struct hook_filter *filter)
{
	struct nlattr *attrs[TCA_MATCHALL_MAX + 1];

	netlink_parse_nested(nest, attrs, TCA_MATCHALL_MAX);
	filter->unknown = attr_u32(attrs[TCA_MATCHALL_FLAGS], 0) & TCA_CLS_FLAGS_SKIP_SW;
	read_actions(attrs[TCA_MATCHALL_ACT], filter);
}

/* A selector whose keys have no bits matches everything, as the one of a redirection (redirect.c). */
static void read_u32(const struct nlattr *nest, struct hook_filter *filter)
{
	struct nlattr *attrs[TCA_U32_MAX + 1];
	const struct tc_u32_sel *sel;

	netlink_parse_nested(nest, attrs, TCA_U32_MAX);
	read_actions(attrs[TCA_U32_ACT], filter);
	filter->unknown = true;
	if (!attrs[TCA_U32_SEL] || nla_len(attrs[TCA_U32_SEL]) < (int)sizeof(*sel))
		return;
	sel = nla_data(attrs[TCA_U32_SEL]);
	if (nla_len(attrs[TCA_U32_SEL]) < (int)(sizeof(*sel) + sel->nkeys * sizeof(sel->keys[0])))
		return;
	filter->unknown = attrs[TCA_U32_LINK] || attrs[TCA_U32_MARK] || attrs[TCA_U32_INDEV] ||
			  !(sel->flags & TC_U32_TERMINAL);
	for (int i = 0; i < sel->nkeys; i++)
		filter->unknown |= sel->keys[i].mask != 0;
}

/* An address that a flower asks for; false: its mask is none of a prefix. */
static bool read_cidr(int family, const struct nlattr *ip, const struct nlattr *mask,
		      struct cidr *cidr)
{
	int size = family == AF_INET ? 4 : 16, prefix = 0;
	const uint8_t *bits;

	if (!ip)
		return true;
	if (!mask || nla_len(ip) < size || nla_len(mask) < size)
		return false;
	bits = nla_data(mask);
	while (prefix < size * 8 && bits[prefix / 8] & 0x80 >> prefix % 8)
		prefix++;
	for (int bit = prefix; bit < size * 8; bit++)
		if (bits[bit / 8] & 0x80 >> bit % 8)
			return false;
	*cidr = (struct cidr){ ip_make(family, nla_data(ip)), (uint8_t)prefix };
	return true;
}

static bool read_port(struct nlattr **attrs, int key, int mask, struct ports *ports)
{
	uint16_t port = ntohs(attr_u16(attrs[key], 0));

	if (attrs[key])
		*ports = (struct ports){ port, port };
	return !attrs[key] || attr_u16(attrs[mask], UINT16_MAX) == UINT16_MAX;
}

/* The kernel tells only what is looked at. */
static bool only_known(const struct nlattr *nest)
{
	static const uint8_t known[] = {
		TCA_FLOWER_CLASSID,      TCA_FLOWER_ACT,
		TCA_FLOWER_FLAGS,        TCA_FLOWER_IN_HW_COUNT,
		TCA_FLOWER_KEY_ETH_TYPE, TCA_FLOWER_KEY_IP_PROTO,
		TCA_FLOWER_KEY_IPV4_SRC, TCA_FLOWER_KEY_IPV4_SRC_MASK,
		TCA_FLOWER_KEY_IPV4_DST, TCA_FLOWER_KEY_IPV4_DST_MASK,
		TCA_FLOWER_KEY_IPV6_SRC, TCA_FLOWER_KEY_IPV6_SRC_MASK,
		TCA_FLOWER_KEY_IPV6_DST, TCA_FLOWER_KEY_IPV6_DST_MASK,
		TCA_FLOWER_KEY_TCP_DST,  TCA_FLOWER_KEY_TCP_DST_MASK,
		TCA_FLOWER_KEY_UDP_DST,  TCA_FLOWER_KEY_UDP_DST_MASK,
	};
	const struct nlattr *attr;
	int left;

	nla_for_each_nested(attr, nest, left)
		if (!memchr(known, nla_type(attr), sizeof(known)))
			return false;
	return true;
}

static void read_flower(const struct nlattr *nest, struct hook_filter *filter)
{
	struct nlattr *attrs[TCA_FLOWER_MAX + 1];
	struct cidr *from = &filter->source, *to = &filter->destination;

	netlink_parse_nested(nest, attrs, TCA_FLOWER_MAX);
	read_actions(attrs[TCA_FLOWER_ACT], filter);
	filter->protocol = attr_u8(attrs[TCA_FLOWER_KEY_IP_PROTO], 0);
	filter->unknown = !nest || !only_known(nest) ||
			  attr_u32(attrs[TCA_FLOWER_FLAGS], 0) & TCA_CLS_FLAGS_SKIP_SW ||
			  !read_cidr(AF_INET, attrs[TCA_FLOWER_KEY_IPV4_SRC],
				     attrs[TCA_FLOWER_KEY_IPV4_SRC_MASK], from) ||
			  !read_cidr(AF_INET, attrs[TCA_FLOWER_KEY_IPV4_DST],
				     attrs[TCA_FLOWER_KEY_IPV4_DST_MASK], to) ||
			  !read_cidr(AF_INET6, attrs[TCA_FLOWER_KEY_IPV6_SRC],
				     attrs[TCA_FLOWER_KEY_IPV6_SRC_MASK], from) ||
			  !read_cidr(AF_INET6, attrs[TCA_FLOWER_KEY_IPV6_DST],
				     attrs[TCA_FLOWER_KEY_IPV6_DST_MASK], to) ||
			  !read_port(attrs, TCA_FLOWER_KEY_TCP_DST, TCA_FLOWER_KEY_TCP_DST_MASK,
				     &filter->ports) ||
			  !read_port(attrs, TCA_FLOWER_KEY_UDP_DST, TCA_FLOWER_KEY_UDP_DST_MASK,
				     &filter->ports);
}

static void read_bpf(const struct nlattr *nest, struct hook_filter *filter)
{
	struct nlattr *attrs[TCA_BPF_MAX + 1];

	netlink_parse_nested(nest, attrs, TCA_BPF_MAX);
	attr_text(attrs[TCA_BPF_NAME], filter->name, sizeof(filter->name));
	filter->unknown = true;
}

/* ---- the list ---- */

static enum hook_for for_what(uint16_t ethertype)
{
	switch (ethertype) {
	case ETH_P_ALL: return HOOK_FOR_ALL;
	case ETH_P_IP: return HOOK_FOR_V4;
	case ETH_P_IPV6: return HOOK_FOR_V6;
	case ETH_P_8021Q: return HOOK_FOR_TAGGED;
	default: return HOOK_FOR_OTHERS;
	}
}

/* Others than chain 0 are for who is sent there. A priority is dumped without its filters, too, and u32 has tables. */
static int read_filter(const struct nlmsghdr *reply, void *arg, struct error *err)
{
	static const struct {
		const char *kind;
		void (*read)(const struct nlattr *nest, struct hook_filter *filter);
	} kinds[] = { { "matchall", read_matchall },
		      { "flower", read_flower },
		      { "u32", read_u32 },
		      { "bpf", read_bpf } };
	const struct listing *listing = arg;
	const struct tcmsg *header = NLMSG_DATA(reply);
	struct nlattr *attrs[TCA_MAX + 1], *u32[TCA_U32_MAX + 1];
	struct hook_filter filter = { .unknown = true };
	int r;

	if (reply->nlmsg_type != RTM_NEWTFILTER)
		return 0;
	r = netlink_parse(reply, sizeof(*header), attrs, TCA_MAX, err);
	if (r < 0 || !header->tcm_handle || attr_u32(attrs[TCA_CHAIN], 0))
		return r;
	attr_text(attrs[TCA_KIND], filter.kind, sizeof(filter.kind));
	filter.priority = (uint16_t)(TC_H_MAJ(header->tcm_info) >> 16);
	filter.for_what = for_what(ntohs((uint16_t)TC_H_MIN(header->tcm_info)));
	netlink_parse_nested(attrs[TCA_OPTIONS], u32, TCA_U32_MAX);
	if (streq(filter.kind, "u32") && !u32[TCA_U32_SEL])
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (streq(filter.kind, kinds[i].kind))
			kinds[i].read(attrs[TCA_OPTIONS], &filter);
	*list_add(listing->arena, listing->filters) = filter;
	return 0;
}

int hook_filters(struct netlink *nl, int index, bool egress, struct arena *arena,
		 hook_filters_t *filters, struct error *err)
{
	const struct tcmsg header = {
		.tcm_family = AF_UNSPEC,
		.tcm_ifindex = index,
		.tcm_parent = TC_H_MAKE(TC_H_CLSACT, egress ? TC_H_MIN_EGRESS : TC_H_MIN_INGRESS),
	};
	struct listing listing = { arena, filters };
	struct error why = { 0 };
	int r;

	netlink_queue(nl, RTM_GETTFILTER, 0, &header, sizeof(header), "list filters");
	r = netlink_dump(nl, read_filter, &listing, &why);
	if (r < 0 && r != -EINVAL && r != -ENOENT && r != -ENODEV)
		return fail(err, -r, "%s", why.message);
	return 0;
}
