/*
 * Source routing: the plan is pure, and carried out in two batches. The first adds rules and fills tables that nobody used,
 * the second takes the link out of the main table; what the kernel did of them is taken back when one fails.
 */
#include "kernel/source_routing.h"

#include <errno.h>
#include <sys/socket.h>

/* ---- plan: pure ---- */

void source_tables(sources_t *sources, const rules_t *rules, const routes_t *routes)
{
	uint32_t table = SOURCE_TABLE_FIRST;

	list_each(source, sources) {
		while (table_used(table, rules, routes))
			table++;
		source->table = table++;
	}
}

static bool goes_through(const struct route *route, int link)
{
	return link && route->oif == link && !route->shared;
}

static bool in_main(const struct route *route, int link)
{
	return route->table == ROUTE_TABLE_MAIN && goes_through(route, link);
}

/* A next hop of the other family is none that an address could be in one subnet with. */
static bool has_gateway(const struct route *route)
{
	return route->gw.family == route->dst.ip.family;
}

/* A route is an address's when its source or its gateway is in the subnet; one without both is everybody's, even of
 * the other family. */
static bool claims(const struct source *source, const struct route *route)
{
	if (!route->src.family && !has_gateway(route))
		return true;
	return (route->src.family && cidr_contains(&source->address, &route->src)) ||
	       (has_gateway(route) && cidr_contains(&source->address, &route->gw));
}

static bool is_claimed(const sources_t *sources, const struct route *route)
{
	list_each(source, sources)
		if (claims(source, route))
			return true;
	return false;
}

/* What nobody claims (a link-local gateway, one beyond a /32) is of all addresses of the family, so as not to be lost. */
static bool belongs(const sources_t *sources, const struct source *source,
		    const struct route *route)
{
	if (claims(source, route))
		return true;
	return source->address.ip.family == route->dst.ip.family && !is_claimed(sources, route);
}

static bool has_place(const sources_t *sources, const struct route *route)
{
	list_each(source, sources)
		if (belongs(sources, source, route))
			return true;
	return false;
}

static void plan_rule(const struct source *source, struct arena *arena, source_changes_t *changes)
{
	*list_add(arena, changes) = (struct source_change){
		.step = SOURCE_RULE,
		.rule = { .src = cidr_host(&source->address.ip), .table = source->table },
	};
}

static void plan_default(const struct source *source, int link, struct arena *arena,
			 source_changes_t *changes)
{
	static const uint8_t any[16];

	if (!source->gateway.family)
		return;
	*list_add(arena, changes) = (struct source_change){
		.step = SOURCE_DEFAULT,
		.route = { .dst = { .ip = ip_make(source->gateway.family, any) },
			   .gw = source->gateway,
			   .oif = link,
			   .scope = -1,
			   .table = source->table },
	};
}

static void plan_copies(const sources_t *sources, const struct source *source, int link,
			const routes_t *routes, struct arena *arena, source_changes_t *changes)
{
	list_each(route, routes) {
		struct source_change *change;

		if (!in_main(route, link) || !belongs(sources, source, route))
			continue;
		change = list_add(arena, changes);
		*change = (struct source_change){ .step = SOURCE_COPY, .route = *route };
		change->route.table = source->table;
	}
}

/* The address whose subnet the route leads to, as its source; NULL = it has one, or none fits. */
static const struct source *hint_of(const sources_t *sources, const struct route *route)
{
	if (route->src.family)
		return NULL;
	list_each(source, sources)
		if (cidr_is_part(&route->dst, &source->address))
			return source;
	return NULL;
}

static void plan_main(const sources_t *sources, const struct route *route, bool hints,
		      struct arena *arena, source_changes_t *changes)
{
	const struct source *hint = hint_of(sources, route);
	struct source_change change = { .step = SOURCE_DROP, .route = *route, .before = *route };

	if (hints && !route->gw.family) {
		if (!hint)
			return;
		change.step = SOURCE_HINT;
		change.route.src = hint->address.ip;
	} else if (!has_place(sources, route)) {
		return;
	}
	*list_add(arena, changes) = change;
}

