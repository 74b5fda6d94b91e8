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
int neigh_list(struct netlink *nl, int index, bool fdb, struct arena *arena, neighs_t *neighs,
	       struct error *err) must_check;

/* Tell the segment that ip is at mac, on the link `index` of namespace netns: gratuitous ARP for IPv4, unsolicited
 * neighbour advertisement for IPv6 (RFC 5227, RFC 4861 section 7.2.6). Best effort: returns -errno, nobody fails for it. */
#define NEIGH_FRAME_MAX 86
int neigh_announce(int netns, int index, const struct mac *mac, const struct ip *ip);
/* The frame that it sends; returns its size. */
size_t neigh_announcement(const struct mac *mac, const struct ip *ip,
			  uint8_t frame[NEIGH_FRAME_MAX]);

#endif
