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
	size_t n, n_refused, n_told;
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

/* ---- addresses that a pod was told to have ---- */

/* NULL = none any more; uid "" = that of the object, if it has one. */
void live_object_tell(struct live_objects *objects, struct live_object *object, const ips_t *ips,
		      const char *uid);
bool live_object_was_told(const struct live_object *object, const ips_t *ips); /* any of them */
/* Its uid and that one are known, and not the same. */
bool live_object_is_another(const struct live_object *object, const char *uid);
/* What it says itself by now is all, when that is one of them, or it is another pod. */
void live_object_check_told(struct live_objects *objects, struct live_object *object,
			    const struct json *json);
void live_object_add_told(const struct live_object *object, struct json *json);

/* Names of objects that are no more go. */
void live_objects_tidy(struct live_objects *objects);

#endif
