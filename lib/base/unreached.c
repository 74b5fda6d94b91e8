/*
 * What is left out of a static binary. Objects of libraries pull each other in for functions that nothing here calls; the
 * Makefile leads the names that would do so (its variable `unreached`) to this one function, which ends the program.
 */
#include <stddef.h>
#include <stdlib.h>

void unreached(void);
char *small_strncpy(char *to, const char *from, size_t size);
extern int unreached_number;

int unreached_number; /* a variable of those, which is 0 there as well */

void unreached(void)
{
	abort();
}

/* What jansson copies the name of a source with: libc has four of it, for each generation of processors. */
char *small_strncpy(char *to, const char *from, size_t size)
{
	size_t i = 0;

	for (; i < size && from[i]; i++)
		to[i] = from[i];
	for (; i < size; i++)
		to[i] = '\0';
	return to;
}
