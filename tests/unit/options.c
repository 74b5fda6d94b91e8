/* The grammar of the command line, and what it says when a word is wrong. */
#include "unit.h"

#include "describe/applet.h"
#include "describe/options.h"

static const char *const modes[] = { "fast", "slow", NULL };

struct opts {
	const char *target;
	LIST(const char *) rest;
	bool json, quiet, masquerade;
	bool has_count;
	int count;
	const char *container_id;
	int mode;
	LIST(struct ip) dns;
	int64_t timeout;
};

#define AT(member) .offset = offsetof(struct opts, member)
/* clang-format off */
#define COMMON_ROWS                                                                              \
	{ .key = "json", .type = FIELD_BOOL, AT(json), .letter = 'j' },                         \
	{ .key = "quiet", .type = FIELD_BOOL, AT(quiet), .letter = 'q' },                       \
	{ .key = "masquerade", .type = FIELD_BOOL, AT(masquerade) },                            \
	{ .key = "count", .type = FIELD_INT, AT(count), .letter = 'n', .env = "TEST_COUNT",     \
	  .min = -5, .max = 100, .seen = FIELD_SEEN(struct opts, has_count) },                  \
	{ .key = "containerId", .type = FIELD_STRING, AT(container_id) },                       \
	{ .key = "mode", .type = FIELD_ENUM, AT(mode), .names = modes },                        \
	{ .key = "dns", .type = FIELD_LIST, AT(dns), .element = FIELD_IP, .size = sizeof(struct ip), .env = "TEST_DNS" }, \
	{ .key = "timeout", .type = FIELD_DURATION, AT(timeout) }
/* clang-format on */

/* clang-format off */
static const struct field fields[] = {
	COMMON_ROWS,
	{ .key = "target", .type = FIELD_STRING, AT(target), .flags = FIELD_POSITIONAL | FIELD_REQUIRED },
	{ .key = "rest", .type = FIELD_LIST, AT(rest), .element = FIELD_STRING, .size = sizeof(char *),
	  .flags = FIELD_POSITIONAL, .metavar = "WORD" },
	FIELDS_END,
};
/* clang-format on */

/* clang-format off */
static const struct field exec_fields[] = {
	COMMON_ROWS,
	{ .key = "target", .type = FIELD_STRING, AT(target), .flags = FIELD_POSITIONAL | FIELD_REQUIRED },
	{ .key = "rest", .type = FIELD_LIST, AT(rest), .element = FIELD_STRING, .size = sizeof(char *),
	  .flags = FIELD_POSITIONAL | FIELD_REQUIRED | FIELD_RAW_REST, .metavar = "COMMAND" },
	FIELDS_END,
};
/* clang-format on */

static struct arena arena;
static const struct opts defaults = { .masquerade = true, .count = 7 };

/* Words up to the first NULL. */
static int parse(const struct field *table, struct opts *opts, struct error *err,
		 char *const *words)
{
	int argc = 0;

	while (words[argc])
		argc++;
	*opts = defaults;
	*err = (struct error){ 0 };
	return options_parse(table, argc, words, opts, &arena, err);
}

#define WORDS(...)           ((char *const[]){ __VA_ARGS__, NULL })
#define parse_ok(table, ...) check_ok(parse(table, &opts, &err, WORDS(__VA_ARGS__)), err)
#define parse_fails(table, text, ...)                                                  \
	do {                                                                           \
		check_fails(parse(table, &opts, &err, WORDS(__VA_ARGS__)), err, text); \
		check_int(err.errnum, USAGE_ERROR);                                    \
	} while (0)

TEST(long_options)
{
	struct opts opts;
	struct error err;

	parse_ok(fields, "--json", "--count", "5", "t");
	check(opts.json && opts.count == 5 && opts.has_count && opts.masquerade);
	parse_ok(fields, "--count=-5", "--container-id=--x", "t");
	check_int(opts.count, -5);
	check_str(opts.container_id, "--x");
	parse_ok(fields, "--count", "-5", "--mode=slow", "--timeout", "1m", "t");
	check(opts.count == -5 && opts.mode == 1 && opts.timeout == 60000);
	parse_ok(fields, "--no-masquerade", "--json=yes", "--quiet=false", "t");
	check(!opts.masquerade && opts.json && !opts.quiet);
	parse_ok(fields, "--container-id=", "t");
	check_str(opts.container_id, "");
	parse_ok(fields, "t");
	check(opts.count == 7 && !opts.has_count && opts.masquerade);
	parse_ok(fields, "--count", "1", "--count", "2", "t");
	check_int(opts.count, 2);
	arena_free(&arena);
}

