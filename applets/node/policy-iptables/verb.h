/*
 * The verbs of policy-iptables: one file each, beside this one. Who adds a verb writes its file, adds it to the list and
 * its options to the struct; the descriptor, ../policy-iptables.c, reads both.
 */
#ifndef POLICY_IPTABLES_VERB_H
#define POLICY_IPTABLES_VERB_H

#include "base/error.h"
#include "base/ip.h"
#include "describe/applet.h"
#include "describe/field.h"

/* Of all verbs; a verb's rows name what it has of them. */
struct options {
	LIST(const char *) files;
	bool json;
	/* explain */
	const char *from, *to, *port;
	/* matrix */
	LIST(const char *) ports;
	LIST(struct ip) addresses;
	bool check;
};

/* clang-format off */
/* name, summary, needs; NAME.c has verb_NAME_fields and verb_NAME(). */
#define VERBS(VERB) \
	VERB(explain, "why policies allow a connection, or do not", NEEDS_NOTHING) \
	VERB(matrix, "all connections of all pods: allowed or not", NEEDS_NOTHING) \
	VERB(lint, "what is wrong with objects, or surely not meant", NEEDS_NOTHING) \
	/* end */
/* clang-format on */

#define VERB_DECLARE(name_, summary_, needs_)              \
	extern const struct field verb_##name_##_fields[]; \
	int verb_##name_(struct invocation *call, void *options, struct error *err);
VERBS(VERB_DECLARE)

/* ---- rows that verbs share ---- */

#define ROW(key_, kind, member, help_, ...)                                                \
	{                                                                                  \
		.key = (key_), .type = (kind), .offset = offsetof(struct options, member), \
		.help = (help_), ##__VA_ARGS__                                             \
	}
#define ROW_WORD(key_, member, help_) \
	ROW(key_, FIELD_STRING, member, help_, .flags = FIELD_POSITIONAL | FIELD_REQUIRED)
#define ROW_FILE                                                                               \
	ROW("file", FIELD_LIST, files,                                                         \
	    "objects as JSON or YAML, a folder of them, or -; repeat for more", .letter = 'f', \
	    .metavar = "FILE", .element = FIELD_PATH, .size = sizeof(char *))
#define ROW_JSON ROW("json", FIELD_BOOL, json, "JSON instead of text", .letter = 'j')

#endif
