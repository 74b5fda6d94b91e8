/* VRFs: a packet that is in one is routed by its table alone, and shown to the packet filter as the VRF's. */
#ifndef NODE_WALK_VRF_H
#define NODE_WALK_VRF_H

#include "node/walk.h"

/* Of what is sent from a place. */
void walk_vrf_choose(struct walk *walk, const struct place *place);
/* The link that hooks behind the first one are told. */
const struct link *walk_vrf_entered(const struct walk *walk, const struct place *place,
				    const struct link *in);
/* Told when a socket in no VRF would get nothing. */
void walk_vrf_listener(struct walk *walk, const struct place *place);
/* Of what is sent in none, and has no way: the VRF that has one; NULL = none. */
const struct link *walk_vrf_with_route(struct walk *walk, struct place *place);
/* Has a rule the tables of VRFs asked? */
bool walk_vrfs_asked(const struct place *place, int family);

#endif
