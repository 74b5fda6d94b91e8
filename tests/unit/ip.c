/* Address values: text of both families, arithmetic at every edge, classes, networks, hardware addresses. */
#include "unit.h"

#include "base/ip.h"

#include <sys/socket.h>

static struct ip ip(const char *text)
{
	struct ip ip = { 0 };

	unit_check(ip_parse(text, &ip), __FILE__, __LINE__, "\"%s\" does not parse", text);
	return ip;
}

static struct cidr cidr(const char *text)
{
	struct cidr cidr = { 0 };

	unit_check(cidr_parse(text, &cidr), __FILE__, __LINE__, "\"%s\" does not parse", text);
	return cidr;
}

static const char *text_of(struct ip address)
{
	static char text[IP_TEXT_SIZE];

	return ip_format(&address, text);
}

static const char *cidr_text(struct cidr value)
{
	static char text[CIDR_TEXT_SIZE];

	return cidr_format(&value, text);
}

TEST(ip_text_is_canonical)
{
	static const char *const cases[][2] = {
		{ "10.0.0.1", "10.0.0.1" },
		{ "255.255.255.255", "255.255.255.255" },
		{ "0.0.0.0", "0.0.0.0" },
		{ "::", "::" },
		{ "::1", "::1" },
		{ "1::", "1::" },
		{ "FD00::A", "fd00::a" },
		{ "2001:0db8:0:0:0:0:0:1", "2001:db8::1" },
		{ "2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1" },    /* first of equal runs */
		{ "2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1" }, /* one group is not shortened */
		{ "2001:0:0:1:0:0:0:1", "2001:0:0:1::1" },          /* the longest run */
		{ "1:0:0:0:0:0:0:0", "1::" },
		{ "0:0:0:0:0:0:0:1", "::1" },
		{ "1:2:3:4:5:6:7:0", "1:2:3:4:5:6:7:0" },
		{ "0:0:1:2:3:4:5:6", "::1:2:3:4:5:6" },
		{ "1:2:3:4:5:6:0:0", "1:2:3:4:5:6::" },
		{ "::10.0.0.1", "::a00:1" }, /* v4-compatible: no dots, as the reference */
		{ "::ffff:10.0.0.1", "10.0.0.1" },
		{ "::ffff:a00:1", "10.0.0.1" },
		{ "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		  "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		check_str(text_of(ip(cases[i][0])), cases[i][1]);
	check_str(text_of((struct ip){ 0 }), "");
}

TEST(ip_parse_is_strict)
{
	static const char *const bad[] = {
		"",
		" ",
		"10",
		"10.1",
		"10.1.2",
		"10.1.2.3.4",
		"10.1.2.256",
		"10.1.2.-1",
		"010.1.2.3",
		"10.1.2.03",
		"10.1.2.3 ",
		" 10.1.2.3",
		"10.1.2.3/24",
		"0x0a.1.2.3",
		"a.b.c.d",
		":",
		":::",
		"1::2::3",
		"1:2:3:4:5:6:7",
		"1:2:3:4:5:6:7:8:9",
		"12345::",
		"fe80::1%eth0",
		"::ffff:10.0.0",
		"g::",
		"1:2:3:4:5:6:7::8:9",
	};
	static const char *const bad_cidrs[] = {
		"10.0.0.0",
		"10.0.0.0/",
		"10.0.0.0/33",
		"10.0.0.0/-1",
		"10.0.0.0/+1",
		"10.0.0.0/08",
		"10.0.0.0/8 ",
		"/8",
		"::/129",
		"10.0.0.0/8/8",
		"10.0.0.0/255.0.0.0",
		"::ffff:10.0.0.0/95",
		"fe80::1%1/64",
		"1111111111111111111111111111111111111111111111111111/8",
	};
	struct ip address;
	struct cidr network;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		unit_check(!ip_parse(bad[i], &address), __FILE__, __LINE__, "\"%s\" parses",
			   bad[i]);
	for (size_t i = 0; i < ARRAY_SIZE(bad_cidrs); i++)
		unit_check(!cidr_parse(bad_cidrs[i], &network), __FILE__, __LINE__, "\"%s\" parses",
			   bad_cidrs[i]);
}

TEST(ip_add_carries_and_wraps)
{
	static const struct {
		const char *from;
		int64_t delta;
		const char *to;
	} cases[] = {
		{ "10.0.0.255", 1, "10.0.1.0" },
		{ "10.0.1.0", -1, "10.0.0.255" },
		{ "255.255.255.255", 1, "0.0.0.0" },
		{ "0.0.0.0", -1, "255.255.255.255" },
		{ "10.0.0.1", 0, "10.0.0.1" },
		{ "0.0.0.0", 4294967295, "255.255.255.255" },
		{ "0.0.0.0", 4294967296, "0.0.0.0" },
		{ "10.255.255.255", 1, "11.0.0.0" },
		{ "10.0.0.0", 65536, "10.1.0.0" },
		{ "10.0.0.0", -65537, "9.254.255.255" },
		{ "fd00::ffff", 1, "fd00::1:0" },
		{ "fd00::", -1, "fcff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
		{ "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 1, "::" },
		{ "::", -1, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
		{ "::", INT64_MAX, "::7fff:ffff:ffff:ffff" },
		{ "::", INT64_MIN, "ffff:ffff:ffff:ffff:8000::" },
		{ "0:0:0:1::", -1, "::ffff:ffff:ffff:ffff" },
		{ "::ffff:ffff:ffff:ffff", 1, "0:0:0:1::" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct ip from = ip(cases[i].from);

		check_str(text_of(ip_add(&from, cases[i].delta)), cases[i].to);
	}
}

TEST(ip_add_and_distance_are_inverse)
{
	static const char *const starts[] = { "0.0.0.0", "10.0.0.200", "10.0.255.1",
					      "::",      "fd00::fff0", "fd00::ffff:ff01" };

	for (size_t i = 0; i < ARRAY_SIZE(starts); i++) {
		struct ip a = ip(starts[i]);

		for (int64_t delta = 0; delta < 70000;
		     delta = delta < 600 ? delta + 1 : delta * 3) {
			struct ip b = ip_add(&a, delta), back = ip_add(&b, -delta);

			check(ip_equal(&a, &back));
			check_int(ip_distance(&a, &b), delta);
			check_int(ip_distance(&b, &a), 0);
			check_int(ip_compare(&a, &b) < 0, delta > 0);
			check_int(ip_compare(&b, &a) > 0, delta > 0);
		}
	}
}

TEST(ip_distance_saturates)
{
	struct ip a = ip("::"), b = ip("0:0:0:1::"),
		  last = ip("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
	struct ip v4 = ip("0.0.0.0"), v4_last = ip("255.255.255.255"),
		  below = ip("::ffff:ffff:ffff:ffff");

	check(ip_distance(&a, &last) == UINT64_MAX);
	check(ip_distance(&a, &b) == UINT64_MAX);
	check(ip_distance(&a, &below) == UINT64_MAX);
	check_int(ip_distance(&below, &b), 1);
	check_int(ip_distance(&v4, &v4_last), 4294967295);
	check_int(ip_distance(&v4, &a), 0);
	check(ip_blocks(&a, &last, 64) == UINT64_MAX);
	check(ip_blocks(&a, &last, 63) == UINT64_MAX);
	check(ip_blocks(&a, &last, 65) == UINT64_MAX >> 1);
	check(ip_blocks(&a, &last, 61) == UINT64_MAX);
	check_int(ip_blocks(&a, &b, 61), 8);
	check_int(ip_blocks(&below, &b, 1), 0);
	check_int(ip_blocks(&v4, &v4_last, 5), 134217727);
	check_int(ip_blocks(&v4, &v4_last, 8), 16777215);
	check(ip_compare(&v4_last, &a) < 0);
	check(!ip_equal(&v4, &a));
}

TEST(ip_classes)
{
	static const struct {
		const char *text;
		const char *class;
	} cases[] = {
		{ "0.0.0.0", "unspecified" },
		{ "::", "unspecified" },
		{ "127.0.0.1", "loopback" },
		{ "127.255.0.9", "loopback" },
		{ "::1", "loopback" },
		{ "224.0.0.1", "multicast" },
		{ "239.255.255.255", "multicast" },
		{ "ff02::1", "multicast" },
		{ "169.254.0.1", "link-local" },
		{ "fe80::1", "link-local" },
		{ "febf::1", "link-local" },
		{ "fec0::1", "global" },
		{ "10.0.0.1", "global" },
		{ "223.255.255.255", "global" },
		{ "128.0.0.1", "global" },
		{ "::2", "global" },
		{ "fd00::1", "global" },
		{ "255.255.255.255", "broadcast" },
		{ "240.0.0.1", "global" },
		{ "::ffff:127.0.0.1", "loopback" },
		{ "169.255.0.1", "global" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct ip a = ip(cases[i].text);
		const char *class = ip_is_unspecified(&a)      ? "unspecified"
				    : ip_is_loopback(&a)       ? "loopback"
				    : ip_is_multicast(&a)      ? "multicast"
				    : ip_is_link_local(&a)     ? "link-local"
				    : ip_is_global_unicast(&a) ? "global"
							       : "broadcast";

		check_str(class, cases[i].class);
		check_int(ip_is_global_unicast(&a), streq(class, "global"));
	}
	check(!ip_is_global_unicast(&(struct ip){ 0 }));
	check(!ip_is_unspecified(&(struct ip){ 0 }));
}

TEST(cidr_network_and_last)
{
	static const char *const cases[][4] = {
		{ "10.1.2.3/24", "10.1.2.3/24", "10.1.2.0/24", "10.1.2.255" },
		{ "10.1.2.3/0", "10.1.2.3/0", "0.0.0.0/0", "255.255.255.255" },
		{ "10.1.2.3/32", "10.1.2.3/32", "10.1.2.3/32", "10.1.2.3" },
		{ "10.1.2.3/31", "10.1.2.3/31", "10.1.2.2/31", "10.1.2.3" },
		{ "10.255.255.3/9", "10.255.255.3/9", "10.128.0.0/9", "10.255.255.255" },
		{ "fd00::1:2/64", "fd00::1:2/64", "fd00::/64", "fd00::ffff:ffff:ffff:ffff" },
		{ "fd00::5/128", "fd00::5/128", "fd00::5/128", "fd00::5" },
		{ "fd00::/7", "fd00::/7", "fc00::/7", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
		{ "::1/0", "::1/0", "::/0", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
		{ "::ffff:10.1.2.3/120", "10.1.2.3/24", "10.1.2.0/24", "10.1.2.255" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct cidr value = cidr(cases[i][0]);

		check_str(cidr_text(value), cases[i][1]);
		check_str(cidr_text(cidr_network(&value)), cases[i][2]);
		check_str(text_of(cidr_last(&value)), cases[i][3]);
	}
	check_str(cidr_text((struct cidr){ 0 }), "");
}

/* Every prefix length: what the network holds, and what lies one outside. */
TEST(cidr_contains_its_edges_only)
{
	static const char *const addresses[] = { "170.85.170.85",
						 "aa55:aa55:aa55:aa55:aa55:aa55:aa55:aa55" };

	for (size_t i = 0; i < ARRAY_SIZE(addresses); i++) {
		struct ip a = ip(addresses[i]);

		for (unsigned prefix = 0; prefix <= ip_bits(&a); prefix++) {
			struct cidr value = { .ip = a, .prefix = (uint8_t)prefix },
				    network = cidr_network(&value);
			struct ip last = cidr_last(&value), before = ip_add(&network.ip, -1),
				  after = ip_add(&last, 1);

			check(cidr_contains(&value, &a) && cidr_contains(&value, &network.ip) &&
			      cidr_contains(&value, &last));
			check_int(cidr_contains(&value, &before), prefix == 0);
			check_int(cidr_contains(&value, &after), prefix == 0);
			check(ip_compare(&network.ip, &a) <= 0 && ip_compare(&a, &last) <= 0);
		}
	}
	check(!cidr_contains(&(struct cidr){ 0 }, &(struct ip){ 0 }));
}

TEST(cidr_overlap)
{
	static const struct {
		const char *a, *b;
		bool overlap;
	} cases[] = {
		{ "10.0.0.0/8", "10.1.0.0/16", true },     { "10.1.0.0/16", "10.2.0.0/16", false },
		{ "0.0.0.0/0", "10.0.0.1/32", true },      { "10.0.0.1/32", "10.0.0.1/32", true },
		{ "10.0.0.0/31", "10.0.0.2/31", false },   { "fd00::/64", "fd00::1/128", true },
		{ "fd00::/64", "fd00:0:0:1::/64", false }, { "0.0.0.0/0", "::/0", false },
		{ "10.0.0.128/25", "10.0.0.5/24", true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct cidr a = cidr(cases[i].a), b = cidr(cases[i].b);

		unit_check(cidr_overlaps(&a, &b) == cases[i].overlap, __FILE__, __LINE__, "%s, %s",
			   cases[i].a, cases[i].b);
		unit_check(cidr_overlaps(&b, &a) == cases[i].overlap, __FILE__, __LINE__, "%s, %s",
			   cases[i].b, cases[i].a);
	}
}

TEST(cidr_host_and_equal)
{
	struct ip a = ip("10.0.0.1"), b = ip("fd00::1");
	struct cidr one = cidr("10.0.0.1/32"), other = cidr("10.0.0.1/31"), host = cidr_host(&a);

	check(cidr_equal(&one, &host));
	check(!cidr_equal(&one, &other));
	check_str(cidr_text(cidr_host(&b)), "fd00::1/128");
}

TEST(ip_make_keeps_the_family)
{
	static const uint8_t mapped[16] = { [10] = 0xff, [11] = 0xff, [12] = 10, [15] = 1 };
	struct ip address = ip_make(AF_INET6, mapped);

	check_int(ip_bits(&address), 128);
	check_str(text_of(address), "::ffff:10.0.0.1");
	check_str(text_of(ip_make(AF_INET, mapped + 12)), "10.0.0.1");
	check_int(ip_size(&(struct ip){ 0 }), 0);
}

TEST(mac_text)
{
	static const char *const bad[] = {
		"",
		"aa:bb:cc:dd:ee",
		"aa:bb:cc:dd:ee:f",
		"aa:bb:cc:dd:ee:ff:00",
		"aabb.ccdd.eeff",
		"aa:bb:cc:dd:ee:gg",
		"aa:bb:cc:dd-ee-ff",
		"aa bb cc dd ee ff",
		"aa:bb:cc:dd:ee:f ",
	};
	char text[MAC_TEXT_SIZE];
	struct mac a, b;

	check(mac_parse("AA:bb:0C:dd:ee:ff", &a) && mac_parse("aa-bb-0c-dd-ee-ff", &b));
	check_str(mac_format(&a, text), "aa:bb:0c:dd:ee:ff");
	check(mac_equal(&a, &b) && !mac_equal(&a, &(struct mac){ 0 }));
	check(mac_equal(&(struct mac){ 0 }, &(struct mac){ .bytes = { 1 } }));
	check_str(mac_format(&(struct mac){ 0 }, text), "");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		unit_check(!mac_parse(bad[i], &a), __FILE__, __LINE__, "\"%s\" parses", bad[i]);
	for (int i = 0; i < 64; i++) {
		a = mac_random();
		b = mac_random();
		check(a.set && (a.bytes[0] & 3) == 2 && !mac_equal(&a, &b));
	}
}
