/* Where in a text things stand, for messages about documents that are parsed already: a parsed value has no lines. */
#ifndef DESCRIBE_JSON_WHERE_H
#define DESCRIBE_JSON_WHERE_H

#include "base/arena.h"

struct json_place {
	const char *path; /* `plugins[1].mtu`; keys in any case */
	unsigned line;    /* of it, or of the nearest that is around it; 1 = the whole */
};

/* Fill in the lines, in a few passes for all. */
void json_find_lines(const char *text, size_t size, struct json_place *places, size_t n);

/* Every key that its object has twice, in any case: the parser keeps the last one of them. */
typedef void json_twice_fn(void *arg, const char *path);
void json_find_twice(const char *text, size_t size, json_twice_fn *fn, void *arg);

#endif
