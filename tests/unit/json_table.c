/* Field tables from and to JSON, with every value type and every error path; lint; schema. */
#include "unit.h"

#include <stdio.h>

#include "describe/json.h"

/* ---- a configuration with every value type ---- */

static const char *const modes[] = { "bridge", "private", "vepa", NULL };

struct range {
	struct cidr subnet;
	struct ip gateway;
};
typedef LIST(struct range) range_set_t;

struct conf {
	const char *name;
	const char *path;
	bool gateway, masquerade;
	bool strict;
	int mtu, vlan;
	bool has_vlan;
	uint32_t table;
	int64_t metric;
	uint64_t rate;
	uint16_t port;
	int mode;
	struct ip ip;
	struct cidr cidr;
	struct mac mac;
	char ifname[16];
	int64_t timeout;
	LIST(const char *) words;
	LIST(int) numbers;
	struct {
		const char *type;
		LIST(range_set_t) ranges;
	} ipam;
	struct json *args;
};

/* clang-format off */
static const struct field range_fields[] = {
	{ .key = "subnet", .type = FIELD_CIDR, .offset = offsetof(struct range, subnet), .flags = FIELD_REQUIRED },
	{ .key = "gateway", .type = FIELD_IP, .offset = offsetof(struct range, gateway) },
	FIELDS_END,
};
/* clang-format on */

static const struct field range_set = {
	.type = FIELD_LIST,
	.element = FIELD_OBJECT,
	.fields = range_fields,
	.size = sizeof(struct range),
};

#define IPAM(member) (offsetof(struct conf, ipam.member) - offsetof(struct conf, ipam))
/* clang-format off */
static const struct field ipam_fields[] = {
	{ .key = "type", .type = FIELD_STRING, .offset = IPAM(type) },
	{ .key = "ranges", .type = FIELD_LIST, .offset = IPAM(ranges), .element = FIELD_LIST, .fields = &range_set,
	  .size = sizeof(range_set_t) },
	FIELDS_END,
};
/* clang-format on */

#define AT(member) .offset = offsetof(struct conf, member)
/* clang-format off */
static const struct field conf_fields[] = {
	{ .key = "name", .type = FIELD_STRING, AT(name) },
	{ .key = "dataDir", .type = FIELD_PATH, AT(path), .help = "folder of the leases" },
	{ .key = "isGateway", .type = FIELD_BOOL, AT(gateway) },
	{ .key = "ipMasq", .type = FIELD_BOOL, AT(masquerade), .flags = FIELD_DEPRECATED, .help = "use masq" },
	{ .key = "strict", .type = FIELD_BOOL, AT(strict), .flags = FIELD_LOOSE_BOOL },
	{ .key = "mtu", .type = FIELD_INT, AT(mtu), .max = 65535 },
	{ .key = "vlan", .type = FIELD_INT, AT(vlan), .min = 0, .max = 4094, .seen = FIELD_SEEN(struct conf, has_vlan) },
	{ .key = "table", .type = FIELD_UINT32, AT(table) },
	{ .key = "metric", .type = FIELD_INT64, AT(metric) },
	{ .key = "rate", .type = FIELD_UINT64, AT(rate) },
	{ .key = "port", .type = FIELD_PORT, AT(port) },
	{ .key = "mode", .type = FIELD_ENUM, AT(mode), .names = modes },
	{ .key = "ip", .type = FIELD_IP, AT(ip) },
	{ .key = "cidr", .type = FIELD_CIDR, AT(cidr) },
	{ .key = "mac", .type = FIELD_MAC, AT(mac) },
	{ .key = "ifName", .type = FIELD_IFNAME, AT(ifname) },
	{ .key = "timeout", .type = FIELD_DURATION, AT(timeout) },
	{ .key = "words", .type = FIELD_LIST, AT(words), .element = FIELD_STRING, .size = sizeof(char *) },
	{ .key = "numbers", .type = FIELD_LIST, AT(numbers), .element = FIELD_INT, .size = sizeof(int), .max = 9 },
	{ .key = "ipam", .type = FIELD_OBJECT, AT(ipam), .fields = ipam_fields },
	{ .key = "args", .type = FIELD_JSON, AT(args) },
	FIELDS_END,
};
/* clang-format on */

