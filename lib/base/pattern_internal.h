/* What a pattern is made of, for its reader and for what looks for it: steps, whose jumps are relative. */
#ifndef BASE_PATTERN_INTERNAL_H
#define BASE_PATTERN_INTERNAL_H

#include <ctype.h>

#include "base/pattern.h"

enum step_kind {
	STEP_BYTE,
	STEP_SPLIT,
	STEP_JUMP,
	STEP_BEGIN,
	STEP_END,
	STEP_EDGE,    /* of a word */
	STEP_NO_EDGE, /* inside of one, or of what is none */
	STEP_FOUND,
};

struct byte_set {
	uint32_t bits[8];
};

struct step {
	enum step_kind kind;
	int to, or_to; /* relative */
	struct byte_set set;
};

struct pattern {
	struct arena *arena;
	LIST(struct step) steps;
};

static inline bool set_has(const struct byte_set *set, unsigned char c)
{
	return set->bits[c / 32] >> c % 32 & 1;
}

static inline int is_word(int c)
{
	return isalnum(c) || c == '_';
}

#endif
