/*
 * Rules as a save program prints them, read as policies: whatever stands in our chains, what comes out is a form that
 * can be judged by, compared and rendered, and is understood as itself then.
 *
 * Input: names of sets, a line each; a line "-"; the table of IPv4.
 */
#include "fuzz.h"

#include "policy/enforce.h"
#include "policy/iptables.h"
#include "policy/set.h"

#include <sys/socket.h>

static void read_sets(char **rest, struct arena *arena, struct ipt_sets *sets)
{
	auto_arena struct arena scratch = { 0 };
	struct symbols names = { .arena = &scratch };
	struct cidr cidr = { { AF_INET, { 10, 0, 0, 1 } }, 32 };

	*sets = (struct ipt_sets){ .compiled = { .arena = arena, .known = NO_SET } };
	sets->compiled.subjects[INGRESS] = sets->compiled.subjects[EGRESS] = NO_SET;
	for (const char *name; *(name = fuzz_line(rest)) && !streq(name, "-");) {
		enum set_kind kind;

		if (!set_kind_of(name, &kind) || symbol_find(&names, name))
			continue;
		symbol_add(&names, name);
		*list_add(arena, &sets->compiled.sets) = (struct set){ name, "", kind, { 0 }, {} };
		set_add(&sets->compiled, (uint32_t)sets->compiled.sets.n - 1, &cidr, PROTOCOL_TCP,
			0);
		set_finish(&sets->compiled, (uint32_t)sets->compiled.sets.n - 1);
	}
}

static void check_clauses(const struct compiled *compiled, const clauses_t *clauses)
{
	list_each(clause, clauses) {
		const uint32_t sets[] = { clause->peers, clause->pairs, clause->named };

		for (size_t i = 0; i < ARRAY_SIZE(sets); i++)
			fuzz_check(sets[i] == NO_SET || sets[i] < compiled->sets.n, "set %u",
				   sets[i]);
		list_each(range, &clause->ports)
			fuzz_check(range->first <= range->last, "ports %u to %u", range->first,
				   range->last);
	}
}

static void check_found(const struct found *found, struct arena *arena)
{
	const struct compiled *compiled = &found->compiled;
	const struct packet packet = {
		{ AF_INET, { 10, 0, 0, 1 } }, { AF_INET, { 10, 0, 0, 2 } }, PROTOCOL_TCP, 80, false
	};
	struct difference difference;
	ipt_chains_t chains = { 0 };

	list_each(group, &compiled->groups) {
		check_clauses(compiled, &group->admin);
		check_clauses(compiled, &group->allows);
		check_clauses(compiled, &group->baseline);
	}
	(void)compiled_allows(compiled, &packet);
	difference_of(compiled, compiled, arena, &difference);
	fuzz_check(!difference.sets.n && !difference.new_sets.n, "it differs from itself");
	ipt_render(compiled, &(struct ipt_form){ found->treatment, true }, false, arena, &chains);
	fuzz_check(chains.n >= 4, "%zu chains", chains.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_arena struct arena arena = { 0 };
	char *text = arena_memdup(&arena, data, size);
	struct ipt_table table;
	struct ipt_sets sets;
	struct found found = { 0 };

	read_sets(&text, &arena, &sets);
	ipt_table_of(text, false, &arena, &table);
	ipt_understand(&table, 1, &sets, &arena, &found);
	check_found(&found, &arena);
	return 0;
}
