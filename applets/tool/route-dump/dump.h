/*
 * route-dump's parts: how a route is said (text.c), and how other nodes are reached (peers.c), what went to them and came
 * (packets.c), what an agent would do about it (diff.c), and the words for it (words.c); the descriptor, ../route-dump.c, selects
 * routes.
 */
#ifndef ROUTE_DUMP_DUMP_H
#define ROUTE_DUMP_DUMP_H

#include "agent/packets.h"
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
	const char *subnet_file;
	bool ip_masq, forward;
};

struct dump {
	struct invocation *call;
	struct netlink *nl;
	int netns; /* its descriptor, -1 = this one */
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
/* Of one peer; heard is NULL when nobody counts them. */
struct packets {
	struct peer_packets of;
	const char *heard;
};
extern const struct field dump_packets_fields[], dump_loss_fields[];
/* Of the relay behind that device (0 = none); none where there is none. */
void dump_read_packets(const struct dump *dump, int tun, peers_packets_t *packets);
struct packets dump_packets(const struct dump *dump, const peers_packets_t *packets,
			    const struct cidr *subnet);
/* Lines below a peer's, and the end of one. */
void dump_packets_text(FILE *out, const struct packets *packets);
void dump_losses_text(FILE *out, const peer_losses_t *losses);

/* --diff. Status DIFF_STATUS when an agent would change something. */
enum { DIFF_STATUS = 3 };
int dump_diff(const struct dump *dump, const struct options *options, struct error *err) must_check;
/* Its part about devices that are there (diff_device.c): each difference is taken, was or would may be NULL. */
struct plan_node;
typedef void dump_change_fn(void *arg, const char *kind, const char *was, const char *would);
int dump_diff_devices(const struct dump *dump, const struct plan_node *node, dump_change_fn *take,
		      void *arg, struct error *err) must_check;
/* Those that are missing, or cannot be made what they should be but by making them anew: what leads through them is not told of. */
void dump_diff_missing(const struct dump *dump, const struct plan_node *node, dump_change_fn *take,
		       void *arg);
/* Its part about firewall rules (diff_rules.c). Where they may not be read that is a warning. */
int dump_diff_rules(const struct dump *dump, const struct options *options,
		    const struct plan_node *node, dump_change_fn *take, void *arg,
		    struct error *err) must_check;

#endif
