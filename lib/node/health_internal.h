/* What the checks share: the node, and where they put what they find. */
#ifndef NODE_HEALTH_INTERNAL_H
#define NODE_HEALTH_INTERNAL_H

#include "base/text.h"
#include "cni/holding.h"
#include "cni/netlist.h"
#include "node/health.h"
#include "node/scene.h"

struct health {
	const struct health_query *query;
	struct arena *arena;
	struct scene scene;
	struct networks networks;
	struct networks kept; /* as attachments remember them */
	int networks_read;    /* of networks_load() */
	struct error networks_error;
	holdings_t holdings;
	struct health_report *report;
	LIST(struct ip) remembered; /* addresses of attachments; read when they are asked for */
	bool has_remembered;
};

/* why, remedy may be NULL; all of the arena. What is returned is valid until the next. */
struct ailment *health_add(struct health *health, const char *check, const char *text,
			   const char *why, const char *remedy);
#define health_text(health, ...)  arena_printf((health)->arena, __VA_ARGS__)
#define health_word(health, text) shell_word((health)->arena, text)
#define health_fix(health)        health_text(health, HEALTH_FIX "%s", (health)->query->own_options)
#define HEALTH_FIX                "cnibox doctor --fix"

/* Does a runtime remember the attachment, or one of the same container? */
bool health_remembers(const struct health *health, const struct owner *owner);
/* Addresses of which something is left, although no namespace and no lease has them, nor does a runtime remember whose they
 * were. One ailment for each owner and check; mend gets the owner as arg. */
typedef int health_mend_fn(struct health *health, const struct ailment *ailment, struct error *err);
void health_judge(struct health *health, const char *check, const char *what, const struct ip *ip,
		  const struct owner *owner, health_mend_fn *mend);
/* Does anything need the address: a namespace, a lease, or an attachment that a runtime remembers? */
bool health_namespace_is_gone(const char *path);
/* Of what was made at that time of the wall clock an ADD may still be at work. */
bool health_is_young(const struct health *health, int64_t since_ms);
bool health_needs(struct health *health, const struct ip *ip);
/* A link to a namespace that is not seen from here: who has an address cannot be proved then. NULL = all are seen. */
const struct link *health_blind_spot(struct health *health);
/* An ailment of what no namespace that is seen has the address of; it is mended when all are seen. */
void health_add_left(struct health *health, const char *check, const char *text, const char *why,
		     health_mend_fn *mend, const void *arg);
const char *health_ip(const struct health *health, const struct ip *ip);

typedef int health_check_fn(struct health *health, struct error *err);
health_check_fn health_check_attachments, health_check_kept, health_check_leases,
	health_check_veths, health_check_ifbs, health_check_loans, health_check_rules,
	health_check_firewall, health_check_spoof_checks, health_check_files, health_check_dhcp,
	health_check_addresses, health_check_sysctls, health_check_networks, health_check_conflicts,
	health_check_kernel, health_check_plugins, health_check_peers;

#endif
