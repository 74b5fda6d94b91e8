/* Go's patterns as POSIX ones, what is refused, and what matches. */
#include "unit.h"

#include "base/pattern.h"

TEST(patterns_are_translated)
{
	static const char *const rows[][2] = {
		{ "^net\\.core\\.somaxconn$", "^net\\.core\\.somaxconn$" },
		{ "net.ipv4.conf.IFNAME.[a-z_]*", "net.ipv4.conf.IFNAME.[a-z_]*" },
		{ "(?:a|b)+?c*?d??", "(a|b)+c*d?" },
		{ "\\d+\\D\\w\\W", "[0-9]+[^0-9][0-9A-Za-z_][^0-9A-Za-z_]" },
		{ "\\Aa\\z", "^a$" },
		{ "[\\d.\\_-]", "[0-9._-]" },
		{ "[]a]", "[]a]" },
		{ "[^]a\\w]", "[^]a0-9A-Za-z_]" },
		{ "[[:alpha:]x]", "[[:alpha:]x]" },
		{ "a\\/b\\-c\\{", "a/b-c\\{" },
		{ "x{2,3}?", "x{2,3}" },
		{ "a{b}c", "a\\{b}c" },
		{ "", "" },
	};
	auto_arena struct arena arena = { 0 };
	struct error err = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		check_str(pattern_posix(rows[i][0], &arena, &err), rows[i][1]);
}

TEST(patterns_that_mean_something_else_here_are_refused)
{
	static const char *const rows[] = { "(?i)net",    "(?P<n>a)", "\\pL",   "\\bnet",
					    "a\\",        "[a",       "[\\]a]", "[a\\-z]",
					    "[\\D]",      "[[.a.]]",  "[[:a",   "[a\\",
					    "\\x{41}net", "\\Qa",     "a**",    "a+?+",
					    "a{2}{3}",    "a{2}*" };
	auto_arena struct arena arena = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct error err = { 0 };

		check(!pattern_posix(rows[i], &arena, &err));
		check(strstr(err.message, rows[i]) != NULL);
	}
}

TEST(patterns_match_anywhere)
{
	static const struct {
		const char *pattern, *text;
		bool matches;
	} rows[] = {
		{ "somaxconn", "net.core.somaxconn", true },
		{ "^net\\.core\\.", "net.core.somaxconn", true },
		{ "^net\\.core\\.", "net/core/somaxconn", false },
		{ "^net.ipv4.conf.IFNAME.[a-z_]+$", "net.ipv4.conf.IFNAME.arp_filter", true },
		{ "^net.ipv4.conf.IFNAME.[a-z_]+$", "net.ipv4.conf.all.arp_filter", false },
		{ "^x+?$", "", false }, /* lazy, not optional */
		{ "^(?:a|b)$", "b", true },
		{ "\\d{2}", "a12", true },
		{ "", "anything", true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct error err = { 0 };
		bool matches;

		check_ok(pattern_match(rows[i].pattern, rows[i].text, &matches, &err), err);
		check_int(matches, rows[i].matches);
	}
}

TEST(patterns_that_are_none_are_told)
{
	struct error err;
	bool matches = true;

	check_fails(pattern_match("^net(", "net(", &matches, &err), err,
		    "\"^net(\" is no pattern: Unmatched ( or \\(");
	check(!matches);
}
