/* The headers of a packet, as far as they are there: see nflog.h. Nothing of a packet is trusted. */
#include "kernel/nflog.h"

#include <netinet/in.h>
#include <sys/socket.h>

#define EXTENSIONS_MAX 8
#define SIZE_V4        20
#define SIZE_V6        40

struct rest {
	const uint8_t *data;
	size_t size;
};

static uint16_t number(const uint8_t *data)
{
	return (uint16_t)(data[0] << 8 | data[1]);
}

/* False: there is less. */
static bool skip(struct rest *rest, size_t size)
{
	if (size > rest->size)
		return false;
	rest->data += size;
	rest->size -= size;
	return true;
}

static bool nothing_left(struct rest *rest)
{
	rest->size = 0;
	return false;
}

static bool has_ports(uint8_t protocol)
{
	return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_UDPLITE ||
	       protocol == IPPROTO_SCTP || protocol == IPPROTO_DCCP;
}

static void parse_protocol(const struct rest *rest, struct nflog_packet *packet)
{
	bool icmp = packet->protocol == IPPROTO_ICMP || packet->protocol == IPPROTO_ICMPV6;

	if (has_ports(packet->protocol) && rest->size >= 4) {
		packet->from_port = number(rest->data);
		packet->port = number(rest->data + 2);
		packet->whole = true;
	} else if (icmp && rest->size >= 1) {
		packet->port = rest->data[0];
		packet->whole = true;
	}
}

/* RFC 791. Of a fragment, only the first has the protocol's header. */
static bool parse_v4(struct rest *rest, struct nflog_packet *packet)
{
	const uint8_t *header = rest->data;
	size_t size;

	if (rest->size < SIZE_V4)
		return false;
	size = (size_t)(header[0] & 0xf) * 4;
	packet->protocol = header[9];
	packet->from = ip_make(AF_INET, header + 12);
	packet->to = ip_make(AF_INET, header + 16);
	if (size >= SIZE_V4 && !(number(header + 6) & 0x1fff) && skip(rest, size))
		parse_protocol(rest, packet);
	return size >= SIZE_V4;
}

/* One extension header (RFC 8200 section 4); false: it is none, or the last that can be read. */
static bool skip_extension(struct rest *rest, struct nflog_packet *packet)
{
	uint8_t kind = packet->protocol;
	const uint8_t *header = rest->data;
	size_t size = 8;

	if (kind != IPPROTO_HOPOPTS && kind != IPPROTO_ROUTING && kind != IPPROTO_DSTOPTS &&
	    kind != IPPROTO_FRAGMENT && kind != IPPROTO_AH)
		return false;
	if (rest->size < 8)
		return nothing_left(rest);
	packet->protocol = header[0];
	if (kind == IPPROTO_AH)
		size = ((size_t)header[1] + 2) * 4;
	else if (kind != IPPROTO_FRAGMENT)
		size = ((size_t)header[1] + 1) * 8;
	if (kind == IPPROTO_FRAGMENT && number(header + 2) & ~7)
		return nothing_left(rest); /* not the first: it is data */
	return skip(rest, size) || nothing_left(rest);
}

static bool parse_v6(struct rest *rest, struct nflog_packet *packet)
{
	const uint8_t *header = rest->data;

	if (!skip(rest, SIZE_V6))
		return false;
	packet->protocol = header[6];
	packet->from = ip_make(AF_INET6, header + 8);
	packet->to = ip_make(AF_INET6, header + 24);
	for (unsigned i = 0; i < EXTENSIONS_MAX && skip_extension(rest, packet); i++)
		;
	parse_protocol(rest, packet);
	return true;
}

bool nflog_parse(const void *data, size_t size, struct nflog_packet *packet)
{
	struct rest rest = { data, size };

	if (!size)
		return false;
	switch (rest.data[0] >> 4) {
	case 4: return parse_v4(&rest, packet);
	case 6: return parse_v6(&rest, packet);
	default: return false;
	}
}
