/*
 * The ifb link of an attachment, through which what a container sends is led to be limited. Its name is the
 * reference plugin's; its alias, which that one does not give, says whose it is.
 */
#ifndef CNI_IFB_H
#define CNI_IFB_H

#include "base/owner.h"
#include "kernel/link.h"

enum { IFB_NAMES = 2 }; /* the second is for another interface of the same container and network */

void ifb_name(const struct owner *owner, unsigned attempt, char name[16]);
/* Queue the look-up of both names; index 0 = there is none. */
void ifb_queue_get(struct netlink *nl, const struct owner *owner, struct link ifbs[IFB_NAMES]);
/* "" where the kernel's 255 bytes are too few. */
const char *ifb_alias(const struct owner *owner, struct arena *arena);
/* There is one, and it does not say that it is somebody else's. */
bool ifb_is_of(const struct link *ifb, const struct owner *owner, struct arena *arena);

/* Remove it, and first what leads to it, wherever that is: for who does not know the host's end of the attachment. */
int ifb_remove(struct netlink *host, const struct link *ifb, struct arena *arena,
	       struct error *err) must_check;
/* Remove those of the network's attachments that are not valid, and what leads to them. One without alias does not
 * say which network it is of: it goes when no valid attachment has its name and nothing is led to it any more,
 * which means that its container is gone. */
int ifb_gc(const char *network, const owners_t *valid, struct error *err) must_check;

/* Those that carry a limit and that nothing is led to: their container is gone, whoever made them. */
int ifb_orphans(struct netlink *host, struct arena *arena, links_t *orphans,
		struct error *err) must_check;

#endif
