/*
 * One node from what is in force to what is wanted. Planning reads the kernel, compiles and compares, and changes nothing;
 * carrying out sends the difference to the back end (backend.h). The first time, every later one, a check and a repair
 * are the same.
 */
#ifndef POLICY_ENFORCE_H
#define POLICY_ENFORCE_H

#include "policy/backend.h"

struct enforcement {
	const struct backend *backend;
	struct treatment treatment;
	cidrs_t close; /* addresses of the node's pods: unknown ones are dropped */
	bool adopt;    /* planning takes both of them from what is in force */
	/* of the plan */
	struct found found;
	struct compiled wanted;
	struct difference
		difference; /* from found to wanted; `damaged` includes another treatment */
};

int enforce_plan(struct enforcement *enforcement, const struct world *world, symbol_t node,
		 struct arena *arena, struct error *err) must_check;
/* Nothing is sent when nothing differs. */
int enforce(const struct enforcement *enforcement, struct error *err) must_check;
/* What other back ends have of ours: a node that changes from one to another. */
struct rival {
	const struct backend *backend;
	struct found found;
};
typedef LIST(struct rival) rivals_t;
int enforce_rivals(const struct backend *backend, struct arena *arena, rivals_t *rivals,
		   struct error *err) must_check;
/* When the new is in force. */
int enforce_sweep(const rivals_t *rivals, struct error *err) must_check;
bool treatment_equal(const struct treatment *a, const struct treatment *b);

/* Those addresses are closed to whatever is no pod of the node: pods whose policies are not known yet. */
void compiled_close(struct compiled *compiled, const struct world *world, symbol_t node,
		    const cidrs_t *close);

/* One at a time in this mount namespace, for as long as *fd is open. */
int enforce_lock(int *fd, struct error *err) must_check;

#endif