TEST(short_options_can_be_bundled)
{
	struct opts opts;
	struct error err;

	parse_ok(fields, "-jq", "t");
	check(opts.json && opts.quiet);
	parse_ok(fields, "-jn5", "t");
	check(opts.json && opts.count == 5);
	parse_ok(fields, "-n", "6", "t");
	check_int(opts.count, 6);
	parse_ok(fields, "-qn=7", "t");
	check(opts.quiet && opts.count == 7);
	parse_ok(fields, "-n-3", "t");
	check_int(opts.count, -3);
	parse_fails(fields, "unknown option \"-jx\"", "-jx", "t");
	parse_fails(fields, "--count: \"x\" is not an integer", "-nx", "t");
	arena_free(&arena);
}

TEST(arguments)
{
	struct opts opts;
	struct error err;

	parse_ok(fields, "a", "-j", "b", "--", "-c", "--", "-");
	check_str(opts.target, "a");
	check(opts.json);
	check_int(opts.rest.n, 4);
	check_str(opts.rest.items[1], "-c");
	check_str(opts.rest.items[2], "--");
	check_str(opts.rest.items[3], "-");
	parse_ok(fields, "-");
	check_str(opts.target, "-");
	arena_free(&arena);
}

TEST(a_raw_rest_takes_options_too)
{
	struct opts opts;
	struct error err;

	parse_ok(exec_fields, "-j", "ns", "ls", "--json", "-q", "--", "x");
	check(opts.json && !opts.quiet);
	check_int(opts.rest.n, 5);
	check_str(opts.rest.items[3], "--");
	parse_ok(exec_fields, "ns", "--quiet", "--", "ls", "--", "-l");
	check(opts.quiet);
	check_int(opts.rest.n, 3);
	check_str(opts.rest.items[0], "ls");
	check_str(opts.rest.items[1], "--");
	check(!options_ask_help(exec_fields, 3, WORDS("ns", "ls", "--help")));
	check(options_ask_help(exec_fields, 2, WORDS("ns", "--help", "ls")));
	arena_free(&arena);
}

TEST(lists_given_replace_the_default)
{
	struct opts opts;
	struct error err;

	parse_ok(fields, "--dns", "10.0.0.1", "--dns=::1", "t");
	check_int(opts.dns.n, 2);
	parse_fails(fields, "--dns: \"x\" is not an IP address", "--dns", "x", "t");
	arena_free(&arena);
}

TEST(the_environment_gives_defaults)
{
	struct opts opts;
	struct error err;

	setenv("TEST_COUNT", "42", 1);
	setenv("TEST_DNS", "10.0.0.1,10.0.0.2", 1);
	parse_ok(fields, "t");
	check(opts.count == 42 && opts.dns.n == 2);
	parse_ok(fields, "--count", "3", "--dns", "::1", "t");
	check(opts.count == 3 && opts.dns.n == 1);
	setenv("TEST_COUNT", "", 1);
	parse_ok(fields, "t");
	check_int(opts.count, 7);
	setenv("TEST_COUNT", "many", 1);
	parse_fails(fields, "$TEST_COUNT: \"many\" is not an integer", "t");
	unsetenv("TEST_COUNT");
	setenv("TEST_DNS", "10.0.0.1,y", 1);
	parse_fails(fields, "$TEST_DNS: \"y\" is not an IP address", "t");
	unsetenv("TEST_DNS");
	arena_free(&arena);
}

