/* Which capabilities are effective: asked before a tool starts, so that the refusal is one clear line. */
#include "kernel/capability.h"

#include <linux/capability.h>
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
