/* Network sysctls of the namespace that the caller is in (netns_enter() first for another). */
#ifndef KERNEL_SYSCTL_H
#define KERNEL_SYSCTL_H

#include "base/error.h"

/* name is the path below /proc/sys, such as "net/ipv6/conf/eth0/accept_dad"; '/' may not come from user input
 * other than interface names, which hold none. */
int sysctl_read(const char *name, char *value, size_t size,
		struct error *err) must_check; /* without newline */
int sysctl_write(const char *name, const char *value, struct error *err) must_check;
/* Best effort: a kernel without it (no IPv6, older) is as good. */
void sysctl_try(const char *name, const char *value);
/* The same words, whatever is between them: the kernel separates with tabs what people write with blanks. */
bool sysctl_same(const char *a, const char *b);
/* Read; write only when different. */
int sysctl_ensure(const char *name, const char *value, struct error *err) must_check;

#endif
