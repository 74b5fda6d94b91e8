/*
 * DHCP messages (RFC 2131) to and from bytes. Pure. What comes from the network is untrusted: every length is checked,
 * and what does not add up is refused as a whole.
 */
#ifndef DHCP_MESSAGE_H
#define DHCP_MESSAGE_H

#include "base/error.h"
#include "base/ip.h"
#include "dhcp/option.h"

enum { DHCP_OP_REQUEST = 1, DHCP_OP_REPLY = 2 };
enum dhcp_type {
	DHCP_DISCOVER = 1,
	DHCP_OFFER,
	DHCP_REQUEST,
	DHCP_DECLINE,
	DHCP_ACK,
	DHCP_NAK,
	DHCP_RELEASE,
	DHCP_INFORM,
};

enum {
	DHCP_MESSAGE_MAX = 2048, /* bytes that are read at most */
	DHCP_SEND_MAX = 1472,    /* bytes of ours: an Ethernet frame without IP and UDP header */
	DHCP_SERVER_PORT = 67,
	DHCP_CLIENT_PORT = 68,
};

/* A message that was read. Options that come in several pieces are one (RFC 3396), those moved into the fields of the
 * server's name and boot file included (option 52). */
struct dhcp_message {
	uint8_t op;
	enum dhcp_type type;
	uint32_t xid;
	struct ip ciaddr, yiaddr, siaddr, giaddr;
	struct mac chaddr; /* set when it is an Ethernet address */
	struct {
		uint16_t start, size;
		bool present;
	} options[256];
	uint8_t values[DHCP_MESSAGE_MAX];
};

int dhcp_decode(const void *bytes, size_t size, struct dhcp_message *message,
		struct error *err) must_check;
/* The value of an option, NULL = not there. */
const uint8_t *dhcp_value(const struct dhcp_message *message, int code, size_t *size);
/* Options of one form; false when absent or of another size. */
bool dhcp_value_u32(const struct dhcp_message *message, int code, uint32_t *value);
bool dhcp_value_ip(const struct dhcp_message *message, int code, struct ip *ip); /* the first */

/* A message of ours: its fixed part, then its options one by one, then the end. */
struct dhcp_writer {
	uint8_t data[DHCP_SEND_MAX];
	size_t size;
	bool overrun;
};
struct dhcp_head {
	enum dhcp_type type;
	uint32_t xid;
	uint16_t secs;
	bool broadcast; /* ask for replies to all */
	struct ip ciaddr;
	struct mac chaddr;
};
void dhcp_write_head(struct dhcp_writer *writer, const struct dhcp_head *head);
/* In pieces when it is longer than 255 bytes. */
void dhcp_write(struct dhcp_writer *writer, int code, const void *value, size_t size);
void dhcp_write_ip(struct dhcp_writer *writer, int code, const struct ip *ip);
/* -EMSGSIZE when the options did not fit. */
int dhcp_write_end(struct dhcp_writer *writer, struct error *err) must_check;

#endif
