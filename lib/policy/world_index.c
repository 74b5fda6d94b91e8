/* world_index(): who is selected by which policy, and which policies come to too much. */
#include "policy/limit.h"
#include "policy/select.h"

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
