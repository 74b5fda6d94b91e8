/* A world from YAML, for the unit tests of policies. */
#ifndef UNIT_POLICY_H
#define UNIT_POLICY_H

#include "unit.h"

#include "policy/input.h"

static struct arena arena;

static void policy_report(void *arg, bool is_error, const char *object, const char *text)
{
	char **all = arg;

	*all = arena_printf(&arena, "%s%s%s: %s: %s", *all, **all ? "\n" : "",
			    is_error ? "error" : "warning", object, text);
}

static inline void world_read_with(struct world *world, const char *const *texts, size_t n,
				   object_report_fn *report, void *arg)
{
	struct reader reader = { .world = world, .report = report, .arg = arg };
	struct error err = { 0 };

	world_init(world, &arena);
	for (size_t i = 0; i < n; i++)
		if (input_parse(texts[i], strlen(texts[i]), &reader, &err) < 0)
			report(arg, true, "input", err.message);
	world_index(world);
}

/* What was said while the texts were read, a line each. */
static inline const char *world_read(struct world *world, const char *const *texts, size_t n)
{
	char *said = arena_strdup(&arena, "");

	world_read_with(world, texts, n, policy_report, &said);
	return said;
}

#endif
