/*
 * What it takes to read a cluster's objects and to compile them for one node: compile FILE NODE. A line for each step:
 * its name, CPU in microseconds; then sizes, and the peak of memory in KiB. Then the same as a daemon does it (live.h), and what it
 * takes that a hundred pods come on other nodes.
 */
#include "policy/compiled.h"
#include "policy/input.h"
#include "policy/live.h"

#include "base/file.h"
#include "describe/documents.h"

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

/* ---- objects that come and go while policies are in force ---- */

static void put(void *live, const struct json *document, const struct json *list)
{
	live_put(live, "file", document, list);
}

static void put_text(struct live *live, const char *text)
{
	auto_json struct json *json = json_parse(text, strlen(text), NULL);

	live_put(live, "change", json, NULL);
}

/* A pod on another node that comes and goes, with labels and ports as its neighbours have them. */
static size_t churn(struct live *live, unsigned n)
{
	size_t elements = 0;

	for (unsigned i = 0; i < n; i++) {
		auto_arena struct arena arena = { 0 };
		const struct difference *difference;

		put_text(
			live,
			arena_printf(
				&arena,
				"{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"new%u\","
				"\"namespace\":\"ns%u\",\"labels\":{\"app\":\"app%u\",\"tier\":\"t1\"}},"
				"\"spec\":{\"nodeName\":\"elsewhere\",\"containers\":[{\"ports\":"
				"[{\"name\":\"http\",\"containerPort\":8080}]}]},"
				"\"status\":{\"podIP\":\"10.99.%u.%u\"}}",
				i, i % 100, i % 5, i / 250, i % 250 + 1));
		difference = live_update(live);
		list_each(change, &difference->sets)
			elements += change->more.n + change->gone.n;
		live_settle(live);
	}
	return elements;
}

static int follow(const char *path, const char *node)
{
	enum { PODS = 100 };
	auto_arena struct arena arena = { 0 };
	struct live_options options = { node, refuse, NULL };
	struct live_counts counts;
	struct error err = { 0 };
	struct live *live;
	char *text;
	size_t size;

	live_open(&live, &options);
	if (file_read(path, INPUT_SIZE_MAX, &arena, &text, &size, &err) < 0 ||
	    documents_each(text, size, put, live, &err) < 0)
		return 1;
	arena_free(&arena);
	lap("objects");
	live_update(live);
	live_settle(live);
	lap("anew");
	printf("followed %zu\n", churn(live, PODS) / PODS);
	lap("churn");
	live_count(live, &counts);
	live_close(live);
	return counts.followed != PODS;
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
	return reader.n_refused > 0 || follow(argv[1], argv[2]);
}
