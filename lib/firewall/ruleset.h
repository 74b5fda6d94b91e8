/*
 * A rule set, independent of the tool that carries it: one table of one family, the chains that must be there,
 * the rules to add. nftables.c and iptables.c render it, xt.c puts one of the iptables form in place. Strings are
 * borrowed and must outlive the set.
 */
#ifndef FIREWALL_RULESET_H
#define FIREWALL_RULESET_H

#include "base/arena.h"
#include "base/error.h"
#include "base/ip.h"

#define RULE_MATCHES   6
#define RULE_MULTIPORT 15 /* ports in one rule; a range counts twice */

enum rule_family { RULE_IP, RULE_IP6, RULE_INET, RULE_BRIDGE };

enum match_kind {
	MATCH_NONE,
	MATCH_SOURCE,        /* cidr */
	MATCH_DESTINATION,   /* cidr */
	MATCH_IN_INTERFACE,  /* name */
	MATCH_OUT_INTERFACE, /* name */
	MATCH_ETHER_SOURCE,  /* mac; cannot be read back */
	MATCH_PROTOCOL,      /* value */
	MATCH_PORT,          /* ports[0], of the destination; needs MATCH_PROTOCOL */
	MATCH_MULTIPORT,     /* the same for n_ports; iptables form only */
	MATCH_LOCAL,         /* the destination is an address of this host */
	MATCH_STATE,         /* value: enum nft_state */
	MATCH_MARK,          /* value, bits */
	MATCH_WORDS, /* name: words for the program, as typed; checked by the caller; iptables_restore only */
};

struct match {
	enum match_kind kind;
	bool negated; /* of addresses, interfaces, protocol */
	struct cidr cidr;
	const char *name;
	struct mac mac;
	const struct ports *ports;
	size_t n_ports;
	uint32_t value, bits;
};

enum rule_verdict {
	RULE_ACCEPT,
	RULE_DROP,
	RULE_RETURN,
	RULE_JUMP,
	RULE_GOTO,
	RULE_MASQUERADE,
	RULE_DNAT, /* to */
	RULE_MARK, /* mark, mark_bits */
};

enum rule_once {
	RULE_ALWAYS,
	RULE_ONCE, /* add it only when it is not there: its chain is listed */
	RULE_ONCE_BY_TARGET /* a jump: look whether anybody jumps to its target, which takes no listing of a long chain.
			     * Only for targets that nobody else jumps to. */
};

struct rule {
	const char *chain;
	struct match matches[RULE_MATCHES]; /* up to the first MATCH_NONE */
	enum rule_verdict verdict;
	const char *target;  /* chain of RULE_JUMP, RULE_GOTO */
	const char *comment; /* NULL = none */
	bool comment_last;   /* iptables form: behind the other extensions */
	bool fully_random;   /* of RULE_MASQUERADE: the port, too */
	bool insert;         /* before all others */
	enum rule_once once;
	struct {
		struct ip ip;
		struct ports ports; /* 0 = kept */
		uint16_t
			base; /* of the range that ports stands for, 0 = none; iptables form only */
	} to;
	uint32_t mark, mark_bits;
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

/* The rule's match of that kind, NULL = none. */
const struct match *rule_match(const struct rule *rule, enum match_kind kind);

#define ruleset_chain(arena, set, ...) \
	(*list_add((arena), &(set)->chains) = (struct chain){ __VA_ARGS__ })
#define ruleset_rule(arena, set, ...) \
	(*list_add((arena), &(set)->rules) = (struct rule){ __VA_ARGS__ })

/* 224.0.0.0/4 or ff00::/8. */
struct cidr multicast_of(int family);

#endif
