/*
 * Objects of a Kubernetes API as a stream, for policies: each kind is listed in pages and watched from there on; a watch that ends
 * is resumed where it was, and only a history that is gone (410) means to list again. A kind that a cluster may lack is looked for
 * now and then.
 */
#ifndef REMOTE_KUBE_WATCH_H
#define REMOTE_KUBE_WATCH_H

#include "lease/place.h"
#include "policy/object_form.h"
#include "remote/kube_revision.h"

/* Until fd is closed (0); what is said over it is in policy/feed.h. */
int kube_watch_serve(const struct lease_place *place, int fd, struct error *err) must_check;

/* ---- pure ---- */

/* "/api/v1/pods", "/apis/networking.k8s.io/v1/networkpolicies" */
const char *kube_watch_path(const struct object_kind *kind, struct arena *arena);

struct kube_place {
	char revision
		[KUBE_REVISION_SIZE]; /* where a watch goes on; "" = all must be listed first */
};
enum kube_line {
	KUBE_LINE_NOTHING, /* a bookmark, an object that is none */
	KUBE_LINE_MESSAGE, /* *message is to be sent */
	KUBE_LINE_END,     /* the server ends the watch; the revision says whether it can go on */
};
/* A line of a watch. */
enum kube_line kube_watch_line(struct kube_place *place, const struct object_kind *kind,
			       const char *line, size_t size, struct arena *arena,
			       const char **message);
/* A page of a list: the message, and where the next page begins (NULL = it was the last). */
int kube_watch_page(struct kube_place *place, const struct object_kind *kind,
		    const struct json *page, struct arena *arena, const char **message,
		    const char **next, struct error *err) must_check;

#endif
