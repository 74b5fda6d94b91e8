/* Routing rules: messages read back attribute by attribute, records of a dump. */
#include "fake_kernel.h"

#include <linux/fib_rules.h>

#include "kernel/rule.h"

static struct cidr cidr(const char *text)
{
	struct cidr cidr = { 0 };

	check(cidr_parse(text, &cidr));
	return cidr;
}

TEST(rule_messages)
{
	auto_fake struct fake fake = fake_open(NETLINK_ROUTE);
	struct rule rule = { .src = cidr("10.1.0.5/32"), .table = 100 };
	struct nlattr *attrs[FRA_MAX + 1];
	const struct nlmsghdr *message;
	const struct fib_rule_hdr *header;

	rule_queue_add(fake.nl, &rule);
	message = netlink_queued(fake.nl, 0);
	header = NLMSG_DATA(message);
	check_int(message->nlmsg_type, RTM_NEWRULE);
	check_int(message->nlmsg_flags, NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL);
	check_int(header->family, AF_INET);
	check_int(header->src_len, 32);
	check_int(header->dst_len, 0);
	check_int(header->table, 100);
	check_int(header->action, FR_ACT_TO_TBL);
	check_ok(netlink_parse(message, sizeof(*header), attrs, FRA_MAX, &fake.err), fake.err);
	check_int(nla_len(attrs[FRA_SRC]), 4);
	check(memcmp(nla_data(attrs[FRA_SRC]), "\x0a\x01\0\x05", 4) == 0);
	check(!attrs[FRA_DST] && !attrs[FRA_PRIORITY] && !attrs[FRA_PROTOCOL]);
	check_int(attr_u32(attrs[FRA_TABLE], 0), 100);
	check_str(netlink_label(fake.nl, 0), "add rule from 10.1.0.5/32 to table 100");

	rule = (struct rule){
		.src = cidr("fd01::/64"), .dst = cidr("fd02::/48"), .table = 1000, .priority = 7
	};
	rule_queue_del(fake.nl, &rule);
	message = netlink_queued(fake.nl, 1);
	header = NLMSG_DATA(message);
	check_int(message->nlmsg_type, RTM_DELRULE);
	check_int(message->nlmsg_flags, NLM_F_REQUEST);
	check_int(header->family, AF_INET6);
	check_int(header->table, RT_TABLE_UNSPEC);
	check_int(header->dst_len, 48);
	check_ok(netlink_parse(message, sizeof(*header), attrs, FRA_MAX, &fake.err), fake.err);
	check_int(nla_len(attrs[FRA_DST]), 16);
	check_int(attr_u32(attrs[FRA_TABLE], 0), 1000);
	check_int(attr_u32(attrs[FRA_PRIORITY], 0), 7);
	check_str(netlink_label(fake.nl, 1), "delete rule from fd01::/64 to table 1000");
}

struct record {
	struct fib_rule_hdr header;
	struct nlattr src;
	uint8_t ip[4];
	struct nlattr suppress;
	uint32_t suppressed;
	struct nlattr priority;
	uint32_t value;
	struct nlattr more; /* FRA_UNSPEC is not an attribute */
	uint32_t mark;
};

static const struct record plain = {
	.header = { .family = AF_INET, .src_len = 32, .table = 100, .action = FR_ACT_TO_TBL },
	.src = { 8, FRA_SRC },
	.ip = { 10, 1, 0, 5 },
	.suppress = { 8, FRA_SUPPRESS_PREFIXLEN },
	.suppressed = UINT32_MAX,
	.priority = { 8, FRA_PRIORITY },
	.value = 32765,
	.more = { 8, FRA_PROTOCOL },
};

/* What a rule with these changes looks like to us. */
static bool is_special(struct record record, size_t size)
{
	auto_fake struct fake fake = fake_open(NETLINK_ROUTE);
	auto_arena struct arena arena = { 0 };
	rules_t rules = { 0 };

	fake_reply(&fake, RTM_NEWRULE, NLM_F_MULTI, 2, &record, size);
	fake_reply(&fake, NLMSG_DONE, NLM_F_MULTI, 2, "\0\0\0", 4);
	check_ok(rule_list(fake.nl, AF_INET, &arena, &rules, &fake.err), fake.err);
	check_int(rules.n, 1);
	return rules.n == 1 && rules.items[0].special;
}

TEST(rule_list_tells_plain_rules_from_others)
{
	struct record record = plain;

	check(!is_special(record, sizeof(record)));
	record.more.nla_type = FRA_FWMARK;
	check(is_special(record, sizeof(record)));
	check(!is_special(record, offsetof(struct record, more)));
	record = plain;
	record.suppressed = 0;
	check(is_special(record, sizeof(record)));
	record = plain;
	record.header.flags = FIB_RULE_INVERT;
	check(is_special(record, sizeof(record)));
	record = plain;
	record.header.action = FR_ACT_BLACKHOLE;
	check(is_special(record, sizeof(record)));
	record = plain;
	record.header.tos = 4;
	check(is_special(record, sizeof(record)));
}

TEST(rule_list_reads_both_families)
{
	auto_fake struct fake fake = fake_open(NETLINK_ROUTE);
	auto_arena struct arena arena = { 0 };
	const struct fib_rule_hdr all = { .family = AF_INET6,
					  .table = 254,
					  .action = FR_ACT_TO_TBL };
	rules_t rules = { 0 };
	char text[CIDR_TEXT_SIZE];

	fake_reply(&fake, RTM_NEWRULE, NLM_F_MULTI, 2, &plain, sizeof(plain));
	fake_reply(&fake, NLMSG_DONE, NLM_F_MULTI, 2, "\0\0\0", 4);
	fake_reply(&fake, RTM_NEWRULE, NLM_F_MULTI, 4, &all, sizeof(all));
	fake_reply(&fake, NLMSG_DONE, NLM_F_MULTI, 4, "\0\0\0", 4);
	check_ok(rule_list(fake.nl, 0, &arena, &rules, &fake.err), fake.err);
	check_int(rules.n, 2);
	if (rules.n != 2)
		return;
	check_str(cidr_format(&rules.items[0].src, text), "10.1.0.5/32");
	check_int(rules.items[0].table, 100);
	check_int(rules.items[0].priority, 32765);
	check_str(cidr_format(&rules.items[1].src, text), "::/0");
	check_int(rules.items[1].table, 254);
	check_int(rules.items[1].priority, 0);
}
