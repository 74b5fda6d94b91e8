/* What happens to links, addresses, routes and neighbours, for who keeps some of them as they should be. */
#ifndef KERNEL_MONITOR_H
#define KERNEL_MONITOR_H

#include "base/ip.h"
#include "kernel/netlink.h"

enum monitor_kind { MONITOR_LINK, MONITOR_ADDR, MONITOR_ROUTE, MONITOR_NEIGH };

struct monitor_event {
	enum monitor_kind kind;
	bool gone;        /* deleted, rather than new or changed */
	int index;        /* of the link; 0 for a route without one */
	uint8_t protocol; /* of a route */
	struct cidr dst;  /* the same, when it is one of IPv4 or IPv6 */
	bool replaces;    /* a route: in the place of another, of which nothing else is told */
};
typedef void monitor_fn(void *arg, const struct monitor_event *event);

/* A session that hears of all four, in both families; netlink_fd() becomes readable. */
int monitor_open(struct netlink **nl, struct error *err) must_check;
/* Hand out what has come, without waiting. -ENOBUFS: some of it was lost. */
int monitor_read(struct netlink *nl, monitor_fn *fn, void *arg, struct error *err) must_check;

#endif
