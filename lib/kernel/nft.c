/*
 * nf_tables, the writing half: each function queues one message in the form that the nft program itself would
 * send, so that `nft list ruleset` prints our rules as a person would have typed them. What stands in a rule is in
 * nft_expr.c and, in the form of the iptables-nft programs, in nft_xt.c; nft_set.c has sets; nft_dump.c reads.
 *
 * Message and attribute layout: linux/netfilter/nf_tables.h. Numbers are big endian. Comments live in the user
 * data, a list of type, length, value with a NUL that counts; a comment's type is 0 for tables, chains and rules.
 */
#include "kernel/nft_internal.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdio.h>

const char *nft_family_name(enum nft_family family)
{
	switch (family) {
	case NFT_INET: return "inet";
	case NFT_IP: return "ip";
	case NFT_IP6: return "ip6";
	case NFT_ARP: return "arp";
	case NFT_NETDEV: return "netdev";
	case NFT_BRIDGE: return "bridge";
	}
	return "?";
}

struct nl_msg *nft_message(struct netlink *nl, int type, int flags, enum nft_family family,
			   const char *label)
{
	struct nfgenmsg header = { .nfgen_family = family, .version = NFNETLINK_V0 };

	return netlink_queue(nl, NFNL_SUBSYS_NFTABLES << 8 | type, flags, &header, sizeof(header),
			     "%s", label);
}

const char *nft_label(char text[256], const char *verb, enum nft_family family, const char *table,
		      const char *name)
{
	snprintf(text, 256, "%s %s %.100s%s%.100s", verb, nft_family_name(family), table,
		 name ? " " : "", name ? name : "");
	return text;
}

void nft_put_comment(struct nl_msg *msg, int type, const char *comment)
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
	struct nl_msg *msg = nft_message(nl, NFT_MSG_NEWTABLE, NLM_F_CREATE, family,
					 nft_label(text, "create table", family, table, NULL));

	nla_put_string(msg, NFTA_TABLE_NAME, table);
	nla_put_u32(msg, NFTA_TABLE_FLAGS, 0);
	nft_put_comment(msg, NFTA_TABLE_USERDATA, comment);
}

void nft_queue_del_table(struct netlink *nl, enum nft_family family, const char *table)
{
	char text[256];
	struct nl_msg *msg = nft_message(nl, NFT_MSG_DELTABLE, 0, family,
					 nft_label(text, "delete table", family, table, NULL));

	nla_put_string(msg, NFTA_TABLE_NAME, table);
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
	struct nl_msg *msg =
		nft_message(nl, NFT_MSG_NEWCHAIN, flags, family,
			    nft_label(text, "create chain", family, table, chain->name));

	nla_put_string(msg, NFTA_CHAIN_TABLE, table);
	nla_put_string(msg, NFTA_CHAIN_NAME, chain->name);
	if (chain->type)
		put_hook(msg, chain);
	nft_put_comment(msg, NFTA_CHAIN_USERDATA, chain->comment);
}

/* A rule deletion without a handle is for all rules of the chain. */
void nft_queue_flush_chain(struct netlink *nl, enum nft_family family, const char *table,
			   const char *chain)
{
	char text[256];
	struct nl_msg *msg = nft_message(nl, NFT_MSG_DELRULE, 0, family,
					 nft_label(text, "flush chain", family, table, chain));

	nla_put_string(msg, NFTA_RULE_TABLE, table);
	nla_put_string(msg, NFTA_RULE_CHAIN, chain);
}

void nft_queue_del_chain(struct netlink *nl, enum nft_family family, const char *table,
			 const char *chain)
{
	char text[256];
	struct nl_msg *msg = nft_message(nl, NFT_MSG_DELCHAIN, 0, family,
					 nft_label(text, "delete chain", family, table, chain));

	nla_put_string(msg, NFTA_CHAIN_TABLE, table);
	nla_put_string(msg, NFTA_CHAIN_NAME, chain);
}

void nft_queue_del_rule(struct netlink *nl, enum nft_family family, const char *table,
			const char *chain, uint64_t handle)
{
	char text[256];
	struct nl_msg *msg =
		nft_message(nl, NFT_MSG_DELRULE, 0, family,
			    nft_label(text, "delete rule from chain", family, table, chain));

	nla_put_string(msg, NFTA_RULE_TABLE, table);
	nla_put_string(msg, NFTA_RULE_CHAIN, chain);
	nla_put_u64(msg, NFTA_RULE_HANDLE, htobe64(handle));
}

/* A rule is put before all others where it is not said to be appended. */
static struct nft_rule *rule_begin(struct netlink *nl, int flags, enum nft_family family,
				   const char *table, const char *chain, const char *comment)
{
	char text[256];
	struct nft_rule *rule = xrealloc(NULL, sizeof(*rule));

	*rule = (struct nft_rule){ .family = family };
	snprintf(rule->comment, sizeof(rule->comment), "%s", comment ? comment : "");
	rule->msg = nft_message(nl, NFT_MSG_NEWRULE, NLM_F_CREATE | flags, family,
				nft_label(text, "add rule to chain", family, table, chain));
	nla_put_string(rule->msg, NFTA_RULE_TABLE, table);
	nla_put_string(rule->msg, NFTA_RULE_CHAIN, chain);
	rule->expressions = nla_nest_start(rule->msg, NLA_F_NESTED | NFTA_RULE_EXPRESSIONS);
	return rule;
}

struct nft_rule *nft_rule_begin(struct netlink *nl, enum nft_family family, const char *table,
				const char *chain, const char *comment)
{
	return rule_begin(nl, NLM_F_APPEND, family, table, chain, comment);
}

struct nft_rule *nft_rule_insert(struct netlink *nl, enum nft_family family, const char *table,
				 const char *chain, const char *comment)
{
	return rule_begin(nl, 0, family, table, chain, comment);
}

/* The protocol that the extensions may rely on. */
static void put_compat(const struct nft_rule *rule)
{
	struct nlattr *nest = nla_nest_start(rule->msg, NLA_F_NESTED | NFTA_RULE_COMPAT);

	nla_put_u32(rule->msg, NFTA_RULE_COMPAT_PROTO, htonl(rule->protocol));
	nla_put_u32(rule->msg, NFTA_RULE_COMPAT_FLAGS,
		    htonl(rule->not_protocol ? NFT_RULE_COMPAT_F_INV : 0));
	nla_nest_end(rule->msg, nest);
}

void nft_rule_end(struct nft_rule *rule)
{
	nla_nest_end(rule->msg, rule->expressions);
	if (rule->xt)
		put_compat(rule);
	nft_put_comment(rule->msg, NFTA_RULE_USERDATA, rule->comment);
	free(rule);
}
