/*
 * What a back end costs: enforce BACKEND NODE FILE... brings this network namespace from what is in force to what each
 * file asks for, one after the other. A line for each step: its name, CPU and wall time in microseconds; then how much
 * differed, and what there is. Damages and a difference that is left are told, too. `enforce BACKEND remove` takes all away.
 * ENFORCE="drop return nflog=5 close=10.1.0.0/16" treats packets otherwise than by default.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include "policy/enforce.h"
#include "policy/input.h"

static void refuse(void *arg, bool is_error, const char *object, const char *text)
{
	(void)arg;
	if (is_error)
		fprintf(stderr, "%s: %s\n", object, text);
}

static double seconds(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

/* What the process costs, and what it has others do. */
static double cpu(void)
{
	struct rusage children;

	getrusage(RUSAGE_CHILDREN, &children);
	return seconds(CLOCK_PROCESS_CPUTIME_ID) +
	       (double)(children.ru_utime.tv_sec + children.ru_stime.tv_sec) * 1e6 +
	       (double)(children.ru_utime.tv_usec + children.ru_stime.tv_usec);
}

static double last_cpu, last_wall;

static void start(void)
{
	last_cpu = cpu();
	last_wall = seconds(CLOCK_MONOTONIC);
}

static void lap(const char *name)
{
	printf("%s %.0f %.0f\n", name, cpu() - last_cpu, seconds(CLOCK_MONOTONIC) - last_wall);
	start();
}

static void tell(const struct enforcement *enforcement)
{
	const struct difference *difference = &enforcement->difference;
	const struct compiled *to = difference->to;
	size_t elements = 0, changed = 0, clauses = 0;

	list_each(set, &to->sets)
		elements += set->elements.n;
	list_each(group, &to->groups)
		clauses += group->admin.n + group->allows.n + group->baseline.n;
	list_each(change, &difference->sets)
		changed += change->more.n + change->gone.n;
	printf("new_sets %zu\nold_sets %zu\nelements_changed %zu\nnew_groups %zu\nold_groups %zu\n"
	       "groups_changed %zu\ndamages %zu\nsets %zu\ngroups %zu\nclauses %zu\nelements %zu\n",
	       difference->new_sets.n, difference->old_sets.n, changed, difference->new_groups.n,
	       difference->old_groups.n, difference->groups.n, enforcement->found.damages.n,
	       to->sets.n, to->groups.n, clauses, elements);
	list_each(damage, &enforcement->found.damages)
		printf("damage %s %s\n", damage->place, damage->what);
}

/* Once more, from what the kernel has now: nothing may be left. */
static int look_again(const struct enforcement *before, const struct world *world, symbol_t node,
		      struct arena *arena, struct error *err)
{
	struct enforcement again = { .backend = before->backend,
				     .treatment = before->treatment,
				     .close = before->close };
	int r = enforce_plan(&again, world, node, arena, err);

	if (r == 0 && !difference_is_empty(&again.difference)) {
		tell(&again);
		return fail(err, EPROTO, "something is left to do");
	}
	lap("again");
	return r;
}

static struct enforcement wanted(const struct backend *backend, struct arena *arena)
{
	const char *words = getenv("ENFORCE") ?: "", *nflog = strstr(words, "nflog="),
		   *close = strstr(words, "close=");
	struct enforcement enforcement = {
		.backend = backend,
		.treatment = { .reject = !strstr(words, "drop"),
			       .accept = !strstr(words, "return"),
			       .nflog = nflog ? (uint16_t)atoi(nflog + 6) : 0,
			       .established = true },
	};
	struct cidr cidr;

	if (close &&
	    cidr_parse(arena_printf(arena, "%.*s", (int)strcspn(close + 6, " "), close + 6), &cidr))
		*list_add(arena, &enforcement.close) = cidr;
	return enforcement;
}

static int enforce_file(const struct backend *backend, const char *node_name, const char *file,
			struct error *err)
{
	auto_arena struct arena arena = { 0 };
	struct world world;
	struct reader reader = { .world = &world, .report = refuse };
	struct enforcement enforcement = wanted(backend, &arena);
	symbol_t node;
	int r;

	world_init(&world, &arena);
	r = input_read(file, &reader, err);
	if (r < 0)
		return r;
	world_index(&world);
	node = symbol_find(&world.symbols, node_name);
	start();
	r = enforce_plan(&enforcement, &world, node, &arena, err);
	if (r < 0)
		return r;
	lap("plan");
	r = enforce(&enforcement, err);
	if (r < 0)
		return r;
	lap("write");
	tell(&enforcement);
	return look_again(&enforcement, &world, node, &arena, err);
}

int main(int argc, char **argv)
{
	const struct backend *backend;
	auto_close int lock = -1;
	struct error err = { 0 };
	int r;

	if (argc < 3)
		return 2;
	r = backend_find(argv[1], &backend, &err);
	if (r == 0)
		r = enforce_lock(&lock, &err);
	if (r == 0 && argc == 3)
		r = backend->remove(&err);
	for (int i = 3; i < argc && r == 0; i++)
		r = enforce_file(backend, argv[2], argv[i], &err);
	if (r < 0)
		fprintf(stderr, "enforce: %s\n", err.message);
	return r < 0;
}
