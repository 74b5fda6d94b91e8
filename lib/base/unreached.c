/*
 * What is left out of a static binary. Objects of libraries pull each other in for functions that nothing here calls; the
 * Makefile leads the names that would do so (its variable `unreached`) to this one function, which ends the program.
 */
#include <stdlib.h>

void unreached(void);
extern int unreached_number;

int unreached_number; /* a variable of those, which is 0 there as well */

void unreached(void)
{
	abort();
}
