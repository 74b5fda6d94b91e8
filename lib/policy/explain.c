/* See explain.h. */
#include "policy/explain.h"

#include <stdio.h>

#define WORD(type, member) offsetof(struct type, member)

static const struct field rule_fields[] = {
	{ "rule", FIELD_STRING, WORD(rule_word, rule) },
	{ "allows", FIELD_BOOL, WORD(rule_word, allows), FIELD_KEEP_EMPTY },
	{ "why", FIELD_LIST, WORD(rule_word, why), .element = FIELD_STRING,
	  .size = sizeof(const char *) },
	FIELDS_END,
};
static const struct field policy_fields[] = {
	{ "policy", FIELD_STRING, WORD(policy_word, policy) },
	{ "allows", FIELD_BOOL, WORD(policy_word, allows), FIELD_KEEP_EMPTY },
	{ "why", FIELD_STRING, WORD(policy_word, why) },
	{ "rules", FIELD_LIST, WORD(policy_word, rules), FIELD_KEEP_EMPTY, .element = FIELD_OBJECT,
	  .fields = rule_fields, .size = sizeof(struct rule_word) },
	FIELDS_END,
};
static const struct field side_fields[] = {
	{ "isolated", FIELD_BOOL, WORD(side_word, isolated), FIELD_KEEP_EMPTY },
	{ "allowed", FIELD_BOOL, WORD(side_word, allowed), FIELD_KEEP_EMPTY },
	{ "policies", FIELD_LIST, WORD(side_word, policies), FIELD_KEEP_EMPTY,
	  .element = FIELD_OBJECT, .fields = policy_fields, .size = sizeof(struct policy_word) },
	FIELDS_END,
};
const struct field explanation_fields[] = {
	{ "family", FIELD_STRING, WORD(explanation, family) },
	{ "fromAddress", FIELD_STRING, WORD(explanation, from_ip) },
	{ "toAddress", FIELD_STRING, WORD(explanation, to_ip) },
	{ "allowed", FIELD_BOOL, WORD(explanation, allowed), FIELD_KEEP_EMPTY },
	{ "reason", FIELD_STRING, WORD(explanation, reason) },
	{ "egress", FIELD_OBJECT, WORD(explanation, egress), FIELD_KEEP_EMPTY,
	  .fields = side_fields },
	{ "ingress", FIELD_OBJECT, WORD(explanation, ingress), FIELD_KEEP_EMPTY,
	  .fields = side_fields },
	FIELDS_END,
};

/* ---- what stands in a policy ---- */

const char *port_text(const struct world *world, const struct port_match *match,
		      struct arena *arena)
{
	const char *protocol = protocol_names[match->protocol];

	if (match->name)
		return arena_printf(arena, "%s %s", protocol,
				    symbol_text(&world->symbols, match->name));
	if (!match->first)
		return arena_printf(arena, "%s", protocol);
	if (match->last > match->first)
		return arena_printf(arena, "%s %u-%u", protocol, match->first, match->last);
	return arena_printf(arena, "%s %u", protocol, match->first);
}

static const char *selector_text(const struct world *world, const struct selector *selector)
{
	return selector_is_empty(selector) ? "{}" : symbol_text(&world->symbols, selector->text);
}

const char *peer_text(const struct world *world, const struct peer *peer, struct arena *arena)
{
	char cidr[CIDR_TEXT_SIZE];
	const char *pods = selector_text(world, &peer->pods);
	const char *spaces = selector_text(world, &peer->spaces);

	if (peer->has_block)
		return arena_printf(arena, "ipBlock %s", cidr_format(&peer->block.cidr, cidr));
	if (!peer->has_spaces)
		return arena_printf(arena, "podSelector %s", pods);
	if (!peer->has_pods)
		return arena_printf(arena, "namespaceSelector %s", spaces);
	return arena_printf(arena, "podSelector %s with namespaceSelector %s", pods, spaces);
}

/* ---- why a rule does not allow ---- */

static const char *block_why(const struct block *block, const struct ip *ip, struct arena *arena)
{
	char text[IP_TEXT_SIZE], cidr[CIDR_TEXT_SIZE];

	if (!ip->family)
		return "the pod has no address";
	list_each(except, &block->except)
		if (cidr_contains(except, ip))
			return arena_printf(arena, "%s is in its except %s", ip_format(ip, text),
					    cidr_format(except, cidr));
	return arena_printf(arena, "%s is not in it", ip_format(ip, text));
}

static const char *peer_why(const struct world *world, const struct policy *policy,
			    const struct peer *peer, const struct endpoint *endpoint,
			    struct arena *arena)
{
	const struct pod *pod = endpoint->pod;
	const struct space *space = pod ? &world->spaces.items[pod->space] : NULL;

	if (peer->has_block)
		return block_why(&peer->block, &endpoint->ip, arena);
	if (!pod)
		return "the address is no pod's";
	if (!peer->has_spaces && pod->space != policy->space)
		return arena_printf(
			arena, "without namespaceSelector it means pods of namespace %s only",
			symbol_text(&world->symbols, world->spaces.items[policy->space].name));
	if (peer->has_spaces && !selector_matches(&peer->spaces, &space->labels))
		return arena_printf(arena, "namespace %s does not match",
				    symbol_text(&world->symbols, space->name));
	return arena_printf(arena, "the labels of %s do not match", pod_text(world, pod, arena));
}

