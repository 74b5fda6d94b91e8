/* The table while it is read: shared by nftables_read.c, nftables_elements.c and nftables_clauses.c. */
#ifndef POLICY_NFTABLES_READER_H
#define POLICY_NFTABLES_READER_H

#include "policy/backend.h"
#include "policy/nftables.h"

struct netpol_reader {
	struct netlink *nl;
	struct arena *arena;
	struct found *found;
	nft_set_infos_t sets;
	nft_chain_entries_t chains;
	nft_lines_t lines;
	nft_counters_t counters;
	struct symbols parts;  /* names of sets that are as they should be */
	struct symbols groups; /* symbol - 1 = number */
	struct compiled own;   /* one set */
	LIST(struct netpol_read_ports {
		const char *name;
		port_ranges_t ranges;
	})
	ports;
	/* of the set at work */
	const char *place;
	int family;
	enum direction direction;
};

static inline void netpol_damage(struct netpol_reader *reader, const char *place, const char *what)
{
	damage_add(reader->arena, &reader->found->damages, place, what);
}

/* nftables_elements.c */
int netpol_read_elements(struct netpol_reader *reader, const struct netpol_part *part,
			 struct set *set, struct error *err) must_check;
int netpol_read_ports(struct netpol_reader *reader, const char *name, struct error *err) must_check;

/* nftables_clauses.c: rules of all chains, which fill the groups. */
void netpol_read_chains(struct netpol_reader *reader);

/* Over any session; for tests. */
int netpol_read_from(struct netlink *nl, struct arena *arena, struct found *found,
		     struct error *err) must_check;

#endif
