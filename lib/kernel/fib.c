/* Questions to the routing of the kernel: RTM_GETROUTE for one packet. */
#include "kernel/fib.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>

#include "kernel/netlink_internal.h"
#include "kernel/route_internal.h"

struct reading {
	struct arena *arena;
	struct route *route;
};

static int read_answer(const struct nlmsghdr *reply, void *arg, struct error *err)
{
	const struct reading *reading = arg;

	return reply->nlmsg_type == RTM_NEWROUTE
		       ? route_read(reply, reading->arena, reading->route, err)
		       : 0;
}

static void put_ip(struct nl_msg *msg, int type, const struct ip *ip)
{
	if (ip->family)
		nla_put(msg, type, (int)ip_size(ip), ip->bytes);
}

static int ask(struct netlink *nl, const struct fib_question *question, unsigned flags,
	       struct reading *reading, struct error *err)
{
	struct rtmsg header = {
		.rtm_family = question->dst.family,
		.rtm_dst_len = (uint8_t)ip_bits(&question->dst),
		.rtm_src_len = (uint8_t)ip_bits(&question->src),
		.rtm_flags = flags,
	};
	/* The kernel takes no others. */
	bool asks_port = question->port &&
			 (question->protocol == IPPROTO_TCP || question->protocol == IPPROTO_UDP);
	char text[IP_TEXT_SIZE];
	struct nl_msg *msg = netlink_queue(nl, RTM_GETROUTE, 0, &header, sizeof(header),
					   "route to %s", ip_format(&question->dst, text));

	put_ip(msg, RTA_DST, &question->dst);
	put_ip(msg, RTA_SRC, &question->src);
	if (question->in)
		nla_put_u32(msg, RTA_IIF, (uint32_t)question->in);
	if (question->out)
		nla_put_u32(msg, RTA_OIF, (uint32_t)question->out);
	if (question->mark)
		nla_put_u32(msg, RTA_MARK, question->mark);
	if (asks_port) {
		nla_put_u8(msg, RTA_IP_PROTO, question->protocol);
		nla_put_u16(msg, RTA_DPORT, htons(question->port));
	}
	netlink_expect(nl, read_answer, reading);
	return netlink_commit(nl, err);
}

/* A kernel that cannot tell the entry (before 4.13) tells the answer twice; there is no entry where IPv4 takes all for neighbours
 * because a link is asked for that no route leads to. */
int fib_ask(struct netlink *nl, const struct fib_question *question, struct arena *arena,
	    struct fib_answer *answer, struct error *err)
{
	struct reading used = { arena, &answer->used }, entry = { arena, &answer->entry };
	/* IPv6 always tells the table, and refuses to be asked for it. */
	unsigned flags = question->dst.family == ROUTE_IPV4 ? RTM_F_LOOKUP_TABLE : 0;
	int r;

	*answer = (struct fib_answer){ 0 };
	r = ask(nl, question, flags, &used, err);
	if (r < 0)
		return r;
	r = ask(nl, question, RTM_F_FIB_MATCH | flags, &entry, err);
	if (r != -EHOSTUNREACH || !question->out)
		return r;
	answer->entry = answer->used;
	return 0;
}

static bool fits(const struct cidr *cidr, const struct ip *ip)
{
	return !cidr->prefix || (ip->family && cidr_contains(cidr, ip));
}

const struct rule *fib_rule(const rules_t *rules, const struct fib_question *question,
			    const char *in, uint32_t table)
{
	list_each(rule, rules)
		if ((rule->refuses ? !table : rule->table == table) &&
		    rule->src.ip.family == question->dst.family &&
		    fits(&rule->src, &question->src) && fits(&rule->dst, &question->dst) &&
		    (question->mark & rule->mark_bits) == rule->mark && !rule->inverted &&
		    (!*rule->in || streq(rule->in, question->in ? in : "lo")))
			return rule;
	return NULL;
}
