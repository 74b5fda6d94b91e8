/* VRFs: links whose members are routed by a table of the VRF's own. */
#ifndef KERNEL_VRF_H
#define KERNEL_VRF_H

#include "kernel/link.h"

struct vrf {
	struct link link; /* .table is its table */
	bool made;        /* by us: it was not there */
};

/* Find the VRF, or make it; it is up then. table 0 = whichever it has, or the first that no VRF, rule or route uses.
 * Another table: `VRF x already exist with different routing table n`. */
int vrf_ensure(struct netlink *nl, const char *name, uint32_t table, struct arena *arena,
	       struct vrf *vrf, struct error *err) must_check;
/* Make the link a member. The kernel takes its routes and (without keep_addr_on_down) IPv6 addresses away; they are put
 * back: routes of the main table into the VRF's, those of other tables there. All or nothing. */
int vrf_join(struct netlink *nl, const struct vrf *vrf, const struct link *link,
	     struct arena *arena, struct error *err) must_check;
/* End the membership, and delete the VRF with its last member. Whatever is missing is not missed. */
int vrf_leave(struct netlink *nl, const char *name, const char *member, struct arena *arena,
	      struct error *err) must_check;

#endif
