/*
 * The nodes of a cluster as a list and a watch have told of them: events in, leases and this node's own matters out. What comes
 * is an API server's, and may be anything. Pure.
 */
#ifndef REMOTE_KUBE_MIRROR_H
#define REMOTE_KUBE_MIRROR_H

#include "remote/kube_nodes.h"
#include "remote/kube_revision.h"

struct kube_mirror {
	const char *prefix; /* of annotations; borrowed, as is name */
	const char *name;   /* of this node; NULL = unknown */
	struct kube_nodes nodes;
	char revision
		[KUBE_REVISION_SIZE]; /* where a watch goes on; "" = everything must be listed first */
	/* this node */
	bool own_there;
	struct kube_node own_node; /* without name and value */
	struct kube_own own;
	uint64_t own_revision; /* what is older than our own patch is history */
};
void kube_mirror_free(struct kube_mirror *mirror); /* prefix and name stay */

/* A page of a list. *next, in the arena, is where the next one begins; NULL = it was the last. */
int kube_mirror_page(struct kube_mirror *mirror, const struct json *page, struct arena *arena,
		     const char **next, struct error *err) must_check;
/* A node as the server has it now, the answer to our own patch. */
void kube_mirror_patched(struct kube_mirror *mirror, const struct json *object);

enum kube_heard {
	KUBE_NOTHING, /* that matters: a bookmark, a heartbeat */
	KUBE_CHANGED,
	KUBE_ENDED, /* the server ends the watch; revision says whether it can go on */
};
/* A line of a watch. */
enum kube_heard kube_mirror_event(struct kube_mirror *mirror, const char *line, size_t size);

#endif
