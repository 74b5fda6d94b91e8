/*
 * Inside: what a chained plugin needs to change the network of a container: its namespace, held against other plugins that
 * are at work in it (a runtime attaches several networks at a time), and a session there.
 */
#ifndef CNI_INSIDE_H
#define CNI_INSIDE_H

#include "cni/request.h"
#include "kernel/netlink.h"

struct inside {
	int netns;
	struct netlink *nl;
};

/* The lock is a flock on the namespace itself, the reference's for sbr; nothing is made in the file system. No namespace
 * (code 8: `failed to open netns "P": ...`) is success for DEL, and nl stays NULL. */
int inside_open(struct inside *inside, const struct cni_request *request,
		struct error *err) must_check;
void inside_close(struct inside *inside); /* safe on { .netns = -1 } */
#define auto_inside on_leave(inside_close)

#endif
