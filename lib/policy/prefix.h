/* Lists of prefixes as sets of addresses: what is left of blocks without their exceptions, as the fewest prefixes. */
#ifndef POLICY_PREFIX_H
#define POLICY_PREFIX_H

#include "policy/world.h"

/* The union of the blocks, each without its own exceptions, as a sorted list of prefixes that do not overlap: the
 * shortest that there is. One host out of a whole family costs 32 or 128 prefixes. */
void prefixes_of_blocks(const struct block *const *blocks, size_t n, struct arena *arena,
			cidrs_t *prefixes);

#endif
