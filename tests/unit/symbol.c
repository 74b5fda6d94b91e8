/* Words as numbers. */
#include "unit.h"

#include "policy/symbol.h"

#include <stdio.h>

static struct arena arena;

static const char *word(unsigned i)
{
	return arena_printf(&arena, "key%u=%.*s", i, (int)(i % 20), "aaaaaaaaaaaaaaaaaaaa");
}

TEST(words_are_kept_once_and_found_again)
{
	struct symbols symbols = { .arena = &arena };

	check_int(symbol_find(&symbols, "x"), 0);
	check_int(symbol_add(&symbols, ""), 1);
	for (unsigned i = 0; i < 5000; i++)
		check_int(symbol_add(&symbols, word(i)), i + 2);
	for (unsigned i = 0; i < 5000; i++) {
		check_int(symbol_add(&symbols, word(i)), i + 2);
		check_int(symbol_find(&symbols, word(i)), i + 2);
		check_str(symbol_text(&symbols, i + 2), word(i));
	}
	check_int(symbol_find(&symbols, "key"), 0);
	check_int(symbol_find(&symbols, ""), 1);
	check_str(symbol_text(&symbols, 0), "");
	arena_free(&arena);
}

/* Words that fall together in one table do not in another: nobody can know which those are. */
TEST(two_tables_hash_differently)
{
	struct symbols tables[2] = { { .arena = &arena }, { .arena = &arena } };
	unsigned n_same = 0, n_near = 0;

	for (unsigned i = 1; i <= 1000; i++)
		for (size_t table = 0; table < 2; table++)
			symbol_add(&tables[table], word(i));
	for (unsigned i = 1; i <= 1000; i++) {
		uint32_t a = tables[0].texts.items[i].hash, b = tables[1].texts.items[i].hash;

		n_same += a == b;
		n_near += a % 256 == b % 256;
	}
	check(n_same < 2);
	check(n_near < 50); /* 4 are to be expected */
	arena_free(&arena);
}
