/*
 * Recipes: how the sets of a compiled node come about. Written down while it is compiled, so that a pod of another node can be
 * followed afterwards without compiling anew (follow.h).
 */
#ifndef POLICY_RECIPE_H
#define POLICY_RECIPE_H

#include "policy/compiled.h"

enum ingredient_kind {
	INGREDIENT_PODS, /* the addresses of a set of pods of the world */
	INGREDIENT_SET,  /* the addresses of another set */
	INGREDIENT_NAME, /* those of them that have a port of that name, which is the element's port */
};

struct ingredient {
	enum ingredient_kind kind;
	uint32_t from; /* number of the set; NO_SET: of anybody */
	enum protocol protocol;
	uint16_t port; /* of the elements; 0 = none */
	symbol_t name;
};

struct recipe {
	LIST(struct ingredient) ingredients; /* none: pods of other nodes do not matter */
};

/* One port towards sets of peers: pairs, or a clause of its own. */
struct choice {
	bool first; /* of those that go into one set of pairs; the others follow */
	bool paired;
	numbers_t peers;
};

struct recipes {
	struct arena *arena;
	LIST(struct recipe) sets; /* by number, as they were compiled */
	LIST(struct choice) choices;
	/* The sets as they were compiled, those that only lent their elements included, and which is which in compiled: NO_SET =
	 * it is not there. */
	LIST(struct set) all;
	uint32_t *numbers;
};

/* NULL recipes: nobody wants to know. */
void recipe_add(struct recipes *recipes, uint32_t set, const struct ingredient *ingredient);
struct choice *recipe_choice(struct recipes *recipes, bool first, bool paired);

/* The sets as they are by now, and what they become: numbers has as many. */
void recipes_keep(struct recipes *recipes, const struct compiled *compiled,
		  const uint32_t *numbers);

/* compile() that writes recipes, which are empty before. */
void compile_noting(const struct world *world, symbol_t node, struct arena *arena,
		    struct compiled *compiled, struct recipes *recipes);

#endif
