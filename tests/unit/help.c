/* What people and their shells read: help, list, man page, completion, tables. */
#include "unit.h"

#include "describe/help.h"
#include "describe/table.h"

static const char *const modes[] = { "bridge", "private", NULL };

struct add {
	const char *name, *file, *dir;
	bool json, forward;
	int mtu, mode;
	char ifname[16];
	LIST(struct ip) dns;
	int secret;
};

#define AT(member) .offset = offsetof(struct add, member)
/* clang-format off */
static const struct field add_fields[] = {
	{ .key = "name", .type = FIELD_NETNS, AT(name), .flags = FIELD_POSITIONAL | FIELD_REQUIRED, .help = "what to add" },
	{ .key = "logFile", .type = FIELD_PATH, AT(file), .letter = 'l', .help = "where to log", .env = "LOG_FILE" },
	{ .key = "dataDir", .type = FIELD_PATH, AT(dir), .metavar = "DIR", .help = "folder of the leases" },
	{ .key = "json", .type = FIELD_BOOL, AT(json), .letter = 'j', .help = "print JSON" },
	{ .key = "forward", .type = FIELD_BOOL, AT(forward), .help = "forward packets" },
	{ .key = "mtu", .type = FIELD_INT, AT(mtu), .max = 65535, .help = "largest packet, in bytes" },
	{ .key = "mode", .type = FIELD_ENUM, AT(mode), .names = modes, .help = "how to connect" },
	{ .key = "dns", .type = FIELD_LIST, AT(dns), .element = FIELD_IP, .size = sizeof(struct ip), .help = "name server" },
	{ .key = "ifName", .type = FIELD_IFNAME, AT(ifname), .help = "interface" },
	{ .key = "secret", .type = FIELD_INT, AT(secret), .flags = FIELD_HIDDEN, .help = "nobody sees it" },
	FIELDS_END,
};
/* clang-format on */

static const struct field list_fields[] = {
	{ .key = "json", .type = FIELD_BOOL, AT(json), .help = "print JSON" },
	{ .key = "mtu", .type = FIELD_INT, AT(mtu), .help = "largest packet, in bytes" },
	FIELDS_END,
};

/* What is there, as completion hears it: a name twice, one that a shell would read, and what was said in front. */
static int run_list(struct invocation *call, void *options, struct error *err unused)
{
	const struct add *add = options;

	if (add->json)
		fprintf(call->out,
			"{\"links\":[{\"name\":\"lo\"},{\"name\":\"eth0\"},{\"name\":\"lo\"},{\"mtu\":1},"
			"{\"name\":\"a;b\"},{\"name\":\"-\"},{\"name\":\"eth%d\"}]}",
			add->mtu);
	return 1;
}

static const struct add add_defaults = { .forward = true, .mtu = 1500 };
/* clang-format off */
static const struct verb verbs[] = {
	{ .name = "add", .summary = "make one", .fields = add_fields, .size = sizeof(struct add), .defaults = &add_defaults },
	{ .name = "list", .summary = "show all", .fields = list_fields, .size = sizeof(struct add),
	  .defaults = &add_defaults, .run = run_list },
	{ 0 },
};
/* clang-format on */
static const struct lister lists[] = { { NOUN_INTERFACE, "list", "links.name" }, { 0 } };
static const struct applet tool = {
	.summary = "thing of many verbs",
	.about = "First paragraph\nof two.\n\nSecond one.",
	.example = "cnibox thing add x\n\n.dot 'q'",
	.verbs = verbs,
	.lists = lists,
};
static const struct applet single = { .summary = "one thing", .run = &verbs[0] };
static const struct applet bridge = { .summary = "containers on a bridge" };
static const struct applet_entry entries[] = {
	{ "bridge", APPLET_CNI, &bridge },
	{ "one", APPLET_TOOL, &single },
	{ "thing", APPLET_TOOL, &tool },
};

static const struct field range_fields[] = {
	{ .key = "subnet", .type = FIELD_CIDR, .flags = FIELD_REQUIRED, .help = "the net" },
	FIELDS_END
};
static const struct field set = { .type = FIELD_LIST,
				  .element = FIELD_OBJECT,
				  .fields = range_fields,
				  .size = sizeof(struct cidr) };
