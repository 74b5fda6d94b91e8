/* See explain.h. */
#include "policy/explain_internal.h"

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
static const struct field cluster_rule_fields[] = {
	{ "rule", FIELD_STRING, WORD(cluster_rule_word, rule) },
	{ "name", FIELD_STRING, WORD(cluster_rule_word, name) },
	{ "action", FIELD_STRING, WORD(cluster_rule_word, action) },
	{ "matches", FIELD_BOOL, WORD(cluster_rule_word, holds), FIELD_KEEP_EMPTY },
	{ "why", FIELD_LIST, WORD(cluster_rule_word, why), .element = FIELD_STRING,
	  .size = sizeof(const char *) },
	FIELDS_END,
};
static const struct field cluster_fields[] = {
	{ "policy", FIELD_STRING, WORD(cluster_word, policy) },
	{ "tier", FIELD_STRING, WORD(cluster_word, tier) },
	{ "priority", FIELD_INT, WORD(cluster_word, priority), FIELD_KEEP_EMPTY },
	{ "rules", FIELD_LIST, WORD(cluster_word, rules), FIELD_KEEP_EMPTY, .element = FIELD_OBJECT,
	  .fields = cluster_rule_fields, .size = sizeof(struct cluster_rule_word) },
	FIELDS_END,
};
static const struct field chain_fields[] = {
	{ "node", FIELD_STRING, WORD(chain_word, node) },
	{ "name", FIELD_STRING, WORD(chain_word, chain) },
	{ "comment", FIELD_STRING, WORD(chain_word, comment) },
	{ "part", FIELD_STRING, WORD(chain_word, part) },
	{ "clause", FIELD_INT, WORD(chain_word, clause), FIELD_KEEP_EMPTY },
	{ "sets", FIELD_LIST, WORD(chain_word, sets), FIELD_KEEP_EMPTY, .element = FIELD_STRING,
	  .size = sizeof(const char *) },
	{ "backend", FIELD_STRING, offsetof(struct chain_word, backend) },
	FIELDS_END,
};
static const struct field side_fields[] = {
	{ "isolated", FIELD_BOOL, WORD(side_word, isolated), FIELD_KEEP_EMPTY },
	{ "allowed", FIELD_BOOL, WORD(side_word, allowed), FIELD_KEEP_EMPTY },
	{ "decidedBy", FIELD_STRING, WORD(side_word, decided) },
	{ "clusterPolicies", FIELD_LIST, WORD(side_word, clusters), .element = FIELD_OBJECT,
	  .fields = cluster_fields, .size = sizeof(struct cluster_word) },
	{ "policies", FIELD_LIST, WORD(side_word, policies), FIELD_KEEP_EMPTY,
	  .element = FIELD_OBJECT, .fields = policy_fields, .size = sizeof(struct policy_word) },
	{ "chain", FIELD_OBJECT, WORD(side_word, chain), .fields = chain_fields,
	  .seen = FIELD_SEEN(struct side_word, chained) },
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

/* ---- the whole ---- */

static void explain_policy(const struct world *world, const struct policy *policy,
			   enum direction direction, const struct connection *connection,
			   struct arena *arena, struct policy_word *word)
{
	const rules_t *rules = &policy->rules[direction];

	word->policy = policy_text(world, policy, arena);
	if (policy->closed) {
		word->why = "it expands to more than the limit, and allows nothing";
		return;
	}
	if (!rules->n)
		word->why = arena_printf(arena, "it has no %s rules", direction_names[direction]);
	for (size_t i = 0; i < rules->n; i++) {
		const struct rule *rule = &rules->items[i];
		struct rule_word *said = list_add(arena, &word->rules);

		said->rule = arena_printf(arena, "%s[%zu]", direction_names[direction], i);
		said->allows = rule_allows(world, policy, rule, direction, connection);
		word->allows |= said->allows;
		if (!said->allows)
			rule_why(world, policy, rule, direction, connection, arena, &said->why);
	}
}

static void explain_cluster_rule(const struct world *world, const struct cluster_policy *policy,
				 const struct cluster_rule *rule, enum direction direction,
				 const struct connection *connection, struct arena *arena,
				 struct cluster_rule_word *word)
{
	const char *closed = cluster_rule_closed(policy, rule);

	word->name = rule->name;
	word->action = action_names[cluster_rule_action(policy, rule)];
	word->holds = cluster_rule_holds(world, policy, rule, direction, connection);
	if (closed)
		*list_add(arena, &word->why) = arena_printf(arena, "it fails closed: %s", closed);
	else if (!word->holds)
		rule_why(world, NULL, &rule->match, direction, connection, arena, &word->why);
}

/* True: a rule of it decides. */
static bool explain_cluster(const struct world *world, const struct cluster_policy *policy,
			    enum direction direction, const struct connection *connection,
			    struct arena *arena, struct cluster_word *word)
{
	*word = (struct cluster_word){
		.policy = symbol_text(&world->symbols, policy->name),
		.tier = tier_names[policy->tier],
		.priority = policy->priority,
	};
	for (size_t i = 0; i < policy->rules[direction].n; i++) {
		struct cluster_rule_word *rule = list_add(arena, &word->rules);

		rule->rule = arena_printf(arena, "%s[%zu]", direction_names[direction], i);
		explain_cluster_rule(world, policy, &policy->rules[direction].items[i], direction,
				     connection, arena, rule);
		if (rule->holds)
			return true;
	}
	return false;
}

static void explain_tier(const struct world *world, const struct pod *pod, enum tier tier,
			 enum direction direction, const struct connection *connection,
			 struct arena *arena, struct side_word *word)
{
	list_each(number, &pod->clusters[direction]) {
		const struct cluster_policy *policy = &world->clusters.items[*number];

		if (policy->tier == tier &&
		    explain_cluster(world, policy, direction, connection, arena,
				    list_add(arena, &word->clusters)))
			return;
	}
}

static const char *decided_text(const struct world *world, const struct side *side,
				enum direction direction, struct arena *arena)
{
	const char *policy = NULL;

	if (side->cluster)
		policy = cluster_policy_text(world, side->cluster, arena);
	else if (side->policy)
		policy = policy_text(world, side->policy, arena);
	return policy ? arena_printf(arena, "%s %s[%u]", policy, direction_names[direction],
				     side->rule)
		      : NULL;
}

static void explain_side(const struct world *world, const struct side *side,
			 enum direction direction, const struct connection *connection,
			 struct arena *arena, struct side_word *word)
{
	const struct pod *pod = direction == INGRESS ? connection->to.pod : connection->from.pod;

	word->isolated = side->isolated;
	word->allowed = side->allowed;
	word->decided = decided_text(world, side, direction, arena);
	if (!pod)
		return;
	explain_tier(world, pod, TIER_ADMIN, direction, connection, arena, word);
	if (side->cluster && side->cluster->tier == TIER_ADMIN)
		return;
	list_each(number, &pod->policies[direction])
		explain_policy(world, &world->policies.items[*number], direction, connection, arena,
			       list_add(arena, &word->policies));
	if (!side->isolated)
		explain_tier(world, pod, TIER_BASELINE, direction, connection, arena, word);
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

/* ---- in the kernel ---- */

static const char *part_of(const struct decision *decision)
{
	if (decision->clauses == &decision->group->allows)
		return "NetworkPolicies";
	return tier_names[decision->clauses == &decision->group->admin ? TIER_ADMIN
								       : TIER_BASELINE];
}

static void explain_sets(const struct compiled *compiled, const struct clause *clause,
			 struct arena *arena, words_t *sets)
{
	const uint32_t numbers[] = { clause->peers, clause->pairs, clause->named };

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		if (numbers[i] != NO_SET)
			*list_add(arena, sets) = compiled->sets.items[numbers[i]].name;
}

void explain_chain(const struct world *world, const struct compiled *compiled,
		   enum direction direction, const struct connection *connection,
		   struct arena *arena, struct explanation *explanation)
{
	struct side_word *side =
		direction == INGRESS ? &explanation->ingress : &explanation->egress;
	const struct packet packet = { .from = connection->from.ip,
				       .to = connection->to.ip,
				       .protocol = connection->protocol,
				       .port = connection->port };
	struct decision decision;

	compiled_decide(compiled, direction, &packet, &decision);
	if (!decision.group)
		return;
	side->chained = true;
	side->chain = (struct chain_word){
		.node = compiled->node ? symbol_text(&world->symbols, compiled->node) : NULL,
		.chain = decision.group->name,
		.comment = decision.group->comment,
		.part = part_of(&decision),
		.clause =
			decision.clause ? (int)(decision.clause - decision.clauses->items) + 1 : 0,
	};
	if (decision.clause)
		explain_sets(compiled, decision.clause, arena, &side->chain.sets);
}
