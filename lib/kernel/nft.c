/*
 * nf_tables, the writing half: each function queues one message in the form that the nft program itself would
 * send, so that `nft list ruleset` prints our rules as a person would have typed them. nft_dump.c reads. What is
 * named nft_xt_ is in the form of the iptables-nft programs instead (bytes: iptables 1.8.9): extensions of xtables
 * wrapped in the expressions "match" and "target", which every release of theirs reads.
 *
 * Message and attribute layout: linux/netfilter/nf_tables.h. Numbers are big endian. Comments live in the user
 * data, a list of type, length, value with a NUL that counts; a comment's type is 0 for tables, chains and rules.
 */
#include "kernel/nft.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/x_tables.h>
#include <linux/netfilter/xt_comment.h>
#include <net/if.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <stdio.h>

#define UDATA_COMMENT 0

struct nft_rule {
	struct nl_msg *msg;
	struct nlattr *expressions;
	enum nft_family family;
	int nfproto; /* the address family that an inet rule is restricted to so far, 0 = none */
	bool xt;     /* holds extensions of xtables */
	char comment[NFT_COMMENT_MAX + 1];
};

struct expression {
	struct nlattr *element, *data;
};

static const char *family_name(enum nft_family family)
{
	switch (family) {
	case NFT_INET: return "inet";
	case NFT_IP: return "ip";
	case NFT_IP6: return "ip6";
	case NFT_BRIDGE: return "bridge";
	}
	return "?";
}

static struct nl_msg *queue(struct netlink *nl, int type, int flags, enum nft_family family,
			    const char *label)
{
	struct nfgenmsg header = { .nfgen_family = family, .version = NFNETLINK_V0 };

	return netlink_queue(nl, NFNL_SUBSYS_NFTABLES << 8 | type, flags, &header, sizeof(header),
			     "%s", label);
}

/* Says what is done to what: `create chain inet t postrouting`. */
static const char *label(char text[256], const char *verb, enum nft_family family,
			 const char *table, const char *name)
{
	snprintf(text, 256, "%s %s %.100s%s%.100s", verb, family_name(family), table,
		 name ? " " : "", name ? name : "");
	return text;
}

static void put_comment(struct nl_msg *msg, int type, const char *comment)
{
	uint8_t data[2 + NFT_COMMENT_MAX + 1] = { UDATA_COMMENT };
	size_t len;

	if (!comment || !*comment)
		return;
	len = strnlen(comment, NFT_COMMENT_MAX);
	data[1] = len + 1;
	memcpy(data + 2, comment, len);
	nla_put(msg, type, 2 + len + 1, data);
}

void nft_queue_table(struct netlink *nl, enum nft_family family, const char *table,
		     const char *comment)
{
	char text[256];
	struct nl_msg *msg = queue(nl, NFT_MSG_NEWTABLE, NLM_F_CREATE, family,
				   label(text, "create table", family, table, NULL));

	nla_put_string(msg, NFTA_TABLE_NAME, table);
	nla_put_u32(msg, NFTA_TABLE_FLAGS, 0);
	put_comment(msg, NFTA_TABLE_USERDATA, comment);
}

static void put_hook(struct nl_msg *msg, const struct nft_chain *chain)
{
	struct nlattr *nest;

	nla_put_string(msg, NFTA_CHAIN_TYPE, chain->type);
	nest = nla_nest_start(msg, NLA_F_NESTED | NFTA_CHAIN_HOOK);
	nla_put_u32(msg, NFTA_HOOK_HOOKNUM, htonl(chain->hook));
	nla_put_u32(msg, NFTA_HOOK_PRIORITY, htonl(chain->priority));
	nla_nest_end(msg, nest);
	if (chain->accept_policy)
		nla_put_u32(msg, NFTA_CHAIN_POLICY, htonl(NF_ACCEPT));
}

