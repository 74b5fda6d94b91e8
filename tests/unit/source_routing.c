/* Source routing: which tables, and the plan. What comes of it is in 370-sbr.bats. */
#include "unit.h"

#include "kernel/source_routing.h"

enum { LINK = 3, OTHER = 4 };

static struct cidr cidr(const char *text)
{
	struct cidr cidr = { 0 };

	check(cidr_parse(text, &cidr));
	return cidr;
}

static struct ip ip(const char *text)
{
	struct ip ip = { 0 };

	check(!*text || ip_parse(text, &ip));
	return ip;
}

static void add_source(struct arena *arena, sources_t *sources, const char *address,
		       const char *gateway, uint32_t table)
{
	*list_add(arena, sources) = (struct source){ cidr(address), ip(gateway), table };
}

static struct route *add_route(struct arena *arena, routes_t *routes, const char *dst,
			       const char *gw, const char *src)
{
	struct route *route = list_add(arena, routes);

	*route = (struct route){ .dst = cidr(dst),
				 .gw = ip(gw),
				 .src = ip(src),
				 .oif = LINK,
				 .table = ROUTE_TABLE_MAIN };
	return route;
}

/* "rule 10.1.0.5/32>100 default 10.1.0.1>100 copy 10.0.0.0/8>100 hint 10.1.0.0/24=10.1.0.5 drop 10.0.0.0/8" */
static const char *plan(struct arena *arena, const sources_t *sources, const routes_t *routes,
			const struct source_options *options)
{
	static const char *const words[] = { "rule", "default", "copy", "hint", "drop" };
	source_changes_t changes = { 0 };
	char *text = arena_strdup(arena, "");

	source_plan(sources, LINK, options, routes, arena, &changes);
	list_each(change, &changes) {
		char what[CIDR_TEXT_SIZE], hint[IP_TEXT_SIZE] = "";
		uint32_t table = change->route.table;

		if (change->step == SOURCE_RULE)
			table = change->rule.table, cidr_format(&change->rule.src, what);
		else if (change->step == SOURCE_DEFAULT)
			ip_format(&change->route.gw, what);
		else
			cidr_format(&change->route.dst, what);
		if (change->step == SOURCE_HINT)
			ip_format(&change->route.src, hint);
		text = arena_printf(arena, "%s%s%s %s%s%s", text, *text ? " " : "",
				    words[change->step], what, *hint ? "=" : "", hint);
		if (change->step <= SOURCE_COPY)
			text = arena_printf(arena, "%s>%u", text, table);
	}
	return text;
}

TEST(source_tables_are_free_ones)
{
	auto_arena struct arena arena = { 0 };
	sources_t sources = { 0 };
	routes_t routes = { 0 };
	rules_t rules = { 0 };

	for (int i = 0; i < 3; i++)
		add_source(&arena, &sources, "10.1.0.5/24", "", 0);
	source_tables(&sources, &rules, &routes);
	check_int(sources.items[0].table, 100);
	check_int(sources.items[2].table, 102);
	*list_add(&arena, &rules) = (struct rule){ .table = 101 };
	add_route(&arena, &routes, "10.0.0.0/8", "", "")->table = 100;
	source_tables(&sources, &rules, &routes);
	check_int(sources.items[0].table, 102);
	check_int(sources.items[1].table, 103);
	for (uint32_t table = 102; table < 252; table++)
		*list_add(&arena, &rules) = (struct rule){ .table = table };
	source_tables(&sources, &rules, &routes);
	check_int(sources.items[0].table, 252);
	check_int(sources.items[1].table, 256); /* 253 to 255 are the kernel's */
}

