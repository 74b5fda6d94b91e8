/* A walk over text that has been parsed before, which is why a bracket outside of a string is enough to know the depth. */
#ifndef DESCRIBE_JSON_WALK_H
#define DESCRIBE_JSON_WALK_H

#include "base/base.h"

struct json_walk {
	const char *at, *end;
};

/* Past a string that begins here. */
static inline void walk_skip_string(struct json_walk *walk)
{
	for (walk->at++; walk->at < walk->end && *walk->at != '"'; walk->at++)
		if (*walk->at == '\\')
			walk->at++;
	walk->at += walk->at < walk->end;
}

/* Up to a comma, or the bracket that closes what is around. */
void walk_skip_value(struct json_walk *walk);
/* On to the character; false: there is none. */
bool walk_find(struct json_walk *walk, char c);

#endif
