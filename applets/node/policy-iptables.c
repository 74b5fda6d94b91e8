/*
 * policy-iptables: Kubernetes NetworkPolicies. These verbs work from files alone: which connections policies allow and
 * why, all of them as a table, and what in the objects is wrong or surely not meant.
 */
#include "describe/applet.h"
#include "describe/json.h"
#include "describe/table.h"
#include "policy/end.h"
#include "policy/explain.h"
#include "policy/input.h"
#include "policy/lint.h"
#include "policy/matrix.h"

#include <errno.h>

struct options {
	LIST(const char *) files;
	const char *from, *to, *port;
	LIST(const char *) ports;
	LIST(struct ip) addresses;
	bool check, json;
};

/* clang-format off */
#define ROW(key_, kind, member, help_, ...) \
	{ .key = (key_), .type = (kind), .offset = offsetof(struct options, member), \
	  .help = (help_), ##__VA_ARGS__ }
#define ROW_FILE \
	ROW("file", FIELD_LIST, files, "objects as JSON or YAML, a folder of them, or -; repeat for more", \
	    .letter = 'f', .metavar = "FILE", .element = FIELD_PATH, .size = sizeof(char *))
#define ROW_JSON ROW("json", FIELD_BOOL, json, "JSON instead of text", .letter = 'j')
#define ROW_WORD(key_, member, help_) \
	ROW(key_, FIELD_STRING, member, help_, .flags = FIELD_POSITIONAL | FIELD_REQUIRED)

static const struct field explain_fields[] = {
	ROW_WORD("from", from, "pod as [NAMESPACE/]NAME, or an address"),
	ROW_WORD("to", to, "pod as [NAMESPACE/]NAME, or an address"),
	ROW_WORD("port", port, "PORT, or PORT/PROTOCOL: tcp, udp or sctp"),
	ROW_FILE, ROW_JSON, FIELDS_END
};
static const struct field matrix_fields[] = {
	ROW_FILE,
	ROW("port", FIELD_LIST, ports, "PORT[/PROTOCOL] to ask for; unset: those that containers have",
	    .letter = 'p', .metavar = "PORT", .element = FIELD_STRING, .size = sizeof(char *)),
	ROW("address", FIELD_LIST, addresses, "an address of the outside or a node, as one more end",
	    .letter = 'a', .element = FIELD_IP, .size = sizeof(struct ip)),
	ROW("check", FIELD_BOOL, check, "ask the rules compiled for the nodes, too: both must agree"),
	ROW_JSON, FIELDS_END
};
static const struct field lint_fields[] = { ROW_FILE, ROW_JSON, FIELDS_END };
/* clang-format on */

/* ---- the objects ---- */

struct problem {
	const char *severity, *object, *text;
};
typedef LIST(struct problem) problems_t;

static const struct field problem_fields[] = {
	{ "severity", FIELD_STRING, offsetof(struct problem, severity) },
	{ "object", FIELD_STRING, offsetof(struct problem, object) },
	{ "problem", FIELD_STRING, offsetof(struct problem, text) },
	FIELDS_END,
};

struct session {
	struct invocation *call;
	struct world world;
	problems_t problems;
	unsigned n_errors;
};

static void keep_problem(void *arg, bool is_error, const char *object, const char *text)
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

/* Refused objects are not in the world; their number. */
static int load(struct session *session, struct invocation *call, const struct options *options,
		struct error *err)
{
	struct reader reader = { &session->world, keep_problem, session };

	*session = (struct session){ .call = call };
	world_init(&session->world, call->arena);
	if (!options->files.n)
		return fail(err, USAGE_ERROR, "name the objects: --file FILE, or --file -");
	list_each(file, &options->files)
		if (input_read(*file, &reader, err) < 0)
			return -err->errnum;
	world_index(&session->world);
	return (int)reader.n_refused;
}

/* For answers, the objects have to be right. */
static int load_all(struct session *session, struct invocation *call, const struct options *options,
		    struct error *err)
{
	int r = load(session, call, options, err);

	if (r <= 0)
		return r;
	list_each(problem, &session->problems)
		if (streq(problem->severity, "error"))
			fprintf(stderr, "%s: %s\n", problem->object, problem->text);
	return fail(err, EINVAL, "%d object%s refused", r, r == 1 ? "" : "s");
}

/* ---- explain ---- */

typedef LIST(struct explanation) explanations_t;

struct answer {
	const char *from, *to, *protocol;
	int port;
	bool allowed;
	explanations_t families;
};

static const struct field answer_fields[] = {
	{ "from", FIELD_STRING, offsetof(struct answer, from) },
	{ "to", FIELD_STRING, offsetof(struct answer, to) },
	{ "port", FIELD_INT, offsetof(struct answer, port) },
	{ "protocol", FIELD_STRING, offsetof(struct answer, protocol) },
	{ "allowed", FIELD_BOOL, offsetof(struct answer, allowed), FIELD_KEEP_EMPTY },
	{ "families", FIELD_LIST, offsetof(struct answer, families), FIELD_KEEP_EMPTY,
	  .element = FIELD_OBJECT, .fields = explanation_fields,
	  .size = sizeof(struct explanation) },
	FIELDS_END,
};

static void print_policy(FILE *out, const struct policy_word *policy)
{
	if (policy->why)
		fprintf(out, "    %s: %s\n", policy->policy, policy->why);
	list_each(rule, &policy->rules) {
		fprintf(out, "    %s %s %s\n", policy->policy, rule->rule,
			rule->allows ? "allows it" : "does not fit:");
		list_each(why, &rule->why)
			fprintf(out, "      %s\n", *why);
	}
}

static void print_side(FILE *out, const char *direction, const char *end,
		       const struct side_word *side)
{
	fprintf(out, "  %s %s: %s\n", direction, end,
		!side->isolated ? "allowed, no policy isolates it"
		: side->allowed ? "allowed"
				: "denied");
	list_each(policy, &side->policies)
		print_policy(out, policy);
}

static void print_explanation(FILE *out, const struct answer *answer,
			      const struct explanation *explanation)
{
	fprintf(out, "%s -> %s, %s %d", answer->from, answer->to, answer->protocol, answer->port);
	if (explanation->family)
		fprintf(out, ", %s", explanation->family);
	fprintf(out, ": %s\n", explanation->allowed ? "allowed" : "denied");
	if (explanation->reason) {
		fprintf(out, "  %s\n", explanation->reason);
		return;
	}
	print_side(out, "egress of", answer->from, &explanation->egress);
	print_side(out, "ingress to", answer->to, &explanation->ingress);
}

static int make_answer(const struct session *session, const struct options *options,
		       struct answer *answer, struct error *err)
{
	struct arena *arena = session->call->arena;
	struct connection connections[2];
	enum protocol protocol;
	struct end from, to;
	uint16_t port;
	size_t n;

	if (end_port(options->port, &protocol, &port, err) < 0)
		return -USAGE_ERROR;
	if (end_find(&session->world, options->from, arena, &from, err) < 0 ||
	    end_find(&session->world, options->to, arena, &to, err) < 0)
		return -err->errnum;
	n = end_connections(&from, &to, protocol, port, connections);
	if (!n)
		return fail(err, EAFNOSUPPORT, "%s and %s have no address family in common",
			    from.text, to.text);
	*answer = (struct answer){ .from = from.text,
				   .to = to.text,
				   .protocol = protocol_names[protocol],
				   .port = port,
				   .allowed = true };
	for (size_t i = 0; i < n; i++) {
		struct explanation *explanation = list_add(arena, &answer->families);

		explain(&session->world, &connections[i], arena, explanation);
		answer->allowed = answer->allowed && explanation->allowed;
	}
	return 0;
}

static void print_json(struct invocation *call, const struct field *fields, const void *record)
{
	auto_json struct json *json = json_encode(fields, record);

	fprintf(call->out, "%s\n", json_text(json, JSON_STYLE_INDENT, call->arena));
}

static int run_explain(struct invocation *call, void *options_, struct error *err)
{
	const struct options *options = options_;
	struct session session;
	struct answer answer = { 0 };
	int r = load_all(&session, call, options, err);

	if (r >= 0)
		r = make_answer(&session, options, &answer, err);
	if (r < 0)
		return r;
	if (options->json)
		print_json(call, answer_fields, &answer);
	else
		list_each(explanation, &answer.families)
			print_explanation(call->out, &answer, explanation);
	return 0;
}

/* ---- matrix ---- */

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
	struct arena *arena = session->call->arena;

	matrix_init(matrix, &session->world, arena);
	matrix->check = options->check;
	list_each(ip, &options->addresses)
		matrix_add_ip(matrix, ip);
	list_each(word, &options->ports) {
		struct matrix_port *port = list_add(arena, &matrix->ports);

		if (end_port(*word, &port->protocol, &port->port, err) < 0)
			return -USAGE_ERROR;
	}
	return 0;
}