static struct json *parse(const char *text)
{
	struct error err = { 0 };
	struct json *json = json_parse(text, strlen(text), &err);

	unit_check(json, __FILE__, __LINE__, "%s: %s", text, err.message);
	return json;
}

/* ---- decoding ---- */

static void check_decode_fails(const char *text, int code, const char *message)
{
	auto_arena struct arena arena = { 0 };
	auto_json struct json *json = parse(text);
	struct conf conf = { 0 };
	struct error err = { 0 };

	check_fails(json_decode(json, conf_fields, &conf, &arena, &err), err, message);
	unit_check(err.code == code, __FILE__, __LINE__, "%s: code %d, not %d", text, err.code,
		   code);
	check(json_decode(json, conf_fields, &conf, &arena, NULL) < 0);
}

TEST(wrong_types_are_told_with_their_path)
{
	check_decode_fails("[]", 6, "expected an object, found list");
	check_decode_fails("\"x\"", 6, "expected an object, found string");
	check_decode_fails("null", 6, "expected an object, found null");
	check_decode_fails("{\"mtu\": \"1500\"}", 6, "mtu: expected an integer, found string");
	check_decode_fails("{\"mtu\": 1500.5}", 6, "mtu: expected an integer, found 1500.5");
	check_decode_fails("{\"mtu\": 1e3}", 6, "mtu: expected an integer, found 1000");
	check_decode_fails("{\"mtu\": true}", 6, "mtu: expected an integer, found boolean");
	check_decode_fails("{\"port\": {}}", 6, "port: expected a port, found object");
	check_decode_fails("{\"name\": 1}", 6, "name: expected a string, found number");
	check_decode_fails("{\"dataDir\": []}", 6, "dataDir: expected a path, found list");
	check_decode_fails("{\"isGateway\": \"true\"}", 6,
			   "isGateway: expected a boolean, found string");
	check_decode_fails("{\"isGateway\": 1}", 6, "isGateway: expected a boolean, found number");
	check_decode_fails("{\"ip\": 1}", 6, "ip: expected an IP address, found number");
	check_decode_fails("{\"timeout\": 1.5}", 6, "timeout: expected a duration, found 1.5");
	check_decode_fails("{\"words\": \"a\"}", 6, "words: expected a list, found string");
	check_decode_fails("{\"words\": [\"a\", 1]}", 6,
			   "words[1]: expected a string, found number");
	check_decode_fails("{\"ipam\": []}", 6, "ipam: expected an object, found list");
	check_decode_fails("{\"ipam\": {\"type\": 1}}", 6,
			   "ipam.type: expected a string, found number");
	check_decode_fails("{\"ipam\": {\"ranges\": [{}]}}", 6,
			   "ipam.ranges[0]: expected a list, found object");
	check_decode_fails("{\"IPAM\": {\"Ranges\": [[], [1]]}}", 6,
			   "IPAM.Ranges[1][0]: expected an object, found number");
}

