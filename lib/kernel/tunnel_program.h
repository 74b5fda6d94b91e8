/*
 * The tunnel of tunnel.h inside the kernel: programs for the hooks of its two links, which carry the packets that
 * need nothing special, segments together, and pass on everything else untouched: what leaves the device goes to who reads
 * the device, what enters the underlay to who reads the socket.
 *
 * Out: to a known peer, TTL not at its end, no options, fits on the way. In: from a known peer's address, its source
 * in that peer's subnet, UDP without a checksum, which is how the other program sends: one of a process may have been
 * put together by a device, or wait for its checksum, which cannot be seen here. Where nobody reads the socket, what is
 * otherwise left to its reader is carried as well as it goes.
 *
 * Unwrap: segments that come together are marked as a tunnel's (skb->encapsulation), a bridge therefore cuts them apart, and nothing that a
 * program may call takes the mark off (Linux 6.18). The kernel's own decapsulation does. So the program for the way in
 * wraps them once more, into IPv6 with a frame inside, which a route of the device unwraps (route.h, frame_oif) and
 * sends to a link, at whose egress this third program gives it to the device.
 */
#ifndef KERNEL_TUNNEL_PROGRAM_H
#define KERNEL_TUNNEL_PROGRAM_H

#include "base/error.h"
#include "base/ip.h"

enum tunnel_hook { TUNNEL_OUT, TUNNEL_IN, TUNNEL_UNWRAP };

#define TUNNEL_PROGRAM_PREFIX "cnibox_relay" /* of their names at the hooks (hook.h) */

/* In the map of peers, by subnet. */
struct tunnel_peer {
	uint32_t slot; /* in the table of states */
	uint8_t ip[16];
};
enum { TUNNEL_PEER_KEY4 = 4 + 4, TUNNEL_PEER_KEY6 = 4 + 16 };

/* In a peer's state: when something last came from it. The kernel's tick is there so that its clock is read once in each. */
struct tunnel_heard {
	uint32_t s; /* of CLOCK_MONOTONIC, 0 = never */
	uint32_t tick;
};

/* In a peer's state: the way to it as the kernel last told, good for one tick of its clock (1 to 10 ms). Between two ticks
 * neither routes nor neighbours are looked up; with each, the kernel sees that the neighbour is in use. */
struct tunnel_way {
	uint8_t from[6], to[6]; /* Ethernet */
	uint32_t tick;
	uint32_t mtu; /* 0 = no way is known */
};

/* One family. */
struct tunnel_program {
	int device, underlay; /* indices; the underlay is an Ethernet */
	struct ip own;        /* the outer address */
	uint16_t port;
	int peers, states; /* descriptors of the maps */
	/* Offsets in a state: counters of packets and behind it of bytes (uint64_t each), and when the peer last proved
	 * to have these programs, too (uint32_t, ms of CLOCK_MONOTONIC, 0 = never). */
	uint16_t sent, received, taken;
	uint16_t way, heard; /* offsets of its struct tunnel_way, of its struct tunnel_heard */
	uint16_t
		wrapped; /* of the kernel's tick in which segments of it were last wrapped (uint32_t) */
	uint32_t keep_ms; /* for so long that proof counts */
	/* By these the third program knows what the second one wrapped, so nobody else may know them. Not set: nothing is wrapped. */
	struct mac wrap_from, wrap_to;
};
struct ip tunnel_wrap_address(void); /* where it is sent to: a link-local address of the device */

int tunnel_program_load(const struct tunnel_program *program, enum tunnel_hook hook, int *fd,
			struct error *err) must_check;

#endif
