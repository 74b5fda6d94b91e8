/* Removal of rules and chains in the iptables form; see sweep.h. Everything is found before anything is queued. */
#include "firewall/sweep.h"

#include <errno.h>

#include "firewall/legacy.h"

typedef LIST(const char *) names_t;

/* One table of one family: what is in it, and what has to go. */
struct found {
	const struct sweep *sweep;
	struct arena *arena;
	enum rule_family family;
	const char *table;
	names_t targets; /* of all rules in the places */
	LIST(struct found_rule {
		const char *chain;
		uint64_t handle;
	})
	rules;
	names_t chains;
};

static bool is_xt(enum rule_family family)
{
	return family == RULE_IP || family == RULE_IP6;
}

static bool has_name(const names_t *names, const char *name)
{
	list_each(known, names)
		if (streq(*known, name))
			return true;
	return false;
}

static void add_name(struct arena *arena, names_t *names, const char *name)
{
	if (!has_name(names, name))
		*list_add(arena, names) = name;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void judge(struct found *found, const struct sweep_place *place, const nft_rules_t *rules)
{
	const struct sweep *sweep = found->sweep;

	list_each(rule, rules) {
		enum sweep_verdict verdict = sweep->rule(place, rule, sweep->arg);

		if (sweep->orphan && *rule->target)
			*list_add(found->arena, &found->targets) = rule->target;
		if (verdict == SWEEP_KEEP)
			continue;
		*list_add(found->arena, &found->rules) =
			(struct found_rule){ place->chain, rule->handle };
		if (verdict == SWEEP_TARGET && *rule->target)
			add_name(found->arena, &found->chains, rule->target);
	}
}

/* Chains that look like ours, and that nothing leads to any more. rules: of a chain, by whatever reads them. */
typedef int rules_fn(void *from, const struct found *found, const char *chain, nft_rules_t *rules,
		     struct error *err);

static int judge_orphans(struct found *found, const nft_names_t *chains, rules_fn *read, void *from,
			 struct error *err)
{
	const struct sweep *sweep = found->sweep;
	int r = 0;

	if (found->targets.n)
		qsort(found->targets.items, found->targets.n, sizeof(*found->targets.items),
		      compare_names);
	list_each(chain, chains) {
		nft_rules_t rules = { 0 };

		if (r < 0 || !sweep->orphan(*chain, NULL, sweep->arg) ||
		    (found->targets.n && bsearch(chain, found->targets.items, found->targets.n,
						 sizeof(*found->targets.items), compare_names)))
			continue;
		r = read(from, found, *chain, &rules, err);
		if (r == 0 && rules.n && sweep->orphan(*chain, rules.items, sweep->arg))
			add_name(found->arena, &found->chains, *chain);
	}
	return r;
}

/* ---- nf_tables ---- */

struct presence {
	bool place, when;
};

static int nft_read(void *nl, const struct found *found, const char *chain, nft_rules_t *rules,
		    struct error *err)
{
	return nft_rules(nl, nftables_family(found->family), found->table, chain, found->arena,
			 rules, err);
}

/* One exchange says what there is to list. */
static int find_places(struct netlink *nl, const struct sweep *sweep, struct presence *presence,
		       bool *chains, struct error *err)
{
	for (size_t i = 0; i < sweep->n_places; i++) {
		const struct sweep_place *place = &sweep->places[i];
		enum nft_family family = nftables_family(place->family);

		nft_queue_find_chain(nl, family, place->table, place->chain, &presence[i].place);
		if (place->when)
			nft_queue_find_chain(nl, family, place->table, place->when,
					     &presence[i].when);
		else
			presence[i].when = true;
	}
	for (size_t i = 0; i < sweep->n_chains; i++)
		nft_queue_find_chain(nl, nftables_family(sweep->chains[i].family),
				     sweep->chains[i].table, sweep->chains[i].chain, &chains[i]);
	return netlink_commit(nl, err);
}

static struct found *found_in(struct arena *arena, struct found *all, size_t *n,
			      const struct sweep *sweep, const struct sweep_place *place)
{
	for (size_t i = 0; i < *n; i++)
		if (all[i].family == place->family && streq(all[i].table, place->table))
			return &all[i];
	all[*n] = (struct found){
		.sweep = sweep, .arena = arena, .family = place->family, .table = place->table
	};
	return &all[(*n)++];
}

static int find_orphans(struct netlink *nl, struct found *found, struct error *err)
{
	nft_names_t chains = { 0 };
	int r;

	if (!found->sweep->orphan || !is_xt(found->family))
		return 0;
	r = nft_chains(nl, nftables_family(found->family), found->table, found->arena, &chains,
		       err);
	return r < 0 ? r : judge_orphans(found, &chains, nft_read, nl, err);
}

static int find_all(struct netlink *nl, const struct sweep *sweep, struct arena *arena,
		    struct found *all, size_t *n, struct error *err)
{
	struct presence *presence = arena_alloc(arena, sweep->n_places * sizeof(*presence) + 1);
	bool *chains = arena_alloc(arena, sweep->n_chains + 1);
	int r = find_places(nl, sweep, presence, chains, err);

	for (size_t i = 0; i < sweep->n_places && r == 0; i++) {
		struct found *found = found_in(arena, all, n, sweep, &sweep->places[i]);
		nft_rules_t rules = { 0 };

		if (presence[i].place && presence[i].when)
			r = nft_read(nl, found, sweep->places[i].chain, &rules, err);
		judge(found, &sweep->places[i], &rules);
	}
	for (size_t i = 0; i < sweep->n_chains && r == 0; i++) {
		struct found *found = found_in(arena, all, n, sweep, &sweep->chains[i]);

		if (chains[i])
			add_name(arena, &found->chains, sweep->chains[i].chain);
	}
	for (size_t i = 0; i < *n && r == 0; i++)
		r = find_orphans(nl, &all[i], err);
	if (r == 0 && sweep->look)
		r = sweep->look(nl, arena, sweep->arg, err);
	return r;
}

/* Rules before the chains that they lead to; the chains may lead to each other. */
static void queue_removal(struct netlink *nl, const struct found *found)
{
	enum nft_family family = nftables_family(found->family);

	list_each(rule, &found->rules)
		if (!has_name(&found->chains, rule->chain))
			nft_queue_del_rule(nl, family, found->table, rule->chain, rule->handle);
	for (size_t i = 0; found->chains.n > 1 && i < found->chains.n; i++)
		nft_queue_flush_chain(nl, family, found->table, found->chains.items[i]);
	list_each(chain, &found->chains)
		nft_queue_del_chain(nl, family, found->table, *chain);
}

static int try_remove(struct netlink *nl, void *arg, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	const struct sweep *sweep = arg;
	struct found *all =
		arena_alloc(&arena, (sweep->n_places + sweep->n_chains + 1) * sizeof(*all));
	size_t n = 0;
	int r = find_all(nl, sweep, &arena, all, &n, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++)
		queue_removal(nl, &all[i]);
	if (sweep->queue)
		sweep->queue(nl, sweep->arg);
	return netlink_commit(nl, err);
}

static int remove_in_nftables(const struct sweep *sweep, struct error *err)
{
	auto_netlink struct netlink *nl = NULL;
	auto_close int turn unused = -1;
	int r = nft_open(&nl, err);

	if (r < 0)
		return r == -EOPNOTSUPP ? 0 : r;
	turn = nftables_turn();
	return nftables_retry(nl, try_remove, (void *)sweep, err);
}

/* ---- legacy tables ---- */

static int legacy_read_chain(void *table, const struct found *found, const char *chain,
			     nft_rules_t *rules, struct error *err unused)
{
	legacy_rules(table, chain, found->arena, rules);
	return 0;
}

static bool is_in(const struct sweep_place *place, const struct legacy_table *table)
{
	return place->family == table->family && streq(place->table, table->name);
}

static int remove_legacy(const struct sweep *sweep, enum rule_family family, const char *name,
			 struct error *err)
{
	auto_arena struct arena arena = { 0 };
	struct legacy_table table;
	struct found found = { .sweep = sweep, .arena = &arena };
	legacy_handles_t handles = { 0 };
	int r = legacy_read(family, name, &arena, &table, err);

	for (size_t i = 0; i < sweep->n_places && r == 0; i++) {
		const struct sweep_place *place = &sweep->places[i];
		nft_rules_t rules = { 0 };

		if (!is_in(place, &table))
			continue;
		legacy_rules(&table, place->chain, &arena, &rules);
		judge(&found, place, &rules);
	}
	for (size_t i = 0; i < sweep->n_chains && r == 0; i++)
		if (is_in(&sweep->chains[i], &table) &&
		    legacy_has_chain(&table, sweep->chains[i].chain))
			add_name(&arena, &found.chains, sweep->chains[i].chain);
	if (r == 0 && sweep->orphan)
		r = judge_orphans(&found, (const nft_names_t *)&table.chains, legacy_read_chain,
				  &table, err);
	list_each(rule, &found.rules)
		*list_add(&arena, &handles) = rule->handle;
	return r < 0 ? r : legacy_remove(&table, &handles, (legacy_names_t *)&found.chains, err);
}

/* Was this table one of the earlier places, too? */
static bool seen(const struct sweep *sweep, size_t i)
{
	for (size_t j = 0; j < i; j++)
		if (sweep->places[j].family == sweep->places[i].family &&
		    streq(sweep->places[j].table, sweep->places[i].table))
			return true;
	return false;
}

int sweep_run(const struct sweep *sweep, struct error *err)
{
	struct error first = { 0 };
	int r = sweep->where == SWEEP_LEGACY ? 0 : remove_in_nftables(sweep, &first);

	for (size_t i = 0; sweep->where != SWEEP_NFTABLES && i < sweep->n_places; i++) {
		const struct sweep_place *place = &sweep->places[i];
		struct error later = { 0 };
		int r2;

		if (!is_xt(place->family) || seen(sweep, i) ||
		    !legacy_active(place->family, place->table))
			continue;
		r2 = remove_legacy(sweep, place->family, place->table, &later);
		if (r2 < 0 && r == 0)
			first = later;
		else if (r2 < 0)
			error_join(&first, &later);
		r = r < 0 ? r : r2;
	}
	if (r < 0 && err)
		*err = first;
	return r;
}
