/*
 * Lease files: one for each address, named by it, holding "<container>\r\n<ifname>" (very old ones: "<container>").
 * Directories are given as descriptors. The caller holds the network's lock.
 */
#ifndef IPAM_LEASE_H
#define IPAM_LEASE_H

#include "base/owner.h"
#include "ipam/range.h"

struct lease {
	const char *name; /* of the file */
	struct ip ip;
	const char *container; /* "" = the file is empty: a crash left it */
	const char *ifname;    /* NULL = legacy, any interface */
};
typedef LIST(struct lease) leases_t;

/* False for an empty file, and for one of blanks or zeroes. */
bool lease_has_owner(const struct lease *lease);
/* True when the lease is this owner's; an owner without ifname asks for the legacy lease of its container. */
bool lease_is_of(const struct lease *lease, const char *container, const char *ifname);
/* -ENOENT when there is no such file. */
int lease_read(int dir, const char *name, struct arena *arena, struct lease *lease,
	       struct error *err) must_check;
enum lease_state { LEASE_FREE, LEASE_EMPTY, LEASE_TAKEN };
enum lease_state lease_state(int dir, const char *name);
/* The same with a look inside: is it there without owner, be it empty, or of zeroes or blanks? */
bool lease_is_nobodys(int dir, const char *name);
/* 1 = made, complete or not at all; 0 = taken. `temp` is a directory of the same file system for the unfinished. */
int lease_create(int dir, int temp, const char *name, const struct owner *owner,
		 struct error *err) must_check;
/* All files named by an address, ascending. */
int leases_read(int dir, struct arena *arena, leases_t *leases, struct error *err) must_check;
/* The same without looking inside: the addresses only. */
typedef LIST(struct ip) ips_t;
int leases_addresses(int dir, struct arena *arena, ips_t *ips, struct error *err) must_check;
/* Write `file` in dir, a hint for the next call: made or overwritten. */
int state_write(int dir, const char *file, const char *text, struct error *err) must_check;
/* The unfinished file of a call that was killed. */
void temp_remove(int temp);

#endif
