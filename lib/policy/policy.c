/*
 * NetworkPolicy of networking.k8s.io/v1: from the form to the policy, with the API server's validation and defaults.
 * Every mistake is reported, not just the first.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

#include "policy/name.h"
#include "policy/policy_form.h"

/* ---- selectors ---- */

static const char *const operators[] = { "In", "NotIn", "Exists", "DoesNotExist" };

static bool read_operator(struct reader *reader, const struct path *path, const char *word,
			  enum selector_op *op)
{
	for (size_t i = 0; i < ARRAY_SIZE(operators); i++)
		if (streq(operators[i], word)) {
			*op = (enum selector_op)i;
			return true;
		}
	reader_complain(reader, NODE(path, "operator"),
			"\"%s\" is not In, NotIn, Exists or DoesNotExist", word);
	return false;
}

static void read_values(struct reader *reader, const struct path *path,
			const struct requirement_form *form, struct requirement *requirement)
{
	struct world *world = reader->world;
	const struct path *values = NODE(path, "values");

	for (size_t i = 0; i < form->values.n; i++) {
		const char *value = form->values.items[i], *wrong = name_wrong_label_value(value);

		if (wrong)
			reader_complain(reader, ITEM(values, i), "\"%s\" %s", value, wrong);
		else
			*list_add(world->arena, &requirement->pairs) =
				label_make(&world->symbols, form->key, value).pair;
	}
}

static void read_expression(struct reader *reader, const struct path *path,
			    const struct requirement_form *form, struct selector *selector)
{
	struct world *world = reader->world;
	struct requirement *requirement;
	const char *wrong;
	enum selector_op op;
	bool valued;

	if (!form->key || !form->op || !*form->key || !*form->op)
		return; /* said when it was decoded */
	wrong = name_wrong_label_key(form->key);
	if (wrong) {
		reader_complain(reader, NODE(path, "key"), "\"%s\" %s", form->key, wrong);
		return;
	}
	if (!read_operator(reader, path, form->op, &op))
		return;
	valued = op == SELECTOR_IN || op == SELECTOR_NOT_IN;
	if (valued != (form->values.n > 0))
		reader_complain(reader, NODE(path, "values"),
				valued ? "required with the operator %s"
				       : "not allowed with the operator %s",
				form->op);
	requirement = list_add(world->arena, &selector->requirements);
	requirement->op = op;
	requirement->key = symbol_add(&world->symbols, form->key);
	read_values(reader, path, form, requirement);
}

/* matchLabels are requirements of one value. */
void selector_read(struct reader *reader, const struct path *path, const struct selector_form *form,
		   struct selector *selector)
{
	struct world *world = reader->world;
	const struct path *expressions = NODE(path, "matchExpressions");
	labels_t labels = { 0 };

	reader_labels(reader, NODE(path, "matchLabels"), form->labels, &labels);
	list_each(label, &labels) {
		struct requirement *requirement = list_add(world->arena, &selector->requirements);

		*requirement = (struct requirement){ .op = SELECTOR_IN, .key = label->key };
		*list_add(world->arena, &requirement->pairs) = label->pair;
	}
	for (size_t i = 0; i < form->expressions.n; i++)
		read_expression(reader, ITEM(expressions, i), &form->expressions.items[i],
				selector);
	selector_finish(selector, &world->symbols);
}

/* ---- peers ---- */

/* Inside, and not all of it. */
static bool is_part(const struct cidr *part, const struct cidr *whole)
{
	return part->ip.family == whole->ip.family && part->prefix > whole->prefix &&
	       cidr_contains(whole, &part->ip);
}

static void read_except(struct reader *reader, const struct path *path, const char *word,
			struct block *block)
{
	char text[CIDR_TEXT_SIZE];
	struct cidr cidr;