void source_plan(const sources_t *sources, int link, const struct source_options *options,
		 const routes_t *routes, struct arena *arena, source_changes_t *changes)
{
	list_each(source, sources) {
		plan_rule(source, arena, changes);
		if (options->table)
			continue;
		plan_default(source, link, arena, changes);
		plan_copies(sources, source, link, routes, arena, changes);
	}
	if (options->table)
		return;
	list_each(route, routes)
		if (in_main(route, link))
			plan_main(sources, route, options->hints, arena, changes);
}

/* ---- to the kernel ---- */

static bool of_main(const struct source_change *change)
{
	return change->step == SOURCE_HINT || change->step == SOURCE_DROP;
}

static bool same_key(const struct route *a, const struct route *b)
{
	return a->table == b->table && a->priority == b->priority && cidr_equal(&a->dst, &b->dst);
}

/* A copy takes the place of the default route made before it, but not of another copy (IPv4 has routes that differ in the
 * next hop only). */
static enum route_add copy_how(const source_changes_t *changes, const struct source_change *change)
{
	for (const struct source_change *earlier = changes->items; earlier < change; earlier++)
		if (earlier->step == SOURCE_COPY && same_key(&earlier->route, &change->route))
			return ROUTE_APPEND;
	return ROUTE_REPLACE;
}

static void queue_change(struct netlink *nl, const source_changes_t *changes,
			 struct source_change *change)
{
	switch (change->step) {
	case SOURCE_RULE: rule_queue_add(nl, &change->rule); break;
	case SOURCE_DEFAULT: route_queue_add(nl, &change->route, ROUTE_EXCLUSIVE); break;
	case SOURCE_COPY: route_queue_again(nl, &change->route, copy_how(changes, change)); break;
	case SOURCE_HINT: route_queue_again(nl, &change->route, ROUTE_REPLACE); break;
	case SOURCE_DROP:
		route_queue_remove(nl, &change->route);
		netlink_tolerate(nl, ESRCH);
		break;
	}
	netlink_outcome(nl, &change->outcome);
}

static int commit_changes(struct netlink *nl, source_changes_t *changes, bool main,
			  struct error *err)
{
	list_each(change, changes)
		if (of_main(change) == main)
			queue_change(nl, changes, change);
	return netlink_commit(nl, err);
}

static void queue_inverse(struct netlink *nl, const struct source_change *change)
{
	switch (change->step) {
	case SOURCE_RULE: rule_queue_del(nl, &change->rule); break;
	case SOURCE_DEFAULT: route_queue_del(nl, &change->route); break;
	case SOURCE_COPY: route_queue_remove(nl, &change->route); break;
	case SOURCE_HINT:
	case SOURCE_DROP: route_queue_again(nl, &change->before, ROUTE_REPLACE); break;
	}
	netlink_tolerate(nl, ESRCH);
	netlink_tolerate(nl, ENOENT);
}

/* First what gateways are reached by, then what goes through them, then the rest: backwards, since a copy took the
 * place of a default route. */
static void take_back(struct netlink *nl, const source_changes_t *changes, struct error *err)
{
	struct error later = { 0 };

	for (int gateways = 0; gateways < 2; gateways++)
		list_each(change, changes)
			if (of_main(change) && change->outcome == 0 &&
			    !!change->route.gw.family == gateways)
				queue_inverse(nl, change);
	for (size_t i = changes->n; i-- > 0;)
		if (!of_main(&changes->items[i]) && changes->items[i].outcome == 0)
			queue_inverse(nl, &changes->items[i]);
	if (netlink_commit(nl, &later))
		error_join(err, &later);
}

/* What has not been tried has not been done. */
static int apply(struct netlink *nl, source_changes_t *changes, struct error *err)
{
	list_each(change, changes)
		change->outcome = ECANCELED;
	if (commit_changes(nl, changes, false, err) == 0 &&
	    commit_changes(nl, changes, true, err) == 0)
		return 0;
	take_back(nl, changes, err);
	return -err->errnum;
}

int source_routing_add(struct netlink *nl, int link, sources_t *sources,
		       const struct source_options *options, struct arena *arena, struct error *err)
{
	source_changes_t changes = { 0 };
	routes_t routes = { 0 };
	rules_t rules = { 0 };

	if (!options->table && (rule_list(nl, 0, arena, &rules, err) ||
				route_records(nl, 0, 0, 0, arena, &routes, err)))
		return -err->errnum;
	source_tables(sources, &rules, &routes);
	if (options->table)
		list_each(source, sources)
			source->table = options->table;
	source_plan(sources, link, options, &routes, arena, &changes);
	return apply(nl, &changes, err);
}

