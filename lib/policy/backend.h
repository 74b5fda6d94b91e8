/*
 * What holds a compiled node in the kernel: iptables of either variant with ipsets, or nftables. A back end reads what is
 * in force into the same form that the compiler makes, so that comparing, verifying and repairing are the same for all
 * (difference.h), and writes a difference. It has no memory: whoever starts next finds all by names and comments.
 *
 * Order of a write: new sets and elements before rules that ask for them, rules in one commit, then what is gone; no
 * allowed connection is lost and no denied one passes meanwhile. Every failure leaves the old or the new in force.
 */
#ifndef POLICY_BACKEND_H
#define POLICY_BACKEND_H

#include "base/error.h"
#include "policy/difference.h"

/* How packets are treated, whatever the policies are; a change of these makes `damaged`. */
struct treatment {
	bool reject; /* deny with an ICMP error or TCP reset; false: drop */
	bool accept; /* what is allowed is accepted at once; false: later rules of others see it */
	uint16_t nflog;   /* group that hears of denied packets, rate-limited; 0 = nobody */
	bool established; /* INVALID packets of conntrack are dropped */
};

struct damage {
	const char *place; /* chain or set, as its own tool names it */
	const char *what;  /* "element 10.1.0.7 is missing", "rule 3 is not ours" */
};
typedef LIST(struct damage) damages_t;

/* damages: NULL = nobody asks. what is kept as it is. */
void damage_add(struct arena *arena, damages_t *damages, const char *place, const char *what);

/* What the kernel has. Clauses that cannot be understood are left out of it, and in damages. */
struct found {
	struct compiled compiled;
	struct treatment treatment;
	bool present; /* anything of ours is there */
	damages_t
		damages; /* beyond what a difference shows: hooks, foreign rules in our chains, half of a family */
};

struct backend {
	const char *name; /* "iptables-nft", "iptables-legacy", "nftables" */
	int (*read)(struct arena *arena, struct found *found, struct error *err);
	/* Nothing is sent when the difference is empty. */
	int (*write)(const struct difference *difference, const struct treatment *treatment,
		     struct error *err);
	/* Exactly what is ours; 0 also when nothing is. */
	int (*remove)(struct error *err);
	/* Cheap: it is another one when somebody has added or taken away what nobody tells of (legacy tables and sets of ipset; one in
	 * another's place may not show). NULL: nf_tables tells of everything. */
	uint64_t (*state)(void);
	/* Where a person finds it: the chain that a group is, the set in a family's own name; for explanations. */
	const char *(*set_name)(const struct set *set, int family, struct arena *arena);
};

extern const struct backend backend_iptables_nft, backend_iptables_legacy, backend_nftables;

extern const struct backend *const backends[]; /* all of them (backend.c); NULL behind */
/* By name; "auto": the iptables variant that kubelet or kube-proxy use (their hint chains in mangle), else nftables;
 * legacy modules are never loaded by looking. */
int backend_find(const char *name, const struct backend **backend, struct error *err) must_check;

#endif
