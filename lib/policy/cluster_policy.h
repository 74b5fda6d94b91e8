/*
 * ClusterNetworkPolicies (policy.networking.k8s.io/v1alpha2): rules of the whole cluster, before what NetworkPolicies say
 * (tier Admin) and for pods that none of those isolates (tier Baseline). Within a tier the first rule that matches
 * decides: policies by priority, the lowest first, and by name when it is the same; rules in their order.
 *
 * A rule that asks for what is not known here fails closed, as the API wants it: Accept matches nothing, Deny and Pass
 * deny everything.
 */
#ifndef POLICY_CLUSTER_POLICY_H
#define POLICY_CLUSTER_POLICY_H

#include "policy/policy.h"

#define CLUSTER_PRIORITY_MAX 1000
#define CLUSTER_LIST_MAX     25 /* rules of a direction; peers, networks and protocols of a rule */

enum tier { TIER_ADMIN, TIER_BASELINE, TIERS };
enum action { ACTION_ACCEPT, ACTION_DENY, ACTION_PASS };

extern const char *const tier_names[];   /* "Admin", "Baseline"; NULL behind them */
extern const char *const action_names[]; /* "Accept", "Deny", "Pass" */

struct cluster_rule {
	const char *name; /* NULL = none */
	enum action action;
	const char *closed; /* why it fails closed; NULL: it does not */
	struct rule
		match; /* peers say their namespaces themselves; a name is one port_match per protocol */
};

struct cluster_policy {
	symbol_t name;
	bool gone; /* it was removed */
	enum tier tier;
	int priority;
	struct selector spaces, pods; /* the subject */
	uint32_t set;                 /* of those pods */
	LIST(struct cluster_rule) rules[DIRECTIONS];
	uint64_t expansion; /* limit.h */
	bool closed;        /* over the limit: all of its rules fail closed */
};

/* Why the rule fails closed; NULL: it does not. */
const char *cluster_rule_closed(const struct cluster_policy *policy,
				const struct cluster_rule *rule);
/* What the rule does when it holds. */
enum action cluster_rule_action(const struct cluster_policy *policy,
				const struct cluster_rule *rule);
/* The order in which policies are asked; names are compared as text. */
int cluster_policy_compare(const void *a, const void *b, const void *symbols);

#endif
