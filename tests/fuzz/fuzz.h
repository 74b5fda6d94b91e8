/*
 * What the harnesses share. A harness is one file with LLVMFuzzerTestOneInput() (libFuzzer's entry; afl-clang-fast
 * knows it, too); its seeds are in corpus/<name>/, as text where that is possible, so that a person can add one.
 * A harness stops before anything has an effect outside of a scratch folder of its own.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include "base/arena.h"
#include "describe/applet.h"

#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Something is wrong that no sanitizer can see: say it and crash, so that the input is kept. */
#define fuzz_check(condition, ...)                                                    \
	do {                                                                          \
		if (condition)                                                        \
			break;                                                        \
		fprintf(stderr, "fuzz: %s:%d: %s\n", __FILE__, __LINE__, #condition); \
		fprintf(stderr, "fuzz: " __VA_ARGS__);                                \
		fputc('\n', stderr);                                                  \
		abort();                                                              \
	} while (0)

/* The next line of the text, which is cut there; "" at the end. */
static inline char *fuzz_line(char **rest)
{
	char *line = *rest, *end = strchr(line, '\n');

	if (end)
		*end = '\0';
	*rest = end ? end + 1 : line + strlen(line);
	return line;
}

#endif
