/*
 * The rules of overlay.h held against what is there. The nftables form has tables of its own, which are replaced whole; the
 * iptables form has chains of its own, which are filled anew, and a jump to each in a chain that others share.
 */
#include "firewall/overlay.h"

#include <errno.h>
#include <netinet/in.h>

#include "firewall/iptables.h"
#include "firewall/legacy.h"
#include "firewall/sweep.h"
#include "firewall/xt.h"
#include "kernel/xtables.h"

static const int families[] = { AF_INET, AF_INET6 };

/* ---- the nftables form ---- */

struct native {
	struct ruleset sets[ARRAY_SIZE(families)];
	bool changed;
};

/* One chain of one table, as it should be and as it is. */
struct native_chain {
	const char *name;
	const struct chain *wanted; /* NULL = it should not be there */
	struct nft_chain_info there;
};

enum { N_CHAINS = 2 };

static void find_wanted(const struct ruleset *set, struct native_chain chains[N_CHAINS])
{
	chains[0] = (struct native_chain){ .name = OVERLAY_CHAIN_POSTRTG };
	chains[1] = (struct native_chain){ .name = OVERLAY_CHAIN_FORWARD };
	for (size_t i = 0; i < N_CHAINS; i++)
		list_each(chain, &set->chains)
			if (streq(chain->name, chains[i].name))
				chains[i].wanted = chain;
}

/* Are just these the rules of the chain, in this order? */
static bool same_rules(const struct ruleset *set, const char *chain, const nft_rules_t *there)
{
	size_t n = 0;

	list_each(rule, &set->rules) {
		if (!streq(rule->chain, chain))
			continue;
		if (n == there->n || !nftables_same(rule, &there->items[n]) ||
		    rule->fully_random != there->items[n].fully_random)
			return false;
		n++;
	}
	return n == there->n;
}

static bool same_hook(const struct chain *wanted, const struct nft_chain_info *there)
{
	return there->found && streq(there->type, wanted->type) && there->hook == wanted->hook &&
	       there->priority == wanted->priority;
}

/* 1: the table is as it should be. */
static int is_native_right(struct netlink *nl, const struct ruleset *set, bool table,
			   const struct native_chain chains[N_CHAINS], struct error *err)
{
	auto_arena struct arena arena = { 0 };

	if (table != (set->chains.n > 0))
		return 0;
	for (size_t i = 0; i < N_CHAINS; i++) {
		nft_rules_t rules = { 0 };

		if (!chains[i].wanted && !chains[i].there.found)
			continue;
		if (!chains[i].wanted || !same_hook(chains[i].wanted, &chains[i].there))
			return 0;
		if (nft_rules(nl, nftables_family(set->family), set->table, chains[i].name, &arena,
			      &rules, err))
			return -err->errnum;
		if (!same_rules(set, chains[i].name, &rules))
			return 0;
	}
	return 1;
}

/* In one transaction there is no moment without the rules. Only a table that is there can be deleted. */
static void queue_native(struct netlink *nl, const struct ruleset *set)
{
	nft_queue_table(nl, nftables_family(set->family), set->table, NULL);
	nft_queue_del_table(nl, nftables_family(set->family), set->table);
	nftables_queue(nl, set);
}

static int try_native(struct netlink *nl, void *arg, struct error *err)
{
	struct native *native = arg;
	struct native_chain chains[ARRAY_SIZE(families)][N_CHAINS];
	bool tables[ARRAY_SIZE(families)], right[ARRAY_SIZE(families)];

	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		const struct ruleset *set = &native->sets[i];
		enum nft_family family = nftables_family(set->family);

		find_wanted(set, chains[i]);
		nft_queue_find_table(nl, family, set->table, &tables[i]);
		for (size_t j = 0; j < N_CHAINS; j++)
			nft_queue_get_chain(nl, family, set->table, chains[i][j].name,
					    &chains[i][j].there);
	}
	if (netlink_commit(nl, err))
		return -err->errnum;
	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		int r = is_native_right(nl, &native->sets[i], tables[i], chains[i], err);

		if (r < 0)
			return r;
		right[i] = r;
	}
	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		if (!right[i])
			queue_native(nl, &native->sets[i]);
		native->changed |= !right[i];
	}
	return netlink_commit(nl, err);
}

/* No nf_tables is fine where no rules are wanted of it. */
static int ensure_native(const struct overlay *overlay, bool *changed, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	auto_netlink struct netlink *nl = NULL;
	struct native native = { .changed = false };
	bool any = false;
	struct error why = { 0 };
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		overlay_nft_rules(&arena, overlay, families[i], &native.sets[i]);
		any |= native.sets[i].chains.n > 0;
	}
	r = nft_open(&nl, &why);
	if (r == -EOPNOTSUPP && !any)
		return 0;
	if (r == 0)
		r = nftables_retry(nl, try_native, &native, &why);
	if (r < 0 && err)
		*err = why;
	*changed |= native.changed;
	return r;
}

/* ---- the iptables form ---- */

