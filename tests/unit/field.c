/* Values of the field table: one word into a member, a member into text, absence; durations. */
#include "unit.h"

#include <limits.h>

#include "describe/duration.h"
#include "describe/field.h"

static const char *const modes[] = { "bridge", "private", "vepa", NULL };

struct values {
	const char *string;
	bool flag;
	int number;
	uint32_t unsigned32;
	int64_t integer64;
	uint64_t unsigned64;
	uint16_t port;
	int mode;
	struct ip ip;
	struct cidr cidr;
	struct mac mac;
	char ifname[16];
	int64_t timeout;
	LIST(struct ip) ips;
	int mtu, vlan;
	uint64_t rate;
	int64_t lease;
};

#define AT(member) .offset = offsetof(struct values, member)
/* clang-format off */
static const struct field
	string     = { .key = "string", .type = FIELD_STRING, AT(string) },
	flag       = { .key = "flag", .type = FIELD_BOOL, AT(flag) },
	number     = { .key = "number", .type = FIELD_INT, AT(number) },
	unsigned32 = { .key = "unsigned32", .type = FIELD_UINT32, AT(unsigned32) },
	integer64  = { .key = "integer64", .type = FIELD_INT64, AT(integer64) },
	unsigned64 = { .key = "unsigned64", .type = FIELD_UINT64, AT(unsigned64) },
	port       = { .key = "port", .type = FIELD_PORT, AT(port) },
	mode       = { .key = "mode", .type = FIELD_ENUM, AT(mode), .names = modes },
	ip         = { .key = "ip", .type = FIELD_IP, AT(ip) },
	cidr       = { .key = "cidr", .type = FIELD_CIDR, AT(cidr) },
	mac        = { .key = "mac", .type = FIELD_MAC, AT(mac) },
	ifname     = { .key = "ifname", .type = FIELD_IFNAME, AT(ifname) },
	timeout    = { .key = "timeout", .type = FIELD_DURATION, AT(timeout) },
	ips        = { .key = "ips", .type = FIELD_LIST, AT(ips), .element = FIELD_IP, .size = sizeof(struct ip) },
	mtu        = { .key = "mtu", .type = FIELD_INT, AT(mtu), .max = 65535 },
	vlan       = { .key = "vlan", .type = FIELD_INT, AT(vlan), .min = 1 },
	rate       = { .key = "rate", .type = FIELD_UINT64, AT(rate), .min = 8, .max = 1000 },
	lease      = { .key = "lease", .type = FIELD_DURATION, AT(lease), .min = 1000, .max = 86400000 };
/* clang-format on */

/* The word goes in, `want` comes out as text; NULL = the same word. */
static void round_trip(const struct field *field, const char *word, const char *want)
{
	auto_arena struct arena arena = { 0 };
	struct values values = { 0 };
	struct error err = { 0 };

	check(field_empty(field, &values));
	check_ok(field_parse(field, word, &values, &arena, &err), err);
	check_str(field_text(field, &values, &arena), want ? want : word);
}

static void refused(const struct field *field, const char *word, const char *message)
{
	auto_arena struct arena arena = { 0 };
	struct values values = { 0 };
	struct error err = { 0 };

	check_fails(field_parse(field, word, &values, &arena, &err), err, message);
	check_int(err.code, CNI_INVALID_CONFIG);
	check(field_empty(field, &values));
}

TEST(words_become_values_and_text_again)
{
	round_trip(&string, "any text", NULL);
	round_trip(&flag, "true", NULL);
	round_trip(&flag, "Yes", "true");
	round_trip(&flag, "off", "false");
	round_trip(&number, "-42", NULL);
	round_trip(&unsigned32, "4294967295", NULL);
	round_trip(&integer64, "-9223372036854775808", NULL);
	round_trip(&unsigned64, "18446744073709551615", NULL);
	round_trip(&port, "65535", NULL);
	round_trip(&mode, "vepa", NULL);
	round_trip(&ip, "10.1.0.5", NULL);
	round_trip(&ip, "FD00:0:0::1", "fd00::1");
	round_trip(&cidr, "10.1.0.5/24", NULL);
	round_trip(&mac, "AA-bb-cc-dd-ee-01", "aa:bb:cc:dd:ee:01");
	round_trip(&ifname, "fifteen-letters", NULL);
	round_trip(&timeout, "90", "1m30s");
	round_trip(&mtu, "65535", NULL);
	round_trip(&vlan, "2147483647", NULL);
}

TEST(integers_outside_of_their_range_are_refused)
{
	refused(&mtu, "70000", "70000 is out of range 0..65535");
	refused(&mtu, "-1", "-1 is out of range 0..65535");
	refused(&vlan, "0", "0 is out of range 1..2147483647");
	refused(&rate, "7", "7 is out of range 8..1000");
	refused(&number, "2147483648", "2147483648 is out of range -2147483648..2147483647");
	refused(&unsigned32, "4294967296", "4294967296 is out of range 0..4294967295");
	refused(&integer64, "9223372036854775808",
		"9223372036854775808 is out of range -9223372036854775808..9223372036854775807");
	refused(&unsigned64, "18446744073709551616",
		"18446744073709551616 is out of range 0..18446744073709551615");
	refused(&unsigned64, "-1", "-1 is out of range 0..18446744073709551615");
	refused(&port, "65536", "65536 is out of range 0..65535");
	refused(&port, "99999999999999999999999999999999999999999999999",
		"99999999999999999999999999999999999999999999999 is out of range 0..65535");
	refused(&lease, "2d", "2d is out of range 1s..1d");
	refused(&timeout, "-1", "-1 is less than 0s");
}