	if (!cidr_parse(word, &cidr)) {
		reader_complain(reader, path, "\"%s\" is not a CIDR", word);
		return;
	}
	if (!is_part(&cidr, &block->cidr))
		reader_complain(reader, path, "\"%s\" is not a part of %s", word,
				cidr_format(&block->cidr, text));
	*list_add(reader->world->arena, &block->except) = cidr_network(&cidr);
}

static void read_block(struct reader *reader, const struct path *path,
		       const struct block_form *form, struct block *block)
{
	const struct path *except = NODE(path, "except");

	if (!form->cidr || !*form->cidr)
		return; /* said when it was decoded */
	if (!cidr_parse(form->cidr, &block->cidr)) {
		reader_complain(reader, NODE(path, "cidr"), "\"%s\" is not a CIDR", form->cidr);
		return;
	}
	block->cidr = cidr_network(&block->cidr);
	for (size_t i = 0; i < form->except.n; i++)
		read_except(reader, ITEM(except, i), form->except.items[i], block);
}

static void read_peer(struct reader *reader, const struct path *path, const struct peer_form *form,
		      struct peer *peer)
{
	peer->has_pods = form->pods.given;
	peer->has_spaces = form->spaces.given;
	peer->has_block = form->block.given;
	if (!peer->has_pods && !peer->has_spaces && !peer->has_block)
		reader_complain(reader, path,
				"one of podSelector, namespaceSelector and ipBlock is required");
	if (peer->has_block && (peer->has_pods || peer->has_spaces))
		reader_complain(reader, path, "ipBlock does not go with a selector");
	if (peer->has_pods)
		selector_read(reader, NODE(path, "podSelector"), &form->pods, &peer->pods);
	if (peer->has_spaces)
		selector_read(reader, NODE(path, "namespaceSelector"), &form->spaces,
			      &peer->spaces);
	if (peer->has_block)
		read_block(reader, NODE(path, "ipBlock"), &form->block, &peer->block);
}

/* ---- ports ---- */

static void read_protocol(struct reader *reader, const struct path *path, const char *word,
			  struct port_match *match)
{
	for (int i = 0; word && protocol_names[i]; i++)
		if (streq(protocol_names[i], word)) {
			match->protocol = (enum protocol)i;
			return;
		}
	match->unsaid = !word;
	if (word)
		reader_complain(reader, NODE(path, "protocol"), "\"%s\" is not TCP, UDP or SCTP",
				word);
}

/* 1..65535; 0 when it is not there or was refused. */
static uint16_t read_number(struct reader *reader, const struct path *path, const struct json *json)
{
	int64_t number = 0;

	if (!json || json_is_null(json))
		return 0;
	if (!json_int(json, &number))
		reader_complain(reader, path, "expected an integer");
	else if (number < 1 || number > 65535)
		reader_complain(reader, path, "%lld is not within 1..65535", (long long)number);
	else
		return (uint16_t)number;
	return 0;
}

static void read_port_name(struct reader *reader, const struct path *path, const char *name,
			   struct port_match *match)
{
	const char *wrong = name_wrong_port(name);

	if (wrong)
		reader_complain(reader, path, "\"%s\" %s", name, wrong);
	match->name = symbol_add(&reader->world->symbols, name);
}

static void read_end(struct reader *reader, const struct path *path, const struct port_form *form,
		     struct port_match *match)
{
	const struct path *end = NODE(path, "endPort");
	uint16_t last;

	if (!form->end || json_is_null(form->end))
		return;
	last = read_number(reader, end, form->end);
	if (!last)
		return;
	if (!match->first)
		reader_complain(reader, end, "needs a port that is a number");
	else if (last < match->first)
		reader_complain(reader, end, "%u is below the port %u", last, match->first);
	match->last = last;
}

static void read_port(struct reader *reader, const struct path *path, const struct port_form *form,
		      struct port_match *match)
{
	const struct path *port = NODE(path, "port");
	const char *name = json_string(form->port);

	read_protocol(reader, path, form->protocol, match);
	if (name)
		read_port_name(reader, port, name, match);
	else
		match->first = match->last = read_number(reader, port, form->port);
	read_end(reader, path, form, match);
}

