/*
 * Objects of the Kubernetes API as JSON or YAML: whatever they are, what was refused is named, and what was taken is
 * answered the same by the objects and by what is compiled for the nodes.
 */
#include "fuzz.h"

#include "policy/input.h"
#include "policy/lint.h"
#include "policy/matrix.h"

#define PODS_MAX 12

static void hear(void *arg, bool is_error, const char *object, const char *text)
{
	unsigned *n = arg;

	*n += is_error;
	fuzz_check(object && *object && text && *text, "nothing is said");
}

static bool is_a_nodes(const struct world *world, const struct ip *ip)
{
	list_each(node, &world->nodes)
		if (node_has_ip(world, node->name, ip))
			return true;
	return false;
}

/* Two pods with one address, or a pod with a node's, are one to a kernel, and two to the objects. */
static bool addresses_are_unique(const struct world *world)
{
	list_each(pod, &world->pods)
		for (size_t i = 0; pod_takes_part(pod) && i < pod->ips.n; i++)
			if (world_pod_by_ip(world, &pod->ips.items[i]) != pod ||
			    is_a_nodes(world, &pod->ips.items[i]))
				return false;
	return true;
}

static void look(void *arg, const struct cell *cell)
{
	(void)arg;
	for (size_t i = 0; i < cell->n; i++)
		fuzz_check(!cell->differs[i], "%s -> %s %u/%d: compiled otherwise",
			   cell->from->text, cell->to->text, cell->port.port,
			   (int)cell->port.protocol);
}

static void ask(const struct world *world, struct arena *arena)
{
	static const char *const outside[] = { "203.0.113.1", "2001:db8::1" };
	struct matrix matrix;
	struct ip ip;

	matrix_init(&matrix, world, arena);
	for (size_t i = 0; i < ARRAY_SIZE(outside); i++)
		if (ip_parse(outside[i], &ip))
			matrix_add_ip(&matrix, &ip);
	matrix.check = addresses_are_unique(world);
	matrix_run(&matrix, look, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_arena struct arena arena = { 0 };
	const char *text = arena_memdup(&arena, data, size);
	struct error err = { 0 };
	struct world world;
	unsigned n_errors = 0;
	struct reader reader = { .world = &world, .report = hear, .arg = &n_errors };

	world_init(&world, &arena);
	if (input_parse(text, size, &reader, &err) < 0)
		fuzz_check(*err.message, "no word about what is wrong");
	fuzz_check(!reader.n_refused == !n_errors, "%u refused, %u errors", reader.n_refused,
		   n_errors);
	world_index(&world);
	world_lint(&world, hear, &n_errors);
	if (world.pods.n <= PODS_MAX)
		ask(&world, &arena);
	return 0;
}