/* ---- what is there ---- */

static bool is_rule_of(const struct rule *rule, const struct source *source)
{
	struct cidr host = cidr_host(&source->address.ip);

	return !rule->special && !rule->dst.prefix && cidr_equal(&rule->src, &host) &&
	       (rule->table < ROUTE_TABLE_DEFAULT || rule->table > ROUTE_TABLE_LOCAL);
}

static bool is_rule_of_any(const struct rule *rule, const sources_t *sources)
{
	list_each(source, sources)
		if (is_rule_of(rule, source))
			return true;
	return false;
}

/* Another link's, which has the same address. */
static bool is_foreign(uint32_t table, const routes_t *routes, int link)
{
	bool foreign = false;

	list_each(route, routes) {
		if (route->table != table)
			continue;
		if (goes_through(route, link))
			return false;
		foreign = true;
	}
	return foreign;
}

static void queue_table_removal(struct netlink *nl, uint32_t table, const routes_t *routes,
				int link)
{
	list_each(route, routes) {
		if (route->table != table || !goes_through(route, link))
			continue;
		route_queue_remove(nl, route);
		netlink_tolerate(nl, ESRCH);
	}
}

int source_routing_del(struct netlink *nl, int link, const sources_t *sources,
		       const struct source_options *options, struct arena *arena, struct error *err)
{
	routes_t routes = { 0 };
	rules_t rules = { 0 };
	struct error why = { 0 };

	if (rule_list(nl, 0, arena, &rules, &why))
		return why.errnum == EOPNOTSUPP ? 0 : fail(err, why.errnum, "%s", why.message);
	if (route_records(nl, 0, 0, 0, arena, &routes, err))
		return -err->errnum;
	list_each(rule, &rules) {
		bool shared = rule->table == options->table;

		if (!is_rule_of_any(rule, sources) ||
		    (!shared && is_foreign(rule->table, &routes, link)))
			continue;
		rule_queue_del(nl, rule);
		netlink_tolerate(nl, ENOENT);
		if (!shared)
			queue_table_removal(nl, rule->table, &routes, link);
	}
	return netlink_commit(nl, err);
}

/* A default route where there is a gateway, whichever it is by now; else the subnet, unless it is a single address. */
static bool table_serves(uint32_t table, const routes_t *routes, int link,
			 const struct source *source)
{
	struct cidr network = cidr_network(&source->address);

	if (!source->gateway.family && network.prefix == ip_bits(&network.ip))
		return true;
	list_each(route, routes) {
		if (route->table != table || !goes_through(route, link) ||
		    route->dst.ip.family != network.ip.family)
			continue;
		if (source->gateway.family ? route->dst.prefix == 0
					   : cidr_equal(&route->dst, &network))
			return true;
	}
	return false;
}

static int check_source(const struct source *source, const rules_t *rules, const routes_t *routes,
			int link, const struct source_options *options, struct error *err)
{
	char text[IP_TEXT_SIZE];
	uint32_t table = 0;

	ip_format(&source->address.ip, text);
	list_each(rule, rules) {
		if (!is_rule_of(rule, source))
			continue;
		if (options->table ? rule->table == options->table
				   : table_serves(rule->table, routes, link, source))
			return 0;
		table = rule->table;
	}
	if (options->table)
		return fail(err, ENOENT, "there is no rule from %s to table %u", text,
			    options->table);
	if (!table)
		return fail(err, ENOENT, "there is no rule from %s", text);
	return fail(err, ENOENT, "table %u of %s has no %s", table, text,
		    source->gateway.family ? "default route" : "route to its subnet");
}

int source_routing_check(struct netlink *nl, int link, const sources_t *sources,
			 const struct source_options *options, struct arena *arena,
			 struct error *err)
{
	routes_t routes = { 0 };
	rules_t rules = { 0 };
	int r = rule_list(nl, 0, arena, &rules, err);

	if (r == 0)
		r = route_list(nl, 0, link, 0, arena, &routes, err);
	for (size_t i = 0; r == 0 && i < sources->n; i++)
		r = check_source(&sources->items[i], &rules, &routes, link, options, err);
	return r;
}
