/*
 * Rule sets of the iptables form put in place, whatever carries them: netlink where iptables-nft has made its tables,
 * one iptables-restore per family elsewhere (legacy variant, first call after boot, words that only the program
 * understands, a kernel that refuses). No shared chain is ever flushed.
 */
#ifndef FIREWALL_XT_H
#define FIREWALL_XT_H

#include "firewall/xt_view.h"

/* What is about to be done for one of the sets, less what is there already. */
struct xt_deletion {
	const char *chain;
	uint64_t handle;
};
struct xt_change {
	struct ruleset set;
	const struct ruleset *asked;
	bool filled;                        /* the first of its chains that start empty was there */
	LIST(struct xt_deletion) deletions; /* done before the rules are added */
	LIST(const char *) doomed; /* chains deleted after these, that nothing else leads to */
};

/* Looks at what is there and may alter the change. An errno of nftables_raced() makes everything start again, any
 * other is the end of it. Called once for each set and attempt. */
typedef int xt_look_fn(const struct xt_view *view, struct arena *arena, struct xt_change *change,
		       void *arg, struct error *err);
/* See the members of the change. */
void xt_delete(struct arena *arena, struct xt_change *change, const char *chain, uint64_t handle);
void xt_delete_chain(struct arena *arena, struct xt_change *change, const char *chain);

/*
 * Chains that start empty are emptied or made, others made when they are not there; rules are added, those that are to
 * be there once only when they are not. Chains of the kernel (POSTROUTING) are not listed in a set. At most one set for
 * a family and table; all that netlink carries is one transaction. look may be NULL. Sets without rules and chains
 * are skipped.
 */
int xt_apply(const struct ruleset *sets, size_t n, xt_look_fn *look, void *arg,
	     struct error *err) must_check;
/* The same for who has a turn already (nftables_turn). */
int xt_apply_in_turn(const struct ruleset *sets, size_t n, xt_look_fn *look, void *arg,
		     struct error *err) must_check;
/* Are all rules of the set there, in nf_tables or in a legacy table? 0, or -ENOENT naming the first that is missing in
 * both. */
int xt_check(const struct ruleset *sets, size_t n, struct error *err) must_check;

#endif
