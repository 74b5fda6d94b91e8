/* The difference of two compiled forms: both sides in the order of their names, walked side by side. */
#include "policy/difference.h"

#include "policy/set.h"

struct side {
	const struct compiled *compiled;
	LIST(const struct set *) sets;
	LIST(const struct group *) groups;
};

static int compare_sets(const void *a, const void *b)
{
	return strcmp((*(const struct set *const *)a)->name, (*(const struct set *const *)b)->name);
}

static int compare_groups(const void *a, const void *b)
{
	return strcmp((*(const struct group *const *)a)->name,
		      (*(const struct group *const *)b)->name);
}

static void side_init(struct side *side, const struct compiled *compiled, struct arena *scratch)
{
	*side = (struct side){ .compiled = compiled };
	list_each(set, &compiled->sets)
		*list_add(scratch, &side->sets) = set;
	list_each(group, &compiled->groups)
		*list_add(scratch, &side->groups) = group;
	if (side->sets.n)
		qsort(side->sets.items, side->sets.n, sizeof(*side->sets.items), compare_sets);
	if (side->groups.n)
		qsort(side->groups.items, side->groups.n, sizeof(*side->groups.items),
		      compare_groups);
}

/* ---- sets ---- */

void set_change_of(const struct set *from, const struct set *to, struct arena *arena,
		   struct set_change *change)
{
	size_t i = 0, j = 0;

	*change = (struct set_change){ .from = from, .to = to };
	while (i < from->elements.n || j < to->elements.n) {
		int order = i == from->elements.n ? 1
			    : j == to->elements.n ? -1
						  : element_compare(&from->elements.items[i],
								    &to->elements.items[j]);

		if (order < 0)
			*list_add(arena, &change->gone) = from->elements.items[i];
		else if (order > 0)
			*list_add(arena, &change->more) = to->elements.items[j];
		i += order <= 0;
		j += order >= 0;
	}
}

static void difference_of_sets(const struct side *from, const struct side *to, struct arena *arena,
			       struct difference *difference)
{
	size_t i = 0, j = 0;

	while (i < from->sets.n || j < to->sets.n) {
		const struct set *const *old = i < from->sets.n ? &from->sets.items[i] : NULL;
		const struct set *const *new = j < to->sets.n ? &to->sets.items[j] : NULL;
		int order = !old ? 1 : !new ? -1 : compare_sets(old, new);
		struct set_change change;

		if (order < 0) {
			*list_add(arena, &difference->old_sets) = from->sets.items[i];
		} else if (order > 0) {
			*list_add(arena, &difference->new_sets) = to->sets.items[j];
		} else {
			set_change_of(from->sets.items[i], to->sets.items[j], arena, &change);
			if (change.more.n || change.gone.n)
				*list_add(arena, &difference->sets) = change;
		}
		i += order <= 0;
		j += order >= 0;
	}
}

/* ---- groups ---- */

static const char *set_word(const struct compiled *compiled, uint32_t set)
{
	return set < compiled->sets.n ? compiled->sets.items[set].name : "";
}

static int compare_ports(const port_ranges_t *a, const port_ranges_t *b)
{
	for (size_t i = 0; i < a->n && i < b->n; i++) {
		const struct ports *x = &a->items[i], *y = &b->items[i];

		if (x->first != y->first || x->last != y->last)
			return x->first != y->first ? x->first - y->first : x->last - y->last;
	}
	return (a->n > b->n) - (a->n < b->n);
}

static int compare_clauses(const struct compiled *of_a, const struct clause *a,
			   const struct compiled *of_b, const struct clause *b)
{
	int order = (int)a->action - (int)b->action;

	if (!order)
		order = strcmp(set_word(of_a, a->peers), set_word(of_b, b->peers));
	if (!order)
		order = strcmp(set_word(of_a, a->pairs), set_word(of_b, b->pairs));
	if (!order)
		order = strcmp(set_word(of_a, a->named), set_word(of_b, b->named));
	if (!order)
		order = a->ported - b->ported;
	if (!order && a->ported)
		order = (int)a->protocol - (int)b->protocol;
	return order ? order : compare_ports(&a->ports, &b->ports);
}

