/* A table of nf_tables that is ours alone: its counters, and all its rules as values, read back as they were written. */
#ifndef KERNEL_NFT_TABLE_H
#define KERNEL_NFT_TABLE_H

#include "kernel/nft_dump.h"
#include "kernel/nft_set.h"

#define NFT_LINE_SETS 4

enum nft_refusal { NFT_REFUSE_NOT, NFT_REFUSE_RESET, NFT_REFUSE_PROHIBITED };

struct nft_line_set {
	const char *name; /* of a set, or a verdict map */
	enum nft_field key[NFT_FIELDS];
	bool inverted, map;
};

/* A rule; what is zero is not asked for. */
struct nft_line {
	const char *chain, *comment; /* "" = none */
	enum nft_family only;        /* NFT_IP or NFT_IP6: packets of that; goes before addresses */
	unsigned states;             /* NFT_STATE_* */
	struct cidr source, destination;
	uint8_t protocol;
	struct ports ports; /* of the destination */
	struct ports types; /* of ICMP */
	struct nft_line_set sets[NFT_LINE_SETS];
	unsigned n_sets;
	uint32_t rate, burst; /* packets in a second */
	uint16_t log;         /* group of NFLOG */
	const char *prefix;
	bool counted;
	const char *counter; /* named */
	enum nft_refusal refusal;
	int verdict; /* INT_MAX = none */
	const char *target;
	uint64_t handle; /* as read */
	bool unknown;    /* as read: it holds more than this */
};
typedef LIST(struct nft_line) nft_lines_t;

void nft_queue_line(struct netlink *nl, enum nft_family family, const char *table,
		    const struct nft_line *line);
bool nft_line_equal(const struct nft_line *a, const struct nft_line *b); /* but for handles */
/* Of all chains, in order within each; a missing table has none. */
int nft_lines(struct netlink *nl, enum nft_family family, const char *table, struct arena *arena,
	      nft_lines_t *lines, struct error *err) must_check;

struct nft_chain_entry {
	const char *name, *comment; /* "" = none */
	struct nft_chain_info info;
};
typedef LIST(struct nft_chain_entry) nft_chain_entries_t;
int nft_chain_entries(struct netlink *nl, enum nft_family family, const char *table,
		      struct arena *arena, nft_chain_entries_t *entries,
		      struct error *err) must_check;

void nft_queue_counter(struct netlink *nl, enum nft_family family, const char *table,
		       const char *name);
void nft_queue_del_counter(struct netlink *nl, enum nft_family family, const char *table,
			   const char *name);
struct nft_counter_info {
	const char *name;
	uint64_t packets, bytes;
};
typedef LIST(struct nft_counter_info) nft_counters_t;
int nft_counters(struct netlink *nl, enum nft_family family, const char *table, struct arena *arena,
		 nft_counters_t *counters, struct error *err) must_check;

#endif
