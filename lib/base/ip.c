/*
 * Addresses as values. Arithmetic is on the bytes, so that both families share it. Text goes in through inet_pton(),
 * which is as strict as needed, and comes out by hand: inet_ntop() writes ::/96 addresses with dots, which is
 * not RFC 5952 and would give lease files names other than the reference's.
 */
#include "base/ip.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <sys/random.h>

size_t ip_size(const struct ip *ip)
{
	return ip->family == AF_INET ? 4 : ip->family == AF_INET6 ? 16 : 0;
}

unsigned ip_bits(const struct ip *ip)
{
	return 8 * (unsigned)ip_size(ip);
}

struct ip ip_make(int family, const void *bytes)
{
	struct ip ip = { .family = (uint8_t)family };

	memcpy(ip.bytes, bytes, ip_size(&ip));
	return ip;
}

static bool is_mapped(const struct ip *ip)
{
	static const uint8_t prefix[12] = { [10] = 0xff, 0xff };

	return ip->family == AF_INET6 && memcmp(ip->bytes, prefix, sizeof(prefix)) == 0;
}

/* The address as written: an IPv6 text stays of that family. */
static bool parse_raw(const char *text, struct ip *ip)
{
	struct ip parsed = { .family = strchr(text, ':') ? AF_INET6 : AF_INET };

	if (inet_pton(parsed.family, text, parsed.bytes) != 1)
		return false;
	*ip = parsed;
	return true;
}

bool ip_parse(const char *text, struct ip *ip)
{
	if (!parse_raw(text, ip))
		return false;
	if (is_mapped(ip))
		*ip = ip_make(AF_INET, ip->bytes + 12);
	return true;
}

/* The longest run of zero groups, at least two, the first of equals (RFC 5952, section 4.2). */
static void longest_run(const uint16_t groups[8], int *start, int *len)
{
	int run = 0;

	*start = -1;
	*len = 1;
	for (int i = 0; i < 8; i++) {
		run = groups[i] ? 0 : run + 1;
		if (run > *len) {
			*len = run;
			*start = i - run + 1;
		}
	}
}

static void format6(const struct ip *ip, char *out)
{
	uint16_t groups[8];
	int start, len;

	for (size_t i = 0; i < 8; i++)
		groups[i] = (uint16_t)(ip->bytes[2 * i] << 8 | ip->bytes[2 * i + 1]);
	longest_run(groups, &start, &len);
	for (int i = 0; i < 8; i++) {
		if (i == start) {
			out += sprintf(out, "::");
			i += len - 1;
			continue;
		}
		out += sprintf(out, i && i != start + len ? ":%x" : "%x", groups[i]);
	}
}

const char *ip_format(const struct ip *ip, char text[IP_TEXT_SIZE])
{
	const uint8_t *b = ip->bytes + (is_mapped(ip) ? 12 : 0);

	text[0] = '\0';
	if (is_mapped(ip))
		sprintf(text, "::ffff:%u.%u.%u.%u", b[0], b[1], b[2],
			b[3]); /* RFC 5952, section 5 */
	else if (ip->family == AF_INET)
		sprintf(text, "%u.%u.%u.%u", b[0], b[1], b[2], b[3]);
	else if (ip->family == AF_INET6)
		format6(ip, text);
	return text;
}

int ip_compare(const struct ip *a, const struct ip *b)
{
	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	return memcmp(a->bytes, b->bytes, ip_size(a));
}

bool ip_equal(const struct ip *a, const struct ip *b)
{
	return ip_compare(a, b) == 0;
}

struct ip ip_add(const struct ip *ip, int64_t delta)
{
	uint64_t magnitude = delta < 0 ? 0 - (uint64_t)delta : (uint64_t)delta;
	struct ip sum = *ip;
	int carry = 0;

	for (size_t i = ip_size(ip); i-- > 0; magnitude >>= 8) {
		int byte = (int)(magnitude & 255) + carry;
		int value = delta < 0 ? sum.bytes[i] - byte : sum.bytes[i] + byte;

		carry = value < 0 || value > 255;
		sum.bytes[i] = (uint8_t)value;
	}
	return sum;
}

uint64_t ip_blocks(const struct ip *a, const struct ip *b, unsigned bits)
{
	uint64_t blocks = 0, above = 0;
	size_t size = ip_size(a);
	int borrow = 0;

	if (a->family != b->family || ip_compare(b, a) <= 0)
		return 0;
	for (size_t i = size; i-- > 0;) {
		int value = b->bytes[i] - a->bytes[i] - borrow;
		uint64_t byte = (uint8_t)value;
		unsigned at = 8 * (unsigned)(size - 1 - i);

		borrow = value < 0;
		if (at < bits)
			blocks |= at + 8 > bits ? byte >> (bits - at) : 0;
		else if (at - bits < 64)
			blocks |= byte << (at - bits);
		if (at >= bits + 64)
			above |= byte;
		else if (at > bits + 56)
			above |= byte >> (bits + 64 - at);
	}
	return above ? UINT64_MAX : blocks;
}

uint64_t ip_distance(const struct ip *a, const struct ip *b)
{
	return ip_blocks(a, b, 0);
}

static bool in_block(const struct ip *ip, const char *block4, const char *block6)
{
	const char *text = ip->family == AF_INET ? block4 : ip->family == AF_INET6 ? block6 : NULL;
	struct cidr cidr;

	return text && cidr_parse(text, &cidr) && cidr_contains(&cidr, ip);
}

bool ip_is_unspecified(const struct ip *ip)
{
	return in_block(ip, "0.0.0.0/32", "::/128");
}

bool ip_is_loopback(const struct ip *ip)
{
	return in_block(ip, "127.0.0.0/8", "::1/128");
}

