/*
 * Source routing: what is sent from an address of a link is routed by the address's own table, so that answers leave
 * through the link that the question came in by, and nothing else does.
 */
#ifndef KERNEL_SOURCE_ROUTING_H
#define KERNEL_SOURCE_ROUTING_H

#include "kernel/route.h"
#include "kernel/rule.h"

#define SOURCE_TABLE_FIRST 100

struct source {
	struct cidr address;
	struct ip gateway; /* not set = no default route is made */
	uint32_t table;
};
typedef LIST(struct source) sources_t;

struct source_options {
	/* All sources look into this table, and somebody else fills it; 0 = each into one of its own, into which the link's
	 * routes move from the main table. */
	uint32_t table;
	/* Routes without gateway stay in the main table, that of an address's subnet with the address as source. */
	bool hints;
};

/* What has to be done, in this order. */
struct source_change {
	enum { SOURCE_RULE, SOURCE_DEFAULT, SOURCE_COPY, SOURCE_HINT, SOURCE_DROP } step;
	struct rule rule;
	struct route route;
	struct route before; /* SOURCE_HINT */
	int outcome;         /* of the last try: 0 or an errno */
};
typedef LIST(struct source_change) source_changes_t;

/* Pure: the first tables from SOURCE_TABLE_FIRST on that no rule looks into and no route is in. */
void source_tables(sources_t *sources, const rules_t *rules, const routes_t *routes);
/* Pure: the changes, given the routes of all tables by their records. */
void source_plan(const sources_t *sources, int link, const struct source_options *options,
		 const routes_t *routes, struct arena *arena, source_changes_t *changes);

/* All of it for a link; all or nothing. The caller keeps others from looking for free tables at the same time. */
int source_routing_add(struct netlink *nl, int link, sources_t *sources,
		       const struct source_options *options, struct arena *arena,
		       struct error *err) must_check;
/* Rules of these addresses, and the link's routes in the tables that they name. link 0 = it is gone; a table whose routes
 * go through other links is somebody else's. Nothing there is success. */
int source_routing_del(struct netlink *nl, int link, const sources_t *sources,
		       const struct source_options *options, struct arena *arena,
		       struct error *err) must_check;
/* -ENOENT with what is missing: a rule, or (of an address's own table) the default route or the subnet's. */
int source_routing_check(struct netlink *nl, int link, const sources_t *sources,
			 const struct source_options *options, struct arena *arena,
			 struct error *err) must_check;

#endif
