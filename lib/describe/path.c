/* See path.h. */
#include "describe/path.h"

#include <stdio.h>

static size_t path_write(const struct path *path, char *text)
{
	size_t len = path && path->parent ? path_write(path->parent, text) : 0;
	int n;

	if (!path || len >= PATH_TEXT_SIZE)
		return len;
	if (path->key)
		n = snprintf(text + len, PATH_TEXT_SIZE - len, "%s%s", len ? "." : "", path->key);
	else
		n = snprintf(text + len, PATH_TEXT_SIZE - len, "[%zu]", path->index);
	return len + (size_t)n;
}

const char *path_text(const struct path *path, char text[PATH_TEXT_SIZE])
{
	text[0] = '\0';
	path_write(path, text);
	return text;
}
