/*
 * Removing rules of the iptables form by what they look like, from everywhere that may hold them: the tables of
 * iptables-nft in one transaction, since each waits for a grace period of the kernel (8 to 20 ms), and legacy tables
 * by one iptables-legacy-restore. No program where only nf_tables is in use.
 */
#ifndef FIREWALL_SWEEP_H
#define FIREWALL_SWEEP_H

#include "firewall/nftables.h"

struct sweep_place {
	enum rule_family family; /* IP and IP6: legacy tables are looked at, too */
	const char *table, *chain;
	const char *when; /* look there only when this chain is there, too; NULL = always */
};

enum sweep_verdict {
	SWEEP_KEEP,
	SWEEP_RULE,
	SWEEP_TARGET /* the rule and the chain that it leads to */
};

enum sweep_where { SWEEP_EVERYWHERE, SWEEP_NFTABLES, SWEEP_LEGACY };

struct sweep {
	enum sweep_where where;
	const struct sweep_place *places; /* shared chains to look through */
	size_t n_places;
	const struct sweep_place *chains; /* that go with all that is in them, if they are there */
	size_t n_chains;
	enum sweep_verdict (*rule)(const struct sweep_place *place,
				   const struct nft_rule_info *rule, void *arg);
	/* GC: is this chain to go, although no rule of the places leads to it? Asked with first NULL for its name alone,
	 * then with its first rule. NULL = there are none to look for. */
	bool (*orphan)(const char *chain, const struct nft_rule_info *first, void *arg);
	/* What else is to be removed in the transaction: look first, queue when all has been looked at. NULL = nothing. */
	int (*look)(struct netlink *nl, struct arena *arena, void *arg, struct error *err);
	void (*queue)(struct netlink *nl, void *arg);
	void *arg;
};

/* Nothing there is success. All places are tried, whatever happens in one of them. */
int sweep_run(const struct sweep *sweep, struct error *err) must_check;

#endif
