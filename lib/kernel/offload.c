/* By ioctl(2): netlink's way to the same came with Linux 5.6. */
#include "kernel/offload.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/if.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

static int ask(int fd, const char *device, struct ethtool_value *value)
{
	struct ifreq request = { .ifr_data = (void *)value };

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", device);
	return ioctl(fd, SIOCETHTOOL, &request);
}

int offload_no_checksums(const char *device, struct error *err)
{
	auto_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ethtool_value value = { .cmd = ETHTOOL_GTXCSUM };

	if (ask(fd, device, &value) == 0 && !value.data)
		return 0;
	value = (struct ethtool_value){ .cmd = ETHTOOL_STXCSUM };
	return ask(fd, device, &value) < 0
		       ? fail_errno(err, errno, "leave the checksums of %s to the kernel", device)
		       : 0;
}
