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
	struct external *external; /* what is being found */
	links_t links;
	addrs_t addrs;
};

/* What may be the interface, and its address if that is what was looked for. */
struct candidate {
	const struct link *link; /* NULL: none */
	struct ip ip;
};

static const struct link *by_name(const struct search *search, const char *name)
{
	list_each(link, &search->links)
		if (streq(link->name, name))
			return link;
	return NULL;
}

static const struct link *by_address(const struct search *search, const struct ip *ip)
{
	list_each(addr, &search->addrs)
		if (ip_equal(&addr->cidr.ip, ip))
			return links_at(&search->links, addr->index);
	return NULL;
}

static struct candidate by_word(const struct search *search, const char *word)
{
	struct ip ip;

	if (ip_parse(word, &ip))
		return (struct candidate){ by_address(search, &ip), ip };
	return (struct candidate){ .link = by_name(search, word) };
}

static struct candidate by_pattern(const struct search *search, const struct pattern *pattern)
{
	char text[IP_TEXT_SIZE];

	list_each(addr, &search->addrs)
		if (pattern_found(pattern, ip_format(&addr->cidr.ip, text)))
			return (struct candidate){ links_at(&search->links, addr->index),
						   addr->cidr.ip };
	list_each(link, &search->links)
		if (pattern_found(pattern, link->name))
			return (struct candidate){ .link = link };
	return (struct candidate){ .link = NULL };
}

/* Global before link-local, permanent before one with an end; deprecated, temporary and secondary ones not at all. */
static unsigned merit(const struct addr *addr)
{
	if (addr->flags & (ADDR_SECONDARY | ADDR_DEPRECATED | ADDR_TENTATIVE | ADDR_DADFAILED) ||
	    ip_is_loopback(&addr->cidr.ip))
		return 0;
	return 1 + 2 * !ip_is_link_local(&addr->cidr.ip) + !!(addr->flags & ADDR_PERMANENT);
}

