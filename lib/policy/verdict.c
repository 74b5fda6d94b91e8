/* See verdict.h. */
#include "policy/verdict.h"

const struct endpoint *connection_peer(const struct connection *connection,
				       enum direction direction)
{
	return direction == INGRESS ? &connection->from : &connection->to;
}

static const struct endpoint *connection_subject(const struct connection *connection,
						 enum direction direction)
{
	return direction == INGRESS ? &connection->to : &connection->from;
}

static bool block_has(const struct block *block, const struct ip *ip)
{
	if (!ip->family || !cidr_contains(&block->cidr, ip))
		return false;
	list_each(except, &block->except)
		if (cidr_contains(except, ip))
			return false;
	return true;
}

static bool nodes_have(const struct world *world, const struct selector *selector,
		       const struct ip *ip)
{
	list_each(node, &world->nodes)
		if (ip->family && selector_matches(selector, &node->labels) &&
		    node_has_ip(world, node->name, ip))
			return true;
	return false;
}

bool peer_matches(const struct world *world, const struct policy *policy, const struct peer *peer,
		  const struct endpoint *endpoint)
{
	const struct pod *pod = endpoint->pod;

	if (peer->has_block)
		return block_has(&peer->block, &endpoint->ip);
	if (peer->has_nodes)
		return nodes_have(world, &peer->nodes, &endpoint->ip);
	if (!pod)
		return false;
	if (!peer->has_spaces && (!policy || pod->space != policy->space))
		return false;
	if (peer->has_spaces &&
	    !selector_matches(&peer->spaces, &world->spaces.items[pod->space].labels))
		return false;
	return !peer->has_pods || selector_matches(&peer->pods, &pod->labels);
}

/* A name is looked up at the destination; where there is no pod, there are no names. */
bool port_matches(const struct port_match *match, const struct connection *connection)
{
	const struct pod *to = connection->to.pod;

	if (match->protocol != connection->protocol)
		return false;
	if (match->name)
		return to && connection->port &&
		       pod_port(to, match->name, match->protocol) == connection->port;
	return !match->first ||
	       (connection->port >= match->first && connection->port <= match->last);
}

bool rule_allows(const struct world *world, const struct policy *policy, const struct rule *rule,
		 enum direction direction, const struct connection *connection)
{
	const struct endpoint *endpoint = connection_peer(connection, direction);
	bool peer_fits = !rule->peers.n, port_fits = !rule->ports.n;

	for (size_t i = 0; i < rule->ports.n && !port_fits; i++)
		port_fits = port_matches(&rule->ports.items[i], connection);
	for (size_t i = 0; i < rule->peers.n && port_fits && !peer_fits; i++)
		peer_fits = peer_matches(world, policy, &rule->peers.items[i], endpoint);
	return peer_fits && port_fits;
}

static bool policy_allows(const struct world *world, const struct policy *policy,
			  enum direction direction, const struct connection *connection,
			  struct side *side)
{
	const rules_t *rules = &policy->rules[direction];

	for (uint32_t i = 0; i < rules->n && !policy->closed; i++)
		if (rule_allows(world, policy, &rules->items[i], direction, connection)) {
			side->policy = policy;
			side->rule = i;
			return true;
		}
	return false;
}

bool cluster_rule_holds(const struct world *world, const struct cluster_policy *policy,
			const struct cluster_rule *rule, enum direction direction,
			const struct connection *connection)
{
	if (cluster_rule_closed(policy, rule))
		return rule->action != ACTION_ACCEPT;
	return rule_allows(world, NULL, &rule->match, direction, connection);
}

/* The first rule of the policy that holds; false: none does. */
static bool policy_decides(const struct world *world, const struct cluster_policy *policy,
			   enum direction direction, const struct connection *connection,
			   struct side *side)
{
	for (uint32_t i = 0; i < policy->rules[direction].n; i++)
		if (cluster_rule_holds(world, policy, &policy->rules[direction].items[i], direction,
				       connection)) {
			side->cluster = policy;
			side->rule = i;
			return true;
		}
	return false;
}

/* What the first rule that holds does; ACTION_PASS: none does, or it says so. */
static enum action tier_action(const struct world *world, const struct pod *pod, enum tier tier,
			       enum direction direction, const struct connection *connection,
			       struct side *side)
{
	list_each(number, &pod->clusters[direction]) {
		const struct cluster_policy *policy = &world->clusters.items[*number];

		if (policy->tier == tier &&
		    policy_decides(world, policy, direction, connection, side))
			return cluster_rule_action(policy,
						   &policy->rules[direction].items[side->rule]);
	}
	return ACTION_PASS;
}

static bool policies_allow(const struct world *world, const struct pod *pod,
			   enum direction direction, const struct connection *connection,
			   struct side *side)
{
	list_each(number, &pod->policies[direction])
		if (policy_allows(world, &world->policies.items[*number], direction, connection,
				  side))
			return true;
	return false;
}

static struct side side_of(const struct world *world, enum direction direction,
			   const struct connection *connection)
{
	const struct pod *pod = connection_subject(connection, direction)->pod;
	struct side side = { .allowed = true };
	enum action action;

	if (!pod)
		return side;
	side.isolated = pod->policies[direction].n;
	action = tier_action(world, pod, TIER_ADMIN, direction, connection, &side);
	if (action == ACTION_PASS) {
		side.cluster = NULL;
		if (side.isolated)
			action = policies_allow(world, pod, direction, connection, &side)
					 ? ACTION_ACCEPT
					 : ACTION_DENY;
		else
			action = tier_action(world, pod, TIER_BASELINE, direction, connection,
					     &side);
	}
	side.allowed = action != ACTION_DENY;
	return side;
}

static enum exemption exemption_of(const struct world *world, const struct connection *connection)
{
	const struct endpoint *from = &connection->from, *to = &connection->to;

	if (from->pod && from->pod == to->pod)
		return EXEMPT_SELF;
	if (to->pod && from->ip.family && node_has_ip(world, to->pod->node, &from->ip))
		return EXEMPT_FROM_NODE;
	if (from->pod && to->ip.family && node_has_ip(world, from->pod->node, &to->ip))
		return EXEMPT_TO_NODE;
	return EXEMPT_NOT;
}

void verdict_of(const struct world *world, const struct connection *connection,
		struct verdict *verdict)
{
	*verdict = (struct verdict){
		.exempt = exemption_of(world, connection),
		.sides = { [INGRESS] = side_of(world, INGRESS, connection),
			   [EGRESS] = side_of(world, EGRESS, connection) },
	};
	verdict->allowed = verdict->exempt ||
			   (verdict->sides[INGRESS].allowed && verdict->sides[EGRESS].allowed);
}
