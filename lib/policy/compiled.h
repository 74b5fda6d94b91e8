/*
 * What is compiled for one node: sets of addresses and groups of rules, independent of the tool that will hold them. An
 * iptables and ipset renderer and one for nftables read this, and so does the interpreter below, which is what both have
 * to come to.
 *
 * A group is the local pods that the same policies select in one direction; its clauses say what they may do. Pods in
 * neither set of subjects are free. Names are those of chains and sets (without the family's digit), made of a
 * hash of the comment, which says all: two things of one name are the same thing.
 */
#ifndef POLICY_COMPILED_H
#define POLICY_COMPILED_H

#include "policy/world.h"

enum set_kind {
	SET_PODS,     /* pods by a selector; shared by all that say the same */
	SET_NODES,    /* addresses of nodes by a selector */
	SET_BLOCKS,   /* a rule's ipBlocks without their exceptions: prefixes that do not overlap */
	SET_PEERS,    /* several of those together */
	SET_PAIRS,    /* peer, protocol and destination port */
	SET_NAMED,    /* address, protocol and port: what a name means on this node's pods */
	SET_MEMBERS,  /* pods of a group */
	SET_SUBJECTS, /* local pods that are in a group of a direction */
	SET_KNOWN,    /* local pods, in a group or not */
};

struct element {
	struct cidr cidr;
	uint8_t protocol; /* enum protocol; 0 in a set without ports */
	uint16_t port;    /* 0 in a set without ports */
};
typedef LIST(struct element) elements_t;

struct set {
	const char *name, *comment;
	enum set_kind kind;
	elements_t elements;      /* sorted; none lies in another of its protocol and port */
	LIST(uint8_t) lengths[2]; /* of prefixes that there are: IPv4, IPv6 */
};

typedef LIST(struct ports) port_ranges_t;

#define NO_SET UINT32_MAX

/* All that is given has to hold. */
struct clause {
	enum action action; /* among those of a tier; what policies allow is always accepted */
	uint32_t peers;     /* has the peer's address */
	uint32_t pairs;     /* has the peer's address with protocol and port */
	uint32_t named;     /* has the destination's address with protocol and port */
	bool ported; /* protocol is that, and the port in one of the ranges; none: all ports */
	enum protocol protocol;
	port_ranges_t ports; /* sorted, apart from each other */
};
typedef LIST(struct clause) clauses_t;

/* A packet from or to a member goes through admin in order, the first clause that holds decides (pass: go on behind
 * admin); then, when the group is isolated, it is accepted if one of allows holds and denied if none does; then through
 * baseline in order; behind all of them it is accepted. Each direction has to accept it. */
struct group {
	const char *name, *comment; /* of the chain; the policies of all tiers */
	enum direction direction;
	numbers_t policies, pods; /* NetworkPolicies */
	uint32_t members;         /* set */
	bool isolated;
	clauses_t admin, allows, baseline;
};

struct compiled {
	symbol_t node;
	struct arena *arena;
	struct symbols names; /* of sets: symbol - 1 = number */
	LIST(struct set) sets;
	LIST(struct group) groups;
	uint32_t subjects[DIRECTIONS]; /* set; NO_SET: nobody is in a group (nothing is in force) */
	/* Addresses in closed that are not in the set known are dropped both ways: pods of the node's range before their
	 * policies are. None: nothing is closed, and known is NO_SET. */
	cidrs_t closed;
	uint32_t known;
	struct recipes *recipes; /* while it is compiled: NULL = nobody wants them (recipe.h) */
};

/* For one node (0: pods that are on none). Pods without an address are left out. */
void compile(const struct world *world, symbol_t node, struct arena *arena,
	     struct compiled *compiled);

/* ---- the interpreter ---- */

struct packet {
	struct ip from, to;
	enum protocol protocol;
	uint16_t port;
	bool own; /* from or to the node itself: it is not forwarded */
};

bool compiled_allows(const struct compiled *compiled, const struct packet *packet);
bool compiled_closes(const struct compiled *compiled, const struct ip *ip);
bool set_has(const struct set *set, const struct ip *ip, enum protocol protocol, uint16_t port);

#endif