TEST(wrong_values_are_told_with_their_path)
{
	check_decode_fails("{\"mtu\": 70000}", 7, "mtu: 70000 is out of range 0..65535");
	check_decode_fails("{\"table\": -1}", 7, "table: -1 is out of range 0..4294967295");
	check_decode_fails("{\"numbers\": [1, 10]}", 7, "numbers[1]: 10 is out of range 0..9");
	check_decode_fails("{\"mode\": \"vapa\"}", 7,
			   "mode: \"vapa\" is not one of bridge, private, vepa");
	check_decode_fails("{\"mac\": \"aa:bb\"}", 7, "mac: \"aa:bb\" is not a MAC address");
	check_decode_fails("{\"ifName\": \"a/b\"}", 7, "ifName: \"a/b\" is not an interface name");
	check_decode_fails("{\"strict\": \"perhaps\"}", 7,
			   "strict: \"perhaps\" is not a boolean (true or false)");
	check_decode_fails("{\"cidr\": \"\"}", 7, "cidr: \"\" is not a CIDR (such as 10.1.0.0/24)");
	check_decode_fails("{\"timeout\": \"soon\"}", 7,
			   "timeout: \"soon\" is not a duration (such as 1m30s)");
	check_decode_fails(
		"{\"ipam\": {\"ranges\": [[{\"subnet\": \"10.1.0.0/24\"}, {\"subnet\": \"10.2.0.0\"}]]}}",
		7, "ipam.ranges[0][1].subnet: \"10.2.0.0\" is not a CIDR (such as 10.1.0.0/24)");
	check_decode_fails("{\"ipam\": {\"ranges\": [[{}]]}}", 7,
			   "ipam.ranges[0][0].subnet: required");
	check_decode_fails("{\"ipam\": {\"ranges\": [[{\"subnet\": null}]]}}", 7,
			   "ipam.ranges[0][0].subnet: required");
	check_decode_fails(
		"{\"ipam\": {\"ranges\": [[{\"subnet\": \"1.2.3.4/33\"}]]}}", 7,
		"ipam.ranges[0][0].subnet: \"1.2.3.4/33\" is not a CIDR (such as 10.1.0.0/24)");
}

