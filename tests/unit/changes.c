/* Lists of leases that become other lists: whatever happens to them, the changes lead from one to the other. */
#include "unit.h"

#include "lease/changes.h"

#include <sys/socket.h>

static struct arena arena;

/* The same each time (Knuth's MMIX). */
static uint64_t state;
static unsigned chance(void)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(state >> 40);
}

static struct subnet_lease lease_of(unsigned subnet, unsigned node)
{
	const uint8_t net[] = { 10, 5, (uint8_t)(subnet >> 8), (uint8_t)subnet },
		      ip[] = { 192, 0, (uint8_t)(node >> 8), (uint8_t)node };

	return (struct subnet_lease){
		.subnet = { ip_make(AF_INET, net), 32 },
		.public_ip = ip_make(AF_INET, ip),
		.type = "host-gw",
	};
}

/* Most of 0 to n-1, each at a node of two; now and then two of them have changed places. */
static subnet_leases_t some_of(unsigned n)
{
	subnet_leases_t leases = { 0 };

	for (unsigned i = 0; i < n; i++)
		if (chance() % 8)
			*list_add(&arena, &leases) = lease_of(i, chance() % 8 ? 1 : i);
	for (unsigned i = 0; i + 1 < leases.n; i++) {
		struct subnet_lease swap = leases.items[i];

		if (chance() % 16)
			continue;
		leases.items[i] = leases.items[(i + chance() % 300) % leases.n];
		leases.items[(i + chance() % 300) % leases.n] = swap;
	}
	return leases;
}

/* Without those that some_of() has put there twice. */
static subnet_leases_t once_each(const subnet_leases_t *leases)
{
	subnet_leases_t once = { 0 };

	list_each(lease, leases)
		if (!subnet_find(&once, lease))
			*list_add(&arena, &once) = *lease;
	return once;
}

static bool same_set(const subnet_leases_t *a, const subnet_leases_t *b)
{
	if (a->n != b->n)
		return false;
	list_each(lease, a) {
		const struct subnet_lease *other = subnet_find(b, lease);

		if (!other || !subnet_lease_equal(lease, other))
			return false;
	}
	return true;
}

TEST(changes_lead_from_list_to_list)
{
	state = 7;
	for (int i = 0; i < 300; i++) {
		unsigned n = chance() % (i % 3 ? 20 : 700);
		const subnet_leases_t a = some_of(n), b = some_of(n), was = once_each(&a),
				      is = once_each(&b);
		struct lease_changes changes;
		subnet_leases_t after = was;

		check(lease_changes_find(&was, &is, 2 * n + 1, &arena, &changes));
		lease_changes_apply(&after, &changes, &arena, &after);
		unit_check(same_set(&after, &is), __FILE__, __LINE__, "list %d of %u", i, n);
		arena_free(&arena);
	}
}

TEST(changes_are_few_where_few_are)
{
	subnet_leases_t was = { 0 }, is = { 0 };
	struct lease_changes changes;

	for (unsigned i = 0; i < 2000; i++) {
		*list_add(&arena, &was) = lease_of(i, 1);
		if (i != 1000)
			*list_add(&arena, &is) = lease_of(i, i == 500 ? 2 : 1);
		if (i == 1500)
			*list_add(&arena, &is) = lease_of(5000, 1);
	}
	check(lease_changes_find(&was, &is, 3, &arena, &changes));
	check_int(changes.now.n, 2);
	check_int(changes.gone.n, 1);
	check(!lease_changes_find(&was, &is, 2, &arena, &changes));
	check(lease_changes_find(&was, &was, 0, &arena, &changes));
	arena_free(&arena);
}
