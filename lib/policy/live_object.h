/* The objects of a live world (live.h) by name: their texts, where they are from, whether they are refused. */
#ifndef POLICY_LIVE_OBJECT_H
#define POLICY_LIVE_OBJECT_H

#include "policy/object.h"

struct live_object {
	const struct object_kind *kind;
	const char *space, *name; /* "" for a kind without namespaces; of the key */
	char *key;                /* "pod default/web"; NULL = it is no more */
	char *text;               /* the last valid one; NULL = there was none */
	char *uid;                /* of its metadata; NULL = none */
	symbol_t source;
	bool seen;    /* since its source began to tell all */
	bool refused; /* what came last is */
	/* what a pod was told to have, and what it said itself at that time (live_tell) */
	ips_t told;
	char *told_uid;
};

struct live_objects {
	struct arena arena;   /* keys' symbols */
	struct symbols keys;  /* symbol - 1 = number */
	struct symbols names; /* of sources */
	LIST(struct live_object) items;
	size_t n, n_refused;
};

void live_objects_init(struct live_objects *objects);
void live_objects_free(struct live_objects *objects);
struct live_object *live_object_find(struct live_objects *objects, const struct object_kind *kind,
				     const char *space, const char *name);
/* The same; it is made when it is not there. */
struct live_object *live_object_open(struct live_objects *objects, const struct object_kind *kind,
				     const char *space, const char *name);
void live_object_forget(struct live_objects *objects, struct live_object *object);
void live_object_refuse(struct live_objects *objects, struct live_object *object, bool refused);
/* Names of objects that are no more go. */
void live_objects_tidy(struct live_objects *objects);

#endif
