/* Changes to a link that is in use. */
#ifndef CNI_RETOUCH_H
#define CNI_RETOUCH_H

#include "kernel/link.h"

/* Apply the change to a link that was looked up before. A driver that takes no other hardware address while it runs
 * is stopped for it; addresses and routes that are lost with that are added again. */
int link_retouch(struct netlink *nl, const struct link *link, const struct link_change *change,
		 struct error *err) must_check;

#endif
