/* What the files of lint share. */
#ifndef POLICY_LINT_INTERNAL_H
#define POLICY_LINT_INTERNAL_H

#include "policy/lint.h"

struct lint {
	const struct world *world;
	object_report_fn *report;
	void *arg;
	struct arena *arena; /* of the policy at work */
	const char *object;
	bool has_pods; /* or else nothing can be said of what selectors find */
};

struct lint_address {
	struct ip ip;
	const struct pod *pod;
};

void lint_warn(struct lint *lint, const char *format, ...) printf_like(2, 3);
const char *lint_place(struct lint *lint, enum direction direction, size_t rule);
const char *lint_peer_place(struct lint *lint, enum direction direction, size_t rule, size_t peer);
/* `; did you mean "app"?`, of labels that pods or namespaces have; "" = no idea. */
const char *lint_hint(struct lint *lint, const struct selector *selector, bool spaces);

/* lint_overlap.c: rules that another of the policy makes needless; exceptions that are allowed elsewhere. */
void lint_covered(struct lint *lint, const struct policy *policy, enum direction direction);
void lint_excepts(struct lint *lint, const struct policy *policy, enum direction direction);
/* All that the other rule matches is matched by this one. */
bool lint_rule_covers(const struct rule *rule, const struct rule *other);

/* lint_cluster.c */
void lint_cluster(struct lint *lint, const struct cluster_policy *policy);

#endif
