/*
 * What is left out of a static binary. Objects of libraries pull each other in for functions that nothing here calls; the
 * Makefile leads the names that would do so (its variable `unreached`) to one function, which ends the program. Others
 * (its variable `small`) are called, and libc's are large: there are plain ones here.
 */
#include "base/unreached.h"

#include <stdlib.h>
#include <string.h>

void unreached(void);
long unneeded(void);
const char *small_dcgettext(const char *domain, const char *text, int category);
extern long unreached_data[8];

long unreached_data[8]; /* a variable of those; 0, as libnl's level of debugging is */

void unreached(void)
{
	abort();
}

/* The answer of a function whose work nobody needs: libc's word for "unknown", where it has an answer at all. */
long unneeded(void)
{
	return -1;
}

char *small_strncpy(char *to, const char *from, size_t size)
{
	size_t i = 0;

	for (; i < size && from[i]; i++)
		to[i] = from[i];
	for (; i < size; i++)
		to[i] = '\0';
	return to;
}

char *small_stpcpy(char *to, const char *from)
{
	size_t len = strlen(from);

	memcpy(to, from, len + 1);
	return to + len;
}

char *small_strcpy(char *to, const char *from)
{
	small_stpcpy(to, from);
	return to;
}

int small_strncmp(const char *a, const char *b, size_t size)
{
	for (; size; size--, a++, b++) {
		if (*a != *b)
			return (unsigned char)*a - (unsigned char)*b;
		if (!*a)
			return 0;
	}
	return 0;
}

/* As in C's own locale: letters of ASCII alone have another case. */
static int lower(char c)
{
	return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : (unsigned char)c;
}

int small_strncasecmp(const char *a, const char *b, size_t size)
{
	for (; size; size--, a++, b++) {
		if (*a != *b && lower(*a) != lower(*b))
			return lower(*a) - lower(*b);
		if (!*a)
			return 0;
	}
	return 0;
}

int small_strcasecmp(const char *a, const char *b)
{
	return small_strncasecmp(a, b, (size_t)-1);
}

char *small_strstr(const char *text, const char *part)
{
	return memmem(text, strlen(text), part, strlen(part));
}

char *small_strcasestr(const char *text, const char *part)
{
	size_t len = strlen(part);

	for (; small_strncasecmp(text, part, len) != 0; text++) {
		if (!*text)
			return NULL;
	}
	return (char *)text;
}

/* There is no other language than that of the source. */
const char *small_dcgettext(const char *domain, const char *text, int category)
{
	(void)domain;
	(void)category;
	return text;
}
