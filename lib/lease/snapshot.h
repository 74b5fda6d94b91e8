/*
 * What was last known of a network, on this node's disk: its configuration, leases, and the node's own. A node that boots while
 * the store cannot be reached begins with that.
 */
#ifndef LEASE_SNAPSHOT_H
#define LEASE_SNAPSHOT_H

#include "lease/store_message.h"

struct lease_snapshot {
	const char *path;
	const char *origin; /* which store it is of: of another one it is worth nothing */
};

int lease_snapshot_save(const struct lease_snapshot *snapshot,
			const struct lease_store_message *state, struct error *err) must_check;
/* -ENOENT, without text: there is none. What has an end is left out when it must have come: nobody has kept it. */
int lease_snapshot_load(const struct lease_snapshot *snapshot, struct arena *arena,
			struct lease_store_message *state, struct error *err) must_check;

#endif
