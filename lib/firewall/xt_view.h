/* A table of the iptables form, to be looked through: that of iptables-nft, or a legacy one. */
#ifndef FIREWALL_XT_VIEW_H
#define FIREWALL_XT_VIEW_H

#include "firewall/nftables.h"

struct legacy_table;
struct xt_view {
	enum rule_family family;
	const char *table;
	struct netlink *nl;                /* NULL = legacy, or no table at all */
	const struct legacy_table *legacy; /* NULL = none */
};
/* Instead of what was in the list. */
int xt_rules(const struct xt_view *view, const char *chain, struct arena *arena, nft_rules_t *rules,
	     struct error *err) must_check;
/* The table wherever it is, IPv4 and IPv6; nl NULL = this kernel has no nf_tables. Texts of legacy rules are valid
 * until fn returns. */
typedef int xt_view_fn(const struct xt_view *view, void *arg, struct error *err);
int xt_each_view(struct netlink *nl, const char *table, xt_view_fn *fn, void *arg,
		 struct error *err) must_check;

#endif
