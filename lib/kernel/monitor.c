/* rtnetlink's multicast groups as events. Short and foreign messages are passed over: they only ever cause a look. */
#include "kernel/monitor.h"

#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include "kernel/netlink_internal.h"

struct listener {
	monitor_fn *fn;
	void *arg;
};

/* Without the attribute it is all zeros: a default route. */
static struct cidr destination(const struct rtmsg *header, const struct nlattr *attr)
{
	size_t size = header->rtm_family == AF_INET ? 4 : header->rtm_family == AF_INET6 ? 16 : 0;
	uint8_t bytes[16] = { 0 };

	if (!size || header->rtm_dst_len > 8 * size)
		return (struct cidr){ 0 };
	if (attr && (size_t)nla_len(attr) >= size)
		memcpy(bytes, nla_data(attr), size);
	return (struct cidr){ ip_make(header->rtm_family, bytes), header->rtm_dst_len };
}

static void route_event(const struct nlmsghdr *message, struct monitor_event *event)
{
	const struct rtmsg *header = NLMSG_DATA(message);
	struct nlattr *attrs[RTA_MAX + 1];

	event->kind = MONITOR_ROUTE;
	event->protocol = header->rtm_protocol;
	event->replaces = !event->gone && (message->nlmsg_flags & NLM_F_REPLACE);
	if (netlink_parse(message, sizeof(*header), attrs, RTA_MAX, NULL) < 0)
		return;
	event->index = (int)attr_u32(attrs[RTA_OIF], 0);
	event->dst = destination(header, attrs[RTA_DST]);
}

/* False: nothing that anybody here listens to. */
static bool read_event(const struct nlmsghdr *message, struct monitor_event *event)
{
	unsigned type = message->nlmsg_type;
	size_t size = message->nlmsg_len - NLMSG_HDRLEN;

	*event = (struct monitor_event){ .gone = type == RTM_DELLINK || type == RTM_DELADDR ||
						 type == RTM_DELROUTE || type == RTM_DELNEIGH };
	if ((type == RTM_NEWLINK || type == RTM_DELLINK) && size >= sizeof(struct ifinfomsg)) {
		event->kind = MONITOR_LINK;
		event->index = ((const struct ifinfomsg *)NLMSG_DATA(message))->ifi_index;
	} else if ((type == RTM_NEWADDR || type == RTM_DELADDR) &&
		   size >= sizeof(struct ifaddrmsg)) {
		event->kind = MONITOR_ADDR;
		event->index = (int)((const struct ifaddrmsg *)NLMSG_DATA(message))->ifa_index;
	} else if ((type == RTM_NEWNEIGH || type == RTM_DELNEIGH) && size >= sizeof(struct ndmsg)) {
		const struct ndmsg *header = NLMSG_DATA(message);

		event->kind = MONITOR_NEIGH;
		event->index = header->ndm_ifindex;
		return header->ndm_state != NUD_NOARP; /* of multicast: the kernel's own doing */
	} else if ((type == RTM_NEWROUTE || type == RTM_DELROUTE) && size >= sizeof(struct rtmsg)) {
		route_event(message, event);
	} else {
		return false;
	}
	return true;
}

static int hear(const struct nlmsghdr *message, void *arg, struct error *err unused)
{
	const struct listener *listener = arg;
	struct monitor_event event;

	if (read_event(message, &event))
		listener->fn(listener->arg, &event);
	return 0;
}

int monitor_open(struct netlink **nl, struct error *err)
{
	static const unsigned groups[] = { RTNLGRP_LINK,        RTNLGRP_NEIGH,
					   RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR,
					   RTNLGRP_IPV4_ROUTE,  RTNLGRP_IPV6_ROUTE };
	int r = netlink_open(nl, NETLINK_ROUTE, -1, err);

	for (size_t i = 0; i < ARRAY_SIZE(groups) && r == 0; i++)
		r = netlink_subscribe(*nl, groups[i], err);
	if (r < 0)
		netlink_closep(nl);
	return r < 0 ? wrap(err, "listen to the kernel") : 0;
}

int monitor_read(struct netlink *nl, monitor_fn *fn, void *arg, struct error *err)
{
	struct listener listener = { fn, arg };
	int r;

	do
		r = netlink_events(nl, 0, hear, &listener, err);
	while (r > 0);
	return r;
}
