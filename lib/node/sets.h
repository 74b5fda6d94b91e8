/* Sets and verdict maps of nf_tables that a rule looks into, asked for one packet. */
#ifndef NODE_SETS_H
#define NODE_SETS_H

#include "kernel/nft_table.h"
#include "node/parcel.h"

enum sets_fit { SETS_NO, SETS_YES, SETS_UNKNOWN };

/* *element: of the verdict map that is looked into, when there is one; NULL = none. */
enum sets_fit sets_ask(struct netlink *nl, enum nft_family family, const char *table,
		       const struct nft_line *line, const struct parcel *parcel,
		       const struct filter_question *question, struct arena *arena,
		       const struct nft_element **element);

#endif
