/* Which group and clause of a compiled node decide on a connection: where in a kernel an answer comes from. */
#ifndef POLICY_DECIDE_H
#define POLICY_DECIDE_H

#include "policy/compiled.h"

struct decision {
	bool accepted;
	const struct group *group; /* NULL: the subject is in none, and is free */
	const clauses_t *clauses;  /* that were asked last: the group's admin, allows or baseline */
	const struct clause *clause; /* of those, that decides; NULL: none holds */
};

/* In one direction, for a packet that the node forwards. */
void compiled_decide(const struct compiled *compiled, enum direction direction,
		     const struct packet *packet, struct decision *decision);

#endif
