/* See world.h. */
#include "policy/world.h"

#include "policy/limit.h"
#include "policy/select.h"

void world_init(struct world *world, struct arena *arena)
{
	*world = (struct world){ .arena = arena, .expansion_max = EXPANSION_MAX };
	world->symbols.arena = arena;
	world->space_names.arena = world->node_names.arena = arena;
	world->pod_names.arena = world->policy_names.arena = world->cluster_names.arena = arena;
	world->indexes = arena;
}

/* Every namespace carries its name as a label: the API server sees to it, a file may not. */
uint32_t world_space(struct world *world, const char *name)
{
	symbol_t number = symbol_add(&world->space_names, name);
	struct space *space;

	if (number > world->spaces.n) {
		space = list_add(world->arena, &world->spaces);
		space->name = symbol_add(&world->symbols, name);
		*list_add(world->arena, &space->labels) =
			label_make(&world->symbols, "kubernetes.io/metadata.name", name);
	}
	return number - 1;
}

struct node *world_node(struct world *world, const char *name)
{
	symbol_t number = symbol_add(&world->node_names, name);

	if (number > world->nodes.n)
		list_add(world->arena, &world->nodes)->name = symbol_add(&world->symbols, name);
	return &world->nodes.items[number - 1];
}

const char *pod_text(const struct world *world, const struct pod *pod, struct arena *arena)
{
	return arena_printf(arena, "%s/%s",
			    symbol_text(&world->symbols, world->spaces.items[pod->space].name),
			    symbol_text(&world->symbols, pod->name));
}

const char *policy_text(const struct world *world, const struct policy *policy, struct arena *arena)
{
	return arena_printf(arena, "%s/%s",
			    symbol_text(&world->symbols, world->spaces.items[policy->space].name),
			    symbol_text(&world->symbols, policy->name));
}

const char *cluster_policy_text(const struct world *world, const struct cluster_policy *policy,
				struct arena *arena)
{
	return arena_printf(arena, "%s:%s", tier_names[policy->tier],
			    symbol_text(&world->symbols, policy->name));
}

bool node_has_ip(const struct world *world, symbol_t node, const struct ip *ip)
{
	symbol_t number = symbol_find(&world->node_names, symbol_text(&world->symbols, node));

	if (!node || !number)
		return false;
	list_each(own, &world->nodes.items[number - 1].ips)
		if (ip_equal(own, ip))
			return true;
	return false;
}

const struct pod *world_pod(const struct world *world, const char *space, const char *name)
{
	auto_arena struct arena scratch = { 0 };
	symbol_t number =
		symbol_find(&world->pod_names, arena_printf(&scratch, "%s/%s", space, name));

	return number ? &world->pods.items[number - 1] : NULL;
}

const struct pod *world_pod_by_ip(const struct world *world, const struct ip *ip)
{
	list_each(pod, &world->pods)
		if (pod_takes_part(pod) && pod_has_ip(pod, ip))
			return pod;
	return NULL;
}

/* ---- the indexes ---- */

static void index_pods(struct world *world)
{
	for (uint32_t i = 0; i < world->pods.n; i++) {
		struct pod *pod = &world->pods.items[i];

		if (pod_takes_part(pod))
			*list_add(world->indexes, &world->spaces.items[pod->space].pods) = i;
	}
	select_index(world);
}

static void index_peers(struct world *world, uint32_t space, const struct rule *rule)
{
	list_each(peer, &rule->peers)
		if (!peer->has_block && !peer->has_nodes)
			peer->set = select_peer(world, space, peer);
}

static void index_policy(struct world *world, uint32_t number)
{
	struct policy *policy = &world->policies.items[number];

	*list_add(world->indexes, &world->spaces.items[policy->space].policies) = number;
	policy->set = select_pods(world, policy->space, NULL, &policy->pods);
	for (int direction = 0; direction < DIRECTIONS; direction++) {
		list_each(rule, &policy->rules[direction])
			index_peers(world, policy->space, rule);
		if (!policy->isolates[direction])
			continue;
		list_each(pod, &world->sets.items[policy->set].pods_in)
			*list_add(world->indexes, &world->pods.items[*pod].policies[direction]) =
				number;
	}
}

/* Their peers say their namespaces themselves. A policy without rules for a direction says nothing of it. */
static void index_cluster(struct world *world, uint32_t number)
{
	struct cluster_policy *policy = &world->clusters.items[number];

	policy->set = select_pods(world, 0, &policy->spaces, &policy->pods);
	for (int direction = 0; direction < DIRECTIONS; direction++) {
		list_each(rule, &policy->rules[direction])
			index_peers(world, 0, &rule->match);
		if (!policy->rules[direction].n)
			continue;
		list_each(pod, &world->sets.items[policy->set].pods_in)
			*list_add(world->indexes, &world->pods.items[*pod].clusters[direction]) =
				number;
	}
}

static int compare_clusters(const void *a, const void *b, void *world_)
{
	const struct world *world = world_;

	return cluster_policy_compare(&world->clusters.items[*(const uint32_t *)a],
				      &world->clusters.items[*(const uint32_t *)b],
				      &world->symbols);
}

static void index_clusters(struct world *world)
{
	for (uint32_t i = 0; i < world->clusters.n; i++)
		if (!world->clusters.items[i].gone)
			*list_add(world->indexes, &world->cluster_order) = i;
	if (world->cluster_order.n)
		qsort_r(world->cluster_order.items, world->cluster_order.n, sizeof(uint32_t),
			compare_clusters, world);
	list_each(number, &world->cluster_order)
		index_cluster(world, *number);
}

/* What an index was is forgotten; its memory is whoever's gave it. */
static void forget_index(struct world *world)
{
	world->set_names = (struct symbols){ .arena = world->indexes };
	world->sets.n = world->cluster_order.n = 0;
	list_each(space, &world->spaces)
		space->pods.n = space->policies.n = 0;
	list_each(pod, &world->pods)
		for (int i = 0; i < DIRECTIONS; i++)
			pod->policies[i].n = pod->clusters[i].n = 0;
}

void world_index(struct world *world)
{
	forget_index(world);
	index_pods(world);
	for (uint32_t i = 0; i < world->policies.n; i++)
		if (!world->policies.items[i].gone)
			index_policy(world, i);
	index_clusters(world);
	(void)world_limit(world);
}
