/*
 * The codec. Options are read in two passes over the same walk: sizes first, then values joined by code, so that
 * pieces of one option lie behind each other wherever they were in the message.
 */
#include "dhcp/message.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sys/socket.h>

/* Offsets of the fixed part (RFC 2131, section 2). */
enum {
	AT_OP = 0,
	AT_HTYPE = 1,
	AT_HLEN = 2,
	AT_XID = 4,
	AT_SECS = 8,
	AT_FLAGS = 10,
	AT_CIADDR = 12,
	AT_YIADDR = 16,
	AT_SIADDR = 20,
	AT_GIADDR = 24,
	AT_CHADDR = 28,
	AT_SNAME = 44,
	AT_FILE = 108,
	AT_COOKIE = 236,
	AT_OPTIONS = 240,
};
enum { SEND_MIN = 300, ETHERNET = 1, OVERLOAD_FILE = 1, OVERLOAD_SNAME = 2 };

static const uint8_t cookie[4] = { 99, 130, 83, 99 };

/* ---- reading ---- */

struct region {
	const uint8_t *data;
	size_t size;
};

typedef void option_fn(struct dhcp_message *message, int code, const uint8_t *value, size_t size);

/* False when an option runs over the region's end. A missing end mark is forgiven. */
static bool region_walk(const struct region *region, struct dhcp_message *message, option_fn *fn)
{
	const uint8_t *at = region->data, *end = region->data + region->size;

	while (at < end && *at != DHCP_END) {
		if (*at == DHCP_PAD) {
			at++;
			continue;
		}
		if (end - at < 2 || end - at - 2 < at[1])
			return false;
		fn(message, at[0], at + 2, at[1]);
		at += 2 + at[1];
	}
	return true;
}

static void count(struct dhcp_message *message, int code, const uint8_t *value unused, size_t size)
{
	message->options[code].present = true;
	message->options[code].size += (uint16_t)size;
}

/* The first byte behind what is there of this code by now: size counts up again. */
static void join(struct dhcp_message *message, int code, const uint8_t *value, size_t size)
{
	uint16_t *have = &message->options[code].size;

	memcpy(message->values + message->options[code].start + *have, value, size);
	*have += (uint16_t)size;
}

/* Where each value will begin: as many bytes as the pieces have, which the message itself bounds. */
static void place(struct dhcp_message *message)
{
	uint16_t start = 0;

	for (size_t code = 0; code < ARRAY_SIZE(message->options); code++) {
		message->options[code].start = start;
		start += message->options[code].size;
		message->options[code].size = 0;
	}
}

/* Order is that of RFC 3396: options, file, sname. Returns how many regions there are, 0 = broken. */
static size_t find_regions(const uint8_t *data, size_t size, struct dhcp_message *message,
			   struct region regions[3])
{
	size_t n = 1, overload_size;
	const uint8_t *overload;

	regions[0] = (struct region){ data + AT_OPTIONS, size - AT_OPTIONS };
	if (!region_walk(&regions[0], message, count))
		return 0;
	place(message);
	region_walk(&regions[0], message, join);
	overload = dhcp_value(message, DHCP_OVERLOAD, &overload_size);
	if (overload && overload_size == 1 && (*overload & OVERLOAD_FILE))
		regions[n++] = (struct region){ data + AT_FILE, AT_COOKIE - AT_FILE };
	if (overload && overload_size == 1 && (*overload & OVERLOAD_SNAME))
		regions[n++] = (struct region){ data + AT_SNAME, AT_FILE - AT_SNAME };
	return n;
}

static bool read_options(const uint8_t *data, size_t size, struct dhcp_message *message)
{
	struct region regions[3];
	size_t n = find_regions(data, size, message, regions);

	if (n > 1) {
		memset(message->options, 0, sizeof(message->options));
		for (size_t i = 0; i < n; i++)
			if (!region_walk(&regions[i], message, count))
				return false;
		place(message);
		for (size_t i = 0; i < n; i++)
			region_walk(&regions[i], message, join);
	}
	return n > 0;
}

