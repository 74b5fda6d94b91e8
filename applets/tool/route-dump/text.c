/* Routes in iproute2's words and in its JSON. */
#include "dump.h"

#include <errno.h>
#include <stdlib.h>

#include "describe/json.h"

/* ---- names: /etc/iproute2/rt_*, and the kernel's constants ---- */

struct name {
	unsigned number;
	const char *name;
};

/* clang-format off */
static const struct name tables[] = {
	{ 253, "default" }, { 254, "main" }, { 255, "local" }, { 0 },
};
static const struct name protocols[] = {
	{ 1, "redirect" }, { 2, "kernel" }, { 3, "boot" }, { 4, "static" }, { 8, "gated" }, { 9, "ra" },
	{ 10, "mrt" }, { 11, "zebra" }, { 12, "bird" }, { 13, "dnrouted" }, { 14, "xorp" },
	{ 15, "ntk" }, { 16, "dhcp" }, { 18, "keepalived" }, { 42, "babel" }, { 99, "openr" },
	{ 186, "bgp" }, { 187, "isis" }, { 188, "ospf" }, { 189, "rip" }, { 192, "eigrp" }, { 0 },
};
static const struct name scopes[] = {
	{ 200, "site" }, { 253, "link" }, { 254, "host" }, { 255, "nowhere" }, { 0 },
};
static const struct name types[] = {
	{ 2, "local" }, { 3, "broadcast" }, { 4, "anycast" }, { 5, "multicast" }, { 6, "blackhole" },
	{ 7, "unreachable" }, { 8, "prohibit" }, { 9, "throw" }, { 10, "nat" }, { 0 },
};
static const struct name flag_names[] = {
	{ ROUTE_DEAD, "dead" }, { ROUTE_ONLINK, "onlink" }, { ROUTE_PERVASIVE, "pervasive" },
	{ ROUTE_OFFLOAD, "offload" }, { ROUTE_TRAP, "trap" }, { ROUTE_LINKDOWN, "linkdown" }, { 0 },
};
static const char *const prefs[] = { "medium", "high", NULL, "low" };
/* clang-format on */

static const char *name_of(const struct name *names, unsigned number, struct arena *arena)
{
	for (; names->name; names++)
		if (names->number == number)
			return names->name;
	return arena_printf(arena, "%u", number);
}

/* option: its name, and the names that a person is told of. */
static int number_of(const struct name *names, const char *word, const char *option, uint32_t max,
		     uint32_t *number, struct error *err)
{
	char *end;
	unsigned long value;

	for (const struct name *name = names; name->name; name++)
		if (streq(name->name, word)) {
			*number = name->number;
			return 0;
		}
	errno = 0;
	value = strtoul(word, &end, 10);
	if (!*word || *word == '-' || *end || errno || value == 0 || value > max)
		return fail(err, USAGE_ERROR, "%s, or a number of 1 to %u, is expected, not \"%s\"",
			    option, max, word);
	*number = (uint32_t)value;
	return 0;
}

int dump_table(const char *word, uint32_t *number, struct error *err)
{
	return number_of(tables, word, "--table: main, local, default or all", UINT32_MAX, number,
			 err);
}

int dump_protocol(const char *word, uint32_t *number, struct error *err)
{
	return number_of(protocols, word, "--protocol: kernel, boot, static, dhcp ...", UINT8_MAX,
			 number, err);
}

/* ---- one route, as it is shown ---- */

struct hop_view {
	const char *gateway, *dev;
	unsigned weight;
	uint8_t flags;
};

struct view {
	const struct route *route;
	const char *type, *dst, *gateway, *dev, *table, *protocol, *scope, *prefsrc, *pref;
	bool other_family; /* the gateway is of IPv6, the route of IPv4 */
};

const char *dump_dev(const struct dump *dump, int index)
{
	const struct link *link = links_at(&dump->links, index);

	if (link)
		return link->name;
	return index ? arena_printf(dump->call->arena, "if%d", index) : NULL;
}

const char *dump_ip(const struct ip *ip, struct arena *arena)
{
	char text[IP_TEXT_SIZE];

	return ip->family ? arena_strdup(arena, ip_format(ip, text)) : NULL;
}

/* A single address has no prefix length, everything is called default. */
static const char *dst_word(const struct cidr *dst, struct arena *arena)
{
	char text[CIDR_TEXT_SIZE];

	if (!dst->prefix)
		return "default";
	return arena_strdup(arena, dst->prefix == ip_bits(&dst->ip) ? ip_format(&dst->ip, text)
								    : cidr_format(dst, text));
}

static struct view view_of(const struct dump *dump, const struct route *route)
{
	struct arena *arena = dump->call->arena;
	bool several = route->hops.n > 0;

	return (struct view){
		.route = route,
		.type = route_is_unicast(route) ? NULL : name_of(types, route->type, arena),
		.dst = dst_word(&route->dst, arena),
		.gateway = several ? NULL : dump_ip(&route->gw, arena),
		.other_family = route->gw.family && route->gw.family != route->dst.ip.family,
		.dev = several ? NULL : dump_dev(dump, route->oif),
		.table = dump->table || route->table == ROUTE_TABLE_MAIN
				 ? NULL
				 : name_of(tables, route->table, arena),
		.protocol = route->protocol == PROTOCOL_BOOT
				    ? NULL
				    : name_of(protocols, route->protocol, arena),
		.scope = route->scope ? name_of(scopes, (unsigned)route->scope, arena) : NULL,
		.prefsrc = dump_ip(&route->src, arena),
		.pref = route->has_pref && route->pref < ARRAY_SIZE(prefs) ? prefs[route->pref]
									   : NULL,
	};
}

