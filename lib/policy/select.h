/*
 * Selection: which pods a selector means in which namespaces. Every (where, selector) is answered once and kept as a
 * set; pods are found by an inverted index of labels, so that a selector costs what it finds, not all pods there are.
 */
#ifndef POLICY_SELECT_H
#define POLICY_SELECT_H

#include "policy/world.h"

/* The inverted index; when all pods are there. */
void select_index(struct world *world);
/* The set of pods that match `pods` in the namespace `space`, or, when `spaces` is not NULL, in all that it matches. */
uint32_t select_pods(struct world *world, uint32_t space, const struct selector *spaces,
		     const struct selector *pods);
/* Those of a peer without ipBlock, in a policy of that namespace. */
uint32_t select_peer(struct world *world, uint32_t space, const struct peer *peer);
/* Whether the pod, as it is, belongs there. */
bool pod_set_wants(const struct world *world, const struct pod_set *set, const struct pod *pod);
bool pod_set_has(const struct pod_set *set, uint32_t pod);

#endif