int dhcp_decode(const void *bytes, size_t size, struct dhcp_message *message, struct error *err)
{
	const uint8_t *data = bytes, *type;
	size_t type_size;

	*message = (struct dhcp_message){ 0 };
	if (size < AT_OPTIONS || size > DHCP_MESSAGE_MAX)
		return fail(err, EBADMSG, "DHCP message of %zu bytes", size);
	if (memcmp(data + AT_COOKIE, cookie, sizeof(cookie)) != 0)
		return fail(err, EBADMSG, "not a DHCP message: no magic cookie");
	message->op = data[AT_OP];
	memcpy(&message->xid, data + AT_XID, sizeof(message->xid));
	message->xid = ntohl(message->xid);
	message->ciaddr = ip_make(AF_INET, data + AT_CIADDR);
	message->yiaddr = ip_make(AF_INET, data + AT_YIADDR);
	message->siaddr = ip_make(AF_INET, data + AT_SIADDR);
	message->giaddr = ip_make(AF_INET, data + AT_GIADDR);
	message->chaddr.set = data[AT_HTYPE] == ETHERNET && data[AT_HLEN] == 6;
	if (message->chaddr.set)
		memcpy(message->chaddr.bytes, data + AT_CHADDR, sizeof(message->chaddr.bytes));
	if (!read_options(data, size, message))
		return fail(err, EBADMSG, "DHCP message with an option that runs over its end");
	type = dhcp_value(message, DHCP_MESSAGE_TYPE, &type_size);
	if (!type || type_size != 1 || *type < DHCP_DISCOVER || *type > DHCP_INFORM)
		return fail(err, EBADMSG, "not a DHCP message: no message type");
	message->type = (enum dhcp_type) * type;
	return 0;
}

const uint8_t *dhcp_value(const struct dhcp_message *message, int code, size_t *size)
{
	*size = message->options[code].size;
	return message->options[code].present ? message->values + message->options[code].start
					      : NULL;
}

bool dhcp_value_u32(const struct dhcp_message *message, int code, uint32_t *value)
{
	size_t size;
	const uint8_t *data = dhcp_value(message, code, &size);

	if (!data || size != sizeof(*value))
		return false;
	memcpy(value, data, sizeof(*value));
	*value = ntohl(*value);
	return true;
}

bool dhcp_value_ip(const struct dhcp_message *message, int code, struct ip *ip)
{
	size_t size;
	const uint8_t *data = dhcp_value(message, code, &size);

	if (!data || size < 4 || size % 4)
		return false;
	*ip = ip_make(AF_INET, data);
	return true;
}

/* ---- writing ---- */

static void put_u16(uint8_t *at, uint16_t value)
{
	value = htons(value);
	memcpy(at, &value, sizeof(value));
}

void dhcp_write_head(struct dhcp_writer *writer, const struct dhcp_head *head)
{
	uint32_t xid = htonl(head->xid);
	uint8_t type = (uint8_t)head->type;

	*writer = (struct dhcp_writer){ .size = AT_OPTIONS };
	writer->data[AT_OP] = DHCP_OP_REQUEST;
	writer->data[AT_HTYPE] = ETHERNET;
	writer->data[AT_HLEN] = 6;
	memcpy(writer->data + AT_XID, &xid, sizeof(xid));
	put_u16(writer->data + AT_SECS, head->secs);
	put_u16(writer->data + AT_FLAGS, head->broadcast ? 0x8000 : 0);
	if (head->ciaddr.family == AF_INET)
		memcpy(writer->data + AT_CIADDR, head->ciaddr.bytes, 4);
	memcpy(writer->data + AT_CHADDR, head->chaddr.bytes, sizeof(head->chaddr.bytes));
	memcpy(writer->data + AT_COOKIE, cookie, sizeof(cookie));
	dhcp_write(writer, DHCP_MESSAGE_TYPE, &type, 1);
}

/* One byte is kept for the end mark. */
void dhcp_write(struct dhcp_writer *writer, int code, const void *value, size_t size)
{
	const uint8_t *at = value ? value : (const void *)""; /* there need not be one */

	do {
		size_t piece = size < DHCP_VALUE_MAX ? size : DHCP_VALUE_MAX;

		if (writer->size + 2 + piece + 1 > sizeof(writer->data)) {
			writer->overrun = true;
			return;
		}
		writer->data[writer->size++] = (uint8_t)code;
		writer->data[writer->size++] = (uint8_t)piece;
		memcpy(writer->data + writer->size, at, piece);
		writer->size += piece;
		at += piece;
		size -= piece;
	} while (size > 0);
}

void dhcp_write_ip(struct dhcp_writer *writer, int code, const struct ip *ip)
{
	dhcp_write(writer, code, ip->bytes, 4);
}

/* Padded to the size of a BOOTP message, below which some servers and relays do not answer. */
int dhcp_write_end(struct dhcp_writer *writer, struct error *err)
{
	if (writer->overrun)
		return fail_code(err, CNI_INVALID_CONFIG, EMSGSIZE,
				 "the options to provide do not fit into one DHCP message");
	writer->data[writer->size++] = DHCP_END;
	if (writer->size < SEND_MIN)
		writer->size = SEND_MIN;
	return 0;
}
