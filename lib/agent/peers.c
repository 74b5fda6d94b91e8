/* The plan, held against dumps of routes, neighbours and forwarding entries. */
#include "agent/peers.h"

#include <errno.h>
#include <stdio.h>

#include "kernel/addr.h"
#include "kernel/link.h"
#include "lease/acquire.h"

struct comparing {
	const struct plan *plan;
	routes_t routes; /* of the main table, whoever made them */
	neighs_t neighs;
	struct arena *arena;
	int tun;   /* of the relay, 0 = none */
	bool idle; /* nobody reads from it */
};

/* ---- this node ---- */

static const struct subnet_lease *find_own(const subnet_leases_t *leases, const addrs_t *addrs,
					   int *index)
{
	list_each(lease, leases)
		list_each(addr, addrs)
			if (ip_equal(&addr->cidr.ip, &lease->public_ip) ||
			    ip_equal(&addr->cidr.ip, &lease->public_ip6)) {
				*index = addr->index;
				return lease;
			}
	return NULL;
}

/* Behind NAT the public address is on no interface; then the VXLAN device's address, or a bridge's, tells. */
static const struct subnet_lease *find_by_subnet(const subnet_leases_t *leases,
						 const addrs_t *addrs)
{
	list_each(lease, leases)
		list_each(addr, addrs)
			if ((lease->subnet.ip.family &&
			     cidr_contains(&lease->subnet, &addr->cidr.ip)) ||
			    (lease->subnet6.ip.family &&
			     cidr_contains(&lease->subnet6, &addr->cidr.ip)))
				return lease;
	return NULL;
}

static int find_devices(struct netlink *nl, const struct network_config *config,
			struct arena *arena, struct plan_node *node, struct error *err)
{
	links_t links = { 0 }, tuns = { 0 };
	char name[16], name6[16];

	snprintf(name, sizeof(name), "flannel.%d", config->backend.vni);
	snprintf(name6, sizeof(name6), "flannel-v6.%d", config->backend.vni);
	if (link_list(nl, "vxlan", 0, arena, &links, err) ||
	    link_list(nl, "tun", 0, arena, &tuns, err))
		return -err->errnum;
	list_each(link, &tuns)
		if (streq(link->name, "flannel0"))
			node->tun = link->index;
	list_each(link, &links) {
		if (streq(link->name, name))
			node->vtep = link->index;
		if (streq(link->name, name6))
			node->vtep6 = link->index;
		if (!node->external)
			node->external = link->vxlan.link;
	}
	return 0;
}

static int find_near(struct netlink *nl, struct arena *arena, struct plan_node *node,
		     struct error *err)
{
	struct near *near = arena_alloc(arena, sizeof(*near));

	node->near = near;
	return near_read(nl, arena, near, err);
}

int peers_find_node(struct netlink *nl, const struct network_config *config,
		    const subnet_leases_t *leases, struct arena *arena, struct plan_node *node,
		    struct error *err)
{
	addrs_t addrs = { 0 };

	*node = (struct plan_node){ .config = config };
	if (addr_list(nl, 0, 0, arena, &addrs, err))
		return -err->errnum;
	node->own = find_own(leases, &addrs, &node->external);
	if (!node->own)
		node->own = find_by_subnet(leases, &addrs);
	if (!node->own)
		return fail(err, ENOENT, "none of the %zu leases is this node's", leases->n);
	if (find_devices(nl, config, arena, node, err))
		return -err->errnum;
	list_each(addr, &addrs)
		if (addr->index == node->external && !ip_is_link_local(&addr->cidr.ip))
			*list_add(arena, &node->links) = addr->cidr;
	return find_near(nl, arena, node, err);
}

/* ---- the comparison ---- */

static const struct route *find_route(const routes_t *routes, const struct cidr *dst)
{
	list_each(route, routes)
		if (cidr_equal(&route->dst, dst))
			return route;
	return NULL;
}

