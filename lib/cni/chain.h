/*
 * The runtime's side: one network list, one attachment, every plugin of the chain, in the order and
 * with the keys that libcni gives (cni-plugins.md, section 1.9).
 */
#ifndef CNI_CHAIN_H
#define CNI_CHAIN_H

#include "cni/cache.h"
#include "cni/delegate.h"
#include "cni/netlist.h"

/* One plugin called. */
struct chain_step {
	const char *command; /* "ADD", ..., "RESTORE" */
	const char *type;
	const char *file; /* NULL: not found */
	bool in_process;
	int64_t microseconds;
	const struct error *error; /* NULL: done */
};

struct chain {
	const char *container, *netns, *ifname, *args, *path;
	const char *cache_folder;
	struct json *capability_args; /* object, NULL = none; borrowed */
	cni_find_fn *find_plugin;
	struct arena *arena;
	void (*step)(void *arg, const struct chain_step *step); /* may be NULL */
	void *arg;
};

/* *result: in the list's version, own it. A failure is followed by DEL of the plugins called so
 * far. */
int chain_add(struct chain *chain, const struct network *network, struct json **result,
	      struct error *err) must_check;
/* In reverse; goes on after a failure and reports all. What it remembers of the attachment goes
 * when all is well. */
int chain_del(struct chain *chain, const struct network *network, struct error *err) must_check;
int chain_check(struct chain *chain, const struct network *network, struct error *err) must_check;
/* The verb restore of every plugin, for a remembered attachment with what ADD was told; goes on after a failure and
 * reports all. Plugins that are not ours have no such verb: the step's error is ENOTSUP, and it is no failure. */
int chain_restore(struct chain *chain, const struct network *network, const struct cached *cached,
		  struct error *err) must_check;
/* DEL for the network's remembered attachments that are not valid, then GC to each plugin; *n: how
 * many went. */
int chain_gc(struct chain *chain, const struct network *network, const owners_t *valid, unsigned *n,
	     struct error *err) must_check;
int chain_status(struct chain *chain, const struct network *network, struct error *err) must_check;

#endif
