/*
 * route-dump: the kernel's routes of any namespace, as `ip route` and `ip -j route` print them, on nodes that have no ip
 * program; all tables and families unless asked for less.
 */
#include "agent/peers.h"
#include "describe/applet.h"
#include "describe/json.h"
#include "describe/table.h"
#include "kernel/link.h"
#include "kernel/netns.h"
#include "kernel/route.h"
#include "lease/place.h"

#include <errno.h>
#include <stdlib.h>

struct options {
	const char *netns, *table, *protocol, *dev;
	struct lease_place place;
	bool v4, v6, peers, json;
};

static const struct options defaults = { .place = LEASE_PLACE_DEFAULTS };

#define OPTION(member) offsetof(struct options, member)

static const struct field fields[] = {
	{ "netns", FIELD_NETNS, OPTION(netns), FIELD_POSITIONAL,
	  .help = "namespace: name, path, pid or container id; unset: this one" },
	{ "ipv4", FIELD_BOOL, OPTION(v4), .letter = '4', .help = "IPv4 only" },
	{ "ipv6", FIELD_BOOL, OPTION(v6), .letter = '6', .help = "IPv6 only" },
	{ "table", FIELD_STRING, OPTION(table), .metavar = "main|local|default|N",
	  .help = "unset: all" },
	{ "protocol", FIELD_STRING, OPTION(protocol),
	  .metavar = "kernel|boot|static|dhcp|bird|...|N", .help = "who made them" },
	{ "dev", FIELD_STRING, OPTION(dev), .metavar = "IFNAME", .noun = NOUN_INTERFACE,
	  .help = "through this interface" },
	{ "peers", FIELD_BOOL, OPTION(peers),
	  .help = "how each node of the network is reached, held against its lease" },
	LEASE_PLACE_FIELDS(OPTION(place)), /* for --peers */
	{ "json", FIELD_BOOL, OPTION(json), .letter = 'j', .help = "JSON instead of text" },
	FIELDS_END
};

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

enum { PROTOCOL_BOOT = 3 };

static const char *name_of(const struct name *names, unsigned number, struct arena *arena)
{
	for (; names->name; names++)
		if (names->number == number)
			return names->name;
	return arena_printf(arena, "%u", number);
}