void nft_queue_chain(struct netlink *nl, enum nft_family family, const char *table,
		     const struct nft_chain *chain)
{
	char text[256];
	int flags = NLM_F_CREATE | (chain->must_be_new ? NLM_F_EXCL : 0);
	struct nl_msg *msg = queue(nl, NFT_MSG_NEWCHAIN, flags, family,
				   label(text, "create chain", family, table, chain->name));

	nla_put_string(msg, NFTA_CHAIN_TABLE, table);
	nla_put_string(msg, NFTA_CHAIN_NAME, chain->name);
	if (chain->type)
		put_hook(msg, chain);
	put_comment(msg, NFTA_CHAIN_USERDATA, chain->comment);
}

/* A rule deletion without a handle is for all rules of the chain. */
void nft_queue_flush_chain(struct netlink *nl, enum nft_family family, const char *table,
			   const char *chain)
{
	char text[256];
	struct nl_msg *msg = queue(nl, NFT_MSG_DELRULE, 0, family,
				   label(text, "flush chain", family, table, chain));

	nla_put_string(msg, NFTA_RULE_TABLE, table);
	nla_put_string(msg, NFTA_RULE_CHAIN, chain);
}

void nft_queue_del_chain(struct netlink *nl, enum nft_family family, const char *table,
			 const char *chain)
{
	char text[256];
	struct nl_msg *msg = queue(nl, NFT_MSG_DELCHAIN, 0, family,
				   label(text, "delete chain", family, table, chain));

	nla_put_string(msg, NFTA_CHAIN_TABLE, table);
	nla_put_string(msg, NFTA_CHAIN_NAME, chain);
}

void nft_queue_del_rule(struct netlink *nl, enum nft_family family, const char *table,
			const char *chain, uint64_t handle)
{
	char text[256];
	struct nl_msg *msg = queue(nl, NFT_MSG_DELRULE, 0, family,
				   label(text, "delete rule from chain", family, table, chain));

	nla_put_string(msg, NFTA_RULE_TABLE, table);
	nla_put_string(msg, NFTA_RULE_CHAIN, chain);
	nla_put_u64(msg, NFTA_RULE_HANDLE, htobe64(handle));
}

struct nft_rule *nft_rule_begin(struct netlink *nl, enum nft_family family, const char *table,
				const char *chain, const char *comment)
{
	char text[256];
	struct nft_rule *rule = xrealloc(NULL, sizeof(*rule));

	*rule = (struct nft_rule){ .family = family };
	snprintf(rule->comment, sizeof(rule->comment), "%s", comment ? comment : "");
	rule->msg = queue(nl, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, family,
			  label(text, "add rule to chain", family, table, chain));
	nla_put_string(rule->msg, NFTA_RULE_TABLE, table);
	nla_put_string(rule->msg, NFTA_RULE_CHAIN, chain);
	rule->expressions = nla_nest_start(rule->msg, NLA_F_NESTED | NFTA_RULE_EXPRESSIONS);
	return rule;
}

/* The protocol that the extensions may rely on: none. */
static void put_compat(struct nl_msg *msg)
{
	struct nlattr *nest = nla_nest_start(msg, NLA_F_NESTED | NFTA_RULE_COMPAT);

	nla_put_u32(msg, NFTA_RULE_COMPAT_PROTO, 0);
	nla_put_u32(msg, NFTA_RULE_COMPAT_FLAGS, 0);
	nla_nest_end(msg, nest);
}

void nft_rule_end(struct nft_rule *rule)
{
	nla_nest_end(rule->msg, rule->expressions);
	if (rule->xt)
		put_compat(rule->msg);
	put_comment(rule->msg, NFTA_RULE_USERDATA, rule->comment);
	free(rule);
}

static struct expression expression_begin(struct nft_rule *rule, const char *name)
{
	struct expression expression;

	expression.element = nla_nest_start(rule->msg, NLA_F_NESTED | NFTA_LIST_ELEM);
	nla_put_string(rule->msg, NFTA_EXPR_NAME, name);
	expression.data = nla_nest_start(rule->msg, NLA_F_NESTED | NFTA_EXPR_DATA);
	return expression;
}

