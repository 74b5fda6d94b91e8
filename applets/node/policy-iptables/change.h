/* What changes, in words: for people, and as JSON. */
#ifndef POLICY_IPTABLES_CHANGE_H
#define POLICY_IPTABLES_CHANGE_H

#include "base/text.h"
#include "job.h"

#define CONNECTIONS_SHOWN 50     /* to people */
#define CONNECTIONS_MAX   100000 /* to programs */
#define STATUS_DIFFERS    3      /* exit status: not the same */

struct thing_change {
	const char *name, *change; /* "new", "changed", "gone" */
	const char *comment;
	words_t more, gone; /* elements of a set */
};
typedef LIST(struct thing_change) thing_changes_t;

struct connection_change {
	const char *from, *to, *protocol, *family;
	int port;
	bool allowed;
};
typedef LIST(struct connection_change) connection_changes_t;

struct change {
	const char *backend, *node;
	bool changed;   /* anything at all */
	bool rewritten; /* what stands around chains and sets: hooks, treatment, closed addresses */
	thing_changes_t chains, sets;
	LIST(struct damage) damages;
	words_t removed; /* other back ends that have something of ours */
	connection_changes_t connections;
	int64_t denied, allowed; /* of all connections that were looked at */
	int64_t cut;
};

extern const struct field change_fields[], damage_fields[], connection_fields[];

void change_of(const struct job *job, const rivals_t *rivals, struct change *change);
void change_connections(const struct flips *flips, struct arena *arena,
			connection_changes_t *connections);
/* One line each: "+ chain CNIBOX-IN-…  ingress by default/deny", "~ set …: +10.0.0.1". */
void change_print(FILE *out, const struct change *change);
/* "default/a -> default/b, TCP 80, IPv4: would be denied"; the first of n */
void change_print_connections(FILE *out, const connection_changes_t *connections, int64_t n,
			      const char *allowed, const char *denied);
/* In a line: "chains +1 ~0 -0, sets +2 ~1 -0, elements +3 -0". */
void change_print_sum(FILE *out, const struct change *change);

#endif
