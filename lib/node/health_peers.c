/* The other nodes, as the lease store has them: subnets that two have, and nodes that do not answer. */
#include "node/health_internal.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "agent/peers.h"
#include "base/clock.h"
#include "base/text.h"
#include "kernel/fib.h"

enum { NEIGH_NONE = 0x00, NEIGH_INCOMPLETE = 0x01, NEIGH_FAILED = 0x20 };
enum { ANSWER_MS = 5000, LOOK_MS = 100 }; /* the kernel gives up after three seconds */
enum { AT_ONCE = 256 };                   /* its table has room for 1024 */

/* Who is asked on this node's own links: the node itself, or the router of many. */
struct hop {
	int oif;
	struct ip ip;
	const struct neigh *before, *now; /* NULL = the kernel knows nothing of it */
};
typedef LIST(struct hop) hops_t;

struct way {
	const struct subnet_lease *lease;
	size_t hop;
};
typedef LIST(struct way) ways_t;

/* ---- what mends it ---- */

/* Either subnet of a node will do. */
static const char *subnet_of(struct health *health, const struct subnet_lease *lease)
{
	char text[CIDR_TEXT_SIZE];

	return arena_strdup(
		health->arena,
		cidr_format(lease->subnet.ip.family ? &lease->subnet : &lease->subnet6, text));
}

/* Where nodes take their leases themselves; Kubernetes and a file have them from somebody else. */
static const char *release(struct health *health, const char *subnet)
{
	const struct lease_place *place = health->query->place;

	if (place->peers_file)
		return health_text(health, "edit %s", place->peers_file);
	return lease_place_allocates(place) ? health_text(health, "cnibox lease release%s %s",
							  health->query->lease_options, subnet)
					    : NULL;
}

/* ---- overlaps ---- */

struct share {
	struct cidr subnet;
	const struct subnet_lease *lease;
};
typedef LIST(struct share) shares_t;

/* The wider one first. */
static int by_subnet(const void *a_, const void *b_)
{
	const struct share *a = a_, *b = b_;
	int r = ip_compare(&a->subnet.ip, &b->subnet.ip);

	return r ? r : (int)a->subnet.prefix - (int)b->subnet.prefix;
}

static void add_overlap(struct health *health, const struct share *a, const struct share *b)
{
	char one[CIDR_TEXT_SIZE], other[CIDR_TEXT_SIZE];

	cidr_format(&b->subnet, other);
	health_add(health, "peer",
		   health_text(health, "nodes %s and %s have the same addresses",
			       health_ip(health, subnet_node(a->lease)),
			       health_ip(health, subnet_node(b->lease))),
		   health_text(health,
			       "their subnets %s and %s overlap, and one of the leases is wrong",
			       cidr_format(&a->subnet, one), other),
		   release(health, other))
		->look = health_text(health, "cnibox lease list%s", health->query->lease_options);
}

static void check_overlaps(struct health *health, const subnet_leases_t *leases)
{
	shares_t shares = { 0 };

	list_each(lease, leases) {
		const struct cidr *subnets[] = { &lease->subnet, &lease->subnet6 };

		for (size_t i = 0; i < ARRAY_SIZE(subnets); i++)
			if (subnets[i]->ip.family)
				*list_add(health->arena, &shares) =
					(struct share){ *subnets[i], lease };
	}
	if (shares.n)
		qsort(shares.items, shares.n, sizeof(*shares.items), by_subnet);
	for (size_t i = 0; i < shares.n; i++)
		for (size_t j = i + 1; j < shares.n && cidr_contains(&shares.items[i].subnet,
								     &shares.items[j].subnet.ip);
		     j++)
			add_overlap(health, &shares.items[i], &shares.items[j]);
}

/* ---- answers ---- */

static size_t find_hop(struct health *health, int oif, const struct ip *ip, hops_t *hops)
{
	list_each(hop, hops)
		if (hop->oif == oif && ip_equal(&hop->ip, ip))
			return (size_t)(hop - hops->items);
	*list_add(health->arena, hops) = (struct hop){ .oif = oif, .ip = *ip };
	return hops->n - 1;
}

static void find_way(struct health *health, const struct subnet_lease *lease, hops_t *hops,
		     ways_t *ways)
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
			"this node's own network has no route to it", NULL)
			->look = health_text(health, "ip route get %s", health_ip(health, node));
	else if (answer.used.type != ROUTE_LOCAL && answer.used.oif)
		*list_add(health->arena, ways) = (struct way){
			lease, find_hop(health, answer.used.oif,
					answer.used.gw.family ? &answer.used.gw : node, hops)
		};
}

static const struct neigh *neighbour_of(const neighs_t *neighs, const struct hop *hop)
{
	list_each(neigh, neighs)
		if (neigh->index == hop->oif && ip_equal(&neigh->ip, &hop->ip))
			return neigh;
	return NULL;
}

static bool is_asked(const struct neigh *neigh)
{
	return neigh && (neigh->state == NEIGH_NONE || neigh->state & NEIGH_INCOMPLETE);
}

