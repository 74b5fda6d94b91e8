/*
 * What a static binary has in the place of libc's functions of these names (unreached.c, and `small` in the Makefile): the same
 * answers. Nobody calls them by these names but their test; the linker leads the others here.
 */
#ifndef BASE_UNREACHED_H
#define BASE_UNREACHED_H

#include <stddef.h>

char *small_strncpy(char *to, const char *from, size_t size);
char *small_strcpy(char *to, const char *from);
char *small_stpcpy(char *to, const char *from);
int small_strncmp(const char *a, const char *b, size_t size);
int small_strcasecmp(const char *a, const char *b);
int small_strncasecmp(const char *a, const char *b, size_t size);
char *small_strstr(const char *text, const char *part);
char *small_strcasestr(const char *text, const char *part);

#endif
