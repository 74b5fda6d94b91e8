/*
 * Connections that two sides judge otherwise: what flips between two compiled forms of a node, and where what a node has
 * in force departs from the objects. Of all ends and ports of a matrix, with at least one end on the node.
 */
#ifndef POLICY_FLIPS_H
#define POLICY_FLIPS_H

#include "policy/difference.h"
#include "policy/matrix.h"

struct flip {
	const struct end *from, *to;
	struct connection connection;
	bool allowed; /* from now on; or, by the objects */
};

struct flips {
	size_t max; /* to keep; all are counted */
	LIST(struct flip) items;
	size_t n;                   /* connections that were looked at */
	size_t n_denied, n_allowed; /* that are so now */
};

/* Only what the difference can have touched is looked at. The matrix is of the world of difference->to. */
void flips_of(const struct difference *difference, struct matrix *matrix, struct flips *flips);
/* The objects' own verdicts, as far as that node has to enforce them, against what it has. */
void flips_of_model(const struct compiled *found, const struct compiled *wanted,
		    struct matrix *matrix, struct flips *flips);

#endif