/* An address that was looked for is the one, else one that was named, else the best. */
static struct ip choose_address(const struct search *search, const struct candidate *candidate,
				int family)
{
	const struct addr *best = NULL;

	if (candidate->ip.family == family)
		return candidate->ip;
	list_each(addr, &search->addrs) {
		if (addr->index != candidate->link->index || addr->cidr.ip.family != family)
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

/* The candidate is the one, if it has what is needed. */
static int take(const struct search *search, const struct candidate *candidate, struct error *err)
{
	const struct link *link = candidate->link;
	struct external *external = search->external;
	const struct external_choice *choice = search->choice;

	if (choice->v4)
		external->ip = choose_address(search, candidate, AF_INET);
	if (choice->v6)
		external->ip6 = choose_address(search, candidate, AF_INET6);
	if ((choice->v4 && !external->ip.family) || (choice->v6 && !external->ip6.family))
		return fail(err, EADDRNOTAVAIL, "interface %s has no %s address", link->name,
			    choice->v4 && !external->ip.family ? "IPv4" : "IPv6");
	external->index = link->index;
	external->mtu = link->mtu;
	memcpy(external->name, link->name, sizeof(external->name));
	external->public_ip = choice->public_ip.family ? choice->public_ip : external->ip;
	external->public_ip6 = choice->public_ip6.family ? choice->public_ip6 : external->ip6;
	external->translated = is_elsewhere(search, &external->public_ip, &choice->told);
	external->translated6 = is_elsewhere(search, &external->public_ip6, &choice->told6);
	list_each(addr, &search->addrs)
		if (addr->index == link->index && !ip_is_link_local(&addr->cidr.ip))
			*list_add(search->arena, &external->links) = addr->cidr;
	return 0;
}

/* ---- what was named: one after the other, until one fits ---- */

static bool try_names(const struct search *search, struct error *why_not)
{
	list_each(word, &search->choice->names) {
		struct candidate candidate = by_word(search, *word);
		struct error err = { 0 };

		if (!candidate.link)
			fail(&err, ENODEV, "there is no interface and no address %s (--iface)",
			     *word);
		else if (take(search, &candidate, &err) == 0)
			return true;
		error_join(why_not, &err);
	}
	return false;
}

/* A pattern that is none ends the search: what follows it may be another interface than the one that was meant. */
static int try_patterns(const struct search *search, struct error *why_not, struct error *err)
{
	list_each(text, &search->choice->patterns) {
		const struct pattern *pattern = pattern_read(*text, search->arena, err);
		struct error one = { 0 };
		struct candidate candidate;

		if (!pattern)
			return wrap(err, "--iface-regex");
		candidate = by_pattern(search, pattern);
		if (!candidate.link)
			fail(&one, ENODEV, "no interface and no address matches --iface-regex %s",
			     *text);
		else if (take(search, &candidate, &one) == 0)
			return 0;
		error_join(why_not, &one);
	}
	return 0;
}

static int try_reach(const struct search *search, struct error *why_not, struct error *err)
{
	const struct ip *reach = &search->choice->reach;
	struct candidate candidate = { .link = NULL };
	struct error one = { 0 };
	char text[IP_TEXT_SIZE];
	int oif;

	if (route_to(search->nl, reach, &oif, err))
		return wrap(err, "--iface-can-reach");
	candidate.link = links_at(&search->links, oif);
	if (!candidate.link)
		fail(&one, ENETUNREACH, "--iface-can-reach %s: there is no route",
		     ip_format(reach, text));
	else if (take(search, &candidate, &one) == 0)
		return 0;
	error_join(why_not, &one);
	return 0;
}

static int take_named(const struct search *search, struct error *err)
{
	struct error why_not = { 0 };

	if (try_names(search, &why_not))
		return 0;
	if (try_patterns(search, &why_not, err))
		return -err->errnum;
	if (!search->external->index && search->choice->reach.family &&
	    try_reach(search, &why_not, err))
		return -err->errnum;
	if (search->external->index)
		return 0;
	*err = why_not;
	return -err->errnum;
}

/* ---- what follows from elsewhere ---- */

static int take_public_ip(const struct search *search, struct error *err)
{
	const struct external_choice *choice = search->choice;
	const struct ip *ip = choice->public_ip.family ? &choice->public_ip : &choice->public_ip6;
	struct candidate candidate = { by_address(search, ip), *ip };
	char text[IP_TEXT_SIZE];

	if (candidate.link)
		return take(search, &candidate, err);
	return fail(err, ENODEV,
		    "no interface has the public address %s; behind NAT say which with --iface",
		    ip_format(ip, text));
}

/* Of several default routes the one that the kernel prefers. */
static int take_default_route(const struct search *search, struct error *err)
{
	const int families[] = { search->choice->v4 ? AF_INET : 0,
				 search->choice->v6 ? AF_INET6 : 0 };

	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		routes_t routes = { 0 };
		const struct route *best = NULL;
		struct candidate candidate;

		if (!families[i])
			continue;
		if (route_list(search->nl, families[i], 0, ROUTE_TABLE_MAIN, search->arena, &routes,
			       err))
			return -err->errnum;
		list_each(route, &routes)
			if (route->dst.prefix == 0 && route->oif &&
			    (!best || route->priority < best->priority))
				best = route;
		candidate = (struct candidate){ .link = links_at(&search->links,
								 best ? best->oif : 0) };
		if (candidate.link)
			return take(search, &candidate, err);
	}
	return fail(err, ENODEV, "unable to find default route; name the interface with --iface");
}

static int find(const struct search *search, struct error *err)
{
	const struct external_choice *choice = search->choice;

	if (choice->names.n || choice->patterns.n || choice->reach.family)
		return take_named(search, err);
	if (choice->public_ip.family || choice->public_ip6.family)
		return take_public_ip(search, err);
	return take_default_route(search, err);
}

int external_find(struct netlink *nl, const struct external_choice *choice, struct arena *arena,
		  struct external *external, struct error *err)
{
	struct search search = { .nl = nl, .choice = choice, .arena = arena, .external = external };

	*external = (struct external){ .index = 0 };
	if (link_list(nl, NULL, 0, arena, &search.links, err) ||
	    addr_list(nl, 0, 0, arena, &search.addrs, err) || find(&search, err))
		return wrap(err, "find the external interface");
	return 0;
}
