/* What leads to a peer, each in the words of the program of iproute2 that shows it. */
#include "dump.h"

#include "base/text.h"

/* Its line, for the middle of another. */
static const char *words_of(const struct dump *dump, const struct route *route)
{
	char *text auto_free = NULL, *to;
	size_t size;
	FILE *out = text_stream(&text, &size);

	dump_text(dump, out, route);
	fclose(out);
	to = text;
	for (const char *from = text; *from; from++) /* several next hops are lines of their own */
		if (*from != '\n' && *from != '\t')
			*to++ = *from;
	while (to > text && to[-1] == ' ')
		to--;
	*to = '\0';
	return arena_strdup(dump->call->arena, text);
}

uint32_t dump_metric(const struct route *route)
{
	enum { IPV6_METRIC = 1024 };

	if (route->priority || route->dst.ip.family != ROUTE_IPV6)
		return route->priority;
	return IPV6_METRIC;
}

const char *dump_route(const struct dump *dump, const struct route *route, bool all)
{
	struct route plain, usual;

	if (!route)
		return NULL;
	usual = (struct route){ .dst = route->dst };
	plain = (struct route){
		.dst = route->dst,
		.gw = route->gw,
		.oif = route->oif,
		.type = route->type,
		.hops = { route->hops.items, route->hops.n },
		.mtu = route->mtu,
		.protocol = all ? route->protocol : PROTOCOL_BOOT,
		.priority = route->priority,
		.has_metric = all && dump_metric(route) != dump_metric(&usual),
		.table = ROUTE_TABLE_MAIN,
		.flags = route->flags | (route->onlink ? ROUTE_ONLINK : 0),
	};
	return words_of(dump, &plain);
}

const char *dump_neigh(const struct dump *dump, const struct neigh *neigh)
{
	struct arena *arena = dump->call->arena;
	char mac[MAC_TEXT_SIZE] = "", ip[IP_TEXT_SIZE] = "";

	if (!neigh)
		return NULL;
	if (neigh->mac.set)
		mac_format(&neigh->mac, mac);
	if (neigh->ip.family)
		ip_format(&neigh->ip, ip);
	return neigh->fdb ? arena_printf(arena, "%s dev %s dst %s", mac,
					 dump_dev(dump, neigh->index), ip)
			  : arena_printf(arena, "%s dev %s lladdr %s", ip,
					 dump_dev(dump, neigh->index), mac);
}
