/* See matrix.h. */
#include "policy/matrix.h"

#define DEFAULT_PORT 80 /* where neither a container nor a policy has one */

void matrix_init(struct matrix *matrix, const struct world *world, struct arena *arena)
{
	*matrix = (struct matrix){ .world = world, .arena = arena };
	list_each(pod, &world->pods)
		if (!pod->finished)
			*list_add(arena, &matrix->ends) = end_of_pod(world, pod, arena);
}

void matrix_add_ip(struct matrix *matrix, const struct ip *ip)
{
	*list_add(matrix->arena, &matrix->ends) = end_of_ip(matrix->world, ip, matrix->arena);
}

/* ---- ports ---- */

static void add_port(struct arena *arena, matrix_ports_t *ports, enum protocol protocol,
		     uint16_t port)
{
	list_each(have, ports)
		if (have->protocol == protocol && have->port == port)
			return;
	*list_add(arena, ports) = (struct matrix_port){ protocol, port };
}

static void find_ports(struct matrix *matrix, const struct rule *rule)
{
	list_each(port, &rule->ports)
		if (port->first)
			add_port(matrix->arena, &matrix->named, port->protocol, port->first);
}

static void find_named(struct matrix *matrix)
{
	const struct world *world = matrix->world;

	for (int direction = 0; direction < DIRECTIONS; direction++) {
		list_each(policy, &world->policies)
			list_each(rule, &policy->rules[direction])
				find_ports(matrix, rule);
		list_each(policy, &world->clusters)
			list_each(rule, &policy->rules[direction])
				find_ports(matrix, &rule->match);
	}
	if (!matrix->named.n)
		add_port(matrix->arena, &matrix->named, PROTOCOL_TCP, DEFAULT_PORT);
}

static matrix_ports_t ports_of(const struct matrix *matrix, const struct end *to,
			       struct arena *arena)
{
	matrix_ports_t ports = { 0 };

	if (matrix->ports.n)
		return matrix->ports;
	if (!to->pod || !to->pod->ports.n)
		return matrix->named;
	list_each(port, &to->pod->ports)
		add_port(arena, &ports, port->protocol, port->port);
	return ports;
}

/* ---- what is compiled ---- */

static const struct compiled *compiled_for(struct matrix *matrix, symbol_t node)
{
	struct compiled *made;

	list_each(compiled, &matrix->nodes)
		if (compiled->node == node)
			return compiled;
	made = list_add(matrix->arena, &matrix->nodes);
	compile(matrix->world, node, matrix->arena, made);
	return made;
}

struct packet packet_on_node(const struct world *world, symbol_t node,
			     const struct connection *connection)
{
	return (struct packet){
		.from = connection->from.ip,
		.to = connection->to.ip,
		.protocol = connection->protocol,
		.port = connection->port,
		.own = node_has_ip(world, node, &connection->from.ip) ||
		       node_has_ip(world, node, &connection->to.ip),
	};
}

static bool passes(struct matrix *matrix, symbol_t node, const struct connection *connection)
{
	const struct packet packet = packet_on_node(matrix->world, node, connection);

	return compiled_allows(compiled_for(matrix, node), &packet);
}

static bool passes_nodes(struct matrix *matrix, const struct connection *connection)
{
	const struct pod *from = connection->from.pod, *to = connection->to.pod;

	return (!from || passes(matrix, from->node, connection)) &&
	       (!to || passes(matrix, to->node, connection));
}

/* ---- the table ---- */

static void run_cell(struct matrix *matrix, struct cell *cell)
{
	cell->n = end_connections(cell->from, cell->to, cell->port.protocol, cell->port.port,
				  cell->connections);
	for (size_t i = 0; i < cell->n && !matrix->unasked; i++) {
		const struct connection *connection = &cell->connections[i];
		struct verdict verdict;

		verdict_of(matrix->world, connection, &verdict);
		cell->allowed[i] = verdict.allowed;
		cell->differs[i] = matrix->check && connection->from.ip.family &&
				   passes_nodes(matrix, connection) != cell->allowed[i];
	}
}

static bool is_local(const struct matrix *matrix, const struct end *end)
{
	return end->pod && end->pod->node == matrix->node;
}

static void run_pair(struct matrix *matrix, const struct end *from, const struct end *to,
		     const matrix_ports_t *ports, cell_fn *fn, void *arg)
{
	if (!from->pod && !to->pod)
		return; /* nobody's business here */
	if (matrix->on_node && !is_local(matrix, from) && !is_local(matrix, to))
		return;
	list_each(port, ports) {
		struct cell cell = { .from = from, .to = to, .port = *port };

		run_cell(matrix, &cell);
		fn(arg, &cell);
	}
}

void matrix_run(struct matrix *matrix, cell_fn *fn, void *arg)
{
	LIST(matrix_ports_t) ports = { 0 };

	find_named(matrix);
	list_each(to, &matrix->ends)
		*list_add(matrix->arena, &ports) = ports_of(matrix, to, matrix->arena);
	list_each(from, &matrix->ends)
		for (size_t i = 0; i < ports.n; i++)
			run_pair(matrix, from, &matrix->ends.items[i], &ports.items[i], fn, arg);
}
