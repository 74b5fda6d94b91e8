/* From leases to routes, neighbours and forwarding entries. No input or output. */
#include "agent/plan.h"

#include <sys/socket.h>

enum { BLACKHOLE_METRIC = 65535 };

/* An entry that a lease asks for. */
struct claim {
	struct neigh neigh;
	uint64_t revision; /* of the lease */
};

struct planning {
	const struct plan_node *node;
	struct arena *arena;
	struct plan *plan;
	LIST(struct ip) addresses; /* of all nodes, sorted */
	LIST(struct claim) claims;
};

/* One family of one peer. */
struct leg {
	struct cidr subnet;
	struct ip public_ip;
	struct subnet_vtep vtep;
	int device; /* our VXLAN device of that family */
	uint64_t revision;
};

static bool is_near(const struct plan_node *node, const struct ip *ip)
{
	return node->near && near_has(node->near, node->external, ip);
}

static void add_route(struct planning *planning, const struct leg *leg, const struct ip *gw,
		      int device, bool onlink)
{
	*list_add(planning->arena, &planning->plan->routes) = (struct route){
		.dst = leg->subnet,
		.gw = *gw,
		.oif = device,
		.onlink = onlink,
		.table = ROUTE_TABLE_MAIN,
		.protocol = ROUTE_PROTOCOL_CNIBOX,
	};
}

static void add_neigh(struct planning *planning, const struct leg *leg, const struct ip *ip,
		      bool fdb)
{
	*list_add(planning->arena, &planning->claims) = (struct claim){
		{ .index = leg->device, .ip = *ip, .mac = leg->vtep.mac, .fdb = fdb },
		leg->revision,
	};
}

/* A node of the host-gw way has no device; its near peers forward what comes from it, whatever their own way is. */
static bool is_direct(const struct plan_node *node, const struct leg *leg)
{
	return (node->config->backend.direct_routing || !leg->device) &&
	       is_near(node, &leg->public_ip);
}

static enum plan_trouble plan_vxlan(struct planning *planning, const struct leg *leg)
{
	const struct plan_node *node = planning->node;

	if (is_direct(node, leg)) {
		add_route(planning, leg, &leg->public_ip, node->external, false);
		return PLAN_FINE;
	}
	if (!leg->device || !leg->vtep.set)
		return PLAN_OTHER_TYPE;
	/* The peer's device has the subnet's own address. */
	add_neigh(planning, leg, &leg->subnet.ip, false);
	add_neigh(planning, leg, &leg->public_ip, true);
	add_route(planning, leg, &leg->subnet.ip, leg->device, true);
	return PLAN_FINE;
}

static enum plan_trouble plan_leg(struct planning *planning, const struct subnet_lease *lease,
				  const struct leg *leg)
{
	const struct plan_node *node = planning->node;

	if (!leg->public_ip.family || ip_is_unspecified(&leg->public_ip))
		return PLAN_NO_ADDRESS;
	if (plan_is_udp(lease))
		return node->tun ? PLAN_FINE : PLAN_OTHER_TYPE; /* the relay is told */
	if (streq(lease->type, "vxlan"))
		return plan_vxlan(planning, leg);
	if (!streq(lease->type, "host-gw"))
		return PLAN_OTHER_TYPE;
	if (!is_near(node, &leg->public_ip))
		return PLAN_FAR;
	add_route(planning, leg, &leg->public_ip, node->external, false);
	return PLAN_FINE;
}

/* One route for all peers of the relay: what it does not know it refuses, so that pods are told. */
static void plan_tun(struct planning *planning)
{
	const struct plan_node *node = planning->node;
	const struct network_family *families[] = { &node->config->v4, &node->config->v6 };

	for (size_t i = 0; node->tun && i < ARRAY_SIZE(families); i++)
		if (families[i]->enabled)
			add_route(planning, &(struct leg){ .subnet = families[i]->network },
				  &(struct ip){ 0 }, node->tun, false);
}

static struct leg leg_of(const struct plan_node *node, const struct subnet_lease *lease, bool v6)
{
	return v6 ? (struct leg){ lease->subnet6, lease->public_ip6, lease->vtep6, node->vtep6,
				  lease->revision }
		  : (struct leg){ lease->subnet, lease->public_ip, lease->vtep, node->vtep,
				  lease->revision };
}

/* ---- what a lease must not take away: the way to the nodes themselves ---- */

static bool is_linked(const struct plan_node *node, const struct ip *ip)
{
	list_each(network, &node->links)
		if (cidr_contains(network, ip))
			return true;
	return false;
}

static int compare_ips(const void *a, const void *b)
{
	return ip_compare(a, b);
}

