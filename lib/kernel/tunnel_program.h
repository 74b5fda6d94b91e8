/*
 * The tunnel of tunnel.h inside the kernel: programs for the hooks of its two links, which carry the packets that
 * need nothing special, segments together, and pass on everything else untouched: what leaves the device goes to who reads
 * the device, what enters the underlay to who reads the socket.
 *
 * Out: to a known peer, TTL not at its end, no options, fits on the way. In: from a known peer's address, its source
 * in that peer's subnet, UDP without a checksum, which is how the other program sends: one of a process may have been
 * put together by a device, or wait for its checksum, which cannot be seen here. Where nobody reads the socket, what is
 * otherwise left to its reader is carried as well as it goes.
 */
#ifndef KERNEL_TUNNEL_PROGRAM_H
#define KERNEL_TUNNEL_PROGRAM_H

#include "base/error.h"
#include "base/ip.h"

#define TUNNEL_PROGRAM_PREFIX "cnibox_relay" /* of their names at the hooks (hook.h) */

/* In the map of peers, by subnet. */
struct tunnel_peer {
	uint32_t slot; /* in the table of states */
	uint8_t ip[16];
};
enum { TUNNEL_PEER_KEY4 = 4 + 4, TUNNEL_PEER_KEY6 = 4 + 16 };

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
	uint16_t way;     /* offset of its struct tunnel_way */
	uint32_t keep_ms; /* for so long that proof counts */
};

int tunnel_program_load(const struct tunnel_program *program, bool egress, int *fd,
			struct error *err) must_check;

#endif
