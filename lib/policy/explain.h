/*
 * Explanations: for one connection, which policies are asked, which rule decides, and why each of the others does not. The
 * structs are made for people and for JSON (explanation_fields).
 */
#ifndef POLICY_EXPLAIN_H
#define POLICY_EXPLAIN_H

#include "base/text.h"
#include "describe/field.h"
#include "policy/decide.h"
#include "policy/verdict.h"

struct rule_word {
	const char *rule; /* "ingress[0]" */
	bool allows;
	words_t why; /* not: what does not fit, all of it */
};

struct policy_word {
	const char *policy; /* "namespace/name" */
	bool allows;
	const char *why; /* it allows nothing: it has no rules */
	LIST(struct rule_word) rules;
};

struct cluster_rule_word {
	const char *rule, *name, *action;
	bool holds;
	words_t why; /* not, or why it fails closed */
};

/* Down to the rule that decides. */
struct cluster_word {
	const char *policy, *tier;
	int priority;
	LIST(struct cluster_rule_word) rules;
};

/* Where a node has the answer: names without what a back end adds. */
struct chain_word {
	const char *node, *chain, *comment;
	const char *part;    /* of the group: "Admin", "NetworkPolicies", "Baseline" */
	int clause;          /* of the part, from 1; 0: its end, where no clause holds */
	words_t sets;        /* of the clause */
	const char *backend; /* whose names the sets have; NULL: as they are compiled */
};

struct side_word {
	bool isolated, allowed;
	const char *
		decided; /* by "Admin:name ingress[0]", "namespace/name ingress[0]"; NULL: by no rule */
	LIST(struct cluster_word) clusters; /* that are asked; those of tier Admin come first */
	LIST(struct policy_word) policies;  /* that isolate; none when tier Admin decides */
	bool chained;                       /* there is a chain: explain_chain() */
	struct chain_word chain;
};

struct explanation {
	const char *family; /* "IPv4", "IPv6"; NULL: an end has no address */
	const char *from_ip, *to_ip;
	bool allowed;
	const char *reason; /* no policy was asked */
	struct side_word egress, ingress;
};

extern const struct field explanation_fields[];

void explain(const struct world *world, const struct connection *connection, struct arena *arena,
	     struct explanation *explanation);
/* Adds where the node of the direction's subject has it, in whose compiled form it is looked up. */
void explain_chain(const struct world *world, const struct compiled *compiled,
		   enum direction direction, const struct connection *connection,
		   struct arena *arena, struct explanation *explanation);
/* "TCP 80-90", "UDP dns" */
const char *port_text(const struct world *world, const struct port_match *match,
		      struct arena *arena);
/* "podSelector app=web in namespaceSelector team=a", "ipBlock 10.0.0.0/8" */
const char *peer_text(const struct world *world, const struct peer *peer, struct arena *arena);
/* "pods app=web in namespaces team=a", "networks 10.0.0.0/8" */
const char *cluster_peer_text(const struct world *world, const struct peer *peer,
			      struct arena *arena);

#endif
