/*
 * What a static binary has in the place of libc's: the same answers. A sanitized build has libc's beside it, so that this
 * compares the two there; with what a static one has, it holds ours against itself and against what is written down.
 */
#include "unit.h"

#include "base/text.h"
#include "base/unreached.h"

#include <stdlib.h>
#include <string.h>

static int sign(int value)
{
	return (value > 0) - (value < 0);
}

/* Short words of few letters, so that many are alike, or nearly. */
static void random_word(char out[8])
{
	static const char letters[] = "aAbZz@[`{\xe4\xc4";
	int len = (int)(random() % 7);

	for (int i = 0; i < len; i++)
		out[i] = letters[(size_t)random() % (sizeof(letters) - 1)];
	out[len] = '\0';
}

TEST(small_functions_compare_as_libc_does)
{
	char a[8], b[8];

	srandom(1);
	for (int i = 0; i < 20000; i++) {
		size_t size = (size_t)random() % 8;

		random_word(a);
		random_word(b);
		check_int(sign(small_strncmp(a, b, size)), sign(strncmp(a, b, size)));
		check_int(sign(small_strcasecmp(a, b)), sign(strcasecmp(a, b)));
		check_int(sign(small_strncasecmp(a, b, size)), sign(strncasecmp(a, b, size)));
		check(small_strstr(a, b) == strstr(a, b));
		check(!*b ||
		      small_strcasestr(a, b) == strcasestr(a, b)); /* musl finds no "" in "" */
	}
}

TEST(small_functions_know_what_is_written_down)
{
	static const char text[] = "Bridge cni0";

	check_int(sign(small_strncmp("veth1", "veth2", 5)), -1);
	check_int(small_strncmp("veth1", "veth2", 4), 0);
	check_int(sign(small_strncmp("\xff", "a", 1)), 1);
	check_int(small_strcasecmp("cniVersion", "CNIVERSION"), 0);
	check_int(sign(small_strcasecmp("a", "_")), 1);
	check_int(small_strncasecmp("isGateway", "isgatE", 6), 0);
	check(small_strstr(text, "cni") == text + 7 && !small_strstr(text, "Cni") &&
	      small_strstr(text, "") == text);
	check(small_strcasestr(text, "CNI0") == text + 7 && !small_strcasestr(text, "cni00") &&
	      small_strcasestr(text, "") == text && small_strcasestr("", "") &&
	      !small_strcasestr("", "x"));
}

TEST(small_functions_copy_all_and_no_more)
{
	char to[8] = "#######";

	check(small_strcpy(to, "abc") == to);
	check_str(to, "abc");
	check(to[4] == '#');
	check(small_stpcpy(to, "ab") == to + 2);
	check_str(to, "ab");
	memset(to, '#', sizeof(to) - 1);
	small_strncpy(to, "abcdef", 3);
	check_str(to, "abc####");
	small_strncpy(to, "x", 4);
	check(!memcmp(to, "x\0\0\0###", sizeof(to)));
}
