/*
 * The nftables form of port mappings: what is in table `ip cni_hostport` (and ip6) that is ours.
 *
 *   ports_prerouting, ports_output  what is sent to an address of this host goes to ports_dnat; hooked in behind the
 *                                   reference's chains, which it flushes with every ADD, so that its rules come first
 *   ports_dnat                      a look into ports_address, then into ports_any
 *   ports_any                       protocol . port                            -> address . port of the container
 *   ports_address                   address of this host . protocol . port     -> the same
 *   ports_used                      protocol . port -> USED_*: keeps an entry for every address from one for a single one
 *   ports_masquerade                for each length of prefix in use: source's network . container in masquerade_LENGTH
 *   ports_martians                  nobody outside may talk to 127.0.0.0/8 because route_localnet is on
 *
 * Every element's comment names the attachment. Conditions make a set of chains and maps of their own, with a digest of
 * their words behind each name.
 */
#ifndef FIREWALL_PORTMAP_MAPS_H
#define FIREWALL_PORTMAP_MAPS_H

#include "firewall/portmap_rules.h"

#define USED_BY_ANY     1
#define USED_BY_ADDRESS 2

struct port_maps {
	size_t i; /* PORTMAP_V4, PORTMAP_V6 */
	enum nft_family family;
	const char *prerouting, *output, *dnat, *masquerade, *martians;
	struct nft_set any, address, used;
	const char *conditions; /* for nft; NULL = none */
};
void port_maps_init(struct arena *arena, const struct portmap *map, size_t i, bool conditions,
		    struct port_maps *maps);

/* The chains as they are, filled at commit. */
struct port_chains {
	struct nft_chain_info prerouting, output, dnat, masquerade, martians;
};
void port_maps_look(struct netlink *nl, const struct port_maps *maps, struct port_chains *chains);
/* Are they as we make them? Of what only masquerading needs: with snat. */
bool port_maps_intact(const struct port_maps *maps, const struct port_chains *chains, bool snat);
/* Make them, or put them right. */
void port_maps_queue(struct netlink *nl, const struct port_maps *maps, bool snat);
/* The rule that takes conditions needs the nft program. */
int port_maps_conditions(const struct port_maps *maps, struct error *err) must_check;

/* Set of the sources to be masqueraded, by the length of their prefix (0: every source). */
struct nft_set port_masquerade_set(struct arena *arena, unsigned prefix);
void port_masquerade_queue(struct netlink *nl, const struct port_maps *maps,
			   const struct nft_set *set);

/* Whatever has the ports, read from an element of ports_any or ports_address. */
struct port_use {
	struct port_entry entry;
	struct ip to;
	const char *comment;
};
bool port_use_read(const struct port_maps *maps, const struct nft_set *set,
		   const struct nft_element *element, struct port_use *use);
/* `container id of network "net"` from an element's comment. */
const char *port_owner_text(struct arena *arena, const char *comment);

/* What a mapping takes: elements and the sets they go to, in the order of the calls. */
struct port_element {
	const struct nft_set *set;
	struct nft_element element;
	bool exclusive;
	const char *label;
};
typedef LIST(struct port_element) port_elements_t;
void port_elements(struct arena *arena, const struct portmap *map, const struct port_maps *maps,
		   port_elements_t *elements);

#endif
