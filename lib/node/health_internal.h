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

/* Does a runtime remember the attachment, or one of the same container? */
bool health_remembers(const struct health *health, const struct owner *owner);
/* Addresses of which something is left, although no namespace and no lease has them, nor does a runtime remember whose they
 * were. One ailment for each owner and check; mend gets the owner as arg. */
typedef int health_mend_fn(struct health *health, const struct ailment *ailment, struct error *err);
void health_judge(struct health *health, const char *check, const char *what, const struct ip *ip,
		  const struct owner *owner, health_mend_fn *mend);
/* Does anything need the address: a namespace, or a lease? */
enum { HEALTH_YOUNG_MS = 60000 }; /* of what is younger an ADD may still be at work */
bool health_namespace_is_gone(const char *path);
bool health_needs(const struct health *health, const struct ip *ip);
const char *health_ip(const struct health *health, const struct ip *ip);

typedef int health_check_fn(struct health *health, struct error *err);
health_check_fn health_check_attachments, health_check_leases, health_check_veths,
	health_check_ifbs, health_check_loans, health_check_rules, health_check_firewall,
	health_check_spoof_checks, health_check_files, health_check_dhcp, health_check_addresses,
	health_check_sysctls, health_check_networks, health_check_conflicts, health_check_kernel,
	health_check_plugins, health_check_peers;

#endif
