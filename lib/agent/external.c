/* Which interface leads to the others; see external.h. One dump of links and one of addresses answer all of it. */
#include "agent/external.h"

#include <errno.h>
#include <sys/socket.h>

#include "base/pattern.h"
#include "kernel/addr.h"
#include "kernel/link.h"
#include "kernel/route.h"

struct search {
	struct netlink *nl;
	const struct external_choice *choice;
	struct arena *arena;
	links_t links;
	addrs_t addrs;
};

static const struct link *by_name(const struct search *search, const char *name)
{
	list_each(link, &search->links)
		if (streq(link->name, name))
			return link;
	return NULL;
}

static const struct link *by_index(const struct search *search, int index)
{
	list_each(link, &search->links)
		if (link->index == index)
			return link;
	return NULL;
}

static const struct link *by_address(const struct search *search, const struct ip *ip)
{
	list_each(addr, &search->addrs)
		if (ip_equal(&addr->cidr.ip, ip))
			return by_index(search, addr->index);
	return NULL;
}

static const struct link *by_word(const struct search *search, const char *word)
{
	struct ip ip;

	return ip_parse(word, &ip) ? by_address(search, &ip) : by_name(search, word);
}

static const struct link *by_pattern(const struct search *search, const struct pattern *pattern)
{
	char text[IP_TEXT_SIZE];

	list_each(addr, &search->addrs)
		if (pattern_found(pattern, ip_format(&addr->cidr.ip, text)))
			return by_index(search, addr->index);
	list_each(link, &search->links)
		if (pattern_found(pattern, link->name))
			return link;
	return NULL;
}

static int find_by_patterns(const struct search *search, const struct link **found,
			    struct error *err)
{
	list_each(text, &search->choice->patterns) {
		const struct pattern *pattern = pattern_read(*text, search->arena, err);

		if (!pattern)
			return wrap(err, "--iface-regex");
		*found = by_pattern(search, pattern);
		if (*found)
			return 0;
	}
	return fail(err, ENODEV, "no interface and no address matches --iface-regex %s",
		    search->choice->patterns.items[0]);
}

static int find_by_names(const struct search *search, const struct link **found, struct error *err)
{
	list_each(word, &search->choice->names) {
		*found = by_word(search, *word);
		if (*found)
			return 0;
	}
	return fail(err, ENODEV, "there is no interface and no address %s (--iface)",
		    search->choice->names.items[0]);
}

static int find_by_reach(const struct search *search, const struct link **found, struct error *err)
{
	const struct ip *reach = &search->choice->reach;
	char text[IP_TEXT_SIZE];
	int oif;

	if (route_to(search->nl, reach, &oif, err))
		return wrap(err, "--iface-can-reach");
	*found = by_index(search, oif);
	return *found ? 0
		      : fail(err, ENETUNREACH, "--iface-can-reach %s: there is no route",
			     ip_format(reach, text));
}

static int find_by_public_ip(const struct search *search, const struct link **found,
			     struct error *err)
{
	const struct external_choice *choice = search->choice;
	const struct ip *ip = choice->public_ip.family ? &choice->public_ip : &choice->public_ip6;
	char text[IP_TEXT_SIZE];

	*found = by_address(search, ip);
	return *found ? 0
		      : fail(err, ENODEV,
			     "no interface has the public address %s; behind NAT say which with --iface",
			     ip_format(ip, text));
}

/* Of several default routes the one that the kernel prefers. */
static int find_by_default_route(const struct search *search, const struct link **found,
				 struct error *err)
{
	const int families[] = { search->choice->v4 ? AF_INET : 0,
				 search->choice->v6 ? AF_INET6 : 0 };

	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		routes_t routes = { 0 };
		const struct route *best = NULL;

		if (!families[i])
			continue;
		if (route_list(search->nl, families[i], 0, ROUTE_TABLE_MAIN, search->arena, &routes,
			       err))
			return -err->errnum;
		list_each(route, &routes)
			if (route->dst.prefix == 0 && route->oif &&
			    (!best || route->priority < best->priority))
				best = route;
		if (best && (*found = by_index(search, best->oif)))
			return 0;
	}
	return fail(err, ENODEV, "unable to find default route; name the interface with --iface");
}