TEST(required_keys)
{
	static const struct field fields[] = {
		{ .key = "vlan", .type = FIELD_INT, .flags = FIELD_REQUIRED },
		{ .key = "master", .type = FIELD_STRING, .offset = 8, .flags = FIELD_REQUIRED },
		FIELDS_END,
	};
	static const char *const cases[][2] = {
		{ "{\"master\": \"x\"}", "vlan: required" },
		{ "{\"vlan\": null}", "vlan: required" },
		{ "{\"VLAN\": 0}", "master: required" },
		{ "{\"vlan\": 0, \"master\": \"\"}", "master: required" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		auto_arena struct arena arena = { 0 };
		auto_json struct json *json = parse(cases[i][0]);
		struct {
			int vlan;
			const char *master;
		} out = { 0 };
		struct error err;

		check_fails(json_decode(json, fields, &out, &arena, &err), err, cases[i][1]);
		check_int(err.code, CNI_INVALID_CONFIG);
	}
}

TEST(a_long_path_is_cut_not_overrun)
{
	auto_arena struct arena arena = { 0 };
	auto_json struct json *json = NULL;
	char key[600], text[700];
	struct field fields[] = { { .key = key, .type = FIELD_INT }, FIELDS_END };
	struct error err = { 0 };
	int out;

	memset(key, 'k', sizeof(key) - 1);
	key[sizeof(key) - 1] = '\0';
	snprintf(text, sizeof(text), "{\"%s\": \"\"}", key);
	json = parse(text);
	check(json_decode(json, fields, &out, &arena, &err) < 0);
	check_int(strcspn(err.message, ":"), 255);
}

TEST(keys_match_in_any_case_and_the_last_wins)
{
	auto_arena struct arena arena = { 0 };
	auto_json struct json *json = parse(
		"{\"MTU\": 1, \"mtu\": 2, \"Mtu\": 3, \"Words\": [\"a\", \"b\"], \"words\": [\"c\"],"
		" \"unknown\": {\"x\": []}, \"IPAM\": {\"Type\": \"host-local\"}}");
	struct conf conf = { 0 };
	struct error err = { 0 };

	check_ok(json_decode(json, conf_fields, &conf, &arena, &err), err);
	check_int(conf.mtu, 3);
	check_int(conf.words.n, 1);
	check_str(conf.words.items[0], "c");
	check_str(conf.ipam.type, "host-local");
}

TEST(null_leaves_the_default_and_empty_text_the_unset_value)
{
	auto_arena struct arena arena = { 0 };
	auto_json struct json *json = parse(
		"{\"mtu\": null, \"name\": null, \"words\": null, \"ipam\": null, \"args\": null,"
		" \"vlan\": null, \"mode\": null, \"ip\": \"\", \"mac\": \"\", \"ifName\": \"\"}");
	struct conf conf = { .mtu = 1500, .name = "net", .ipam.type = "static", .mode = 2 };
	struct error err = { 0 };

	check_ok(json_decode(json, conf_fields, &conf, &arena, &err), err);
	check_int(conf.mtu, 1500);
	check_str(conf.name, "net");
	check_str(conf.ipam.type, "static");
	check_int(conf.mode, 2);
	check(!conf.has_vlan && !conf.args && !conf.words.n && !conf.ip.family && !conf.mac.set &&
	      !*conf.ifname);
}

TEST(loose_booleans_take_words)
{
	auto_arena struct arena arena = { 0 };
	auto_json struct json *json = parse("{\"strict\": \"TRUE\"}"),
			      *off = parse("{\"strict\": \"false\"}");
	struct conf conf = { 0 };
	struct error err = { 0 };

	check_ok(json_decode(json, conf_fields, &conf, &arena, &err), err);
	check(conf.strict);
	check_ok(json_decode(off, conf_fields, &conf, &arena, &err), err);
	check(!conf.strict);
}

/* ---- round trip ---- */

static const char everything[] =
	"{\"name\":\"net\",\"dataDir\":\"/var/lib\",\"isGateway\":true,\"ipMasq\":true,\"strict\":true,\"mtu\":1500,\"vlan\":0,"
	"\"table\":4294967295,\"metric\":-9223372036854775808,\"rate\":9223372036854775807,\"port\":65535,\"mode\":\"vepa\","
	"\"ip\":\"fd00::1\",\"cidr\":\"10.1.0.5/24\",\"mac\":\"aa:bb:cc:dd:ee:01\",\"ifName\":\"eth0\",\"timeout\":\"1m30s\","
	"\"words\":[\"a\",\"\",\"\xc3\xa4\"],\"numbers\":[0,9],\"ipam\":{\"type\":\"host-local\",\"ranges\":["
	"[{\"subnet\":\"10.1.0.0/24\",\"gateway\":\"10.1.0.1\"},{\"subnet\":\"10.2.0.0/24\"}],[],[{\"subnet\":\"fd00::/64\"}]]},"
	"\"args\":{\"any\":[1.5,null]}}";

TEST(decode_of_encode_is_the_same_for_every_type)
{
	auto_arena struct arena arena = { 0 };
	auto_json struct json *json = parse(everything), *encoded = NULL, *again = NULL;
	struct conf conf = { 0 }, twice = { 0 };
	struct error err = { 0 };

	check_ok(json_decode(json, conf_fields, &conf, &arena, &err), err);
	check(conf.has_vlan);
	check_int(conf.ipam.ranges.n, 3);
	check_int(conf.ipam.ranges.items[0].n, 2);
	check_int(conf.timeout, 90000);
	encoded = json_encode(conf_fields, &conf);
	check_str(json_text(encoded, JSON_STYLE_COMPACT, &arena), everything);
	check_ok(json_decode(encoded, conf_fields, &twice, &arena, &err), err);
	again = json_encode(conf_fields, &twice);
	check_str(json_text(again, JSON_STYLE_COMPACT, &arena), everything);
}

TEST(empty_members_are_left_out_unless_kept)
{
	static const struct field kept[] = {
		{ .key = "name", .type = FIELD_STRING, AT(name), .flags = FIELD_KEEP_EMPTY },
		{ .key = "mtu", .type = FIELD_INT, AT(mtu), .flags = FIELD_KEEP_EMPTY },
		{ .key = "mode",
		  .type = FIELD_ENUM,
		  AT(mode),
		  .flags = FIELD_KEEP_EMPTY,
		  .names = modes },
		{ .key = "ip", .type = FIELD_IP, AT(ip), .flags = FIELD_KEEP_EMPTY },
		{ .key = "cidr", .type = FIELD_CIDR, AT(cidr), .flags = FIELD_KEEP_EMPTY },
		{ .key = "words",
		  .type = FIELD_LIST,
		  AT(words),
		  .flags = FIELD_KEEP_EMPTY,
		  .element = FIELD_STRING,
		  .size = sizeof(char *) },
		{ .key = "ipam",
		  .type = FIELD_OBJECT,
		  AT(ipam),
		  .flags = FIELD_KEEP_EMPTY,
		  .fields = ipam_fields },
		{ .key = "args", .type = FIELD_JSON, AT(args), .flags = FIELD_KEEP_EMPTY },
		FIELDS_END,
	};
	auto_arena struct arena arena = { 0 };
	struct conf conf = { 0 }, again = { 0 };
	auto_json struct json *none = json_encode(conf_fields, &conf),
			      *all = json_encode(kept, &conf);
	struct error err = { 0 };

	check_str(json_text(none, JSON_STYLE_COMPACT, &arena), "{}");
	check_str(
		json_text(all, JSON_STYLE_COMPACT, &arena),
		"{\"name\":\"\",\"mtu\":0,\"mode\":\"bridge\",\"ip\":\"\",\"cidr\":null,\"words\":[],\"ipam\":{},\"args\":null}");
	check_ok(json_decode(all, kept, &again, &arena, &err), err);
	check(!again.cidr.ip.family && !again.args && !again.ip.family);
}

TEST(json_members_are_borrowed_and_shared)
{
	auto_arena struct arena arena = { 0 };
	struct json *json = parse("{\"args\": {\"cni\": {\"ips\": [\"10.0.0.1\"]}}}"), *encoded;
	struct conf conf = { 0 };
	struct error err = { 0 };

	check_ok(json_decode(json, conf_fields, &conf, &arena, &err), err);
	check(conf.args == json_member(json, "args"));
	encoded = json_encode(conf_fields, &conf);
	json_release(json);
	check_str(json_text(encoded, JSON_STYLE_COMPACT, &arena),
		  "{\"args\":{\"cni\":{\"ips\":[\"10.0.0.1\"]}}}");
	json_release(encoded);
}

/* ---- lint ---- */

struct report {
	char text[4096];
};

static void collect(void *arg, bool is_error, const char *text)
{
	struct report *report = arg;
	size_t len = strlen(report->text);

	snprintf(report->text + len, sizeof(report->text) - len, "%s %s\n", is_error ? "E" : "W",
		 text);
}

static int lint(const char *text, struct report *report)
{
	static const struct field common[] = {
		{ .key = "cniVersion", .type = FIELD_STRING },
		{ .key = "type", .type = FIELD_STRING, .offset = 8 },
		FIELDS_END,
	};
	static const struct field ipam_common[] = { { .key = "type", .type = FIELD_STRING },
						    FIELDS_END };
	static const struct field other[] = {
		{ .key = "ipam", .type = FIELD_OBJECT, .fields = ipam_common },
		FIELDS_END,
	};
	const struct field *tables[] = { common, conf_fields, other };
	struct {
		const char *version, *type;
	} first = { 0 };
	struct {
		const char *type;
	} third = { 0 };
	struct conf conf = { 0 };
	void *outs[] = { &first, &conf, &third };
	auto_arena struct arena arena = { 0 };
	auto_json struct json *json = parse(text);

	*report = (struct report){ 0 };
	return json_check(json, tables, ARRAY_SIZE(tables), outs, &arena, collect, report);
}

TEST(lint_reports_everything)
{
	struct report report;

	check_int(
		lint("{\"cniVersion\": \"1.0.0\", \"mtu\": 1500, \"ipam\": {\"type\": \"x\", \"ranges\": []}}",
		     &report),
		0);
	check_str(report.text, "");
	check_int(
		lint("{\"mtu\": \"x\", \"vlan\": 5000, \"ipam\": {\"ranges\": [[{\"subnet\": 5}, {}]]}}",
		     &report),
		-22);
	check_str(report.text, "E mtu: expected an integer, found string\n"
			       "E vlan: 5000 is out of range 0..4094\n"
			       "E ipam.ranges[0][0].subnet: expected a CIDR, found number\n"
			       "E ipam.ranges[0][1].subnet: required\n");
	check_int(lint("[]", &report), -22);
	check_str(report.text, "E expected an object, found list\n");
}

TEST(lint_finds_misspelt_and_deprecated_keys)
{
	struct report report;

	check_int(
		lint("{\"isGatewey\": true, \"qqq\": 1, \"ipMasq\": true, \"args\": {\"anything\": {\"goes\": 1}},"
		     " \"ipam\": {\"rnages\": [], \"ranges\": [[{\"subnet\": \"10.0.0.0/8\", \"gatway\": \"\"}]]}}",
		     &report),
		0);
	check_str(report.text,
		  "W isGatewey: unknown key; did you mean \"isGateway\"?\n"
		  "W qqq: unknown key\n"
		  "W ipMasq: deprecated: use masq\n"
		  "W ipam.rnages: unknown key; did you mean \"ranges\"?\n"
		  "W ipam.ranges[0][0].gatway: unknown key; did you mean \"gateway\"?\n");
}

TEST(lint_knows_keys_of_another_level)
{
	struct report report;

	check_int(
		lint("{\"ranges\": [], \"ipam\": {\"isGateway\": true, \"type\": \"x\"}}", &report),
		0);
	check_str(report.text, "W ranges: unknown key; did you mean \"ipam.ranges\"?\n"
			       "W ipam.isGateway: unknown key; it belongs beside \"ipam\"\n");
}

/* ---- schema ---- */

TEST(schema_describes_the_table)
{
	static const struct conf defaults = { .mtu = 1500, .mode = 1, .ipam.type = "host-local" };
	auto_arena struct arena arena = { 0 };
	auto_json struct json *schema = json_schema(conf_fields, &defaults, "bridge");
	struct json *properties = json_member(schema, "properties"),
		    *ipam = json_member(properties, "ipam");
	struct json *ranges = json_member(json_member(ipam, "properties"), "ranges");

	check_str(json_string(json_member(schema, "$schema")),
		  "https://json-schema.org/draft/2020-12/schema");
	check_str(json_string(json_member(schema, "title")), "bridge");
	check_str(json_text(json_member(properties, "mtu"), JSON_STYLE_COMPACT, &arena),
		  "{\"type\":\"integer\",\"minimum\":0,\"maximum\":65535,\"default\":1500}");
	check_str(json_text(json_member(properties, "mode"), JSON_STYLE_COMPACT, &arena),
		  "{\"enum\":[\"bridge\",\"private\",\"vepa\"],\"default\":\"private\"}");
	check_str(json_text(json_member(properties, "dataDir"), JSON_STYLE_COMPACT, &arena),
		  "{\"type\":\"string\",\"description\":\"folder of the leases\"}");
	check_str(json_text(json_member(properties, "strict"), JSON_STYLE_COMPACT, &arena),
		  "{\"type\":[\"boolean\",\"string\"]}");
	check_str(json_text(json_member(properties, "ipMasq"), JSON_STYLE_COMPACT, &arena),
		  "{\"type\":\"boolean\",\"description\":\"use masq\",\"deprecated\":true}");
	check_str(json_text(json_member(json_member(json_member(ipam, "properties"), "type"),
					"default"),
			    JSON_STYLE_COMPACT, &arena),
		  "\"host-local\"");
	check_str(json_text(json_member(json_member(json_member(ranges, "items"), "items"),
					"required"),
			    JSON_STYLE_COMPACT, &arena),
		  "[\"subnet\"]");
}
