/*
 * Words as numbers: every name, label key and label of a world of objects is kept once, and compared by its number. The
 * numbers are dense, so that they serve as indexes of arrays. Who writes objects chooses the words: the hash has a secret,
 * so that nobody can choose words that all fall together.
 */
#ifndef POLICY_SYMBOL_H
#define POLICY_SYMBOL_H

#include "base/arena.h"

typedef uint32_t symbol_t; /* 0 = none */

struct symbol_text {
	const char *text;
	uint32_t hash;
};

/* Zeroes, with the arena set, is an empty one. */
struct symbols {
	struct arena *arena;
	LIST(struct symbol_text) texts; /* [0] is no symbol's */
	uint32_t *slots;                /* open addressing; twice as many as texts at least */
	size_t n_slots;
	uint64_t secret[2];
};

symbol_t symbol_add(struct symbols *symbols, const char *text);          /* copies a new one */
symbol_t symbol_find(const struct symbols *symbols, const char *text);   /* 0 = not there */
const char *symbol_text(const struct symbols *symbols, symbol_t symbol); /* "" for 0 */

#endif
