/* What there is: networks with their problems and remembered attachments, for people or as JSON. */
#ifndef CNI_LISTING_H
#define CNI_LISTING_H

#include "cni/cache.h"
#include "cni/netlist.h"
#include "cni/result.h"

#include <stdio.h>

struct network_row {
	const char *name, *version, *file;
	strings_t   plugins, problems;
};

struct attachment_row {
	const char *container, *ifname, *network, *netns;
	strings_t   addresses;
};

struct listing {
	LIST(struct network_row)    networks;
	LIST(struct attachment_row) attachments;
	bool                        unusable;      /* one network is */
};

/* Borrows from the networks and from what is remembered. */
void listing_make(struct listing *listing, const struct networks *networks, const cached_list_t *remembered,
		  struct arena *arena);
void listing_print(const struct listing *listing, FILE *out, bool as_json);

#endif
