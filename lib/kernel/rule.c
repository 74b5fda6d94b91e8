/* Policy routing rules: RTM_NEWRULE, RTM_DELRULE and their dump. */
#include "kernel/rule.h"

#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>

#include "kernel/netlink_internal.h"

struct listing {
	struct arena *arena;
	rules_t *rules;
	int family;
};

static void put_address(struct nl_msg *msg, int type, const struct cidr *cidr)
{
	if (cidr->prefix)
		nla_put(msg, type, (int)ip_size(&cidr->ip), cidr->ip.bytes);
}

static void queue(struct netlink *nl, int type, int flags, const struct rule *rule,
		  const char *verb)
{
	struct fib_rule_hdr header = {
		.family = rule->src.ip.family,
		.src_len = rule->src.prefix,
		.dst_len = rule->dst.prefix,
		.table = rule->table < 256 ? (uint8_t)rule->table : RT_TABLE_UNSPEC,
		.action = FR_ACT_TO_TBL,
	};
	char src[CIDR_TEXT_SIZE];
	struct nl_msg *msg = netlink_queue(
		nl, type, flags, &header, sizeof(header), "%s rule from %s to table %u", verb,
		rule->src.prefix ? cidr_format(&rule->src, src) : "all", rule->table);

	put_address(msg, FRA_SRC, &rule->src);
	put_address(msg, FRA_DST, &rule->dst);
	nla_put_u32(msg, FRA_TABLE, rule->table);
	if (rule->priority)
		nla_put_u32(msg, FRA_PRIORITY, rule->priority);
}

void rule_queue_add(struct netlink *nl, const struct rule *rule)
{
	queue(nl, RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, rule, "add");
}

void rule_queue_del(struct netlink *nl, const struct rule *rule)
{
	queue(nl, RTM_DELRULE, 0, rule, "delete");
}

static struct cidr read_address(int family, const struct nlattr *attr, uint8_t prefix)
{
	static const uint8_t none[16];
	int size = family == AF_INET ? 4 : 16;

	if (!attr || nla_len(attr) < size)
		return (struct cidr){ .ip = ip_make(family, none) };
	return (struct cidr){ ip_make(family, nla_data(attr)), prefix };
}

/* Every other attribute narrows the rule or makes it do something else. */
static bool is_special(const struct fib_rule_hdr *header, struct nlattr **attrs)
{
	static const int plain[] = { FRA_SRC, FRA_DST, FRA_TABLE, FRA_PRIORITY, FRA_PROTOCOL };
	bool special = header->action != FR_ACT_TO_TBL || header->tos ||
		       header->flags & FIB_RULE_INVERT ||
		       attr_u32(attrs[FRA_SUPPRESS_PREFIXLEN], UINT32_MAX) != UINT32_MAX;

	attrs[FRA_SUPPRESS_PREFIXLEN] = NULL;
	for (size_t i = 0; i < ARRAY_SIZE(plain); i++)
		attrs[plain[i]] = NULL;
	for (int type = 0; type <= FRA_MAX; type++)
		special |= attrs[type] != NULL;
	return special;
}

_Static_assert(FR_ACT_BLACKHOLE == ROUTE_BLACKHOLE && FR_ACT_PROHIBIT == ROUTE_PROHIBIT,
	       "rules and routes number their refusals alike");

static int read_rule(const struct nlmsghdr *reply, void *arg, struct error *err)
{
	const struct listing *listing = arg;
	const struct fib_rule_hdr *header = NLMSG_DATA(reply);
	struct nlattr *attrs[FRA_MAX + 1];
	struct rule rule;
	int r;

	if (reply->nlmsg_type != RTM_NEWRULE)
		return 0;
	r = netlink_parse(reply, sizeof(*header), attrs, FRA_MAX, err);
	if (r < 0 || header->family != listing->family)
		return r;
	rule = (struct rule){
		.src = read_address(header->family, attrs[FRA_SRC], header->src_len),
		.dst = read_address(header->family, attrs[FRA_DST], header->dst_len),
		.table = attr_u32(attrs[FRA_TABLE], header->table),
		.priority = attr_u32(attrs[FRA_PRIORITY], 0),
		.refuses = header->action >= FR_ACT_BLACKHOLE && header->action <= FR_ACT_PROHIBIT
				   ? header->action
				   : 0,
		.by_vrf = attr_u8(attrs[FRA_L3MDEV], 0),
		.inverted = header->flags & FIB_RULE_INVERT,
		.mark = attr_u32(attrs[FRA_FWMARK], 0),
		.mark_bits = attrs[FRA_FWMARK] ? attr_u32(attrs[FRA_FWMASK], UINT32_MAX) : 0,
	};
	attr_text(attrs[FRA_IIFNAME], rule.in, sizeof(rule.in));
	rule.special = is_special(header, attrs);
	*list_add(listing->arena, listing->rules) = rule;
	return 0;
}

int rule_list(struct netlink *nl, int family, struct arena *arena, rules_t *rules,
	      struct error *err)
{
	static const int families[] = { AF_INET, AF_INET6 };

	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		struct fib_rule_hdr header = { .family = (uint8_t)families[i] };
		struct listing listing = { arena, rules, families[i] };
		int r;

		if (family && family != families[i])
			continue;
		netlink_queue(nl, RTM_GETRULE, 0, &header, sizeof(header), "list routing rules");
		r = netlink_dump(nl, read_rule, &listing, err);
		if (r < 0)
			return r;
	}
	return 0;
}

bool table_used(uint32_t table, const rules_t *rules, const routes_t *routes)
{
	list_each(rule, rules)
		if (rule->table == table)
			return true;
	list_each(route, routes)
		if (route->table == table)
			return true;
	return table >= ROUTE_TABLE_DEFAULT && table <= ROUTE_TABLE_LOCAL;
}
