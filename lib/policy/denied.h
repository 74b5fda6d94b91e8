/*
 * Flows that were denied, as the rules of groups log them (nflog.h): counted by who, to whom, on which port and by which
 * group of policies. Names come from a world, which may be empty. Memory is bounded: flows beyond a limit are only
 * counted.
 */
#ifndef POLICY_DENIED_H
#define POLICY_DENIED_H

#include "describe/field.h"
#include "kernel/nflog.h"
#include "policy/compiled.h"

#define DENIED_MAX 4096 /* flows */

struct denied_flow {
	uint64_t count, shown;         /* all; when it was printed last */
	const char *from, *to;         /* addresses */
	const char *from_pod, *to_pod; /* "namespace/name"; NULL: no pod of the world has it */
	const char *protocol;          /* "TCP", "ICMP", "IP 47" */
	int port;                      /* ICMP: its type; 0: none is known */
	const char *direction; /* "ingress", "egress"; NULL: the rule is none of a group's */
	const char *group;     /* what the rule says of itself */
	LIST(const char *)
	policies; /* "namespace/name", "Admin:name"; none: the group is not the world's */
};
extern const struct field denied_fields[]; /* all of it, for JSON */

struct denied {
	const struct world *world;
	struct arena *arena;
	LIST(struct denied_flow) flows;
	uint64_t n_packets, n_other; /* all; those of flows beyond the limit */
	/* inside */
	struct symbols keys; /* symbol - 1 = number of a flow */
	LIST(struct compiled) nodes;
};

/* The arena is its alone. */
void denied_init(struct denied *denied, const struct world *world, struct arena *arena);
/* Forgets all flows, when there are as many as may be; packets stay counted. */
void denied_forget(struct denied *denied);
/* Counts one packet; its flow, or NULL when there are too many. Valid until the next. */
struct denied_flow *denied_add(struct denied *denied, const struct nflog_packet *packet);

/* As a row for people, and one that JSON takes apart. */
struct denied_row {
	uint64_t count;
	const char *from, *to, *port, *direction, *policies;
};
extern const struct field denied_row_fields[];
struct denied_row denied_row_of(const struct denied_flow *flow, struct arena *arena);
/* Pointers to the flows, those of most packets first. */
void denied_sort(const struct denied *denied, bool by_news, const struct denied_flow **sorted);

#endif
