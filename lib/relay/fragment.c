/* Fragmentation; see fragment.h. */
#include "relay/fragment.h"

enum { MORE = 0x2000, OFFSET = 0x1fff, LEAST = IPV4_HEADER + 8 };

bool fragmenter_start(struct fragmenter *fragmenter, const struct packet *packet, size_t mtu)
{
	if (packet_whole(packet) || packet->header != IPV4_HEADER || mtu < LEAST)
		return false;
	*fragmenter = (struct fragmenter){
		.packet = *packet,
		.step = (mtu - IPV4_HEADER) & ~(size_t)7,
	};
	return true;
}

size_t fragmenter_next(struct fragmenter *f, uint8_t header[IPV4_HEADER], struct iovec pieces[2])
{
	size_t left = f->packet.size - IPV4_HEADER - f->done;
	bool last = left <= f->step;
	size_t payload = last ? left : f->step;
	unsigned was = load16(f->packet.data + 6);
	struct packet fragment = f->packet;

	if (!left)
		return 0;
	memcpy(header, f->packet.data, IPV4_HEADER);
	store16(header + 6,
		(uint16_t)(((was & OFFSET) + f->done / 8) | (last ? was & MORE : MORE)));
	fragment.data = header;
	packet_set_size(&fragment, IPV4_HEADER + payload);
	pieces[0] = (struct iovec){ header, IPV4_HEADER };
	pieces[1] = (struct iovec){ f->packet.data + IPV4_HEADER + f->done, payload };
	f->done += payload;
	return IPV4_HEADER + payload;
}