static const char *port_why(const struct world *world, const struct port_match *match,
			    const struct connection *connection, struct arena *arena)
{
	const struct pod *to = connection->to.pod;
	uint16_t number;

	if (!match->name || match->protocol != connection->protocol)
		return "";
	if (!to)
		return " (the destination is no pod, and has no names)";
	number = pod_port(to, match->name, match->protocol);
	return number ? arena_printf(arena, " (which is %u there)", number)
		      : arena_printf(arena, " (which %s does not have)",
				     pod_text(world, to, arena));
}

static bool any_port_fits(const struct rule *rule, const struct connection *connection)
{
	list_each(port, &rule->ports)
		if (port_matches(port, connection))
			return true;
	return !rule->ports.n;
}

static const char *ports_why(const struct world *world, const struct rule *rule,
			     const struct connection *connection, struct arena *arena)
{
	auto_free char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		abort();
	fprintf(out, "the port is not ");
	list_each(port, &rule->ports)
		fprintf(out, "%s%s%s", port == rule->ports.items ? "" : ", nor ",
			port_text(world, port, arena), port_why(world, port, connection, arena));
	fclose(out);
	return arena_strdup(arena, text);
}

static bool any_peer_fits(const struct world *world, const struct policy *policy,
			  const struct rule *rule, const struct endpoint *endpoint)
{
	list_each(peer, &rule->peers)
		if (peer_matches(world, policy, peer, endpoint))
			return true;
	return !rule->peers.n;
}

static void rule_why(const struct world *world, const struct policy *policy,
		     const struct rule *rule, enum direction direction,
		     const struct connection *connection, struct arena *arena,
		     struct rule_word *word)
{
	const struct endpoint *endpoint = connection_peer(connection, direction);
	bool peer_fits = any_peer_fits(world, policy, rule, endpoint);

	for (size_t i = 0; !peer_fits && i < rule->peers.n; i++) {
		const struct peer *peer = &rule->peers.items[i];

		*list_add(arena, &word->why) =
			arena_printf(arena, "%s[%zu] %s: %s", direction == INGRESS ? "from" : "to",
				     i, peer_text(world, peer, arena),
				     peer_why(world, policy, peer, endpoint, arena));
	}
	if (!any_port_fits(rule, connection))
		*list_add(arena, &word->why) = ports_why(world, rule, connection, arena);
}

/* ---- the whole ---- */

static void explain_policy(const struct world *world, const struct policy *policy,
			   enum direction direction, const struct connection *connection,
			   struct arena *arena, struct policy_word *word)
{
	const rules_t *rules = &policy->rules[direction];

	word->policy = policy_text(world, policy, arena);
	if (!rules->n)
		word->why = arena_printf(arena, "it has no %s rules", direction_names[direction]);
	for (size_t i = 0; i < rules->n; i++) {
		const struct rule *rule = &rules->items[i];
		struct rule_word *said = list_add(arena, &word->rules);

		said->rule = arena_printf(arena, "%s[%zu]", direction_names[direction], i);
		said->allows = rule_allows(world, policy, rule, direction, connection);
		word->allows |= said->allows;
		if (!said->allows)
			rule_why(world, policy, rule, direction, connection, arena, said);
	}
}

static void explain_side(const struct world *world, const struct side *side,
			 enum direction direction, const struct connection *connection,
			 struct arena *arena, struct side_word *word)
{
	const struct pod *pod = direction == INGRESS ? connection->to.pod : connection->from.pod;

	word->isolated = side->isolated;
	word->allowed = side->allowed;
	if (!pod)
		return;
	list_each(number, &pod->policies[direction])
		explain_policy(world, &world->policies.items[*number], direction, connection, arena,
			       list_add(arena, &word->policies));
}

void explain(const struct world *world, const struct connection *connection, struct arena *arena,
	     struct explanation *explanation)
{
	static const char *const reasons[] = {
		[EXEMPT_NOT] = NULL,
		[EXEMPT_SELF] = "a pod always reaches itself by its own address",
		[EXEMPT_FROM_NODE] = "a node always reaches its own pods",
		[EXEMPT_TO_NODE] = "a pod always reaches its own node",
	};
	struct verdict verdict;
	const struct ip *from = &connection->from.ip, *to = &connection->to.ip;
	char text[IP_TEXT_SIZE];

	verdict_of(world, connection, &verdict);
	*explanation = (struct explanation){ .allowed = verdict.allowed,
					     .reason = reasons[verdict.exempt] };
	if (from->family && to->family)
		explanation->family = ip_size(to) == 4 ? "IPv4" : "IPv6";
	explanation->from_ip = arena_strdup(arena, ip_format(from, text));
	explanation->to_ip = arena_strdup(arena, ip_format(to, text));
	explain_side(world, &verdict.sides[EGRESS], EGRESS, connection, arena,
		     &explanation->egress);
	explain_side(world, &verdict.sides[INGRESS], INGRESS, connection, arena,
		     &explanation->ingress);
}
