/*
 * Path: a packet followed through the namespaces of this node, hop by hop, by what the kernel says and has: routes are
 * asked for, links, neighbours, forwarding entries and filters are read. Nothing is sent and nothing is changed. The first
 * thing that would stop the packet ends the walk; when it arrives, the answer is followed back.
 */
#ifndef NODE_PATH_H
#define NODE_PATH_H

#include "agent/peers.h"
#include "describe/field.h"
#include "node/filter.h"
#include "node/scene.h"

#include <stdio.h>

enum path_level {
	PATH_FACT,
	PATH_NOTE,  /* unusual, but not in the way */
	PATH_LARGE, /* in the way of large packets */
	PATH_STOP,
};

struct path_fact {
	const char *what, *text;
	int level;
	const char *why, *remedy; /* NULL = nothing to say */
};

struct path_hop {
	const char *place, *device;
	bool answer; /* on the way back */
	LIST(struct path_fact) facts;
};

struct path {
	int version; /* of this form: PATH_VERSION */
	const char *from, *to;
	const char *protocol; /* "TCP"; NULL = none given */
	uint16_t port;
	LIST(struct path_hop) hops;
	bool stopped;         /* by the last fact */
	bool arrives, leaves; /* at its destination; for another node, or the outside */
	const char *verdict;  /* in a sentence */
	const char *token;    /* to go on with on the next node; NULL = the path ends here */
	int mtu;              /* what fits through, as far as it was followed */
};
enum { PATH_VERSION = 1 };
extern const struct field path_fields[];

struct path_query {
	const char *from, *to;
	uint8_t protocol;
	uint16_t port;
	const char *token;          /* instead of from and to */
	const peer_states_t *peers; /* how other nodes are reached; NULL = nothing is known */
};

/* -ENOENT and -EINVAL with words for ends that do not exist or make no sense; what stops the packet is no error. */
int path_follow(struct scene *scene, const struct path_query *query, struct path *path,
		struct error *err) must_check;
void path_print(FILE *out, const struct path *path, bool colour);

#endif
