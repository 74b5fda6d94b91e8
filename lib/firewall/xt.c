/*
 * The iptables form; see xt.h. An attempt by netlink is one look at the chains that take part, a listing of those in
 * which a rule is to be once, and one transaction in which what was not there must be new, so that who is beaten by
 * another looks again. What grows with the number of attachments is the listing of long shared chains, and the kernel's
 * commit.
 */
#include "firewall/xt.h"

#include <errno.h>

#include "base/log.h"
#include "firewall/iptables.h"
#include "firewall/legacy.h"

#define REFUSALS      4 /* lost races, after which it was none */
#define PROGRAM_TRIES 4
#define TURN_TRIES    15 /* of 2 seconds, for the turn to run programs */

struct chain_state {
	const char *name;
	const struct chain *chain; /* of the set, NULL = of the kernel */
	struct nft_chain_info info;
	bool listed;
	nft_rules_t rules;
};

struct attempt {
	const struct ruleset *sets;
	size_t n;
	bool *by_program; /* which of them netlink cannot carry */
	xt_look_fn *look;
	void *arg;
	unsigned refusals;
	bool in_turn; /* the caller has it already: it is the same lock, and would wait for itself */
};

/* One set within one attempt. */
struct work {
	struct xt_view view;
	struct xt_change change;
	LIST(struct chain_state) chains;
};

/* The chains of the kernel, as iptables-nft makes them. */
static const struct base {
	const char *table, *chain, *type;
	int hook, priority;
} bases[] = {
	{ "nat", "PREROUTING", "nat", NFT_PREROUTING, -100 },
	{ "nat", "INPUT", "nat", NFT_INPUT, 100 },
	{ "nat", "OUTPUT", "nat", NFT_OUTPUT, -100 },
	{ "nat", "POSTROUTING", "nat", NFT_POSTROUTING, 100 },
	{ "filter", "INPUT", "filter", NFT_INPUT, 0 },
	{ "filter", "FORWARD", "filter", NFT_FORWARD, 0 },
	{ "filter", "OUTPUT", "filter", NFT_OUTPUT, 0 },
};

static const struct base *base_of(const char *table, const char *chain)
{
	for (size_t i = 0; i < ARRAY_SIZE(bases); i++)
		if (streq(bases[i].table, table) && streq(bases[i].chain, chain))
			return &bases[i];
	return NULL;
}

static bool is_base(const struct base *base, const struct nft_chain_info *info)
{
	return info->found && streq(info->type, base->type) && info->hook == base->hook &&
	       info->priority == base->priority;
}

static struct chain_state *state_of(struct work *work, const char *chain)
{
	list_each(state, &work->chains)
		if (streq(state->name, chain))
			return state;
	return NULL;
}

/* Every chain that takes part: those of the set, and the kernel's that its rules go to. */
static void collect_chains(struct arena *arena, const struct ruleset *set, struct work *work)
{
	list_each(chain, &set->chains)
		*list_add(arena, &work->chains) =
			(struct chain_state){ .name = chain->name, .chain = chain };
	list_each(rule, &set->rules)
		if (!state_of(work, rule->chain))
			*list_add(arena, &work->chains) =
				(struct chain_state){ .name = rule->chain };
}

static int list_chain(const struct work *work, struct chain_state *state, struct arena *arena,
		      struct error *err)
{
	if (state->listed || !state->info.found)
		return 0;
	state->listed = true;
	return xt_rules(&work->view, state->name, arena, &state->rules, err);
}

/* Whoever counts as a user of the target and is not a rule in it, jumps to it. */
static int is_jumped_to(struct work *work, const char *target, struct arena *arena,
			struct error *err)
{
	struct chain_state *state = state_of(work, target);
	int r = state ? list_chain(work, state, arena, err) : 0;

	return r < 0 ? r : state && state->info.users > state->rules.n;
}

/* 1 when the rule is there already. */
static int is_there(struct work *work, const struct rule *rule, struct arena *arena,
		    struct error *err)
{
	struct chain_state *state = state_of(work, rule->chain);
	int r;

	if (rule->once == RULE_ALWAYS)
		return 0;
	if (rule->once == RULE_ONCE_BY_TARGET && work->view.nl)
		return is_jumped_to(work, rule->target, arena, err);
	r = list_chain(work, state, arena, err);
	return r < 0 ? r : nftables_has(&state->rules, rule);
}

