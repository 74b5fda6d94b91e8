/* One call: the objects that its options name, and what is wrong with them. */
#ifndef POLICY_IPTABLES_SESSION_H
#define POLICY_IPTABLES_SESSION_H

#include "policy/matrix.h"
#include "verb.h"

struct problem {
	const char *severity, *object, *text;
};

struct session {
	struct invocation *call;
	struct world world;
	LIST(struct problem) problems;
	unsigned n_errors; /* among them */
};

extern const struct field problem_fields[];

/* An object_report_fn, whose arg is a session: it adds to the problems. */
void session_report(void *arg, bool is_error, const char *object, const char *text);
/* Reads and indexes. Refused objects are not in the world; their number, or an error. */
int session_load(struct session *session, struct invocation *call, const struct options *options,
		 struct error *err) must_check;
/* Where all objects have to be right: one that is refused is an error. Errors are said on standard error. */
int session_load_all(struct session *session, struct invocation *call,
		     const struct options *options, struct error *err) must_check;
/* --port, as the matrix's ports. */
int session_ports(const struct options *options, struct matrix *matrix,
		  struct error *err) must_check;
void print_json(struct invocation *call, const struct field *fields, const void *record);

#endif
