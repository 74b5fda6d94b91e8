/*
 * Make the kernel hold what the plan says: dumps of what is there, the difference in one batch. What is ours is known by
 * proof: routes by their protocol number and by being part of this network, neighbours and forwarding entries by being on a VXLAN device of ours. Everything else
 * is left alone.
 */
#ifndef AGENT_RECONCILE_H
#define AGENT_RECONCILE_H

#include "agent/plan.h"

enum reconcile_kind { RECONCILE_ROUTE, RECONCILE_NEIGHBOUR, RECONCILE_FDB, RECONCILE_KINDS };

struct reconciled {
	unsigned added, removed; /* what was not as it should be */
	unsigned added_of[RECONCILE_KINDS], removed_of[RECONCILE_KINDS]; /* the same by kind */
	unsigned failed;    /* additions that the kernel refused */
	struct error first; /* of them */
};

/*
 * Is it one that flanneld made to a host-gw peer? They carry no number that would prove it: flannel's networks by subnet.env,
 * a subnet as long as this node's own, and a gateway do.
 */
bool reconcile_is_flannels(const struct route *route, const cidrs_t *networks,
			   const struct subnet_lease *own);

/*
 * adopt: also take over what flannel left (routes of protocol boot, on the VXLAN devices and to host-gw peers): wanted ones become
 * ours without a moment in which they are missing, others go. A refusal of one entry does not keep the others from being made.
 */
int reconcile(struct netlink *nl, const struct plan_node *node, const struct plan *plan, bool adopt,
	      struct reconciled *done, struct error *err) must_check;

/* One thing that a pass would do; NULL: there is none, or none is to be. Routes, or neighbours and forwarding entries. */
struct reconcile_change {
	const struct route *route_was, *route;
	const struct neigh *neigh_was, *neigh;
};
typedef void reconcile_tell_fn(void *arg, const struct reconcile_change *change);
/* What reconcile() would do: it is told, and nothing is done. What is told of lives as long as the call. */
int reconcile_look(struct netlink *nl, const struct plan_node *node, const struct plan *plan,
		   bool adopt, reconcile_tell_fn *tell, void *arg, struct error *err) must_check;

#endif
