/*
 * The form of a ClusterNetworkPolicy: what JSON is decoded into. Peers and protocols are decoded one by one, when the rule
 * that they are in is read (cluster_read.c).
 */
#ifndef POLICY_CLUSTER_FORM_H
#define POLICY_CLUSTER_FORM_H

#include "policy/policy_form.h"

struct pods_form {
	bool given;
	struct selector_form spaces, pods;
};

struct cluster_peer_form {
	struct selector_form spaces, nodes;
	struct pods_form pods;
	bool has_networks, has_domains;
	LIST(const char *) networks, domains;
};

struct range_form {
	bool given;
	int start, end;
};

struct number_form {
	bool given, numbered;
	int number;
	struct range_form range;
};

struct protocol_form {
	bool given;
	struct number_form port;
};

struct protocols_form {
	struct protocol_form by[PROTOCOL_OTHER];
	const char *name;
};

typedef LIST(struct json *) values_t;

struct cluster_rule_form {
	const char *name;
	int action;
	values_t peers, protocols;
	bool has_protocols;
};

struct cluster_form {
	int tier, priority;
	struct {
		struct selector_form spaces;
		struct pods_form pods;
	} subject;
	LIST(struct cluster_rule_form) rules[DIRECTIONS];
	struct json *unread;
};

extern const struct field cluster_form_fields[], protocols_form_fields[];
extern const struct field *const cluster_peer_fields[]; /* by direction */

#endif
