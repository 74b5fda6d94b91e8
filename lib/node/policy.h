/* NetworkPolicies that are in force on this node, read back from whichever back end holds them, and asked. */
#ifndef NODE_POLICY_H
#define NODE_POLICY_H

#include "node/filter.h"

struct policies;
struct policy_answer {
	bool denied;
	const char *text; /* NULL: no policy selects an end */
};

/* The back end that holds policies in the namespace that we are in; NULL = none does. */
const char *policy_in_force(struct arena *arena);
/* *policies: NULL the first time; read then, from the namespace that we are in. */
int policy_ask(struct policies **policies, const struct parcel *parcel, struct arena *arena,
	       struct policy_answer *answer, struct error *err) must_check;

/* Is it a table of nf_tables that holds them? */
bool policy_owns_table(const char *table);

#endif
