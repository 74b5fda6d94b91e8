/*
 * The leases on disk: a folder beside the daemon's socket, one file for each lease, replaced in one step, for root only.
 * The folder lies where a boot empties it; what is of another boot is not read. The running daemon holds its lock; a
 * plugin that finds no daemon removes what it no longer needs.
 */
#ifndef DHCP_STORE_H
#define DHCP_STORE_H

#include "base/owner.h"
#include "dhcp/lease.h"

/* All that a daemon needs to go on with a lease. */
struct dhcp_record {
	const char *network, *container, *ifname;
	const char *netns;      /* path, as the runtime gave it */
	uint64_t device, inode; /* of the namespace */
	int index;              /* of the interface */
	struct mac mac;
	struct dhcp_options options;
	struct dhcp_lease lease;
	const char *boot; /* set by the store */
};
typedef LIST(struct dhcp_record) dhcp_records_t;

extern const struct field dhcp_options_fields[];

/* /run/cni/dhcp.sock -> /run/cni/dhcp.leases */
const char *store_folder(const char *socket, struct arena *arena);
/* Make the folder and lock it: -EBUSY when a daemon runs. *lock owns it. */
int store_open(const char *folder, int *lock, struct error *err) must_check;
int store_write(const char *folder, const struct dhcp_record *record, struct error *err) must_check;
void store_remove(const char *folder, const struct owner *owner);
/* All of this boot; a file that makes no sense is skipped, its name in *bad (may be NULL). */
int store_read(const char *folder, struct arena *arena, dhcp_records_t *records, unsigned *bad,
	       struct error *err) must_check;

#endif
