/* Bridges: make one, give it addresses, set a port's VLANs, take back what nobody else uses by now. */
#ifndef KERNEL_BRIDGE_H
#define KERNEL_BRIDGE_H

#include "kernel/link.h"

struct bridge_spec {
	const char *name;
	int mtu;             /* at creation; 0 = kernel default */
	bool vlan_filtering; /* at creation */
	bool promisc;
};

/*
 * A bridge is shared by all ADDs on the host. Each uses it from its first look until it is done, which holds a shared
 * lock on a file of the network namespace; who wants to take something back after a failure does so only when it can
 * lock alone, without waiting, and no port but its own is there.
 */
enum { BRIDGE_ADDRESSES_MAX = 16 };
struct bridge_use {
	int lock; /* -1 = not begun */
	struct link bridge;
	bool created;
	struct link gateway; /* gets the addresses: the bridge, or bridge_vlan_gateway()'s */
	int vlan;            /* of that one, else 0 */
	bool gateway_created;
	struct cidr added[BRIDGE_ADDRESSES_MAX], removed[BRIDGE_ADDRESSES_MAX];
	size_t n_added, n_removed;
};
int bridge_use_begin(struct bridge_use *use, struct error *err) must_check;
void bridge_use_end(struct bridge_use *use);

/* Create the bridge, or find it: `"x" already exists but is not a bridge`. It is up, keeps its MAC as ports come and go,
 * and ignores router advertisements. An existing bridge is not reconfigured but for promisc. */
int bridge_ensure(struct netlink *nl, struct bridge_use *use, const struct bridge_spec *spec,
		  struct error *err) must_check;
/* A bridge that nobody gave a MAC address has none while it has no port: read it again once it has one. */
int bridge_settle_mac(struct netlink *nl, struct bridge_use *use, struct error *err) must_check;
/*
 * Give a gateway address to use->gateway. Another IPv4 address, or an overlapping IPv6 one, is replaced with force, and
 * `"cni0" already has an IP address different from 10.0.0.1/24` without.
 */
int bridge_address(struct netlink *nl, struct bridge_use *use, const struct cidr *address,
		   bool force, struct error *err) must_check;
/* Take back the gateway that was made, or the addresses that were added (returning those they replaced), or the bridge
 * that was made, if nobody else needs them; own_port does not count (0 = none). Taking back the bridge ends its use: what
 * else is undone may take long, and others wait. */
int bridge_undo_gateway(struct netlink *nl, struct bridge_use *use, int own_port,
			struct error *err) must_check;
int bridge_undo(struct netlink *nl, struct bridge_use *use, int own_port,
		struct error *err) must_check;

/* The VLANs of a port: one access VLAN (0 = VLAN 1), which is untagged even when the trunk has it, too; trunk VLANs as a
 * bit map of 4096 bits (NULL = none); the VLANs it has are removed first unless keep_default. */
struct bridge_vlans {
	int access;
	const uint8_t *trunk;
	bool keep_default;
};
int bridge_port_vlans(struct netlink *nl, int port, const struct bridge_vlans *vlans,
		      struct error *err) must_check;
/* `port is not in VLAN 100`; that it is in others is fine. */
int bridge_port_vlans_check(struct netlink *nl, int port, const struct bridge_vlans *vlans,
			    struct error *err) must_check;

/* With an access VLAN the gateway address sits on a veth pair of its own into the bridge: <bridge>.<vlan>, whose other
 * end (peer_name, used when it is made) is a port in that VLAN; it becomes use->gateway. It is complete when it is up:
 * an existing one that is down gets its VLAN, one that is up is taken as it is. */
struct bridge_vlan_gateway {
	const char *peer_name;
	int vlan, mtu;
};
int bridge_vlan_gateway(struct netlink *nl, struct bridge_use *use,
			const struct bridge_vlan_gateway *spec, struct error *err) must_check;
/* Whether a port other than the gateway's and our own is in the gateway's VLAN. */
int bridge_vlan_in_use(struct netlink *nl, const struct bridge_use *use, int own_port, bool *in_use,
		       struct error *err) must_check;

#endif
