/*
 * A VXLAN device of this node: flannel.<VNI>, or flannel-v6.<VNI> over IPv6. What is there is adopted when it is what we would
 * make, whoever made it, so that no packet is lost when an agent starts; its MAC stays what peers know.
 */
#ifndef AGENT_VTEP_H
#define AGENT_VTEP_H

#include "kernel/link.h"
#include "lease/network.h"

struct vtep_spec {
	const char *name;
	struct link_vxlan vxlan;
	int mtu;        /* of the device */
	struct mac mac; /* for a new device, not set = random; an adopted one keeps its own */
	struct cidr
		address; /* its only one inside of network: the subnet's first as /32 or /128; family 0 = not known yet */
	struct cidr network;
};

/* As the network has it, over the interface below, which has that address. */
struct link_vxlan vtep_shape(const struct network_backend *backend, int below,
			     const struct ip *local);
/* In all that can only be changed by making the device anew: learning is not. */
bool vtep_is(const struct link_vxlan *there, const struct link_vxlan *shape);

/* Make it so, whatever is there: up, MTU, address, no router advertisements. *changed: something had to be done. */
int vtep_ensure(struct netlink *nl, const struct vtep_spec *spec, struct link *link, bool *changed,
		struct error *err) must_check;

#endif
