/* Go's patterns: which there are, and what they match. */
#include "unit.h"

#include "base/pattern.h"
#include "base/text.h"

TEST(patterns_match_anywhere)
{
	static const struct {
		const char *pattern, *yes, *no; /* blanks between subjects */
	} rows[] = {
		{ "somaxconn", "net.core.somaxconn somaxconn", "somaxcon" },
		{ "^net\\.core\\.", "net.core.somaxconn", "net/core/somaxconn xnet.core.a" },
		{ "^net.ipv4.conf.IFNAME.[a-z_]+$", "net.ipv4.conf.IFNAME.arp_filter",
		  "net.ipv4.conf.all.arp_filter net.ipv4.conf.IFNAME. net.ipv4.conf.IFNAME.a.b" },
		{ "^x+?$", "x xxx", "y" }, /* lazy, not optional */
		{ "^(?:a|b)$", "a b", "ab c" },
		{ "^(a|bc|)d$", "ad bcd d", "bd abcd" },
		{ "^a|b$", "ax xb", "xax" },
		{ "^(eth|ens)[0-9]+$", "eth0 ens12", "eth veth0 eth0a" },
		{ "^eth.*", "eth0 eth", "veth0" },
		{ "\\d{2}", "a12 123", "a1b2" },
		{ "^a{2,3}$", "aa aaa", "a aaaa" },
		{ "^(ab){2,}$", "abab ababab", "ab aba" },
		{ "^a{0}b{0,1}$", "b", "a ab bb" },
		{ "^a{b}$", "a{b}", "ab" },
		{ "^a{,3}$", "a{,3}", "aa" },
		{ "^(a*)*b$", "b aab", "aa" },
		{ "^(a+)+b$", "ab aab", "b" },
		{ "^((a?)?){3}$", "a aaa", "aaaa" },
		{ "^(a|b)*?c??$", "abba abc c", "abcc" },
		{ "^()*a$", "a", "b" },
		{ "\\Aa\\z", "a", "ab ba" },
		{ "^\\D\\w\\W$", "ab- _9.", "1b- abc" },
		{ "^[\\d.\\_-]+$", "1._- 9", "a" },
		{ "^[]a]+$", "]a", "b" },
		{ "^[^]a\\w]$", "- .", "] a b" },
		{ "^[[:alpha:]x-]$", "a Z -", "1" },
		{ "^[^[:digit:]]$", "a", "1" },
		{ "^[a-c\\]\\-]$", "b ] -", "d" },
		{ "^[\\D]$", "a", "1" },
		{ "^a\\/b\\-c\\{$", "a/b-c{", "a/b-c" },
		{ "^.$", "a .", "ab" },
		{ "(?i)^eth[0-9]$", "eth0 ETH0 Eth1", "ens0" },
		{ "^(?i:e)th(0|(?i)A|b)c$", "Eth0c eth0c ethac ethAc ethBc", "eTh0c eth0C" },
		{ "(?i)^[^a-c]$", "d D", "a B" },
		{ "(?i)^a(?-i)b$", "ab Ab", "aB" },
		{ "(?i-s:^[E]$)", "e E", "f" },
		{ "(?sU)^e.h$", "eth", "Eth" },
		{ "\\beth0\\b", "eth0 eth0.5 -eth0", "veth0 eth01 eth0_ _eth0" },
		{ "eth\\B", "eth0", "eth eth.1" },
		{ "^\\B$", "", "a" },
		{ "(\\b)*a", "a -a", "b" },
	};
	auto_arena struct arena arena = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct error err = { 0 };
		const struct pattern *pattern = pattern_read(rows[i].pattern, &arena, &err);

		unit_check(pattern != NULL, __FILE__, __LINE__, "%s: %s", rows[i].pattern,
			   err.message);
		for (int no = 0; pattern && no < 2; no++) {
			char *rest = arena_strdup(&arena, no ? rows[i].no : rows[i].yes), *word;

			while ((word = strsep(&rest, " ")))
				unit_check(pattern_found(pattern, word) == !no, __FILE__, __LINE__,
					   "%s and \"%s\"", rows[i].pattern, word);
		}
	}
}

TEST(patterns_and_what_has_no_letters)
{
	struct error err = { 0 };
	bool matches;

	check_ok(pattern_match("", "anything", &matches, &err), err);
	check(matches);
	check_ok(pattern_match("^a*$", "", &matches, &err), err);
	check(matches);
	check_ok(pattern_match("^$", "a", &matches, &err), err);
	check(!matches);
	check_ok(pattern_match("a.b", "a\nb", &matches, &err), err);
	check(!matches);
	check_ok(pattern_match("(?s)a.b", "a\nb", &matches, &err), err);
	check(matches);
}

TEST(patterns_that_are_none_are_refused)
{
	static const char *const rows[] = {
		"(?i)*a",     "(?-)a", "(?i-:a)",    "(?i",  "(?x)a",   "(?=a)",
		"(?--i)a",    "[\\b]", "a\\",        "[a",   "[[:a",    "[a\\",
		"\\x41",      "\\Qa",  "a**",        "a+?+", "a{2}{3}", "a{2}*",
		"net(",       "net)",  "*a",         "(+a)", "|?",      "{2}",
		"a{3,2}",     "[z-a]", "[[:nope:]]", "[]",   "a{1001}", "((a{1000}){1000}){1000}",
		"[\xc3\xa9]",
	};
	auto_arena struct arena arena = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct error err = { 0 };

		unit_check(!pattern_read(rows[i], &arena, &err), __FILE__, __LINE__, "%s", rows[i]);
		check(strstr(err.message, rows[i]) != NULL);
	}
}

TEST(what_is_refused_is_told_what_to_write)
{
	static const struct {
		const char *pattern, *end;
	} rows[] = {
		{ "(?P<n>a)", "up to \"(?\": leave the group's name out: \"(\" alone" },
		{ "(?<n>a)", "up to \"(?\": leave the group's name out: \"(\" alone" },
		{ "(?im)^a", "up to \"(?i\": leave \"m\" out, there is only one line" },
		{ "a\\pL",
		  "up to \"a\\p\": write the letters that are meant in brackets, as [a-z]" },
		{ "\\Qa",
		  "up to \"\\Q\": put a backslash before each sign that stands for itself" },
		{ "[\\x41]", "up to \"[\": write the character itself" },
		{ "a(", "up to \"a(\"" },
	};
	auto_arena struct arena arena = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct error err = { 0 };

		check(!pattern_read(rows[i].pattern, &arena, &err));
		unit_check(has_suffix(err.message, rows[i].end), __FILE__, __LINE__, "%s: %s",
			   rows[i].pattern, err.message);
	}
}

TEST(patterns_deep_in_groups)
{
	auto_arena struct arena arena = { 0 };
	char text[1024] = "";
	struct error err = { 0 };

	for (int i = 0; i < 50; i++)
		strcat(text, "(");
	strcat(text, "a");
	for (int i = 0; i < 50; i++)
		strcat(text, "+)");
	check(pattern_read(text, &arena, &err) != NULL);
	memset(text, '(', sizeof(text) - 1);
	check(!pattern_read(text, &arena, &err));
}

TEST(a_pattern_that_is_none_matches_nothing)
{
	struct error err = { 0 };
	bool matches = true;

	check_fails(pattern_match("^net(", "net(", &matches, &err), err,
		    "\"^net(\" is no pattern that is understood here, up to \"^net(\"");
	check(!matches);
}