/* The change: less chains and rules that are there. */
static int plan(struct work *work, const struct ruleset *set, struct arena *arena,
		struct error *err)
{
	struct xt_change *change = &work->change;

	*change = (struct xt_change){ .asked = set,
				      .set = { .family = set->family, .table = set->table } };
	list_each(state, &work->chains) {
		if (!state->chain)
			continue;
		if (state->chain->flush || !state->info.found)
			*list_add(arena, &change->set.chains) = *state->chain;
		if (state->chain->flush && state->info.found)
			change->filled = true;
	}
	list_each(rule, &set->rules) {
		int r = is_there(work, rule, arena, err);

		if (r < 0)
			return r;
		if (!r)
			*list_add(arena, &change->set.rules) = *rule;
	}
	return 0;
}

static void queue_deletions(struct netlink *nl, const struct work *work)
{
	enum nft_family family = nftables_family(work->view.family);

	list_each(deletion, &work->change.deletions)
		nft_queue_del_rule(nl, family, work->view.table, deletion->chain, deletion->handle);
	list_each(chain, &work->change.doomed)
		nft_queue_del_chain(nl, family, work->view.table, *chain);
}

static void queue_change(struct netlink *nl, struct work *work)
{
	const struct ruleset *set = &work->change.set;
	enum nft_family family = nftables_family(set->family);

	queue_deletions(nl, work);
	list_each(chain, &set->chains) {
		struct chain_state *state = state_of(work, chain->name);
		struct nft_chain new = { .name = chain->name, .must_be_new = true };

		if (state && state->info.found)
			nft_queue_flush_chain(nl, family, set->table, chain->name);
		else
			nft_queue_chain(nl, family, set->table, &new);
	}
	nftables_queue_xt(nl, set);
}

/* Can netlink carry this set? Its table must be as iptables-nft makes it. */
static bool has_bases(const struct work *work)
{
	list_each(state, &work->chains) {
		const struct base *base = base_of(work->view.table, state->name);

		if (!state->chain && (!base || !is_base(base, &state->info)))
			return false;
	}
	return true;
}

static void queue_look(struct netlink *nl, struct work *work)
{
	list_each(state, &work->chains)
		nft_queue_get_chain(nl, nftables_family(work->view.family), work->view.table,
				    state->name, &state->info);
}

static int prepare(struct attempt *attempt, struct work *work, const struct ruleset *set,
		   struct arena *arena, struct error *err)
{
	int r = plan(work, set, arena, err);

	if (r == 0 && attempt->look)
		r = attempt->look(&work->view, arena, &work->change, attempt->arg, err);
	return r;
}

/* Does it depend on what we saw? Then nothing may have changed since: two that each miss a shared rule would both add
 * it. */
static bool is_conditional(const struct xt_change *change)
{
	list_each(rule, &change->set.rules)
		if (rule->once != RULE_ALWAYS)
			return true;
	return change->deletions.n;
}

/* One look for all sets, one transaction for those that netlink can carry. */
static int try_netlink(struct netlink *nl, void *arg, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	struct attempt *attempt = arg;
	struct work *works = arena_alloc(&arena, attempt->n * sizeof(*works));
	uint32_t generation;
	bool conditional = false;
	int r;

	nft_queue_get_generation(nl, &generation);
	for (size_t i = 0; i < attempt->n; i++) {
		const struct ruleset *set = &attempt->sets[i];

		works[i].view =
			(struct xt_view){ .family = set->family, .table = set->table, .nl = nl };
		if (attempt->by_program[i])
			continue;
		collect_chains(&arena, set, &works[i]);
		queue_look(nl, &works[i]);
	}
	r = netlink_commit(nl, err);
	for (size_t i = 0; i < attempt->n && r == 0; i++) {
		if (!attempt->by_program[i])
			attempt->by_program[i] = !has_bases(&works[i]);
		if (!attempt->by_program[i])
			r = prepare(attempt, &works[i], &attempt->sets[i], &arena, err);
	}
	if (r < 0)
		return r;
	for (size_t i = 0; i < attempt->n; i++) {
		if (attempt->by_program[i])
			continue;
		queue_change(nl, &works[i]);
		conditional = conditional || is_conditional(&works[i].change);
	}
	if (conditional)
		netlink_expect_generation(nl, generation);
	r = netlink_commit(nl, err);
	/* An extension that the kernel lacks is as much ENOENT as a chain that has just gone. */
	return (r == -ENOENT || r == -EEXIST) && ++attempt->refusals == REFUSALS ? -EOPNOTSUPP : r;
}

