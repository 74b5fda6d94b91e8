/*
 * A store of keys and values, as far as leases need one: what differs between engines. Keys are relative to the network's
 * prefix: "config", "subnets/10.5.1.0-24". Every call is one exchange with a deadline of its own; it blocks, so a store
 * runs in a process of its own beside an agent (see store.h), never in the loop that keeps routes.
 */
#ifndef LEASE_KV_H
#define LEASE_KV_H

#include "base/arena.h"
#include "base/error.h"
#include "base/ip.h"

#define KV_LASTING      INT64_MAX       /* it lasts as long as its node: nobody has to keep it */
#define KV_LEFT_UNKNOWN (INT64_MAX - 1) /* it has an end; see exact_life */

struct kv_entry {
	const char *key;
	const char *value; /* NUL behind */
	size_t size;
	uint64_t revision; /* changes with the entry, for preconditions */
	int64_t left_ms; /* of its life; -1 = it has no end: a reservation; or one of the two above */
};
typedef LIST(struct kv_entry) kv_entries_t;

enum kv_when {
	KV_ABSENT,   /* there is no such key (an expired one is none) */
	KV_REVISION, /* the entry still has this revision */
};

struct kv_put {
	const char *key, *value;
	enum kv_when when;
	uint64_t revision;
	int64_t ttl_ms; /* 0 = without end */
};

/* This node's own entry, in a store that says which one that is; strings in the arena. Addresses: family 0 = nothing said. */
struct kv_own {
	const char *node;                /* its name */
	const char *key;                 /* NULL = not assigned yet */
	const char *value;               /* what is there; NULL = nothing */
	struct ip told, told6;           /* to the others, instead of the node's addresses */
	struct ip public_ip, public_ip6; /* as if options said that the node has these */
};

struct kv;
struct kv_engine {
	/* -ENOENT: no such key; the text says where it would be. */
	int (*get)(struct kv *kv, const char *key, struct arena *arena, struct kv_entry *entry,
		   struct error *err);
	/* All keys that begin with `prefix`, ascending. */
	int (*list)(struct kv *kv, const char *prefix, struct arena *arena, kv_entries_t *entries,
		    struct error *err);
	/* -EEXIST without text: the precondition does not hold. *revision: the entry's new one. */
	int (*put)(struct kv *kv, const struct kv_put *put, uint64_t *revision, struct error *err);
	/* The same precondition; -ENOENT without text: not there. */
	int (*del)(struct kv *kv, const char *key, uint64_t revision, struct error *err);
	/* Begin its life anew, the value untouched: -ENOENT without text when it has ended or the entry is gone. NULL: a tool's end
	 * of a store (kv_remote.h), which keeps nothing. */
	int (*keep)(struct kv *kv, const char *key, int64_t ttl_ms, struct error *err);
	/*
	 * Wait until something may have changed since the last list() (1), fd is readable (2; -1 = none), or the time is up (0;
	 * -1 = for ever). The connection broke: a negative errno; the next call tries again.
	 */
	int (*wait)(struct kv *kv, int fd, int timeout_ms, struct error *err);
	/* NULL: nodes choose their keys themselves. -ENOENT: there is no such node, or not any more. */
	int (*own)(struct kv *kv, struct arena *arena, struct kv_own *own, struct error *err);
	/* The network works on this node: tell those that wait for it. NULL: nobody does. */
	int (*ready)(struct kv *kv, struct error *err);
	void (*close)(struct kv *kv);
};

struct kv {
	const struct kv_engine *engine;
	bool exact_life; /* left_ms is wanted, though it may cost a call for each entry */
};

static inline void kv_closep(struct kv **kv)
{
	if (*kv)
		(*kv)->engine->close(*kv);
	*kv = NULL;
}
#define auto_kv on_leave(kv_closep)

/*
 * A folder of files, which may be shared between nodes: `<dir>/config`, `<dir>/subnets/<key>`. A file that an agent made has
 * one JSON key more than flannel's value, "Expires"; one that a person put there without it is a reservation. Writers hold
 * `<dir>/lock`; every file appears whole. make: the folders at once, as an agent does; else only what is put makes any.
 */
int kv_file_open(struct kv **kv, const char *dir, bool make, struct error *err) must_check;
/* One file with the network and all its leases, which people write: `{"config": {...}, "subnets": {KEY: VALUE, ...}}`. It is watched,
 * and never changed: a put succeeds when the file says so already (-EROFS). */
int kv_static_open(struct kv **kv, const char *path, struct error *err) must_check;

#endif
