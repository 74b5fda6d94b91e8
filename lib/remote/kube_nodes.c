/* Nodes by name, in one array: looked for by halves. */
#include "remote/kube_nodes.h"

#include "base/text.h"

struct kube_kept {
	struct cidr subnet, subnet6;
	bool odd;
	uint64_t revision;
	char *value; /* behind the name */
	char name[];
};

void kube_nodes_free(struct kube_nodes *nodes)
{
	for (size_t i = 0; i < nodes->n; i++)
		free(nodes->items[i]);
	free(nodes->items);
	*nodes = (struct kube_nodes){ 0 };
}

/* Where it is, or would be. */
static size_t position(const struct kube_nodes *nodes, const char *name, bool *found)
{
	size_t low = 0, high = nodes->n;

	*found = false;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(nodes->items[middle]->name, name);

		if (order == 0) {
			*found = true;
			return middle;
		}
		*(order < 0 ? &low : &high) = order < 0 ? middle + 1 : middle;
	}
	return low;
}

static uint64_t digest(const char *value)
{
	char hex[17];

	sha512_hex(hex, 16, value, NULL);
	return strtoull(hex, NULL, 16) | 1;
}

static struct kube_kept *keep(const struct kube_node *node)
{
	size_t name_size = strlen(node->name) + 1, value_size = strlen(node->value) + 1;
	struct kube_kept *kept = xrealloc(NULL, sizeof(*kept) + name_size + value_size);

	*kept = (struct kube_kept){ node->subnet, node->subnet6, node->odd, digest(node->value),
				    kept->name + name_size };
	memcpy(kept->name, node->name, name_size);
	memcpy(kept->value, node->value, value_size);
	return kept;
}

static bool same_cidr(const struct cidr *a, const struct cidr *b)
{
	return a->ip.family == b->ip.family && (!a->ip.family || cidr_equal(a, b));
}

static bool same(const struct kube_kept *kept, const struct kube_node *node)
{
	return same_cidr(&kept->subnet, &node->subnet) &&
	       same_cidr(&kept->subnet6, &node->subnet6) && kept->odd == node->odd &&
	       streq(kept->value, node->value);
}

static void insert(struct kube_nodes *nodes, size_t at, struct kube_kept *kept)
{
	if (nodes->n == nodes->room) {
		nodes->room = nodes->room ? nodes->room * 2 : 64;
		nodes->items = xrealloc(nodes->items, nodes->room * sizeof(struct kube_kept *));
	}
	memmove(nodes->items + at + 1, nodes->items + at,
		(nodes->n - at) * sizeof(struct kube_kept *));
	nodes->items[at] = kept;
	nodes->n++;
}

bool kube_nodes_put(struct kube_nodes *nodes, const struct kube_node *node)
{
	bool found;
	size_t at = position(nodes, node->name, &found);

	if (!node->value)
		return kube_nodes_remove(nodes, node->name);
	if (found && same(nodes->items[at], node))
		return false;
	if (found) {
		free(nodes->items[at]);
		nodes->items[at] = keep(node);
	} else {
		insert(nodes, at, keep(node));
	}
	return true;
}

bool kube_nodes_remove(struct kube_nodes *nodes, const char *name)
{
	bool found;
	size_t at = position(nodes, name, &found);

	if (!found)
		return false;
	free(nodes->items[at]);
	nodes->n--;
	memmove(nodes->items + at, nodes->items + at + 1,
		(nodes->n - at) * sizeof(struct kube_kept *));
	return true;
}

const char *kube_nodes_value(const struct kube_nodes *nodes, const char *name)
{
	bool found;
	size_t at = position(nodes, name, &found);

	return found ? nodes->items[at]->value : NULL;
}

const char *kube_subnets_key(const struct cidr *subnet, const struct cidr *subnet6, bool v4,
			     bool v6, struct arena *arena)
{
	struct subnet_lease lease = { .left_ms = KV_LASTING };
	char key[SUBNET_KEY_SIZE];

	if (!v4 && !v6) {
		v4 = subnet->ip.family != 0;
		v6 = subnet6->ip.family != 0;
	}
	if ((!v4 && !v6) || (v4 && !subnet->ip.family) || (v6 && !subnet6->ip.family))
		return NULL;
	if (v4)
		lease.subnet = *subnet;
	if (v6)
		lease.subnet6 = *subnet6;
	return arena_strdup(arena, subnet_key(&lease, key));
}

const char *kube_nodes_find(const struct kube_nodes *nodes, const char *key, bool v4, bool v6)
{
	for (size_t i = 0; i < nodes->n; i++) {
		auto_arena struct arena arena = { 0 };
		const struct kube_kept *kept = nodes->items[i];
		const char *there = kube_subnets_key(&kept->subnet, &kept->subnet6, v4, v6, &arena);

		if (there && streq(there, key))
			return kept->name;
	}
	return NULL;
}

static int compare_entries(const void *a, const void *b)
{
	return strcmp(((const struct kv_entry *)a)->key, ((const struct kv_entry *)b)->key);
}

void kube_nodes_entries(const struct kube_nodes *nodes, const char *prefix, bool v4, bool v6,
			struct arena *arena, kv_entries_t *entries)
{
	for (size_t i = 0; i < nodes->n; i++) {
		const struct kube_kept *kept = nodes->items[i];
		const char *key = kube_subnets_key(&kept->subnet, &kept->subnet6, v4, v6, arena);

		if (kept->odd)
			key = arena_printf(arena, "node %s", kept->name);
		if (key)
			*list_add(arena, entries) = (struct kv_entry){
				.key = arena_printf(arena, "%s%s", prefix, key),
				.value = kept->value,
				.size = strlen(kept->value),
				.revision = kept->revision,
				.left_ms = KV_LASTING,
			};
	}
	if (entries->n)
		qsort(entries->items, entries->n, sizeof(*entries->items), compare_entries);
}
