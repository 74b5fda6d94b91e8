/* Words in colour, where a terminal shows them. */
#ifndef NODE_PAINT_H
#define NODE_PAINT_H

#include <stdbool.h>
#include <stdio.h>

#define PAINT_BOLD  "1"
#define PAINT_RED   "1;31"
#define PAINT_GREEN "1;32"
#define PAINT_AMBER "33"

static inline void paint(FILE *out, bool colour, const char *code, const char *text)
{
	if (colour)
		fprintf(out, "\033[%sm%s\033[0m", code, text);
	else
		fputs(text, out);
}

#endif
