/*
 * What one policy may come to. Its expansion is a bound of what compiling it takes: the addresses and prefixes of its
 * peers, and for each of its ports the kinds of peers with those of them that may stand in pairs. A policy beyond the
 * limit is closed, and others are not touched: a NetworkPolicy isolates and allows nothing, the rules of a
 * ClusterNetworkPolicy fail closed. Else who may write one policy could take a node's memory.
 */
#ifndef POLICY_LIMIT_H
#define POLICY_LIMIT_H

#include "policy/object.h"

/* When the sets of peers are there: sets expansion and closed of every policy. True: closed is another one for some. */
bool world_limit(struct world *world);
/* An error for each policy that is closed. */
void limit_report(const struct world *world, object_report_fn *report, void *arg);

#endif
