/* The truth table: every pod to every pod, and to and from addresses of the outside, port by port. */
#ifndef POLICY_MATRIX_H
#define POLICY_MATRIX_H

#include "policy/compiled.h"
#include "policy/end.h"

struct matrix_port {
	enum protocol protocol;
	uint16_t port;
};
typedef LIST(struct matrix_port) matrix_ports_t;

struct cell {
	const struct end *from, *to;
	struct matrix_port port;
	size_t n; /* connections: one for each family in common, 0 = none */
	struct connection connections[2];
	bool allowed[2];
	bool differs[2]; /* check: what is compiled says otherwise */
};
typedef void cell_fn(void *arg, const struct cell *cell);

struct matrix {
	const struct world *world;
	struct arena *arena;
	LIST(struct end) ends;
	matrix_ports_t
		ports; /* none: those that the destination's containers have, or else that policies name */
	bool check;   /* ask what is compiled for the nodes, too */
	bool on_node; /* only connections with an end that is a pod of `node` */
	symbol_t node;
	bool unasked; /* no verdicts: whoever walks the cells has others to ask */
	/* inside */
	matrix_ports_t named; /* by policies */
	LIST(struct compiled) nodes;
};

/* All pods that have not finished, in the order of the objects. */
void matrix_init(struct matrix *matrix, const struct world *world, struct arena *arena);
void matrix_add_ip(struct matrix *matrix, const struct ip *ip);
void matrix_run(struct matrix *matrix, cell_fn *fn, void *arg);
/* The connection's first packet as a node sees it: the other end may be the node itself. */
struct packet packet_on_node(const struct world *world, symbol_t node,
			     const struct connection *connection);

#endif
