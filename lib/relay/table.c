/* A hash table for each family, keyed by masked address and prefix length; lengths are tried from the longest. Usually there is one. */
#include "relay/table.h"

#include <sys/socket.h>

#include "base/arena.h"

struct half {
	struct table_entry *entries;
	size_t mask; /* of a power of two, at most half full */
	unsigned n_prefixes;
	uint8_t prefixes[129]; /* descending */
	uint64_t masks[129][2];
};

struct table {
	struct half halves[2];
};

static void load_key(bool v6, const uint8_t *address, uint64_t key[2])
{
	uint32_t v4;

	if (v6) {
		memcpy(key, address, 16);
		return;
	}
	memcpy(&v4, address, sizeof(v4));
	key[0] = v4;
	key[1] = 0;
}

static size_t hash(const uint64_t key[2], unsigned prefix)
{
	uint64_t x = (key[0] ^ (key[1] * 0x9e3779b97f4a7c15u) ^ prefix) * 0xff51afd7ed558ccdu;

	return (size_t)(x ^ x >> 32);
}

/* The entry of that key, or the free one where it would be. */
static struct table_entry *probe(const struct half *half, const uint64_t key[2], unsigned prefix)
{
	for (size_t i = hash(key, prefix);; i++) {
		struct table_entry *entry = &half->entries[i & half->mask];

		if (!entry->used ||
		    (entry->key[0] == key[0] && entry->key[1] == key[1] && entry->prefix == prefix))
			return entry;
	}
}

static void half_init(struct half *half, size_t n)
{
	size_t size = 4;

	while (size < 2 * n)
		size *= 2;
	half->entries = xrealloc(NULL, size * sizeof(*half->entries));
	memset(half->entries, 0, size * sizeof(*half->entries));
	half->mask = size - 1;
}

static void half_know_prefix(struct half *half, uint8_t prefix)
{
	unsigned i = half->n_prefixes;

	if (memchr(half->prefixes, prefix, half->n_prefixes))
		return;
	for (; i && half->prefixes[i - 1] < prefix; i--)
		half->prefixes[i] = half->prefixes[i - 1];
	half->prefixes[i] = prefix;
	half->n_prefixes++;
}

static void half_add(struct half *half, const struct cidr *subnet, const struct ip *ip,
		     uint16_t port, uint32_t slot)
{
	struct cidr network = cidr_network(subnet);
	struct table_entry *entry;
	uint64_t key[2];

	if (!subnet->ip.family || subnet->ip.family != ip->family)
		return;
	load_key(subnet->ip.family == AF_INET6, network.ip.bytes, key);
	entry = probe(half, key, subnet->prefix);
	*entry = (struct table_entry){
		.key = { key[0], key[1] }, .prefix = subnet->prefix, .used = true, .slot = slot
	};
	entry->address_size = tunnel_address_of(ip, port, &entry->address);
	half_know_prefix(half, subnet->prefix);
}

static void half_make_masks(struct half *half, bool v6)
{
	for (unsigned i = 0; i < half->n_prefixes; i++) {
		uint8_t bytes[16] = { 0 };

		for (unsigned bit = 0; bit < half->prefixes[i]; bit++)
			bytes[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
		load_key(v6, bytes, half->masks[i]);
	}
}

struct table *table_make(const struct relay_peer *peers, size_t n, uint16_t port)
{
	struct table *table = xrealloc(NULL, sizeof(*table));

	*table = (struct table){ 0 };
	for (size_t i = 0; i < 2; i++)
		half_init(&table->halves[i], n);
	for (size_t i = 0; i < n; i++) {
		half_add(&table->halves[0], &peers[i].subnet, &peers[i].ip, port, peers[i].slot);
		half_add(&table->halves[1], &peers[i].subnet6, &peers[i].ip6, port, peers[i].slot);
	}
	for (size_t i = 0; i < 2; i++)
		half_make_masks(&table->halves[i], i == 1);
	return table;
}

void table_free(struct table *table)
{
	if (!table)
		return;
	for (size_t i = 0; i < 2; i++)
		free(table->halves[i].entries);
	free(table);
}

const struct table_entry *table_find(const struct table *table, bool v6, const uint8_t *address)
{
	const struct half *half = &table->halves[v6];
	uint64_t key[2];

	load_key(v6, address, key);
	for (unsigned i = 0; i < half->n_prefixes; i++) {
		const uint64_t masked[2] = { key[0] & half->masks[i][0],
					     key[1] & half->masks[i][1] };
		const struct table_entry *entry = probe(half, masked, half->prefixes[i]);

		if (entry->used)
			return entry;
	}
	return NULL;
}

const struct table_entry *table_at(const struct table *table, bool v6, const uint64_t key[2],
				   uint8_t prefix)
{
	const struct table_entry *entry = probe(&table->halves[v6], key, prefix);

	return entry->used ? entry : NULL;
}

bool table_next(const struct table *table, bool v6, size_t *i, const struct table_entry **entry)
{
	const struct half *half = &table->halves[v6];

	while (*i <= half->mask) {
		*entry = &half->entries[(*i)++];
		if ((*entry)->used)
			return true;
	}
	return false;
}

bool table_is_from(const struct table_entry *entry, const union tunnel_address *address)
{
	if (entry->address.any.sa_family != address->any.sa_family)
		return false;
	if (address->any.sa_family == AF_INET)
		return entry->address.v4.sin_addr.s_addr == address->v4.sin_addr.s_addr;
	return memcmp(&entry->address.v6.sin6_addr, &address->v6.sin6_addr, 16) == 0;
}

const struct table_entry *table_find_peer(const struct table *table,
					  const union tunnel_address *address)
{
	const struct half *half = &table->halves[address->any.sa_family == AF_INET6];

	for (size_t i = 0; i <= half->mask; i++)
		if (half->entries[i].used && table_is_from(&half->entries[i], address))
			return &half->entries[i];
	return NULL;
}