struct looking {
	bool thorough;
	struct overlay_done *done;
};

static const struct rule *jump_of(const struct ruleset *set)
{
	list_each(rule, &set->rules)
		if (rule->verdict == RULE_JUMP)
			return rule;
	return NULL;
}

/* The chain stays as it is: neither emptied nor filled. */
static void keep_chain(struct xt_change *change, const char *chain)
{
	size_t n = 0;

	change->set.chains.n = 0;
	list_each(rule, &change->set.rules)
		if (!streq(rule->chain, chain))
			change->set.rules.items[n++] = *rule;
	change->set.rules.n = n;
}

/* Nothing gets past it. */
static bool drops_all(const struct nft_rule_info *rule)
{
	bool drops = rule->verdict == NFT_VERDICT_DROP || rule->reject;

	return drops && !rule->unknown && !rule->source.cidr.ip.family &&
	       !rule->destination.cidr.ip.family && !*rule->in.name && !*rule->out.name &&
	       !rule->protocol && !rule->n_ports && !rule->local && !rule->states &&
	       !rule->mark_bits;
}

/* One jump, where it should be; of several the first stays. *add: it is to be added. */
static void judge_jumps(const nft_rules_t *there, const struct rule *jump, struct arena *arena,
			struct xt_change *change, bool *add)
{
	size_t n = 0;

	for (size_t i = 0; i < there->n; i++) {
		const struct nft_rule_info *info = &there->items[i];
		bool misplaced = jump->insert && i > 0;

		if (!streq(info->target, jump->target))
			continue;
		if (*add || n > 0 || misplaced)
			xt_delete(arena, change, jump->chain, info->handle);
		else
			n++;
		if (!*add && n == 0) {
			*list_add(arena, &change->set.rules) = *jump;
			*add = true;
		}
	}
}

/* Does everything end before it gets to the jump? One that is to be added comes last. */
static bool is_shadowed(const nft_rules_t *there, const struct rule *jump, bool add)
{
	list_each(info, there) {
		if (!add && streq(info->target, jump->target))
			return false;
		if (drops_all(info))
			return !(add && jump->insert);
	}
	return false;
}

static int look_at_base(const struct xt_view *view, struct arena *arena, struct xt_change *change,
			const struct looking *looking, struct error *err)
{
	const struct rule *jump = jump_of(change->asked);
	bool add = jump_of(&change->set);
	nft_rules_t there = { 0 };

	if (!jump || (!add && !looking->thorough))
		return 0;
	if (xt_rules(view, jump->chain, arena, &there, err))
		return -err->errnum;
	judge_jumps(&there, jump, arena, change, &add);
	if (is_shadowed(&there, jump, add) && streq(jump->chain, "FORWARD"))
		looking->done->shadowed = view->family == RULE_IP6 ? "ip6tables" : "iptables";
	return 0;
}

static int look(const struct xt_view *view, struct arena *arena, struct xt_change *change,
		void *arg, struct error *err)
{
	const struct looking *looking = arg;
	const char *chain = change->asked->chains.items[0].name;
	nft_rules_t there = { 0 };

	if (change->filled) {
		if (xt_rules(view, chain, arena, &there, err))
			return -err->errnum;
		if (same_rules(change->asked, chain, &there))
			keep_chain(change, chain);
	}
	if (look_at_base(view, arena, change, looking, err))
		return -err->errnum;
	looking->done->changed |=
		change->set.chains.n || change->set.rules.n || change->deletions.n;
	return 0;
}

static int ensure_xt(const struct overlay *overlay, bool thorough, struct overlay_done *done,
		     struct error *err)
{
	auto_arena struct arena arena = { 0 };
	struct ruleset sets[2 * ARRAY_SIZE(families)];
	struct looking looking = { thorough, done };

	for (size_t i = 0; i < ARRAY_SIZE(families); i++)
		overlay_xt_rules(&arena, overlay, families[i], &sets[2 * i]);
	return xt_apply(sets, ARRAY_SIZE(sets), look, &looking, err);
}

/* ---- removal of the iptables form ---- */

static const struct sweep_place places[] = {
	{ RULE_IP, "nat", "POSTROUTING", OVERLAY_POSTRTG },
	{ RULE_IP, "filter", "FORWARD", OVERLAY_FWD },
	{ RULE_IP6, "nat", "POSTROUTING", OVERLAY_POSTRTG },
	{ RULE_IP6, "filter", "FORWARD", OVERLAY_FWD },
};

static enum sweep_verdict judge_rule(const struct sweep_place *place,
				     const struct nft_rule_info *rule, void *arg unused)
{
	return streq(rule->target, place->when) ? SWEEP_RULE : SWEEP_KEEP;
}

/* Our chains of the marked places, and what leads to them. */
static int sweep_places(const bool marked[ARRAY_SIZE(places)], enum sweep_where where,
			struct error *err)
{
	struct sweep_place bases[ARRAY_SIZE(places)], chains[ARRAY_SIZE(places)];
	struct sweep sweep = {
		.where = where, .places = bases, .chains = chains, .rule = judge_rule
	};

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		if (!marked[i])
			continue;
		bases[sweep.n_places++] = places[i];
		chains[sweep.n_chains] = places[i];
		chains[sweep.n_chains++].chain = places[i].when;
	}
	return sweep.n_places ? sweep_run(&sweep, err) : 0;
}

