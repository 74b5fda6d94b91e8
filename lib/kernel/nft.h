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

enum nft_family {
	NFT_INET = 1,
	NFT_IP = 2,
	NFT_ARP = 3,
	NFT_NETDEV = 5,
	NFT_BRIDGE = 7,
	NFT_IP6 = 10
}; /* NFPROTO_* */
/* As the program nft has it: "inet". */
const char *nft_family_name(enum nft_family family);
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

/* Bits of connection states, as nf_tables and xtables have them. */
enum nft_state {
	NFT_STATE_INVALID = 1 << 0,
	NFT_STATE_ESTABLISHED = 1 << 1,
	NFT_STATE_RELATED = 1 << 2,
	NFT_STATE_NEW = 1 << 3
};
struct nft_set; /* kernel/nft_set.h */

/* Creating what exists already is fine; deleting a chain takes its rules along, deleting a table all that is in it. */
void nft_queue_table(struct netlink *nl, enum nft_family family, const char *table,
		     const char *comment);
void nft_queue_del_table(struct netlink *nl, enum nft_family family, const char *table);
void nft_queue_chain(struct netlink *nl, enum nft_family family, const char *table,
		     const struct nft_chain *chain);
void nft_queue_flush_chain(struct netlink *nl, enum nft_family family, const char *table,
			   const char *chain);
void nft_queue_del_chain(struct netlink *nl, enum nft_family family, const char *table,
			 const char *chain);
void nft_queue_del_rule(struct netlink *nl, enum nft_family family, const char *table,
			const char *chain, uint64_t handle);

/* nft_rule_begin() .. expressions in order .. nft_rule_end() queue one rule appended to the chain, or put before all
 * others (insert). */
struct nft_rule;
struct nft_rule *nft_rule_begin(struct netlink *nl, enum nft_family family, const char *table,
				const char *chain, const char *comment);
struct nft_rule *nft_rule_insert(struct netlink *nl, enum nft_family family, const char *table,
				 const char *chain, const char *comment);
void nft_match_addr(struct nft_rule *rule, bool source, enum nft_op op, const struct cidr *cidr);
void nft_match_interface(struct nft_rule *rule, bool in, enum nft_op op, const char *name);
void nft_match_ether_source(struct nft_rule *rule, enum nft_op op, const struct mac *mac);
void nft_match_protocol(struct nft_rule *rule, enum nft_op op, uint8_t protocol);
void nft_match_port(struct nft_rule *rule,
		    const struct ports *ports); /* destination; behind a protocol */
void nft_match_local(struct nft_rule *rule);    /* the destination is an address of this host */
void nft_match_state(struct nft_rule *rule, unsigned states); /* one of NFT_STATE_* */
void nft_match_translated(struct nft_rule *rule); /* of a connection whose destination was */
void nft_match_mark(struct nft_rule *rule, uint32_t value, uint32_t bits);
void nft_match_set(struct nft_rule *rule, enum nft_op op, const struct nft_set *set);
void nft_verdict(struct nft_rule *rule, enum nft_verdict verdict,
		 const char *chain); /* chain: of JUMP, GOTO */
void nft_verdict_map(struct nft_rule *rule, const struct nft_set *map);
void nft_masquerade(struct nft_rule *rule, bool fully_random);
/* ports 0 = kept. A packet's protocol must have been matched when a port is given, or be part of the map's key. */
void nft_dnat(struct nft_rule *rule, const struct ip *to, const struct ports *ports);
void nft_dnat_map(struct nft_rule *rule, const struct nft_set *map);
void nft_set_mark(struct nft_rule *rule, uint32_t value, uint32_t bits);
void nft_counter(struct nft_rule *rule);
/* As the iptables-nft programs write it: xtables extensions wrapped in expressions. Comment: cut at 255 bytes.
 * base: the port that the first of ports stands for, 0 = none. */
void nft_xt_rule(struct nft_rule *rule); /* one of these; say so first */
void nft_xt_interface(struct nft_rule *rule, bool in, enum nft_op op, const char *name);
void nft_xt_comment(struct nft_rule *rule, const char *comment);
void nft_xt_port(struct nft_rule *rule, const struct ports *ports);
void nft_xt_multiport(struct nft_rule *rule, const struct ports *ports, size_t n);
void nft_xt_local(struct nft_rule *rule);
void nft_xt_state(struct nft_rule *rule, unsigned states);
void nft_xt_set_mark(struct nft_rule *rule, uint32_t value, uint32_t bits);
void nft_xt_masquerade(struct nft_rule *rule, bool fully_random);
void nft_xt_dnat(struct nft_rule *rule, const struct ip *to, const struct ports *ports,
		 uint16_t base);
void nft_rule_end(struct nft_rule *rule);

/* A session in the current namespace; -EOPNOTSUPP when this kernel has no nf_tables. */
int nft_open(struct netlink **nl, struct error *err) must_check;

#endif
