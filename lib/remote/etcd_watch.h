/*
 * A watch of a network in etcd: one stream that tells of the configuration and of every lease, from whichever endpoint answers.
 * A member that is gone without a word is noticed within seconds.
 */
#ifndef REMOTE_ETCD_WATCH_H
#define REMOTE_ETCD_WATCH_H

#include "remote/etcd_call.h"

struct etcd_watch {
	struct http_stream *stream; /* NULL = not open */
	int64_t opened_ms, probe_ms;
	uint64_t revision; /* of the member, when it was opened */
};

/* The body is etcd_watch_text()'s. -ERANGE: what happened since that revision is no longer known. */
int etcd_watch_open(struct etcd_watch *watch, struct etcd *etcd, const char *body,
		    struct error *err) must_check;
void etcd_watch_close(struct etcd_watch *watch);
/* 1 = *event, in the arena; 2 = fd is readable; 0 = the time is up. Another: the stream is closed, and the next endpoint's turn;
 * -ERANGE as above. `key` is what the member is asked for now and then, to see that it lives. */
int etcd_watch_next(struct etcd_watch *watch, struct etcd *etcd, const char *key, int fd,
		    int timeout_ms, struct arena *arena, struct etcd_event *event,
		    struct error *err) must_check;

#endif
