/*
 * Following pods of other nodes: they are elements of sets here, and nothing else. A compiled node is kept as compile() would make
 * it by changing those elements alone, which costs what the pod's selectors have, not what all policies have.
 */
#ifndef POLICY_FOLLOW_H
#define POLICY_FOLLOW_H

#include "policy/difference.h"
#include "policy/recipe.h"

/* A set that has been changed since the last settling. */
struct followed {
	uint32_t number;   /* among all sets of the recipes */
	struct set before; /* its elements as they were */
	struct element *items;
	size_t room;
};

struct follow {
	struct world *world; /* indexed */
	struct compiled *compiled;
	struct recipes *recipes;
	struct arena *arena; /* of both */
	struct followed *sets;
	size_t n_sets;
	uint32_t *places; /* by number: where in sets, + 1 */
	uint8_t *owned;   /* by number: its elements are ours to free */
};

/* compiled and recipes are what compile_noting() has made of world. */
void follow_start(struct follow *follow, struct world *world, struct compiled *compiled,
		  struct recipes *recipes, struct arena *arena);
/* What is compiled is as it was settled last, for who compares it with another. The end of following. */
void follow_revert(struct follow *follow);
void follow_end(struct follow *follow);

/* The pod of that number was as `before` says, and is by now as the world has it; neither is on the compiled node. False: this
 * changes more than elements, and everything has to be indexed and compiled again. */
bool follow_pod(struct follow *follow, uint32_t number, const struct pod *before);

/* From what was settled last. Borrows. */
void follow_difference(const struct follow *follow, struct arena *arena,
		       struct difference *difference);
/* What is compiled is in force: nobody borrows what was before. */
void follow_settle(struct follow *follow);

#endif
