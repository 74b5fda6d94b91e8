/*
 * nf_tables over netlink: tables, chains, rules with their expressions, rule comments. A session of protocol
 * NETLINK_NETFILTER commits as one transaction. The encoding is ours (libnl for attributes): libnftnl has no
 * static archive of the library it needs (libmnl), would add a shared library to the start of every CNI call,
 * and builds into its own buffers rather than our labelled batch.
 */
#ifndef KERNEL_NFT_H
#define KERNEL_NFT_H

#include "base/ip.h"
#include "kernel/netlink.h"

enum nft_family { NFT_INET = 1, NFT_IP = 2, NFT_BRIDGE = 7, NFT_IP6 = 10 };    /* NFPROTO_* */

struct nft_chain {
	const char *name;
	const char *comment;         /* NULL = none */
	const char *type;            /* "nat", "filter"; NULL = not a base chain */
	int         hook;            /* NF_INET_* or NF_BR_* */
	int         priority;
	bool        accept_policy;   /* say "policy accept" */
};

/* Expressions are appended to the rule's message in order. */
struct nft_rule;
void nft_queue_table(struct netlink *nl, enum nft_family family, const char *table, const char *comment);
void nft_queue_chain(struct netlink *nl, enum nft_family family, const char *table, const struct nft_chain *chain,
		     bool exclusive);
void nft_queue_flush_chain(struct netlink *nl, enum nft_family family, const char *table, const char *chain);
void nft_queue_del_chain(struct netlink *nl, enum nft_family family, const char *table, const char *chain);
void nft_queue_del_rule(struct netlink *nl, enum nft_family family, const char *table, const char *chain,
			uint64_t handle);

enum nft_op { NFT_IS, NFT_IS_NOT };      /* values of NFT_CMP_EQ, NFT_CMP_NEQ */
enum nft_hook { NFT_PREROUTING = 0, NFT_INPUT = 1, NFT_FORWARD = 2, NFT_OUTPUT = 3, NFT_POSTROUTING = 4 };

/* nft_rule_begin() .. expressions .. nft_rule_end() queue one rule appended to the chain. */
struct nft_rule *nft_rule_begin(struct netlink *nl, enum nft_family family, const char *table, const char *chain,
				const char *comment);
void nft_match_nfproto(struct nft_rule *rule, int family);                        /* AF_INET, AF_INET6 (inet tables) */
void nft_match_addr(struct nft_rule *rule, bool source, enum nft_op op, const struct cidr *cidr);
void nft_match_iifname(struct nft_rule *rule, enum nft_op op, const char *name);
void nft_match_ether_source(struct nft_rule *rule, enum nft_op op, const struct mac *mac);
void nft_verdict(struct nft_rule *rule, int verdict, const char *chain);          /* NFT_VERDICT_* below */
void nft_masquerade(struct nft_rule *rule);
void nft_rule_end(struct nft_rule *rule);
enum { NFT_VERDICT_DROP = 0, NFT_VERDICT_ACCEPT = 1, NFT_VERDICT_JUMP = -3, NFT_VERDICT_GOTO = -4, NFT_VERDICT_RETURN = -5 };

/* What is there. A missing table or chain gives -ENOENT. */
struct nft_rule_info {
	uint64_t    handle;
	const char *comment;         /* "" = none */
	const char *target;          /* chain of its jump or goto, "" = none */
	uint64_t    position;
};
typedef LIST(struct nft_rule_info) nft_rules_t;
int nft_rules(struct netlink *nl, enum nft_family family, const char *table, const char *chain, struct arena *arena,
	      nft_rules_t *rules, struct error *err) must_check;
int nft_chain_exists(struct netlink *nl, enum nft_family family, const char *table, const char *chain,
		     struct error *err) must_check;   /* 1, 0 or -errno */
typedef LIST(const char *) nft_names_t;
int nft_chains(struct netlink *nl, enum nft_family family, const char *table, struct arena *arena, nft_names_t *names,
	       struct error *err) must_check;

#endif
