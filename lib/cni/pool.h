/* The pools that networks of a folder give addresses from, as host-local would read them, and how full they are. */
#ifndef CNI_POOL_H
#define CNI_POOL_H

#include "cni/holding.h"
#include "ipam/range.h"

struct pool {
	const char *network, *ranges; /* NULL: leases of a network that no configuration tells of */
	const char *file;
	uint64_t size, used, stale; /* stale: of used, those whose namespace is no more */
	const char *problem;        /* NULL = none: what is wrong with its ranges */
};
typedef LIST(struct pool) pools_t;

/* One for each range set; holdings are those of all networks. No folder of configurations: only those. */
int pools_read(const char *conf_dir, const holdings_t *holdings, struct arena *arena,
	       pools_t *pools, struct error *err) must_check;

struct network; /* cni/netlist.h */
/* Of a usable network, as host-local reads them; none where another plugin gives the addresses. */
int pool_ranges(const struct network *network, struct arena *arena, range_sets_t *sets,
		struct error *err) must_check;
/* The addresses that static gives each container, as ranges of one. */
void pool_fixed(const struct network *network, struct arena *arena, range_set_t *fixed);

#endif
