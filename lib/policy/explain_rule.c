/* Why one rule does not hold, in words; and what stands in it. See explain_internal.h. */
#include "policy/explain_internal.h"

#include <stdio.h>

#include "base/text.h"

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

	if (peer->has_nodes)
		return arena_printf(arena, "nodes %s", selector_text(world, &peer->nodes));
	if (peer->has_block)
		return arena_printf(arena, "ipBlock %s", cidr_format(&peer->block.cidr, cidr));
	if (!peer->has_spaces)
		return arena_printf(arena, "podSelector %s", pods);
	if (!peer->has_pods)
		return arena_printf(arena, "namespaceSelector %s", spaces);
	return arena_printf(arena, "podSelector %s with namespaceSelector %s", pods, spaces);
}

const char *cluster_peer_text(const struct world *world, const struct peer *peer,
			      struct arena *arena)
{
	char cidr[CIDR_TEXT_SIZE];
	const char *spaces = selector_text(world, &peer->spaces);

	if (peer->has_nodes)
		return peer_text(world, peer, arena);
	if (peer->has_block)
		return arena_printf(arena, "networks %s", cidr_format(&peer->block.cidr, cidr));
	if (!peer->has_pods)
		return arena_printf(arena, "namespaces %s", spaces);
	return arena_printf(arena, "pods %s in namespaces %s", selector_text(world, &peer->pods),
			    spaces);
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
	if (peer->has_nodes)
		return "the address is none of such a node";
	if (!pod)
		return "the address is no pod's";
	if (!peer->has_spaces && policy && pod->space != policy->space)
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
	FILE *out = text_stream(&text, &size);

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

void rule_why(const struct world *world, const struct policy *policy, const struct rule *rule,
	      enum direction direction, const struct connection *connection, struct arena *arena,
	      words_t *why)
{
	const struct endpoint *endpoint = connection_peer(connection, direction);
	bool peer_fits = any_peer_fits(world, policy, rule, endpoint);

	for (size_t i = 0; !peer_fits && i < rule->peers.n; i++) {
		const struct peer *peer = &rule->peers.items[i];

		*list_add(arena, why) = arena_printf(
			arena, "%s[%u] %s: %s", direction == INGRESS ? "from" : "to", peer->place,
			policy ? peer_text(world, peer, arena)
			       : cluster_peer_text(world, peer, arena),
			peer_why(world, policy, peer, endpoint, arena));
	}
	if (!any_port_fits(rule, connection))
		*list_add(arena, why) = ports_why(world, rule, connection, arena);
}
