/* Port mappings: what both forms have in common, and their removal, which looks into both. See portmap.h. */
#include "firewall/portmap.h"

#include <errno.h>
#include <netinet/in.h>

#include "base/log.h"
#include "firewall/portmap_rules.h"
#include "kernel/link.h"
#include "kernel/route.h"
#include "kernel/sysctl.h"

/* Packets from 127.0.0.1 may leave through the interface that leads to the container. */
static int enable_localnet(const struct portmap *map, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	auto_netlink struct netlink *nl = NULL;
	struct link link = { .index = 0 };
	int oif = 0, r;

	if (!map->snat || !map->addresses[PORTMAP_V4].ip.family)
		return 0;
	r = netlink_open(&nl, NETLINK_SESSION_ROUTE, -1, err);
	if (r == 0)
		r = route_to(nl, &map->addresses[PORTMAP_V4].ip, &oif, err);
	if (r < 0 || !oif)
		return r;
	r = link_get_index(nl, oif, &link, err);
	if (r == 0)
		r = sysctl_ensure(
			arena_printf(&arena, "net/ipv4/conf/%s/route_localnet", link.name), "1",
			err);
	return r < 0 ? wrap(err, "unable to enable route_localnet") : 0;
}

/* UDP has no end that the kernel could see: who sends on keeps a connection from before. */
static void forget_strays(const struct portmap *map)
{
	auto_arena struct arena arena = { 0 };
	port_flows_t flows = { 0 };

	for (size_t i = 0; i < PORTMAP_FAMILIES; i++)
		list_each(entry, &map->entries) {
			struct port_entry udp = *entry;

			udp.family = portmap_family(i);
			if (map->addresses[i].ip.family && entry->protocol == IPPROTO_UDP &&
			    port_entry_for(entry, udp.family))
				*list_add(&arena, &flows) = (struct port_flow){ .entry = udp };
		}
	portmap_forget(&flows);
}

int portmap_add(const struct portmap *map, struct error *err)
{
	struct error later = { 0 };
	int r;

	if (!map->entries.n)
		return 0;
	r = enable_localnet(map, err);
	if (r == 0)
		r = map->backend == FIREWALL_NFTABLES ? portmap_nft_add(map, err)
						      : portmap_xt_add(map, err);
	if (r == 0)
		forget_strays(map);
	else if (portmap_del(map, &later) < 0)
		error_join(err, &later);
	return r;
}

int portmap_check(const struct portmap *map, struct error *err)
{
	struct error other = { 0 };
	bool nft = map->backend == FIREWALL_NFTABLES;
	int r = nft ? portmap_nft_check(map, err) : portmap_xt_check(map, err);

	if (r != -ENOENT && r != -EOPNOTSUPP)
		return r;
	return (nft ? portmap_xt_check(map, &other) : portmap_nft_check(map, &other)) < 0 ? r : 0;
}
