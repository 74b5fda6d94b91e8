/*
 * The forms of objects: what is read of each kind, as tables. Pods and nodes have far more fields; who sends objects to a reader
 * (cnibox-store) leaves those away.
 */
#ifndef POLICY_OBJECT_FORM_H
#define POLICY_OBJECT_FORM_H

#include "describe/json.h"
#include "policy/pod.h"

struct object_kind {
	const char *name, *word; /* "Pod"; "pod", for people */
	const char *version;     /* "v1", "networking.k8s.io/v1" */
	const char *plural;      /* in paths and roles */
	bool in_space;
	bool optional; /* a cluster may not have the kind */
	const struct field *kept;
};
extern const struct object_kind object_kinds[]; /* name NULL behind them */
/* "Pod"; NULL = none of ours. */
const struct object_kind *object_kind_find(const char *name);
/* What is kept of an object of that kind, its kind and version in any case; own it. */
struct json *object_trim(const struct object_kind *kind, const struct json *object);

struct object_form {
	const char *version, *kind;
	const char *space, *name;
};
extern const struct field object_form_fields[];

struct node_address {
	const char *ip;
};
struct node_form {
	LIST(struct node_address) addresses;
	struct cidr pod_cidr;
	cidrs_t pod_cidrs;
};
extern const struct field node_form_fields[];

struct pod_ip {
	struct ip ip;
};
typedef LIST(struct pod_ip) pod_ips_t;
struct container_port_form {
	const char *name;
	int number;
	int protocol;
};
struct container {
	LIST(struct container_port_form) ports;
};
struct pod_form {
	const char *node, *phase;
	bool host_network;
	LIST(struct container) containers;
	struct ip ip, host_ip;
	pod_ips_t ips, host_ips;
};
extern const struct field pod_form_fields[];

#endif
