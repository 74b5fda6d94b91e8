/*
 * The form of a NetworkPolicy: what JSON is decoded into, words as they stand in the document. policy.c makes a policy
 * of it. Selectors are the same in a ClusterNetworkPolicy (cluster_read.c).
 */
#ifndef POLICY_POLICY_FORM_H
#define POLICY_POLICY_FORM_H

#include "describe/path.h"
#include "policy/object.h"

/* Paths below a path. */
#define NODE(parent_, key_)                        \
	&(struct path)                             \
	{                                          \
		.parent = (parent_), .key = (key_) \
	}
#define ITEM(parent_, i)                          \
	&(struct path)                            \
	{                                         \
		.parent = (parent_), .index = (i) \
	}

struct requirement_form {
	const char *key, *op;
	LIST(const char *) values;
};

struct selector_form {
	bool given;
	struct json *labels;
	LIST(struct requirement_form) expressions;
};

struct port_form {
	const char *protocol;
	struct json *port, *end;
};

struct block_form {
	bool given;
	const char *cidr;
	LIST(const char *) except;
};

struct peer_form {
	struct selector_form pods, spaces;
	struct block_form block;
};

struct rule_form {
	LIST(struct port_form) ports;
	LIST(struct peer_form) peers;
};

struct policy_form {
	struct selector_form pods;
	LIST(const char *) types;
	LIST(struct rule_form) rules[DIRECTIONS];
	bool given[DIRECTIONS];
	struct json *unread;
};

extern const struct field policy_form_fields[], selector_form_fields[];

void selector_read(struct reader *reader, const struct path *path, const struct selector_form *form,
		   struct selector *selector);

#endif
