/* How many packets a link has carried: apart from link.c, where nobody asks the kernel to count. */
#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include "kernel/link.h"
#include "kernel/netlink_internal.h"

static int read_packets(const struct nlmsghdr *reply, void *arg, struct error *err)
{
	struct nlattr *attrs[IFLA_STATS_MAX + 1];
	struct rtnl_link_stats64 stats = { 0 };
	int r = netlink_parse(reply, sizeof(struct if_stats_msg), attrs, IFLA_STATS_MAX, err);
	const struct nlattr *link = r < 0 ? NULL : attrs[IFLA_STATS_LINK_64];
	size_t size = link ? (size_t)nla_len(link) : 0;

	if (link)
		memcpy(&stats, nla_data(link), size < sizeof(stats) ? size : sizeof(stats));
	*(struct link_packets *)arg = (struct link_packets){ stats.tx_packets, stats.rx_packets };
	return r;
}

int link_packets(struct netlink *nl, int index, struct link_packets *packets, struct error *err)
{
	const struct if_stats_msg header = {
		.ifindex = (uint32_t)index,
		.filter_mask = IFLA_STATS_FILTER_BIT(IFLA_STATS_LINK_64),
	};

	*packets = (struct link_packets){ 0 };
	netlink_queue(nl, RTM_GETSTATS, 0, &header, sizeof(header), "count packets of link %d",
		      index);
	netlink_expect(nl, read_packets, packets);
	return netlink_commit(nl, err);
}
