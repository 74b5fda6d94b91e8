/* What apply and verify share: objects, this node, its back end, and the plan. */
#ifndef POLICY_IPTABLES_JOB_H
#define POLICY_IPTABLES_JOB_H

#include "policy/enforce.h"
#include "policy/flips.h"
#include "session.h"

struct job {
	struct session session;
	const char *node_name;
	symbol_t node;
	struct enforcement enforcement;
};

/* As the options say. */
struct treatment job_treatment(const struct options *options);
const char *job_node_name(struct invocation *call, const struct options *options);
/* All objects have to be right, and the node one that they name. */
int job_start(struct job *job, struct invocation *call, const struct options *options,
	      struct error *err) must_check;
/* Ends and ports as the options say; and one address of each ipBlock, when blocks. */
int job_matrix(const struct job *job, const struct options *options, bool blocks,
	       struct matrix *matrix, struct error *err) must_check;

#endif
