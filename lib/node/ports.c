/* Look-ups in the maps of portmap; see portmap_maps.h. */
#include "node/ports.h"

#include "firewall/portmap_maps.h"
#include "firewall/portmap_rules.h"
#include "kernel/nft_set.h"

#include <sys/socket.h>

static void look_up(struct netlink *nl, const struct port_maps *maps, const struct nft_set *set,
		    const struct parcel *parcel, struct arena *arena, struct filter_answer *answer)
{
	nft_elements_t elements = { 0 };

	if (answer->to.family ||
	    nft_elements(nl, maps->family, PORT_NFT_TABLE, set->name, arena, &elements, NULL) < 0)
		return;
	list_each(element, &elements) {
		struct port_use use;

		if (!port_use_read(maps, set, element, &use) ||
		    use.entry.protocol != parcel->protocol || parcel->port < use.entry.host.first ||
		    parcel->port > use.entry.host.last ||
		    (use.entry.host_ip.family && !ip_equal(&use.entry.host_ip, &parcel->dst)))
			continue;
		answer->to = use.to;
		answer->to_port = use.entry.container;
		answer->owner = port_owner_text(arena, use.comment);
	}
}

void ports_ask(struct netlink *nl, const struct parcel *parcel, struct arena *arena,
	       struct filter_answer *answer)
{
	const struct portmap none = { .backend = FIREWALL_NFTABLES };
	struct port_maps maps;

	if (!nl || !parcel->protocol || !parcel->port)
		return;
	port_maps_init(arena, &none, parcel->dst.family == AF_INET ? PORTMAP_V4 : PORTMAP_V6, false,
		       &maps);
	look_up(nl, &maps, &maps.address, parcel, arena, answer);
	look_up(nl, &maps, &maps.any, parcel, arena, answer);
}

bool ports_masquerade(struct netlink *nl, const char *name, const struct parcel *parcel,
		      struct arena *arena)
{
	enum nft_family family = parcel_family(parcel);
	char *end;
	unsigned long prefix = strtoul(name + strcspn(name, "0123456789"), &end, 10);
	const struct cidr source = { parcel->src, (uint8_t)prefix };
	struct cidr network;
	struct nft_set set;
	struct nft_value key = { .size = 0 };
	nft_elements_t elements = { 0 };

	if (prefix > ip_bits(&parcel->src) || *end)
		return false;
	network = cidr_network(&source);
	set = port_masquerade_set(arena, (unsigned)prefix);
	if (!streq(set.name, name) ||
	    nft_elements(nl, family, PORT_NFT_TABLE, name, arena, &elements, NULL) < 0)
		return false;
	if (set.key[0] == NFT_SOURCE)
		nft_value_ip(&key, &network.ip);
	nft_value_ip(&key, &parcel->dst);
	list_each(element, &elements)
		if (element->key.size == key.size &&
		    memcmp(element->key.bytes, key.bytes, key.size) == 0)
			return true;
	return false;
}
