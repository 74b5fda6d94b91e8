/* See world.h. */
#include "policy/world.h"

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