bool ip_is_multicast(const struct ip *ip)
{
	return in_block(ip, "224.0.0.0/4", "ff00::/8");
}

bool ip_is_link_local(const struct ip *ip)
{
	return in_block(ip, "169.254.0.0/16", "fe80::/10");
}

bool ip_is_global_unicast(const struct ip *ip)
{
	return ip->family && !ip_is_unspecified(ip) && !ip_is_loopback(ip) &&
	       !ip_is_multicast(ip) && !ip_is_link_local(ip) &&
	       !in_block(ip, "255.255.255.255/32", NULL);
}

/* One to three digits without sign, space or leading zero. */
static bool parse_prefix(const char *text, unsigned max, unsigned *prefix)
{
	unsigned value = 0, n = 0;

	for (; text[n] >= '0' && text[n] <= '9' && n < 3; n++)
		value = 10 * value + (unsigned)(text[n] - '0');
	if (n == 0 || text[n] || (n > 1 && text[0] == '0') || value > max)
		return false;
	*prefix = value;
	return true;
}

bool cidr_parse(const char *text, struct cidr *cidr)
{
	const char *slash = strchr(text, '/');
	char address[IP_TEXT_SIZE];
	unsigned prefix;
	struct ip ip;

	if (!slash || (size_t)(slash - text) >= sizeof(address))
		return false;
	memcpy(address, text, (size_t)(slash - text));
	address[slash - text] = '\0';
	if (!parse_raw(address, &ip) || !parse_prefix(slash + 1, ip_bits(&ip), &prefix))
		return false;
	if (is_mapped(&ip)) {
		if (prefix < 96)
			return false;
		ip = ip_make(AF_INET, ip.bytes + 12);
		prefix -= 96;
	}
	*cidr = (struct cidr){ .ip = ip, .prefix = (uint8_t)prefix };
	return true;
}

const char *cidr_format(const struct cidr *cidr, char text[CIDR_TEXT_SIZE])
{
	char address[IP_TEXT_SIZE];

	text[0] = '\0';
	if (cidr->ip.family)
		snprintf(text, CIDR_TEXT_SIZE, "%s/%u", ip_format(&cidr->ip, address),
			 cidr->prefix);
	return text;
}

/* The bits of byte i that belong to the network. */
static uint8_t mask_byte(unsigned prefix, size_t i)
{
	unsigned bits = prefix > 8 * i ? prefix - 8 * (unsigned)i : 0;

	return bits >= 8 ? 0xff : (uint8_t)(0xff << (8 - bits));
}

struct cidr cidr_network(const struct cidr *cidr)
{
	struct cidr network = *cidr;

	for (size_t i = 0; i < ip_size(&cidr->ip); i++)
		network.ip.bytes[i] &= mask_byte(cidr->prefix, i);
	return network;
}

struct ip cidr_last(const struct cidr *cidr)
{
	struct ip last = cidr->ip;

	for (size_t i = 0; i < ip_size(&last); i++)
		last.bytes[i] |= (uint8_t)~mask_byte(cidr->prefix, i);
	return last;
}

bool cidr_contains(const struct cidr *cidr, const struct ip *ip)
{
	if (!ip->family || cidr->ip.family != ip->family)
		return false;
	for (size_t i = 0; i < ip_size(ip); i++)
		if ((cidr->ip.bytes[i] ^ ip->bytes[i]) & mask_byte(cidr->prefix, i))
			return false;
	return true;
}

/* Networks nest or are apart: they overlap when the wider one holds the other's address. */
bool cidr_is_part(const struct cidr *part, const struct cidr *whole)
{
	return part->prefix >= whole->prefix && cidr_contains(whole, &part->ip);
}

bool cidr_overlaps(const struct cidr *a, const struct cidr *b)
{
	return a->prefix <= b->prefix ? cidr_contains(a, &b->ip) : cidr_contains(b, &a->ip);
}

bool cidr_equal(const struct cidr *a, const struct cidr *b)
{
	return a->prefix == b->prefix && ip_equal(&a->ip, &b->ip);
}

struct cidr cidr_host(const struct ip *ip)
{
	return (struct cidr){ .ip = *ip, .prefix = (uint8_t)ip_bits(ip) };
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool mac_parse(const char *text, struct mac *mac)
{
	struct mac parsed = { .set = true };
	char separator = strlen(text) == MAC_TEXT_SIZE - 1 ? text[2] : '\0';

	if (separator != ':' && separator != '-')
		return false;
	for (int i = 0; i < 6; i++, text += 3) {
		int high = hex_digit(text[0]), low = hex_digit(text[1]);

		if (high < 0 || low < 0 || text[2] != (i < 5 ? separator : '\0'))
			return false;
		parsed.bytes[i] = (uint8_t)(high << 4 | low);
	}
	*mac = parsed;
	return true;
}

const char *mac_format(const struct mac *mac, char text[MAC_TEXT_SIZE])
{
	const uint8_t *b = mac->bytes;

	text[0] = '\0';
	if (mac->set)
		snprintf(text, MAC_TEXT_SIZE, "%02x:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2],
			 b[3], b[4], b[5]);
	return text;
}

bool mac_equal(const struct mac *a, const struct mac *b)
{
	return a->set == b->set && (!a->set || memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0);
}

struct mac mac_random(void)
{
	struct mac mac = { .set = true };

	if (getrandom(mac.bytes, sizeof(mac.bytes), 0) != (ssize_t)sizeof(mac.bytes))
		abort(); /* cannot happen for six bytes on a kernel with getrandom */
	mac.bytes[0] = (mac.bytes[0] & 0xfe) | 2;
	return mac;
}
