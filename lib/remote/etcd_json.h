/*
 * What is said to etcd's HTTP gateway and what it answers (flannel.md, section 2.7): keys and values in base64, 64-bit numbers
 * as decimal strings, what is zero left out. Pure.
 */
#ifndef REMOTE_ETCD_JSON_H
#define REMOTE_ETCD_JSON_H

#include "base/arena.h"
#include "base/error.h"

struct etcd_kv {
	const char *key;   /* control characters in it are '?': such a key is nobody's */
	const char *value; /* NUL behind; NULL = deleted */
	size_t size;
	uint64_t revision; /* mod_revision */
	int64_t lease;     /* 0 = none */
};
typedef LIST(struct etcd_kv) etcd_kvs_t;

struct etcd_reply {
	uint64_t revision; /* of the store */
	etcd_kvs_t kvs;    /* of all ranges in it */
	bool more, succeeded;
	int64_t id, ttl; /* of a lease; ttl 0 = not said, -1 = there is no such lease */
	const char *token;
	int code; /* gRPC's; 0 = no error */
	const char *message;
};

/* A line of a watch: what happened, or what became of the watch. */
struct etcd_event {
	uint64_t revision;
	etcd_kvs_t kvs;
	bool created, canceled, compacted;
	int code;           /* of an error that ends the stream */
	const char *reason; /* why canceled, or the error's text; NULL = none given */
};

/* -EPROTO for what is no answer of etcd. */
int etcd_reply_parse(const char *text, size_t size, struct arena *arena, struct etcd_reply *reply,
		     struct error *err) must_check;
int etcd_event_parse(const char *text, size_t size, struct arena *arena, struct etcd_event *event,
		     struct error *err) must_check;

/* Requests, in the arena. Of a range: from `key` up to, without, `end` (NULL = that key alone); revision 0 = the newest. */
struct etcd_range {
	const char *key, *end;
	unsigned limit;
	uint64_t revision;
	bool serializable, count_only;
};
const char *etcd_range_text(const struct etcd_range *range, struct arena *arena);
/* Two ranges of one revision. */
const char *etcd_ranges_text(const struct etcd_range *a, const struct etcd_range *b,
			     struct arena *arena);
/* If the key has this revision (0 = is not there) it is put, or with value NULL deleted; else told as it is. */
const char *etcd_change_text(const char *key, uint64_t revision, const char *value, int64_t lease,
			     struct arena *arena);
const char *etcd_grant_text(int64_t ttl_s, struct arena *arena);
const char *etcd_id_text(int64_t id, struct arena *arena); /* keepalive, revoke, timetolive */
const char *etcd_login_text(const char *name, const char *password, struct arena *arena);
/* Watches of a key and of a range, from a revision on. */
const char *etcd_watch_text(const char *key, const struct etcd_range *range, uint64_t revision,
			    struct arena *arena);

#endif
