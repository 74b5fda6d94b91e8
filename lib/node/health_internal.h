/* What the checks share: the node, and where they put what they find. */
#ifndef NODE_HEALTH_INTERNAL_H
#define NODE_HEALTH_INTERNAL_H

#include "cni/holding.h"
#include "cni/netlist.h"
#include "node/health.h"
#include "node/scene.h"

struct health {
	const struct health_query *query;
	struct arena *arena;
	struct scene scene;
	struct networks networks;
	holdings_t holdings;
	struct health_report *report;
};

/* why, remedy may be NULL; all of the arena. What is returned is valid until the next. */
struct ailment *health_add(struct health *health, const char *check, const char *text,
			   const char *why, const char *remedy);
#define health_text(health, ...) arena_printf((health)->arena, __VA_ARGS__)

bool health_remembers(const struct health *health, const char *network, const char *container,
		      const char *ifname); /* ifname NULL = any */
/* Does anything need the address: a namespace, or a lease? */
bool health_needs(const struct health *health, const struct ip *ip);
const char *health_ip(const struct health *health, const struct ip *ip);

typedef int health_check_fn(struct health *health, struct error *err);
health_check_fn health_check_attachments, health_check_leases, health_check_veths,
	health_check_ifbs, health_check_rules, health_check_addresses, health_check_sysctls,
	health_check_networks, health_check_conflicts, health_check_kernel, health_check_plugins;

#endif
