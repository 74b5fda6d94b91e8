/* What the files that write nf_tables messages share; nobody else includes it. */
#ifndef KERNEL_NFT_INTERNAL_H
#define KERNEL_NFT_INTERNAL_H

#include "kernel/nft_set.h"

#include <netlink/attr.h>
#include <netlink/msg.h>

#define UDATA_COMMENT     0 /* of tables, chains, rules, elements */
#define UDATA_SET_COMMENT 7 /* NFTNL_UDATA_SET_COMMENT */

struct nft_rule {
	struct nl_msg *msg;
	struct nlattr *expressions;
	enum nft_family family;
	int nfproto; /* the address family that an inet rule is restricted to so far, 0 = none */
	bool xt;     /* in the form of the iptables-nft programs */
	uint8_t protocol;  /* what they may rely on: the transport protocol, 0 = any */
	bool not_protocol; /* any but that one */
	char comment[NFT_COMMENT_MAX + 1];
};

/* Of the addresses in a set's key. */
static inline enum nft_family nft_set_family(enum nft_family family, const struct nft_set *set)
{
	return set->addresses ? set->addresses : family;
}

struct expression {
	struct nlattr *element, *data;
};

struct expression nft_expression_begin(struct nft_rule *rule, const char *name);
void nft_expression_end(struct nft_rule *rule, const struct expression *expression);
/* A value in an attribute of its own, as registers and elements take it. */
void nft_put_value(struct nl_msg *msg, int type, const void *value, size_t size);
void nft_put_verdict(struct nl_msg *msg, int type, enum nft_verdict verdict, const char *chain);
/* Load into register 1, compare it. */
void nft_load_meta(struct nft_rule *rule, uint32_t key);
void nft_load_payload(struct nft_rule *rule, uint32_t base, uint32_t offset, uint32_t size);
void nft_compare_by(struct nft_rule *rule, uint32_t op, const void *value, size_t size);
void nft_match_nfproto(struct nft_rule *rule, int family); /* AF_*; once in a rule */
void nft_compare(struct nft_rule *rule, enum nft_op op, const void *value, size_t size);

struct nl_msg *nft_message(struct netlink *nl, int type, int flags, enum nft_family family,
			   const char *label);
/* Says what is done to what: `create chain inet t postrouting`. Returns text. */
const char *nft_label(char text[256], const char *verb, enum nft_family family, const char *table,
		      const char *name);
void nft_put_comment(struct nl_msg *msg, int type, const char *comment);

/* Of sets and elements. */
uint32_t nft_set_flags(const struct nft_set *set);
uint32_t nft_set_key_type(enum nft_family family, const struct nft_set *set, uint32_t *size);
size_t nft_value_size(enum nft_family family, const enum nft_field fields[NFT_FIELDS],
		      const struct nft_value *value);
void nft_put_element(struct nl_msg *msg, enum nft_family family, const struct nft_set *set,
		     const struct nft_element *element);
/* A netlink_reply_fn: each element of a message. Texts go into the arena. */
struct nft_walk {
	struct arena *arena;
	nft_element_fn *fn;
	void *arg;
};
int nft_walk_elements(const struct nlmsghdr *reply, void *arg, struct error *err) must_check;

/* Attributes of replies, their length checked; what is missing is 0 or "". */
uint32_t nft_be32(const struct nlattr *attr);
const char *nft_text(struct arena *arena, struct nlattr *attr);
bool nft_says(struct nlattr *attr, const char *text);
const char *nft_comment_of(struct arena *arena, struct nlattr *userdata);
/* Bytes of a value, at most size; 0 when there is none, or a longer one. */
size_t nft_value_of(struct nlattr *attr, void *value, size_t size);
struct nft_chain_info;
void nft_read_chain_info(struct nlattr *const *tb, struct nft_chain_info *info); /* NFTA_CHAIN_* */
struct nft_rule_info;
struct nft_line;
void nft_read_expressions(struct arena *arena, struct nlattr *list, int family,
			  struct nft_rule_info *info, struct nft_line *line);

#endif
