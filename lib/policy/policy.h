/* NetworkPolicies: what section 1 of the contract makes of a valid object, defaults filled in. */
#ifndef POLICY_POLICY_H
#define POLICY_POLICY_H

#include "policy/pod.h"

/* ipBlock: the masked block and what is carved out of it, and of it only. */
struct block {
	struct cidr cidr;
	cidrs_t except;
};

/* has_block and has_nodes stand alone. */
struct peer {
	bool has_block, has_pods, has_spaces, has_nodes;
	struct block block;
	struct selector pods, spaces, nodes;
	uint32_t set;   /* of pods, when it has no block and no nodes */
	uint32_t place; /* in its list of the object */
};

/* One protocol's ports first to last, or those of a name; first 0 and no name: all. */
struct port_match {
	enum protocol protocol;
	bool unsaid; /* that it is TCP */
	symbol_t name;
	uint16_t first, last;
};

struct rule {
	LIST(struct peer) peers;       /* none: anybody */
	LIST(struct port_match) ports; /* none: every port of every protocol */
};
typedef LIST(struct rule) rules_t;

struct policy {
	symbol_t name;
	uint32_t space;
	struct selector pods;
	uint32_t set; /* of those pods */
	bool gone;    /* it was removed */
	bool typed;   /* policyTypes says something */
	bool isolates[DIRECTIONS];
	bool given[DIRECTIONS];    /* the section is there */
	rules_t rules[DIRECTIONS]; /* of a direction that is not isolated, too: they say nothing */
	uint64_t expansion;        /* limit.h */
	bool closed;               /* over the limit: it isolates, and its rules allow nothing */
};

#endif
