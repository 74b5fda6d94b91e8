/* One dump of each kind, sorted and merged with the plan; additions before removals, neighbours before routes. */
#include "agent/reconcile.h"

#include <errno.h>
#include <sys/socket.h>

enum { PROTOCOL_BOOT = 3, IPV6_METRIC = 1024 };

struct pass {
	struct netlink *nl;
	const struct plan_node *node;
	const struct plan *plan;
	struct arena arena;
	int *outcomes; /* of additions, in the order in which they are queued */
	enum reconcile_kind *kinds;
	size_t n_outcomes;
	struct reconciled *done;
	reconcile_tell_fn *tell; /* instead of doing it */
	void *arg;
};

static void pass_end(struct pass *pass)
{
	netlink_discard(pass->nl);
	arena_free(&pass->arena);
}

static bool on_vtep(const struct plan_node *node, int index)
{
	return index && (index == node->vtep || index == node->vtep6);
}

/* ---- what is there ---- */

static bool is_part_of_any(const cidrs_t *networks, const struct cidr *dst)
{
	list_each(network, networks)
		if (cidr_is_part(dst, network))
			return true;
	return false;
}

/* The number is every agent's: one for another network may be at work on this node. */
static bool is_of_network(const struct plan_node *node, const struct cidr *dst, bool adopt)
{
	return plan_is_within(node->config, dst) || (adopt && is_part_of_any(&node->was, dst));
}

bool reconcile_is_flannels(const struct route *route, const cidrs_t *networks,
			   const struct subnet_lease *own)
{
	const struct cidr *like = route->dst.ip.family == AF_INET6 ? &own->subnet6 : &own->subnet;

	return route->protocol == PROTOCOL_BOOT && route_is_unicast(route) && route->gw.family &&
	       !route->onlink && like->ip.family && route->dst.prefix == like->prefix &&
	       route->priority == (route->dst.ip.family == AF_INET6 ? IPV6_METRIC : 0) &&
	       is_part_of_any(networks, &route->dst);
}

static int list_routes(struct pass *pass, bool adopt, routes_t *routes, struct error *err)
{
	const struct plan_node *node = pass->node;
	routes_t all = { 0 }, boot = { 0 };

	if (route_list_protocol(pass->nl, ROUTE_PROTOCOL_CNIBOX, &pass->arena, &all, err) ||
	    (adopt && route_list_protocol(pass->nl, PROTOCOL_BOOT, &pass->arena, &boot, err)))
		return -err->errnum;
	list_each(route, &all)
		if (is_of_network(node, &route->dst, adopt))
			*list_add(&pass->arena, routes) = *route;
	list_each(route, &boot)
		if ((on_vtep(node, route->oif) && route->onlink) ||
		    (route->oif == node->external &&
		     reconcile_is_flannels(route, &node->was, node->own)))
			*list_add(&pass->arena, routes) = *route;
	if (routes->n)
		qsort(routes->items, routes->n, sizeof(*routes->items), route_place_order);
	return 0;
}

static int compare_neighs(const void *a_, const void *b_)
{
	const struct neigh *a = a_, *b = b_;
	int order = a->fdb - b->fdb;

	if (!order)
		order = a->index - b->index;
	if (!order)
		order = ip_compare(&a->ip, &b->ip);
	return order ? order : memcmp(a->mac.bytes, b->mac.bytes, sizeof(a->mac.bytes));
}

/* What the kernel learnt by itself is none of ours: only what has been set, and leads somewhere, counts. */
static bool is_set(const struct neigh *neigh)
{
	return neigh->mac.set && neigh->ip.family && !ip_is_multicast(&neigh->ip) &&
	       neigh_is_permanent(neigh);
}

static int list_neighs(struct pass *pass, neighs_t *neighs, struct error *err)
{
	const int devices[] = { pass->node->vtep, pass->node->vtep6 };
	neighs_t all = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(devices); i++)
		if (devices[i] &&
		    (neigh_list(pass->nl, devices[i], false, &pass->arena, &all, err) ||
		     neigh_list(pass->nl, devices[i], true, &pass->arena, &all, err)))
			return -err->errnum;
	list_each(neigh, &all)
		if (is_set(neigh))
			*list_add(&pass->arena, neighs) = *neigh;
	if (neighs->n)
		qsort(neighs->items, neighs->n, sizeof(*neighs->items), compare_neighs);
	return 0;
}

/* ---- the difference ---- */

/* Where the kernel's answer to the addition queued last goes: a refusal must not end the pass. */
static void expect_outcome(struct pass *pass, enum reconcile_kind kind)
{
	pass->kinds[pass->n_outcomes] = kind;
	netlink_outcome(pass->nl, &pass->outcomes[pass->n_outcomes++]);
}

static bool same_route(const struct route *wanted, const struct route *there)
{
	if (wanted->type == ROUTE_BLACKHOLE) /* IPv6's have a link, lo */
		return there->type == ROUTE_BLACKHOLE && wanted->priority == there->priority;
	return ip_equal(&wanted->gw, &there->gw) && wanted->oif == there->oif &&
	       wanted->onlink == there->onlink && wanted->protocol == there->protocol &&
	       route_is_unicast(there);
}

static const void *find(const void *wanted, const void *list_, size_t size,
			int (*compare)(const void *a, const void *b))
{
	const struct list *list = list_;

	return list->n ? bsearch(wanted, list->items, list->n, size, compare) : NULL;
}

