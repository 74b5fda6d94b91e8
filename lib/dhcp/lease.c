/*
 * From the options of an ACK to addresses, routes and times. A server's word is taken only where it makes sense: what
 * does not is as if it had not been sent, but for the mask, without which there is no address.
 */
#include "dhcp/lease.h"

#include <ctype.h>
#include <errno.h>
#include <sys/socket.h>

enum { DEFAULT_SECONDS = 60 * 60, DOMAIN_MAX = 253 };

/* clang-format off */
#define ROUTE(member) offsetof(struct dhcp_route, member)
static const struct field route_fields[] = {
	{ "dst",    FIELD_CIDR, ROUTE(dst),     .help = "destination" },
	{ "gw",     FIELD_IP,   ROUTE(gw),      .help = "router" },
	{ "onLink", FIELD_BOOL, ROUTE(on_link), .help = "no router: the destination is on the link" },
	FIELDS_END
};

#define LEASE(member) offsetof(struct dhcp_lease, member)
const struct field dhcp_lease_fields[] = {
	{ "address",     FIELD_CIDR,   LEASE(address),      .help = "leased address" },
	{ "gateway",     FIELD_IP,     LEASE(gateway),      .help = "first router" },
	{ "routes",      FIELD_LIST,   LEASE(routes), .element = FIELD_OBJECT, .fields = route_fields,
	  .size = sizeof(struct dhcp_route), .help = "routes" },
	{ "nameServers", FIELD_LIST,   LEASE(name_servers), .element = FIELD_IP, .size = sizeof(struct ip),
	  .help = "name servers" },
	{ "domain",      FIELD_STRING, LEASE(domain),       .help = "domain name" },
	{ "server",      FIELD_IP,     LEASE(server),       .help = "DHCP server" },
	{ "serverMac",   FIELD_MAC,    LEASE(server_mac),   .help = "hardware address on the way to it" },
	{ "begin",       FIELD_INT64,  LEASE(begin_ms),     .help = "begin, in ms since boot" },
	{ "seconds",     FIELD_UINT32, LEASE(seconds),      .help = "duration of the lease" },
	{ "t1",          FIELD_UINT32, LEASE(t1),           .help = "seconds until it is renewed" },
	{ "t2",          FIELD_UINT32, LEASE(t2),           .help = "seconds until any server may extend it" },
	FIELDS_END
};
/* clang-format on */

bool dhcp_usable(const struct ip *ip)
{
	static const uint8_t all[4] = { 255, 255, 255, 255 };

	return ip->family == AF_INET && ip->bytes[0] != 0 && !ip_is_loopback(ip) &&
	       !ip_is_multicast(ip) && memcmp(ip->bytes, all, sizeof(all)) != 0;
}

/* Length of a mask of ones in front of zeroes; 0 for any other. */
static uint8_t mask_length(uint32_t mask)
{
	uint8_t length = 0;

	while (mask & 0x80000000u) {
		mask <<= 1;
		length++;
	}
	return mask ? 0 : length;
}

static void add_route(struct dhcp_lease *lease, struct arena *arena, const struct cidr *dst,
		      const struct ip *gw)
{
	*list_add(arena, &lease->routes) = (struct dhcp_route){
		.dst = cidr_network(dst),
		.gw = *gw,
		.on_link = ip_is_unspecified(gw),
	};
}

/* RFC 3442: width, the octets of the destination that matter, router. False, and no route, when it does not add up. */
static bool read_classless(const uint8_t *at, size_t size, struct dhcp_lease *lease,
			   struct arena *arena)
{
	const uint8_t *end = at + size;

	while (at < end) {
		uint8_t width = at[0], octets = (uint8_t)((width + 7) / 8), dst[4] = { 0 };

		if (width > 32 || end - at < 1 + octets + 4)
			break;
		memcpy(dst, at + 1, octets);
		add_route(lease, arena, &(struct cidr){ ip_make(AF_INET, dst), width },
			  &(struct ip){ .family = AF_INET,
					.bytes = { at[1 + octets], at[2 + octets], at[3 + octets],
						   at[4 + octets] } });
		at += 1 + octets + 4;
	}
	if (at < end)
		lease->routes.n = 0;
	return lease->routes.n > 0;
}

/* The class of an address says how long its prefix is; 0 = no class that has networks. */
static uint8_t class_prefix(const struct ip *ip)
{
	return ip->bytes[0] < 128 ? 8 : ip->bytes[0] < 192 ? 16 : ip->bytes[0] < 224 ? 24 : 0;
}

