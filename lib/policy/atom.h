/*
 * Atoms: what the rules of a group of pods come to when they are taken apart, one destination port and one kind of peer
 * each. In order, those of one port stand together, and anybody behind the others.
 */
#ifndef POLICY_ATOM_H
#define POLICY_ATOM_H

#include "policy/compiled.h"

enum port_kind { PORT_ALL, PORT_PROTOCOL, PORT_RANGE, PORT_NAME };

struct port_spec {
	enum port_kind kind;
	enum protocol protocol;
	uint16_t first, last;
	symbol_t name;
};

struct atom {
	struct port_spec port;
	uint32_t peers; /* a set; NO_SET: anybody */
};
typedef LIST(struct atom) atoms_t;

/* Those of a rule. Sets of its peers are made in compiled. */
void atoms_add_rule(const struct world *world, struct compiled *compiled, const struct rule *rule,
		    struct arena *arena, atoms_t *atoms);
/* When all are there: in order, each once. */
void atoms_finish(atoms_t *atoms);
/* What they say, the same whatever pods there are and in which order sets were made: a hash. */
const char *atoms_hash(const struct world *world, const struct compiled *compiled,
		       const atoms_t *atoms, struct arena *arena);
bool port_spec_equal(const struct port_spec *a, const struct port_spec *b);

#endif
