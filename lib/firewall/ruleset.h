/*
 * A rule set, independent of the tool that carries it: one table of one family, the chains that must be there,
 * the rules to append. nftables.c and iptables.c render it. Strings are borrowed and must outlive the set.
 */
#ifndef FIREWALL_RULESET_H
#define FIREWALL_RULESET_H

#include "base/arena.h"
#include "base/error.h"
#include "base/ip.h"

#define RULE_MATCHES 6

enum rule_family { RULE_IP, RULE_IP6, RULE_INET, RULE_BRIDGE };

enum match_kind {
	MATCH_NONE,
	MATCH_SOURCE,       /* cidr */
	MATCH_DESTINATION,  /* cidr */
	MATCH_IN_INTERFACE, /* name */
	MATCH_ETHER_SOURCE, /* mac */
};

struct match {
	enum match_kind kind;
	bool negated;
	struct cidr cidr;
	const char *name;
	struct mac mac;
};

enum rule_verdict { RULE_ACCEPT, RULE_DROP, RULE_RETURN, RULE_JUMP, RULE_GOTO, RULE_MASQUERADE };

struct rule {
	const char *chain;
	struct match matches[RULE_MATCHES]; /* up to the first MATCH_NONE */
	enum rule_verdict verdict;
	const char *target;  /* chain of RULE_JUMP, RULE_GOTO */
	const char *comment; /* NULL = none */
};

struct chain {
	const char *name, *comment;
	const char *type; /* nftables: "nat", "filter"; NULL = entered by jumps only */
	int hook;         /* enum nft_hook */
	int priority;
	bool accept_policy;
	bool flush; /* start empty: for chains of one attachment, and for repairs */
};

struct ruleset {
	enum rule_family family;
	const char *table, *comment;
	LIST(struct chain) chains;
	LIST(struct rule) rules;
};

static inline struct match match_source(const struct cidr *cidr)
{
	return (struct match){ .kind = MATCH_SOURCE, .cidr = *cidr };
}

static inline struct match match_destination(const struct cidr *cidr)
{
	return (struct match){ .kind = MATCH_DESTINATION, .cidr = *cidr };
}

static inline struct match match_not(struct match match)
{
	match.negated = true;
	return match;
}

#define ruleset_chain(arena, set, ...) \
	(*list_add((arena), &(set)->chains) = (struct chain){ __VA_ARGS__ })
#define ruleset_rule(arena, set, ...) \
	(*list_add((arena), &(set)->rules) = (struct rule){ __VA_ARGS__ })

/* 224.0.0.0/4 or ff00::/8. */
struct cidr multicast_of(int family);

#endif