struct conf {
	int mtu;
	struct {
		const char *dir;
		LIST(struct list) ranges;
	} ipam;
};
/* clang-format off */
static const struct field ipam_fields[] = {
	{ .key = "dataDir", .type = FIELD_PATH, .help = "folder" },
	{ .key = "ranges", .type = FIELD_LIST, .offset = 8, .element = FIELD_LIST, .fields = &set, .size = sizeof(struct list),
	  .help = "range sets" },
	FIELDS_END,
};
/* clang-format on */
static const struct field conf_fields[] = {
	{ .key = "mtu", .type = FIELD_INT, .max = 65535, .help = "largest packet" },
	{ .key = "ipam",
	  .type = FIELD_OBJECT,
	  .offset = offsetof(struct conf, ipam),
	  .fields = ipam_fields },
	FIELDS_END,
};
static const struct conf conf_defaults = { .mtu = 1400, .ipam.dir = "/var/lib/cni" };
static const struct plugin_text plugin = { .fields = conf_fields,
					   .defaults = &conf_defaults,
					   .versions = "0.4.0, 1.0.0" };

/* What is printed by the statement, in `text`. */
#define capture(out, text, statement)                      \
	auto_free char *text = NULL;                       \
	do {                                               \
		size_t size_;                              \
		FILE *out = open_memstream(&text, &size_); \
		statement;                                 \
		fclose(out);                               \
	} while (0)

TEST(list_of_applets)
{
	capture(out, text, help_list(out, entries, ARRAY_SIZE(entries)));
	check_str(text, "CNI plugins:\n  bridge  containers on a bridge\n\n"
			"tools:\n  one     one thing\n  thing   thing of many verbs\n");
}

TEST(help_of_a_tool_with_verbs)
{
	capture(out, text, help_applet(out, &entries[2], NULL, NULL));
	check_str(text,
		  "usage: cnibox thing VERB [WORD...]\n\nthing of many verbs\n\n"
		  "First paragraph of two.\n\nSecond one.\n\n"
		  "verbs:\n  add [OPTION...] NAME  make one\n  list [OPTION...]      show all\n\n"
		  "`cnibox help thing VERB` tells the options of one.\n\n"
		  "examples:\n  cnibox thing add x\n\n  .dot 'q'\n");
}

TEST(help_of_a_verb)
{
	static const char want[] =
		"usage: cnibox thing add [OPTION...] NAME\n\n"
		"make one\n\n"
		"arguments:\n"
		"  NAME  what to add\n\n"
		"options:\n"
		"  -l, --log-file FILE        where to log (or $LOG_FILE)\n"
		"      --data-dir DIR         folder of the leases\n"
		"  -j, --json                 print JSON\n"
		"      --[no-]forward         forward packets (default true)\n"
		"      --mtu N                largest packet, in bytes (0..65535; default 1500)\n"
		"      --mode bridge|private  how to connect (default bridge)\n"
		"      --dns ADDRESS          name server (repeatable)\n"
		"      --if-name INTERFACE    interface\n"
		"  -h, --help                 show this text\n";

	capture(out, text, help_applet(out, &entries[2], &verbs[0], NULL));
	check_str(text, want);
}

TEST(help_of_a_plugin)
{
	capture(out, text, help_applet(out, &entries[0], NULL, &plugin));
	check_str(
		text,
		"bridge (CNI plugin): containers on a bridge\n\n"
		"A runtime calls it with CNI_COMMAND, CNI_CONTAINERID, CNI_NETNS, CNI_IFNAME and CNI_PATH\n"
		"in its environment and the configuration on standard input.\n\n"
		"configuration keys, besides cniVersion, name and type:\n"
		"  mtu                     integer: largest packet (0..65535; default 1400)\n"
		"  ipam.dataDir            path: folder (default /var/lib/cni)\n"
		"  ipam.ranges             list of lists of objects: range sets\n"
		"  ipam.ranges[][].subnet  CIDR: the net (required)\n\n"
		"CNI versions: 0.4.0, 1.0.0\n");
}