TEST(source_plan_moves_an_address_its_routes)
{
	auto_arena struct arena arena = { 0 };
	sources_t sources = { 0 };
	routes_t routes = { 0 };

	add_source(&arena, &sources, "10.1.0.5/24", "10.1.0.1", 100);
	add_source(&arena, &sources, "fd01::5/64", "", 101);
	add_route(&arena, &routes, "10.1.0.0/24", "", "10.1.0.5");
	add_route(&arena, &routes, "192.0.2.0/24", "10.1.0.9", "");
	add_route(&arena, &routes, "fd01::/64", "", "");
	add_route(&arena, &routes, "198.51.100.0/24", "", "")->oif = OTHER;
	add_route(&arena, &routes, "198.51.101.0/24", "", "")->table = 7;
	add_route(&arena, &routes, "198.51.102.0/24", "", "")->shared = true;
	check_str(
		plan(&arena, &sources, &routes, &(struct source_options){ 0 }),
		"rule 10.1.0.5/32>100 default 10.1.0.1>100 copy 10.1.0.0/24>100 copy 192.0.2.0/24>100 "
		"copy fd01::/64>100 "
		"rule fd01::5/128>101 copy fd01::/64>101 "
		"drop 10.1.0.0/24 drop 192.0.2.0/24 drop fd01::/64");
}

TEST(source_plan_with_a_table_is_rules_only)
{
	auto_arena struct arena arena = { 0 };
	sources_t sources = { 0 };
	routes_t routes = { 0 };

	add_source(&arena, &sources, "10.1.0.5/24", "10.1.0.1", 5000);
	add_route(&arena, &routes, "10.1.0.0/24", "", "10.1.0.5");
	check_str(plan(&arena, &sources, &routes, &(struct source_options){ .table = 5000 }),
		  "rule 10.1.0.5/32>5000");
}

TEST(source_plan_loses_no_route)
{
	auto_arena struct arena arena = { 0 };
	sources_t sources = { 0 };
	routes_t routes = { 0 };

	add_source(&arena, &sources, "10.1.0.5/32", "", 100);
	add_source(&arena, &sources, "10.1.0.6/32", "", 101);
	add_route(&arena, &routes, "0.0.0.0/0", "169.254.1.1", "");
	add_route(&arena, &routes, "192.0.2.0/24", "fe80::1", ""); /* of no subnet: everybody's */
	add_route(&arena, &routes, "::/0", "fe80::1", "");         /* no address of the family */
	check_str(plan(&arena, &sources, &routes, &(struct source_options){ 0 }),
		  "rule 10.1.0.5/32>100 copy 0.0.0.0/0>100 copy 192.0.2.0/24>100 "
		  "rule 10.1.0.6/32>101 copy 0.0.0.0/0>101 copy 192.0.2.0/24>101 "
		  "drop 0.0.0.0/0 drop 192.0.2.0/24");
}

TEST(source_plan_with_hints_keeps_what_has_no_gateway)
{
	auto_arena struct arena arena = { 0 };
	sources_t sources = { 0 };
	routes_t routes = { 0 };

	add_source(&arena, &sources, "10.1.0.5/24", "", 100);
	add_source(&arena, &sources, "fd01::5/64", "", 101);
	add_route(&arena, &routes, "10.1.0.0/24", "", "10.1.0.5");
	add_route(&arena, &routes, "10.1.0.128/25", "", "");
	add_route(&arena, &routes, "10.0.0.0/8", "", "");
	add_route(&arena, &routes, "fd01::/64", "", "");
	add_route(&arena, &routes, "0.0.0.0/0", "10.1.0.1", "");
	check_str(
		plan(&arena, &sources, &routes, &(struct source_options){ .hints = true }),
		"rule 10.1.0.5/32>100 copy 10.1.0.0/24>100 copy 10.1.0.128/25>100 copy 10.0.0.0/8>100 "
		"copy fd01::/64>100 copy 0.0.0.0/0>100 "
		"rule fd01::5/128>101 copy 10.1.0.128/25>101 copy 10.0.0.0/8>101 copy fd01::/64>101 "
		"hint 10.1.0.128/25=10.1.0.5 hint fd01::/64=fd01::5 drop 0.0.0.0/0");
}
