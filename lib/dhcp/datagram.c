/* Headers are read and written byte by byte: nothing is assumed about alignment. */
#include "dhcp/datagram.h"

#include <netinet/in.h>

#include "dhcp/message.h"

enum { IP_HEAD = 20, UDP_HEAD = 8, TTL = 64 };
enum { IP_AT_SIZE = 2, IP_AT_FRAGMENT = 6, IP_AT_TTL = 8, IP_AT_PROTOCOL = 9, IP_AT_SUM = 10 };
enum { IP_AT_FROM = 12, IP_AT_TO = 16, UDP_AT_TO = 2, UDP_AT_SIZE = 4, UDP_AT_SUM = 6 };
enum { MORE_OR_OFFSET = 0x3fff };

static uint16_t get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static void put16(uint8_t *at, size_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

/* Add words of 16 bits; an odd byte counts as the high half. */
static uint32_t sum(uint32_t start, const uint8_t *data, size_t size)
{
	for (; size >= 2; data += 2, size -= 2)
		start += get16(data);
	return size ? start + (uint32_t)(data[0] << 8) : start;
}

static uint16_t fold(uint32_t value)
{
	value = (value >> 16) + (value & 0xffff);
	value += value >> 16;
	return (uint16_t)value;
}

/* Over the pseudo header and the datagram, whatever is in its checksum. */
static uint16_t udp_sum(const uint8_t *ip, const uint8_t *udp, size_t size)
{
	uint32_t start = sum(IPPROTO_UDP + (uint32_t)size, ip + IP_AT_FROM, 8);

	return fold(sum(start, udp, size));
}

size_t datagram_wrap(uint8_t *out, const struct ip *from, const struct ip *to, const void *payload,
		     size_t size)
{
	uint8_t *udp = out + IP_HEAD;
	uint16_t checksum;

	memset(out, 0, DATAGRAM_HEAD);
	out[0] = 0x45; /* version 4, five words */
	put16(out + IP_AT_SIZE, DATAGRAM_HEAD + size);
	out[IP_AT_TTL] = TTL;
	out[IP_AT_PROTOCOL] = IPPROTO_UDP;
	memcpy(out + IP_AT_FROM, from->bytes, 4);
	memcpy(out + IP_AT_TO, to->bytes, 4);
	put16(out + IP_AT_SUM, (uint16_t)~fold(sum(0, out, IP_HEAD)));
	put16(udp, DHCP_CLIENT_PORT);
	put16(udp + UDP_AT_TO, DHCP_SERVER_PORT);
	put16(udp + UDP_AT_SIZE, UDP_HEAD + size);
	memcpy(udp + UDP_HEAD, payload, size);
	checksum = udp_sum(out, udp, UDP_HEAD + size);
	if (checksum != 0xffff) /* 0 would mean that there is none */
		checksum = (uint16_t)~checksum;
	put16(udp + UDP_AT_SUM, checksum);
	return DATAGRAM_HEAD + size;
}

/* The UDP part and its size; NULL when this is no whole IPv4 packet that carries UDP. */
static const uint8_t *unwrap_ip(const uint8_t *ip, size_t size, size_t *udp_size)
{
	size_t head, total;

	if (size < IP_HEAD || ip[0] >> 4 != 4)
		return NULL;
	head = (size_t)(ip[0] & 0x0f) * 4;
	total = get16(ip + IP_AT_SIZE);
	if (head < IP_HEAD || total < head + UDP_HEAD || total > size)
		return NULL;
	if (ip[IP_AT_PROTOCOL] != IPPROTO_UDP || (get16(ip + IP_AT_FRAGMENT) & MORE_OR_OFFSET) ||
	    fold(sum(0, ip, head)) != 0xffff)
		return NULL;
	*udp_size = total - head;
	return ip + head;
}

const uint8_t *datagram_unwrap(const void *packet, size_t size, bool whole, size_t *payload_size)
{
	size_t room, length;
	const uint8_t *udp = unwrap_ip(packet, size, &room);

	if (!udp || get16(udp + UDP_AT_TO) != DHCP_CLIENT_PORT)
		return NULL;
	length = get16(udp + UDP_AT_SIZE);
	if (length < UDP_HEAD || length > room)
		return NULL;
	if (whole && get16(udp + UDP_AT_SUM) && udp_sum(packet, udp, length) != 0xffff)
		return NULL;
	*payload_size = length - UDP_HEAD;
	return udp + UDP_HEAD;
}
