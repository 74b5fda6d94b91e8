/* See limit.h. Everything is counted and nothing made; in 64 bits, since products of what stands in one object are. */
#include "policy/limit.h"

#include <stdio.h>

#include "policy/clause.h"

struct size {
	uint64_t kinds, elements; /* of peers */
};

/* A hole costs a prefix for each bit that it is longer than the block, at most. */
static uint64_t block_size(const struct block *block)
{
	uint64_t n = 1;

	list_each(except, &block->except)
		n += (uint64_t)(except->prefix - block->cidr.prefix);
	return n;
}

static uint64_t nodes_size(const struct world *world, const struct selector *selector)
{
	uint64_t n = 0;

	list_each(node, &world->nodes)
		if (selector_matches(selector, &node->labels))
			n += node->ips.n;
	return n;
}

static struct size peers_size(const struct world *world, const struct rule *rule)
{
	struct size size = { .kinds = 1 };

	list_each(peer, &rule->peers) {
		size.kinds += !peer->has_block;
		if (peer->has_block)
			size.elements += block_size(&peer->block);
		else if (peer->has_nodes)
			size.elements += nodes_size(world, &peer->nodes);
		else
			size.elements += world->sets.items[peer->set].n_ips;
	}
	return size;
}

static uint64_t rule_size(const struct world *world, const struct rule *rule)
{
	struct size peers = peers_size(world, rule);
	uint64_t paired = peers.elements < PAIRS_OF_A_PORT ? peers.elements : PAIRS_OF_A_PORT;

	return peers.elements + (rule->ports.n ? rule->ports.n : 1) * (peers.kinds + paired);
}

static bool limit_policy(const struct world *world, struct policy *policy)
{
	bool was = policy->closed;

	policy->expansion = 0;
	for (int direction = 0; direction < DIRECTIONS; direction++)
		list_each(rule, &policy->rules[direction])
			if (policy->isolates[direction])
				policy->expansion += rule_size(world, rule);
	policy->closed = policy->expansion > world->expansion_max;
	return policy->closed != was;
}

static bool limit_cluster(const struct world *world, struct cluster_policy *policy)
{
	bool was = policy->closed;

	policy->expansion = 0;
	for (int direction = 0; direction < DIRECTIONS; direction++)
		list_each(rule, &policy->rules[direction])
			policy->expansion += rule_size(world, &rule->match);
	policy->closed = policy->expansion > world->expansion_max;
	return policy->closed != was;
}

bool world_limit(struct world *world)
{
	bool changed = false;

	list_each(policy, &world->policies)
		changed = limit_policy(world, policy) || changed;
	list_each(policy, &world->clusters)
		changed = limit_cluster(world, policy) || changed;
	return changed;
}

static void report_one(const struct world *world, const char *object, uint64_t expansion,
		       const char *what, object_report_fn *report, void *arg)
{
	char text[160];

	snprintf(text, sizeof(text), "spec: it comes to %llu elements, over the limit of %llu: %s",
		 (unsigned long long)expansion, (unsigned long long)world->expansion_max, what);
	report(arg, true, object, text);
}

void limit_report(const struct world *world, object_report_fn *report, void *arg)
{
	auto_arena struct arena scratch = { 0 };

	list_each(policy, &world->policies)
		if (policy->closed)
			report_one(world,
				   arena_printf(&scratch, "networkpolicy %s",
						policy_text(world, policy, &scratch)),
				   policy->expansion, "it isolates, and allows nothing", report,
				   arg);
	list_each(policy, &world->clusters)
		if (policy->closed)
			report_one(world,
				   arena_printf(&scratch, "clusternetworkpolicy %s",
						symbol_text(&world->symbols, policy->name)),
				   policy->expansion, "its rules fail closed", report, arg);
}
