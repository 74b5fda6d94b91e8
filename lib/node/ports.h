/* Ports that portmap has mapped in its nftables form: elements of maps, which no reader of rules sees. */
#ifndef NODE_PORTS_H
#define NODE_PORTS_H

#include "node/parcel.h"

/* answer->to, to_port and owner, when one of the maps has the port. */
void ports_ask(struct netlink *nl, const struct parcel *parcel, struct arena *arena,
	       struct filter_answer *answer);

/* Does the set of sources of this name (port_masquerade_set()) have the packet's? */
bool ports_masquerade(struct netlink *nl, const char *name, const struct parcel *parcel,
		      struct arena *arena);

#endif
