/* What the files of explain share. */
#ifndef POLICY_EXPLAIN_INTERNAL_H
#define POLICY_EXPLAIN_INTERNAL_H

#include "policy/explain.h"

/* All that does not fit. The policy is NULL for a rule of a ClusterNetworkPolicy. */
void rule_why(const struct world *world, const struct policy *policy, const struct rule *rule,
	      enum direction direction, const struct connection *connection, struct arena *arena,
	      words_t *why);

#endif
