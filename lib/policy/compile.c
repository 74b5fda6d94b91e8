/*
 * Compilation: groups of local pods that the same policies select, and for each of the three tiers the clauses that its
 * rules come to. See compiled.h.
 */
#include "policy/compiled.h"

#include <stdio.h>

#include "base/text.h"
#include "policy/clause.h"
#include "policy/recipe.h"
#include "policy/set.h"

/* ---- the clauses of a group ---- */

/* All that NetworkPolicies allow is allowed, in whatever order. */
static void build_allows(struct build *build)
{
	struct group *group = build->group;
	struct clauses_request request = {
		.action = ACTION_ACCEPT,
		.comment = arena_printf(build->scratch, "peers with ports, %s", group->comment),
	};

	list_each(number, &group->policies) {
		const struct policy *policy = &build->world->policies.items[*number];

		list_each(rule, &policy->rules[group->direction])
			if (!policy->closed)
				atoms_add_rule(build->world, build->compiled, rule, build->scratch,
					       &request.atoms);
	}
	atoms_finish(&request.atoms);
	clauses_add(build, &request, &group->allows);
}

/* Rules one after the other that all do the same. Their set of pairs is another one when they say something else: its
 * elements never go with what they said before. */
static void end_run(struct build *build, struct clauses_request *run, clauses_t *clauses)
{
	if (!run->atoms.n)
		return;
	atoms_finish(&run->atoms);
	run->comment = arena_printf(
		build->scratch, "peers with ports, %s %s: %s",
		direction_names[build->group->direction], action_names[run->action],
		atoms_hash(build->world, build->compiled, &run->atoms, build->scratch));
	clauses_add(build, run, clauses);
	*run = (struct clauses_request){ 0 };
}

static void add_to_run(struct build *build, const struct cluster_policy *policy,
		       const struct cluster_rule *rule, struct clauses_request *run,
		       clauses_t *clauses)
{
	static const struct rule everything = { 0 };
	bool closed = cluster_rule_closed(policy, rule);
	enum action action = cluster_rule_action(policy, rule);

	if (closed && action == ACTION_ACCEPT)
		return;
	if (action != run->action)
		end_run(build, run, clauses);
	run->action = action;
	atoms_add_rule(build->world, build->compiled, closed ? &everything : &rule->match,
		       build->scratch, &run->atoms);
}

/* Behind the last, a Pass is what happens anyway. */
static void build_tier(struct build *build, const numbers_t *policies, enum tier tier,
		       clauses_t *clauses)
{
	struct clauses_request run = { 0 };

	list_each(number, policies) {
		const struct cluster_policy *policy = &build->world->clusters.items[*number];

		if (policy->tier == tier)
			list_each(rule, &policy->rules[build->group->direction])
				add_to_run(build, policy, rule, &run, clauses);
	}
	if (run.action != ACTION_PASS)
		end_run(build, &run, clauses);
}

/* A group that is isolated does not come to its baseline. */
static void build_clauses(struct build *build, const numbers_t *clusters)
{
	struct group *group = build->group;

	build_tier(build, clusters, TIER_ADMIN, &group->admin);
	if (group->isolated)
		build_allows(build);
	else
		build_tier(build, clusters, TIER_BASELINE, &group->baseline);
	arena_free(build->scratch);
}

/* ---- groups ---- */

struct order {
	const struct world *world;
	enum direction direction;
};

static int compare_numbers(const numbers_t *x, const numbers_t *y)
{
	for (size_t i = 0; i < x->n && i < y->n; i++)
		if (x->items[i] != y->items[i])
			return x->items[i] < y->items[i] ? -1 : 1;
	return (x->n > y->n) - (x->n < y->n);
}

/* Policies of two pods as words: equal ones are one group. */
static int compare_policies(const void *a, const void *b, void *order_)
{
	const struct order *order = order_;
	const struct pod *x = &order->world->pods.items[*(const uint32_t *)a];
	const struct pod *y = &order->world->pods.items[*(const uint32_t *)b];
	int r = compare_numbers(&x->policies[order->direction], &y->policies[order->direction]);

	return r ? r
		 : compare_numbers(&x->clusters[order->direction], &y->clusters[order->direction]);
}

