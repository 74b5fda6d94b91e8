/*
 * nf_tables, rules as values: written with the expressions that nft itself would use, and read back. Between a set's
 * key and its look-up nothing else is loaded, so that a reader sees the key's fields in the registers.
 */
#include "kernel/nft_internal.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <limits.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "kernel/netlink_internal.h"
#include "kernel/nft_reader.h"
#include "kernel/nft_table.h"

/* ---- writing ---- */

static void put_types(struct nft_rule *rule, const struct ports *types)
{
	const uint8_t first = (uint8_t)types->first, last = (uint8_t)types->last;

	nft_load_payload(rule, NFT_PAYLOAD_TRANSPORT_HEADER, 0, 1);
	nft_compare_by(rule, NFT_CMP_GTE, &first, 1);
	nft_compare_by(rule, NFT_CMP_LTE, &last, 1);
}

static void put_limit(struct nft_rule *rule, const struct nft_line *line)
{
	struct expression expression = nft_expression_begin(rule, "limit");

	nla_put_u64(rule->msg, NFTA_LIMIT_RATE, htobe64(line->rate));
	nla_put_u64(rule->msg, NFTA_LIMIT_UNIT, htobe64(1)); /* second */
	nla_put_u32(rule->msg, NFTA_LIMIT_BURST, htonl(line->burst));
	nla_put_u32(rule->msg, NFTA_LIMIT_TYPE, htonl(NFT_LIMIT_PKTS));
	nla_put_u32(rule->msg, NFTA_LIMIT_FLAGS, 0);
	nft_expression_end(rule, &expression);
}

static void put_log(struct nft_rule *rule, const struct nft_line *line)
{
	struct expression expression = nft_expression_begin(rule, "log");

	nla_put_u16(rule->msg, NFTA_LOG_GROUP, htons(line->log));
	nla_put_string(rule->msg, NFTA_LOG_PREFIX, line->prefix);
	nft_expression_end(rule, &expression);
}

static void put_counter(struct nft_rule *rule, const struct nft_line *line)
{
	struct expression expression;

	if (!*line->counter) {
		nft_counter(rule);
		return;
	}
	expression = nft_expression_begin(rule, "objref");
	nla_put_u32(rule->msg, NFTA_OBJREF_IMM_TYPE, htonl(NFT_OBJECT_COUNTER));
	nla_put_string(rule->msg, NFTA_OBJREF_IMM_NAME, line->counter);
	nft_expression_end(rule, &expression);
}

static void put_refusal(struct nft_rule *rule, enum nft_refusal refusal)
{
	bool reset = refusal == NFT_REFUSE_RESET;
	struct expression expression = nft_expression_begin(rule, "reject");

	nla_put_u32(rule->msg, NFTA_REJECT_TYPE,
		    htonl(reset ? NFT_REJECT_TCP_RST : NFT_REJECT_ICMPX_UNREACH));
	nla_put_u8(rule->msg, NFTA_REJECT_ICMP_CODE, reset ? 0 : NFT_REJECT_ICMPX_ADMIN_PROHIBITED);
	nft_expression_end(rule, &expression);
}

static void put_set(struct nft_rule *rule, enum nft_family only, const struct nft_line_set *from)
{
	struct nft_set set = { .name = from->name, .addresses = only };

	memcpy(set.key, from->key, sizeof(set.key));
	if (from->map)
		nft_verdict_map(rule, &set);
	else
		nft_match_set(rule, from->inverted ? NFT_IS_NOT : NFT_IS, &set);
}

static void put_matches(struct nft_rule *rule, const struct nft_line *line)
{
	if (line->only)
		nft_match_nfproto(rule, line->only == NFT_IP ? AF_INET : AF_INET6);
	if (line->states)
		nft_match_state(rule, line->states);
	if (line->source.ip.family)
		nft_match_addr(rule, true, NFT_IS, &line->source);
	if (line->destination.ip.family)
		nft_match_addr(rule, false, NFT_IS, &line->destination);
	if (line->protocol)
		nft_match_protocol(rule, NFT_IS, line->protocol);
	if (line->ports.last)
		nft_match_port(rule, &line->ports);
	if (line->types.last)
		put_types(rule, &line->types);
	for (unsigned i = 0; i < line->n_sets; i++)
		put_set(rule, line->only, &line->sets[i]);
}

void nft_queue_line(struct netlink *nl, enum nft_family family, const char *table,
		    const struct nft_line *line)
{
	struct nft_rule *rule = nft_rule_begin(nl, family, table, line->chain, line->comment);

	put_matches(rule, line);
	if (line->rate)
		put_limit(rule, line);
	if (line->log)
		put_log(rule, line);
	if (line->counted)
		put_counter(rule, line);
	if (line->refusal)
		put_refusal(rule, line->refusal);
	else if (line->verdict != INT_MAX)
		nft_verdict(rule, (enum nft_verdict)line->verdict, line->target);
	nft_rule_end(rule);
}

