/*
 * A lease: what a server's ACK grants, as the network plugin and the lease's upkeep need it. Made from a message
 * (pure), written to disk and to the plugin by one field table.
 */
#ifndef DHCP_LEASE_H
#define DHCP_LEASE_H

#include "dhcp/message.h"

#define DHCP_FOREVER UINT32_MAX /* seconds of a lease without end */

struct dhcp_route {
	struct cidr dst;
	struct ip gw;
	bool on_link; /* option 121 with router 0.0.0.0: no gateway, scope link */
};

struct dhcp_lease {
	struct cidr address;
	struct ip gateway; /* the first router, not set = none */
	LIST(struct dhcp_route) routes;
	LIST(struct ip) name_servers; /* option 6, when it was asked for */
	const char *domain;           /* option 15, the same */
	struct ip server;
	struct mac server_mac;    /* of the server, or of the relay or router on the way to it */
	int64_t begin_ms;         /* when it was asked for, by clock_boot_ms() */
	uint32_t seconds, t1, t2; /* of the lease, until renewing, until rebinding */
};

extern const struct field dhcp_lease_fields[];

/* Everything from a first ACK. Fails (-EBADMSG) with what the server forgot: `DHCP option Subnet Mask not found in
 * DHCPACK`. server is taken from the message unless it names none. Lists go to the arena. */
int dhcp_lease_read(const struct dhcp_message *ack, struct arena *arena, struct dhcp_lease *lease,
		    struct error *err) must_check;
/* Only the times: of an ACK that renews. */
void dhcp_lease_times(const struct dhcp_message *ack, struct dhcp_lease *lease);
/* Milliseconds by clock_boot_ms() when it ends, is to be renewed, rebound; INT64_MAX = never. */
int64_t dhcp_lease_end(const struct dhcp_lease *lease);
int64_t dhcp_lease_renew(const struct dhcp_lease *lease);
int64_t dhcp_lease_rebind(const struct dhcp_lease *lease);
/* An address that a host can have: not 0.0.0.0, loopback, multicast, broadcast. */
bool dhcp_usable(const struct ip *ip);

#endif
