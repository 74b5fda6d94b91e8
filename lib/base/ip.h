/*
 * Addresses as values: IPv4 and IPv6 address, CIDR (an address with a prefix length; host bits are
 * kept), hardware address. Parsing is strict and canonical text comes out (RFC 5952; a v4-mapped IPv6
 * address is the IPv4 address, as in the reference's language).
 */
#ifndef BASE_IP_H
#define BASE_IP_H

#include "base/arena.h"

#define IP_TEXT_SIZE   46
#define CIDR_TEXT_SIZE 50
#define MAC_TEXT_SIZE  18

struct ip {
	uint8_t family; /* 0 = not set, AF_INET, AF_INET6 */
	uint8_t bytes[16];
};

struct cidr {
	struct ip ip;
	uint8_t prefix;
};

/* Ports first to last; one port is both. */
struct ports {
	uint16_t first, last;
};

typedef LIST(struct cidr) cidrs_t;

struct mac {
	bool set;
	uint8_t bytes[6];
};

bool ip_parse(const char *text, struct ip *ip);
struct ip ip_make(int family, const void *bytes);
const char *ip_format(const struct ip *ip,
		      char text[IP_TEXT_SIZE]);         /* returns text; "" when not set */
size_t ip_size(const struct ip *ip);                    /* bytes: 4, 16, or 0 when not set */
unsigned ip_bits(const struct ip *ip);                  /* 32, 128 or 0 */
int ip_compare(const struct ip *a, const struct ip *b); /* family first, then numeric order */
bool ip_equal(const struct ip *a, const struct ip *b);
struct ip ip_add(const struct ip *ip, int64_t delta); /* wraps around at the family's end */
/* b - a within one family, saturated to UINT64_MAX; 0 when b < a. */
uint64_t ip_distance(const struct ip *a, const struct ip *b);
/* The same in whole blocks of 2^bits addresses, that is of networks: bits = those of a host. */
uint64_t ip_blocks(const struct ip *a, const struct ip *b, unsigned bits);
bool ip_is_unspecified(const struct ip *ip);
bool ip_is_loopback(const struct ip *ip);
bool ip_is_multicast(const struct ip *ip);
bool ip_is_link_local(const struct ip *ip);
bool ip_is_global_unicast(
	const struct ip *ip); /* not unspecified, loopback, multicast, link-local */

bool cidr_parse(const char *text, struct cidr *cidr); /* "10.1.0.5/24"; the prefix is required */
const char *cidr_format(const struct cidr *cidr, char text[CIDR_TEXT_SIZE]);
struct cidr cidr_network(const struct cidr *cidr); /* host bits cleared */
struct ip cidr_last(const struct cidr *cidr);      /* all host bits set: broadcast for IPv4 */
bool cidr_contains(const struct cidr *cidr, const struct ip *ip);
bool cidr_is_part(const struct cidr *part, const struct cidr *whole);
bool cidr_overlaps(const struct cidr *a, const struct cidr *b);
bool cidr_equal(const struct cidr *a, const struct cidr *b);
struct cidr cidr_host(const struct ip *ip); /* the address as /32 or /128 */

bool mac_parse(const char *text, struct mac *mac); /* aa:bb:cc:dd:ee:ff, also with '-' */
const char *mac_format(const struct mac *mac,
		       char text[MAC_TEXT_SIZE]); /* lower case; "" when not set */
bool mac_equal(const struct mac *a, const struct mac *b);
struct mac mac_random(void); /* locally administered unicast */

#endif
