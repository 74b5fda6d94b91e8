/* ICMP and ICMPv6 errors about a packet that goes no further (RFC 792, 1812 section 4.3, 4443). */
#ifndef RELAY_ICMP_H
#define RELAY_ICMP_H

#include "relay/packet.h"

enum icmp_error {
	ICMP_TIME_EXCEEDED,
	ICMP_NO_ROUTE,
	ICMP_TOO_BIG, /* with the MTU that would fit */
};
enum { ICMP_ERROR_MAX = 1280 - IPV6_HEADER };

/* The message without its IP header, for the packet's source; its size, 0 = nobody is to be told (it is an error itself, a later
 * fragment, or from or to many). ICMPv6's checksum is left to the socket. */
size_t icmp_error_make(const struct packet *about, enum icmp_error error, unsigned mtu,
		       uint8_t message[ICMP_ERROR_MAX]);

#endif
