/* Range sets: defaults, refusals with the reference's words, order of allocation. */
#include "unit.h"

#include "ipam/range.h"

static struct arena arena;

/* "subnet start end gateway" with - for unset; ranges separated by ',', sets by ';'. */
static range_sets_t sets_of(const char *text)
{
	char *copy = arena_strdup(&arena, text);
	range_sets_t sets = { 0 };

	for (char *set_text; (set_text = strsep(&copy, ";"));) {
		range_set_t *set = list_add(&arena, &sets);

		for (char *range_text; *set_text && (range_text = strsep(&set_text, ","));) {
			struct range *range = list_add(&arena, set);
			char words[4][64] = { "-", "-", "-", "-" };

			sscanf(range_text, "%63s %63s %63s %63s", words[0], words[1], words[2],
			       words[3]);
			cidr_parse(words[0], &range->subnet);
			ip_parse(words[1], &range->start);
			ip_parse(words[2], &range->end);
			ip_parse(words[3], &range->gateway);
			if (!set_text)
				break;
		}
	}
	return sets;
}

static const char *canonical(const char *text)
{
	range_sets_t sets = sets_of(text);
	struct error err = { 0 };
	char gateway[IP_TEXT_SIZE];
	char *all = arena_strdup(&arena, "");

	if (ranges_canonical(&sets, &err) < 0) {
		check_int(err.code, CNI_INVALID_CONFIG);
		return arena_strdup(&arena, err.message);
	}
	list_each(set, &sets)
		all = arena_printf(&arena, "%s%s%s via %s", all, *all ? "; " : "",
				   range_set_text(set, &arena),
				   ip_format(&set->items[0].gateway, gateway));
	return all;
}

