/* Ends of connections as people name them: a pod by "namespace/name" or "name" (namespace default), or an address. */
#ifndef POLICY_END_H
#define POLICY_END_H

#include "base/error.h"
#include "policy/verdict.h"

struct end {
	const char *text;
	const struct pod
		*pod; /* one that takes part; NULL: its addresses are a node's or the outside's */
	ips_t ips;
};

int end_find(const struct world *world, const char *word, struct arena *arena, struct end *end,
	     struct error *err) must_check;
struct end end_of_pod(const struct world *world, const struct pod *pod, struct arena *arena);
struct end end_of_ip(const struct world *world, const struct ip *ip, struct arena *arena);
/* "80", "53/udp", "dns/UDP" is none: a number, TCP when no protocol is given. */
int end_port(const char *word, enum protocol *protocol, uint16_t *port,
	     struct error *err) must_check;

/* The connection of each address family that both ends have (IPv4 first), or one without addresses when an end has none.
 * 0: they have no family in common. */
size_t end_connections(const struct end *from, const struct end *to, enum protocol protocol,
		       uint16_t port, struct connection connections[2]);

#endif
