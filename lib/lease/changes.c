/* Two lists side by side; see changes.h. Where the order differs a lease counts as gone and as new, which comes to the same. */
#include "lease/changes.h"

enum { STEPS = 256 };

/* Where it is, from `at` on, a few steps at most; the list's end: nowhere near. */
static size_t find_near(const subnet_leases_t *leases, size_t at, const struct subnet_lease *wanted)
{
	for (size_t i = at; i < leases->n && i < at + STEPS; i++)
		if (subnet_same(&leases->items[i], wanted))
			return i;
	return leases->n;
}

bool lease_changes_find(const subnet_leases_t *was, const subnet_leases_t *is, size_t most,
			struct arena *arena, struct lease_changes *changes)
{
	size_t at = 0;

	*changes = (struct lease_changes){ 0 };
	for (size_t i = 0; i <= was->n; i++) {
		bool last = i == was->n;
		size_t found = last ? is->n : find_near(is, at, &was->items[i]);
		bool here = !last && found < is->n;

		if (!last && !here)
			*list_add(arena, &changes->gone) = was->items[i];
		for (; (here || last) && at < found && changes->now.n <= most; at++)
			*list_add(arena, &changes->now) = is->items[at];
		if (here && !subnet_lease_equal(&was->items[i], &is->items[found]))
			*list_add(arena, &changes->now) = is->items[found];
		at += here;
		if (changes->now.n + changes->gone.n > most)
			return false;
	}
	return true;
}

void lease_changes_apply(const subnet_leases_t *was, const struct lease_changes *changes,
			 struct arena *arena, subnet_leases_t *is)
{
	subnet_leases_t leases = { 0 };

	list_each(lease, was) {
		const struct subnet_lease *now = subnet_find(&changes->now, lease);

		if (now || !subnet_find(&changes->gone, lease))
			*list_add(arena, &leases) = subnet_copy(now ? now : lease, arena);
	}
	list_each(lease, &changes->now)
		if (!subnet_find(was, lease))
			*list_add(arena, &leases) = subnet_copy(lease, arena);
	*is = leases;
}
