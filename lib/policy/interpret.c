/* The interpreter of what was compiled: what a node does with the first packet of a connection that it forwards. */
#include "policy/compiled.h"

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

static bool in_ranges(const struct match *match, const struct packet *packet)
{
	if (!match->ported)
		return true;
	if (match->protocol != packet->protocol)
		return false;
	list_each(range, &match->ports)
		if (packet->port >= range->first && packet->port <= range->last)
			return true;
	return !match->ports.n;
}

static bool match_holds(const struct compiled *compiled, const struct match *match,
			const struct ip *peer, const struct packet *packet)
{
	return in_ranges(match, packet) && has_address(compiled, match->peers, peer) &&
	       in_set(compiled, match->pairs, peer, packet) &&
	       in_set(compiled, match->named, &packet->to, packet);
}

static bool side_allows(const struct compiled *compiled, enum direction direction,
			const struct packet *packet)
{
	const struct ip *subject = direction == INGRESS ? &packet->to : &packet->from;
	const struct ip *peer = direction == INGRESS ? &packet->from : &packet->to;

	if (!has_address(compiled, compiled->isolated[direction], subject))
		return true;
	list_each(group, &compiled->groups) {
		if (group->direction != direction ||
		    !has_address(compiled, group->members, subject))
			continue;
		list_each(match, &group->matches)
			if (match_holds(compiled, match, peer, packet))
				return true;
		return false;
	}
	return false;
}

/* What a pod sends to its own address, and what the node itself sends or gets, does not come by here. */
bool compiled_allows(const struct compiled *compiled, const struct packet *packet)
{
	if (packet->own || ip_equal(&packet->from, &packet->to))
		return true;
	return side_allows(compiled, EGRESS, packet) && side_allows(compiled, INGRESS, packet);
}
