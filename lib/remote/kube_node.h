/*
 * A node of Kubernetes as a lease: its podCIDRs are the subnets, its annotations the rest, flannel's names and texts (flannel.md,
 * section 3). Pure.
 */
#ifndef REMOTE_KUBE_NODE_H
#define REMOTE_KUBE_NODE_H

#include "describe/json.h"
#include "lease/subnet.h"

/* What annotations begin with, by the option's word, as flannel completes it: "a.b" is "a.b/", "a.b/c" is "a.b/c-". */
int kube_prefix(const char *word, struct arena *arena, const char **prefix,
		struct error *err) must_check;

struct kube_node {
	const char *name;
	struct cidr subnet, subnet6; /* family 0 = not assigned */
	bool odd;                    /* its podCIDRs are none */
	/* A lease's value (lease/subnet.h), made of its annotations; NULL = it takes no part. What is wrong with one annotation is
	 * wrong with the value: who reads it will see. */
	const char *value;
};

/* What an object says, prefix being that of annotations. Strings go to the arena. -EINVAL: it is no node. */
int kube_node_read(const struct json *object, const char *prefix, struct arena *arena,
		   struct kube_node *node, struct error *err) must_check;

/* What this node's own object says beyond that. Family 0 = not said, or no address. */
struct kube_own {
	struct ip overwrite, overwrite6; /* told to peers instead of what was found */
	struct ip public_ip, public_ip6; /* as if --public-ip were given */
	bool up;                         /* NetworkUnavailable is False, by flannel's word */
};
struct kube_own kube_own_read(const struct json *object, const char *prefix);

/* Patches of a node's status, in the arena: the annotations of a lease's value (NULL = none any more), those that are not its
 * taken away; and the condition that pods are waiting for, `now` being RFC 3339. */
const char *kube_node_patch(const char *value, const char *prefix, struct arena *arena);
const char *kube_node_up_patch(const char *now, struct arena *arena);

#endif
