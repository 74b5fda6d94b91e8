/*
 * The ways in which a node's pods and the other nodes' pods reach each other, flannel's backends: what differs between them
 * stands in one table, and everything else in the agent asks there.
 */
#ifndef AGENT_WAY_H
#define AGENT_WAY_H

#include "agent/plan.h"

struct agent;

struct way {
	const char *name;        /* Backend.Type of the network */
	const char *lease_type;  /* BackendType of the node's own lease */
	int overhead, overhead6; /* bytes that a packet grows by, over IPv4 and over IPv6 */
	/* Make the devices so, whatever is there, or say what is in the way; NULL = it has none. Called in every pass, before there is a lease, too. */
	int (*ensure_devices)(struct agent *agent, struct error *err);
	/* Peers by way of an agent's process; NULL = the kernel's tables are all. */
	int (*tell_peers)(struct agent *agent, const struct plan *plan, struct error *err);
	/* Say what has been counted; NULL = the kernel counts. */
	void (*tell_counters)(const struct agent *agent);
	/* What peers must know of the devices; NULL = nothing. */
	void (*lease_data)(const struct agent *agent, struct subnet_lease *own);
};
extern const struct way way_vxlan, way_host_gw, way_udp;

/* What a packet of the family may have so that it fits, where the interface below carries that many bytes. */
int way_mtu(const struct way *way, const struct network_config *config, int below, bool v6);
/* -EINVAL: there is no such way; the words say which there are. */
int way_find(const char *name, const struct way **way, struct error *err) must_check;

#endif