/* RFC 2132, 5.8: pairs of destination and router; 0.0.0.0 is no legal destination. */
static void read_static(const uint8_t *at, size_t size, struct dhcp_lease *lease,
			struct arena *arena)
{
	for (size_t i = 0; i + 8 <= size; i += 8) {
		struct ip dst = ip_make(AF_INET, at + i), gw = ip_make(AF_INET, at + i + 4);

		if (!ip_is_unspecified(&dst) && class_prefix(&dst) && dhcp_usable(&gw))
			add_route(lease, arena, &(struct cidr){ dst, class_prefix(&dst) }, &gw);
	}
}

/* RFC 3442: with classless routes, both the static ones and the routers are ignored. */
static void read_routes(const struct dhcp_message *ack, struct dhcp_lease *lease,
			struct arena *arena)
{
	static const struct cidr everywhere = { .ip = { .family = AF_INET } };
	size_t size;
	const uint8_t *value = dhcp_value(ack, DHCP_CLASSLESS_ROUTES, &size);

	if (value && read_classless(value, size, lease, arena))
		return;
	value = dhcp_value(ack, DHCP_STATIC_ROUTES, &size);
	if (value)
		read_static(value, size, lease, arena);
	if (lease->gateway.family)
		add_route(lease, arena, &everywhere, &lease->gateway);
}

/* A name goes into somebody's resolv.conf: nothing but what names are made of. */
static const char *read_domain(const struct dhcp_message *ack, struct arena *arena)
{
	size_t size;
	const uint8_t *value = dhcp_value(ack, DHCP_DOMAIN_NAME, &size);

	if (!value)
		return NULL;
	while (size > 0 && value[size - 1] == '\0')
		size--;
	for (size_t i = 0; i < size; i++)
		if (!isalnum(value[i]) && !strchr("-._", value[i]))
			return NULL;
	return size && size <= DOMAIN_MAX ? arena_memdup(arena, value, size) : NULL;
}

static void read_dns(const struct dhcp_message *ack, struct dhcp_lease *lease, struct arena *arena)
{
	size_t size;
	const uint8_t *value = dhcp_value(ack, DHCP_NAME_SERVERS, &size);

	for (size_t i = 0; value && i + 4 <= size; i += 4) {
		struct ip ip = ip_make(AF_INET, value + i);

		if (dhcp_usable(&ip) || ip_is_loopback(&ip))
			*list_add(arena, &lease->name_servers) = ip;
	}
	lease->domain = read_domain(ack, arena);
}

void dhcp_lease_times(const struct dhcp_message *ack, struct dhcp_lease *lease)
{
	if (!dhcp_value_u32(ack, DHCP_LEASE_TIME, &lease->seconds) || !lease->seconds)
		lease->seconds = DEFAULT_SECONDS;
	if (!dhcp_value_u32(ack, DHCP_T2, &lease->t2) || !lease->t2 || lease->t2 > lease->seconds)
		lease->t2 = (uint32_t)((uint64_t)lease->seconds * 85 / 100);
	if (!dhcp_value_u32(ack, DHCP_T1, &lease->t1) || !lease->t1 || lease->t1 > lease->t2)
		lease->t1 = lease->seconds / 2 < lease->t2 ? lease->seconds / 2 : lease->t2;
}

int dhcp_lease_read(const struct dhcp_message *ack, struct arena *arena, struct dhcp_lease *lease,
		    struct error *err)
{
	struct ip router;
	uint32_t mask;

	if (!dhcp_usable(&ack->yiaddr))
		return fail(err, EBADMSG, "DHCPACK without a usable address");
	if (!dhcp_value_u32(ack, DHCP_SUBNET_MASK, &mask))
		return fail(err, EBADMSG, "DHCP option Subnet Mask not found in DHCPACK");
	lease->address = (struct cidr){ ack->yiaddr, mask_length(mask) };
	if (!lease->address.prefix)
		return fail(err, EBADMSG, "DHCP option Subnet Mask %u.%u.%u.%u is no mask",
			    mask >> 24, mask >> 16 & 255, mask >> 8 & 255, mask & 255);
	if (dhcp_value_ip(ack, DHCP_ROUTERS, &router) && dhcp_usable(&router))
		lease->gateway = router;
	dhcp_value_ip(ack, DHCP_SERVER_ID, &lease->server);
	read_routes(ack, lease, arena);
	read_dns(ack, lease, arena);
	dhcp_lease_times(ack, lease);
	return 0;
}

static int64_t after(const struct dhcp_lease *lease, uint32_t seconds)
{
	return lease->seconds == DHCP_FOREVER ? INT64_MAX
					      : lease->begin_ms + (int64_t)seconds * 1000;
}

int64_t dhcp_lease_end(const struct dhcp_lease *lease)
{
	return after(lease, lease->seconds);
}

int64_t dhcp_lease_renew(const struct dhcp_lease *lease)
{
	return after(lease, lease->t1);
}

int64_t dhcp_lease_rebind(const struct dhcp_lease *lease)
{
	return after(lease, lease->t2);
}
