/*
 * The nftables form of a compiled node: one table of our own for both families, which nobody else writes to.
 *
 *   forward         hook: replies are accepted; closed addresses; then the verdict maps egress4/6 by source and
 *                   ingress4/6 by destination jump to the chain of the pod's group
 *   CNIBOX-IN-hash  a group: what is accepted returns, so that the other direction has its say; what policies do not allow
 *                   and is not from a pod to itself (set own4/6: by way of a service) goes on to
 *   ...-deny        exempt, a rate-limited log, the group's counter, refuse
 *   ...-next        only behind a tier admin: what policies allow, and baseline
 *   exempt          what is never denied: discovery of neighbours
 *   refuse          drop, or answer
 *
 * A set of the compiled form is one of hosts, found by hash, and one of prefixes (-nets), found by a tree or, with
 * ports, field by field; each for both families, even if empty, so that a pod changes elements only. Ranges of ports are
 * sets named after what is in them. Members and subjects are the verdict maps.
 *
 * "accept" ends only our own base chain: tables of others still see the packet, whatever the treatment says.
 */
#ifndef POLICY_NETPOL_H
#define POLICY_NETPOL_H

#include "kernel/nft_elements.h"
#include "kernel/nft_table.h"
#include "policy/backend.h"

#define NETPOL_TABLE "cnibox-policy"
#define NETPOL_GUARD "cnibox-policy-next" /* the same, while the table is replaced */
#define NETPOL_PARTS 4

/* A set of the kernel that holds some elements of a compiled one. */
struct netpol_part {
	struct nft_set set;
	int family;
	bool nets; /* prefixes; hosts, too, when it is the only part */
	bool hosts;
};

struct netpol_chain {
	const char *name, *comment;
	bool base;
};

/* Whole chains with all their rules, and what they need. */
struct netpol_plan {
	const struct compiled *compiled;
	const struct treatment *treatment;
	struct arena *arena;
	LIST(struct netpol_chain) chains; /* jumped to before they jump */
	nft_lines_t lines;
	LIST(struct netpol_ports {
		const char *name;
		const port_ranges_t *ranges;
	})
	ports;
	LIST(const char *) counters;
};

void netpol_plan_forward(struct netpol_plan *plan); /* the base chain */
void netpol_plan_ends(struct netpol_plan *plan);    /* where what is denied goes */
void netpol_plan_around(struct netpol_plan *plan);  /* all that is no group's, and it */
/* name: of the log, the counter, and of the chain but for its end. */
void netpol_plan_denial(struct netpol_plan *plan, const char *name, const char *comment);
void netpol_plan_group(struct netpol_plan *plan, const struct group *group); /* without it */
/* The end of what policies allow. */
void netpol_plan_isolation(struct netpol_plan *plan, const struct group *group, const char *chain);
struct netpol_place {
	const char *chain;
	unsigned number; /* of the clause in its chain, from 1 */
	bool admin;
};
void netpol_plan_clause(struct netpol_plan *plan, const struct group *group,
			const struct netpol_place *place, const struct clause *clause);
const char *netpol_chain_of(const struct group *group, const char *suffix, struct arena *arena);
extern const uint8_t netpol_protocols[]; /* numbers of enum protocol */
#define NETPOL_CLOSED "CNIBOX-CLOSED"
#define NETPOL_RANGES "cnibox-range-"
#define NETPOL_DENY   "-deny"
#define NETPOL_NEXT   "-next"
#define NETPOL_PASS   "pass" /* in the comment of what passes at the end of a tier */

/* nftables_sets.c; 0 parts: the set is in the verdict maps. */
unsigned netpol_parts(const struct set *set, struct arena *arena,
		      struct netpol_part parts[NETPOL_PARTS]);
bool netpol_has(const struct netpol_part *part, const struct element *element);
struct nft_element netpol_element(const struct netpol_part *part, const struct element *element);
/* egress4 ...; own4 and own6; and ranges of ports. */
struct nft_set netpol_map(enum direction direction, int family);
struct nft_set netpol_own(int family);
struct nft_set netpol_ports_set(const char *name);
/* All subjects of both directions, sorted: pods that reach themselves by way of a service. */
void netpol_subjects(const struct compiled *compiled, struct arena *arena, elements_t *elements);
extern const int netpol_families[2]; /* AF_* */

int netpol_read(struct arena *arena, struct found *found, struct error *err);
int netpol_write(const struct difference *difference, const struct treatment *treatment,
		 struct error *err);

#endif
