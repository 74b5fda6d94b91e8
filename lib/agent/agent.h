/*
 * An agent: keeps this node's lease and, from all leases, the way to the other nodes' pods. One loop: the store tells of
 * leases, the kernel of what others did to its state, a timer looks now and then; each leads to the same pass, which brings
 * everything to where it should be (flannel.md, sections 4 to 8, without the defects of 8.1).
 */
#ifndef AGENT_AGENT_H
#define AGENT_AGENT_H

#include "agent/external.h"
#include "lease/store.h"

struct lease_place; /* lease/place.h */

/* Who may ask how the agent is: /healthz, /readyz and /metrics. */
struct agent_health {
	struct ip ip;
	int port;           /* 0 = nobody */
	bool local_metrics; /* /metrics for this machine only, whatever ip is */
	unsigned
		silence_ms; /* a store that has not been heard for longer makes it not ready; 0 = never */
};

struct agent_options {
	const char *name;                /* of the agent, as it speaks of itself */
	struct external_choice external; /* families are the network's */
	struct worker_program store;
	const struct lease_place *place; /* the same, for who looks once */
	const char *subnet_file;         /* subnet.env; beside it this node's lease is remembered */
	const char *
		cni_config; /* a CNI configuration that appears at cni_config_to behind it; NULL = none */
	const char *cni_config_to;
	const char *
		type; /* the way that it must be, "vxlan" or "host-gw"; NULL = what the network says */
	bool mixed; /* the type counts although the network says another */
	struct agent_rules_options {
		bool masquerade; /* FLANNEL_IPMASQ: this agent does it, not the plugins */
		bool fully_random, forward, forward_first; /* as in struct overlay */
		unsigned legacy_ms; /* how often legacy tables are asked; 0 = never */
	} rules;
	bool tx_checksum;   /* of a VXLAN device, by a network card; never behind NAT */
	bool blackhole;     /* packets for pods that are not there go nowhere */
	unsigned resync_ms; /* a pass without an event; 0 = none */
	bool once;          /* end when the first pass has succeeded */
	unsigned once_ms;   /* and with an error when none has for so long; 0 = wait for ever */
	bool release;       /* the lease, at the end by a signal */
	bool fixed_lease; /* it is as the store has it, and so is the device: nothing can be written */
	bool observe;     /* ways to the others only: no lease, no subnet, no subnet.env */
	struct agent_health health;
	struct {
		unsigned queues, spin_us, pace; /* as in struct relay_spec */
		int datapath;                   /* enum relay_datapath */
	} relay;
};

/* Until SIGTERM or SIGINT (0): the data plane stays. -EXDEV: the node's subnet belongs to another node by now. */
int agent_run(const struct agent_options *options, struct error *err) must_check;

#endif
