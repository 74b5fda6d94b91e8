/*
 * Range sets of host-local: one address is allocated from each set; a set is a list of ranges of one family.
 * Pure: no input or output. Error texts are the reference's (cni-plugins.md, section 2.10).
 */
#ifndef IPAM_RANGE_H
#define IPAM_RANGE_H

#include "base/error.h"
#include "base/ip.h"
#include "base/arena.h"

struct range {
	struct cidr subnet;
	struct ip start;   /* rangeStart, default network + 1 */
	struct ip end;     /* rangeEnd, default broadcast - 1 (IPv4), last address (IPv6) */
	struct ip gateway; /* default network + 1 */
};
typedef LIST(struct range) range_set_t;
typedef LIST(range_set_t) range_sets_t;

/* Fill in defaults and validate all sets, in their order: families, bounds, overlaps. */
int ranges_canonical(range_sets_t *sets, struct error *err) must_check;
/* The range of the set that holds ip, or NULL. */
const struct range *range_set_find(const range_set_t *set, const struct ip *ip);
/* Addresses that can be allocated (gateways inside left out), saturated. */
uint64_t range_set_size(const range_set_t *set);
/* "10.1.0.1-10.1.0.9,10.2.0.1-10.2.0.9" in the arena, as the reference prints it. */
char *range_set_text(const range_set_t *set, struct arena *arena);

/* Walk a set in the order of allocation: from behind `last` (not set: the start), wrapping around, leaving
 * gateways out, each address once. */
struct range_walk {
	const range_set_t *set;
	size_t i;
	struct ip next, first;
	bool started;
};
void range_walk_start(struct range_walk *walk, const range_set_t *set, const struct ip *last);
bool range_walk_next(struct range_walk *walk, struct ip *ip, const struct range **range);

#endif
