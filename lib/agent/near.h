/*
 * Which nodes are on a link of this one: what routes say of an address, not what networks the link's own addresses are in. A
 * node at 192.0.2.1/32 has neighbours by a route; and one of 192.0.2.0/24 may be behind a gateway. The main table is asked, and
 * the tables that rules have asked for any packet, as the kernel does about a gateway; one dump of each answers for all peers.
 */
#ifndef AGENT_NEAR_H
#define AGENT_NEAR_H

#include "kernel/route.h"

struct near_table {
	uint32_t id;
	routes_t routes;   /* the best one to each destination, sorted */
	bool lens[2][129]; /* prefixes that occur; IPv4, IPv6 */
};

struct near {
	struct near_table main;
	LIST(struct near_table *) others; /* none on most nodes */
	/* IPv4's and IPv6's, in the order of the rules; NULL = main. Empty: main alone. */
	LIST(const struct near_table *) asked[2];
};

/* All but our own routes, which are ways to pods. In the arena. Rules and routes of the moment. */
int near_read(struct netlink *nl, struct arena *arena, struct near *near,
	      struct error *err) must_check;
/* The same from routes that are known; they are sorted. */
void near_make(const routes_t *routes, struct arena *arena, struct near *near);
/* Does a route of those lead through that link, to where `leads` says? */
bool near_leads(const struct near *near, int link,
		bool (*leads)(const void *arg, const struct cidr *dst), const void *arg);
/* Is the address reached through that link, by no gateway? */
bool near_has(const struct near *near, int link, const struct ip *ip);

#endif
