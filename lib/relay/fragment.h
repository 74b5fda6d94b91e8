/* An IPv4 packet that may be fragmented, cut to what fits on the way (RFC 791). Payload stays where it is. */
#ifndef RELAY_FRAGMENT_H
#define RELAY_FRAGMENT_H

#include <sys/uio.h>

#include "relay/packet.h"

struct fragmenter {
	struct packet packet;
	size_t step, done; /* bytes of payload */
};

/* false: it must not be, has options, or that little makes no sense. */
bool fragmenter_start(struct fragmenter *fragmenter, const struct packet *packet, size_t mtu);
/* The next fragment, its header written to `header`: its size; 0 = there is none any more. */
size_t fragmenter_next(struct fragmenter *fragmenter, uint8_t header[IPV4_HEADER],
		       struct iovec pieces[2]);

#endif
