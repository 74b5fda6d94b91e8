/*
 * The iptables form of a compiled node, as the back ends of both variants share it: chains as the save programs print
 * them, so that what is wanted and what is there are compared by their text.
 *
 *   FORWARD 1      -> CNIBOX-POLICY
 *   CNIBOX-POLICY  replies leave; closed addresses -> CNIBOX-CLOSED; subjects -> CNIBOX-OUT, then CNIBOX-IN
 *   CNIBOX-OUT     by the members' set, or beyond 30 groups by their addresses, -> (goto) the group's chain
 *   CNIBOX-OUT-hash  a group: what is accepted RETURNs, which is behind the jump in CNIBOX-POLICY, so that both
 *                  directions have their say and no mark is needed; the rest goes to CNIBOX-DENY
 *   CNIBOX-OUT-hashP  its allows, where a clause of admin can pass to them
 *
 * Sets have the digit of their family behind their name.
 */
#ifndef POLICY_IPTABLES_H
#define POLICY_IPTABLES_H

#include "firewall/program.h"
#include "kernel/ipset.h"
#include "policy/backend.h"

#define IPT_PREFIX     "CNIBOX-"
#define IPT_TOP        "CNIBOX-POLICY"
#define IPT_DENY       "CNIBOX-DENY"
#define IPT_CLOSED     "CNIBOX-CLOSED"
#define IPT_HOOK       "-m comment --comment \"cnibox policies\" -j " IPT_TOP
#define IPT_SET_PREFIX "cnibox-"
#define IPT_BPF        "-m bpf --bytecode"
#define IPT_FLAT       30 /* groups of a direction that are looked for by their sets */

extern const char *const ipt_dispatch[DIRECTIONS]; /* CNIBOX-IN, CNIBOX-OUT */

typedef LIST(const char *) ipt_rules_t; /* behind "-A CHAIN " */
struct ipt_chain {
	const char *name;
	ipt_rules_t rules;
};
typedef LIST(struct ipt_chain) ipt_chains_t;

/* What is not in a compiled form, and has to be the same on both sides of a comparison. */
struct ipt_form {
	struct treatment treatment;
	bool hairpin; /* pods reach themselves by way of a service; iptables has to know the match bpf */
};

/* One family's table filter. */
struct ipt_table {
	bool v6;
	ipt_chains_t chains; /* ours */
	ipt_rules_t hooks;   /* of FORWARD, to them */
	bool hooked;         /* once, in the first place, as it should be */
};

const char *ipt_set_name(const char *name, bool v6, struct arena *arena);
const struct ipt_chain *ipt_chain_of(const ipt_chains_t *chains, const char *name);
/* All chains, for one family. */
void ipt_render(const struct compiled *compiled, const struct ipt_form *form, bool v6,
		struct arena *arena, ipt_chains_t *chains);
/* Groups of this direction are so many that a pod is found by its address, and its coming or going is a rule's. */
bool ipt_by_address(const struct compiled *compiled, enum direction direction);

/* iptables_read.c: what is there. */
int ipt_read_table(enum iptables_kind kind, bool v6, struct arena *arena, struct ipt_table *table,
		   struct error *err) must_check;
void ipt_table_of(char *text, bool v6, struct arena *arena, struct ipt_table *table);
/* iptables_sets.c: wrong types and missing halves are damages. */
struct ipt_sets {
	struct compiled compiled;
	bool orphans; /* sets that no rule asks for */
};
enum ipset_type ipt_set_type(enum set_kind kind);
bool ipt_is_set(const char *name);
int ipt_read_sets(struct arena *arena, struct ipt_sets *sets, damages_t *damages,
		  struct error *err) must_check;
uint64_t ipt_sets_state(void); /* see struct backend */

/* The table of IPv4, and that of IPv6, as what has been compiled; the rest are damages. */
void ipt_understand(struct ipt_table *tables, size_t n_tables, const struct ipt_sets *sets,
		    struct arena *arena, struct found *found);

/* struct backend's. */
int ipt_read(enum iptables_kind kind, struct arena *arena, struct found *found,
	     struct error *err) must_check;
int ipt_write(enum iptables_kind kind, const struct difference *difference,
	      const struct treatment *treatment, struct error *err) must_check;
int ipt_remove(enum iptables_kind kind, struct error *err) must_check;

#endif