static int compare_words(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* "ingress by Admin:x default/a default/b": in the order of names, which stays the same when objects come in another. */
static const char *group_text(const struct world *world, const struct group *group,
			      const numbers_t *clusters, struct arena *arena)
{
	auto_arena struct arena scratch = { 0 };
	auto_free char *text = NULL;
	LIST(const char *) words = { 0 };
	size_t size = 0;
	FILE *out = text_stream(&text, &size);

	list_each(number, &group->policies)
		*list_add(&scratch, &words) =
			policy_text(world, &world->policies.items[*number], &scratch);
	list_each(number, clusters)
		*list_add(&scratch, &words) =
			cluster_policy_text(world, &world->clusters.items[*number], &scratch);
	if (words.n)
		qsort(words.items, words.n, sizeof(*words.items), compare_words);
	fprintf(out, "%s by", direction_names[group->direction]);
	list_each(word, &words)
		fprintf(out, " %s", *word);
	fclose(out);
	return arena_strdup(arena, text);
}

static void add_group(struct build *build, enum direction direction, const uint32_t *pods, size_t n)
{
	struct compiled *compiled = build->compiled;
	struct group *group = list_add(compiled->arena, &compiled->groups);
	const numbers_t *clusters = &build->world->pods.items[*pods].clusters[direction];
	bool fresh;

	group->direction = direction;
	group->policies = build->world->pods.items[*pods].policies[direction];
	group->isolated = group->policies.n;
	group->comment = group_text(build->world, group, clusters, compiled->arena);
	group->name = name_of(group_words[direction], group->comment, compiled->arena);
	group->members = set_open(compiled, SET_MEMBERS, group->comment, &fresh);
	for (size_t i = 0; i < n; i++) {
		const struct pod *pod = &build->world->pods.items[pods[i]];

		*list_add(compiled->arena, &group->pods) = pods[i];
		set_add_pod(compiled, group->members, pod, PROTOCOL_TCP, 0);
		set_add_pod(compiled, compiled->subjects[direction], pod, PROTOCOL_TCP, 0);
	}
	set_finish(compiled, group->members);
	build->group = group;
	build_clauses(build, clusters);
}

static void build_direction(struct build *build, enum direction direction)
{
	const struct world *world = build->world;
	struct order order = { world, direction };
	auto_arena struct arena scratch = { 0 };
	numbers_t pods = { 0 };
	bool fresh;
	size_t end;

	build->compiled->subjects[direction] =
		set_open(build->compiled, SET_SUBJECTS, subjects_comments[direction], &fresh);
	list_each(number, &build->local)
		if (world->pods.items[*number].policies[direction].n ||
		    world->pods.items[*number].clusters[direction].n)
			*list_add(&scratch, &pods) = *number;
	if (pods.n)
		qsort_r(pods.items, pods.n, sizeof(uint32_t), compare_policies, &order);
	for (size_t i = 0; i < pods.n; i = end) {
		for (end = i + 1; end < pods.n; end++)
			if (compare_policies(&pods.items[i], &pods.items[end], &order) != 0)
				break;
		add_group(build, direction, &pods.items[i], end - i);
	}
	set_finish(build->compiled, build->compiled->subjects[direction]);
}

/* ---- what is left of the sets ---- */

/* First it is marked which sets are used, then they get their new numbers. */
struct visit {
	bool *used;
	const uint32_t *numbers; /* NULL: mark */
};

static void visit_set(uint32_t *set, const struct visit *visit)
{
	if (*set == NO_SET)
		return;
	if (visit->numbers)
		*set = visit->numbers[*set];
	else
		visit->used[*set] = true;
}

static void visit_clauses(clauses_t *clauses, const struct visit *visit)
{
	list_each(clause, clauses) {
		visit_set(&clause->peers, visit);
		visit_set(&clause->pairs, visit);
		visit_set(&clause->named, visit);
	}
}

/* Every place that names a set. */
static void visit_sets(struct compiled *compiled, const struct visit *visit)
{
	for (int direction = 0; direction < DIRECTIONS; direction++)
		visit_set(&compiled->subjects[direction], visit);
	visit_set(&compiled->known, visit);
	list_each(group, &compiled->groups) {
		visit_set(&group->members, visit);
		visit_clauses(&group->admin, visit);
		visit_clauses(&group->allows, visit);
		visit_clauses(&group->baseline, visit);
	}
}

/* Sets that only lent their elements to others go. */
static void drop_unused(struct compiled *compiled)
{
	auto_free bool *used = xrealloc(NULL, compiled->sets.n);
	auto_free uint32_t *numbers = xrealloc(NULL, compiled->sets.n * sizeof(*numbers));
	uint32_t n = 0;

	memset(used, 0, compiled->sets.n);
	visit_sets(compiled, &(struct visit){ .used = used });
	for (uint32_t i = 0; i < compiled->sets.n; i++)
		numbers[i] = used[i] ? n++ : NO_SET;
	recipes_keep(compiled->recipes, compiled, numbers);
	for (uint32_t i = 0; i < compiled->sets.n; i++)
		if (used[i])
			compiled->sets.items[numbers[i]] = compiled->sets.items[i];
	compiled->sets.n = n;
	visit_sets(compiled, &(struct visit){ .numbers = numbers });
}

void compile(const struct world *world, symbol_t node, struct arena *arena,
	     struct compiled *compiled)
{
	compile_noting(world, node, arena, compiled, NULL);
}

void compile_noting(const struct world *world, symbol_t node, struct arena *arena,
		    struct compiled *compiled, struct recipes *recipes)
{
	auto_arena struct arena scratch = { 0 }, shared = { 0 };
	struct build build = { .world = world, .compiled = compiled, .scratch = &scratch };

	*compiled = (struct compiled){ .node = node,
				       .arena = arena,
				       .names.arena = &shared,
				       .known = NO_SET,
				       .recipes = recipes };
	for (uint32_t i = 0; i < world->pods.n; i++) {
		const struct pod *pod = &world->pods.items[i];

		if (pod->node == node && pod->ips.n && pod_takes_part(pod))
			*list_add(&shared, &build.local) = i;
	}
	for (int direction = 0; direction < DIRECTIONS; direction++)
		build_direction(&build, (enum direction)direction);
	drop_unused(compiled);
	compiled->names = (struct symbols){ 0 };
	compiled->recipes = NULL;
}
