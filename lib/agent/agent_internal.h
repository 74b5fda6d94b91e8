/* The agent's state, and its pass; inside lib/agent only. */
#ifndef AGENT_AGENT_INTERNAL_H
#define AGENT_AGENT_INTERNAL_H

#include "agent/agent.h"
#include "agent/reconcile.h"
#include "agent/way.h"
#include "base/daemon.h"
#include "base/loop.h"
#include "base/trouble.h"
#include "firewall/firewall.h"
#include "kernel/link.h"
#include "relay/relay.h"

/* How the peers are, after a pass. */
struct agent_peers {
	unsigned wanted;    /* of the leases, this node's not among them */
	unsigned unreached; /* of those: for a reason that lies in the lease or the network */
	unsigned
		missing; /* of those: no way leads there, though one should (plan_trouble_counts) */
	unsigned failed; /* of those: the kernel refused something */
};

struct agent_counts {
	uint64_t passes, failed_passes, refusals;
	uint64_t added[RECONCILE_KINDS],
		removed[RECONCILE_KINDS]; /* repairs: no lease had changed */
	uint64_t rules;                   /* times that rules were repaired */
};

struct health;

struct agent {
	const struct agent_options *options;
	struct loop *loop;
	struct netlink *nl, *monitor;
	struct lease_store *store;
	int claim; /* lock of the node's state */

	struct arena network_arena; /* the network's configuration */
	const char *network;        /* its text */
	struct network_config config;
	const struct way *way; /* the network's; NULL = no network yet */

	subnet_leases_t leases; /* the store's */
	unsigned n_bad;
	bool have_leases;
	struct subnet_usage usage; /* by them; all = 0 where nodes do not choose */
	bool usage_high;           /* it has been told */

	struct arena own_arena; /* what the store gave */
	struct subnet_lease own;
	bool have_own;
	struct arena recalled_arena; /* what an earlier agent had; type NULL = unknown */
	struct subnet_lease recalled;
	cidrs_t recalled_networks;  /* of subnet.env; in that arena */
	struct subnet_lease wanted; /* of the store */
	bool have_wanted;

	struct ip node_ip, node_ip6; /* public ones, as the store says; family 0 = it does not */
	struct ip told, told6;       /* the others, in their place; the same */
	struct arena external_arena;
	struct external external;
	struct arena near_arena;
	struct near near; /* by the table, when it was read last */
	bool near_known;
	struct link vtep, vtep6; /* index 0 = none */
	struct link tun;         /* of the udp way */
	struct relay *relay;     /* the same; NULL = none */
	struct mac mac, mac6;    /* that peers know */

	struct agent_rules {
		struct netlink *monitor; /* NULL = not yet, or no nf_tables */
		bool listening;
		enum firewall_backend form;
		bool chosen; /* the form */
		bool due;    /* a look */
		bool in_place, repaired;
		int pause, legacy_timer;
		uint64_t legacy_state;
	} rules;

	const char *env; /* subnet.env as last written, in own_arena */
	bool env_due;    /* a look whether it still is so */
	bool adopted;    /* what an earlier agent left has been taken over */
	bool fine, told_ready;
	struct trouble store_trouble, pass_trouble, peer_trouble;
	unsigned fine_resyncs;
	bool news; /* leases have changed since the last pass: what differs is no damage */
	struct agent_peers peers;
	struct agent_counts counts;
	int64_t contact_ms;            /* when the store was heard last; 0 = never */
	int64_t left_ms, life_told_ms; /* of the lease's life, and when; -1 = it has no end */
	struct health *health;
	struct alarm pass; /* the next one */
	int resync_timer;
	struct daemon_calls calls;
	int tidy_timer;
	int64_t passed_ms; /* the last pass */
	struct error fatal;
};

/* Of a device, or of pods, in a family. */
int agent_mtu(const struct agent *agent, bool v6);
/* A device's address is the subnet's own, as one host; family 0 = not known yet. */
struct cidr agent_device_address(const struct agent *agent, bool v6);
/* What the store calls (told.c). */
struct lease_store_client agent_store_client(struct agent *agent);
/* The loop ends with that error; without one, well. */
static inline void agent_end_with(struct agent *agent, const struct error *why)
{
	agent->fatal = *why;
	loop_stop(agent->loop, why->errnum ? -why->errnum : 0);
}
/* Everything that can be done with what is known by now. */
int agent_pass(struct agent *agent, struct error *err) must_check;
/* Masquerade and forward rules (rules.c): look, where it is time, and repair; then listen to what others do to them. */
void agent_rules_close(struct agent *agent);
int agent_ensure_rules(struct agent *agent, struct error *err) must_check;
/* Words about the agent, for a person who asks (SIGUSR1), a probe, Prometheus. `ready` says why when it is not. */
bool agent_is_ready(const struct agent *agent, struct arena *arena, const char **why);
void agent_tell_state(const struct agent *agent);
const char *agent_metrics(const struct agent *agent, struct arena *arena);
/* Probes are answered from now on, and the store is asked for a sign of life now and then. */
int health_open(struct health **health, struct agent *agent, struct error *err) must_check;
void health_close(struct health *health);
/* What the node had, from subnet.env and from the lease remembered beside it. */
void agent_recall(struct agent *agent);
/* This node is ours until the descriptor is closed: -EBUSY, another agent has it. */
int agent_claim(struct agent *agent, struct error *err) must_check;
const char *agent_lock_file(const struct agent *agent, struct arena *arena);
/* In which subnet.env is. */
int agent_make_folder(const struct agent *agent, struct error *err) must_check;
/* The file in which that lease is. */
const char *agent_lease_file(const struct agent *agent, struct arena *arena);
/* The node has this lease now: subnet.env, and what is remembered. */
int agent_publish(struct agent *agent, struct error *err) must_check;

#endif
