/*
 * A store in another process, for tools: every call of an engine is one message there and one back, framed as in store.h. A
 * `wait` ends when another request comes. Both ends are here.
 */
#ifndef LEASE_KV_REMOTE_H
#define LEASE_KV_REMOTE_H

#include "lease/kv.h"

/* The tool's end. It owns the socket and the process (0 = none), which ends when the socket is closed. */
int kv_remote_open(struct kv **kv, int fd, int pid, struct error *err) must_check;
/* The store's end: until fd is closed. kv NULL: there is none, and `why` answers everything. */
int kv_remote_serve(struct kv *kv, int fd, const struct error *why, struct error *err) must_check;

/* The messages; for both ends, and for what checks them. */
enum kv_remote_verb {
	KV_REMOTE_NOTHING, /* only ends a wait */
	KV_REMOTE_GET,
	KV_REMOTE_LIST,
	KV_REMOTE_PUT,
	KV_REMOTE_DEL,
	KV_REMOTE_WAIT,
};
struct kv_remote_entry {
	const char *key, *value; /* in base64 */
	uint64_t revision;
	int64_t left_ms;
};
struct kv_remote_message {
	/* asked */
	int verb;
	struct kv_remote_entry entry; /* or key, prefix; left_ms: the life that it is to have */
	bool absent, exact_life;
	int64_t timeout_ms;
	/* answered */
	int64_t result; /* the call's, a negative errno too */
	const char *error;
	LIST(struct kv_remote_entry) entries;
};
const char *kv_remote_text(const struct kv_remote_message *message, struct arena *arena);
int kv_remote_parse(const char *text, size_t size, struct arena *arena,
		    struct kv_remote_message *message, struct error *err) must_check;

#endif
