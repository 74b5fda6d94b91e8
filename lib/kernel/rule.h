/* Policy routing rules: which routing table is asked for whom. */
#ifndef KERNEL_RULE_H
#define KERNEL_RULE_H

#include "base/ip.h"
#include "kernel/netlink.h"
#include "kernel/route.h"

struct rule {
	struct cidr src; /* prefix 0 = from anywhere; family is always set */
	struct cidr dst; /* prefix 0 or no family = to anywhere */
	uint32_t table;
	uint32_t priority; /* 0 = the kernel chooses: in front of the last that it chose */
	/* Of one that is there: */
	bool special; /* looks at more than addresses, or does not ask a table */
	bool inverted;
	bool by_vrf;     /* it asks the table of the VRF that the packet is in */
	uint8_t refuses; /* ROUTE_BLACKHOLE and its like: it asks no table; 0 = it does */
	char in[16];     /* for what comes in by that link; "lo": for what is sent from here */
	uint32_t mark, mark_bits;
};
typedef LIST(struct rule) rules_t;

/* Queue an exclusive addition (-EEXIST: there is the same one, of any priority when none is chosen). */
void rule_queue_add(struct netlink *nl, const struct rule *rule);
/* Queue the deletion of the first that is so; priority 0: of any. */
void rule_queue_del(struct netlink *nl, const struct rule *rule);
/* Rules of a family (0 = both); the kernel has no other filter. -EOPNOTSUPP: it is built without rules. */
int rule_list(struct netlink *nl, int family, struct arena *arena, rules_t *rules,
	      struct error *err) must_check;

/* Whether a table is none that one may take: a rule asks it, a route is in it, or the kernel's own rules look into it. */
bool table_used(uint32_t table, const rules_t *rules, const routes_t *routes);

#endif