/* Is it only to be told? Then it has been. */
static bool is_told(struct pass *pass, struct reconcile_change change)
{
	if (pass->tell)
		pass->tell(pass->arg, &change);
	return pass->tell != NULL;
}

static void add_routes(struct pass *pass, const routes_t *there)
{
	list_each(route, &pass->plan->routes) {
		const struct route *found = find(route, there, sizeof(*route), route_place_order);

		if ((found && same_route(route, found)) ||
		    is_told(pass, (struct reconcile_change){ .route_was = found, .route = route }))
			continue;
		route_queue_add(pass->nl, route, ROUTE_REPLACE);
		expect_outcome(pass, RECONCILE_ROUTE);
	}
}

static void remove_routes(struct pass *pass, const routes_t *there)
{
	list_each(route, there) {
		if (find(route, &pass->plan->routes, sizeof(*route), route_place_order) ||
		    is_told(pass, (struct reconcile_change){ .route_was = route }))
			continue;
		route_queue_del(pass->nl, route);
		netlink_tolerate(pass->nl, ESRCH);
		netlink_tolerate(pass->nl, ENOENT);
		pass->done->removed++;
		pass->done->removed_of[RECONCILE_ROUTE]++;
	}
}

static enum reconcile_kind kind_of(const struct neigh *neigh)
{
	return neigh->fdb ? RECONCILE_FDB : RECONCILE_NEIGHBOUR;
}

static void add_neighs(struct pass *pass, const neighs_t *there)
{
	list_each(neigh, &pass->plan->neighs) {
		if (find(neigh, there, sizeof(*neigh), compare_neighs) ||
		    (pass->tell &&
		     is_told(pass, (struct reconcile_change){ .neigh_was = neigh_find(there, neigh),
							      .neigh = neigh })))
			continue;
		neigh_queue_set(pass->nl, neigh);
		expect_outcome(pass, kind_of(neigh));
	}
}

static void remove_neighs(struct pass *pass, const neighs_t *wanted, const neighs_t *there)
{
	list_each(neigh, there) {
		if (find(neigh, wanted, sizeof(*neigh), compare_neighs) ||
		    neigh_find(wanted, neigh) ||
		    is_told(pass, (struct reconcile_change){ .neigh_was = neigh }))
			continue;
		neigh_queue_del(pass->nl, neigh);
		netlink_tolerate(pass->nl, ENOENT);
		pass->done->removed++;
		pass->done->removed_of[kind_of(neigh)]++;
	}
}

/* ---- one pass ---- */

/* Of what was to be added, how much was; the error of the first that was not. */
static void count_outcomes(struct pass *pass, const struct error *first)
{
	for (size_t i = 0; i < pass->n_outcomes; i++) {
		if (pass->outcomes[i]) {
			pass->done->failed++;
			continue;
		}
		pass->done->added++;
		pass->done->added_of[pass->kinds[i]]++;
	}
	if (pass->done->failed)
		pass->done->first = *first;
}

static void queue_difference(struct pass *pass, const routes_t *routes, const neighs_t *neighs)
{
	neighs_t wanted = { 0 };

	list_each(neigh, &pass->plan->neighs)
		*list_add(&pass->arena, &wanted) = *neigh;
	if (wanted.n)
		qsort(wanted.items, wanted.n, sizeof(*wanted.items), compare_neighs);
	add_neighs(pass, neighs);
	add_routes(pass, routes);
	remove_routes(pass, routes);
	remove_neighs(pass, &wanted, neighs);
}

int reconcile(struct netlink *nl, const struct plan_node *node, const struct plan *plan, bool adopt,
	      struct reconciled *done, struct error *err)
{
	struct pass pass on_leave(pass_end) = { nl, node, plan, .done = done };
	routes_t routes = { 0 };
	neighs_t neighs = { 0 };
	struct error first = { 0 };
	int r;

	*done = (struct reconciled){ 0 };
	pass.outcomes =
		arena_alloc(&pass.arena, (plan->routes.n + plan->neighs.n + 1) * sizeof(int));
	pass.kinds = arena_alloc(&pass.arena,
				 (plan->routes.n + plan->neighs.n + 1) * sizeof(*pass.kinds));
	if (list_routes(&pass, adopt, &routes, err) || list_neighs(&pass, &neighs, err))
		return -err->errnum;
	queue_difference(&pass, &routes, &neighs);
	r = netlink_commit(nl, &first);
	count_outcomes(&pass, &first);
	/* The kernel's refusals of additions have been counted; anything else is in the way of all. */
	if (r < 0 && !done->failed) {
		if (err)
			*err = first;
		return r;
	}
	return 0;
}

int reconcile_look(struct netlink *nl, const struct plan_node *node, const struct plan *plan,
		   bool adopt, reconcile_tell_fn *tell, void *arg, struct error *err)
{
	struct pass pass on_leave(pass_end) = { nl, node, plan, .tell = tell, .arg = arg };
	routes_t routes = { 0 };
	neighs_t neighs = { 0 };

	if (list_routes(&pass, adopt, &routes, err) || list_neighs(&pass, &neighs, err))
		return -err->errnum;
	queue_difference(&pass, &routes, &neighs);
	return 0;
}
