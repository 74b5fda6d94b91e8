/*
 * Pods on a bridge of the node. What one port of a bridge sends to another is not routed, and rules for IP see it only
 * where the bridge shows it to them (br_netfilter): net.bridge.bridge-nf-call-iptables and -ip6tables, of each network
 * namespace. Routed pods need none of it.
 */
#ifndef POLICY_BRIDGED_H
#define POLICY_BRIDGED_H

#include "policy/world.h"

#include "base/error.h"

/* Are rules in the way of all pods of the node? turn_on: they are put there. An error names a pod, its bridge and what
 * is missing. A pod is on a bridge when its address is in a network of the bridge's own. */
int bridged_check(const struct world *world, symbol_t node, bool turn_on,
		  struct error *err) must_check;

#endif
