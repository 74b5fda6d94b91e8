/* See cluster_policy.h. */
#include "policy/cluster_policy.h"

const char *const tier_names[] = { "Admin", "Baseline", NULL };
const char *const action_names[] = { "Accept", "Deny", "Pass", NULL };

const char *cluster_rule_closed(const struct cluster_policy *policy,
				const struct cluster_rule *rule)
{
	return policy->closed ? "the policy expands to more than the limit" : rule->closed;
}

enum action cluster_rule_action(const struct cluster_policy *policy,
				const struct cluster_rule *rule)
{
	bool closed = cluster_rule_closed(policy, rule);

	return closed && rule->action == ACTION_PASS ? ACTION_DENY : rule->action;
}

int cluster_policy_compare(const void *a, const void *b, const void *symbols)
{
	const struct cluster_policy *x = a, *y = b;

	if (x->tier != y->tier)
		return (int)x->tier - (int)y->tier;
	if (x->priority != y->priority)
		return x->priority - y->priority;
	return strcmp(symbol_text(symbols, x->name), symbol_text(symbols, y->name));
}
