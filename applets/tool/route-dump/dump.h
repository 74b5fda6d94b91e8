/*
 * route-dump's parts: how a route is said (text.c), and how other nodes are reached (peers.c); the descriptor, ../route-dump.c,
 * selects routes.
 */
#ifndef ROUTE_DUMP_DUMP_H
#define ROUTE_DUMP_DUMP_H

#include "describe/applet.h"
#include "kernel/link.h"
#include "kernel/route.h"
#include "lease/place.h"

enum { PROTOCOL_BOOT = 3 }; /* that `ip` does not say */

struct options {
	const char *netns, *table, *protocol, *dev;
	struct lease_place place;
	bool v4, v6, peers, verbose, json;
};

struct dump {
	struct invocation *call;
	struct netlink *nl;
	links_t links;
	uint32_t table; /* 0 = all: then each route says its own */
};

/* A table's or a protocol's number by its name, or as it is. */
int dump_table(const char *word, uint32_t *number, struct error *err) must_check;
int dump_protocol(const char *word, uint32_t *number, struct error *err) must_check;
/* NULL = none. */
const char *dump_dev(const struct dump *dump, int index);
const char *dump_ip(const struct ip *ip, struct arena *arena);
/* A line of `ip route`; what a list of `ip -j route` has. */
void dump_text(const struct dump *dump, FILE *out, const struct route *route);
void dump_json(const struct dump *dump, const routes_t *routes);

/* The same for the middle of a line, in the arena. */
const char *dump_words(const struct dump *dump, const struct route *route);

/* --peers. Status 1 when one cannot be reached as its lease asks. */
int dump_peers(const struct dump *dump, const struct options *options,
	       struct error *err) must_check;

#endif