static int run_matrix(struct invocation *call, void *options_, struct error *err)
{
	const struct options *options = options_;
	struct table table = { .out = call->out, .json = options->json };
	struct session session;
	struct matrix matrix;
	int r = load_all(&session, call, options, err);

	if (r >= 0)
		r = prepare_matrix(&matrix, &session, options, err);
	if (r < 0)
		return r;
	list_each(end, &matrix.ends)
		if ((int)strlen(end->text) > table.width)
			table.width = (int)strlen(end->text);
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

/* ---- lint ---- */

static int run_lint(struct invocation *call, void *options_, struct error *err)
{
	const struct options *options = options_;
	struct session session;
	int r = load(&session, call, options, err);

	if (r < 0)
		return r;
	world_lint(&session.world, keep_problem, &session);
	if (options->json)
		table_print(call->out, problem_fields, session.problems.items, session.problems.n,
			    sizeof(struct problem), true);
	else
		list_each(problem, &session.problems)
			fprintf(call->out, "%s: %s: %s\n", problem->severity, problem->object,
				problem->text);
	return session.n_errors ? 1 : 0;
}

/* clang-format off */
static const struct verb verbs[] = {
	{ "explain", "why policies allow a connection, or do not", explain_fields,
	  sizeof(struct options), .run = run_explain },
	{ "matrix", "all connections of all pods: allowed or not", matrix_fields,
	  sizeof(struct options), .run = run_matrix },
	{ "lint", "what is wrong with objects, or surely not meant", lint_fields,
	  sizeof(struct options), .run = run_lint },
	{ 0 },
};
/* clang-format on */

const struct applet applet_policy_iptables = {
	.summary = "what Kubernetes NetworkPolicies allow, and why",
	.about =
		"Objects are Namespaces, Pods, Nodes and NetworkPolicies of the Kubernetes API, as `kubectl get -o json` and"
		" `-o yaml` print them or as manifests. What the API server would refuse is refused here, with the path of"
		" the field and the reason; no cluster is asked.\n"
		"\n"
		"A pod always reaches itself and its node, and a node its pods. Pods on their node's network are addresses"
		" of that node; pods that have finished take no part.",
	.example = "kubectl get ns,pods,nodes,networkpolicies -A -o json >all.json\n"
		   "cnibox policy-iptables explain web-0 shop/db-0 5432 -f all.json\n"
		   "cnibox policy-iptables matrix -f all.json --port 53/udp --address 192.0.2.1\n"
		   "cnibox policy-iptables lint -f manifests/ -f pods.yaml",
	.verbs = verbs,
};
