/*
 * Which node has an address: a look-up by longest prefix that takes as long for two peers as for two thousand. A table is never
 * changed, only replaced.
 */
#ifndef RELAY_TABLE_H
#define RELAY_TABLE_H

#include "base/ip.h"
#include "kernel/tunnel.h"

/* One other node, as its lease has it. */
struct relay_peer {
	struct cidr subnet, subnet6; /* ip.family 0 = none */
	struct ip ip, ip6;           /* where its relay is reached; family 0 = nowhere */
	uint32_t slot;               /* of its counters */
};

/* One subnet of a peer. */
struct table_entry {
	uint64_t key[2];
	uint8_t prefix;
	bool used;
	uint32_t slot;
	socklen_t address_size;
	union tunnel_address address;
};

struct table;
/* port: that all relays have. Of two peers with the same subnet the last one counts. */
struct table *table_make(const struct relay_peer *peers, size_t n, uint16_t port);
void table_free(struct table *table);
/* Whose is the address (4 or 16 bytes)? NULL = nobody's. */
const struct table_entry *table_find(const struct table *table, bool v6, const uint8_t *address);
/* Is there a peer at this outer address? For what has gone wrong: any of its entries, NULL = a stranger. */
const struct table_entry *table_find_peer(const struct table *table,
					  const union tunnel_address *address);
/* Exactly that subnet: an address as in the entries, masked. NULL = nobody has it. */
const struct table_entry *table_at(const struct table *table, bool v6, const uint64_t key[2],
				   uint8_t prefix);
/* One after the other, *i from 0 on; false: there are no more. */
bool table_next(const struct table *table, bool v6, size_t *i, const struct table_entry **entry);
/* Same host; the port does not count. */
bool table_is_from(const struct table_entry *entry, const union tunnel_address *address);

#endif
