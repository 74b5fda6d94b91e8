/*
 * The rules of overlay.h held against what is there. The nftables form has tables of its own, which are replaced whole; the
 * iptables form has chains of its own, which are filled anew, and a jump to each in a chain that others share.
 */
#include "firewall/overlay.h"

#include <errno.h>
#include <netinet/in.h>

#include "firewall/iptables.h"
#include "firewall/overlay_shared.h"
#include "firewall/xt.h"

static const int families[] = { AF_INET, AF_INET6 };

/* ---- the nftables form ---- */

struct native {
	const struct overlay *overlay;
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

static bool same_hook(const struct chain *wanted, const struct nft_chain_info *there)
{
	return there->found && streq(there->type, wanted->type) && there->hook == wanted->hook &&
	       there->priority == wanted->priority;
}

/* The chain with other networks' lines behind ours. Where nothing is wanted of it, theirs and the common one are. */
static void keep_others(struct arena *arena, struct ruleset *set, struct native_chain *chain,
			const struct overlay_lines *lines)
{
	nft_rules_t common = { 0 };

	if (!lines->others.n)
		return;
	list_each(rule, &lines->ours)
		if (!chain->wanted && overlay_is_common(rule))
			*list_add(arena, &common) = *rule;
	if (!chain->wanted)
		ruleset_chain(arena, set, .name = chain->name, .type = chain->there.type,
			      .hook = chain->there.hook, .priority = chain->there.priority,
			      .accept_policy = true, .flush = true);
	overlay_keep(arena, set, chain->name, &common);
	overlay_keep(arena, set, chain->name, &lines->others);
}

/* 1: it is as it should be; the set is then without other networks' lines, else with them. */
static int is_chain_right(struct netlink *nl, const struct overlay *overlay, struct arena *arena,
			  struct ruleset *set, struct native_chain *chain, struct error *err)
{
	nft_rules_t rules = { 0 };
	struct overlay_lines lines;
	bool right;

	if (!chain->there.found)
		return !chain->wanted;
	if (nft_rules(nl, nftables_family(set->family), set->table, chain->name, arena, &rules,
		      err))
		return -err->errnum;
	overlay_split(arena, overlay, &rules, &lines);
	if (chain->wanted)
		right = same_hook(chain->wanted, &chain->there) &&
			overlay_same(set, chain->name, &lines.ours);
	else
		right = lines.others.n &&
			(!lines.ours.n ||
			 (lines.ours.n == 1 && overlay_is_common(&lines.ours.items[0])));
	keep_others(arena, set, chain, &lines);
	return right;
}

/* 1: the table is as it should be. */
static int is_native_right(struct netlink *nl, const struct overlay *overlay, struct arena *arena,
			   struct ruleset *set, bool table, struct native_chain chains[N_CHAINS],
			   struct error *err)
{
	bool right = true;

	for (size_t i = 0; i < N_CHAINS; i++) {
		int r = is_chain_right(nl, overlay, arena, set, &chains[i], err);

		if (r < 0)
			return r;
		right &= r > 0;
	}
	return right && table == (set->chains.n > 0);
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
	auto_arena struct arena arena = { 0 };
	struct native *native = arg;
	struct ruleset sets[ARRAY_SIZE(families)];
	struct native_chain chains[ARRAY_SIZE(families)][N_CHAINS];
	bool tables[ARRAY_SIZE(families)], right[ARRAY_SIZE(families)];

	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		const struct ruleset *set = &native->sets[i];
		enum nft_family family = nftables_family(set->family);

		sets[i] = (struct ruleset){ .family = set->family, .table = set->table };
		list_each(chain, &set->chains)
			*list_add(&arena, &sets[i].chains) = *chain;
		list_each(rule, &set->rules)
			*list_add(&arena, &sets[i].rules) = *rule;
		find_wanted(set, chains[i]);
		nft_queue_find_table(nl, family, set->table, &tables[i]);
		for (size_t j = 0; j < N_CHAINS; j++)
			nft_queue_get_chain(nl, family, set->table, chains[i][j].name,
					    &chains[i][j].there);
	}
	if (netlink_commit(nl, err))
		return -err->errnum;
	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		int r = is_native_right(nl, native->overlay, &arena, &sets[i], tables[i], chains[i],
					err);

		if (r < 0)
			return r;
		right[i] = r;
	}
	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		if (!right[i])
			queue_native(nl, &sets[i]);
		native->changed |= !right[i];
	}
	return netlink_commit(nl, err);
}

/* No nf_tables is fine where no rules are wanted of it. */
static int ensure_native(const struct overlay *overlay, bool *changed, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	auto_netlink struct netlink *nl = NULL;
	struct native native = { .overlay = overlay };
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
	const struct overlay *overlay;
	bool thorough;
	struct overlay_done *done;
};

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
	const struct rule *jump = overlay_jump(change->asked);
	bool add = overlay_jump(&change->set);
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
	struct overlay_lines lines;
	nft_rules_t there = { 0 };

	if (change->filled) {
		if (xt_rules(view, chain, arena, &there, err))
			return -err->errnum;
		overlay_split(arena, looking->overlay, &there, &lines);
		if (overlay_same(change->asked, chain, &lines.ours))
			keep_chain(change, chain);
		else
			overlay_keep(arena, &change->set, chain, &lines.others);
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
	struct looking looking = { overlay, thorough, done };

	for (size_t i = 0; i < ARRAY_SIZE(families); i++)
		overlay_xt_rules(&arena, overlay, families[i], &sets[2 * i]);
	return xt_apply(sets, ARRAY_SIZE(sets), look, &looking, err);
}

/* ---- both ---- */

int overlay_ensure(const struct overlay *overlay, enum firewall_backend form, bool thorough,
		   struct overlay_done *done, struct error *err)
{
	const struct overlay nothing = overlay_nothing(overlay);
	const struct overlay *native = form == FIREWALL_NFTABLES ? overlay : &nothing,
			     *xt = form == FIREWALL_IPTABLES ? overlay : &nothing;

	/* What is wanted comes before the other form goes. */
	*done = (struct overlay_done){ .changed = false };
	if ((form == FIREWALL_NFTABLES && ensure_native(native, &done->changed, err)) ||
	    ensure_xt(xt, thorough, done, err) || overlay_clean_xt(xt, thorough, err) ||
	    (form == FIREWALL_IPTABLES && ensure_native(native, &done->changed, err)))
		return wrap(err, "masquerade and forward rules");
	return 0;
}