static int compare_own_clauses(const void *a, const void *b, void *compiled)
{
	return compare_clauses(compiled, *(const struct clause *const *)a, compiled,
			       *(const struct clause *const *)b);
}

static const struct clause **sorted_clauses(const struct compiled *compiled,
					    const clauses_t *clauses, struct arena *arena)
{
	LIST(const struct clause *) all = { 0 };

	list_each(clause, clauses)
		*list_add(arena, &all) = clause;
	if (all.n)
		qsort_r(all.items, all.n, sizeof(*all.items), compare_own_clauses,
			(void *)compiled);
	return all.items;
}

/* Of a tier, whose order is part of it. */
static bool same_tier(const struct side *from, const clauses_t *a, const struct side *to,
		      const clauses_t *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (compare_clauses(from->compiled, &a->items[i], to->compiled, &b->items[i]))
			return false;
	return true;
}

/* What policies allow is a union: the order depends on that of the objects, and means nothing. */
static bool same_allows(const struct side *from, const clauses_t *a, const struct side *to,
			const clauses_t *b)
{
	auto_arena struct arena scratch = { 0 };
	const struct clause **x, **y;

	if (a->n != b->n || same_tier(from, a, to, b))
		return a->n == b->n;
	x = sorted_clauses(from->compiled, a, &scratch);
	y = sorted_clauses(to->compiled, b, &scratch);
	for (size_t i = 0; i < a->n; i++)
		if (compare_clauses(from->compiled, x[i], to->compiled, y[i]))
			return false;
	return true;
}

static bool same_group(const struct side *from, const struct group *a, const struct side *to,
		       const struct group *b)
{
	return a->direction == b->direction && a->isolated == b->isolated &&
	       !strcmp(set_word(from->compiled, a->members), set_word(to->compiled, b->members)) &&
	       same_tier(from, &a->admin, to, &b->admin) &&
	       same_allows(from, &a->allows, to, &b->allows) &&
	       same_tier(from, &a->baseline, to, &b->baseline);
}

static void difference_of_groups(const struct side *from, const struct side *to,
				 struct arena *arena, struct difference *difference)
{
	size_t i = 0, j = 0;

	while (i < from->groups.n || j < to->groups.n) {
		int order = i == from->groups.n ? 1
			    : j == to->groups.n
				    ? -1
				    : compare_groups(&from->groups.items[i], &to->groups.items[j]);

		if (order < 0)
			*list_add(arena, &difference->old_groups) = from->groups.items[i];
		else if (order > 0)
			*list_add(arena, &difference->new_groups) = to->groups.items[j];
		else if (!same_group(from, from->groups.items[i], to, to->groups.items[j]))
			*list_add(arena, &difference->groups) =
				(struct group_change){ from->groups.items[i], to->groups.items[j] };
		i += order <= 0;
		j += order >= 0;
	}
}

/* ---- closed addresses ---- */

static bool has_cidr(const cidrs_t *cidrs, const struct cidr *cidr)
{
	list_each(other, cidrs)
		if (cidr_equal(other, cidr))
			return true;
	return false;
}

static bool same_closed(const struct compiled *from, const struct compiled *to)
{
	if (from->closed.n != to->closed.n ||
	    strcmp(set_word(from, from->known), set_word(to, to->known)) != 0)
		return false;
	list_each(cidr, &from->closed)
		if (!has_cidr(&to->closed, cidr))
			return false;
	return true;
}

void difference_of(const struct compiled *from, const struct compiled *to, struct arena *arena,
		   struct difference *difference)
{
	auto_arena struct arena scratch = { 0 };
	struct side old, new;

	*difference = (struct difference){ .from = from, .to = to };
	side_init(&old, from, &scratch);
	side_init(&new, to, &scratch);
	difference_of_sets(&old, &new, arena, difference);
	difference_of_groups(&old, &new, arena, difference);
	difference->closed = !same_closed(from, to);
}

bool difference_is_empty(const struct difference *difference)
{
	return !difference->new_sets.n && !difference->old_sets.n && !difference->sets.n &&
	       !difference->new_groups.n && !difference->old_groups.n && !difference->groups.n &&
	       !difference->closed && !difference->damaged;
}
