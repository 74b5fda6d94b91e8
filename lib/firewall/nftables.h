/* Rule sets to nf_tables over netlink, and what its transactions need around them. */
#ifndef FIREWALL_NFTABLES_H
#define FIREWALL_NFTABLES_H

#include "firewall/ruleset.h"
#include "kernel/nft_dump.h"
#include "kernel/nft_set.h"

#define NFTABLES_TRIES 32

enum nft_family nftables_family(enum rule_family family);
/* Queue the set: its table and chains when it has chains, then its rules. Commit it yourself. */
void nftables_queue(struct netlink *nl, const struct ruleset *set);
/* The set's rules, without its chains, in the form that iptables-restore gives them. */
void nftables_queue_xt(struct netlink *nl, const struct ruleset *set);
/* Can it be carried by that? Not when it has words for the program. */
bool nftables_can_xt(const struct ruleset *set);
/* Is this the errno of a lost race with another transaction, so that a fresh look may succeed? */
bool nftables_raced(int r);
/* Run attempt until it does not return the errno of a lost race, at most NFTABLES_TRIES times. */
typedef int nftables_attempt_fn(struct netlink *nl, void *arg, struct error *err);
int nftables_retry(struct netlink *nl, nftables_attempt_fn *attempt, void *arg,
		   struct error *err) must_check;
/*
 * Before dumping many rules: wait until nobody else of us does in this network namespace, since every commit
 * interrupts every dump, and commits that delete are done one after the other by the kernel anyway. Returns a descriptor
 * to close in the end; only for speed, so that it gives up (-1) after a while.
 */
int nftables_turn(void);
/* Is that what our rule says? Comments are compared, too. A rule that holds anything unknown is never ours. */
bool nftables_same(const struct rule *rule, const struct nft_rule_info *there);
/* Is it among them? */
bool nftables_has(const nft_rules_t *there, const struct rule *rule);

#endif
