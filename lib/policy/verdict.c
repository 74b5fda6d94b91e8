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

bool peer_matches(const struct world *world, const struct policy *policy, const struct peer *peer,
		  const struct endpoint *endpoint)
{
	const struct pod *pod = endpoint->pod;

	if (peer->has_block)
		return block_has(&peer->block, &endpoint->ip);
	if (!pod)
		return false;
	if (!peer->has_spaces && pod->space != policy->space)
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

	for (uint32_t i = 0; i < rules->n; i++)
		if (rule_allows(world, policy, &rules->items[i], direction, connection)) {
			side->policy = policy;
			side->rule = i;
			return true;
		}
	return false;
}

static struct side side_of(const struct world *world, enum direction direction,
			   const struct connection *connection)
{
	const struct pod *pod = connection_subject(connection, direction)->pod;
	struct side side = { .allowed = true };

	if (!pod || !pod->policies[direction].n)
		return side;
	side = (struct side){ .isolated = true };
	list_each(number, &pod->policies[direction]) {
		const struct policy *policy = &world->policies.items[*number];

		if (policy_allows(world, policy, direction, connection, &side)) {
			side.allowed = true;
			break;
		}
	}
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
