/* See lint.h. */
#include "policy/lint_internal.h"

#include <stdio.h>

#include "policy/explain.h"

#define DNS_PORT 53

static const char *selector_text(const struct lint *lint, const struct selector *selector)
{
	return selector_is_empty(selector) ? "{}"
					   : symbol_text(&lint->world->symbols, selector->text);
}

/* ---- what is not said ---- */

static void lint_types(struct lint *lint, const struct policy *policy)
{
	static const char *const types[] = { "Ingress", "Egress" };

	if (!policy->typed)
		lint_warn(lint, "spec.policyTypes: missing; it means Ingress%s",
			  policy->isolates[EGRESS] ? " and Egress" : "");
	if (!policy->typed && policy->given[EGRESS] && !policy->isolates[EGRESS])
		lint_warn(lint, "spec.egress: an empty list isolates nothing without policyTypes");
	for (int i = 0; i < DIRECTIONS; i++)
		if (policy->typed && policy->rules[i].n && !policy->isolates[i])
			lint_warn(lint, "spec.%s: has no effect, since policyTypes has no %s",
				  direction_names[i], types[i]);
}

static void lint_protocols(struct lint *lint, enum direction direction, size_t number,
			   const struct rule *rule)
{
	for (size_t i = 0; i < rule->ports.n; i++)
		if (rule->ports.items[i].unsaid)
			lint_warn(lint, "%s.ports[%zu].protocol: missing; it means TCP",
				  lint_place(lint, direction, number), i);
}

/* ---- what finds nothing ---- */

static bool any_space(const struct world *world, const struct selector *selector)
{
	list_each(space, &world->spaces)
		if (selector_matches(selector, &space->labels))
			return true;
	return false;
}

static void lint_peer(struct lint *lint, enum direction direction, size_t number,
		      const struct rule *rule, size_t i)
{
	const struct world *world = lint->world;
	const struct peer *peer = &rule->peers.items[i];
	const char *place = lint_peer_place(lint, direction, number, i);

	if (peer->has_block || world->sets.items[peer->set].pods_in.n)
		return;
	if (peer->has_spaces && !any_space(world, &peer->spaces))
		lint_warn(lint, "%s.namespaceSelector: %s matches no namespace%s", place,
			  selector_text(lint, &peer->spaces), lint_hint(lint, &peer->spaces, true));
	else if (lint->has_pods)
		lint_warn(lint, "%s: %s matches no pod%s", place,
			  peer_text(world, peer, lint->arena), lint_hint(lint, &peer->pods, false));
}

static bool set_has_name(const struct world *world, const numbers_t *pods,
			 const struct port_match *port)
{
	list_each(number, pods)
		if (pod_port(&world->pods.items[*number], port->name, port->protocol))
			return true;
	return false;
}

static bool world_has_name(const struct world *world, const struct port_match *port)
{
	list_each(pod, &world->pods)
		if (pod_takes_part(pod) && pod_port(pod, port->name, port->protocol))
			return true;
	return false;
}

/* Towards others, those that the rule names; a block may hold any pod. */
static bool peers_have_name(const struct world *world, const struct rule *rule,
			    const struct port_match *port)
{
	bool anybody = !rule->peers.n;

	list_each(peer, &rule->peers) {
		anybody = anybody || peer->has_block;
		if (!peer->has_block &&
		    set_has_name(world, &world->sets.items[peer->set].pods_in, port))
			return true;
	}
	return anybody && world_has_name(world, port);
}

static void lint_names(struct lint *lint, const struct policy *policy, enum direction direction,
		       size_t number, const struct rule *rule)
{
	const struct world *world = lint->world;

	for (size_t i = 0; i < rule->ports.n && lint->has_pods; i++) {
		const struct port_match *port = &rule->ports.items[i];
		bool found = !port->name ||
			     (direction == INGRESS
				      ? set_has_name(world, &world->sets.items[policy->set].pods_in,
						     port)
				      : peers_have_name(world, rule, port));

		if (!found)
			lint_warn(lint, "%s.ports[%zu]: no pod of %s has a %s port \"%s\"",
				  lint_place(lint, direction, number), i,
				  direction == INGRESS ? "spec.podSelector" : "its peers",
				  protocol_names[port->protocol],
				  symbol_text(&world->symbols, port->name));
	}
}

/* ---- names of hosts ---- */

static bool is_dns(const struct world *world, const struct port_match *port)
{
	if (port->protocol != PROTOCOL_UDP)
		return false;
	if (!port->name)
		return !port->first || (port->first <= DNS_PORT && port->last >= DNS_PORT);
	list_each(pod, &world->pods)
		if (pod_port(pod, port->name, PROTOCOL_UDP) == DNS_PORT)
			return true;
	return false;
}

