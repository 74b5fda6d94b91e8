/*
 * Clauses: what the atoms of some rules come to, as the fewest look-ups. Ports by number with few peers go into one set
 * of pairs, so that a new connection costs the same however many policies there are; what would make that set large (many
 * peers) becomes a clause over a set that is shared.
 */
#ifndef POLICY_CLAUSE_H
#define POLICY_CLAUSE_H

#include "policy/atom.h"

#define PAIRS_OF_A_PORT 1024  /* peers; more, and the port gets a clause of its own */
#define PAIRS_OF_A_SET  32768 /* elements */
/* These are few enough for pairs, with so many pairs already there. */
static inline bool pairs_fit(size_t n_peers, size_t n_pairs)
{
	return n_peers <= PAIRS_OF_A_PORT && n_peers + n_pairs <= PAIRS_OF_A_SET;
}

struct build {
	const struct world *world;
	struct compiled *compiled;
	struct arena *scratch; /* of the group at work */
	numbers_t local;       /* pods of the node that take part and have an address */
	struct group *group;   /* at work */
};

/* Rules that all do the same, so that their order is nothing. */
struct clauses_request {
	enum action action;
	atoms_t atoms;
	const char *comment; /* of the set of pairs, if they need one */
};

/* Adds them behind what there is. */
void clauses_add(struct build *build, const struct clauses_request *request, clauses_t *clauses);

#endif
