/* TAP devices: TUNSETIFF makes one, which goes when its descriptor is closed, unless it is made persistent. */
#include "kernel/tun.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <sys/ioctl.h>

#define TUN_DEVICE "/dev/net/tun"

/* The namespace of the tap is that of who opens the device, not of who makes the tap. */
static int tun_open(int *fd, struct error *err)
{
	*fd = open(TUN_DEVICE, O_RDWR | O_CLOEXEC);
	if (*fd >= 0)
		return 0;
	if (errno == ENOENT || errno == ENODEV || errno == ENXIO)
		return fail_errno(err, errno,
				  "this node has no " TUN_DEVICE " (try: modprobe tun)");
	return fail_errno(err, errno, "open " TUN_DEVICE);
}

int tun_available(struct error *err)
{
	int fd auto_close = -1;

	return tun_open(&fd, err);
}

static int set_up(int fd, const struct tap_spec *spec, struct error *err)
{
	if (spec->has_owner && ioctl(fd, TUNSETOWNER, (unsigned long)spec->owner) < 0)
		return fail_errno(err, errno, "set owner %u", spec->owner);
	if (spec->has_group && ioctl(fd, TUNSETGROUP, (unsigned long)spec->group) < 0)
		return fail_errno(err, errno, "set group %u", spec->group);
	if (ioctl(fd, TUNSETPERSIST, 1ul) < 0)
		return fail_errno(err, errno, "make it persistent");
	return 0;
}

/* Without IFF_TUN_EXCL the kernel would take a tap of that name that is there, instead of making one. */
int tun_create(const struct tap_spec *spec, struct error *err)
{
	struct ifreq request = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
	int fd auto_close = -1;
	int r = tun_open(&fd, err);

	if (r < 0)
		return r;
	request.ifr_flags = (short)(request.ifr_flags | IFF_TUN_EXCL |
				    (spec->multi_queue ? IFF_MULTI_QUEUE : 0));
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", spec->name);
	if (ioctl(fd, TUNSETIFF, &request) < 0)
		return errno == EBUSY
			       ? fail(err, EEXIST, "there is an interface %s already", spec->name)
			       : fail_errno(err, errno, "create tap %s", spec->name);
	if (!streq(request.ifr_name, spec->name)) /* "eth%d" is a pattern to the kernel */
		return fail(err, EINVAL, "\"%s\" cannot be the name of a tap", spec->name);
	r = set_up(fd, spec, err);
	return r < 0 ? wrap(err, "tap %s", spec->name) : 0;
}
