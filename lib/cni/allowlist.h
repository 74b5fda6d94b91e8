/* The administrator's list of sysctls that a network may set: a file of patterns, one a line. */
#ifndef CNI_ALLOWLIST_H
#define CNI_ALLOWLIST_H

#include "base/arena.h"
#include "base/error.h"

typedef LIST(const char *) patterns_t;
struct allowlist {
	bool present; /* no file: everything is allowed; an empty one: nothing */
	const char *path;
	patterns_t patterns;
};

/* Blanks around a pattern, empty lines and those that begin with '#' do not count. */
int allowlist_read(const char *path, struct arena *arena, struct allowlist *list,
		   struct error *err) must_check;
/* -EACCES `Sysctl x is not allowed. Only the following sysctls are allowed: [a b]`; a pattern may match anywhere in
 * the name. */
int allowlist_check(const struct allowlist *list, const char *sysctl, struct error *err) must_check;

#endif
