/* IPv4 and UDP headers around a DHCP message, for packet sockets (RFC 791, 768). Pure. */
#ifndef DHCP_DATAGRAM_H
#define DHCP_DATAGRAM_H

#include "base/ip.h"

enum { DATAGRAM_HEAD = 28 };

/* From port 68 of `from` to port 67 of `to`; out holds DATAGRAM_HEAD + size bytes. Returns that size. */
size_t datagram_wrap(uint8_t *out, const struct ip *from, const struct ip *to, const void *payload,
		     size_t size);
/* The payload of a whole UDP datagram to port 68; NULL when it is none or a checksum is wrong. With whole = false the
 * UDP checksum is not looked at. */
const uint8_t *datagram_unwrap(const void *packet, size_t size, bool whole, size_t *payload_size);

#endif
