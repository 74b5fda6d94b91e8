/*
 * What overlay_ensure() would do, rule by rule, and nothing done: for who asks whether an agent would change anything, and for
 * who tells what has been removed.
 */
#ifndef FIREWALL_OVERLAY_LOOK_H
#define FIREWALL_OVERLAY_LOOK_H

#include "firewall/overlay.h"

/* One rule, in the words of `iptables-save` behind the table, or of `nft`. */
struct overlay_difference {
	enum rule_family family;
	bool native;             /* in nftables' own form */
	const char *chain;       /* of ours that it is in, or leads to */
	const char *was, *would; /* NULL: it is not there; it is to go */
};
typedef void overlay_tell_fn(void *arg, const struct overlay_difference *difference);

/* With or without --random-fully is the same here. Texts are in the arena. */
int overlay_look(const struct overlay *overlay, enum firewall_backend form, struct arena *arena,
		 overlay_tell_fn *tell, void *arg, struct error *err) must_check;

#endif
