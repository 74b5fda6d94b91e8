/*
 * Received packets put together again: consecutive segments of one TCP flow, or equal datagrams of one UDP flow, become one
 * packet of many segments for the kernel, as its own receive offload would have it. Only what is alike in every header field that
 * counts, and has right checksums, is merged; everything else passes unchanged, in its flow's order.
 */
#ifndef RELAY_MERGE_H
#define RELAY_MERGE_H

#include <sys/uio.h>

#include "relay/packet.h"

enum { MERGE_FLOWS = 16, MERGE_SEGMENTS = 64 };

/* One write of a TUN queue: a tun_header first. n_packets: how many of the wire's are in it. */
typedef void merge_write_fn(void *arg, struct iovec *pieces, size_t n, unsigned n_packets);

struct merge_flow {
	unsigned n; /* packets in it; 0 = free */
	struct packet packet;
	size_t transport, header, segment, size; /* as in a segmenter; size: of all together */
	uint32_t next;                           /* sequence number */
	uint8_t flags;                           /* of TCP, those of the last */
	struct tun_header tun;
	struct iovec pieces[2 + MERGE_SEGMENTS];
};

struct merge {
	merge_write_fn *write;
	void *arg;
	bool udp; /* the kernel takes UDP datagrams so */
	struct merge_flow flows[MERGE_FLOWS];
};

/* The packet's buffer is borrowed, and changed, until merge_flush(). */
void merge_add(struct merge *merge, const struct packet *packet);
void merge_flush(struct merge *merge);

#endif
