/*
 * Calls of etcd's HTTP gateway: to whichever endpoint answers, with a token where there is a user. An endpoint that does not
 * answer costs one time-out; the next call begins at the one that did.
 */
#ifndef REMOTE_ETCD_CALL_H
#define REMOTE_ETCD_CALL_H

#include "lease/place.h"
#include "remote/etcd_json.h"
#include "remote/http.h"

struct etcd {
	struct arena arena;              /* of the options */
	const char *username, *password; /* NULL = none */
	LIST(const char *) urls;
	size_t current;
	struct http *http;
	char *token;          /* NULL = none yet */
	unsigned patience_ms; /* with a call; grows while it is not enough */
};

int etcd_open(struct etcd *etcd, const struct lease_place *place, struct error *err) must_check;
void etcd_close(struct etcd *etcd);

/* path: "kv/range". -ENOENT: etcd says that there is no such thing; -ERANGE: the revision has been compacted. */
int etcd_call(struct etcd *etcd, const char *path, const char *body, struct arena *arena,
	      struct etcd_reply *reply, struct error *err) must_check;
/* The same, of the current endpoint only, and not longer than this. */
int etcd_call_here(struct etcd *etcd, const char *path, const char *body, unsigned timeout_ms,
		   struct arena *arena, struct etcd_reply *reply, struct error *err) must_check;

/* For a watch, which has a stream of its own: where to, and as whom (NULL = nobody; -errno when the user is refused). */
const char *etcd_url(const struct etcd *etcd, const char *path, struct arena *arena);
int etcd_log_in(struct etcd *etcd, struct error *err) must_check;
void etcd_next(struct etcd *etcd); /* the current endpoint is of no use */
/* Is that about a token that is no longer one? Then it is forgotten. */
bool etcd_lost_token(struct etcd *etcd, int code, const char *message);
/* etcd's words for what went wrong as ours. */
int etcd_fail(const struct etcd *etcd, int code, const char *message, struct error *err);

#endif
