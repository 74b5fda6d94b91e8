/* What an API server's refusal means, in words that help: pure. */
#ifndef REMOTE_KUBE_STATUS_H
#define REMOTE_KUBE_STATUS_H

#include "base/error.h"

/* What was asked, as a role has it: verb "patch" of "nodes/status". */
struct kube_action {
	const char *verb, *resource;
};

/*
 * The error of a reply whose status is none of success; body is a Status object, or a proxy's page. 403: -EACCES, with the rule
 * that the role lacks; 401: -EPERM; 404: -ENOENT; 409: -EEXIST; 410 (the history is gone: list again): -ESTALE; others: -EIO.
 */
int kube_status_fail(long status, const char *body, size_t size, const struct kube_action *action,
		     struct error *err);

#endif
