/* A packet of many segments, as the kernel hands it over, cut into IP packets of the wire: headers are made anew, payload stays
 * where it is. */
#ifndef RELAY_SEGMENT_H
#define RELAY_SEGMENT_H

#include <sys/uio.h>

#include "relay/packet.h"

enum { SEGMENT_HEADER_MAX = 160 }; /* IP with options or extensions, and TCP with options */

struct segmenter {
	struct packet packet;
	size_t transport, header; /* where TCP or UDP begins, where the payload does */
	size_t segment;           /* bytes of payload in each but the last */
	size_t done;
	unsigned n;
	bool udp;
};

/* What the headers say must fit together, and to the packet: else false. */
bool segmenter_start(struct segmenter *segmenter, const struct packet *packet,
		     const struct tun_header *header);
/* The next segment: its headers are written to `header` (SEGMENT_HEADER_MAX), and its two pieces named. Its size; 0 = there is
 * none any more. */
size_t segmenter_next(struct segmenter *segmenter, uint8_t *header, struct iovec pieces[2]);

#endif
