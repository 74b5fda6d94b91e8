/*
 * What this node's kernel should hold so that its pods reach the other nodes' pods: a pure function of the network, the
 * leases and the node's links. First start, every event and every repair compute it anew; reconcile.h makes it so.
 *
 * The state is flannel's (flannel.md, section 4): for a VXLAN peer a neighbour, a forwarding entry and an onlink route, for a
 * host-gw peer a route through its address. Which way a peer is reached is its own lease's business, so that nodes of both
 * kinds live in one network while one is replaced by the other.
 */
#ifndef AGENT_PLAN_H
#define AGENT_PLAN_H

#include "agent/near.h"
#include "kernel/neigh.h"
#include "kernel/route.h"
#include "lease/network.h"
#include "lease/subnet.h"

/* What is known of the node. */
struct plan_node {
	const struct network_config *config;
	const struct subnet_lease *own;
	int external;    /* index of the interface that leads to the others */
	int vtep, vtep6; /* indices of the VXLAN devices, 0 = none */
	int tun;         /* of the relay of the udp way, 0 = none */
	bool blackhole;  /* this node's own subnets get one */
	cidrs_t links;   /* networks that the external interface is in, with its addresses */
	const struct near *near; /* what is on it; NULL = nothing */
	cidrs_t was;             /* networks that an agent of this node's kept before */
};

/* Why a peer is not reached, or not in the way it asks for. */
enum plan_trouble {
	PLAN_FINE,
	PLAN_NO_ADDRESS,    /* no public address in a family in which it has a subnet */
	PLAN_FAR,           /* host-gw, and not on a network that we share */
	PLAN_OTHER_TYPE,    /* a way that we do not have, or have no device for */
	PLAN_SAME_MAC,      /* as another peer's, which frames for it go to */
	PLAN_OVERLAPS_OURS, /* its subnet is, or is part of, our own */
	PLAN_OUTSIDE,       /* its subnet is none of the network's */
	PLAN_OVERLAPS_LINK, /* its subnet would take the way to nodes themselves away */
};

struct plan_peer {
	const struct subnet_lease *lease;
	enum plan_trouble trouble;
};

struct plan {
	routes_t routes; /* sorted: by destination */
	neighs_t
		neighs; /* of VXLAN devices: neighbours and forwarding entries; sorted, each place once */
	LIST(struct plan_peer) peers;
};

/* Everything lives in the arena and borrows from the leases. */
void plan_make(const struct plan_node *node, const subnet_leases_t *leases, struct arena *arena,
	       struct plan *plan);
/* Is it reached by way of a relay? flannel's leases of that way say no type. */
bool plan_is_udp(const struct subnet_lease *lease);
const char *plan_trouble_text(enum plan_trouble trouble);
/*
 * Does it keep a node from being ready? Not what the lease itself is to blame for, nor what is so by design (another kind of
 * network beside this one, the lease that a node of flannel's leaves when its address changes): that could last for ever.
 */
bool plan_trouble_counts(enum plan_trouble trouble);

/* Is that part of this agent's network? Another network's agent on the node has routes of its own. */
bool plan_is_within(const struct network_config *config, const struct cidr *subnet);

#endif
