/* Connections that the kernel tracks in the current network namespace (ctnetlink). */
#ifndef KERNEL_CONNTRACK_H
#define KERNEL_CONNTRACK_H

#include "base/ip.h"
#include "kernel/netlink.h"

/* One direction as the first packet had it, the other as its answer: they differ where addresses are translated. */
struct flow {
	uint8_t protocol;
	struct ip source, destination;
	uint16_t source_port, destination_port;
	struct ip reply_source;
	uint16_t reply_port; /* of the reply's source */
	uint32_t id;
	uint16_t zone;
};
typedef LIST(struct flow) flows_t;

/* Which flows are wanted; what is not set matches any. */
struct flow_filter {
	int family; /* 0: both, then the members up to `translated` must not be set */
	uint8_t protocol;
	uint16_t destination_port; /* needs a protocol */
	struct ip reply_source;
	bool translated; /* only those whose destination was (Linux 5.14; before that all) */
};

/* A session in the current namespace. */
int conntrack_open(struct netlink **nl, struct error *err) must_check;
/* Append the flows to the list. The kernel walks its whole table for each call (measured: 9 ms for 262144 buckets), but
 * hands out only what is wanted (Linux 5.8; before that the rest is left out here). */
int conntrack_list(struct netlink *nl, const struct flow_filter *filter, struct arena *arena,
		   flows_t *flows, struct error *err) must_check;
/* Queue the removal of one: it may have ended meanwhile. */
void conntrack_queue_del(struct netlink *nl, const struct flow *flow);
/* Does this namespace track any connection at all? Costs next to nothing; true when unsure. */
bool conntrack_any(void);

#endif
