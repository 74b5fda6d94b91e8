/* Segmentation of TCP and UDP (as the kernel's own would do it), with complete checksums. */
#include "relay/segment.h"

#include "relay/checksum.h"

enum { TCP_FIN_PSH = 0x09, TCP_CWR = 0x80 };

static bool is_right_kind(const struct packet *packet, unsigned gso)
{
	if (gso == TUN_GSO_UDP)
		return true;
	return gso == (packet->v6 ? TUN_GSO_TCP6 : TUN_GSO_TCP4);
}

bool segmenter_start(struct segmenter *segmenter, const struct packet *packet,
		     const struct tun_header *header)
{
	unsigned gso = header->gso & ~(unsigned)TUN_GSO_ECN;
	size_t transport = header->csum_start, size;
	bool udp = gso == TUN_GSO_UDP;

	if (!is_right_kind(packet, gso) || !(header->flags & TUN_NEEDS_CSUM) || !header->gso_size ||
	    transport < packet->header ||
	    transport + (udp ? UDP_HEADER : TCP_HEADER) > packet->size)
		return false;
	size = udp ? UDP_HEADER : (packet->data[transport + 12] >> 4) * 4u;
	if (size < UDP_HEADER || (!udp && size < TCP_HEADER) || transport + size > packet->size ||
	    transport + size > SEGMENT_HEADER_MAX)
		return false;
	*segmenter = (struct segmenter){
		.packet = *packet,
		.transport = transport,
		.header = transport + size,
		.segment = header->gso_size,
		.udp = udp,
	};
	return true;
}

static void fill_ip(const struct segmenter *s, uint8_t *header, size_t size)
{
	struct packet packet = s->packet;

	packet.data = header;
	if (!packet.v6)
		store16(header + 4, (uint16_t)(load16(s->packet.data + 4) + s->n));
	packet_set_size(&packet, size);
}

static void fill_tcp(const struct segmenter *s, uint8_t *tcp, bool last)
{
	store32(tcp + 4, load32(tcp + 4) + (uint32_t)s->done);
	if (!last)
		tcp[13] &= (uint8_t)~TCP_FIN_PSH;
	if (s->n)
		tcp[13] &= (uint8_t)~TCP_CWR;
}

static void fill_checksum(const struct segmenter *s, uint8_t *header, const struct iovec *payload)
{
	size_t at = s->transport + (s->udp ? 6 : 16), size = s->header - s->transport;
	uint64_t sum = packet_pseudo(&s->packet, s->udp ? IP_PROTOCOL_UDP : IP_PROTOCOL_TCP,
				     size + payload->iov_len);
	uint16_t folded;

	store16(header + at, 0);
	sum = checksum_add(sum, header + s->transport, size);
	folded = 0xffff ^ checksum_fold(checksum_add(sum, payload->iov_base, payload->iov_len));
	store_checksum(header + at, s->udp && !folded ? 0xffff : folded);
}

size_t segmenter_next(struct segmenter *s, uint8_t *header, struct iovec pieces[2])
{
	size_t left = s->packet.size - s->header - s->done;
	size_t payload = left < s->segment ? left : s->segment, size = s->header + payload;

	if (!left && s->n)
		return 0;
	pieces[0] = (struct iovec){ header, s->header };
	pieces[1] = (struct iovec){ s->packet.data + s->header + s->done, payload };
	memcpy(header, s->packet.data, s->header);
	fill_ip(s, header, size);
	if (s->udp)
		store16(header + s->transport + 4, (uint16_t)(UDP_HEADER + payload));
	else
		fill_tcp(s, header + s->transport, payload == left);
	fill_checksum(s, header, &pieces[1]);
	s->done += payload;
	s->n++;
	return size;
}