/* What is known now of some; true: the kernel is still at it. */
static int look(struct health *health, struct hop *hops, size_t n, bool *asked, struct error *err)
{
	neighs_t neighs = { 0 };
	int r = neigh_list(health->scene.here->nl, 0, false, health->arena, &neighs, err);

	*asked = false;
	for (size_t i = 0; r >= 0 && i < n; i++) {
		hops[i].now = neighbour_of(&neighs, &hops[i]);
		*asked |= is_asked(hops[i].now);
	}
	return r;
}

/* Whom the kernel did not know it need not know now: a failed neighbour would be in its table for long. */
static int forget(struct health *health, const struct hop *hops, size_t n, struct error *err)
{
	struct netlink *nl = health->scene.here->nl;

	for (size_t i = 0; i < n; i++) {
		if (hops[i].before || !hops[i].now)
			continue;
		neigh_queue_del(nl, hops[i].now);
		netlink_tolerate(nl, ENOENT);
	}
	return netlink_commit(nl, err);
}

/* The kernel asks for the hardware address of each, as before a first packet; nothing else is sent. */
static int ask(struct health *health, struct hop *hops, size_t n, struct error *err)
{
	struct netlink *nl = health->scene.here->nl;
	int64_t end = clock_ms() + ANSWER_MS;
	bool asked;
	int r = look(health, hops, n, &asked, err);

	for (size_t i = 0; i < n; i++) {
		hops[i].before = hops[i].now;
		neigh_queue_ask(nl, hops[i].oif, &hops[i].ip);
	}
	if (r >= 0)
		r = netlink_commit(nl, err);
	for (asked = true; r >= 0 && asked;) {
		r = look(health, hops, n, &asked, err);
		if (r >= 0 && asked)
			poll(NULL, 0, LOOK_MS);
		asked &= clock_ms() < end;
	}
	return r < 0 ? r : forget(health, hops, n, err);
}

static void check_answer(struct health *health, const struct way *way, const struct hop *hop)
{
	const struct link *link = place_link(health->scene.here, hop->oif);
	const struct ip *node = subnet_node(way->lease);
	const char *name = health_ip(health, node), *subnet = subnet_of(health, way->lease);

	if (link && link->operstate == LINK_OPER_DOWN) { /* which may forget all it knew */
		health_add(health, "peer", health_text(health, "node %s is not reached", name),
			   health_text(health, "%s, which leads to it, has no carrier", link->name),
			   NULL)
			->look = health_text(health, "ip link show %s", link->name);
		return;
	}
	if (!hop->now || !link || !(hop->now->state & (NEIGH_FAILED | NEIGH_INCOMPLETE)))
		return;
	if (!ip_equal(node, &hop->ip)) {
		health_add(health, "peer",
			   health_text(health, "the gateway to node %s does not answer", name),
			   health_text(health, "nobody on %s has the address %s", link->name,
				       health_ip(health, &hop->ip)),
			   NULL)
			->look = health_text(health, "ip route get %s", name);
		return;
	}
	health_add(health, "peer", health_text(health, "node %s does not answer", name),
		   health_text(health,
			       "nobody on %s has its address, and %s is leased to it; if it is "
			       "gone for good, its lease should go",
			       link->name, subnet),
		   release(health, subnet))
		->look = health_text(health, "ping %s", name);
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

/* A node of no network has no store in the usual place, or is none of its nodes; what somebody names has to be there. */
static int judge_absence(const struct lease_place *place, struct error *err)
{
	static const struct lease_place usual = LEASE_PLACE_DEFAULTS;
	enum lease_engine engine = lease_place_engine(place);
	const char *path = engine == LEASE_STATIC ? place->peers_file : place->store;

	if (engine != LEASE_STATIC && (engine != LEASE_FILES || streq(path, usual.store)))
		return 0;
	return access(path, F_OK) < 0 ? fail(err, ENOENT, "there is no %s", path) : 0;
}

int health_check_peers(struct health *health, struct error *err)
{
	struct peers_scene scene;
	hops_t hops = { 0 };
	ways_t ways = { 0 };
	int r;

	if (!health->query->place)
		return 0;
	r = peers_read(health->scene.here->nl, health->query->place, false, health->arena, &scene,
		       err);
	if (r < 0)
		return r == -ENOENT ? judge_absence(health->query->place, err) : r;
	check_overlaps(health, &scene.leases);
	list_each(lease, &scene.leases)
		if (lease != scene.node.own)
			find_way(health, lease, &hops, &ways);
	for (size_t i = 0; r >= 0 && i < hops.n; i += AT_ONCE)
		r = ask(health, hops.items + i, hops.n - i < AT_ONCE ? hops.n - i : AT_ONCE, err);
	list_each(way, &ways)
		if (r >= 0)
			check_answer(health, way, &hops.items[way->hop]);
	return r < 0 ? r : check_fits(health, &scene, err);
}
