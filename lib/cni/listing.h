/* What the tool shows: networks with their problems, attachments, STATUS; for people or as JSON. */
#ifndef CNI_LISTING_H
#define CNI_LISTING_H

#include "cni/chain.h"

#include <stdio.h>

struct network_row {
	const char *name, *version, *file;
	strings_t plugins, problems;
};

struct attachment_row {
	const char *container, *ifname, *network, *netns;
	strings_t addresses;
};

struct listing {
	LIST(struct network_row) networks;
	LIST(struct attachment_row) attachments;
	bool unusable; /* one network is */
};

/* Borrows from the networks and from what is remembered. */
void listing_make(struct listing *listing, const struct networks *networks,
		  const cached_list_t *remembered, struct arena *arena);
void listing_print(const struct listing *listing, FILE *out, bool as_json);

struct status_row {
	const char *plugin, *status, *message;
	int64_t code;
};
typedef LIST(struct status_row) status_rows_t;

/* One plugin's answer to STATUS; the error's text is copied. */
void status_add(status_rows_t *rows, const struct chain_step *step, struct arena *arena);
void status_print(const status_rows_t *rows, FILE *out, bool as_json);

#endif