/* ---- the policy ---- */

static void read_rule(struct reader *reader, const struct path *path, const struct rule_form *form,
		      const char *peers_key, struct rule *rule)
{
	struct arena *arena = reader->world->arena;
	const struct path *peers = NODE(path, peers_key), *ports = NODE(path, "ports");

	for (size_t i = 0; i < form->peers.n; i++) {
		struct peer *peer = list_add(arena, &rule->peers);

		peer->place = (uint32_t)i;
		read_peer(reader, ITEM(peers, i), &form->peers.items[i], peer);
	}
	for (size_t i = 0; i < form->ports.n; i++)
		read_port(reader, ITEM(ports, i), &form->ports.items[i],
			  list_add(arena, &rule->ports));
}

static void read_rules(struct reader *reader, const struct path *spec,
		       const struct policy_form *form, struct policy *policy)
{
	static const char *const peers_keys[] = { "from", "to" };

	for (int direction = 0; direction < DIRECTIONS; direction++) {
		const struct path *path = NODE(spec, direction_names[direction]);

		policy->given[direction] = form->given[direction];
		for (size_t i = 0; i < form->rules[direction].n; i++)
			read_rule(reader, ITEM(path, i), &form->rules[direction].items[i],
				  peers_keys[direction],
				  list_add(reader->world->arena, &policy->rules[direction]));
	}
}

/* Nothing said: Ingress, and Egress only when there is a rule of it. */
static void read_types(struct reader *reader, const struct path *spec,
		       const struct policy_form *form, struct policy *policy)
{
	static const char *const types[] = { "Ingress", "Egress" };
	const struct path *path = NODE(spec, "policyTypes");

	policy->typed = form->types.n;
	policy->isolates[INGRESS] = !policy->typed;
	policy->isolates[EGRESS] = !policy->typed && form->rules[EGRESS].n;
	if (form->types.n > DIRECTIONS)
		reader_complain(reader, path, "there are two at most");
	for (size_t i = 0; i < form->types.n; i++) {
		const char *type = form->types.items[i];
		int direction = streq(type, types[EGRESS]) ? EGRESS : INGRESS;

		if (streq(type, types[direction]))
			policy->isolates[direction] = true;
		else
			reader_complain(reader, ITEM(path, i), "\"%s\" is not Ingress or Egress",
					type);
	}
}

void policy_read(struct reader *reader, const struct object_meta *meta, const struct json *json)
{
	static const struct path spec = { .key = "spec" };
	auto_arena struct arena scratch = { 0 };
	struct world *world = reader->world;
	struct policy_form form = { 0 };
	struct policy policy = { 0 };
	symbol_t number;

	if (!reader_decode_strict(reader, json, policy_form_fields, &form, &scratch))
		reader->failed = true;
	selector_read(reader, NODE(&spec, "podSelector"), &form.pods, &policy.pods);
	read_types(reader, &spec, &form, &policy);
	read_rules(reader, &spec, &form, &policy);
	if (reader->failed)
		return;
	policy.name = symbol_add(&world->symbols, meta->name);
	policy.space = world_space(world, meta->space);
	number = symbol_add(&world->policy_names,
			    arena_printf(&scratch, "%s/%s", meta->space, meta->name));
	if (number > world->policies.n)
		*list_add(world->arena, &world->policies) = policy;
	else if (reader->replace)
		world->policies.items[number - 1] = policy;
	else
		reader_complain(reader, NULL, "is there twice");
}

/* Its number stays: it isolates nothing. */
void policy_remove(struct world *world, const char *space, const char *name)
{
	auto_arena struct arena scratch = { 0 };
	symbol_t number =
		symbol_find(&world->policy_names, arena_printf(&scratch, "%s/%s", space, name));
	struct policy *policy = number ? &world->policies.items[number - 1] : NULL;

	if (policy)
		*policy = (struct policy){ .name = policy->name,
					   .space = policy->space,
					   .gone = true };
}
