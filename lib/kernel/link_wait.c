/*
 * Waiting for a link. Events only say when to look: what counts is read afresh each time, so that a lost event
 * or one about something else does no harm.
 */
#include "kernel/link.h"

#include <errno.h>
#include <linux/rtnetlink.h>

#include "base/clock.h"
#include "kernel/netlink_internal.h"

struct watch {
	int index;
	bool seen; /* an event about the link came */
};

static bool is_up(const struct link *link)
{
	return link->operstate == LINK_OPER_UP &&
	       (!link->is_port || link->port_state == LINK_PORT_FORWARDING);
}

static int notice(const struct nlmsghdr *event, void *arg, struct error *err unused)
{
	struct watch *watch = arg;
	const struct ifinfomsg *header = NLMSG_DATA(event);

	if (event->nlmsg_len >= NLMSG_LENGTH(sizeof(*header)) && header->ifi_index == watch->index)
		watch->seen = true;
	return 0;
}

/* Wait for events of the link, or their loss, until the deadline; 0 when it is time to look, else -ETIMEDOUT. */
static int wait_event(struct netlink *events, int index, int64_t deadline, struct error *err)
{
	struct watch watch = { .index = index };

	while (!watch.seen) {
		int64_t left = deadline - clock_ms();
		int r;

		if (left <= 0)
			return -ETIMEDOUT;
		r = netlink_events(events, (unsigned)left, notice, &watch, err);
		if (r == -ENOBUFS)
			return 0;
		if (r < 0)
			return r;
	}
	return 0;
}

/*
 * Look; mostly the link is up already. Else subscribe, and look again: what happened between the first look and
 * the subscription shows in the second, what happens after it comes as an event.
 */
int link_wait_up(struct netlink *nl, int netns, int index, unsigned timeout_ms, struct link *link,
		 struct error *err)
{
	int64_t deadline = clock_ms() + timeout_ms;
	auto_netlink struct netlink *events = NULL;
	int r = link_get_index(nl, index, link, err);

	if (r < 0 || is_up(link))
		return r;
	r = netlink_open(&events, NETLINK_ROUTE, netns, err);
	if (r == 0)
		r = netlink_subscribe(events, RTNLGRP_LINK, err);
	while (r == 0) {
		r = link_get_index(nl, index, link, err);
		if (r < 0 || is_up(link))
			return r;
		r = wait_event(events, index, deadline, err);
	}
	return r == -ETIMEDOUT ? fail(err, ETIMEDOUT, "link %s is not up after %u ms", link->name,
				      timeout_ms)
			       : r;
}
