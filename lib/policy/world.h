/*
 * The world: namespaces, pods, nodes and policies as section "Exact semantics" of the contract has them, and the indexes
 * that keep questions about them cheap. Objects are added (object.h), then world_index() is called; after it nothing
 * moves, and everything is reached by its number. It may be called again when objects have changed.
 */
#ifndef POLICY_WORLD_H
#define POLICY_WORLD_H

#include "policy/cluster_policy.h"

/* Pods by (where, selector), shared by all peers and policies that say the same. */
struct pod_set {
	const struct selector *pods;   /* of the first that asked for it */
	const struct selector *spaces; /* NULL: the one namespace `space` */
	uint32_t space;
	numbers_t pods_in; /* ascending */
	size_t n_ips;      /* of those */
};

/* What one policy may come to, unless it is set: see limit.h. All pods of a cluster of 5000 with two families on 100 ports
 * are 110 000. */
#define EXPANSION_MAX (1 << 20)

struct world {
	struct arena *arena;
	struct symbols symbols;
	struct symbols space_names, node_names, pod_names, policy_names; /* symbol - 1 = number */
	struct symbols cluster_names;
	LIST(struct space) spaces;
	LIST(struct pod) pods;
	LIST(struct node) nodes;
	LIST(struct policy) policies;
	LIST(struct cluster_policy) clusters;
	uint64_t expansion_max; /* of one policy (limit.h); world_init() sets the default */
	/* from world_index() on, in an arena of their own where there is one */
	struct arena *indexes;
	numbers_t cluster_order; /* in which they are asked */
	struct symbols set_names;
	LIST(struct pod_set) sets;
	numbers_t *labelled; /* by symbol of a key or pair: the pods that have it */
};

void world_init(struct world *world, struct arena *arena);
/* The number of a namespace or node; it is made when nothing has named it before. */
uint32_t world_space(struct world *world, const char *name);
struct node *world_node(struct world *world, const char *name);
void world_index(struct world *world);

/* "namespace/name" to a pod or policy; NULL = none. */
const struct pod *world_pod(const struct world *world, const char *space, const char *name);
/* The pod that has the address and can be subject or peer; NULL = none. */
const struct pod *world_pod_by_ip(const struct world *world, const struct ip *ip);
/* "namespace/name" */
const char *pod_text(const struct world *world, const struct pod *pod, struct arena *arena);
const char *policy_text(const struct world *world, const struct policy *policy,
			struct arena *arena);
/* "Admin:name" */
const char *cluster_policy_text(const struct world *world, const struct cluster_policy *policy,
				struct arena *arena);
/* True when the address is one of the named node's. */
bool node_has_ip(const struct world *world, symbol_t node, const struct ip *ip);

#endif