static void expression_end(struct nft_rule *rule, const struct expression *expression)
{
	nla_nest_end_keep_empty(rule->msg, expression->data);
	nla_nest_end(rule->msg, expression->element);
}

static void put_value(struct nft_rule *rule, int type, const void *value, size_t size)
{
	struct nlattr *nest = nla_nest_start(rule->msg, NLA_F_NESTED | type);

	nla_put(rule->msg, NFTA_DATA_VALUE, size, value);
	nla_nest_end(rule->msg, nest);
}

static void load_meta(struct nft_rule *rule, uint32_t key)
{
	struct expression expression = expression_begin(rule, "meta");

	nla_put_u32(rule->msg, NFTA_META_KEY, htonl(key));
	nla_put_u32(rule->msg, NFTA_META_DREG, htonl(NFT_REG_1));
	expression_end(rule, &expression);
}

static void load_payload(struct nft_rule *rule, uint32_t base, uint32_t offset, uint32_t size)
{
	struct expression expression = expression_begin(rule, "payload");

	nla_put_u32(rule->msg, NFTA_PAYLOAD_DREG, htonl(NFT_REG_1));
	nla_put_u32(rule->msg, NFTA_PAYLOAD_BASE, htonl(base));
	nla_put_u32(rule->msg, NFTA_PAYLOAD_OFFSET, htonl(offset));
	nla_put_u32(rule->msg, NFTA_PAYLOAD_LEN, htonl(size));
	expression_end(rule, &expression);
}

static void mask(struct nft_rule *rule, const uint8_t *bits, uint32_t size)
{
	static const uint8_t zero[16];
	struct expression expression = expression_begin(rule, "bitwise");

	nla_put_u32(rule->msg, NFTA_BITWISE_SREG, htonl(NFT_REG_1));
	nla_put_u32(rule->msg, NFTA_BITWISE_DREG, htonl(NFT_REG_1));
	nla_put_u32(rule->msg, NFTA_BITWISE_LEN, htonl(size));
	put_value(rule, NFTA_BITWISE_MASK, bits, size);
	put_value(rule, NFTA_BITWISE_XOR, zero, size);
	expression_end(rule, &expression);
}

static void compare(struct nft_rule *rule, enum nft_op op, const void *value, size_t size)
{
	struct expression expression = expression_begin(rule, "cmp");

	nla_put_u32(rule->msg, NFTA_CMP_SREG, htonl(NFT_REG_1));
	nla_put_u32(rule->msg, NFTA_CMP_OP, htonl(op == NFT_IS ? NFT_CMP_EQ : NFT_CMP_NEQ));
	put_value(rule, NFTA_CMP_DATA, value, size);
	expression_end(rule, &expression);
}

/* An inet rule says once which protocol its address matches are about, before the first of them. */
static void match_nfproto(struct nft_rule *rule, int family)
{
	uint8_t nfproto = family == AF_INET ? NFPROTO_IPV4 : NFPROTO_IPV6;

	if (rule->family != NFT_INET || rule->nfproto == nfproto)
		return;
	load_meta(rule, NFT_META_NFPROTO);
	compare(rule, NFT_IS, &nfproto, 1);
	rule->nfproto = nfproto;
}

/* Whole bytes of prefix are loaded and compared as they are; only another prefix needs a mask. */
void nft_match_addr(struct nft_rule *rule, bool source, enum nft_op op, const struct cidr *cidr)
{
	static const struct {
		uint8_t source, destination;
	} v4 = { 12, 16 }, v6 = { 8, 24 };
	struct cidr network = cidr_network(cidr);
	bool is_v4 = network.ip.family == AF_INET;
	uint32_t offset = source ? (is_v4 ? v4.source : v6.source)
				 : (is_v4 ? v4.destination : v6.destination);
	uint8_t bits[16] = { 0 };
	uint32_t size = network.prefix / 8;

	match_nfproto(rule, network.ip.family);
	if (network.prefix % 8 == 0 && size > 0) {
		load_payload(rule, NFT_PAYLOAD_NETWORK_HEADER, offset, size);
		compare(rule, op, network.ip.bytes, size);
		return;
	}
	for (unsigned bit = 0; bit < network.prefix; bit++)
		bits[bit / 8] |= 0x80 >> bit % 8;
	size = ip_size(&network.ip);
	load_payload(rule, NFT_PAYLOAD_NETWORK_HEADER, offset, size);
	mask(rule, bits, size);
	compare(rule, op, network.ip.bytes, size);
}

