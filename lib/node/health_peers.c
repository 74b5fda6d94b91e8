/* The other nodes, as the lease store has them: subnets that two have, and nodes that do not answer. */
#include "node/health_internal.h"

#include <errno.h>
#include <poll.h>

#include "agent/peers.h"
#include "base/clock.h"
#include "kernel/fib.h"

enum { NEIGH_NONE = 0x00, NEIGH_INCOMPLETE = 0x01, NEIGH_FAILED = 0x20 };
enum { ANSWER_MS = 5000, LOOK_MS = 100 }; /* the kernel gives up after three seconds */

/* Who is asked on this node's own links, for one of the nodes. */
struct way {
	const struct subnet_lease *lease;
	int oif;
	struct ip next;
};
typedef LIST(struct way) ways_t;

/* ---- overlaps ---- */

static void check_pair(struct health *health, const struct subnet_lease *a,
		       const struct subnet_lease *b)
{
	const struct cidr *of_a[] = { &a->subnet, &a->subnet6 };
	const struct cidr *of_b[] = { &b->subnet, &b->subnet6 };
	char one[CIDR_TEXT_SIZE], other[CIDR_TEXT_SIZE];

	for (size_t i = 0; i < ARRAY_SIZE(of_a); i++)
		if (of_a[i]->ip.family && of_b[i]->ip.family && cidr_overlaps(of_a[i], of_b[i]))
			health_add(
				health, "peer",
				health_text(health, "nodes %s and %s have the same addresses",
					    health_ip(health, subnet_node(a)),
					    health_ip(health, subnet_node(b))),
				health_text(health, "their subnets %s and %s overlap",
					    cidr_format(of_a[i], one), cidr_format(of_b[i], other)),
				health_text(health, "end the wrong lease: cnibox lease release %s",
					    cidr_format(of_b[i], other)));
}

/* ---- answers ---- */

static void find_way(struct health *health, const struct subnet_lease *lease, ways_t *ways)
{
	const struct ip *node = subnet_node(lease);
	const struct fib_question question = { .dst = *node };
	struct fib_answer answer;

	if (!node->family)
		return;
	if (fib_ask(health->scene.here->nl, &question, health->arena, &answer, NULL) < 0)
		health_add(
			health, "peer",
			health_text(health, "there is no way to node %s", health_ip(health, node)),
			"this node's own network has no route to it",
			health_text(health, "ip route get %s", health_ip(health, node)));
	else if (answer.used.type != ROUTE_LOCAL && answer.used.oif)
		*list_add(health->arena, ways) =
			(struct way){ lease, answer.used.oif,
				      answer.used.gw.family ? answer.used.gw : *node };
}

/* NULL = the kernel knows nothing of it. */
static const struct neigh *neighbour_of(const neighs_t *neighs, const struct way *way)
{
	list_each(neigh, neighs)
		if (neigh->index == way->oif && ip_equal(&neigh->ip, &way->next))
			return neigh;
	return NULL;
}

static bool is_asked(const neighs_t *neighs, const ways_t *ways)
{
	list_each(way, ways) {
		const struct neigh *neigh = neighbour_of(neighs, way);

		if (neigh && (neigh->state == NEIGH_NONE || neigh->state & NEIGH_INCOMPLETE))
			return true;
	}
	return false;
}

/* The kernel asks for the hardware address of each, as before a first packet; nothing else is sent. */
static int ask(struct health *health, const ways_t *ways, neighs_t *neighs, struct error *err)
{
	struct netlink *nl = health->scene.here->nl;
	int64_t end = clock_ms() + ANSWER_MS;
	int r;

	list_each(way, ways)
		neigh_queue_ask(nl, way->oif, &way->next);
	r = ways->n ? netlink_commit(nl, err) : 0;
	while (r >= 0) {
		neighs->n = 0;
		r = neigh_list(nl, 0, false, health->arena, neighs, err);
		if (r < 0 || !is_asked(neighs, ways) || clock_ms() > end)
			break;
		poll(NULL, 0, LOOK_MS);
	}
	return r;
}

static void check_answer(struct health *health, const struct way *way, const neighs_t *neighs)
{
	const struct neigh *neigh = neighbour_of(neighs, way);
	const struct link *link = place_link(health->scene.here, way->oif);
	const struct ip *node = subnet_node(way->lease);
	const char *name = health_ip(health, node), *next = health_ip(health, &way->next);
	char subnet[CIDR_TEXT_SIZE];

	if (link && link->operstate == LINK_OPER_DOWN) { /* which may forget all it knew */
		health_add(health, "peer", health_text(health, "node %s is not reached", name),
			   health_text(health, "%s, which leads to it, has no carrier", link->name),
			   health_text(health, "ip link show %s", link->name));
		return;
	}
	if (!neigh || !link || !(neigh->state & (NEIGH_FAILED | NEIGH_INCOMPLETE)))
		return;
	if (!ip_equal(node, &way->next)) {
		health_add(health, "peer",
			   health_text(health, "the gateway to node %s does not answer", name),
			   health_text(health, "nobody on %s has the address %s", link->name, next),
			   health_text(health, "ip route get %s", name));
		return;
	}
	cidr_format(way->lease->subnet.ip.family ? &way->lease->subnet : &way->lease->subnet6,
		    subnet);
	health_add(health, "peer", health_text(health, "node %s does not answer", name),
		   health_text(health, "nobody on %s has its address, and %s is leased to it",
			       link->name, subnet),
		   health_text(health, "if it is gone for good: cnibox lease release %s", subnet));
}

/* ---- what fits ---- */

static void check_fit(struct health *health, const struct peer_state *state)
{
	if (!state->path_mtu || peer_fits(state))
		return;
	health_add(
		health, "peer",
		health_text(health, "packets for pods of node %s are too large for the way to it",
			    health_ip(health, subnet_node(state->lease))),
		health_text(health, "it carries %d bytes, so that %d fit, and pods send up to %d",
			    state->path_mtu, state->actual.mtu, state->expected.mtu),
		health_text(health, "\"MTU\": %d in the network's Backend", state->path_mtu));
}

/* A smaller way is what the kernel has learnt of: a packet of full size that was refused, or a route that says so. */
static int check_fits(struct health *health, const struct peers_scene *scene, struct error *err)
{
	struct netlink *nl = health->scene.here->nl;
	peer_states_t states = { 0 };
	int r = peers_look(nl, &scene->node, &scene->leases, health->arena, &states, err);

	if (r >= 0)
		r = peers_measure(nl, &scene->node, health->arena, &states, err);
	if (r < 0)
		return r;
	list_each(state, &states)
		check_fit(health, state);
	return 0;
}

/* A node without a store, or none of its nodes, has no peers. */
int health_check_peers(struct health *health, struct error *err)
{
	struct peers_scene scene;
	neighs_t neighs = { 0 };
	ways_t ways = { 0 };
	int r;

	if (!health->query->place)
		return 0;
	r = peers_read(health->scene.here->nl, health->query->place, false, health->arena, &scene,
		       err);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	list_each(lease, &scene.leases) {
		for (const struct subnet_lease *other = lease + 1;
		     other < scene.leases.items + scene.leases.n; other++)
			check_pair(health, lease, other);
		if (lease != scene.node.own)
			find_way(health, lease, &ways);
	}
	r = ask(health, &ways, &neighs, err);
	if (r < 0)
		return r;
	list_each(way, &ways)
		check_answer(health, way, &neighs);
	return check_fits(health, &scene, err);
}
