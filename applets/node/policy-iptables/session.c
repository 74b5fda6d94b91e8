/* The objects of a call. */
#include "session.h"

#include "describe/json.h"
#include "policy/end.h"
#include "policy/input.h"
#include "policy/limit.h"

#include <errno.h>

const struct field problem_fields[] = {
	{ "severity", FIELD_STRING, offsetof(struct problem, severity) },
	{ "object", FIELD_STRING, offsetof(struct problem, object) },
	{ "problem", FIELD_STRING, offsetof(struct problem, text) },
	FIELDS_END,
};

void session_report(void *arg, bool is_error, const char *object, const char *text)
{
	struct session *session = arg;
	struct arena *arena = session->call->arena;

	session->n_errors += is_error;
	*list_add(arena, &session->problems) = (struct problem){
		.severity = is_error ? "error" : "warning",
		.object = arena_strdup(arena, object),
		.text = arena_strdup(arena, text),
	};
}

int session_load(struct session *session, struct invocation *call, const struct options *options,
		 struct error *err)
{
	struct reader reader = { &session->world, session_report, session };

	*session = (struct session){ .call = call };
	world_init(&session->world, call->arena);
	if (!options->files.n)
		return fail(err, USAGE_ERROR, "name the objects: --file FILE, or --file -");
	call_step(call, "reading the objects");
	list_each(file, &options->files)
		if (input_read(*file, &reader, err) < 0)
			return -err->errnum;
	world_index(&session->world);
	call_step(call, NULL);
	limit_report(&session->world, session_report, session);
	return (int)reader.n_refused;
}

int session_load_all(struct session *session, struct invocation *call,
		     const struct options *options, struct error *err)
{
	int r = session_load(session, call, options, err);

	if (r < 0)
		return r;
	list_each(problem, &session->problems)
		if (streq(problem->severity, "error"))
			fprintf(stderr, "%s: %s\n", problem->object, problem->text);
	return r ? fail(err, EINVAL, "%d object%s refused", r, r == 1 ? "" : "s") : 0;
}

int session_ports(const struct options *options, struct matrix *matrix, struct error *err)
{
	list_each(word, &options->ports) {
		struct matrix_port *port = list_add(matrix->arena, &matrix->ports);

		if (end_port(*word, &port->protocol, &port->port, err) < 0)
			return -USAGE_ERROR;
	}
	return 0;
}

void print_json(struct invocation *call, const struct field *fields, const void *record)
{
	auto_json struct json *json = json_encode(fields, record);

	fprintf(call->out, "%s\n", json_text(json, JSON_STYLE_INDENT, call->arena));
}