/* What the program is told in place of what it found out itself: the rules of a legacy table, or those that netlink
 * shows of a table of iptables-nft that is not as it should be. */
static int look_for_program(struct netlink *nl, struct legacy_table *legacy, struct work *work,
			    struct arena *arena, struct error *err)
{
	const struct ruleset *set = work->change.asked;
	int r = 0;

	work->view = (struct xt_view){ .family = set->family, .table = set->table, .nl = nl };
	if (nl) {
		queue_look(nl, work);
		return netlink_commit(nl, err);
	}
	if (legacy_active(set->family, set->table))
		r = legacy_read(set->family, set->table, arena, legacy, err);
	work->view.legacy = legacy;
	list_each(state, &work->chains)
		state->info.found = legacy_has_chain(legacy, state->name);
	return r;
}

/* Deletions come first, in a transaction or a run of their own: the program cannot delete by handle. */
static int delete_first(struct netlink *nl, const struct legacy_table *legacy, struct work *work,
			struct arena *arena, struct error *err)
{
	legacy_handles_t handles = { 0 };

	if (nl) {
		queue_deletions(nl, work);
		return netlink_commit(nl, err);
	}
	list_each(deletion, &work->change.deletions)
		*list_add(arena, &handles) = deletion->handle;
	return legacy_remove(legacy, &handles, (legacy_names_t *)&work->change.doomed, err);
}

static bool is_empty(const struct ruleset *set)
{
	return !set->rules.n && !set->chains.n;
}

/* One run of the program. It is refused when a shared chain has been made since we looked. */
static int try_program(struct attempt *attempt, const struct ruleset *set, struct netlink *nl,
		       struct error *err)
{
	auto_arena struct arena arena = { 0 };
	struct legacy_table legacy = { .name = set->table, .family = set->family };
	struct work work = { .change = { .asked = set } };
	int r;

	collect_chains(&arena, set, &work);
	r = look_for_program(nl, &legacy, &work, &arena, err);
	if (r == 0)
		r = prepare(attempt, &work, set, &arena, err);
	if (r == 0)
		r = delete_first(nl, &legacy, &work, &arena, err);
	if (r < 0)
		return nftables_raced(r) ? -EAGAIN : r;
	r = is_empty(&work.change.set) ? 0 : iptables_apply(&work.change.set, err);
	return r == -EIO ? -EAGAIN : r;
}

static int run_program(struct attempt *attempt, const struct ruleset *set, struct netlink *nl,
		       struct error *err)
{
	struct error local;
	int r = 0;

	for (unsigned tries = 0; tries < PROGRAM_TRIES; tries++) {
		local = (struct error){ 0 };
		r = try_program(attempt, set, nl, &local);
		if (r != -EAGAIN)
			break;
	}
	if (r < 0 && err)
		*err = local;
	return r < 0 ? -local.errnum : 0;
}

static int run_netlink(struct netlink *nl, struct attempt *attempt, struct error *err)
{
	struct error why = { 0 };
	int r = nftables_retry(nl, try_netlink, attempt, &why);

	if (r < 0 && r != -EOPNOTSUPP && !nftables_raced(r)) {
		if (err)
			*err = why;
		return r;
	}
	if (r < 0) {
		log_debug("firewall: iptables-restore is needed: %s", why.message);
		for (size_t i = 0; i < attempt->n; i++)
			attempt->by_program[i] = true;
	}
	return 0;
}

/* Can netlink carry it, if the tables are there? */
static bool suits_netlink(const struct ruleset *set, enum iptables_kind kind)
{
	return kind == IPTABLES_NFT && nftables_can_xt(set) && iptables_clean(set);
}

/*
 * What netlink could not carry. One at a time: what the program does is not tied to what we saw, and many that come at
 * once on a node that has just booted would all run it. Whoever had to wait finds the tables that the first has made.
 */
