/*
 * The store as an agent sees it: a process of its own, which may wait for a network that is gone, parses what strangers wrote,
 * and needs no right over this node's; and a loop that is told of the network, its leases and the node's own. What comes is
 * always the whole state, so that nothing is lost when either side is late.
 *
 * Both ends of the socket are here: lease_store_open() starts the process and is told by it, lease_store_serve() is what runs in it,
 * over any engine. A process that ends is started again, after a while.
 */
#ifndef LEASE_STORE_H
#define LEASE_STORE_H

#include "base/worker.h"
#include "lease/acquire.h"

/* What a store says of this node itself: addresses as if options gave them, those that it tells the others instead (family 0 =
 * nothing said), and the value of the lease that it has there, NULL = none. */
struct lease_node {
	struct ip public_ip, public_ip6;
	struct ip told, told6;
	const char *value;
};

/* What an agent is told, on its loop. Everything is borrowed for the call. */
struct lease_store_client {
	void *arg;
	/* Before the network, and when it changes; only from a store that has nodes (Kubernetes). NULL = not wanted. */
	void (*node)(void *arg, const struct lease_node *node);
	/* The network's configuration: at first, and when it changes. */
	void (*network)(void *arg, const char *text, size_t size);
	/* Every lease but broken ones, this node's own included; n_bad of those. They are there until the next call. */
	void (*leases)(void *arg, const subnet_leases_t *leases, unsigned n_bad);
	/* This node has this lease now. */
	void (*own)(void *arg, const struct subnet_lease *own);
	/* The lease that the node had is another's by now: why. No other is taken, and none is asked for any more. */
	void (*lost)(void *arg, const char *why);
	/* The store cannot be reached, or does not do what was asked for: why. NULL = it is well again. */
	void (*trouble)(void *arg, const char *why);
	/* The answer to lease_store_ping(): the store has just been looked at; unasked, when the own lease begins its life anew.
	 * left_ms: of that, -1 = it has no end, or there is none; KV_LASTING. May be NULL. */
	void (*pong)(void *arg, int64_t left_ms);
};

struct lease_store;
int lease_store_open(struct lease_store **store, struct loop *loop,
		     const struct worker_program *program, const struct lease_store_client *client,
		     struct error *err) must_check;
void lease_store_close(struct lease_store *store); /* ends the process; the lease stays */
void lease_store_closep(struct lease_store **store);
#define auto_lease_store on_leave(lease_store_closep)

int lease_store_pid(const struct lease_store *store); /* 0 = it is not running right now */
unsigned lease_store_restarts(const struct lease_store *store);
/* Have the store looked at, all of it, now; one question at a time is open. */
void lease_store_ping(struct lease_store *store);

/* Ask for a lease with these addresses, type and data, now and whenever they change. before: the subnets that the node had
 * (family 0 = none); written: the value that it last wrote for them, NULL = unknown. */
void lease_store_want(struct lease_store *store, const struct subnet_lease *own,
		      const char *written);
/* The network works on this node: for a store that tells others so. */
void lease_store_ready(struct lease_store *store);
/* Give the lease back; wait for it at most timeout_ms. For the end of an agent only. */
int lease_store_release(struct lease_store *store, unsigned timeout_ms,
			struct error *err) must_check;

/* The other end: until fd is closed (0), or the engine fails in a way that does not pass (-errno). snapshot: see there; NULL =
 * none is kept. */
struct lease_snapshot;
int lease_store_serve(struct kv *kv, int fd, const struct lease_snapshot *snapshot,
		      struct error *err) must_check;

#endif