static bool same_set(const struct nft_line_set *a, const struct nft_line_set *b)
{
	return streq(a->name, b->name) && !memcmp(a->key, b->key, sizeof(a->key)) &&
	       a->inverted == b->inverted && a->map == b->map;
}

static bool same_ports(const struct ports *a, const struct ports *b)
{
	return a->first == b->first && a->last == b->last;
}

static bool same_cidr(const struct cidr *a, const struct cidr *b)
{
	return a->ip.family == b->ip.family && (!a->ip.family || cidr_equal(a, b));
}

bool nft_line_equal(const struct nft_line *a, const struct nft_line *b)
{
	if (a->n_sets != b->n_sets)
		return false;
	for (unsigned i = 0; i < a->n_sets; i++)
		if (!same_set(&a->sets[i], &b->sets[i]))
			return false;
	return a->unknown == b->unknown && a->only == b->only && a->states == b->states &&
	       same_cidr(&a->source, &b->source) && same_cidr(&a->destination, &b->destination) &&
	       a->protocol == b->protocol && same_ports(&a->ports, &b->ports) &&
	       same_ports(&a->types, &b->types) && a->rate == b->rate && a->burst == b->burst &&
	       a->log == b->log && a->counted == b->counted && a->refusal == b->refusal &&
	       a->verdict == b->verdict && streq(a->chain, b->chain) &&
	       streq(a->comment, b->comment) && streq(a->prefix, b->prefix) &&
	       streq(a->counter, b->counter) && streq(a->target, b->target);
}

/* ---- reading ---- */

struct lines_dump {
	struct arena *arena;
	nft_lines_t *lines;
};

/* What a rule of the plugins may have and a line has not. */
static bool has_more(const struct nft_rule_info *info)
{
	return info->unknown || info->masquerade || info->in.name[0] || info->out.name[0] ||
	       info->not_protocol || info->n_ports > 1 || info->local || info->mark_bits ||
	       info->set_bits || info->to.family || info->from.family ||
	       info->source.op != NFT_IS || info->destination.op != NFT_IS;
}

static void read_line(struct arena *arena, struct nlattr *list, int family, struct nft_line *line)
{
	struct nft_rule_info info = { .comment = "", .target = "", .verdict = INT_MAX };

	nft_read_expressions(arena, list, family, &info, line);
	line->states = info.states;
	line->source = info.source.cidr;
	line->destination = info.destination.cidr;
	line->protocol = info.protocol;
	if (info.n_ports == 1)
		line->ports = info.ports[0];
	line->verdict = info.verdict;
	line->target = info.target;
	line->unknown = has_more(&info);
}

static int read_rule(const struct nlmsghdr *reply, void *arg, struct error *err)
{
	struct lines_dump *dump = arg;
	struct nlattr *tb[NFTA_RULE_MAX + 1];
	struct nft_line *line;

	if (reply->nlmsg_type != (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWRULE))
		return 0;
	if (nlmsg_parse((struct nlmsghdr *)reply, sizeof(struct nfgenmsg), tb, NFTA_RULE_MAX,
			NULL) < 0 ||
	    !tb[NFTA_RULE_HANDLE] || nla_len(tb[NFTA_RULE_HANDLE]) < 8 || !tb[NFTA_RULE_CHAIN])
		return fail(err, EPROTO, "malformed rule from the kernel");
	line = list_add(dump->arena, dump->lines);
	*line = (struct nft_line){
		.chain = nft_text(dump->arena, tb[NFTA_RULE_CHAIN]),
		.comment = "",
		.prefix = "",
		.counter = "",
		.target = "",
		.verdict = INT_MAX,
		.handle = be64toh(nla_get_u64(tb[NFTA_RULE_HANDLE])),
	};
	if (tb[NFTA_RULE_USERDATA])
		line->comment = nft_comment_of(dump->arena, tb[NFTA_RULE_USERDATA]);
	if (tb[NFTA_RULE_EXPRESSIONS])
		read_line(dump->arena, tb[NFTA_RULE_EXPRESSIONS],
			  ((const struct nfgenmsg *)NLMSG_DATA(reply))->nfgen_family, line);
	return 0;
}

int nft_lines(struct netlink *nl, enum nft_family family, const char *table, struct arena *arena,
	      nft_lines_t *lines, struct error *err)
{
	char text[256];
	struct lines_dump dump = { arena, lines };
	struct nl_msg *msg =
		nft_message(nl, NFT_MSG_GETRULE, 0, family,
			    nft_label(text, "list rules of table", family, table, NULL));

	nla_put_string(msg, NFTA_RULE_TABLE, table);
	netlink_tolerate(nl, ENOENT);
	lines->n = 0;
	return netlink_dump(nl, read_rule, &dump, err);
}
