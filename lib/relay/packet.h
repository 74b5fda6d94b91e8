/*
 * One IP packet in a buffer, whoever wrote it: nothing is taken for granted but what packet_parse() has checked. Pure, as
 * everything beside it but the workers.
 */
#ifndef RELAY_PACKET_H
#define RELAY_PACKET_H

#include "base/ip.h"
#include "kernel/tun.h"

enum {
	IP_PROTOCOL_ICMP = 1,
	IP_PROTOCOL_TCP = 6,
	IP_PROTOCOL_UDP = 17,
	IP_PROTOCOL_ICMP6 = 58,
	IPV4_HEADER = 20, /* without options */
	IPV6_HEADER = 40,
	TCP_HEADER = 20,
	UDP_HEADER = 8,
	PACKET_MAX = 65535, /* of IPv4; the payload of IPv6 */
};

struct packet {
	uint8_t *data;
	size_t size; /* as the packet says, not more than the buffer had */
	bool v6;
	bool fragment;          /* of a larger one, be it the first */
	uint8_t protocol;       /* IPv6: of the first header behind the fixed one */
	uint8_t header;         /* bytes of the IP header; IPv6: of the fixed one */
	const uint8_t *source;  /* 4 or 16 bytes */
	const uint8_t *address; /* of the destination */
};

/* false: it is none, or says more than there is. What is behind its end is left out. */
bool packet_parse(void *data, size_t size, struct packet *packet);
/* One hop further: TTL or hop limit less one. false: it would be 0; nothing is changed. */
bool packet_hop(struct packet *packet);
/* Complete a checksum that was left out (TUN_NEEDS_CSUM). false: the header says nonsense. */
bool packet_complete(struct packet *packet, const struct tun_header *header);
/* Of IPv4: may it not be fragmented? IPv6: always. */
bool packet_whole(const struct packet *packet);
/* Sum of the pseudo header, without checksum and inversion. size: of the transport header and what is behind. */
uint64_t packet_pseudo(const struct packet *packet, uint8_t protocol, size_t size);
/* Length and header checksum as they must be for this size (header included). */
void packet_set_size(struct packet *packet, size_t size);

static inline uint16_t load16(const void *data)
{
	const uint8_t *bytes = data;

	return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static inline void store16(void *data, uint16_t value)
{
	uint8_t *bytes = data;

	bytes[0] = (uint8_t)(value >> 8);
	bytes[1] = (uint8_t)value;
}

static inline uint32_t load32(const void *data)
{
	return (uint32_t)load16(data) << 16 | load16((const uint8_t *)data + 2);
}

static inline void store32(void *data, uint32_t value)
{
	store16(data, (uint16_t)(value >> 16));
	store16((uint8_t *)data + 2, (uint16_t)value);
}

/* A checksum as it stands in memory. */
static inline void store_checksum(void *data, uint16_t folded)
{
	memcpy(data, &folded, sizeof(folded));
}

#endif