static int run_programs(struct netlink *nl, struct attempt *attempt, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	struct ruleset *rest = arena_alloc(&arena, attempt->n * sizeof(*rest) + 1);
	struct attempt again = { .sets = rest, .look = attempt->look, .arg = attempt->arg };
	auto_close int turn = -1;
	int r = 0;

	again.by_program = arena_alloc(&arena, attempt->n + 1);
	for (size_t i = 0; i < attempt->n; i++) {
		if (!attempt->by_program[i])
			continue;
		again.by_program[again.n] =
			!suits_netlink(&attempt->sets[i], iptables_kind(attempt->sets[i].family));
		rest[again.n++] = attempt->sets[i];
	}
	for (unsigned i = 0; turn < 0 && again.n && !attempt->in_turn && i < TURN_TRIES; i++)
		turn = nftables_turn();
	if (nl && again.n)
		r = run_netlink(nl, &again, err);
	for (size_t i = 0; i < again.n && r == 0; i++)
		if (again.by_program[i])
			r = run_program(&again, &rest[i],
					iptables_kind(rest[i].family) == IPTABLES_NFT ? nl : NULL,
					err);
	return r;
}

void xt_delete(struct arena *arena, struct xt_change *change, const char *chain, uint64_t handle)
{
	*list_add(arena, &change->deletions) = (struct xt_deletion){ chain, handle };
}

void xt_delete_chain(struct arena *arena, struct xt_change *change, const char *chain)
{
	*list_add(arena, &change->doomed) = chain;
}

static int apply(const struct ruleset *sets, size_t n, const struct attempt *how, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	auto_netlink struct netlink *nl = NULL;
	struct ruleset *filled = arena_alloc(&arena, n * sizeof(*filled) + 1);
	struct attempt attempt = *how;
	bool any_nft = false;
	int r = 0;

	attempt.sets = filled;
	attempt.by_program = arena_alloc(&arena, n + 1);
	for (size_t i = 0; i < n; i++) {
		enum iptables_kind kind; /* looked for once: it is a walk through PATH */

		if (is_empty(&sets[i]))
			continue;
		kind = iptables_kind(sets[i].family);
		filled[attempt.n] = sets[i];
		any_nft = any_nft || kind == IPTABLES_NFT;
		attempt.by_program[attempt.n++] = !suits_netlink(&sets[i], kind);
	}
	if (any_nft)
		r = nft_open(&nl, err);
	if (r == 0 && nl)
		r = run_netlink(nl, &attempt, err);
	return r < 0 ? r : run_programs(nl, &attempt, err);
}

int xt_apply(const struct ruleset *sets, size_t n, xt_look_fn *look, void *arg, struct error *err)
{
	return apply(sets, n, &(struct attempt){ .look = look, .arg = arg }, err);
}

int xt_apply_in_turn(const struct ruleset *sets, size_t n, xt_look_fn *look, void *arg,
		     struct error *err)
{
	return apply(sets, n, &(struct attempt){ .look = look, .arg = arg, .in_turn = true }, err);
}

/* The first rule that is not there, NULL = all are. */
static int find_missing(const struct xt_view *view, const struct ruleset *set, struct arena *arena,
			const struct rule **missing, struct error *err)
{
	nft_rules_t there = { 0 };
	const char *chain = "";

	*missing = NULL;
	list_each(rule, &set->rules) {
		int r = streq(chain, rule->chain)
				? 0
				: xt_rules(view, chain = rule->chain, arena, &there, err);

		if (r < 0)
			return r;
		if (!nftables_has(&there, rule)) {
			*missing = rule;
			break;
		}
	}
	return 0;
}

static int check_set(struct netlink *nl, const struct ruleset *set, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	struct legacy_table legacy = { 0 };
	struct xt_view view = { .family = set->family, .table = set->table, .nl = nl };
	const struct rule *missing, *missing_legacy = NULL;
	int r = find_missing(&view, set, &arena, &missing, err);

	if (r < 0 || !missing)
		return r;
	if (legacy_active(set->family, set->table)) {
		r = legacy_read(set->family, set->table, &arena, &legacy, err);
		view = (struct xt_view){ .legacy = &legacy };
		if (r == 0)
			r = find_missing(&view, set, &arena, &missing_legacy, err);
		if (r < 0 || !missing_legacy)
			return r;
		if (missing_legacy > missing) /* more of them are there */
			missing = missing_legacy;
	}
	return fail(err, ENOENT, "expected rule \"%s\" of %s table %s not found",
		    iptables_rule_text(missing, &arena),
		    set->family == RULE_IP6 ? "ip6tables'" : "iptables'", set->table);
}

int xt_check(const struct ruleset *sets, size_t n, struct error *err)
{
	auto_netlink struct netlink *nl = NULL;
	int r = nft_open(&nl, err);

	if (r == -EOPNOTSUPP)
		r = 0;
	for (size_t i = 0; i < n && r == 0; i++)
		r = check_set(nl, &sets[i], err);
	return r;
}
