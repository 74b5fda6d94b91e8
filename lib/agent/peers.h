/*
 * How each other node is reached, compared with what its lease asks for: read only, for people. It works beside our agents, where
 * they have stopped, and on a node where flanneld itself is at work.
 */
#ifndef AGENT_PEERS_H
#define AGENT_PEERS_H

#include "agent/plan.h"
#include "lease/place.h"

/* What leads to a subnet; NULL = nothing of the kind. mtu: of one packet on the whole way, 0 = not known. */
struct peer_entries {
	const struct route *route;
	const struct neigh *neighbour, *fdb;
	int mtu;
};

/* One subnet of one peer. The words are what is wrong, "ok", or "-" where there need not be such a thing. */
struct peer_state {
	const struct subnet_lease *lease;
	struct cidr subnet;
	struct peer_entries expected, actual;
	const char *route, *neighbour, *fdb;
	const char *verdict; /* of all of it, in a sentence; "ok" */
	bool failed;         /* the kernel has not what there should be */
	int path_mtu; /* of a packet to its node, where the kernel has learnt of less than the interface carries; 0 = no such thing */
};
typedef LIST(struct peer_state) peer_states_t;

/* What a store and the kernel say of a network and of this node in it. */
struct peers_scene {
	struct network_config config;
	subnet_leases_t leases;
	struct plan_node node;
};

/* This node among the leases, by its addresses: its interface, networks and VXLAN devices. -ENOENT: none of the leases is
 * this node's. Everything goes to the arena; *own borrows from the leases. */
int peers_find_node(struct netlink *nl, const struct network_config *config,
		    const subnet_leases_t *leases, struct arena *arena, struct plan_node *node,
		    struct error *err) must_check;
/* Looks at the kernel, and compares. */
int peers_look(struct netlink *nl, const struct plan_node *node, const subnet_leases_t *leases,
	       struct arena *arena, peer_states_t *states, struct error *err) must_check;
/* How much fits into a packet on the way to each: only who shows it asks, the kernel twice for each. */
int peers_measure(struct netlink *nl, const struct plan_node *node, struct arena *arena,
		  peer_states_t *states, struct error *err) must_check;
/* As much as should; yes while nothing is known. */
bool peer_fits(const struct peer_state *state);
/* Read the store, and find this node. exact_life: how long each lease lives is asked, too (kv.h). *scene borrows from itself. */
int peers_read(struct netlink *nl, const struct lease_place *place, bool exact_life,
	       struct arena *arena, struct peers_scene *scene, struct error *err) must_check;
/* All of it but what is measured. */
int peers_ask(struct netlink *nl, const struct lease_place *place, struct arena *arena,
	      peer_states_t *states, struct error *err) must_check;

#endif