static int find_link(const struct search *search, const struct link **found, struct error *err)
{
	const struct external_choice *choice = search->choice;

	if (choice->names.n)
		return find_by_names(search, found, err);
	if (choice->patterns.n)
		return find_by_patterns(search, found, err);
	if (choice->reach.family)
		return find_by_reach(search, found, err);
	if (choice->public_ip.family || choice->public_ip6.family)
		return find_by_public_ip(search, found, err);
	return find_by_default_route(search, found, err);
}

/* Global before link-local, permanent before one with an end; deprecated, temporary and secondary ones not at all. */
static unsigned merit(const struct addr *addr)
{
	if (addr->flags & (ADDR_SECONDARY | ADDR_DEPRECATED | ADDR_TENTATIVE | ADDR_DADFAILED) ||
	    ip_is_loopback(&addr->cidr.ip))
		return 0;
	return 1 + 2 * !ip_is_link_local(&addr->cidr.ip) + !!(addr->flags & ADDR_PERMANENT);
}

/* An address that was named is the one, else the best. */
static struct ip choose_address(const struct search *search, const struct link *link, int family)
{
	const struct addr *best = NULL;

	list_each(addr, &search->addrs) {
		if (addr->index != link->index || addr->cidr.ip.family != family)
			continue;
		list_each(word, &search->choice->names) {
			struct ip ip;

			if (ip_parse(*word, &ip) && ip_equal(&ip, &addr->cidr.ip))
				return ip;
		}
		if (merit(addr) && (!best || merit(addr) > merit(best)))
			best = addr;
	}
	return best ? best->cidr.ip : (struct ip){ 0 };
}

static bool is_elsewhere(const struct search *search, const struct ip *public_ip,
			 const struct ip *told)
{
	const struct ip *ip = told->family ? told : public_ip;

	return ip->family && !by_address(search, ip);
}

static int take_addresses(const struct search *search, const struct link *link,
			  struct external *external, struct error *err)
{
	const struct external_choice *choice = search->choice;

	if (choice->v4)
		external->ip = choose_address(search, link, AF_INET);
	if (choice->v6)
		external->ip6 = choose_address(search, link, AF_INET6);
	if ((choice->v4 && !external->ip.family) || (choice->v6 && !external->ip6.family))
		return fail(err, EADDRNOTAVAIL, "interface %s has no %s address", link->name,
			    choice->v4 && !external->ip.family ? "IPv4" : "IPv6");
	external->public_ip = choice->public_ip.family ? choice->public_ip : external->ip;
	external->public_ip6 = choice->public_ip6.family ? choice->public_ip6 : external->ip6;
	external->translated = is_elsewhere(search, &external->public_ip, &choice->told);
	external->translated6 = is_elsewhere(search, &external->public_ip6, &choice->told6);
	list_each(addr, &search->addrs)
		if (addr->index == link->index && !ip_is_link_local(&addr->cidr.ip))
			*list_add(search->arena, &external->near) = addr->cidr;
	return 0;
}

int external_find(struct netlink *nl, const struct external_choice *choice, struct arena *arena,
		  struct external *external, struct error *err)
{
	struct search search = { nl, choice, arena, { 0 }, { 0 } };
	const struct link *link = NULL;

	*external = (struct external){ .index = 0 };
	if (link_list(nl, NULL, 0, arena, &search.links, err) ||
	    addr_list(nl, 0, 0, arena, &search.addrs, err) || find_link(&search, &link, err))
		return wrap(err, "find the external interface");
	if (!link)
		return fail(err, ENODEV, "the external interface has gone meanwhile");
	external->index = link->index;
	external->mtu = link->mtu;
	memcpy(external->name, link->name, sizeof(external->name));
	return take_addresses(&search, link, external, err);
}
