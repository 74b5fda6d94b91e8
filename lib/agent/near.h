/*
 * Which nodes are on a link of this one: what the main table's routes say of an address, not what networks the link's own
 * addresses are in. A node at 192.0.2.1/32 has neighbours by a route; and one of 192.0.2.0/24 may be behind a gateway. One dump
 * of the table answers for all peers.
 */
#ifndef AGENT_NEAR_H
#define AGENT_NEAR_H

#include "kernel/route.h"

struct near {
	routes_t routes;   /* the best one to each destination, sorted */
	bool lens[2][129]; /* prefixes that occur; IPv4, IPv6 */
};

/* All but our own routes, which are ways to pods. In the arena. */
int near_read(struct netlink *nl, struct arena *arena, struct near *near,
	      struct error *err) must_check;
/* The same from routes that are known; they are sorted. */
void near_make(const routes_t *routes, struct arena *arena, struct near *near);
/* Is the address reached through that link, by no gateway? */
bool near_has(const struct near *near, int link, const struct ip *ip);

#endif
