/*
 * What it takes to read a cluster's objects and to compile them for one node: compile FILE NODE. A line for each step:
 * its name, CPU in microseconds; then sizes, and the peak of memory in KiB.
 */
#include "policy/compiled.h"
#include "policy/input.h"

#include <stdio.h>
#include <sys/resource.h>
#include <time.h>

static void refuse(void *arg, bool is_error, const char *object, const char *text)
{
	(void)arg;
	if (is_error)
		fprintf(stderr, "%s: %s\n", object, text);
}

static void lap(const char *name)
{
	static double last;
	struct timespec now;
	double us;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	us = (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
	printf("%s %.0f\n", name, us - last);
	last = us;
}

int main(int argc, char **argv)
{
	auto_arena struct arena arena = { 0 };
	struct compiled compiled;
	struct world world;
	struct reader reader = { .world = &world, .report = refuse };
	struct error err = { 0 };
	struct rusage usage;
	size_t elements = 0, matches = 0;

	if (argc != 3)
		return 2;
	world_init(&world, &arena);
	if (input_read(argv[1], &reader, &err) < 0) {
		fprintf(stderr, "%s\n", err.message);
		return 1;
	}
	lap("read");
	world_index(&world);
	lap("index");
	compile(&world, symbol_find(&world.symbols, argv[2]), &arena, &compiled);
	lap("compile");
	list_each(set, &compiled.sets)
		elements += set->elements.n;
	list_each(group, &compiled.groups)
		matches += group->admin.n + group->allows.n + group->baseline.n;
	getrusage(RUSAGE_SELF, &usage);
	printf("policies %zu\npods %zu\nselectors %zu\ngroups %zu\nrules %zu\nsets %zu\nelements %zu\npeak %ld\n",
	       world.policies.n, world.pods.n, world.sets.n, compiled.groups.n, matches,
	       compiled.sets.n, elements, usage.ru_maxrss);
	return reader.n_refused > 0;
}
