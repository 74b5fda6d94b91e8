/*
 * route-dump's parts: how a route is said (text.c), and how other nodes are reached (peers.c), what an agent
 * would do about it (diff.c), and the words for both (words.c); the descriptor, ../route-dump.c,
 * selects routes.
 */
#ifndef ROUTE_DUMP_DUMP_H
#define ROUTE_DUMP_DUMP_H

#include "describe/applet.h"
#include "kernel/link.h"
#include "kernel/neigh.h"
#include "kernel/route.h"
#include "lease/place.h"

enum { PROTOCOL_BOOT = 3 }; /* that `ip` does not say */

struct options {
	const char *netns, *table, *protocol, *dev;
	struct lease_place place;
	bool v4, v6, peers, verbose, diff, json;
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

/* As the kernel keeps it, whether it was said or not. */
uint32_t dump_metric(const struct route *route);
/* One of a peer's, in the arena; NULL for NULL. all: who made a route, and its metric, too. Without them flanneld's and ours
 * are the same. */
const char *dump_route(const struct dump *dump, const struct route *route, bool all);
const char *dump_neigh(const struct dump *dump, const struct neigh *neigh);

/* --peers. Status 1 when one cannot be reached as its lease asks. */
int dump_peers(const struct dump *dump, const struct options *options,
	       struct error *err) must_check;
/* --diff. Status DIFF_STATUS when an agent would change something. */
enum { DIFF_STATUS = 3 };
int dump_diff(const struct dump *dump, const struct options *options, struct error *err) must_check;

#endif
