/* Who holds a lease, a rule or a chain: one attachment of a container to a network. */
#ifndef BASE_OWNER_H
#define BASE_OWNER_H

#include "base/arena.h"

struct owner {
	const char *network;
	const char *container; /* CNI_CONTAINERID */
	const char *ifname;    /* CNI_IFNAME */
	const char *hash;      /* of who is known by a cut comment; NULL = it follows from these */
};

/* The attachments a runtime calls valid in GC; their network member is not set. */
typedef LIST(struct owner) owners_t;

/* ifname NULL: any interface of that container (legacy leases, chains that do not name it). */
static inline bool owners_have(const owners_t *owners, const char *container, const char *ifname)
{
	list_each(owner, owners)
		if (streq(owner->container, container) && (!ifname || streq(owner->ifname, ifname)))
			return true;
	return false;
}

#endif
