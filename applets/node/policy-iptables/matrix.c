/* matrix: the truth table of all pods. */
#include "policy/matrix.h"
#include "session.h"

#include <errno.h>

const struct field verb_matrix_fields[] = {
	ROW_FILE,
	ROW_PORTS,
	ROW_ADDRESSES,
	ROW("check", FIELD_BOOL, check,
	    "ask the rules compiled for the nodes, too: both must agree"),
	ROW_JSON,
	FIELDS_END,
};

struct table {
	FILE *out;
	bool json;
	int width; /* of an end's name */
	size_t n, n_different;
};

static const char *cell_word(const struct cell *cell)
{
	if (!cell->n)
		return "no address family in common";
	if (cell->n == 1 || cell->allowed[0] == cell->allowed[1])
		return cell->allowed[0] ? "allow" : "deny";
	return cell->allowed[0] ? "IPv4 only" : "IPv6 only";
}

/* Names and addresses hold nothing that JSON would have to escape. */
static void print_json_cell(struct table *table, const struct cell *cell)
{
	bool allowed = cell->n && cell->allowed[0] && (cell->n == 1 || cell->allowed[1]);

	fprintf(table->out,
		"%s{\"from\":\"%s\",\"to\":\"%s\",\"port\":%u,\"protocol\":\"%s\",\"allowed\":%s",
		table->n ? ",\n" : "", cell->from->text, cell->to->text, cell->port.port,
		protocol_names[cell->port.protocol], allowed ? "true" : "false");
	for (size_t i = 0; i < cell->n; i++)
		if (cell->connections[i].from.ip.family)
			fprintf(table->out, ",\"%s\":%s",
				ip_size(&cell->connections[i].from.ip) == 4 ? "ipv4" : "ipv6",
				cell->allowed[i] ? "true" : "false");
	fputc('}', table->out);
}

static void print_cell(void *arg, const struct cell *cell)
{
	struct table *table = arg;

	if (table->json)
		print_json_cell(table, cell);
	else
		fprintf(table->out, "%-*s  %-*s  %s %-5u  %s\n", table->width, cell->from->text,
			table->width, cell->to->text, protocol_names[cell->port.protocol],
			cell->port.port, cell_word(cell));
	table->n++;
	if (cell->differs[0] || cell->differs[1]) {
		table->n_different++;
		fprintf(stderr, "%s -> %s, %s %u: what is compiled says otherwise\n",
			cell->from->text, cell->to->text, protocol_names[cell->port.protocol],
			cell->port.port);
	}
}

static int prepare_matrix(struct matrix *matrix, const struct session *session,
			  const struct options *options, struct error *err)
{
	matrix_init(matrix, &session->world, session->call->arena);
	matrix->check = options->check;
	list_each(ip, &options->addresses)
		matrix_add_ip(matrix, ip);
	return session_ports(options, matrix, err);
}

int verb_matrix(struct invocation *call, void *options_, struct error *err)
{
	const struct options *options = options_;
	struct table table = { .out = call->out, .json = options->json };
	struct session session;
	struct matrix matrix;
	int r = session_load_all(&session, call, options, err);

	if (r >= 0)
		r = prepare_matrix(&matrix, &session, options, err);
	if (r < 0)
		return r;
	list_each(end, &matrix.ends)
		if ((int)strlen(end->text) > table.width)
			table.width = (int)strlen(end->text);
	call_step(call, NULL);
	if (options->json)
		fprintf(call->out, "[");
	matrix_run(&matrix, print_cell, &table);
	if (options->json)
		fprintf(call->out, "]\n");
	if (table.n_different)
		return fail(err, EUCLEAN, "%zu answers of what is compiled are wrong",
			    table.n_different);
	return 0;
}
