/* Headers of IPv4 and IPv6, read and changed in place. */
#include "relay/packet.h"

#include "relay/checksum.h"

enum { IPV6_FRAGMENT = 44 };

static bool parse_v4(uint8_t *data, size_t size, struct packet *packet)
{
	size_t header = (size_t)(data[0] & 0x0fu) * 4, total;

	if (size < IPV4_HEADER)
		return false;
	total = load16(data + 2);
	if (header < IPV4_HEADER || total < header || total > size)
		return false;
	*packet = (struct packet){
		.data = data,
		.size = total,
		.fragment = (load16(data + 6) & 0x3fff) != 0,
		.protocol = data[9],
		.header = (uint8_t)header,
		.source = data + 12,
		.address = data + 16,
	};
	return true;
}

static bool parse_v6(uint8_t *data, size_t size, struct packet *packet)
{
	size_t total;

	if (size < IPV6_HEADER)
		return false;
	total = (size_t)load16(data + 4) + IPV6_HEADER;
	if (total > size)
		return false;
	*packet = (struct packet){
		.data = data,
		.size = total,
		.v6 = true,
		.fragment = data[6] == IPV6_FRAGMENT,
		.protocol = data[6],
		.header = IPV6_HEADER,
		.source = data + 8,
		.address = data + 24,
	};
	return true;
}

bool packet_parse(void *data_, size_t size, struct packet *packet)
{
	uint8_t *data = data_;

	if (size < 1)
		return false;
	if (data[0] >> 4 == 4)
		return parse_v4(data, size, packet);
	return data[0] >> 4 == 6 && parse_v6(data, size, packet);
}

/* RFC 1624: the word with the TTL gets less by 0x0100, so the checksum more. */
bool packet_hop(struct packet *packet)
{
	uint8_t *ttl = packet->data + (packet->v6 ? 7 : 8);
	uint32_t sum;

	if (*ttl <= 1)
		return false;
	--*ttl;
	if (packet->v6)
		return true;
	sum = load16(packet->data + 10) + 0x0100u;
	store16(packet->data + 10, (uint16_t)(sum + (sum >= 0xffff)));
	return true;
}

bool packet_complete(struct packet *packet, const struct tun_header *header)
{
	size_t start = header->csum_start, at = start + header->csum_offset;
	uint16_t folded;

	if (!(header->flags & TUN_NEEDS_CSUM))
		return true;
	if (start < packet->header || at + 2 > packet->size)
		return false;
	/* The sum of the pseudo header is there already. */
	folded =
		0xffff ^ checksum_fold(checksum_add(0, packet->data + start, packet->size - start));
	store_checksum(packet->data + at, folded ? folded : 0xffff);
	return true;
}

bool packet_whole(const struct packet *packet)
{
	return packet->v6 || packet->data[6] & 0x40;
}

uint64_t packet_pseudo(const struct packet *packet, uint8_t protocol, size_t size)
{
	uint64_t sum = checksum_add(0, packet->source, packet->v6 ? 32 : 8);

	return sum + checksum_word(protocol) + checksum_word((uint16_t)size);
}

void packet_set_size(struct packet *packet, size_t size)
{
	packet->size = size;
	if (packet->v6) {
		store16(packet->data + 4, (uint16_t)(size - IPV6_HEADER));
		return;
	}
	store16(packet->data + 2, (uint16_t)size);
	store16(packet->data + 10, 0);
	store_checksum(packet->data + 10,
		       (uint16_t)~checksum_fold(checksum_add(0, packet->data, packet->header)));
}
