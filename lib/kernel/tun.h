/* TAP and TUN devices: made by ioctls on /dev/net/tun, in the network namespace of the caller. */
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

/* What stands in front of each packet that is read from a TUN queue or written to it: virtio's header, in the machine's own
 * byte order. */
struct tun_header {
	uint8_t flags, gso;
	uint16_t header_size, gso_size, csum_start, csum_offset;
};
enum { TUN_NEEDS_CSUM = 1, TUN_DATA_VALID = 2 }; /* flags */
enum {
	TUN_GSO_NONE = 0,
	TUN_GSO_TCP4 = 1,
	TUN_GSO_TCP6 = 4,
	TUN_GSO_UDP = 5,
	TUN_GSO_ECN = 0x80, /* with one of TCP */
};

/*
 * n queues of a TUN device, which is made where it is missing and stays when they are closed: IP packets with
 * a tun_header, segments of TCP left together, checksums left out. *gso_udp: those of UDP are left together, too (Linux 6.2). Reads
 * do not wait.
 */
int tun_open_queues(const char *name, int fds[], unsigned n, bool *gso_udp,
		    struct error *err) must_check;

#endif
