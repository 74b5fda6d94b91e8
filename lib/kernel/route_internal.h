/* A route as the kernel tells it, for route.c, route_frame.c and fib.c. */
#ifndef KERNEL_ROUTE_INTERNAL_H
#define KERNEL_ROUTE_INTERNAL_H

#include "kernel/netlink_internal.h"
#include "kernel/route.h"

/* *route of an RTM_NEWROUTE; lists go to the arena. */
int route_read(const struct nlmsghdr *reply, struct arena *arena, struct route *route,
	       struct error *err) must_check;

/* The link that frames inside go to (route.h); 0 = none. attrs: a route's, by type. */
void route_put_frame_oif(struct nl_msg *msg, int oif);
int route_read_frame_oif(struct nlattr **attrs);

#endif
