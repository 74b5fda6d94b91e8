/* Allocation: what is taken is sorted once, then one walk over the network's subnets passes it by. */
#include "lease/allocate.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/socket.h>

enum { CANDIDATES = 100 };

static bool family_fits(const struct network_family *family, const struct cidr *subnet)
{
	if (!family->enabled)
		return !subnet->ip.family;
	return subnet->ip.family && subnet->prefix == family->subnet_len &&
	       ip_compare(&subnet->ip, &family->min) >= 0 &&
	       ip_compare(&subnet->ip, &family->max) <= 0;
}

bool subnet_fits(const struct network_config *config, const struct subnet_lease *lease)
{
	return family_fits(&config->v4, &lease->subnet) &&
	       family_fits(&config->v6, &lease->subnet6);
}

static int compare_cidrs(const void *a, const void *b)
{
	const struct cidr *x = a, *y = b;

	return ip_compare(&x->ip, &y->ip);
}

/* Those of one family, ascending. */
static cidrs_t taken_of(const subnet_leases_t *leases, int family, struct arena *arena)
{
	cidrs_t taken = { 0 };

	list_each(lease, leases) {
		const struct cidr *subnet = family == AF_INET ? &lease->subnet : &lease->subnet6;

		if (subnet->ip.family)
			*list_add(arena, &taken) = *subnet;
	}
	if (taken.n)
		qsort(taken.items, taken.n, sizeof(*taken.items), compare_cidrs);
	return taken;
}

static bool is_taken(const cidrs_t *taken, const struct cidr *subnet)
{
	list_each(cidr, taken)
		if (cidr_overlaps(cidr, subnet))
			return true;
	return false;
}

/*
 * The free ones, at most CANDIDATES. `next` goes through the taken ones beside the walk: those that end before the
 * subnet begins are behind it for good. A larger taken one may begin earlier and reach over several of the walk.
 */
static size_t find_free(const struct network_family *family, const cidrs_t *taken,
			struct cidr free[CANDIDATES])
{
	struct cidr subnet = { family->min, (uint8_t)family->subnet_len };
	size_t n = 0, next = 0;

	while (n < CANDIDATES) {
		struct ip last = cidr_last(&subnet), end;

		while (next < taken->n &&
		       (end = cidr_last(&taken->items[next]), ip_compare(&end, &subnet.ip) < 0))
			next++;
		if (next == taken->n || !cidr_overlaps(&taken->items[next], &subnet))
			free[n++] = subnet;
		if (ip_compare(&subnet.ip, &family->max) >= 0)
			break;
		subnet.ip = ip_add(&last, 1);
	}
	return n;
}

static int allocate_family(const struct network_family *family, const subnet_leases_t *leases,
			   struct cidr *subnet, subnet_random_fn *random, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	struct cidr free[CANDIDATES];
	cidrs_t taken;
	size_t n;

	if (!family->enabled) {
		*subnet = (struct cidr){ 0 };
		return 0;
	}
	taken = taken_of(leases, family->network.ip.family, &arena);
	if (family_fits(family, subnet) && !is_taken(&taken, subnet))
		return 0;
	n = find_free(family, &taken, free);
	if (!n)
		return fail(err, ENOSPC, "out of subnets: all %zu leases of the network are taken",
			    taken.n);
	*subnet = free[random(n)];
	return 0;
}

int subnet_allocate(const struct network_config *config, const subnet_leases_t *leases,
		    struct subnet_lease *wanted, subnet_random_fn *random, struct error *err)
{
	if (allocate_family(&config->v4, leases, &wanted->subnet, random, err) ||
	    allocate_family(&config->v6, leases, &wanted->subnet6, random, err))
		return -err->errnum;
	return 0;
}

/* ---- how much is left ---- */

/* Larger ones take several, smaller ones the one that they lie in; `next` is the first that is not counted yet. */
static uint64_t count_taken(const struct network_family *family, const cidrs_t *taken)
{
	struct cidr end = { family->max, (uint8_t)family->subnet_len };
	unsigned bits = ip_bits(&family->min) - (unsigned)family->subnet_len;
	struct ip max = cidr_last(&end);
	uint64_t n = 0, next = 0;

	list_each(cidr, taken) {
		struct ip first = cidr_network(cidr).ip, last = cidr_last(cidr);
		uint64_t from = ip_blocks(&family->min, &first, bits), to;

		if (ip_compare(&last, &family->min) < 0 || ip_compare(&first, &max) > 0)
			continue;
		to = ip_blocks(&family->min, ip_compare(&last, &max) < 0 ? &last : &max, bits);
		from = from > next ? from : next;
		if (to < from)
			continue;
		n += to - from + 1;
		next = to + 1;
	}
	return n;
}

struct subnet_usage subnet_family_usage(const struct network_family *family,
					const subnet_leases_t *leases)
{
	auto_arena struct arena arena = { 0 };
	struct subnet_usage usage = { 0 };
	cidrs_t taken;

	if (!family->enabled || !family->min.family)
		return usage;
	taken = taken_of(leases, family->network.ip.family, &arena);
	usage.all = ip_blocks(&family->min, &family->max,
			      ip_bits(&family->min) - (unsigned)family->subnet_len);
	usage.all += usage.all < UINT64_MAX;
	usage.taken = count_taken(family, &taken);
	return usage;
}

struct subnet_usage subnet_usage(const struct network_config *config, const subnet_leases_t *leases)
{
	struct subnet_usage v4 = subnet_family_usage(&config->v4, leases),
			    v6 = subnet_family_usage(&config->v6, leases);

	return !v4.all || (v6.all && v6.all - v6.taken < v4.all - v4.taken) ? v6 : v4;
}

bool subnet_usage_is_high(const struct subnet_usage *usage)
{
	return usage->all && usage->taken >= usage->all - usage->all / 5;
}
