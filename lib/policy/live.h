/*
 * The objects of a cluster as they are by now, and what they come to on one node. Objects come one by one, from any source; one
 * that is refused leaves the one before it in force. Pods of other nodes are followed (follow.h); for all else the policies are
 * compiled again, and a world that has seen too many changes is made anew from the objects' texts.
 */
#ifndef POLICY_LIVE_H
#define POLICY_LIVE_H

#include "policy/difference.h"
#include "policy/object.h"

struct live;
struct live_options {
	const char *node;
	object_report_fn *report; /* of refused objects, and of strange ones */
	void *arg;
};
void live_open(struct live **live, const struct live_options *options);
void live_close(struct live *live); /* NULL-safe */

/* An object, an item of a list or a List, as reader_add() takes them. source: who has it, a file or a kind; an object that another
 * source has already is refused. */
void live_put(struct live *live, const char *source, const struct json *document,
	      const struct json *list);
/* By kind ("Pod"), namespace ("" = none) and name. */
void live_remove(struct live *live, const char *kind, const char *space, const char *name);
/* A source tells all that it has: what it has not told when it ends is gone. Meanwhile another one may have it. */
void live_begin(struct live *live, const char *source);
void live_end(struct live *live, const char *source);

/* A pod has these addresses before its object says so; uid "" = unknown. Until its object does, is finished or gone, or another pod
 * is told to have one of them. False: there is no such pod yet, or it has finished. */
struct live_pod {
	const char *space, *name, *uid;
	ips_t ips;
};
bool live_tell(struct live *live, const struct live_pod *pod);
typedef LIST(struct live_pod) live_pods_t;
/* All of which that still holds, for whoever comes after; borrowed until the next call. */
void live_told(const struct live *live, struct arena *arena, live_pods_t *pods);

/* Addresses of this node's pods to be closed, or those that the node's object names. */
void live_close_addresses(struct live *live, const cidrs_t *cidrs);
const cidrs_t *live_pod_cidrs(struct live *live); /* of the node; none = unknown */

/* Everything up to now; the difference to what was settled last, empty when nothing matters. Borrowed until the next call. */
const struct difference *live_update(struct live *live);
const struct compiled *live_compiled(const struct live *live); /* after an update */
/* After an update, for who only looks; the node's symbol. */
const struct world *live_world(const struct live *live, symbol_t *node);
/* That difference is in force. */
void live_settle(struct live *live);

struct live_counts {
	size_t pods, local_pods, policies, objects, refused; /* by now; refused: objects */
	uint64_t compiled, followed, made_anew;              /* so far */
	uint64_t elsewhere; /* objects that another source had already */
};
void live_count(const struct live *live, struct live_counts *counts);

#endif
