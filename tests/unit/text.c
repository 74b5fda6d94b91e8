/* Text helpers and the arena. */
#include "unit.h"

#include "base/terminal.h"
#include "base/text.h"

TEST(sha512_names_of_the_reference)
{
	char out[129];

	/* cni-plugins.md, section 2.0: chain and comment seen from the reference */
	sha512_hex(out, 24, "tnet", "ctr1", NULL);
	check_str(out, "3cbe386fe84733aef8ea9d42");
	sha512_hex(out, 16, "tnet", NULL);
	check_str(out, "4dfa0667e74383ec");
	sha512_hex(out, 16, "eth0", ":", "ctr1", NULL);
	check_str(out, "7883a6f9ce71eedb");
	/* FIPS 180-4: the empty message */
	sha512_hex(out, 128, "", NULL);
	check_int(strlen(out), 128);
	check(strncmp(out, "cf83e1357eefb8bdf1542850d66d8007", 32) == 0);
	sha512_hex(out, 0, "x", NULL);
	check_str(out, "");
}

TEST(base64_rfc4648_vectors)
{
	static const char *const cases[][2] = {
		{ "", "" },
		{ "f", "Zg==" },
		{ "fo", "Zm8=" },
		{ "foo", "Zm9v" },
		{ "foob", "Zm9vYg==" },
		{ "fooba", "Zm9vYmE=" },
		{ "foobar", "Zm9vYmFy" },
	};
	static const char *const bad[] = { "Z",    "Zg",       "Zg=",  "Zg===", "Zm9v=", "Z===",
					   "====", "Zg==Zg==", "Zm 9", "Zh==",  "Zm9=",  "Zm8\n" };
	auto_arena struct arena arena = { 0 };
	unsigned char all[256];
	size_t size;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		check_str(base64_encode(&arena, cases[i][0], strlen(cases[i][0])), cases[i][1]);
		check_str(base64_decode(&arena, cases[i][1], &size), cases[i][0]);
		check_int(size, strlen(cases[i][0]));
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		unit_check(!base64_decode(&arena, bad[i], &size), __FILE__, __LINE__,
			   "\"%s\" decodes", bad[i]);
	for (size_t i = 0; i < 256; i++)
		all[i] = (unsigned char)i;
	check(memcmp(base64_decode(&arena, base64_encode(&arena, all, 256), &size), all, 256) == 0);
	check_int(size, 256);
}

TEST(nearest_word_suggests_little_and_well)
{
	static const char *const words[] = { "bridge", "loopback", "ptp",       "macvlan",
					     "ipvlan", "vlan",     "host-local" };
	const size_t n = ARRAY_SIZE(words);
	char long_word[200];

	check_str(nearest_word("brigde", words, n), "bridge");
	check_str(nearest_word("Bridge", words, n), "bridge");
	check_str(nearest_word("hostlocal", words, n), "host-local");
	check_str(nearest_word("ptpp", words, n), "ptp");
	check_str(nearest_word("vlna", words, n), "vlan");
	check_str(nearest_word("tpp", words, n), "ptp");
	check(!nearest_word("nalv", words, n));
	check(!nearest_word("vlna1", words, n));
	check(!nearest_word("xyz", words, n));
	check(!nearest_word("", words, n));
	check(!nearest_word("bridge", NULL, 0));
	memset(long_word, 'b', sizeof(long_word) - 1);
	long_word[sizeof(long_word) - 1] = '\0';
	check(!nearest_word(long_word, words, n));
}

TEST(prefix_and_suffix)
{
	check(has_prefix("veth1", "veth") && has_prefix("x", "") && !has_prefix("vet", "veth"));
	check(has_suffix("a.conf", ".conf") && has_suffix("x", "") && !has_suffix("conf", ".conf"));
}

TEST(arena_keeps_everything_apart)
{
	auto_arena struct arena arena = { 0 };
	char *texts[500];
	char want[32];

	for (int i = 0; i < 500; i++) {
		texts[i] = arena_printf(&arena, "text %d", i);
		memset(arena_alloc(&arena, (size_t)i * 37 % 9000), 0xee, (size_t)i * 37 % 9000);
		check_int((uintptr_t)texts[i] % 16, 0);
	}
	for (int i = 0; i < 500; i++) {
		snprintf(want, sizeof(want), "text %d", i);
		check_str(texts[i], want);
	}
	check(!arena_strdup(&arena, NULL));
	check_int(strlen(arena_printf(&arena, "%5000d", 1)), 5000);
	check_str(arena_memdup(&arena, "abc", 2), "ab");
	arena_free(&arena);
	check_str(arena_strdup(&arena, "again"), "again");
}

TEST(list_grows_and_keeps_its_items)
{
	auto_arena struct arena arena = { 0 };
	LIST(int) numbers = { 0 };
	long sum = 0;

	for (int i = 0; i < 1000; i++) {
		int *item = list_add(&arena, &numbers);

		check_int(*item, 0);
		*item = i;
	}
	check_int(numbers.n, 1000);
	list_each(number, &numbers)
		sum += *number;
	check_int(sum, 999 * 1000 / 2);
}

TEST(masked_text_moves_no_cursor)
{
	char text[] = "a\033[2J\x7f\tb\n\xc2\x9b"
		      "31mgr\xc3\xbc\xc3\x9f\xe2\x82\xac\xc2";

	text_mask(text);
	check_str(text, "a?[2J??b???31mgr\xc3\xbc\xc3\x9f\xe2\x82\xac\xc2");
}

static void check_line(const char **text, size_t columns, const char *line)
{
	const char *start = *text;
	auto_arena struct arena arena = { 0 };

	check_str(arena_memdup(&arena, start, text_line(text, columns)), line);
}

TEST(lines_break_at_blanks)
{
	const char *text = "gr\xc3\xbc\xc3\x9f"
			   "e an  also, averylongword x";

	check_line(&text, 8,
		   "gr\xc3\xbc\xc3\x9f"
		   "e an");
	check_line(&text, 8, "also,");
	check_line(&text, 8, "averylongword");
	check_line(&text, 8, "x");
	check_str(text, "");
	check_line(&text, 8, "");
	text = "all of it";
	check_line(&text, 9, "all of it");
	check_str(text, "");
	check(text_columns("gr\xc3\xbc\xc3\x9f", 6) == 4);
}

TEST(words_for_a_shell)
{
	auto_arena struct arena arena = { 0 };

	check_str(shell_word(&arena, "/etc/cni/net.d/10-a_b.conf"), "/etc/cni/net.d/10-a_b.conf");
	check_str(shell_word(&arena, "a b"), "'a b'");
	check_str(shell_word(&arena, "it's"), "'it'\\''s'");
	check_str(shell_word(&arena, ""), "''");
	check_str(shell_word(&arena, "$(x)"), "'$(x)'");
}
