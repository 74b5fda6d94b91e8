/* TAP and TUN devices: TUNSETIFF makes one, which goes when its descriptor is closed, unless it is made persistent. */
#include "kernel/tun.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <stdio.h>
#include <sys/ioctl.h>

#define TUN_DEVICE "/dev/net/tun"

#ifndef TUN_F_USO4 /* Linux 6.2 */
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

_Static_assert(sizeof(struct tun_header) == sizeof(struct virtio_net_hdr) &&
		       TUN_NEEDS_CSUM == VIRTIO_NET_HDR_F_NEEDS_CSUM &&
		       TUN_GSO_TCP4 == VIRTIO_NET_HDR_GSO_TCPV4 &&
		       TUN_GSO_TCP6 == VIRTIO_NET_HDR_GSO_TCPV6,
	       "virtio's header");

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

/* One more queue: the first makes the device, or takes the one that is there. */
static int open_queue(const char *name, int *fd, struct error *err)
{
	struct ifreq request = { .ifr_flags =
					 IFF_TUN | IFF_NO_PI | IFF_VNET_HDR | IFF_MULTI_QUEUE };
	int r = tun_open(fd, err);

	if (r < 0)
		return r;
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	if (ioctl(*fd, TUNSETIFF, &request) < 0)
		return errno == EINVAL || errno == EBUSY
			       ? fail(err, EEXIST,
				      "there is an interface %s of another kind, or in use", name)
			       : fail_errno(err, errno, "open TUN device %s", name);
	if (fcntl(*fd, F_SETFL, O_NONBLOCK) < 0 || ioctl(*fd, TUNSETPERSIST, 1ul) < 0)
		return fail_errno(err, errno, "TUN device %s", name);
	return 0;
}

static int set_offload(int fd, bool *gso_udp, struct error *err)
{
	const unsigned long offload = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;

	*gso_udp = ioctl(fd, TUNSETOFFLOAD, offload | TUN_F_USO4 | TUN_F_USO6) == 0;
	if (*gso_udp || ioctl(fd, TUNSETOFFLOAD, offload) == 0)
		return 0;
	return fail_errno(err, errno, "turn on the offloads of a TUN device");
}

int tun_open_queues(const char *name, int fds[], unsigned n, bool *gso_udp, struct error *err)
{
	unsigned opened = 0;
	int r = 0;

	for (; r == 0 && opened < n; opened++)
		r = open_queue(name, &fds[opened], err);
	if (r == 0)
		r = set_offload(fds[0], gso_udp, err);
	for (unsigned i = 0; r < 0 && i < opened; i++)
		close(fds[i]), fds[i] = -1;
	return r;
}
