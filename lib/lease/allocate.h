/* Which subnet a node gets: flannel's rules (flannel.md, section 2.3) without its accidents. Pure. */
#ifndef LEASE_ALLOCATE_H
#define LEASE_ALLOCATE_H

#include "lease/network.h"
#include "lease/subnet.h"

/* Are the subnets among those that the network gives out? */
bool subnet_fits(const struct network_config *config, const struct subnet_lease *lease);

/*
 * Fill in wanted->subnet and subnet6, which say what the node had before (from subnet.env; family 0 = nothing): kept
 * when it fits and nobody has it, else one of the first hundred free ones, by `random` (a number in [0, n)). -ENOSPC: `out of
 * subnets: ...`.
 */
typedef size_t subnet_random_fn(size_t n);
int subnet_allocate(const struct network_config *config, const subnet_leases_t *leases,
		    struct subnet_lease *wanted, subnet_random_fn *random,
		    struct error *err) must_check;

/* How many subnets are given out, and how many of them are taken, whole or in part: by leases and by reservations. all = 0: the
 * store gives out none, or not in this family. */
struct subnet_usage {
	uint64_t all, taken;
};
struct subnet_usage subnet_family_usage(const struct network_family *family,
					const subnet_leases_t *leases);
/* Of the family that has the fewest left: that one says how many nodes there may yet be. */
struct subnet_usage subnet_usage(const struct network_config *config,
				 const subnet_leases_t *leases);
/* Four fifths are taken: time to think of a larger network. */
bool subnet_usage_is_high(const struct subnet_usage *usage);

#endif