void nft_match_iifname(struct nft_rule *rule, enum nft_op op, const char *name)
{
	char padded[IFNAMSIZ] = "";

	memcpy(padded, name, strnlen(name, sizeof(padded) - 1));
	load_meta(rule, NFT_META_IIFNAME);
	compare(rule, op, padded, sizeof(padded));
}

void nft_match_ether_source(struct nft_rule *rule, enum nft_op op, const struct mac *mac)
{
	load_payload(rule, NFT_PAYLOAD_LL_HEADER, 6, sizeof(mac->bytes));
	compare(rule, op, mac->bytes, sizeof(mac->bytes));
}

void nft_verdict(struct nft_rule *rule, enum nft_verdict verdict, const char *chain)
{
	struct expression expression = expression_begin(rule, "immediate");
	struct nlattr *data, *nest;

	nla_put_u32(rule->msg, NFTA_IMMEDIATE_DREG, htonl(NFT_REG_VERDICT));
	data = nla_nest_start(rule->msg, NLA_F_NESTED | NFTA_IMMEDIATE_DATA);
	nest = nla_nest_start(rule->msg, NLA_F_NESTED | NFTA_DATA_VERDICT);
	nla_put_u32(rule->msg, NFTA_VERDICT_CODE, htonl(verdict));
	if (verdict == NFT_VERDICT_JUMP || verdict == NFT_VERDICT_GOTO)
		nla_put_string(rule->msg, NFTA_VERDICT_CHAIN, chain);
	nla_nest_end(rule->msg, nest);
	nla_nest_end(rule->msg, data);
	expression_end(rule, &expression);
}

void nft_masquerade(struct nft_rule *rule)
{
	struct expression expression = expression_begin(rule, "masq");

	expression_end(rule, &expression);
}

/* NFTA_MATCH_* and NFTA_TARGET_* have the same numbers. */
static void put_extension(struct nft_rule *rule, const char *expression_name, const char *name,
			  const void *data, size_t size)
{
	struct expression expression = expression_begin(rule, expression_name);

	nla_put_string(rule->msg, NFTA_MATCH_NAME, name);
	nla_put_u32(rule->msg, NFTA_MATCH_REV, 0);
	nla_put(rule->msg, NFTA_MATCH_INFO, size, data);
	expression_end(rule, &expression);
	rule->xt = true;
}

void nft_xt_comment(struct nft_rule *rule, const char *comment)
{
	struct xt_comment_info info = { "" };

	memcpy(info.comment, comment, strnlen(comment, sizeof(info.comment) - 1));
	put_extension(rule, "match", "comment", &info, XT_ALIGN(sizeof(info)));
}

void nft_xt_masquerade(struct nft_rule *rule)
{
	union {
		struct nf_nat_ipv4_multi_range_compat v4;
		struct nf_nat_range v6;
		uint8_t bytes[XT_ALIGN(sizeof(struct nf_nat_range))];
	} info = { .bytes = { 0 } };

	if (rule->family == NFT_IP)
		info.v4.rangesize = 1;
	put_extension(rule, "target", "MASQUERADE", &info,
		      rule->family == NFT_IP ? XT_ALIGN(sizeof(info.v4)) : sizeof(info.bytes));
}

void nft_counter(struct nft_rule *rule)
{
	struct expression expression = expression_begin(rule, "counter");

	nla_put_u64(rule->msg, NFTA_COUNTER_BYTES, 0);
	nla_put_u64(rule->msg, NFTA_COUNTER_PACKETS, 0);
	expression_end(rule, &expression);
}
