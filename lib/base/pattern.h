/*
 * Patterns that people wrote for the reference plugins and for flannel, whose regular expressions are Go's (RE2 syntax).
 * What is not understood here is refused instead of being read as something else: a pattern may be what keeps somebody
 * out. Time is bounded by the product of both lengths, whatever the pattern.
 */
#ifndef BASE_PATTERN_H
#define BASE_PATTERN_H

#include "base/arena.h"
#include "base/error.h"

struct pattern;

/* In the arena; NULL with the error when it is none. */
struct pattern *pattern_read(const char *text, struct arena *arena, struct error *err);
/* Does it match anywhere in subject? */
bool pattern_found(const struct pattern *pattern, const char *subject);
/* Both at once: -EINVAL when the pattern is none. */
int pattern_match(const char *pattern, const char *text, bool *matches,
		  struct error *err) must_check;

#endif
