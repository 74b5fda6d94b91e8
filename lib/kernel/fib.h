/*
 * What the kernel would do with a packet: its own answer (RTM_GETROUTE), the row of its tables that the answer comes from,
 * and the rule that had the table asked.
 */
#ifndef KERNEL_FIB_H
#define KERNEL_FIB_H

#include "kernel/netlink.h"
#include "kernel/route.h"
#include "kernel/rule.h"

struct fib_question {
	struct ip dst, src; /* src not set: not chosen yet */
	int in;             /* it came in by that link; 0 = it is sent from here */
	int out;            /* 0 = any */
	uint32_t mark;
	uint8_t protocol; /* what rules may look at; 0 = none said */
	uint16_t port;
};

struct fib_answer {
	struct route entry; /* as it stands in its table */
	struct route used; /* for this packet: one next hop, the source, what is known of the MTU */
};

/* -ENETUNREACH: no route; -EHOSTUNREACH, -EACCES, -EINVAL: one that says unreachable, prohibit, blackhole. */
int fib_ask(struct netlink *nl, const struct fib_question *question, struct arena *arena,
	    struct fib_answer *answer, struct error *err) must_check;
/* Those of a namespace, for who may not know the struct (firewall/ruleset.h has one of that name). */
struct fib_rules {
	rules_t list;
};

/* The first rule that has `table` asked for such a packet, or (0) refuses it; in: name of the link that it came in by. NULL = none. */
const struct rule *fib_rule(const rules_t *rules, const struct fib_question *question,
			    const char *in, uint32_t table);

#endif