static bool rules_allow_dns(const struct world *world, const rules_t *rules)
{
	list_each(rule, rules) {
		if (!rule->ports.n)
			return true;
		list_each(port, &rule->ports)
			if (is_dns(world, port))
				return true;
	}
	return false;
}

/* Each pod is judged with the first policy that isolates it, so that it is named once. */
static void lint_dns(struct lint *lint, uint32_t number, const struct policy *policy)
{
	const struct world *world = lint->world;
	const struct pod *first = NULL;
	unsigned n = 0;

	list_each(at, &world->sets.items[policy->set].pods_in) {
		const struct pod *pod = &world->pods.items[*at];
		bool allowed = false;

		if (!policy->isolates[EGRESS] || *pod->policies[EGRESS].items != number)
			continue;
		list_each(other, &pod->policies[EGRESS])
			allowed = allowed ||
				  rules_allow_dns(world,
						  &world->policies.items[*other].rules[EGRESS]);
		first = first ? first : pod;
		n += !allowed;
		if (!n)
			first = NULL;
	}
	if (n)
		lint_warn(lint, "spec.egress: no policy allows UDP 53 (DNS) to %s%s",
			  pod_text(world, first, lint->arena),
			  n > 1 ? arena_printf(lint->arena, " and %u more", n - 1) : "");
}

/* ---- the whole ---- */

static void lint_policy(struct lint *lint, uint32_t number, const struct policy *policy)
{
	const struct world *world = lint->world;

	lint_types(lint, policy);
	if (lint->has_pods && !world->sets.items[policy->set].pods_in.n)
		lint_warn(lint, "spec.podSelector: %s matches no pod of the namespace%s",
			  selector_text(lint, &policy->pods),
			  lint_hint(lint, &policy->pods, false));
	for (int direction = 0; direction < DIRECTIONS; direction++) {
		const rules_t *rules = &policy->rules[direction];

		for (size_t i = 0; i < rules->n; i++) {
			const struct rule *rule = &rules->items[i];

			lint_protocols(lint, (enum direction)direction, i, rule);
			lint_names(lint, policy, (enum direction)direction, i, rule);
			for (size_t j = 0; j < rule->peers.n; j++)
				lint_peer(lint, (enum direction)direction, i, rule, j);
		}
		lint_covered(lint, policy, (enum direction)direction);
		lint_excepts(lint, policy, (enum direction)direction);
	}
	lint_dns(lint, number, policy);
}

static int compare_addresses(const void *a, const void *b)
{
	const struct lint_address *x = a, *y = b;
	int order = ip_compare(&x->ip, &y->ip);

	return order ? order : (x->pod > y->pod) - (x->pod < y->pod);
}

static void lint_addresses(struct lint *lint)
{
	const struct world *world = lint->world;
	LIST(struct lint_address) all = { 0 };
	char text[IP_TEXT_SIZE];

	list_each(pod, &world->pods)
		for (size_t i = 0; pod_takes_part(pod) && i < pod->ips.n; i++)
			*list_add(lint->arena, &all) =
				(struct lint_address){ pod->ips.items[i], pod };
	if (all.n)
		qsort(all.items, all.n, sizeof(*all.items), compare_addresses);
	for (size_t i = 1; i < all.n; i++) {
		if (!ip_equal(&all.items[i - 1].ip, &all.items[i].ip))
			continue;
		lint->object = arena_printf(lint->arena, "pod %s",
					    pod_text(world, all.items[i].pod, lint->arena));
		lint_warn(lint, "status.podIPs: %s is also %s's", ip_format(&all.items[i].ip, text),
			  pod_text(world, all.items[i - 1].pod, lint->arena));
	}
}

void world_lint(const struct world *world, object_report_fn *report, void *arg)
{
	auto_arena struct arena shared = { 0 };
	struct lint lint = { .world = world, .report = report, .arg = arg, .arena = &shared };

	list_each(pod, &world->pods)
		lint.has_pods = lint.has_pods || pod_takes_part(pod);
	lint_addresses(&lint);
	for (uint32_t i = 0; i < world->policies.n; i++) {
		const struct policy *policy = &world->policies.items[i];
		auto_arena struct arena scratch = { 0 };

		lint.arena = &scratch;
		lint.object = arena_printf(&scratch, "networkpolicy %s",
					   policy_text(world, policy, &scratch));
		lint_policy(&lint, i, policy);
	}
	list_each(number, &world->cluster_order) {
		const struct cluster_policy *policy = &world->clusters.items[*number];
		auto_arena struct arena scratch = { 0 };

		lint.arena = &scratch;
		lint.object = arena_printf(&scratch, "clusternetworkpolicy %s",
					   symbol_text(&world->symbols, policy->name));
		lint_cluster(&lint, policy);
	}
}
