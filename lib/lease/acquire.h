/*
 * The lease of this node: found, moved, allocated, kept (flannel.md, sections 2.3 to 2.5). Every change is conditional on
 * what was seen; a lost race is looked at again. What flannel does wrong is not repeated: a reservation stays one (D9), a
 * lost race is no reason to exit (D8), a lease that is gone is taken again (D10), and one moves along when the node's
 * address changes (D11).
 */
#ifndef LEASE_ACQUIRE_H
#define LEASE_ACQUIRE_H

#include "lease/allocate.h"
#include "lease/kv.h"

#define LEASE_CONFIG  "config"
#define LEASE_SUBNETS "subnets/"

enum { LEASE_TTL_MS = 24 * 3600 * 1000 };

/* The network's configuration, and its text as it is stored (NULL: not wanted). -ENOENT: there is none yet. */
int lease_config(struct kv *kv, struct arena *arena, struct network_config *config,
		 const char **text, struct error *err) must_check;

/* Every lease there is. What is no lease, or cannot be read, is left out and counted; one bad entry costs nobody else
 * anything (D1). `bad` (may be NULL) is told of each. */
typedef void lease_bad_fn(void *arg, const char *key, const struct error *why);
int lease_list(struct kv *kv, struct arena *arena, subnet_leases_t *leases, lease_bad_fn *bad,
	       void *arg, struct error *err) must_check;
/* The same; what has been listed before, and has not changed since, need not be parsed again. */
int lease_list_since(struct kv *kv, const subnet_leases_t *known, struct arena *arena,
		     subnet_leases_t *leases, lease_bad_fn *bad, void *arg,
		     struct error *err) must_check;

/*
 * Give own->subnet and subnet6 to this node, whose addresses, type and data own has. They say on entry what it had before
 * (family 0 = nothing); `written` is the value that this node last wrote for them (NULL = unknown): with it a lease of
 * another address is known to be this node's own, from before its address changed. Puts the value if it differs. A store that says
 * itself which subnets a node has (Kubernetes) is asked for them: -EAGAIN = not yet, -ERANGE = not of this network.
 */
int lease_acquire(struct kv *kv, const struct network_config *config, const char *written,
		  struct subnet_lease *own, struct error *err) must_check;
/* The same by what was listed last; should that be out of date, it is listed anew. */
int lease_acquire_among(struct kv *kv, const struct network_config *config,
			const subnet_leases_t *known, const char *written, struct subnet_lease *own,
			struct error *err) must_check;

/* For a lease that the node has had, with pods in its subnets: just these again, taken or written anew. -EXDEV: they are another
 * node's by now, or the store has others for this node; nothing is written. Not for a store that says itself what a node has. */
int lease_hold(struct kv *kv, const subnet_leases_t *known, const char *written,
	       struct subnet_lease *own, struct error *err) must_check;

/* Life anew; -ENOENT without text: it is gone. */
int lease_keep(struct kv *kv, const struct subnet_lease *own, struct error *err) must_check;
/* How much of it is left, asked of the store; -1 = it has no end, or is gone. */
int lease_life(struct kv *kv, const struct subnet_lease *own, int64_t *left_ms,
	       struct error *err) must_check;
/* Give it back, so that peers drop the node at once; not there, or somebody else's by now: fine. A reservation stays. */
int lease_release(struct kv *kv, const struct subnet_lease *own, struct error *err) must_check;

#endif
