/* Neighbours and bridge FDB entries. */
#ifndef KERNEL_NEIGH_H
#define KERNEL_NEIGH_H

#include "base/ip.h"
#include "kernel/netlink.h"

struct neigh {
	int index;
	struct ip ip; /* neighbour's address; for an FDB entry the remote VTEP */
	struct mac mac;
	uint16_t state; /* NUD_*, 0 = permanent */
	bool fdb;       /* AF_BRIDGE entry on the device itself (NTF_SELF) */
};
typedef LIST(struct neigh) neighs_t;

void neigh_queue_set(struct netlink *nl, const struct neigh *neigh); /* create or replace */
void neigh_queue_del(struct netlink *nl, const struct neigh *neigh);
/* Have the kernel ask for its hardware address, as before a packet to it. */
void neigh_queue_ask(struct netlink *nl, int index, const struct ip *ip);
bool neigh_is_permanent(const struct neigh *neigh); /* set by somebody, not learnt */
int neigh_list(struct netlink *nl, int index, bool fdb, struct arena *arena, neighs_t *neighs,
	       struct error *err) must_check;

/* The one in the same place, by what it is looked up by: a neighbour's address, a forwarding entry's MAC. NULL = none. */
const struct neigh *neigh_find(const neighs_t *neighs, const struct neigh *wanted);

#endif
