/* One namespace: see place.h. */
#include "node/place.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/text.h"
#include "kernel/sysctl.h"

const struct link *place_link(const struct place *place, int index)
{
	return links_at(&place->links, index);
}

const struct link *place_vrf(const struct place *place, const struct link *link)
{
	const struct link *master = link && link->master ? place_link(place, link->master) : link;

	return master && streq(master->kind, "vrf") ? master : NULL;
}

const struct addr *place_addr(const struct place *place, const struct ip *ip)
{
	list_each(addr, &place->addrs)
		if (ip_equal(&addr->cidr.ip, ip))
			return addr;
	return NULL;
}

const struct addr *place_addr_in(const struct place *place, const struct ip *ip,
				 const struct link *vrf)
{
	list_each(addr, &place->addrs)
		if (ip_equal(&addr->cidr.ip, ip) &&
		    place_vrf(place, place_link(place, addr->index)) == vrf)
			return addr;
	return NULL;
}

const struct addr *place_first_addr(const struct place *place, int index, int family)
{
	list_each(addr, &place->addrs)
		if (addr->cidr.ip.family == family && (!index || addr->index == index) &&
		    ip_is_global_unicast(&addr->cidr.ip))
			return addr;
	return NULL;
}

/* ---- words, sysctls ---- */

const char *place_command(const struct place *place, struct arena *arena, const char *program,
			  const char *format, ...)
{
	bool has_option = streq(program, "ip") || streq(program, "bridge") || streq(program, "tc");
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (place->info->current)
		return arena_printf(arena, "%s %s", program, text);
	if (place->info->name && has_option)
		return arena_printf(arena, "%s -n %s %s", program,
				    shell_word(arena, place->info->name), text);
	return arena_printf(arena, "nsenter --net=%s %s %s", shell_word(arena, place->info->path),
			    program, text);
}

const char *link_sysctl(const char *link, const char *key, struct arena *arena)
{
	return arena_printf(arena,
			    strchr(link, '.') ? "net/ipv4/conf/%s/%s" : "net.ipv4.conf.%s.%s", link,
			    key);
}

int place_sysctl(const struct place *place, int missing, const char *format, ...)
{
	int back auto_netns = -1;
	char name[128], value[32];
	va_list args;

	va_start(args, format);
	vsnprintf(name, sizeof(name), format, args);
	va_end(args);
	if (place->fd < 0 || netns_enter(place->fd, &back, NULL) < 0 ||
	    sysctl_read(name, value, sizeof(value), NULL) < 0)
		return missing;
	return (int)strtol(value, NULL, 10);
}
