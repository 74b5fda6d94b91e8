/* The messages, and when there is to be none. */
#include "relay/icmp.h"

#include "relay/checksum.h"

enum {
	HEADER = 8,
	QUOTED_MAX = 576 - IPV4_HEADER - HEADER, /* RFC 1812 */
	ECHO_REPLY = 0,
	ECHO = 8,
	TIMESTAMP = 13, /* ... 18 are questions and answers, too */
};

static bool is_icmp_error(const struct packet *packet)
{
	const uint8_t *type = packet->data + packet->header;

	if (packet->size <= packet->header)
		return false;
	if (packet->v6)
		return packet->protocol == IP_PROTOCOL_ICMP6 && *type < 128;
	return packet->protocol == IP_PROTOCOL_ICMP && *type != ECHO_REPLY && *type != ECHO &&
	       *type < TIMESTAMP;
}

static bool is_one_host(const struct packet *packet, const uint8_t *address)
{
	static const uint8_t zero[16];

	if (memcmp(address, zero, packet->v6 ? 16 : 4) == 0)
		return false;
	return packet->v6 ? address[0] != 0xff : address[0] < 224 && address[0] != 127;
}

static bool is_later_fragment(const struct packet *packet)
{
	if (!packet->v6)
		return (load16(packet->data + 6) & 0x1fff) != 0;
	return packet->fragment && packet->size >= IPV6_HEADER + 4 &&
	       (load16(packet->data + IPV6_HEADER + 2) & 0xfff8) != 0;
}

size_t icmp_error_make(const struct packet *about, enum icmp_error error, unsigned mtu,
		       uint8_t message[ICMP_ERROR_MAX])
{
	static const uint8_t kinds[][2] = { { 11, 0 }, { 3, 0 }, { 3, 4 } },
			     kinds6[][2] = { { 3, 0 }, { 1, 0 }, { 2, 0 } };
	size_t max = about->v6 ? ICMP_ERROR_MAX - HEADER : QUOTED_MAX;
	size_t quoted = about->size < max ? about->size : max;

	if (is_icmp_error(about) || is_later_fragment(about) ||
	    !is_one_host(about, about->source) || !is_one_host(about, about->address))
		return 0;
	memset(message, 0, HEADER);
	memcpy(message, about->v6 ? kinds6[error] : kinds[error], 2);
	if (error == ICMP_TOO_BIG)
		store32(message + 4, mtu);
	memcpy(message + HEADER, about->data, quoted);
	if (!about->v6)
		store_checksum(message + 2,
			       (uint16_t)~checksum_fold(checksum_add(0, message, HEADER + quoted)));
	return HEADER + quoted;
}
