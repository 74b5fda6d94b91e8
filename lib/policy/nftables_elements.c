/* Elements of the kernel's sets as those of compiled ones. Ranges come in pieces, and have to be prefixes. */
#include "policy/nftables_reader.h"

#include <arpa/inet.h>
#include <stdlib.h>

#include "policy/set.h"

/* An end of a range in a set of one field. */
struct point {
	uint8_t bytes[16];
	size_t size;
	bool closes;
};
typedef LIST(struct point) points_t;

struct elements_reader {
	struct netpol_reader *reader;
	const struct netpol_part *part; /* NULL: ports */
	uint32_t set;
	points_t points;
};

static void add_point(struct elements_reader *elements, const struct nft_element *element,
		      size_t size)
{
	struct point *point = list_add(elements->reader->arena, &elements->points);

	memcpy(point->bytes, element->key.bytes, size);
	point->size = size;
	point->closes = element->closes;
}

static int compare_points(const void *a, const void *b)
{
	const struct point *x = a, *y = b;
	int order = memcmp(x->bytes, y->bytes, sizeof(x->bytes));

	return order ? order : y->closes - x->closes;
}

/* The value in front, in place. */
static void step_back(struct point *point)
{
	for (size_t i = point->size; i-- > 0;)
		if (point->bytes[i]--)
			return;
}

/* Calls fn with the first and last of each range; one that nothing closes reaches to the end of all. */
static void join_points(struct elements_reader *elements,
			void (*fn)(struct elements_reader *elements, const uint8_t *first,
				   const uint8_t *last))
{
	points_t *points = &elements->points;

	if (points->n)
		qsort(points->items, points->n, sizeof(*points->items), compare_points);
	for (size_t i = 0; i < points->n; i++) {
		struct point last = points->items[i];

		if (last.closes)
			continue;
		memset(last.bytes, 0xff, last.size);
		if (i + 1 < points->n) {
			last = points->items[i + 1];
			step_back(&last);
		}
		fn(elements, points->items[i].bytes, last.bytes);
	}
}

/* The prefix from first to last; false: it is none. */
static bool prefix_of(const struct ip *first, const struct ip *last, struct cidr *cidr)
{
	struct cidr network;
	struct ip end;

	*cidr = (struct cidr){ *first, 0 };
	while (cidr->prefix < ip_bits(first) &&
	       !((first->bytes[cidr->prefix / 8] ^ last->bytes[cidr->prefix / 8]) &
		 0x80 >> cidr->prefix % 8))
		cidr->prefix++;
	network = cidr_network(cidr);
	end = cidr_last(cidr);
	return ip_equal(&network.ip, first) && ip_equal(&end, last);
}

static void add(struct elements_reader *elements, const struct ip *first, const struct ip *last,
		enum protocol protocol, uint16_t port)
{
	struct netpol_reader *reader = elements->reader;
	char from[IP_TEXT_SIZE], to[IP_TEXT_SIZE];
	struct cidr cidr;

	if (prefix_of(first, last, &cidr))
		set_add(&reader->found->compiled, elements->set, &cidr, protocol, port);
	else
		netpol_damage(reader, elements->part->set.name,
			      arena_printf(reader->arena, "element %s-%s is not ours",
					   ip_format(first, from), ip_format(last, to)));
}

static void add_range(struct elements_reader *elements, const uint8_t *first, const uint8_t *last)
{
	int family = elements->part->family;
	struct ip from = ip_make(family, first), to = ip_make(family, last);

	add(elements, &from, &to, PROTOCOL_TCP, 0);
}

static enum protocol protocol_of(uint8_t number)
{
	int protocol = PROTOCOL_TCP;

	while (protocol < PROTOCOL_OTHER && netpol_protocols[protocol] != number)
		protocol++;
	return (enum protocol)protocol;
}

/* What stands behind the address; both ends have to say the same. */
static bool read_port(const struct nft_element *element, size_t at, enum protocol *protocol,
		      uint16_t *port)
{
	size_t same = at;

	*protocol = protocol_of(nft_value_get_protocol(&element->key, &at));
	*port = nft_value_get_port(&element->key, &at);
	return *protocol != PROTOCOL_OTHER &&
	       (!element->last.size ||
		(element->last.size == element->key.size &&
		 !memcmp(element->last.bytes + same, element->key.bytes + same,
			 element->key.size - same)));
}

static void read_one(const struct nft_element *element, void *arg)
{
	struct elements_reader *elements = arg;
	const struct netpol_part *part = elements->part;
	size_t at = 0, at_last = 0;
	struct ip first = nft_value_get_ip(&element->key, part->family, &at), last = first;
	enum protocol protocol = PROTOCOL_TCP;
	uint16_t port = 0;

	if (part->nets && !part->set.key[1]) {
		add_point(elements, element, ip_size(&first));
		return;
	}
	if (part->nets && element->last.size)
		last = nft_value_get_ip(&element->last, part->family, &at_last);
	if (part->set.key[1] && !read_port(element, at, &protocol, &port))
		netpol_damage(elements->reader, part->set.name, "an element is not ours");
	else
		add(elements, &first, &last, protocol, port);
}

int netpol_read_elements(struct netpol_reader *reader, const struct netpol_part *part,
			 struct set *set, struct error *err)
{
	struct elements_reader elements = {
		.reader = reader,
		.part = part,
		.set = (uint32_t)(set - reader->found->compiled.sets.items),
	};
	int r = nft_each_element(reader->nl, NFT_INET, NETPOL_TABLE, part->set.name, reader->arena,
				 read_one, &elements, err);

	if (r == 0)
		join_points(&elements, add_range);
	return r;
}

static void read_port_point(const struct nft_element *element, void *arg)
{
	add_point(arg, element, sizeof(uint16_t));
}

static void add_ports(struct elements_reader *elements, const uint8_t *first, const uint8_t *last)
{
	struct netpol_reader *reader = elements->reader;
	port_ranges_t *ranges = &reader->ports.items[elements->set].ranges;

	*list_add(reader->arena, ranges) = (struct ports){ (uint16_t)(first[0] << 8 | first[1]),
							   (uint16_t)(last[0] << 8 | last[1]) };
}

int netpol_read_ports(struct netpol_reader *reader, const char *name, struct error *err)
{
	struct elements_reader elements = { .reader = reader, .set = (uint32_t)reader->ports.n };
	int r;

	list_add(reader->arena, &reader->ports)->name = name;
	r = nft_each_element(reader->nl, NFT_INET, NETPOL_TABLE, name, reader->arena,
			     read_port_point, &elements, err);
	if (r == 0)
		join_points(&elements, add_ports);
	return r;
}
