/* Bridges: make one, give it addresses, set a port's VLANs, take back what nobody else uses by now. */
#ifndef KERNEL_BRIDGE_H
#define KERNEL_BRIDGE_H

#include "kernel/link.h"

/*
 * A bridge is shared by all ADDs on the host. Each holds it (a shared flock on a file of the network namespace) from its
 * first look until it is done; who wants to take the bridge back after a failure does so only when it can hold it alone.
 */
int bridge_hold(int *lock, struct error *err) must_check;
bool bridge_hold_alone(int lock); /* without waiting; false = others are at work */

struct bridge_spec {
	const char *name;
	int mtu;             /* at creation; 0 = kernel default */
	bool vlan_filtering; /* at creation */
	bool promisc;
};

/* Create it, or find it: `"x" already exists but is not a bridge`. It is up, keeps its MAC as ports come and go, and
 * ignores router advertisements. An existing bridge is not reconfigured but for promisc. */
int bridge_ensure(struct netlink *nl, const struct bridge_spec *spec, struct link *bridge,
		  bool *created, struct error *err) must_check;

/*
 * Give a gateway address to a device. Another IPv4 address, or an overlapping IPv6 one, is replaced with force, and
 * `"cni0" already has an IP address different from 10.0.0.1/24` without. *added: it was not there before.
 */
int bridge_address(struct netlink *nl, const struct link *device, const struct cidr *address,
		   bool force, bool *added, struct error *err) must_check;

/* Whether the bridge has a port other than `except`. */
int bridge_in_use(struct netlink *nl, int bridge, int except, bool *in_use,
		  struct error *err) must_check;

/* The VLANs of a port: one access VLAN (0 = none), trunk VLANs as a bit map of 4096 bits (NULL = none); the VLANs it has
 * are removed first unless keep_default. */
struct bridge_vlans {
	int access;
	const uint8_t *trunk;
	bool keep_default;
};
int bridge_port_vlans(struct netlink *nl, int port, const struct bridge_vlans *vlans,
		      struct error *err) must_check;

/* With an access VLAN the gateway address sits on a veth pair of its own into the bridge: <bridge>.<vlan>, whose other
 * end (peer_name, used when it is made) is a port in that VLAN. An existing one is taken as it is. */
struct bridge_vlan_gateway {
	const struct link *bridge;
	const char *peer_name;
	int vlan, mtu;
};
int bridge_vlan_gateway(struct netlink *nl, const struct bridge_vlan_gateway *spec,
			struct link *gateway, struct error *err) must_check;

#endif