static const char *compare_route(const struct comparing *c, const struct route *wanted,
				 const struct route *there)
{
	char ip[IP_TEXT_SIZE];

	if (!there)
		return "missing";
	if (!route_is_unicast(there))
		return "a blackhole";
	if (!ip_equal(&there->gw, &wanted->gw))
		return arena_printf(c->arena, "via %s",
				    there->gw.family ? ip_format(&there->gw, ip) : "nobody");
	if (there->oif != wanted->oif)
		return "another interface";
	return "ok";
}

static const char *compare_neigh(const struct comparing *c, const struct neigh *wanted,
				 const struct neigh *there)
{
	char text[IP_TEXT_SIZE > MAC_TEXT_SIZE ? IP_TEXT_SIZE : MAC_TEXT_SIZE];

	if (!there)
		return "missing";
	if (!mac_equal(&there->mac, &wanted->mac))
		return arena_strdup(c->arena, mac_format(&there->mac, text));
	if (!ip_equal(&there->ip, &wanted->ip))
		return arena_strdup(c->arena, ip_format(&there->ip, text));
	return "ok";
}

/* Peers of the relay have one route together: that of the network. */
static const struct route *route_to_relay(const struct comparing *c, const struct cidr *subnet)
{
	list_each(route, &c->plan->routes)
		if (c->tun && route->oif == c->tun && cidr_contains(&route->dst, &subnet->ip))
			return route;
	return NULL;
}

static const struct neigh *find_neighbour(const neighs_t *neighs, const struct ip *ip)
{
	list_each(neigh, neighs)
		if (!neigh->fdb && ip_equal(&neigh->ip, ip))
			return neigh;
	return NULL;
}

/* Where frames go that the neighbour stands for. */
static const struct neigh *find_fdb(const neighs_t *neighs, const struct neigh *neighbour)
{
	const struct neigh wanted = { .index = neighbour->index,
				      .mac = neighbour->mac,
				      .fdb = true };

	return neigh_find(neighs, &wanted);
}

/* The entries of the plan for this subnet. The neighbour has the subnet's address, the forwarding entry its MAC. */
static struct peer_entries expected_of(const struct comparing *c, const struct peer_state *state)
{
	struct peer_entries expected = {
		.route = find_route(&c->plan->routes, &state->subnet),
		.neighbour = find_neighbour(&c->plan->neighs, &state->subnet.ip),
	};

	if (!expected.route && plan_is_udp(state->lease))
		expected.route = route_to_relay(c, &state->subnet);
	if (expected.neighbour)
		expected.fdb = find_fdb(&c->plan->neighs, expected.neighbour);
	return expected;
}

/* What the kernel has in the places of those, or would use in the absence of any. */
static struct peer_entries actual_of(const struct comparing *c, const struct peer_state *state)
{
	const struct peer_entries *expected = &state->expected;
	struct peer_entries actual = {
		.route = find_route(&c->routes,
				    expected->route ? &expected->route->dst : &state->subnet),
		.neighbour = expected->neighbour ? neigh_find(&c->neighs, expected->neighbour)
						 : find_neighbour(&c->neighs, &state->subnet.ip),
	};

	if (expected->fdb)
		actual.fdb = neigh_find(&c->neighs, expected->fdb);
	else if (actual.neighbour)
		actual.fdb = find_fdb(&c->neighs, actual.neighbour);
	return actual;
}

static void compare_subnet(const struct comparing *c, struct peer_state *state)
{
	struct peer_entries *expected = &state->expected, *actual = &state->actual;

	*expected = expected_of(c, state);
	*actual = actual_of(c, state);
	state->route = state->neighbour = state->fdb = "-";
	if (expected->route)
		state->route = compare_route(c, expected->route, actual->route);
	if (expected->neighbour)
		state->neighbour = compare_neigh(c, expected->neighbour, actual->neighbour);
	if (expected->fdb)
		state->fdb = compare_neigh(c, expected->fdb, actual->fdb);
}

