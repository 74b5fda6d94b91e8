/*
 * The nodes that take part, as a list and a watch have told of them: of each only what its lease is made of, so that an event
 * costs one node's object, and a heartbeat (nothing of it changes) is nobody's work. Pure.
 */
#ifndef REMOTE_KUBE_NODES_H
#define REMOTE_KUBE_NODES_H

#include "lease/kv.h"
#include "remote/kube_node.h"

struct kube_nodes {
	struct kube_kept **items; /* by name */
	size_t n, room;
};
void kube_nodes_free(struct kube_nodes *nodes);

/* A node as it is now; one that takes no part is as good as gone. True: something that matters has changed. */
bool kube_nodes_put(struct kube_nodes *nodes, const struct kube_node *node);
bool kube_nodes_remove(struct kube_nodes *nodes, const char *name);
/* The value of the node of that name, NULL = it takes no part; and the name of the node whose subnets have the key. */
const char *kube_nodes_value(const struct kube_nodes *nodes, const char *name);
const char *kube_nodes_find(const struct kube_nodes *nodes, const char *key, bool v4, bool v6);

/* As entries of a store, `prefix` in front of the keys, with the subnets of these families alone. A node whose podCIDRs are none
 * has a key that is none; one without podCIDRs is not there yet. Values are borrowed. */
void kube_nodes_entries(const struct kube_nodes *nodes, const char *prefix, bool v4, bool v6,
			struct arena *arena, kv_entries_t *entries);
/* The key of subnets in these families (neither: in those that are there); NULL = one is missing. */
const char *kube_subnets_key(const struct cidr *subnet, const struct cidr *subnet6, bool v4,
			     bool v6, struct arena *arena);

#endif
