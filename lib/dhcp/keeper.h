/* The keeper: all leases of a node, and what plugins ask of it. */
#ifndef DHCP_KEEPER_H
#define DHCP_KEEPER_H

#include "dhcp/binding.h"
#include "dhcp/peer.h"

struct keeper {
	struct binding_env env;
	struct binding *first;
};

/* env's callbacks and the handler for peers are the keeper's own; it must not move. */
void keeper_init(struct keeper *keeper, const struct binding_env *env,
		 struct peer_handler *handler);
/* Go on with what is in the store. What cannot go on (its container is gone) is forgotten, with a note. */
int keeper_restore(struct keeper *keeper, struct error *err) must_check;
/* Free everything; the leases stay in the store. */
void keeper_close(struct keeper *keeper);

#endif
