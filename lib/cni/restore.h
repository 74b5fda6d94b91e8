/*
 * Putting back what somebody flushed: the rules of every remembered attachment that is alive (`nft flush ruleset`,
 * `iptables -F`, a firewall that reloads), from the network list and the result that the runtime remembers.
 */
#ifndef CNI_RESTORE_H
#define CNI_RESTORE_H

#include "cni/chain.h"

#include <stdio.h>

struct restore_row {
	const char *container, *ifname, *network;
	const char *outcome; /* "restored", "gone", "failed" */
	strings_t foreign;   /* types of plugins that are not ours: they cannot be asked */
	const char *message;
};
typedef LIST(struct restore_row) restore_rows_t;

/* All remembered attachments, or those of the network with that name. chain: where things are, and the caller's step.
 * *failed: one of them could not be restored, which its row tells. Fails itself when attachments cannot be read, after it
 * has done what it could. */
int restore_attachments(const struct chain *chain, struct networks *networks, const char *network,
			restore_rows_t *rows, bool *failed, struct error *err) must_check;
void restore_print(const restore_rows_t *rows, FILE *out, bool as_json);

#endif
