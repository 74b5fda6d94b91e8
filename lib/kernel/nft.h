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

#define NFT_COMMENT_MAX 128 /* bytes that the nft program accepts in a rule's comment */

enum nft_family { NFT_INET = 1, NFT_IP = 2, NFT_BRIDGE = 7, NFT_IP6 = 10 }; /* NFPROTO_* */
enum nft_hook { NFT_PREROUTING, NFT_INPUT, NFT_FORWARD, NFT_OUTPUT, NFT_POSTROUTING };
enum nft_op { NFT_IS, NFT_IS_NOT };
enum nft_verdict {
	NFT_VERDICT_DROP = 0,
	NFT_VERDICT_ACCEPT = 1,
	NFT_VERDICT_JUMP = -3,
	NFT_VERDICT_GOTO = -4,
	NFT_VERDICT_RETURN = -5
};

struct nft_chain {
	const char *name;
	const char *comment; /* NULL = none */
	const char *type;    /* "nat", "filter"; NULL = not a base chain */
	enum nft_hook hook;
	int priority;
	bool accept_policy; /* say "policy accept" */
	bool must_be_new;   /* -EEXIST where it is there already */
};

/* Creating what exists already is fine; deleting a chain takes its rules along. */
void nft_queue_table(struct netlink *nl, enum nft_family family, const char *table,
		     const char *comment);
void nft_queue_chain(struct netlink *nl, enum nft_family family, const char *table,
		     const struct nft_chain *chain);
void nft_queue_flush_chain(struct netlink *nl, enum nft_family family, const char *table,
			   const char *chain);
void nft_queue_del_chain(struct netlink *nl, enum nft_family family, const char *table,
			 const char *chain);
void nft_queue_del_rule(struct netlink *nl, enum nft_family family, const char *table,
			const char *chain, uint64_t handle);

/* nft_rule_begin() .. expressions in order .. nft_rule_end() queue one rule appended to the chain. */
struct nft_rule;
struct nft_rule *nft_rule_begin(struct netlink *nl, enum nft_family family, const char *table,
				const char *chain, const char *comment);
void nft_match_addr(struct nft_rule *rule, bool source, enum nft_op op, const struct cidr *cidr);
void nft_match_iifname(struct nft_rule *rule, enum nft_op op, const char *name);
void nft_match_ether_source(struct nft_rule *rule, enum nft_op op, const struct mac *mac);
void nft_verdict(struct nft_rule *rule, enum nft_verdict verdict,
		 const char *chain); /* chain: of JUMP, GOTO */
void nft_masquerade(struct nft_rule *rule);
/* As the iptables-nft programs write it: xtables extensions wrapped in expressions. Comment: cut at 255 bytes. */
void nft_xt_comment(struct nft_rule *rule, const char *comment);
void nft_xt_masquerade(struct nft_rule *rule);
void nft_counter(struct nft_rule *rule);
void nft_rule_end(struct nft_rule *rule);

/* A rule that is there, as far as we understand it; rules that the iptables-nft programs made are read alike. */
struct nft_addr_match {
	struct cidr cidr;
	enum nft_op op;
}; /* cidr.ip not set = no such match */
struct nft_rule_info {
	uint64_t handle;
	const char *comment; /* "" = none */
	const char *target;  /* chain of its jump or goto, "" = none */
	int verdict;         /* enum nft_verdict, INT_MAX = none */
	bool masquerade;
	struct nft_addr_match source, destination;
	char in_interface[16]; /* "" = no such match */
};
typedef LIST(struct nft_rule_info) nft_rules_t;
/* A missing table or chain has no rules (the kernel's dump does not tell the difference). */
int nft_rules(struct netlink *nl, enum nft_family family, const char *table, const char *chain,
	      struct arena *arena, nft_rules_t *rules, struct error *err) must_check;
/* Queue a look-up: *found is set to whether the chain is there when committed (look-ups only in that commit). */
void nft_queue_find_chain(struct netlink *nl, enum nft_family family, const char *table,
			  const char *chain, bool *found);
/* The same, and where the chain is hooked in. */
struct nft_chain_info {
	bool found;
	char type[16]; /* "" = not a base chain */
	int hook, priority;
};
void nft_queue_get_chain(struct netlink *nl, enum nft_family family, const char *table,
			 const char *chain, struct nft_chain_info *info);
typedef LIST(const char *) nft_names_t;
int nft_chains(struct netlink *nl, enum nft_family family, const char *table, struct arena *arena,
	       nft_names_t *names, struct error *err) must_check;
/* A session in the current namespace; -EOPNOTSUPP when this kernel has no nf_tables. */
int nft_open(struct netlink **nl, struct error *err) must_check;

#endif
