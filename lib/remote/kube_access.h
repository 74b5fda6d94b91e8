/*
 * How to reach a Kubernetes API server, and as whom: a kubeconfig (YAML or JSON), the service account of the pod that this runs
 * in, or a plain URL (flannel.md, sections 3 and 7).
 */
#ifndef REMOTE_KUBE_ACCESS_H
#define REMOTE_KUBE_ACCESS_H

#include "lease/place.h"
#include "remote/http.h"

#define KUBE_SERVICE_ACCOUNT "/var/run/secrets/kubernetes.io/serviceaccount"

struct kube_access {
	const char *server;     /* https://192.0.2.1:6443, no slash behind */
	const char *token;      /* NULL = none */
	const char *token_file; /* to be read for every request, since it is renewed; wins */
	struct http_options tls;
};

/* Of a kubeconfig's text, whose paths are relative to `folder`. Pure. What we do not have (programs that give credentials)
 * is refused with a text that says what else would do. */
int kube_access_parse(const char *text, size_t size, const char *folder, struct arena *arena,
		      struct kube_access *access, struct error *err) must_check;
/* Of the variables that a pod has; host and port NULL: it is none. Pure. */
int kube_access_in_cluster(const char *host, const char *port, struct arena *arena,
			   struct kube_access *access, struct error *err) must_check;
/* As the options say, flannel's order: a kubeconfig, whose server a URL replaces; a URL alone; else the pod's. */
int kube_access_find(const struct lease_place *place, struct arena *arena,
		     struct kube_access *access, struct error *err) must_check;
/* The value of the header Authorization, in the arena; NULL without text = none is needed. */
int kube_access_authorization(const struct kube_access *access, struct arena *arena,
			      const char **value, struct error *err) must_check;

#endif