static int number_of(const struct name *names, const char *word, const char *option,
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
	if (!*word || *word == '-' || *end || errno || value == 0 || value > UINT32_MAX)
		return fail(err, USAGE_ERROR,
			    "--%s %s: a name that is known or a number is expected", option, word);
	*number = (uint32_t)value;
	return 0;
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

struct dump {
	struct invocation *call;
	struct netlink *nl;
	links_t links;
	uint32_t table; /* 0 = all: then each route says its own */
};

static const char *dev_name(const struct dump *dump, int index)
{
	list_each(link, &dump->links)
		if (link->index == index)
			return link->name;
	return index ? arena_printf(dump->call->arena, "if%d", index) : NULL;
}

static const char *ip_word(const struct ip *ip, struct arena *arena)
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
		.gateway = several ? NULL : ip_word(&route->gw, arena),
		.other_family = route->gw.family && route->gw.family != route->dst.ip.family,
		.dev = several ? NULL : dev_name(dump, route->oif),
		.table = dump->table || route->table == ROUTE_TABLE_MAIN
				 ? NULL
				 : name_of(tables, route->table, arena),
		.protocol = route->protocol == PROTOCOL_BOOT
				    ? NULL
				    : name_of(protocols, route->protocol, arena),
		.scope = route->scope ? name_of(scopes, (unsigned)route->scope, arena) : NULL,
		.prefsrc = ip_word(&route->src, arena),
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

static void print_text(const struct dump *dump, const struct route *route)
{
	struct view view = view_of(dump, route);
	struct arena *arena = dump->call->arena;
	FILE *out = dump->call->out;

	print_word(out, "", view.type);
	print_word(out, "", view.dst);
	if (route->frame_oif)
		fprintf(out, " encap seg6local action End.DX2 oif %s ",
			dev_name(dump, route->frame_oif));
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
		print_word(out, "via", ip_word(&hop->gw, arena));
		print_word(out, "dev", dev_name(dump, hop->oif));
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

		set_word(one, "gateway", ip_word(&hop->gw, dump->call->arena));
		set_word(one, "dev", dev_name(dump, hop->oif));
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
		set_word(object, "oif", dev_name(dump, route->frame_oif));
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

static void print_json(const struct dump *dump, const routes_t *routes)
{
	auto_json struct json *list = json_new_array();

	list_each(route, routes)
		json_append(list, route_json(dump, route));
	fprintf(dump->call->out, "%s\n", json_text(list, JSON_STYLE_INDENT, dump->call->arena));
}

/* ---- which routes ---- */

struct selection {
	int family, oif;
	uint32_t protocol; /* 0 = any */
};

static int open_session(struct dump *dump, const struct options *options, struct error *err)
{
	auto_close int netns = -1;
	char *path;

	if (options->netns && (netns_resolve(options->netns, dump->call->arena, &path, err) ||
			       netns_open(path, &netns, err)))
		return -err->errnum;
	if (netlink_open(&dump->nl, NETLINK_SESSION_ROUTE, netns, err))
		return -err->errnum;
	return link_list(dump->nl, NULL, 0, dump->call->arena, &dump->links, err);
}

static int select_dev(const struct dump *dump, const char *name, struct selection *selection,
		      struct error *err)
{
	list_each(link, &dump->links)
		if (streq(link->name, name))
			selection->oif = link->index;
	return selection->oif ? 0 : fail(err, ENODEV, "there is no interface %s", name);
}

static int select_routes(struct dump *dump, const struct options *options,
			 struct selection *selection, struct error *err)
{
	if (options->v4 != options->v6)
		selection->family = options->v4 ? ROUTE_IPV4 : ROUTE_IPV6;
	if (options->table && !streq(options->table, "all") &&
	    number_of(tables, options->table, "table", &dump->table, err))
		return -err->errnum;
	if (options->protocol &&
	    number_of(protocols, options->protocol, "protocol", &selection->protocol, err))
		return -err->errnum;
	return options->dev ? select_dev(dump, options->dev, selection, err) : 0;
}

/* ---- peers ---- */

struct peer_row {
	const char *subnet, *node, *type, *route, *neighbour, *fdb, *verdict;
};

static const struct field peer_fields[] = {
	{ "subnet", FIELD_STRING, offsetof(struct peer_row, subnet) },
	{ "node", FIELD_STRING, offsetof(struct peer_row, node) },
	{ "type", FIELD_STRING, offsetof(struct peer_row, type) },
	{ "route", FIELD_STRING, offsetof(struct peer_row, route) },
	{ "neighbour", FIELD_STRING, offsetof(struct peer_row, neighbour) },
	{ "fdb", FIELD_STRING, offsetof(struct peer_row, fdb) },
	{ "verdict", FIELD_STRING, offsetof(struct peer_row, verdict) },
	FIELDS_END
};

static struct peer_row peer_row_of(const struct peer_state *state, struct arena *arena)
{
	const struct subnet_lease *lease = state->lease;
	const struct ip *node = lease->public_ip.family ? &lease->public_ip : &lease->public_ip6;
	char text[CIDR_TEXT_SIZE];

	return (struct peer_row){
		.subnet = arena_strdup(arena, cidr_format(&state->subnet, text)),
		.node = ip_word(node, arena),
		.type = *lease->type ? lease->type : "udp",
		.route = state->route,
		.neighbour = state->neighbour,
		.fdb = state->fdb,
		.verdict = state->verdict,
	};
}

/* Status 1 when a peer cannot be reached as its lease asks. */
static int show_peers(const struct dump *dump, const struct options *options, struct error *err)
{
	struct arena *arena = dump->call->arena;
	peer_states_t states = { 0 };
	LIST(struct peer_row) rows = { 0 };
	int status = 0, r;

	r = peers_ask(dump->nl, &options->place, arena, &states, err);

	if (r < 0)
		return r;
	list_each(state, &states) {
		*list_add(arena, &rows) = peer_row_of(state, arena);
		if (!streq(state->verdict, "ok"))
			status = 1;
	}
	table_print(dump->call->out, peer_fields, rows.items, rows.n, sizeof(struct peer_row),
		    options->json);
	return status;
}

static void dump_end(struct dump *dump)
{
	netlink_close(dump->nl);
}

static int route_dump_run(struct invocation *call, void *options_, struct error *err)
{
	const struct options *options = options_;
	struct dump dump on_leave(dump_end) = { .call = call };
	struct selection selection = { 0 };
	routes_t all = { 0 }, chosen = { 0 };

	if (open_session(&dump, options, err))
		return -err->errnum;
	if (options->peers)
		return show_peers(&dump, options, err);
	if (select_routes(&dump, options, &selection, err) ||
	    route_list(dump.nl, selection.family, selection.oif, dump.table, call->arena, &all,
		       err))
		return -err->errnum;
	list_each(route, &all)
		if (!selection.protocol || route->protocol == selection.protocol)
			*list_add(call->arena, &chosen) = *route;
	if (options->json) {
		print_json(&dump, &chosen);
		return 0;
	}
	list_each(route, &chosen)
		print_text(&dump, route);
	return 0;
}

static const struct verb run = {
	.fields = fields,
	.size = sizeof(struct options),
	.defaults = &defaults,
	.run = route_dump_run,
};

const struct applet applet_route_dump = {
	.summary = "the kernel's routes of a namespace, as ip prints them",
	.about =
		"Every table and both families, unless asked for less. The text is that of `ip route show table all`,"
		" --json that of `ip -j`: scripts can read either.\n"
		"\n"
		"With --peers each other node of a network is shown instead: what its lease asks for, what the kernel"
		" has of it, and in words what is wrong. It reads only, so that it works where flanneld itself is at"
		" work, too. The exit status is 1 when a peer cannot be reached as it should.",
	.example = "cnibox route-dump\n"
		   "cnibox route-dump blue --table main -4\n"
		   "cnibox route-dump --protocol 118        # what cnibox's agents made\n"
		   "cnibox route-dump --peers",
	.run = &run,
};
