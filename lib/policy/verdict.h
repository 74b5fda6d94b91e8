/*
 * The verdict on a connection, from the objects themselves: section 1 of the contract, word by word. Nothing here uses
 * what is compiled for a kernel, so that the two can be compared. What no policy is asked about (enum exemption) is
 * allowed by ClusterNetworkPolicies, too.
 */
#ifndef POLICY_VERDICT_H
#define POLICY_VERDICT_H

#include "policy/world.h"

/* One end. An address that no pod has (the outside, a node, a pod on the node's network) has no pod; a pod without an
 * address has no address, and no ipBlock finds it. */
struct endpoint {
	const struct pod *pod; /* one that takes part; NULL = none */
	struct ip ip;          /* family 0 = none */
};

struct connection {
	struct endpoint from, to;
	enum protocol protocol;
	uint16_t port; /* destination, as the pod sees it */
};

enum exemption {
	EXEMPT_NOT,
	EXEMPT_SELF,      /* a pod to itself by its own address */
	EXEMPT_FROM_NODE, /* a node to its pod */
	EXEMPT_TO_NODE,   /* a pod to its node */
};

struct side {
	bool isolated, allowed;
	const struct cluster_policy *cluster; /* whose rule decides; NULL = none's */
	const struct policy *policy;          /* the first that allows; NULL = none */
	uint32_t rule;                        /* of that */
};

struct verdict {
	bool allowed;
	enum exemption exempt; /* policies were not asked */
	struct side sides[DIRECTIONS];
};

void verdict_of(const struct world *world, const struct connection *connection,
		struct verdict *verdict);
/* The pieces, for explanations. The peer of ingress is from, that of egress to; ports are always those of to. The policy
 * is NULL for rules of a ClusterNetworkPolicy. */
bool peer_matches(const struct world *world, const struct policy *policy, const struct peer *peer,
		  const struct endpoint *endpoint);
bool port_matches(const struct port_match *match, const struct connection *connection);
bool rule_allows(const struct world *world, const struct policy *policy, const struct rule *rule,
		 enum direction direction, const struct connection *connection);
bool cluster_rule_holds(const struct world *world, const struct cluster_policy *policy,
			const struct cluster_rule *rule, enum direction direction,
			const struct connection *connection);
const struct endpoint *connection_peer(const struct connection *connection,
				       enum direction direction);

#endif
