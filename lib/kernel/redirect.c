/*
 * Redirection: a u32 filter that everything matches (priority 1, all protocols), with one mirred action that hands the
 * packet to another link's way out. Its handle is given, so that a second time replaces the first.
 */
#include "kernel/qdisc.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/tc_act/tc_mirred.h>

#include "kernel/netlink_internal.h"

#define FILTER_HANDLE 0x80000800u /* 800::800, the first of a u32 filter */
#define FILTER_CLASS  0x10001u    /* 1:1 */

struct search {
	struct arena *arena;
	link_indices_t *targets;
};

static struct tcmsg filter_of(int index)
{
	return (struct tcmsg){
		.tcm_family = AF_UNSPEC,
		.tcm_ifindex = index,
		.tcm_parent = TC_H_MAJ(TC_H_INGRESS),
	};
}

static void put_action(struct nl_msg *msg, int to)
{
	struct tc_mirred mirred = { .action = TC_ACT_STOLEN,
				    .eaction = TCA_EGRESS_REDIR,
				    .ifindex = (uint32_t)to };
	struct nlattr *actions = nla_nest_start(msg, TCA_U32_ACT);
	struct nlattr *first = nla_nest_start(msg, 1), *options;

	nla_put_string(msg, TCA_ACT_KIND, "mirred");
	options = nla_nest_start(msg, TCA_ACT_OPTIONS);
	nla_put(msg, TCA_MIRRED_PARMS, sizeof(mirred), &mirred);
	nla_nest_end(msg, options);
	nla_nest_end(msg, first);
	nla_nest_end(msg, actions);
}

void qdisc_queue_redirect(struct netlink *nl, int index, int to, const char *link)
{
	struct tcmsg header = filter_of(index);
	/* Behind it one key, of which no bit is looked at. */
	char match[sizeof(struct tc_u32_sel) + sizeof(struct tc_u32_key)] = { 0 };
	const struct tc_u32_sel sel = { .flags = TC_U32_TERMINAL, .nkeys = 1 };
	struct nlattr *options;
	struct nl_msg *msg;

	header.tcm_handle = FILTER_HANDLE;
	header.tcm_info = TC_H_MAKE(1u << 16, htons(ETH_P_ALL));
	msg = netlink_queue(nl, RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_REPLACE, &header,
			    sizeof(header), "add filter: redirect what enters %s", link);
	nla_put_string(msg, TCA_KIND, "u32");
	options = nla_nest_start(msg, TCA_OPTIONS);
	nla_put_u32(msg, TCA_U32_CLASSID, FILTER_CLASS);
	memcpy(match, &sel, sizeof(sel));
	nla_put(msg, TCA_U32_SEL, sizeof(match), match);
	put_action(msg, to);
	nla_nest_end(msg, options);
}

/* ---- reading ---- */

/* The link that an action hands packets to; 0 = it does something else. */
static int target_of(const struct nlattr *action)
{
	struct nlattr *attrs[TCA_ACT_MAX + 1], *options[TCA_MIRRED_MAX + 1];
	struct tc_mirred mirred;
	char kind[16];

	netlink_parse_nested(action, attrs, TCA_ACT_MAX);
	attr_text(attrs[TCA_ACT_KIND], kind, sizeof(kind));
	netlink_parse_nested(attrs[TCA_ACT_OPTIONS], options, TCA_MIRRED_MAX);
	if (!streq(kind, "mirred") || !options[TCA_MIRRED_PARMS] ||
	    nla_len(options[TCA_MIRRED_PARMS]) < (int)sizeof(mirred))
		return 0;
	memcpy(&mirred, nla_data(options[TCA_MIRRED_PARMS]), sizeof(mirred));
	return (int)mirred.ifindex;
}

static int read_filter(const struct nlmsghdr *reply, void *arg, struct error *err)
{
	const struct search *search = arg;
	struct nlattr *attrs[TCA_MAX + 1], *options[TCA_U32_MAX + 1],
		*actions[TCA_ACT_MAX_PRIO + 1];
	char kind[16];
	int r;

	if (reply->nlmsg_type != RTM_NEWTFILTER)
		return 0;
	r = netlink_parse(reply, sizeof(struct tcmsg), attrs, TCA_MAX, err);
	if (r < 0)
		return r;
	attr_text(attrs[TCA_KIND], kind, sizeof(kind));
	if (!streq(kind, "u32"))
		return 0;
	netlink_parse_nested(attrs[TCA_OPTIONS], options, TCA_U32_MAX);
	netlink_parse_nested(options[TCA_U32_ACT], actions, TCA_ACT_MAX_PRIO);
	for (int i = 0; i <= TCA_ACT_MAX_PRIO; i++) {
		int target = target_of(actions[i]);

		if (target)
			*list_add(search->arena, search->targets) = target;
	}
	return 0;
}

int qdisc_targets(struct netlink *nl, int index, struct arena *arena, link_indices_t *targets,
		  struct error *err)
{
	struct tcmsg header = filter_of(index);
	struct search search = { arena, targets };

	netlink_queue(nl, RTM_GETTFILTER, 0, &header, sizeof(header), "list filters");
	return netlink_dump(nl, read_filter, &search, err);
}

int qdisc_redirects(struct netlink *nl, int index, int to, bool *redirects, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	link_indices_t targets = { 0 };
	int r = qdisc_targets(nl, index, &arena, &targets, err);

	*redirects = false;
	list_each(target, &targets)
		*redirects |= *target == to;
	return r;
}
