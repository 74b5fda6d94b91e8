/*
 * What a link's hooks and its root have to say of packets: filters with their actions, as far as they are understood. Programs
 * that a bpf link holds (Linux 6.6) are not among them.
 */
#ifndef KERNEL_HOOK_FILTER_H
#define KERNEL_HOOK_FILTER_H

#include "base/ip.h"
#include "kernel/netlink.h"

enum hook_for { HOOK_FOR_ALL, HOOK_FOR_V4, HOOK_FOR_V6, HOOK_FOR_TAGGED, HOOK_FOR_OTHERS };
enum hook_act {
	HOOK_ACT_UNKNOWN,
	HOOK_ACT_NEXT, /* as if it did not match */
	HOOK_ACT_PASS,
	HOOK_ACT_DROP,
	HOOK_ACT_SEND, /* to a link */
};

/* In their order. What is zero is not asked for. */
struct hook_filter {
	char kind[16]; /* "matchall" and its like */
	char name[64]; /* of a program */
	uint16_t priority;
	enum hook_for for_what;
	bool unknown; /* it looks at more than this */
	struct cidr source, destination;
	uint8_t protocol;
	struct ports ports; /* of the destination */
	enum hook_act act;
	int to; /* the link that it sends to */
};
typedef LIST(struct hook_filter) hook_filters_t;

/* Of the way in, or out; a link that has no such hook has none. */
int hook_filters(struct netlink *nl, int index, bool egress, struct arena *arena,
		 hook_filters_t *filters, struct error *err) must_check;

#endif
