/*
 * Two networks on one node have the same chains, since flannel's names say nothing of the network. What is a network's own
 * are the lines that name its addresses: networks do not overlap, so that lines of one decide nothing about the other's
 * packets, in whatever order they stand. Each agent looks after its own, and keeps the others' as they are.
 */
#ifndef FIREWALL_OVERLAY_SHARED_H
#define FIREWALL_OVERLAY_SHARED_H

#include "firewall/overlay.h"
#include "firewall/sweep.h"
#include "kernel/nft_dump.h"

/* Where chains of ours stand, in the form of iptables, and what leads to them. */
enum { OVERLAY_PLACES = 4 };
extern const struct sweep_place overlay_places[OVERLAY_PLACES];

/* Of a chain of ours: lines of other networks, and all else. A line that no agent writes is nobody's, and counts as ours. */
struct overlay_lines {
	nft_rules_t ours, others;
};
void overlay_split(struct arena *arena, const struct overlay *overlay, const nft_rules_t *there,
		   struct overlay_lines *lines);
bool overlay_is_others(const struct overlay *overlay, const struct nft_rule_info *there);
/* The line that every network has, once: that of packets that kube-proxy marked. */
bool overlay_is_common(const struct nft_rule_info *there);
/* The line as an agent would have made it; one that no agent writes is not the same as that (nftables_same). */
struct rule overlay_rule_of(const char *chain, const struct nft_rule_info *there);
/* Are just these the rules of the set's chain, in this order? */
bool overlay_same(const struct ruleset *set, const char *chain, const nft_rules_t *there);
/* The rule that leads to the set's chain; NULL = none is wanted. */
const struct rule *overlay_jump(const struct ruleset *set);
/* Add such lines to the chain again. */
void overlay_keep(struct arena *arena, struct ruleset *set, const char *chain,
		  const nft_rules_t *lines);
/* No rules, of the same networks. */
struct overlay overlay_nothing(const struct overlay *overlay);
/* Remove what is not wanted of the iptables form; thorough: also from the tables of the variant that is not in use. */
int overlay_clean_xt(const struct overlay *overlay, bool thorough, struct error *err) must_check;

#endif
