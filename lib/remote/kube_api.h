/* Requests to a Kubernetes API server: where, as whom, and what a refusal means. */
#ifndef REMOTE_KUBE_API_H
#define REMOTE_KUBE_API_H

#include "describe/json.h"
#include "remote/http.h"
#include "remote/kube_access.h"
#include "remote/kube_status.h"

struct kube_api {
	struct arena arena;
	struct kube_access access;
	struct http *http;
};
/* Fails only for what cannot be right; nothing is sent. */
int kube_api_open(struct kube_api *api, const struct lease_place *place,
		  struct error *err) must_check;
void kube_api_close(struct kube_api *api);

struct kube_call {
	struct kube_action action;
	const char *path;  /* "/api/v1/nodes" and the query */
	const char *patch; /* a strategic merge patch; NULL = only read */
};
/* *reply is the caller's. Errors as in kube_status.h, and those of http.h. */
int kube_api_call(struct kube_api *api, const struct kube_call *call, struct json **reply,
		  struct error *err) must_check;
/* A watch of this path from that revision on, which has been let in: its lines are events. It is not for ever, and not for as long
 * on all nodes. */
int kube_api_watch(struct kube_api *api, const struct kube_call *call, const char *revision,
		   struct http_stream **stream, struct error *err) must_check;
enum {
	KUBE_SILENCE_MS = 180000
}; /* longer than a server is silent: it sends a bookmark each minute */

/* When to try again, after one more failure: attempts are further and further apart, and not the same on all nodes. 0 = no failure yet. */
unsigned kube_next_pause(unsigned *pause_ms);

#endif
