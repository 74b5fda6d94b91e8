/* A device of ours, of whatever kind: up, with its MTU, and its one address inside of the network. */
#ifndef AGENT_DEVICE_H
#define AGENT_DEVICE_H

#include "agent/plan.h"
#include "kernel/link.h"

struct device_spec {
	const char *name;
	int mtu;
	struct mac mac;      /* not set = as it is */
	struct cidr address; /* its only one inside of network; family 0 = not known yet */
	struct cidr network;
};

/* *link: the device as it is, and is after. *changed is set when something had to be done. */
int device_settle(struct netlink *nl, const struct device_spec *spec, struct link *link,
		  bool *changed, struct error *err) must_check;

/* What an agent that starts now wants of a device of the node in a family (but for its name), where the interface below carries so
 * many bytes. false: nothing. */
bool device_wanted(const struct plan_node *node, int device, bool v6, int below,
		   struct device_spec *spec);

#endif
