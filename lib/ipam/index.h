/*
 * The index of a network's leases by owner: `<dataDir>/.cnibox/<network>/<container>:<ifname>:<k>`, k = 0, 1, ..., each a
 * symbolic link to the address. Derived from the lease files and always allowed to be thrown away.
 */
#ifndef IPAM_INDEX_H
#define IPAM_INDEX_H

#include "base/text.h"
#include "ipam/lease.h"

/* True when nobody changed the leases or the index since index_seal(). */
bool index_valid(int index, int leases);
/* Declare the index complete. Not called after a failure, nor by a call that was killed: the next one rebuilds. */
void index_seal(int index, int leases);
int index_rebuild(int index, const leases_t *leases, struct error *err) must_check;
/* ifname NULL = legacy. */
int index_add(int index, const char *container, const char *ifname, const char *name,
	      struct error *err) must_check;
int index_remove(int index, const char *container, const char *ifname, const char *name,
		 struct error *err) must_check;
int index_find(int index, const char *container, const char *ifname, struct arena *arena,
	       words_t *names, struct error *err) must_check;

#endif