TEST(a_plugin_may_have_verbs)
{
	static const struct applet with_verbs = { .summary = "asks a daemon", .verbs = verbs };
	static const struct applet_entry entry = { "x", APPLET_CNI, &with_verbs };

	capture(out, text, help_applet(out, &entry, NULL, &plugin));
	check(strstr(text, "x (CNI plugin): asks a daemon\n"));
	check(strstr(text, "\n\nverbs:\n  add [OPTION...] NAME  make one\n"));
	check(strstr(text, "`cnibox help x VERB` tells the options of one.\n"));
	capture(verb_out, verb_text, help_applet(verb_out, &entry, &verbs[0], &plugin));
	check(strstr(verb_text, "usage: cnibox x add [OPTION...] NAME\n\nmake one\n"));
	capture(man_out, page, help_man(man_out, &entry, &plugin, "1.0"));
	check(strstr(page, ".br\n\\fBcnibox x add\\fR"));
	check(strstr(page, ".SH VERBS\n.SS add\nmake one\n"));
	check(strstr(page, "\\fBipam.ranges[][].subnet\\fR"));
	capture(schema_out, schema, help_schema(schema_out, &entry, &plugin));
	check(strstr(schema, "\"$defs\": {\n        \"add\": {") && strstr(schema, "\"ipam\""));
}

TEST(long_help_is_wrapped)
{
	static const struct field fields[] = {
		{ .key = "x",
		  .type = FIELD_BOOL,
		  .help = "aaaaaaaaaaaaaaa bbbbbbbbbbbbbbbbbbbb cccccccccccccccccc dddddddddddddd eeeeeee f" },
		{ .key = "aVeryLongOptionNameIndeed",
		  .type = FIELD_STRING,
		  .metavar = "VALUE",
		  .help = "long" },
		FIELDS_END,
	};
	static const struct verb verb = { .fields = fields };
	static const struct applet applet = { .summary = "s", .run = &verb };
	static const struct applet_entry entry = { "x", APPLET_TOOL, &applet };

	capture(out, text, help_applet(out, &entry, NULL, NULL));
	check_str(
		text,
		"usage: cnibox x [OPTION...]\n\ns\n\noptions:\n"
		"      --x     aaaaaaaaaaaaaaa bbbbbbbbbbbbbbbbbbbb cccccccccccccccccc dddddddddddddd\n"
		"              eeeeeee f\n"
		"      --a-very-long-option-name-indeed VALUE\n"
		"              long\n"
		"  -h, --help  show this text\n");
}

TEST(man_page)
{
	setenv("SOURCE_DATE_EPOCH", "86400", 1);
	capture(out, text, help_man(out, &entries[2], NULL, "1.0"));
	check(strstr(text, ".TH CNIBOX-THING 8 1970-01-02 \"cnibox 1.0\""));
	check(strstr(text, "\"System Administration\"\n.nh\n.ad l\n"));
	check(strstr(text, "cnibox\\-thing \\- thing of many verbs\n"));
	check(strstr(text, "\\fB\\-l, \\-\\-log\\-file FILE\\fR\nwhere to log"));
	check(strstr(text, "\n\\&.dot \\(aqq\\(aq\n"));
	check(strstr(text, "secret") == NULL);
	capture(plugin_out, plugin_page, help_man(plugin_out, &entries[0], &plugin, "1.0"));
	check(strstr(plugin_page, "\\fBipam.ranges[][].subnet\\fR (CIDR)\nthe net (required)\n"));
	check(strstr(plugin_page, "versions 0.4.0, 1.0.0\n"));
	unsetenv("SOURCE_DATE_EPOCH");
}

/* The candidates for these words, a line each. */
static void completes(const char *want, size_t n, char *const *words)
{
	auto_arena struct arena arena = { 0 };
	struct invocation call = { .arena = &arena,
				   .applets = entries,
				   .n_applets = ARRAY_SIZE(entries) };

	capture(out, text, call.out = out; help_complete(&call, words, (int)n));
	check_str(text, want);
}
#define check_complete(want, ...)                                           \
	completes(want, sizeof((char *[]){ __VA_ARGS__ }) / sizeof(char *), \
		  (char *[]){ __VA_ARGS__ })

