/*
 * Which capabilities are effective: asked before a tool starts, so that the refusal is one clear line. And giving them up,
 * for an agent that goes on with few.
 */
#include "kernel/capability.h"

#include <errno.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

static bool effective(unsigned capability)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { 0 };

	if (syscall(SYS_capget, &header, data))
		return false;
	return data[CAP_TO_INDEX(capability)].effective & CAP_TO_MASK(capability);
}

bool capability_net_admin(void)
{
	return effective(CAP_NET_ADMIN);
}

bool capability_sys_admin(void)
{
	return effective(CAP_SYS_ADMIN);
}

/* The bounding set first: it takes CAP_SETPCAP, which goes with the rest. Without it (nothing to give up) it stays. */
static void bound(const uint64_t keep)
{
	for (unsigned i = 0; i <= 63 && prctl(PR_CAPBSET_READ, i, 0, 0, 0) >= 0; i++)
		if (!(keep & (uint64_t)1 << i))
			prctl(PR_CAPBSET_DROP, i, 0, 0, 0);
}

int capability_keep_only(const enum capability *keep, size_t n, struct error *err)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { 0 };
	uint64_t mask = 0;

	for (size_t i = 0; i < n; i++)
		mask |= (uint64_t)1 << keep[i];
	bound(mask);
	if (syscall(SYS_capget, &header, data))
		return fail_errno(err, errno, "read capabilities");
	for (unsigned i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
		data[i].permitted &= (uint32_t)(mask >> 32 * i);
		data[i].effective &= (uint32_t)(mask >> 32 * i);
		data[i].inheritable = 0;
	}
	if (syscall(SYS_capset, &header, data) || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return fail_errno(err, errno, "give up capabilities");
	return 0;
}
