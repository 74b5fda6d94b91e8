/* Compiled sets as sets of the kernel, and elements in both forms. See nftables.h. */
#include "policy/nftables.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include "policy/set.h"

const int netpol_families[2] = { AF_INET, AF_INET6 };
const uint8_t netpol_protocols[] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP, 0 };

static enum nft_family nft_family_of(int family)
{
	return family == AF_INET ? NFT_IP : NFT_IP6;
}

/* What the parts of a kind hold. */
static void parts_of_kind(enum set_kind kind, bool *hosts, bool *nets, bool *ported)
{
	bool virtual = kind == SET_MEMBERS || kind == SET_SUBJECTS;

	*nets = kind == SET_BLOCKS || kind == SET_PEERS || kind == SET_PAIRS;
	*hosts = kind != SET_BLOCKS && !virtual;
	*ported = kind == SET_PAIRS || kind == SET_NAMED;
}

static struct netpol_part part_of(const struct set *set, int family, bool nets, bool only,
				  bool ported, struct arena *arena)
{
	struct netpol_part part = {
		.set = { .key = { NFT_SOURCE },
			 .comment = set->comment,
			 .addresses = nft_family_of(family),
			 .ranges = nets },
		.family = family,
		.nets = nets,
		.hosts = !nets || only,
	};

	part.set.name = arena_printf(arena, "%s%c%s", set->name, family == AF_INET ? '4' : '6',
				     nets ? "-nets" : "");
	if (ported) {
		part.set.key[1] = NFT_PROTOCOL;
		part.set.key[2] = NFT_PORT;
	}
	return part;
}

unsigned netpol_parts(const struct set *set, struct arena *arena,
		      struct netpol_part parts[NETPOL_PARTS])
{
	bool hosts, nets, ported;
	unsigned n = 0;

	parts_of_kind(set->kind, &hosts, &nets, &ported);
	for (size_t i = 0; i < ARRAY_SIZE(netpol_families); i++) {
		if (hosts)
			parts[n++] = part_of(set, netpol_families[i], false, !nets, ported, arena);
		if (nets)
			parts[n++] = part_of(set, netpol_families[i], true, !hosts, ported, arena);
	}
	return n;
}

bool netpol_has(const struct netpol_part *part, const struct element *element)
{
	bool host = element->cidr.prefix == ip_bits(&element->cidr.ip);

	return element->cidr.ip.family == part->family && (host ? part->hosts : part->nets);
}

static uint8_t protocol_number(const struct element *element)
{
	return netpol_protocols[element->protocol];
}

struct nft_element netpol_element(const struct netpol_part *part, const struct element *element)
{
	struct nft_element out = { .verdict = 0 };
	struct ip first = cidr_network(&element->cidr).ip, last = cidr_last(&element->cidr);

	nft_value_ip(&out.key, &first);
	if (part->nets)
		nft_value_ip(&out.last, &last);
	if (!part->set.key[1])
		return out;
	nft_value_protocol(&out.key, protocol_number(element));
	nft_value_port(&out.key, element->port);
	if (part->nets) {
		nft_value_protocol(&out.last, protocol_number(element));
		nft_value_port(&out.last, element->port);
	}
	return out;
}

struct nft_set netpol_map(enum direction direction, int family)
{
	static const char *const names[DIRECTIONS][2] = { { "ingress4", "ingress6" },
							  { "egress4", "egress6" } };

	return (struct nft_set){
		.name = names[direction][family == AF_INET6],
		.key = { direction == INGRESS ? NFT_DESTINATION : NFT_SOURCE },
		.data = { NFT_VERDICT },
		.addresses = nft_family_of(family),
		.comment = direction == INGRESS ? "pods and what may come to them"
						: "pods and where they may go",
	};
}

struct nft_set netpol_own(int family)
{
	return (struct nft_set){
		.name = family == AF_INET ? "own4" : "own6",
		.key = { NFT_SOURCE, NFT_DESTINATION },
		.addresses = nft_family_of(family),
		.comment = "pods to themselves",
	};
}

struct nft_set netpol_ports_set(const char *name)
{
	return (struct nft_set){ .name = name, .key = { NFT_PORT }, .ranges = true };
}

void netpol_subjects(const struct compiled *compiled, struct arena *arena, elements_t *elements)
{
	struct compiled alone = { .arena = arena };
	struct set *set = list_add(arena, &alone.sets);

	for (int direction = 0; direction < DIRECTIONS; direction++)
		if (compiled->subjects[direction] < compiled->sets.n)
			list_each(element,
				  &compiled->sets.items[compiled->subjects[direction]].elements)
				*list_add(arena, &set->elements) = *element;
	set_finish(&alone, 0);
	*elements = set->elements;
}