static bool is_well(const char *word)
{
	return streq(word, "ok") || streq(word, "-");
}

static const char *judge(const struct comparing *c, const struct peer_state *state,
			 enum plan_trouble trouble)
{
	if (trouble)
		return plan_trouble_text(trouble);
	if (!is_well(state->route))
		return streq(state->route, "missing")
			       ? "there is no route to its subnet"
			       : arena_printf(c->arena, "its route leads elsewhere: %s",
					      state->route);
	if (c->idle && plan_is_udp(state->lease))
		return "no relay is at work behind this node's device";
	if (!is_well(state->neighbour))
		return "its VXLAN end has no hardware address here, or a wrong one";
	if (!is_well(state->fdb))
		return "frames for its VXLAN end go nowhere, or to another node";
	return "ok";
}

static void compare_peer(const struct comparing *c, const struct plan_peer *peer,
			 peer_states_t *states)
{
	const struct cidr *subnets[] = { &peer->lease->subnet, &peer->lease->subnet6 };

	for (size_t i = 0; i < ARRAY_SIZE(subnets); i++) {
		struct peer_state *state;

		if (!subnets[i]->ip.family)
			continue;
		state = list_add(c->arena, states);
		*state = (struct peer_state){ .lease = peer->lease, .subnet = *subnets[i] };
		compare_subnet(c, state);
		state->verdict = judge(c, state, peer->trouble);
		state->failed = !peer->trouble && !streq(state->verdict, "ok");
	}
}

static int look_at_devices(struct netlink *nl, const struct plan_node *node,
			   struct comparing *comparing, struct error *err)
{
	const int devices[] = { node->vtep, node->vtep6 };
	struct link tun = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(devices); i++)
		if (devices[i] &&
		    (neigh_list(nl, devices[i], false, comparing->arena, &comparing->neighs, err) ||
		     neigh_list(nl, devices[i], true, comparing->arena, &comparing->neighs, err)))
			return -err->errnum;
	if (!node->tun)
		return 0;
	if (link_get_index(nl, node->tun, &tun, err))
		return -err->errnum;
	comparing->tun = node->tun;
	comparing->idle = tun.operstate == LINK_OPER_DOWN;
	return 0;
}

int peers_look(struct netlink *nl, const struct plan_node *node, const subnet_leases_t *leases,
	       struct arena *arena, peer_states_t *states, struct error *err)
{
	struct plan plan;
	struct comparing comparing = { .plan = &plan, .arena = arena };
	struct error unasked = { 0 };

	if (!err)
		err = &unasked;
	plan_make(node, leases, arena, &plan);
	if (route_list(nl, 0, 0, ROUTE_TABLE_MAIN, arena, &comparing.routes, err) ||
	    look_at_devices(nl, node, &comparing, err))
		return -err->errnum;
	list_each(peer, &plan.peers)
		compare_peer(&comparing, peer, states);
	return 0;
}

/* ---- the store ---- */

int peers_read(struct netlink *nl, const struct lease_place *place, bool exact_life,
	       struct arena *arena, struct peers_scene *scene, struct error *err)
{
	struct kv *kv auto_kv = NULL;
	int r;

	*scene = (struct peers_scene){ 0 };
	r = lease_place_open(&kv, place, err);
	if (r < 0)
		return r;
	kv->exact_life = exact_life;
	r = lease_config(kv, arena, &scene->config, NULL, err);
	if (r >= 0)
		r = lease_list(kv, arena, &scene->leases, NULL, NULL, err);
	return r < 0 ? r
		     : peers_find_node(nl, &scene->config, &scene->leases, arena, &scene->node,
				       err);
}

int peers_ask(struct netlink *nl, const struct lease_place *place, struct arena *arena,
	      peer_states_t *states, struct error *err)
{
	struct peers_scene scene;
	int r = peers_read(nl, place, false, arena, &scene, err);

	return r < 0 ? r : peers_look(nl, &scene.node, &scene.leases, arena, states, err);
}