TEST(ranges_defaults_and_refusals)
{
	static const char *const cases[][2] = {
		{ "10.1.0.0/24", "10.1.0.1-10.1.0.254 via 10.1.0.1" },
		{ "10.1.0.0/30", "10.1.0.1-10.1.0.2 via 10.1.0.1" },
		{ "fd00::/64", "fd00::1-fd00::ffff:ffff:ffff:ffff via fd00::1" },
		{ "fd00::/126", "fd00::1-fd00::3 via fd00::1" },
		{ "10.1.0.0/24 10.1.0.10 10.1.0.20 10.1.0.9", "10.1.0.10-10.1.0.20 via 10.1.0.9" },
		{ "10.1.0.0/24 10.1.0.0 10.1.0.255", "10.1.0.0-10.1.0.255 via 10.1.0.1" },
		{ "10.1.0.0/24 - - 192.168.0.1", "10.1.0.1-10.1.0.254 via 192.168.0.1" },
		{ "10.1.0.0/24,10.2.0.0/24 - 10.2.0.9",
		  "10.1.0.1-10.1.0.254,10.2.0.1-10.2.0.9 via 10.1.0.1" },
		{ "10.1.0.0/24;fd00::/64",
		  "10.1.0.1-10.1.0.254 via 10.1.0.1; fd00::1-fd00::ffff:ffff:ffff:ffff via fd00::1" },
		{ "10.1.0.0/24 10.1.0.5 10.1.0.9,10.1.0.0/24 10.1.0.10 10.1.0.12",
		  "10.1.0.5-10.1.0.9,10.1.0.10-10.1.0.12 via 10.1.0.1" },
		{ "-", "invalid range set 0: IP <nil> not v4 nor v6" },
		{ "10.1.0.0/31",
		  "invalid range set 0: Network 10.1.0.0/31 too small to allocate from" },
		{ "fd00::/127",
		  "invalid range set 0: Network fd00::/127 too small to allocate from" },
		{ "10.1.0.9/24",
		  "invalid range set 0: Network has host bits set. For a subnet mask of length 24 the network address is 10.1.0.0" },
		{ "10.1.0.0/24 10.2.0.1",
		  "invalid range set 0: RangeStart 10.2.0.1 not in network 10.1.0.0/24" },
		{ "10.1.0.0/24 fd00::1",
		  "invalid range set 0: RangeStart fd00::1 not in network 10.1.0.0/24" },
		{ "10.1.0.0/24 - 10.2.0.1",
		  "invalid range set 0: RangeEnd 10.2.0.1 not in network 10.1.0.0/24" },
		{ "10.1.0.0/24 10.1.0.9 10.1.0.5",
		  "invalid range set 0: RangeStart 10.1.0.9 not in network 10.1.0.0/24" },
		{ "10.1.0.0/24;10.2.0.0/24,fd00::/64",
		  "invalid range set 1: mixed address families" },
		{ "10.1.0.0/24,10.1.0.0/25",
		  "invalid range set 0: subnets 10.1.0.1-10.1.0.254 and 10.1.0.1-10.1.0.126 overlap" },
		{ "10.1.0.0/24;10.2.0.0/24;10.1.0.0/16", "range set 0 overlaps with 2" },
		{ "10.1.0.0/24;", "invalid range set 1: empty range set" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		check_str(canonical(cases[i][0]), cases[i][1]);
	arena_free(&arena);
}

static const char *walked(const char *text, const char *last_text, unsigned max)
{
	range_sets_t sets = sets_of(text);
	struct error err = { 0 };
	const struct range *range;
	struct range_walk walk;
	char one[IP_TEXT_SIZE];
	char *all = arena_strdup(&arena, "");
	struct ip last = { 0 }, ip;

	check_ok(ranges_canonical(&sets, &err), err);
	ip_parse(last_text, &last);
	range_walk_start(&walk, &sets.items[0], &last);
	for (unsigned i = 0; i < max && range_walk_next(&walk, &ip, &range); i++) {
		check(range == range_set_find(&sets.items[0], &ip));
		all = arena_printf(&arena, "%s%s%s", all, *all ? " " : "", ip_format(&ip, one));
	}
	return all;
}

TEST(range_walk_order)
{
	static const struct {
		const char *set, *last, *order;
	} cases[] = {
		{ "10.1.0.0/29", "-", "10.1.0.2 10.1.0.3 10.1.0.4 10.1.0.5 10.1.0.6" },
		{ "10.1.0.0/29", "10.1.0.4", "10.1.0.5 10.1.0.6 10.1.0.2 10.1.0.3 10.1.0.4" },
		{ "10.1.0.0/29", "10.1.0.6", "10.1.0.2 10.1.0.3 10.1.0.4 10.1.0.5 10.1.0.6" },
		{ "10.1.0.0/29", "10.1.0.1", "10.1.0.2 10.1.0.3 10.1.0.4 10.1.0.5 10.1.0.6" },
		{ "10.1.0.0/29", "10.9.0.1",
		  "10.1.0.2 10.1.0.3 10.1.0.4 10.1.0.5 10.1.0.6" }, /* of another range */
		{ "10.1.0.0/29 - - 10.1.0.4", "10.1.0.2",
		  "10.1.0.3 10.1.0.5 10.1.0.6 10.1.0.1 10.1.0.2" },
		{ "10.1.0.0/24 10.1.0.7 10.1.0.7", "-", "10.1.0.7" },
		{ "10.1.0.0/24 10.1.0.7 10.1.0.7", "10.1.0.7", "10.1.0.7" },
		{ "10.1.0.0/24 10.1.0.1 10.1.0.1", "-", "" }, /* nothing but the gateway */
		{ "10.1.0.0/30,10.2.0.0/30", "-", "10.1.0.2 10.2.0.2" },
		{ "10.1.0.0/30,10.2.0.0/30", "10.1.0.2", "10.2.0.2 10.1.0.2" },
		{ "10.1.0.0/29 10.1.0.2 10.1.0.3,10.2.0.0/29 10.2.0.5 10.2.0.6 10.2.0.5",
		  "10.2.0.6", "10.1.0.2 10.1.0.3 10.2.0.6" },
		{ "fd00::/126", "fd00::3", "fd00::2 fd00::3" },
		{ "255.255.255.248/29 - 255.255.255.255", "255.255.255.254",
		  "255.255.255.255 255.255.255.250 255.255.255.251 "
		  "255.255.255.252 255.255.255.253 255.255.255.254" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		check_str(walked(cases[i].set, cases[i].last, 50), cases[i].order);
	check_str(walked("fd00::/64", "fd00::ffff:ffff:ffff:fffe", 2),
		  "fd00::ffff:ffff:ffff:ffff fd00::2");
	arena_free(&arena);
}

/* Every size and every start: each address once, as many as the set says it has. */
TEST(range_walk_visits_each_once)
{
	for (int end = 1; end <= 14; end++) {
		for (int last = 0; last <= 15; last++) {
			char text[100], from[20], seen[16] = "";
			range_sets_t sets;
			struct range_walk walk;
			struct error err = { 0 };
			struct ip ip = { 0 };
			unsigned n = 0;

			snprintf(text, sizeof(text), "10.1.0.0/28 10.1.0.1 10.1.0.%d 10.1.0.%d",
				 end, 1 + end / 2);
			snprintf(from, sizeof(from), "10.1.0.%d", last);
			sets = sets_of(text);
			check_ok(ranges_canonical(&sets, &err), err);
			ip_parse(from, &ip);
			range_walk_start(&walk, &sets.items[0], &ip);
			for (; n < 100 && range_walk_next(&walk, &ip, NULL); n++) {
				check_int(seen[ip.bytes[3]], 0);
				check(ip.bytes[3] != 1 + end / 2 && ip.bytes[3] <= end);
				seen[ip.bytes[3]] = 1;
			}
			check_int(n, end - 1);
			check_int(range_set_size(&sets.items[0]), end - 1);
		}
	}
	arena_free(&arena);
}

TEST(range_set_sizes)
{
	static const struct {
		const char *set;
		uint64_t size;
	} cases[] = {
		{ "10.1.0.0/24", 253 },
		{ "10.1.0.0/24 - - 192.168.0.1", 254 },
		{ "10.0.0.0/8", 16777213 },
		{ "fd00::/126", 2 },
		{ "fd00::/64", UINT64_MAX - 1 },
		{ "fd00::/48", UINT64_MAX },
		{ "10.1.0.0/24,10.2.0.0/24", 506 },
		{ "fd00::/48,fd01::/64", UINT64_MAX },
		{ "10.1.0.0/24 10.1.0.7 10.1.0.7", 1 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		range_sets_t sets = sets_of(cases[i].set);
		struct error err = { 0 };

		check_ok(ranges_canonical(&sets, &err), err);
		unit_check(range_set_size(&sets.items[0]) == cases[i].size, __FILE__, __LINE__,
			   "%s: %llu", cases[i].set,
			   (unsigned long long)range_set_size(&sets.items[0]));
	}
	arena_free(&arena);
}
