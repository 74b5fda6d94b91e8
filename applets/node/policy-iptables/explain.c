/* explain: why policies allow a connection, or do not. */
#include "describe/json.h"
#include "kernel/capability.h"
#include "policy/backend.h"
#include "policy/end.h"
#include "policy/explain.h"
#include "session.h"

#include <errno.h>

#define ROW_END(key_, member)                                                     \
	ROW(key_, FIELD_STRING, member, "pod as [NAMESPACE/]NAME, or an address", \
	    .flags = FIELD_POSITIONAL | FIELD_REQUIRED, .noun = NOUN_POD)

const struct field verb_explain_fields[] = {
	ROW_END("from", from),
	ROW_END("to", to),
	ROW_WORD("port", port, "PORT, or PORT/PROTOCOL: tcp, udp or sctp"),
	ROW_FILE,
	ROW("backend", FIELD_STRING, backend,
	    "name sets as this back end does; unset: the one that has anything in force here",
	    .metavar = BACKEND_WORDS),
	ROW_JSON,
	FIELDS_END,
};

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

static void print_why(FILE *out, const words_t *words)
{
	list_each(why, words)
		fprintf(out, "      %s\n", *why);
}

static void print_policy(FILE *out, const struct policy_word *policy)
{
	if (policy->why)
		fprintf(out, "    %s: %s\n", policy->policy, policy->why);
	list_each(rule, &policy->rules) {
		fprintf(out, "    %s %s %s\n", policy->policy, rule->rule,
			rule->allows ? "allows it" : "does not fit:");
		print_why(out, &rule->why);
	}
}

static void print_cluster(FILE *out, const struct cluster_word *policy)
{
	static const char *const does[] = { [ACTION_ACCEPT] = "accepts it",
					    [ACTION_DENY] = "denies it",
					    [ACTION_PASS] = "passes it on" };

	list_each(rule, &policy->rules) {
		const char *what = "does not fit:";

		for (size_t i = 0; rule->holds && i < ARRAY_SIZE(does); i++)
			if (streq(rule->action, action_names[i]))
				what = does[i];
		fprintf(out, "    %s:%s %s", policy->tier, policy->policy, rule->rule);
		if (rule->name)
			fprintf(out, " \"%s\"", rule->name);
		fprintf(out, " %s\n", what);
		print_why(out, &rule->why);
	}
}

static void print_tier(FILE *out, const struct side_word *side, enum tier tier)
{
	list_each(cluster, &side->clusters)
		if (streq(cluster->tier, tier_names[tier]))
			print_cluster(out, cluster);
}

static void print_chain(FILE *out, const struct chain_word *chain)
{
	fprintf(out, "    %s%s%s%s: chain %s, %s, ", chain->node ? "node " : "no node",
		chain->node ? chain->node : "", chain->backend ? ", " : "",
		chain->backend ? chain->backend : "", chain->chain, chain->part);
	if (chain->clause)
		fprintf(out, "clause %d", chain->clause);
	else
		fprintf(out, "behind all clauses");
	list_each(set, &chain->sets)
		fprintf(out, "%s %s", set == chain->sets.items ? ": set" : " and", *set);
	fputc('\n', out);
}

static void print_side(FILE *out, const char *direction, const char *end,
		       const struct side_word *side)
{
	bool asked = side->isolated || side->clusters.n;

	fprintf(out, "  %s %s: %s\n", direction, end,
		!asked          ? "allowed, no policy isolates it"
		: side->allowed ? "allowed"
				: "denied");
	print_tier(out, side, TIER_ADMIN);
	list_each(policy, &side->policies)
		print_policy(out, policy);
	print_tier(out, side, TIER_BASELINE);
	if (side->chained)
		print_chain(out, &side->chain);
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

static const char *own_name(const struct backend *backend, const struct compiled *compiled,
			    const char *name, int family, struct arena *arena)
{
	list_each(set, &compiled->sets)
		if (streq(set->name, name))
			return backend->set_name(set, family, arena);
	return name;
}

static void rename_sets(const struct backend *backend, const struct compiled *compiled, int family,
			struct arena *arena, struct chain_word *chain)
{
	list_each(name, &chain->sets)
		*name = own_name(backend, compiled, *name, family, arena);
	chain->backend = backend->name;
}

/* What is compiled for the nodes of both ends. */
static void add_chains(const struct session *session, const struct backend *backend,
		       const struct connection *connection, struct explanation *explanation)
{
	const struct pod *pods[] = {
		[INGRESS] = connection->to.pod, [EGRESS] = connection->from.pod
	};
	struct arena *arena = session->call->arena;

	for (int direction = 0; direction < DIRECTIONS; direction++) {
		struct side_word *side =
			direction == INGRESS ? &explanation->ingress : &explanation->egress;
		struct compiled compiled;

		if (!pods[direction] || !connection->from.ip.family || explanation->reason)
			continue;
		compile(&session->world, pods[direction]->node, arena, &compiled);
		explain_chain(&session->world, &compiled, (enum direction)direction, connection,
			      arena, explanation);
		if (backend && side->chained)
			rename_sets(backend, &compiled, connection->from.ip.family, arena,
				    &side->chain);
	}
}

/* The one that is asked for, or has anything in force here; NULL: none. */
static int find_backend(const struct options *options, struct arena *arena,
			const struct backend **backend, struct error *err)
{
	*backend = NULL;
	if (options->backend)
		return backend_find(options->backend, backend, err) < 0 ? -USAGE_ERROR : 0;
	for (size_t i = 0; backends[i] && capability_net_admin() && !*backend; i++) {
		struct found found = { 0 };

		if (backends[i]->read(arena, &found, NULL) == 0 && found.present)
			*backend = backends[i];
	}
	return 0;
}

static int make_answer(const struct session *session, const struct options *options,
		       const struct backend *backend, struct answer *answer, struct error *err)
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
		add_chains(session, backend, &connections[i], explanation);
		answer->allowed = answer->allowed && explanation->allowed;
	}
	return 0;
}

int verb_explain(struct invocation *call, void *options_, struct error *err)
{
	const struct options *options = options_;
	struct session session;
	struct answer answer = { 0 };
	const struct backend *backend = NULL;
	int r = session_load_all(&session, call, options, err);

	if (r >= 0)
		r = find_backend(options, call->arena, &backend, err);
	if (r >= 0)
		r = make_answer(&session, options, backend, &answer, err);
	if (r < 0)
		return r;
	if (options->json)
		print_json(call, answer_fields, &answer);
	else
		list_each(explanation, &answer.families)
			print_explanation(call->out, &answer, explanation);
	return 0;
}

/* ---- for completion ---- */

static const struct field pods_fields[] = { ROW_FILE, ROW_JSON, FIELDS_END };

/* One of the namespace "default" by its name alone. Nobody's stdin is read for it. */
static int pods_run(struct invocation *call, void *options_, struct error *err)
{
	const struct options *options = options_;
	struct session session;
	int r;

	list_each(file, &options->files)
		if (streq(*file, "-"))
			return 0;
	r = session_load(&session, call, options, err);
	if (r < 0)
		return r;
	fputs("[", call->out);
	list_each(pod, &session.world.pods) {
		const char *text = pod_text(&session.world, pod, call->arena);

		if (has_prefix(text, "default/"))
			text += strlen("default/");
		fprintf(call->out, "%s\"%s\"", pod == session.world.pods.items ? "" : ",", text);
	}
	fputs("]\n", call->out);
	return 0;
}

const struct verb verb_pods = {
	.fields = pods_fields,
	.size = sizeof(struct options),
	.defaults = &verb_defaults,
	.run = pods_run,
};
