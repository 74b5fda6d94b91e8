/* TAP devices: made by ioctls on /dev/net/tun, in the network namespace of the caller. */
#ifndef KERNEL_TUN_H
#define KERNEL_TUN_H

#include "base/error.h"

struct tap_spec {
	const char *name;
	bool multi_queue; /* only then more than one program can have it open */
	bool has_owner, has_group;
	uint32_t owner, group; /* who may open it without CAP_NET_ADMIN */
};

/* Can taps be made here? The words say what is missing. */
int tun_available(struct error *err) must_check;
/*
 * Make a tap that outlives its maker: Ethernet frames without packet information, with virtio-net headers. -EEXIST: the
 * name is taken. Nothing is left on failure.
 */
int tun_create(const struct tap_spec *spec, struct error *err) must_check;

#endif
