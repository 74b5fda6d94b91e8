/* The pass: what objects come to, what is in force, and the difference written. */
#include <errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "guard/guard_internal.h"
#include "kernel/nft_monitor.h"
#include "policy/bridged.h"
#include "policy/cut.h"
#include "policy/enforce.h"

enum { SKIPS_MAX = 16 };

/* ---- closed addresses ---- */

static int close_addresses(struct guard *guard, struct error *err)
{
	auto_arena struct arena scratch = { 0 };
	const struct guard_options *options = guard->options;
	const cidrs_t *own = live_pod_cidrs(guard->live);
	cidrs_t all = { 0 };

	list_each(cidr, &options->close)
		*list_add(&scratch, &all) = *cidr;
	if (options->close_node && !own->n && guard->first)
		return fail(
			err, ENODATA,
			"--close node: the node \"%s\" has no podCIDR that could be closed; name"
			" the range instead",
			options->node);
	if (options->close_node && !own->n)
		return 0; /* what it had */
	for (size_t i = 0; options->close_node && i < own->n; i++)
		*list_add(&scratch, &all) = own->items[i];
	live_close_addresses(guard->live, &all);
	return 0;
}

/* ---- writing ---- */

static void count_written(struct guard *guard, const struct difference *difference)
{
	struct guard_counts *counts = &guard->counts;

	counts->writes++;
	list_each(change, &difference->sets) {
		counts->elements_added += change->more.n;
		counts->elements_removed += change->gone.n;
	}
	counts->groups +=
		difference->new_groups.n + difference->old_groups.n + difference->groups.n;
}

static void tell_written(const struct difference *difference, bool repair)
{
	size_t more = 0, gone = 0;
	size_t groups = difference->new_groups.n + difference->old_groups.n + difference->groups.n;
	size_t sets = difference->new_sets.n + difference->old_sets.n;

	list_each(change, &difference->sets) {
		more += change->more.n;
		gone += change->gone.n;
	}
	log_line(groups || sets || difference->damaged || repair ? LOG_INFO : LOG_DEBUG,
		 "%s: %zu group%s, %zu set%s new, %zu old, %zu elements more, %zu less",
		 repair ? "repaired" : "written", groups, groups == 1 ? "" : "s",
		 difference->new_sets.n, difference->new_sets.n == 1 ? "" : "s",
		 difference->old_sets.n, more, gone);
}

static void hear_nothing(void *arg unused, const struct nft_event *event unused)
{
}

/* Our own doing comes back as events, more than fit where they wait: it is no news. */
static void skip_own_events(struct guard *guard)
{
	struct error err = { 0 };
	int r = guard->monitor ? -ENOBUFS : 0;

	for (unsigned i = 0; i < SKIPS_MAX && r == -ENOBUFS; i++)
		r = nft_monitor_read(guard->monitor, hear_nothing, NULL, &err);
	if (r < 0)
		log_debug("%s", err.message);
}

/* Rules are in force all the same when that fails. */
static void cut_connections(const struct guard *guard)
{
	struct error err = { 0 };
	size_t n = 0;

	if (!guard->options->cut)
		return;
	if (flows_cut(live_compiled(guard->live), &n, &err) < 0)
		log_warning("%s", err.message);
	else if (n)
		log_info("%zu connection%s cut, denied by now", n, n == 1 ? "" : "s");
}

static int write_difference(struct guard *guard, const struct difference *difference, bool repair,
			    struct error *err)
{
	int r;

	if (difference_is_empty(difference))
		return 0;
	r = guard->options->backend->write(difference, &guard->options->treatment, err);
	skip_own_events(guard);
	if (r < 0)
		return r;
	count_written(guard, difference);
	guard->counts.repairs += repair;
	tell_written(difference, repair);
	cut_connections(guard);
	return 0;
}

/* What another back end has of ours, when the new is in force. */
static int sweep_rivals(struct guard *guard, struct arena *arena, struct error *err)
{
	rivals_t rivals = { 0 };
	int r;

	if (!guard->first)
		return 0;
	r = enforce_rivals(guard->options->backend, arena, &rivals, err);
	if (r == 0)
		r = enforce_sweep(&rivals, err);
	if (r == 0 && rivals.n)
		log_info("taken over from %s", rivals.items[0].backend->name);
	return r;
}

/* Policies that are in force and that packets do not pass are a trouble, not a failure: others are seen by them. */
static void check_bridges(struct guard *guard)
{
	struct error why = { 0 };
	symbol_t node = 0;
	const struct world *world = live_world(guard->live, &node);

	if (bridged_check(world, node, guard->options->bridge_netfilter, &why) < 0)
		trouble_tell(&guard->bridges, why.message);
	else
		guard->bridges.n = 0;
}

/* What is in force is not known: it is read, and brought to what is wanted. What was known and differs is damage. */
static int bring_all(struct guard *guard, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	struct found found = {
		.compiled = { .arena = &arena, .known = NO_SET, .subjects = { NO_SET, NO_SET } }
	};
	struct difference difference;
	bool known = !guard->first && difference_is_empty(live_update(guard->live));
	int r = guard->options->backend->read(&arena, &found, err);

	if (r < 0)
		return wrap(err, "read what is in force");
	guard->counts.looks++;
	guard->looked_ms = clock_ms();
	difference_of(&found.compiled, live_compiled(guard->live), &arena, &difference);
	difference.damaged = !found.present || found.damages.n ||
			     !treatment_equal(&found.treatment, &guard->options->treatment);
	list_each(damage, &found.damages)
		log_info("%s: %s", damage->place, damage->what);
	check_bridges(guard);
	r = write_difference(guard, &difference, known && guard->fine, err);
	return r < 0 ? r : sweep_rivals(guard, &arena, err);
}

static int bring(struct guard *guard, struct error *err)
{
	const struct difference *difference = live_update(guard->live);
	auto_close int lock = -1;
	int r;

	if (!guard->look && difference_is_empty(difference))
		return 0;
	r = enforce_lock(&lock, err);
	if (r == 0)
		r = guard->look ? bring_all(guard, err)
				: write_difference(guard, difference, false, err);
	if (r == 0 && guard->options->backend->state)
		guard->state = guard->options->backend->state();
	return r;
}

int guard_pass(struct guard *guard, struct error *err)
{
	const uint64_t written = guard->counts.writes;
	int64_t start = clock_ms();
	int r;

	guard->counts.passes++;
	gate_tell(guard->gate);
	r = close_addresses(guard, err);
	if (r < 0 && guard->first)
		guard_end_with(guard, err);
	if (r == 0)
		r = bring(guard, err);
	if (r == 0)
		r = told_keep(guard, err);
	guard->counts.last_ms = clock_ms() - start;
	if (r < 0) {
		guard->counts.failed++;
		guard->look = true; /* some of it may be in force */
		return r;
	}
	guard->look = guard->first = false;
	live_settle(guard->live);
	gate_answer(guard->gate);
	/* What changes nothing here has not to come into force. */
	if (guard->heard_ms && guard->counts.writes != written)
		guard->counts.update_ms = clock_ms() - guard->heard_ms;
	guard->heard_ms = 0;
	return 0;
}
