/* See flips.h. */
#include "policy/flips.h"

#include "base/text.h"
#include "policy/set.h"

struct walk {
	const struct compiled *from, *to;
	struct matrix *matrix;
	struct flips *flips;
	/* of a difference */
	bool *groups; /* of `to`: what it says may be other than before */
	bool all;
	LIST(uint8_t) touched; /* by end: bits of direction */
};

static void keep(struct walk *walk, const struct cell *cell, size_t i, bool allowed)
{
	struct flips *flips = walk->flips;

	if (flips->items.n < flips->max)
		*list_add(walk->matrix->arena, &flips->items) =
			(struct flip){ cell->from, cell->to, cell->connections[i], allowed };
	flips->n_allowed += allowed;
	flips->n_denied += !allowed;
}

/* ---- what a difference can have touched ---- */

static bool uses_changed(const struct compiled *compiled, const clauses_t *clauses,
			 const words_t *changed)
{
	list_each(clause, clauses) {
		const uint32_t sets[] = { clause->peers, clause->pairs, clause->named };

		for (size_t i = 0; i < ARRAY_SIZE(sets); i++)
			if (sets[i] != NO_SET &&
			    words_have(changed, compiled->sets.items[sets[i]].name))
				return true;
	}
	return false;
}

static void mark_groups(struct walk *walk, const struct difference *difference)
{
	auto_arena struct arena scratch = { 0 };
	words_t sets = { 0 }, groups = { 0 };

	list_each(change, &difference->sets)
		*list_add(&scratch, &sets) = change->to->name;
	list_each(set, &difference->new_sets)
		*list_add(&scratch, &sets) = (*set)->name;
	list_each(change, &difference->groups)
		*list_add(&scratch, &groups) = change->to->name;
	words_sort(&sets);
	words_sort(&groups);
	for (size_t i = 0; i < walk->to->groups.n; i++) {
		const struct group *group = &walk->to->groups.items[i];

		walk->groups[i] = words_have(&groups, group->name) ||
				  uses_changed(walk->to, &group->admin, &sets) ||
				  uses_changed(walk->to, &group->allows, &sets) ||
				  uses_changed(walk->to, &group->baseline, &sets);
	}
}

static const struct group *group_of(const struct compiled *compiled, enum direction direction,
				    const struct ip *ip)
{
	list_each(group, &compiled->groups)
		if (group->direction == direction && group->members != NO_SET &&
		    set_has(&compiled->sets.items[group->members], ip, PROTOCOL_TCP, 0))
			return group;
	return NULL;
}

static bool is_touched(const struct walk *walk, enum direction direction, const struct ip *ip)
{
	const struct group *old = group_of(walk->from, direction, ip);
	const struct group *new = group_of(walk->to, direction, ip);

	if (!old || !new)
		return old != new;
	return strcmp(old->name, new->name) != 0 || walk->groups[new - walk->to->groups.items];
}

static void mark_ends(struct walk *walk, struct arena *arena)
{
	list_each(end, &walk->matrix->ends) {
		uint8_t *bits = list_add(arena, &walk->touched);

		list_each(ip, &end->ips)
			for (int direction = 0; direction < DIRECTIONS; direction++)
				if (is_touched(walk, (enum direction)direction, ip))
					*bits |= (uint8_t)(1u << direction);
	}
}

static bool may_flip(const struct walk *walk, const struct cell *cell)
{
	const struct end *ends = walk->matrix->ends.items;

	return walk->all || walk->touched.items[cell->from - ends] & 1u << EGRESS ||
	       walk->touched.items[cell->to - ends] & 1u << INGRESS;
}

static void compare_cell(void *walk_, const struct cell *cell)
{
	struct walk *walk = walk_;

	if (!may_flip(walk, cell))
		return;
	for (size_t i = 0; i < cell->n; i++) {
		const struct packet packet = packet_on_node(walk->matrix->world, walk->matrix->node,
							    &cell->connections[i]);
		bool allowed = compiled_allows(walk->to, &packet);

		walk->flips->n++;
		if (packet.from.family && compiled_allows(walk->from, &packet) != allowed)
			keep(walk, cell, i, allowed);
	}
}

static void run(struct walk *walk, symbol_t node, cell_fn *fn)
{
	walk->matrix->on_node = walk->matrix->unasked = true;
	walk->matrix->node = node;
	matrix_run(walk->matrix, fn, walk);
}

void flips_of(const struct difference *difference, struct matrix *matrix, struct flips *flips)
{
	auto_arena struct arena scratch = { 0 };
	struct walk walk = {
		.from = difference->from,
		.to = difference->to,
		.matrix = matrix,
		.flips = flips,
		.all = difference->closed || difference->to->closed.n,
	};

	walk.groups = arena_alloc(&scratch, walk.to->groups.n + 1);
	mark_groups(&walk, difference);
	mark_ends(&walk, &scratch);
	run(&walk, difference->to->node, compare_cell);
}

/* ---- against the objects ---- */

/* What this node has to do: its own pods' sides, whatever the other end's node does. */
static bool wanted_here(const struct walk *walk, const struct connection *connection)
{
	const struct pod *from = connection->from.pod, *to = connection->to.pod;
	symbol_t node = walk->matrix->node;
	struct verdict verdict;

	verdict_of(walk->matrix->world, connection, &verdict);
	if (verdict.exempt)
		return true;
	if (compiled_closes(walk->to, &connection->from.ip) ||
	    compiled_closes(walk->to, &connection->to.ip))
		return false;
	return (!from || from->node != node || verdict.sides[EGRESS].allowed) &&
	       (!to || to->node != node || verdict.sides[INGRESS].allowed);
}

static void compare_with_model(void *walk_, const struct cell *cell)
{
	struct walk *walk = walk_;

	for (size_t i = 0; i < cell->n; i++) {
		const struct packet packet = packet_on_node(walk->matrix->world, walk->matrix->node,
							    &cell->connections[i]);
		bool allowed = wanted_here(walk, &cell->connections[i]);

		walk->flips->n++;
		if (packet.from.family && compiled_allows(walk->from, &packet) != allowed)
			keep(walk, cell, i, allowed);
	}
}

void flips_of_model(const struct compiled *found, const struct compiled *wanted,
		    struct matrix *matrix, struct flips *flips)
{
	struct walk walk = { .from = found, .to = wanted, .matrix = matrix, .flips = flips };

	run(&walk, wanted->node, compare_with_model);
}
