/* Sets with many elements, of whole tables: filled in few messages, listed, and read. Elements may be ranges. */
#ifndef KERNEL_NFT_ELEMENTS_H
#define KERNEL_NFT_ELEMENTS_H

#include "kernel/nft_set.h"

/* Many elements, in as few messages as they fit into: begin, add, end; no other message may be queued in between. */
struct nft_fill {
	struct netlink *nl;
	enum nft_family family;
	const char *table;
	const struct nft_set *set;
	bool gone; /* they are removed; -ENOENT for what is not there */
	struct nl_msg *msg;
	struct nlattr *list;
	size_t size;
};
void nft_fill_add(struct nft_fill *fill, const struct nft_element *element);
void nft_fill_end(struct nft_fill *fill);
void nft_queue_flush_set(struct netlink *nl, enum nft_family family, const char *table,
			 const char *set);

struct nft_set_info {
	const char *name, *comment; /* "" = none */
	uint32_t flags, key_type, key_size;
};
typedef LIST(struct nft_set_info) nft_set_infos_t;
int nft_sets(struct netlink *nl, enum nft_family family, const char *table, struct arena *arena,
	     nft_set_infos_t *sets, struct error *err) must_check;
/* Would creating it find it there as it is? */
bool nft_set_is(const struct nft_set_info *info, enum nft_family family, const struct nft_set *set);

#endif
