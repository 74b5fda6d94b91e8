/* Capabilities of the calling process in its user namespace. */
#ifndef KERNEL_CAPABILITY_H
#define KERNEL_CAPABILITY_H

#include "base/error.h"

bool capability_net_admin(void);
bool capability_sys_admin(void);

enum capability {
	CAPABILITY_DAC_READ_SEARCH = 2,
	CAPABILITY_NET_BIND_SERVICE = 10,
	CAPABILITY_NET_ADMIN = 12,
	CAPABILITY_NET_RAW = 13,
	CAPABILITY_SYS_PTRACE = 19,
	CAPABILITY_SYS_ADMIN = 21,
	CAPABILITY_BPF = 39,
};
/* Give up, for good, all that are not in the list, and whatever a program that is executed could gain
 * (no_new_privs). What we do not have is not gained. */
int capability_keep_only(const enum capability *keep, size_t n, struct error *err) must_check;

#endif
