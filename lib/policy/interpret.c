/* The interpreter of what was compiled: what a node does with the first packet of a connection that it forwards. */
#include "policy/decide.h"

static bool in_set(const struct compiled *compiled, uint32_t set, const struct ip *ip,
		   const struct packet *packet)
{
	return set == NO_SET ||
	       set_has(&compiled->sets.items[set], ip, packet->protocol, packet->port);
}

static bool has_address(const struct compiled *compiled, uint32_t set, const struct ip *ip)
{
	return set == NO_SET || set_has(&compiled->sets.items[set], ip, PROTOCOL_TCP, 0);
}

static bool in_ranges(const struct clause *clause, const struct packet *packet)
{
	if (!clause->ported)
		return true;
	if (clause->protocol != packet->protocol)
		return false;
	list_each(range, &clause->ports)
		if (packet->port >= range->first && packet->port <= range->last)
			return true;
	return !clause->ports.n;
}

static bool clause_holds(const struct compiled *compiled, const struct clause *clause,
			 const struct ip *peer, const struct packet *packet)
{
	return in_ranges(clause, packet) && has_address(compiled, clause->peers, peer) &&
	       in_set(compiled, clause->pairs, peer, packet) &&
	       in_set(compiled, clause->named, &packet->to, packet);
}

/* What the first clause that holds does; ACTION_PASS: none does, or it says so. */
static enum action first_action(const struct compiled *compiled, const clauses_t *clauses,
				const struct ip *peer, const struct packet *packet,
				struct decision *decision)
{
	decision->clauses = clauses;
	decision->clause = NULL;
	list_each(clause, clauses)
		if (clause_holds(compiled, clause, peer, packet)) {
			decision->clause = clause;
			return clause->action;
		}
	return ACTION_PASS;
}

static bool group_allows(const struct compiled *compiled, const struct ip *peer,
			 const struct packet *packet, struct decision *decision)
{
	const struct group *group = decision->group;
	enum action action = first_action(compiled, &group->admin, peer, packet, decision);

	if (action == ACTION_PASS && group->isolated)
		return first_action(compiled, &group->allows, peer, packet, decision) ==
		       ACTION_ACCEPT;
	if (action == ACTION_PASS)
		action = first_action(compiled, &group->baseline, peer, packet, decision);
	return action != ACTION_DENY;
}

void compiled_decide(const struct compiled *compiled, enum direction direction,
		     const struct packet *packet, struct decision *decision)
{
	const struct ip *subject = direction == INGRESS ? &packet->to : &packet->from;
	const struct ip *peer = direction == INGRESS ? &packet->from : &packet->to;

	*decision = (struct decision){ .accepted = true };
	if (compiled->subjects[direction] == NO_SET ||
	    !has_address(compiled, compiled->subjects[direction], subject))
		return;
	decision->accepted = false;
	list_each(group, &compiled->groups)
		if (group->direction == direction &&
		    has_address(compiled, group->members, subject)) {
			decision->group = group;
			decision->accepted = group_allows(compiled, peer, packet, decision);
			return;
		}
}

static bool side_allows(const struct compiled *compiled, enum direction direction,
			const struct packet *packet)
{
	struct decision decision;

	compiled_decide(compiled, direction, packet, &decision);
	return decision.accepted;
}

bool compiled_closes(const struct compiled *compiled, const struct ip *ip)
{
	list_each(cidr, &compiled->closed)
		if (cidr_contains(cidr, ip))
			return !has_address(compiled, compiled->known, ip);
	return false;
}

/* What a pod sends to its own address, and what the node itself sends or gets, does not come by here. */
bool compiled_allows(const struct compiled *compiled, const struct packet *packet)
{
	if (packet->own || ip_equal(&packet->from, &packet->to))
		return true;
	if (compiled_closes(compiled, &packet->from) || compiled_closes(compiled, &packet->to))
		return false;
	return side_allows(compiled, EGRESS, packet) && side_allows(compiled, INGRESS, packet);
}