/* One that no link leads to at once is a mistake, or behind a gateway: it must not cost another peer its way. */
static void add_address(struct planning *planning, const struct ip *ip)
{
	if (ip->family && is_linked(planning->node, ip))
		*list_add(planning->arena, &planning->addresses) = *ip;
}

static void collect_addresses(struct planning *planning, const subnet_leases_t *leases)
{
	list_each(network, &planning->node->links)
		add_address(planning, &network->ip);
	list_each(lease, leases) {
		add_address(planning, &lease->public_ip);
		add_address(planning, &lease->public_ip6);
	}
	if (planning->addresses.n)
		qsort(planning->addresses.items, planning->addresses.n, sizeof(struct ip),
		      compare_ips);
}

/* The first address that is not before the subnet is in it, or none is. */
static bool holds_node(const struct planning *planning, const struct cidr *subnet)
{
	const struct cidr base = cidr_network(subnet);
	size_t low = 0, high = planning->addresses.n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (ip_compare(&planning->addresses.items[middle], &base.ip) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < planning->addresses.n && cidr_contains(&base, &planning->addresses.items[low]);
}

/*
 * Nodes may well be in a network that is wider than the pods' and contains it: the subnet is the narrower one then, and
 * takes nothing from them unless one has an address there. The relay's one route is not the subnet's: what a narrower link
 * has is not reached by it.
 */
static bool takes_link(const struct planning *planning, const struct subnet_lease *lease,
		       const struct cidr *subnet)
{
	const struct network_config *config = planning->node->config;
	const struct cidr *all = subnet->ip.family == config->v4.network.ip.family
					 ? &config->v4.network
					 : &config->v6.network;

	if (!subnet->ip.family)
		return false;
	list_each(network, &planning->node->links)
		if (cidr_overlaps(subnet, network) &&
		    (subnet->prefix <= network->prefix ||
		     (plan_is_udp(lease) && all->prefix < network->prefix)))
			return true;
	return holds_node(planning, subnet);
}

bool plan_is_within(const struct network_config *config, const struct cidr *subnet)
{
	return (config->v4.enabled && cidr_is_part(subnet, &config->v4.network)) ||
	       (config->v6.enabled && cidr_is_part(subnet, &config->v6.network));
}

/* In a family that the network does not have there is nothing to say. */
static bool is_outside(const struct network_family *family, const struct cidr *subnet)
{
	return family->enabled && subnet->ip.family && !cidr_is_part(subnet, &family->network);
}

static enum plan_trouble plan_lease(struct planning *planning, const struct subnet_lease *lease)
{
	const struct plan_node *node = planning->node;
	const struct leg v4 = leg_of(node, lease, false), v6 = leg_of(node, lease, true);
	enum plan_trouble trouble = PLAN_FINE, trouble6 = PLAN_FINE;

	if (cidr_overlaps(&lease->subnet, &node->own->subnet) ||
	    cidr_overlaps(&lease->subnet6, &node->own->subnet6))
		return PLAN_OVERLAPS_OURS;
	if (takes_link(planning, lease, &lease->subnet) ||
	    takes_link(planning, lease, &lease->subnet6))
		return PLAN_OVERLAPS_LINK;
	if (is_outside(&node->config->v4, &lease->subnet) ||
	    is_outside(&node->config->v6, &lease->subnet6))
		return PLAN_OUTSIDE;
	if (node->config->v4.enabled && v4.subnet.ip.family)
		trouble = plan_leg(planning, lease, &v4);
	if (node->config->v6.enabled && v6.subnet.ip.family)
		trouble6 = plan_leg(planning, lease, &v6);
	return trouble ? trouble : trouble6;
}

bool plan_is_udp(const struct subnet_lease *lease)
{
	return streq(lease->type, "") || streq(lease->type, "udp");
}

/* Behind every other route to the subnet: a bridge's, say, while it is up. */
static void add_blackhole(struct planning *planning, const struct cidr *subnet)
{
	if (!subnet->ip.family || !planning->node->blackhole)
		return;
	*list_add(planning->arena, &planning->plan->routes) = (struct route){
		.dst = *subnet,
		.type = ROUTE_BLACKHOLE,
		.scope = ROUTE_SCOPE_GLOBAL,
		.priority = BLACKHOLE_METRIC,
		.table = ROUTE_TABLE_MAIN,
		.protocol = ROUTE_PROTOCOL_CNIBOX,
	};
}

/* Where the kernel keeps it: a second one there would replace the first. */
static int compare_places(const void *a_, const void *b_)
{
	const struct neigh *a = a_, *b = b_;
	int order = a->fdb - b->fdb;

	if (!order)
		order = a->index - b->index;
	if (!order)
		order = a->fdb ? memcmp(a->mac.bytes, b->mac.bytes, sizeof(a->mac.bytes))
			       : ip_compare(&a->ip, &b->ip);
	return order;
}

/* The newest lease is first: a node of flannel's whose address has changed has another one by then, with the same MAC. */
static int compare_claims(const void *a_, const void *b_)
{
	const struct claim *a = a_, *b = b_;
	int order = compare_places(a, b);

	if (!order)
		order = (a->revision < b->revision) - (a->revision > b->revision);
	if (!order)
		order = ip_compare(&a->neigh.ip, &b->neigh.ip);
	return order ? order
		     : memcmp(a->neigh.mac.bytes, b->neigh.mac.bytes, sizeof(a->neigh.mac.bytes));
}

static int compare_all_of_routes(const void *a_, const void *b_)
{
	const struct route *a = a_, *b = b_;
	int order = route_dst_order(a, b);

	if (!order)
		order = ip_compare(&a->gw, &b->gw);
	return order ? order : a->oif - b->oif;
}

/* Sort, and of several for one place keep the first: two leases that want it must not push each other out for ever. */
static void settle(void *list_, size_t size, int (*compare)(const void *a, const void *b),
		   int (*same_place)(const void *a, const void *b))
{
	struct list *list = list_;
	char *items = list->items;
	size_t n = 0;

	if (!list->n)
		return;
	qsort(items, list->n, size, compare);
	for (size_t i = 0; i < list->n; i++) {
		if (n && same_place(items + (n - 1) * size, items + i * size) == 0)
			continue;
		memmove(items + n++ * size, items + i * size, size);
	}
	list->n = n;
}

/* A node whose lease of before has not ended yet, or two machines from one image: frames for one of them go to the other. */
static bool is_shadowed(const struct plan_node *node, const struct plan *plan,
			const struct leg *leg)
{
	const struct neigh wanted = { .index = leg->device, .mac = leg->vtep.mac, .fdb = true };
	const struct neigh *there;

	if (!leg->subnet.ip.family || !leg->device || !leg->vtep.set || is_direct(node, leg) ||
	    !plan->neighs.n)
		return false;
	there = bsearch(&wanted, plan->neighs.items, plan->neighs.n, sizeof(*there),
			compare_places);
	return there && !ip_equal(&there->ip, &leg->public_ip);
}

static void find_shadowed(const struct plan_node *node, struct plan *plan)
{
	list_each(peer, &plan->peers) {
		const struct leg v4 = leg_of(node, peer->lease, false),
				 v6 = leg_of(node, peer->lease, true);

		if (!peer->trouble && streq(peer->lease->type, "vxlan") &&
		    (is_shadowed(node, plan, &v4) || is_shadowed(node, plan, &v6)))
			peer->trouble = PLAN_SAME_MAC;
	}
}

void plan_make(const struct plan_node *node, const subnet_leases_t *leases, struct arena *arena,
	       struct plan *plan)
{
	struct planning planning = { .node = node, .arena = arena, .plan = plan };

	*plan = (struct plan){ 0 };
	collect_addresses(&planning, leases);
	list_each(lease, leases) {
		if (subnet_same(lease, node->own) || subnet_same_node(lease, node->own))
			continue;
		*list_add(arena, &plan->peers) =
			(struct plan_peer){ lease, plan_lease(&planning, lease) };
	}
	plan_tun(&planning);
	add_blackhole(&planning, &node->own->subnet);
	add_blackhole(&planning, &node->own->subnet6);
	settle(&plan->routes, sizeof(*plan->routes.items), compare_all_of_routes, route_dst_order);
	settle(&planning.claims, sizeof(struct claim), compare_claims, compare_places);
	list_each(claim, &planning.claims)
		*list_add(arena, &plan->neighs) = claim->neigh;
	find_shadowed(node, plan);
}

const char *plan_trouble_text(enum plan_trouble trouble)
{
	static const char *const texts[] = {
		[PLAN_FINE] = "",
		[PLAN_NO_ADDRESS] = "its lease has no public address for one of its subnets",
		[PLAN_FAR] = "host-gw needs it on a network that both nodes are in",
		[PLAN_OTHER_TYPE] = "it is reached in a way that this node does not have",
		[PLAN_SAME_MAC] = "another node's VXLAN end has the same hardware address",
		[PLAN_OVERLAPS_OURS] = "its subnet overlaps this node's own",
		[PLAN_OUTSIDE] = "its subnet is not in the network",
		[PLAN_OVERLAPS_LINK] =
			"its subnet takes in the network of the nodes themselves, or a node's address",
	};

	return texts[trouble];
}

bool plan_trouble_counts(enum plan_trouble trouble)
{
	return trouble == PLAN_FAR || trouble == PLAN_OVERLAPS_OURS ||
	       trouble == PLAN_OVERLAPS_LINK;
}
