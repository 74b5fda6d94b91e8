/*
 * Where in a document we are, as a chain of nodes on the stack: nothing is allocated, and text is
 * made only when an error needs it: `ipam.ranges[0][1].subnet`.
 */
#ifndef DESCRIBE_PATH_H
#define DESCRIBE_PATH_H

#include "base/base.h"

#define PATH_TEXT_SIZE 256

struct path {
	const struct path *parent;
	const char *key; /* NULL: an array's element */
	size_t index;
};

/* "" for the document itself; cut off when longer than the buffer. Returns text. */
const char *path_text(const struct path *path, char text[PATH_TEXT_SIZE]);

#endif
