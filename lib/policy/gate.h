/*
 * The gate of a node: before a container starts, its CNI plugin asks the agent whether the pod's policies are in force with the
 * addresses that it is about to have. One question and one answer on a connection, as frames of JSON.
 */
#ifndef POLICY_GATE_H
#define POLICY_GATE_H

#include "base/error.h"
#include "describe/field.h"
#include "ipam/lease.h"

#define GATE_SOCKET "/run/cnibox/policy.sock"
enum { GATE_MESSAGE_MAX = 65536 };

struct gate_question {
	const char *container, *space, *name, *uid; /* uid "" = unknown */
	ips_t ips;
	int64_t timeout_ms;
};
struct gate_answer {
	const char *error; /* NULL = it is in force */
};
char *gate_question_text(const struct gate_question *question, struct arena *arena);
int gate_question_parse(const char *text, size_t size, struct arena *arena,
			struct gate_question *question, struct error *err) must_check;
char *gate_answer_text(const struct gate_answer *answer, struct arena *arena);
/* 0 when it is in force; otherwise the error is the agent's (-EACCES), or says what is wrong with the answer. */
int gate_answer_parse(const char *text, size_t size, struct error *err) must_check;

/* Ask, and wait until it is in force; an agent that is not there, or ends, is asked again until the time is over. The error is the
 * agent's (-EACCES), or says why there is none. */
int gate_ask(const char *socket, const struct gate_question *question,
	     struct error *err) must_check;

#endif
