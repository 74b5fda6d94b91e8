/* See advice.h. */
#include "cni/advice.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>

enum { IPV6_LEAST = 1280, IPV4_USUAL_LEAST = 576, JUMBO = 9216 }; /* RFC 8200, 5; RFC 791, 3.1 */

static char *text_of(struct advice *advice, const char *format, va_list args)
{
	char text[1024];

	vsnprintf(text, sizeof(text), format, args);
	return arena_strdup(advice->arena, text);
}

void advice_say(struct advice *advice, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	*list_add(advice->arena, &advice->words) = text_of(advice, format, args);
	va_end(args);
}

void advice_warn(struct advice *advice, const char *key, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	advice->warn(advice->arg, key, text_of(advice, format, args));
	va_end(args);
}

const char *advice_gateways(const struct advice *advice, bool alone)
{
	const char *text = NULL;
	char one[CIDR_TEXT_SIZE];

	list_each(ip, &advice->result.ips) {
		struct cidr gateway = cidr_host(&ip->gateway);

		if (!ip->gateway.family)
			continue;
		if (!alone)
			gateway.prefix = ip->address.prefix;
		text = arena_printf(advice->arena, "%s%s%s", text ? text : "", text ? " and " : "",
				    cidr_format(&gateway, one));
	}
	return text;
}

void advice_mtu(struct advice *advice, int mtu)
{
	bool ipv6 = false;

	list_each(ip, &advice->result.ips)
		ipv6 |= ip->address.ip.family == AF_INET6;
	if (mtu && mtu < IPV6_LEAST && ipv6)
		advice_warn(advice, "mtu", "IPv6 needs %d: the interface gets no IPv6 address",
			    IPV6_LEAST);
	else if (mtu && mtu < IPV4_USUAL_LEAST)
		advice_warn(advice, "mtu", "%d is less than any network's (%d)", mtu,
			    IPV4_USUAL_LEAST);
	else if (mtu > JUMBO)
		advice_warn(
			advice, "mtu",
			"%d is more than jumbo frames have (%d): what leaves the node is fragmented or lost",
			mtu, JUMBO);
}