TEST(errors_name_the_word_at_fault)
{
	struct opts opts;
	struct error err;

	parse_fails(fields, "unknown option \"--jsno\"; did you mean \"--json\"?", "--jsno", "t");
	parse_fails(fields, "unknown option \"--no-masqerade\"; did you mean \"--no-masquerade\"?",
		    "--no-masqerade", "t");
	parse_fails(fields, "unknown option \"--containerid\"; did you mean \"--container-id\"?",
		    "--containerid=x", "t");
	parse_fails(fields, "unknown option \"--completely-different\"", "--completely-different",
		    "t");
	parse_fails(fields, "unknown option \"--no-count\"; did you mean \"--count\"?",
		    "--no-count", "t");
	parse_fails(fields, "unknown option \"-z\"", "-z", "t");
	parse_fails(fields, "option \"--count\" needs a value: --count=N", "t", "--count");
	parse_fails(fields, "option \"--container-id\" needs a value: --container-id=CONTAINER-ID",
		    "--container-id", "--json");
	parse_fails(fields, "option \"-n\" needs a value: --count=N", "-n");
	parse_fails(fields, "--count: \"x\" is not an integer", "--count", "x", "t");
	parse_fails(fields, "--count: 101 is out of range -5..100", "--count", "101", "t");
	parse_fails(fields, "--mode: \"warp\" is not one of fast, slow", "--mode", "warp", "t");
	parse_fails(fields, "--json: \"perhaps\" is not a boolean (true or false)",
		    "--json=perhaps", "t");
	parse_fails(fields, "missing argument TARGET", "--json");
	parse_fails(exec_fields, "missing argument COMMAND", "ns");
	arena_free(&arena);
}

TEST(required_options_and_extra_arguments)
{
	static const struct field table[] = {
		{ .key = "dataDir", .type = FIELD_PATH, AT(container_id), .flags = FIELD_REQUIRED },
		FIELDS_END,
	};
	struct opts opts;
	struct error err;

	parse_fails(table, "unexpected argument \"x\"", "--data-dir=/", "x");
	parse_fails(table, "--data-dir: \"\" is not a path", "--data-dir=");
	check_fails(options_parse(table, 0, NULL, &opts, &arena, &err), err,
		    "missing option --data-dir");
	check_fails(options_parse(NULL, 1, WORDS("x"), NULL, &arena, &err), err,
		    "unexpected argument \"x\"");
	check_fails(options_parse(NULL, 1, WORDS("-x"), NULL, &arena, &err), err,
		    "unknown option \"-x\"");
	check_ok(options_parse(NULL, 0, NULL, NULL, &arena, &err), err);
	check(options_parse(NULL, 1, WORDS("x"), NULL, &arena, NULL) < 0);
	arena_free(&arena);
}

TEST(help_is_asked_for_before_the_double_dash)
{
	check(options_ask_help(fields, 2, WORDS("t", "--help")));
	check(options_ask_help(fields, 1, WORDS("-jh")));
	check(options_ask_help(NULL, 1, WORDS("-h")));
	check(!options_ask_help(fields, 2, WORDS("--", "-h")));
	check(!options_ask_help(fields, 1, WORDS("--container-id=--help")));
	check(!options_ask_help(fields, 0, NULL));
}

TEST(names_are_kebab_case)
{
	static const char *const cases[][2] = {
		{ "containerId", "container-id" },
		{ "json", "json" },
		{ "CNIPath", "cni-path" },
		{ "rangeStart", "range-start" },
		{ "ipMasq", "ip-masq" },
		{ "data_dir", "data-dir" },
		{ "mtu6", "mtu6" },
		{ "IPAM", "ipam" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		check_str(option_name(cases[i][0], &arena), cases[i][1]);
	arena_free(&arena);
}

TEST(one_dash_where_a_row_says_so)
{
	static const struct field one_dash[] = {
		{ .key = "socket",
		  .type = FIELD_STRING,
		  AT(container_id),
		  .flags = FIELD_ONE_DASH },
		{ .key = "json", .type = FIELD_BOOL, AT(json), .flags = FIELD_ONE_DASH },
		{ .key = "count", .type = FIELD_INT, AT(count), .letter = 's' },
		{ .key = "quiet", .type = FIELD_BOOL, AT(quiet) },
		FIELDS_END,
	};
	struct error err;
	struct opts opts;

	parse_ok(one_dash, "-socket", "/run/x", "-json");
	check_str(opts.container_id, "/run/x");
	check(opts.json);
	parse_ok(one_dash, "-socket=/run/y", "--json", "-s", "3");
	check_str(opts.container_id, "/run/y");
	check_int(opts.count, 3);
	parse_ok(one_dash, "-s3"); /* letters are letters still */
	check_int(opts.count, 3);
	parse_fails(one_dash, "unknown option \"-quiet\"", "-quiet");
	parse_fails(one_dash, "option \"-socket\" needs a value: --socket=SOCKET", "-socket");
}
