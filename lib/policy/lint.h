/* Lint of a world: what is right by the API server's measure and surely not meant. */
#ifndef POLICY_LINT_H
#define POLICY_LINT_H

#include "policy/object.h"

/* Warnings only, policy by policy; what is refused was said when it was read. */
void world_lint(const struct world *world, object_report_fn *report, void *arg);

#endif
