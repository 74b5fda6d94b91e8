/* The agent's state, and its pass; inside lib/agent only. */
#ifndef AGENT_AGENT_INTERNAL_H
#define AGENT_AGENT_INTERNAL_H

#include "agent/agent.h"
#include "agent/reconcile.h"
#include "kernel/link.h"

struct agent {
	const struct agent_options *options;
	struct loop *loop;
	struct netlink *nl, *monitor;
	struct lease_store *store;

	struct arena network_arena; /* the network's configuration */
	struct network_config config;
	bool have_network;

	struct arena leases_arena;
	subnet_leases_t leases;
	unsigned n_bad;
	bool have_leases;

	struct arena own_arena; /* what the store gave */
	struct subnet_lease own;
	bool have_own;
	struct arena recalled_arena; /* what an earlier agent had; type NULL = unknown */
	struct subnet_lease recalled;
	struct subnet_lease wanted; /* of the store */
	bool have_wanted;

	struct arena external_arena;
	struct external external;
	struct link vtep, vtep6; /* index 0 = none */
	struct mac mac, mac6;    /* that peers know */

	const char *env; /* subnet.env as last written, in own_arena */
	bool adopted;    /* what an earlier agent left has been taken over */
	bool in_trouble, fine;
	int pass_timer, resync_timer;
	int64_t pass_due_ms;
	struct error fatal;
};

/* Everything that can be done with what is known by now. */
int agent_pass(struct agent *agent, struct error *err) must_check;
/* What the node had, from subnet.env and from the lease remembered beside it. */
void agent_recall(struct agent *agent);
/* The node has this lease now: subnet.env, and what is remembered. */
int agent_publish(struct agent *agent, struct error *err) must_check;

#endif