TEST(completion_of_the_first_words)
{
	check_complete("one\tone thing\n", "o");
	check_complete(
		"bridge\tcontainers on a bridge\none\tone thing\nthing\tthing of many verbs\n"
		"list\tthe applets of this binary\nhelp\twhat an applet does and takes\n",
		"");
	check_complete("--version\tthe version of this binary\n", "--v");
	check_complete("add\tmake one\nlist\tshow all\n", "thing", "");
	check_complete("thing\tthing of many verbs\n", "help", "t");
	check_complete("add\tmake one\n", "help", "thing", "a");
	check_complete("--man\tprint the manual page\n", "help", "--m");
	check_complete("one\tone thing\n", "help", "--man", "o");
	check_complete("--plain\tkind and name, for programs\n", "list", "-");
	check_complete("--help\tshow the help text\n", "bridge", "");
	check_complete("", "nothing", "");
	check_complete("", "thing", "nothing", "");
}

TEST(completion_of_options)
{
	static const char all[] =
		"--log-file\twhere to log\n--data-dir\tfolder of the leases\n--json\tprint JSON\n"
		"--no-forward\tforward packets\n--mtu\tlargest packet, in bytes\n--mode\thow to connect\n"
		"--dns\tname server\n--if-name\tinterface\n--help\tshow the help text\n";

	check_complete(all, "thing", "add", "-");
	check_complete(all, "one", "x", "--");
	check_complete(all, "one", "x", "");
	check_complete("--mtu\tlargest packet, in bytes\n--mode\thow to connect\n", "one", "--m");
	check_complete("", "one", "--", "--m");
	check_complete("", "one", "--secr");
}

TEST(completion_of_values)
{
	check_complete("bridge\nprivate\n", "one", "--mode", "");
	check_complete("private\n", "one", "--mode", "p");
	check_complete("--mode=private\n", "one", "--mode=p");
	check_complete("--json=yes\n--json=no\n", "one", "--json=");
	check_complete("", "one", "--nothing=");
	check_complete("@file\n", "one", "--log-file", "x");
	check_complete("@file\n", "one", "-jl", "");
	check_complete("@dir\n", "one", "--data-dir", "");
	check_complete("lo\n", "one", "--if-name", "lo");
	check_complete("--if-name=lo\n", "one", "--if-name=lo");
	check_complete("eth0\neth1500\nlo\n", "one", "--if-name", "");
	check_complete("eth0\neth70\nlo\n", "thing", "add", "--mtu", "70", "--if-name", "");
	check_complete("eth0\neth1500\nlo\n", "thing", "add", "--mtu", "x", "--if-name", "");
	check_complete("", "one", "--mtu", "");
}

/* ---- tables ---- */

struct record {
	const char *name;
	int n, id;
	bool up;
	LIST(const char *) words;
};

/* clang-format off */
static const struct field record_fields[] = {
	{ .key = "name", .type = FIELD_STRING, .offset = offsetof(struct record, name) },
	{ .key = "netnsId", .type = FIELD_INT, .offset = offsetof(struct record, id) },
	{ .key = "n", .type = FIELD_INT, .offset = offsetof(struct record, n), .flags = FIELD_KEEP_EMPTY },
	{ .key = "up", .type = FIELD_BOOL, .offset = offsetof(struct record, up) },
	{ .key = "words", .type = FIELD_LIST, .offset = offsetof(struct record, words), .element = FIELD_STRING, .size = sizeof(char *) },
	FIELDS_END,
};
/* clang-format on */

TEST(tables_are_aligned_by_letters)
{
	static const char *words[] = { "a", "b\x1b[2J" };
	struct record records[] = {
		{ .name = "gr\xc3\xbc\xc3\x9f"
			  "e",
		  .id = 12,
		  .words = { words, 2 } },
		{ .name = "longer name", .n = 3, .up = true },
		{ .n = 0 },
	};

	capture(out, text, table_print(out, record_fields, records, 3, sizeof(*records), false));
	check_str(text, "NAME         NETNS ID  N  UP    WORDS\n"
			"gr\xc3\xbc\xc3\x9f"
			"e        12        0  -     a, b?[2J\n"
			"longer name  -         3  true  -\n"
			"-            -         0  -     -\n");
	capture(json, array,
		table_print(json, record_fields, records + 1, 1, sizeof(*records), true));
	check_str(
		array,
		"[\n    {\n        \"name\": \"longer name\",\n        \"n\": 3,\n        \"up\": true\n    }\n]\n");
	capture(none, empty, table_print(none, record_fields, records, 0, sizeof(*records), false));
	check_str(empty, "");
	capture(no, brackets, table_print(no, record_fields, records, 0, sizeof(*records), true));
	check_str(brackets, "[]\n");
}
