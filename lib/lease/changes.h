/* What has become of a list of leases: of thousands few change at a time, and only those need be told. Pure. */
#ifndef LEASE_CHANGES_H
#define LEASE_CHANGES_H

#include "lease/subnet.h"

/* What is in both of them is there. */
struct lease_changes {
	subnet_leases_t now;  /* new ones, and others as they are now */
	subnet_leases_t gone; /* only their subnets matter */
};

/* They borrow from the lists. False: more than `most`, which are better told whole. Lists in the same order are compared quickly. */
bool lease_changes_find(const subnet_leases_t *was, const subnet_leases_t *is, size_t most,
			struct arena *arena, struct lease_changes *changes);
/* The list after them, with all that it points to in the arena; was and is may be the same. */
void lease_changes_apply(const subnet_leases_t *was, const struct lease_changes *changes,
			 struct arena *arena, subnet_leases_t *is);

#endif
