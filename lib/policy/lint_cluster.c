/* Lint of ClusterNetworkPolicies: what finds nothing, whose order is nobody's choice, and rules that are never reached. */
#include "policy/lint_internal.h"

#include "policy/explain.h"

static bool any_space(const struct world *world, const struct selector *selector)
{
	list_each(space, &world->spaces)
		if (selector_matches(selector, &space->labels))
			return true;
	return false;
}

static bool any_node(const struct world *world, const struct selector *selector)
{
	list_each(node, &world->nodes)
		if (selector_matches(selector, &node->labels))
			return true;
	return false;
}

static void lint_peer(struct lint *lint, enum direction direction, size_t rule,
		      const struct peer *peer)
{
	const struct world *world = lint->world;
	const char *place = lint_peer_place(lint, direction, rule, peer->place);
	const char *text = cluster_peer_text(world, peer, lint->arena);

	if (peer->has_block)
		return;
	if (peer->has_nodes) {
		if (world->nodes.n && !any_node(world, &peer->nodes))
			lint_warn(lint, "%s: %s matches no node", place, text);
	} else if (!any_space(world, &peer->spaces)) {
		lint_warn(lint, "%s: %s matches no namespace", place, text);
	} else if (lint->has_pods && !world->sets.items[peer->set].pods_in.n) {
		lint_warn(lint, "%s: %s matches no pod", place, text);
	}
}

/* A name is three ports, one of each protocol; it is told of once. */
static void lint_name(struct lint *lint, enum direction direction, size_t rule, symbol_t name)
{
	list_each(pod, &lint->world->pods)
		for (int protocol = 0; pod_takes_part(pod) && protocol < PROTOCOL_OTHER; protocol++)
			if (pod_port(pod, name, (enum protocol)protocol))
				return;
	lint_warn(lint, "%s.protocols: no pod has a port \"%s\"", lint_place(lint, direction, rule),
		  symbol_text(&lint->world->symbols, name));
}

static bool subject_within(const struct world *world, const struct cluster_policy *policy,
			   const struct cluster_policy *other)
{
	const numbers_t *pods = &world->sets.items[policy->set].pods_in;
	const numbers_t *others = &world->sets.items[other->set].pods_in;
	size_t j = 0;

	for (size_t i = 0; i < pods->n; i++, j++) {
		while (j < others->n && others->items[j] < pods->items[i])
			j++;
		if (j >= others->n || others->items[j] != pods->items[i])
			return false;
	}
	return policy->set == other->set || pods->n;
}

static bool subjects_meet(const struct world *world, const struct cluster_policy *policy,
			  const struct cluster_policy *other)
{
	const numbers_t *pods = &world->sets.items[policy->set].pods_in;
	const numbers_t *others = &world->sets.items[other->set].pods_in;

	for (size_t i = 0, j = 0; i < pods->n && j < others->n;) {
		if (pods->items[i] == others->items[j])
			return true;
		if (pods->items[i] < others->items[j])
			i++;
		else
			j++;
	}
	return false;
}

/* The first n rules have one that matches all that the rule matches; NULL: none does. */
static const char *covered_by(struct lint *lint, const struct cluster_policy *policy, size_t n,
			      enum direction direction, const struct cluster_rule *rule)
{
	for (size_t i = 0; i < n && i < policy->rules[direction].n; i++) {
		const struct cluster_rule *by = &policy->rules[direction].items[i];

		if (!by->closed && lint_rule_covers(&by->match, &rule->match))
			return lint_place(lint, direction, i);
	}
	return NULL;
}

/* Earlier in its policy, or in one of the tier that is asked before and has all of the subject. */
static void lint_reached(struct lint *lint, const struct cluster_policy *policy,
			 enum direction direction, size_t number)
{
	const struct world *world = lint->world;
	const struct cluster_rule *rule = &policy->rules[direction].items[number];
	const char *by = covered_by(lint, policy, number, direction, rule), *name = "";

	for (size_t i = 0; !by && i < world->cluster_order.n; i++) {
		const struct cluster_policy *other =
			&world->clusters.items[world->cluster_order.items[i]];

		if (other == policy)
			break;
		if (other->tier != policy->tier || !subject_within(world, policy, other))
			continue;
		by = covered_by(lint, other, SIZE_MAX, direction, rule);
		name = arena_printf(lint->arena, "%s ", symbol_text(&world->symbols, other->name));
	}
	if (by)
		lint_warn(lint, "%s: is never reached: %s%s has all of it",
			  lint_place(lint, direction, number), name, by);
}

static void lint_priority(struct lint *lint, const struct cluster_policy *policy)
{
	const struct world *world = lint->world;

	list_each(number, &world->cluster_order) {
		const struct cluster_policy *other = &world->clusters.items[*number];
		bool both = (policy->rules[INGRESS].n && other->rules[INGRESS].n) ||
			    (policy->rules[EGRESS].n && other->rules[EGRESS].n);

		if (other == policy)
			return;
		if (other->tier != policy->tier || other->priority != policy->priority || !both ||
		    !subjects_meet(world, policy, other))
			continue;
		lint_warn(lint, "spec.priority: is that of %s, which is asked first here, by name",
			  symbol_text(&world->symbols, other->name));
		return;
	}
}

static void lint_rule(struct lint *lint, const struct cluster_policy *policy,
		      enum direction direction, size_t number)
{
	const struct rule *rule = &policy->rules[direction].items[number].match;

	if (policy->rules[direction].items[number].closed)
		return; /* said when it was read */
	list_each(peer, &rule->peers)
		lint_peer(lint, direction, number, peer);
	list_each(port, &rule->ports)
		if (port->name && port->protocol == PROTOCOL_TCP && lint->has_pods)
			lint_name(lint, direction, number, port->name);
	lint_reached(lint, policy, direction, number);
}

void lint_cluster(struct lint *lint, const struct cluster_policy *policy)
{
	if (lint->has_pods && !lint->world->sets.items[policy->set].pods_in.n)
		lint_warn(lint, "spec.subject: matches no pod");
	lint_priority(lint, policy);
	for (int direction = 0; direction < DIRECTIONS; direction++)
		for (size_t i = 0; i < policy->rules[direction].n; i++)
			lint_rule(lint, policy, (enum direction)direction, i);
}