TEST(words_of_another_type_are_refused)
{
	refused(&mtu, "1x", "\"1x\" is not an integer");
	refused(&mtu, "", "\"\" is not an integer");
	refused(&mtu, "-", "\"-\" is not an integer");
	refused(&mtu, "+1", "\"+1\" is not an integer");
	refused(&mtu, "0x10", "\"0x10\" is not an integer");
	refused(&mtu, "1.5", "\"1.5\" is not an integer");
	refused(&port, "http", "\"http\" is not a port");
	refused(&flag, "maybe", "\"maybe\" is not a boolean (true or false)");
	refused(&mode, "Bridge", "\"Bridge\" is not one of bridge, private, vepa");
	refused(&ip, "10.1.0", "\"10.1.0\" is not an IP address");
	refused(&ip, "10.1.0.5/24", "\"10.1.0.5/24\" is not an IP address");
	refused(&cidr, "10.2.0.0", "\"10.2.0.0\" is not a CIDR (such as 10.1.0.0/24)");
	refused(&mac, "aa:bb", "\"aa:bb\" is not a MAC address");
	refused(&timeout, "soon", "\"soon\" is not a duration (such as 1m30s)");
	refused(&ips, "here", "\"here\" is not an IP address");
}

TEST(interface_names_follow_the_kernel)
{
	refused(&ifname, "", "\"\" is not an interface name");
	refused(&ifname, ".", "\".\" is not an interface name");
	refused(&ifname, "..", "\"..\" is not an interface name");
	refused(&ifname, "a/b", "\"a/b\" is not an interface name");
	refused(&ifname, "a:b", "\"a:b\" is not an interface name");
	refused(&ifname, "a b", "\"a b\" is not an interface name");
	refused(&ifname, "a\tb", "\"a\tb\" is not an interface name");
	refused(&ifname, "sixteen-letters!",
		"\"sixteen-letters!\" is not an interface name (longer than 15 characters)");
	round_trip(&ifname, "eth0.5", NULL);
	round_trip(&ifname, "...", NULL);
}

TEST(lists_append)
{
	auto_arena struct arena arena = { 0 };
	struct values values = { 0 };
	struct error err = { 0 };

	check_ok(field_parse(&ips, "10.0.0.1", &values, &arena, &err), err);
	check_ok(field_parse(&ips, "::1", &values, &arena, &err), err);
	check_int(values.ips.n, 2);
	check_str(field_text(&ips, &values, &arena), "10.0.0.1, ::1");
	check_fails(field_parse(&ips, "x", &values, &arena, &err), err,
		    "\"x\" is not an IP address");
	check_int(values.ips.n, 2);
}

TEST(keys_are_found_exactly_first_then_in_any_case)
{
	static const struct field fields[] = {
		{ .key = "hostPort", .type = FIELD_INT },
		{ .key = "HOSTPORT", .type = FIELD_STRING },
		FIELDS_END,
	};

	check(field_find(fields, "hostPort") == &fields[0]);
	check(field_find(fields, "HOSTPORT") == &fields[1]);
	check(field_find(fields, "HostPort") == &fields[0]);
	check(field_find(fields, "hostPor") == NULL);
	check(field_find(fields, "") == NULL);
}

TEST(absence_is_the_zero_unless_the_key_was_seen)
{
	struct {
		bool given;
		int number;
	} in = { 0 };
	struct field field = { .key = "n", .type = FIELD_INT, .offset = 4, .seen = 1 };

	check(field_empty(&field, &in));
	in.given = true;
	check(!field_empty(&field, &in));
	in.given = false;
	in.number = 1;
	check(!field_empty(&field, &in));
}

TEST(an_enum_outside_of_its_names_has_no_text)
{
	auto_arena struct arena arena = { 0 };
	struct values values = { .mode = 3 };

	check_str(field_text(&mode, &values, &arena), "");
	values.mode = -1;
	check_str(field_text(&mode, &values, &arena), "");
}

TEST(durations)
{
	static const struct {
		const char *text;
		int64_t ms;
		const char *canonical;
	} cases[] = {
		{ "0", 0, "0s" },
		{ "0s", 0, "0s" },
		{ "1", 1000, "1s" },
		{ "250ms", 250, "250ms" },
		{ "1.5s", 1500, "1s500ms" },
		{ "1m30s", 90000, "1m30s" },
		{ "2h", 7200000, "2h" },
		{ "90m", 5400000, "1h30m" },
		{ "1d12h", 129600000, "1d12h" },
		{ "-5s", -5000, "-5s" },
		{ "0.25h", 900000, "15m" },
		{ "1.5", 1500, "1s500ms" },
		{ "9223372036854775807ms", INT64_MAX, "106751991167d7h12m55s807ms" },
	};
	static const char *const wrong[] = { "",
					     "-",
					     "s",
					     "1x",
					     "1m30",
					     "1.s",
					     ".5s",
					     "1s ",
					     " 1s",
					     "1.0001s",
					     "1M",
					     "1us",
					     "9223372036854775808ms",
					     "106751991168d",
					     "1.1234567891s",
					     "--1s",
					     "1e3" };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char text[DURATION_TEXT_SIZE];
		int64_t ms = -1;

		check(duration_parse(cases[i].text, &ms));
		check_int(ms, cases[i].ms);
		check_str(duration_format(ms, text), cases[i].canonical);
		check(duration_parse(text, &ms));
		check_int(ms, cases[i].ms);
	}
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		int64_t ms;

		unit_check(!duration_parse(wrong[i], &ms), __FILE__, __LINE__,
			   "\"%s\" is taken for a duration", wrong[i]);
	}
}