/* What nobody wants; where kind is not NONE, also what is wanted of a family that has the other kind. */
static void mark(const struct overlay *overlay, enum iptables_kind kind,
		 bool marked[ARRAY_SIZE(places)])
{
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		bool v6 = places[i].family == RULE_IP6;
		const struct overlay_family *net = v6 ? &overlay->v6 : &overlay->v4;
		bool wanted =
			net->network.ip.family &&
			(streq(places[i].table, "nat") ? overlay->masquerade : overlay->forward);

		marked[i] = !wanted ||
			    (kind != IPTABLES_NONE && iptables_kind(places[i].family) != kind);
	}
}

/* Also from the tables of the variant that is not in use, when it is looked at thoroughly. */
static int clean_xt(const struct overlay *overlay, bool thorough, struct error *err)
{
	bool marked[ARRAY_SIZE(places)];
	int r;

	mark(overlay, thorough ? IPTABLES_NFT : IPTABLES_NONE, marked);
	r = sweep_places(marked, SWEEP_NFTABLES, err);
	if (r < 0 || !thorough)
		return r;
	mark(overlay, IPTABLES_LEGACY, marked);
	return sweep_places(marked, SWEEP_LEGACY, err);
}

int overlay_ensure(const struct overlay *overlay, enum firewall_backend form, bool thorough,
		   struct overlay_done *done, struct error *err)
{
	const struct overlay nothing = { .forward = false };
	const struct overlay *native = form == FIREWALL_NFTABLES ? overlay : &nothing,
			     *xt = form == FIREWALL_IPTABLES ? overlay : &nothing;

	/* What is wanted comes before the other form goes. */
	*done = (struct overlay_done){ .changed = false };
	if ((form == FIREWALL_NFTABLES && ensure_native(native, &done->changed, err)) ||
	    ensure_xt(xt, thorough, done, err) || clean_xt(xt, thorough, err) ||
	    (form == FIREWALL_IPTABLES && ensure_native(native, &done->changed, err)))
		return wrap(err, "masquerade and forward rules");
	return 0;
}

uint64_t overlay_legacy_state(void)
{
	uint64_t state = 0;

	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		if (legacy_active(places[i].family, places[i].table))
			state = state * 31 +
				xtables_fingerprint(places[i].family == RULE_IP6, places[i].table);
	return state;
}

/* ---- the end ---- */

struct present {
	bool tables[ARRAY_SIZE(families)], chains[ARRAY_SIZE(places)];
};

static int find_in_nftables(struct present *present, struct error *err)
{
	auto_netlink struct netlink *nl = NULL;
	struct error why = { 0 };
	int r = nft_open(&nl, &why);

	if (r == -EOPNOTSUPP)
		return 0;
	if (r < 0) {
		*err = why;
		return r;
	}
	nft_queue_find_table(nl, NFT_IP, OVERLAY_TABLE, &present->tables[0]);
	nft_queue_find_table(nl, NFT_IP6, OVERLAY_TABLE6, &present->tables[1]);
	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		nft_queue_find_chain(nl, nftables_family(places[i].family), places[i].table,
				     places[i].when, &present->chains[i]);
	return netlink_commit(nl, err);
}

static int find_in_legacy(struct present *present, struct error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		auto_arena struct arena arena = { 0 };
		struct legacy_table table;

		if (!legacy_active(places[i].family, places[i].table))
			continue;
		if (legacy_read(places[i].family, places[i].table, &arena, &table, err))
			return -err->errnum;
		present->chains[i] |= legacy_has_chain(&table, places[i].when);
	}
	return 0;
}

static void name_all(const struct present *present, struct arena *arena, overlay_names_t *removed)
{
	static const char *const tables[] = { "ip " OVERLAY_TABLE, "ip6 " OVERLAY_TABLE6 };

	for (size_t i = 0; i < ARRAY_SIZE(families); i++)
		if (present->tables[i])
			*list_add(arena, removed) =
				arena_printf(arena, "nftables: table %s", tables[i]);
	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		if (present->chains[i])
			*list_add(arena, removed) = arena_printf(
				arena, "%s: chain %s of table %s, and what led to it",
				places[i].family == RULE_IP6 ? "ip6tables" : "iptables",
				places[i].when, places[i].table);
}

int overlay_remove(struct arena *arena, overlay_names_t *removed, struct error *err)
{
	const struct overlay nothing = { .forward = false };
	struct present present = { .tables = { false } };
	struct overlay_done done;

	if (find_in_nftables(&present, err) || find_in_legacy(&present, err) ||
	    overlay_ensure(&nothing, FIREWALL_IPTABLES, true, &done, err))
		return -err->errnum;
	name_all(&present, arena, removed);
	return 0;
}