static void print_word(FILE *out, const char *key, const char *value)
{
	if (value)
		fprintf(out, "%s%s%s ", key, *key ? " " : "", value);
}

static void print_flags(FILE *out, unsigned flags)
{
	for (const struct name *name = flag_names; name->name; name++)
		if (flags & name->number)
			fprintf(out, "%s ", name->name);
}

static void print_number(FILE *out, const char *key, uint32_t value)
{
	if (value)
		fprintf(out, "%s %u ", key, value);
}

void dump_text(const struct dump *dump, FILE *out, const struct route *route)
{
	struct view view = view_of(dump, route);
	struct arena *arena = dump->call->arena;

	print_word(out, "", view.type);
	print_word(out, "", view.dst);
	if (route->frame_oif)
		fprintf(out, " encap seg6local action End.DX2 oif %s ",
			dump_dev(dump, route->frame_oif));
	print_word(out, view.other_family ? "via inet6" : "via", view.gateway);
	print_word(out, "dev", view.dev);
	print_word(out, "table", view.table);
	print_word(out, "proto", view.protocol);
	print_word(out, "scope", view.scope);
	print_word(out, "src", view.prefsrc);
	if (route->has_metric)
		fprintf(out, "metric %u ", route->priority);
	print_flags(out, route->flags);
	print_number(out, "mtu", route->mtu);
	print_number(out, "advmss", route->advmss);
	list_each(hop, &route->hops) {
		fputs("\n\tnexthop ", out);
		print_word(out, "via", dump_ip(&hop->gw, arena));
		print_word(out, "dev", dump_dev(dump, hop->oif));
		fprintf(out, "weight %u ", hop->weight);
		print_flags(out, hop->flags);
	}
	if (view.pref)
		fprintf(out, "pref %s", view.pref);
	fputc('\n', out);
}

/* ---- JSON: iproute2's keys, in its order ---- */

static void set_word(struct json *object, const char *key, const char *value)
{
	if (value)
		json_set(object, key, json_new_string(value));
}

static struct json *flags_json(unsigned flags)
{
	struct json *list = json_new_array();

	for (const struct name *name = flag_names; name->name; name++)
		if (flags & name->number)
			json_append(list, json_new_string(name->name));
	return list;
}

static void set_gateway(struct json *object, const struct view *view)
{
	struct json *via;

	if (!view->other_family || !view->gateway) {
		set_word(object, "gateway", view->gateway);
		return;
	}
	via = json_new_object();
	set_word(via, "family", "inet6");
	set_word(via, "host", view->gateway);
	json_set(object, "via", via);
}

static struct json *metrics_json(const struct route *route)
{
	struct json *list = json_new_array(), *metrics = json_new_object();

	if (route->mtu)
		json_set(metrics, "mtu", json_new_int(route->mtu));
	if (route->advmss)
		json_set(metrics, "advmss", json_new_int(route->advmss));
	json_append(list, metrics);
	return list;
}

static struct json *hops_json(const struct dump *dump, const struct route *route)
{
	struct json *list = json_new_array();

	list_each(hop, &route->hops) {
		struct json *one = json_new_object();

		set_word(one, "gateway", dump_ip(&hop->gw, dump->call->arena));
		set_word(one, "dev", dump_dev(dump, hop->oif));
		json_set(one, "weight", json_new_int(hop->weight));
		json_set(one, "flags", flags_json(hop->flags));
		json_append(list, one);
	}
	return list;
}

static struct json *route_json(const struct dump *dump, const struct route *route)
{
	struct view view = view_of(dump, route);
	struct json *object = json_new_object();

	set_word(object, "type", view.type);
	set_word(object, "dst", view.dst);
	if (route->frame_oif) {
		set_word(object, "encap", "seg6local");
		set_word(object, "action", "End.DX2");
		set_word(object, "oif", dump_dev(dump, route->frame_oif));
	}
	set_gateway(object, &view);
	set_word(object, "dev", view.dev);
	set_word(object, "table", view.table);
	set_word(object, "protocol", view.protocol);
	set_word(object, "scope", view.scope);
	set_word(object, "prefsrc", view.prefsrc);
	if (route->has_metric)
		json_set(object, "metric", json_new_int(route->priority));
	json_set(object, "flags", flags_json(route->flags));
	if (route->mtu || route->advmss)
		json_set(object, "metrics", metrics_json(route));
	if (route->hops.n)
		json_set(object, "nexthops", hops_json(dump, route));
	set_word(object, "pref", view.pref);
	return object;
}

void dump_json(const struct dump *dump, const routes_t *routes)
{
	auto_json struct json *list = json_new_array();

	list_each(route, routes)
		json_append(list, route_json(dump, route));
	fprintf(dump->call->out, "%s\n", json_text(list, JSON_STYLE_INDENT, dump->call->arena));
}
