/*
 * Patterns that people wrote for the reference plugins, whose regular expressions are Go's: translated to POSIX
 * extended ones. What has no counterpart there is refused instead of being read as something else: a pattern may be
 * what keeps somebody out.
 */
#ifndef BASE_PATTERN_H
#define BASE_PATTERN_H

#include "base/arena.h"
#include "base/error.h"

/* Does it match anywhere in text? -EINVAL when the pattern is none. */
int pattern_match(const char *pattern, const char *text, bool *matches,
		  struct error *err) must_check;
/* The POSIX form, in the arena; NULL with the error when there is none. */
char *pattern_posix(const char *pattern, struct arena *arena, struct error *err);

#endif
