/*
 * What is left out of a static binary. Objects of libraries pull each other in for functions that nothing here calls; the
 * Makefile leads the names that would do so (its variable `unreached`) to this one function, which ends the program.
 */
#include <stddef.h>
#include <stdlib.h>

void unreached(void);
char *small_strncpy(char *to, const char *from, size_t size);
extern long unreached_data[8];

long unreached_data[8]; /* a variable of those; 0, as libnl's level of debugging is */

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
