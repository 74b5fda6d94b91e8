/* Which remembered attachment somebody means who names a namespace; the chain says where to look and for what. */
#ifndef CNI_REMEMBERED_H
#define CNI_REMEMBERED_H

#include "cni/chain.h"

/* The container id for a namespace that nobody gave one: cnitool's, made from the path. */
const char *remembered_default_id(const char *netns, struct arena *arena);
/* Is chain->container attached to the network as chain->ifname? */
bool remembered_has(const struct chain *chain, const char *network);
/* The one attachment of chain->netns and chain->ifname that somebody else made, under a container id of theirs; NULL =
 * none, or several. */
const char *remembered_by_netns(const struct chain *chain, const char *network);
/* All attachments of the network whose namespace is there; where nobody noted it, nobody knows that it has gone.
 * -EBADMSG when a file cannot be read: what is not in the list is taken for gone. */
int remembered_alive(const struct chain *chain, const char *network, owners_t *alive,
		     struct error *err) must_check;

#endif
