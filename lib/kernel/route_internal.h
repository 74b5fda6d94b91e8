/* A route as the kernel tells it, for route.c and fib.c. */
#ifndef KERNEL_ROUTE_INTERNAL_H
#define KERNEL_ROUTE_INTERNAL_H

#include "kernel/netlink.h"
#include "kernel/route.h"

/* *route of an RTM_NEWROUTE; lists go to the arena. */
int route_read(const struct nlmsghdr *reply, struct arena *arena, struct route *route,
	       struct error *err) must_check;

#endif
