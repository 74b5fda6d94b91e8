/* Looking through the tables of the iptables form, wherever they are. */
#include "firewall/xt_view.h"

#include "firewall/legacy.h"

int xt_rules(const struct xt_view *view, const char *chain, struct arena *arena, nft_rules_t *rules,
	     struct error *err)
{
	rules->n = 0;
	if (view->nl)
		return nft_rules(view->nl, nftables_family(view->family), view->table, chain, arena,
				 rules, err);
	if (view->legacy)
		legacy_rules(view->legacy, chain, arena, rules);
	return 0;
}

static int look_at_legacy(enum rule_family family, const char *table, xt_view_fn *fn, void *arg,
			  struct error *err)
{
	auto_arena struct arena arena = { 0 };
	struct legacy_table legacy;
	const struct xt_view view = { .family = family, .table = table, .legacy = &legacy };
	int r;

	if (!legacy_active(family, table))
		return 0;
	r = legacy_read(family, table, &arena, &legacy, err);
	return r < 0 ? r : fn(&view, arg, err);
}

int xt_each_view(struct netlink *nl, const char *table, xt_view_fn *fn, void *arg,
		 struct error *err)
{
	static const enum rule_family families[] = { RULE_IP, RULE_IP6 };
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(families) && r >= 0; i++) {
		const struct xt_view view = { .family = families[i], .table = table, .nl = nl };

		if (nl)
			r = fn(&view, arg, err);
		if (r >= 0)
			r = look_at_legacy(families[i], table, fn, arg, err);
	}
	return r < 0 ? r : 0;
}
