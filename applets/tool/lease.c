/*
 * lease: the leases of a network in its store: who has which subnet, how it is reached, for how long; reservations; what
 * changes. It reads and writes what agents do (lib/lease), under the same conditions.
 */
#include "base/text.h"
#include "describe/applet.h"
#include "describe/json.h"
#include "describe/table.h"
#include "lease/acquire.h"
#include "lease/place.h"

#include <errno.h>
#include <inttypes.h>

struct options {
	struct lease_place place;
	const char *what;
	struct cidr subnet, with;
	struct ip node;
	bool json;
};

static const struct options defaults = { .place = LEASE_PLACE_DEFAULTS };

#define ROW(key_, kind, member, help_, ...)                                                \
	{                                                                                  \
		.key = (key_), .type = (kind), .offset = offsetof(struct options, member), \
		.help = (help_), ##__VA_ARGS__                                             \
	}
#define ROW_STORE LEASE_PLACE_FIELDS(offsetof(struct options, place))
#define ROW_JSON  ROW("json", FIELD_BOOL, json, "JSON instead of text", .letter = 'j')

static const struct field list_fields[] = { ROW_STORE, ROW_JSON, FIELDS_END };
static const struct field show_fields[] = {
	ROW("what", FIELD_STRING, what, "subnet, an address in it, or the address of its node",
	    .flags = FIELD_POSITIONAL | FIELD_REQUIRED, .noun = NOUN_SUBNET),
	ROW_STORE, ROW_JSON, FIELDS_END
};
static const struct field reserve_fields[] = {
	ROW("subnet", FIELD_CIDR, subnet, "subnet of the network",
	    .flags = FIELD_POSITIONAL | FIELD_REQUIRED),
	ROW("node", FIELD_IP, node, "address of the node that is to have it",
	    .flags = FIELD_POSITIONAL | FIELD_REQUIRED, .noun = NOUN_NODE),
	ROW("with", FIELD_CIDR, with,
	    "dual stack: its subnet of the other family, not any free one"),
	ROW_STORE, FIELDS_END
};
static const struct field release_fields[] = {
	ROW("subnet", FIELD_CIDR, subnet, "subnet whose lease or reservation is to go",
	    .flags = FIELD_POSITIONAL | FIELD_REQUIRED, .noun = NOUN_SUBNET),
	ROW_STORE, FIELDS_END
};

/* A lease as a person sees it. */
struct row {
	const char *subnet, *subnet6, *node, *type, *mac, *left;
};

static const struct field row_fields[] = { { "subnet", FIELD_STRING, offsetof(struct row, subnet) },
					   { "subnet6", FIELD_STRING,
					     offsetof(struct row, subnet6) },
					   { "node", FIELD_STRING, offsetof(struct row, node) },
					   { "type", FIELD_STRING, offsetof(struct row, type) },
					   { "mac", FIELD_STRING, offsetof(struct row, mac) },
					   { "left", FIELD_STRING, offsetof(struct row, left) },
					   FIELDS_END };

static const char *cidr_word(const struct cidr *cidr, struct arena *arena)
{
	char text[CIDR_TEXT_SIZE];

	return cidr->ip.family ? arena_strdup(arena, cidr_format(cidr, text)) : "";
}

static struct row row_of(const struct subnet_lease *lease, struct arena *arena)
{
	const struct ip *node = subnet_node(lease);
	const struct subnet_vtep *vtep = lease->vtep.set ? &lease->vtep : &lease->vtep6;
	char ip[IP_TEXT_SIZE], mac[MAC_TEXT_SIZE];

	return (struct row){
		.subnet = cidr_word(&lease->subnet, arena),
		.subnet6 = cidr_word(&lease->subnet6, arena),
		.node = arena_strdup(arena, ip_format(node, ip)),
		/* An agent's without a type is udp's; a reservation has none until the node's agent comes. */
		.type = *lease->type || lease->left_ms < 0 ? lease->type : "udp",
		.mac = vtep->set ? arena_strdup(arena, mac_format(&vtep->mac, mac)) : "",
		.left = subnet_life_text(lease, arena),
	};
}

/* A store's keys are in the order of their letters: 10.5.12.0 before 10.5.7.0. */
static int by_subnet(const void *a_, const void *b_)
{
	const struct subnet_lease *a = a_, *b = b_;
	int order = ip_compare(&a->subnet.ip, &b->subnet.ip);

	return order ? order : ip_compare(&a->subnet6.ip, &b->subnet6.ip);
}

static void print_leases(struct invocation *call, subnet_leases_t *leases, bool json)
{
	LIST(struct row) rows = { 0 };

	call_step(call, NULL);
	if (leases->n)
		qsort(leases->items, leases->n, sizeof(*leases->items), by_subnet);
	list_each(lease, leases)
		*list_add(call->arena, &rows) = row_of(lease, call->arena);
	table_print(call->out, row_fields, rows.items, rows.n, sizeof(struct row), json);
}

static void say_bad(void *arg, const char *key, const struct error *why)
{
	struct invocation *call = arg;
	char *line = arena_printf(call->arena, "%s is no lease: %s", key, why->message);

	call_step(call, NULL);
	text_mask(line);
	fprintf(stderr, "%s\n", line);
}

/* For a person: who adds nodes wants to know. Not being able to say it is no failure of the list. */
static void print_free(struct invocation *call, const struct options *options, struct kv *kv,
		       const subnet_leases_t *leases)
{
	struct network_config config;
	struct subnet_usage usage;
	struct error why = { 0 };

	if (!lease_place_allocates(&options->place) ||
	    lease_config(kv, call->arena, &config, NULL, &why) < 0)
		return;
	usage = subnet_usage(&config, leases);
	fprintf(call->out, "%" PRIu64 " of %" PRIu64 " subnets are free\n", usage.all - usage.taken,
		usage.all);
}

static int lease_list_run(struct invocation *call, void *options_, struct error *err)
{
	const struct options *options = options_;
	struct kv *kv auto_kv = NULL;
	subnet_leases_t leases = { 0 };

	call_step(call, "asking the store");
	if (lease_place_open(&kv, &options->place, err))
		return -err->errnum;
	kv->exact_life = true;
	if (lease_list(kv, call->arena, &leases, say_bad, call, err))
		return -err->errnum;
	print_leases(call, &leases, options->json);
	if (!options->json && !leases.n)
		fprintf(stderr, "no leases in the store\n");
	if (!options->json)
		print_free(call, options, kv, &leases);
	return 0;
}

/* ---- usage ---- */

/* Of one family. */
struct usage_row {
	struct cidr network;
	uint64_t subnets, taken, free;
};

#define USAGE(member) offsetof(struct usage_row, member)
static const struct field usage_row_fields[] = { { "network", FIELD_CIDR, USAGE(network) },
						 { "subnets", FIELD_UINT64, USAGE(subnets) },
						 { "taken", FIELD_UINT64, USAGE(taken) },
						 { "free", FIELD_UINT64, USAGE(free) },
						 FIELDS_END };

static void print_usage(struct invocation *call, const struct network_config *config,
			const subnet_leases_t *leases, bool json)
{
	const struct network_family *const families[] = { &config->v4, &config->v6 };
	struct usage_row rows[ARRAY_SIZE(families)];
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		struct subnet_usage usage = subnet_family_usage(families[i], leases);

		if (families[i]->enabled)
			rows[n++] = (struct usage_row){ families[i]->network, usage.all,
							usage.taken, usage.all - usage.taken };
	}
	table_print(call->out, usage_row_fields, rows, n, sizeof(rows[0]), json);
}

static int lease_usage_run(struct invocation *call, void *options_, struct error *err)
{
	const struct options *options = options_;
	struct kv *kv auto_kv = NULL;
	struct network_config config = { 0 };
	subnet_leases_t leases = { 0 };

	if (!lease_place_allocates(&options->place))
		return fail(err, ENOTSUP,
			    "this store says which subnet a node has: nodes take none out of it");
	call_step(call, "asking the store");
	if (lease_place_open(&kv, &options->place, err) ||
	    lease_config(kv, call->arena, &config, NULL, err) ||
	    lease_list(kv, call->arena, &leases, NULL, NULL, err))
		return -err->errnum;
	call_step(call, NULL);
	print_usage(call, &config, &leases, options->json);
	return 0;
}

/* ---- show ---- */

static bool is_meant(const struct subnet_lease *lease, const struct ip *ip)
{
	const struct cidr *subnets[] = { &lease->subnet, &lease->subnet6 };

	for (size_t i = 0; i < ARRAY_SIZE(subnets); i++)
		if (subnets[i]->ip.family == ip->family && cidr_contains(subnets[i], ip))
			return true;
	return ip_equal(&lease->public_ip, ip) || ip_equal(&lease->public_ip6, ip);
}

static int lease_show_run(struct invocation *call, void *options_, struct error *err)
{
	const struct options *options = options_;
	struct kv *kv auto_kv = NULL;
	subnet_leases_t leases = { 0 }, found = { 0 };
	struct cidr cidr = { 0 };

	if (!cidr_parse(options->what, &cidr) && !ip_parse(options->what, &cidr.ip))
		return fail(err, USAGE_ERROR, "\"%s\": an address or a subnet is expected",
			    options->what);
	call_step(call, "asking the store");
	if (lease_place_open(&kv, &options->place, err))
		return -err->errnum;
	kv->exact_life = true;
	if (lease_list(kv, call->arena, &leases, NULL, NULL, err))
		return -err->errnum;
	list_each(lease, &leases)
		if (is_meant(lease, &cidr.ip))
			*list_add(call->arena, &found) = *lease;
	if (!found.n)
		return fail(err, ENOENT, "no lease of %zu has to do with %s", leases.n,
			    options->what);
	print_leases(call, &found, options->json);
	return 0;
}

/* ---- reserve and release ---- */

/* What is to be changed: all leases, and the one of these subnets. */
struct change {
	struct kv *kv;
	struct network_config config;
	subnet_leases_t leases;
	struct subnet_lease wanted;
	const struct subnet_lease *there; /* NULL = nobody has them */
};

static void change_end(struct change *change)
{
	kv_closep(&change->kv);
}

static const char *key_of(const struct subnet_lease *lease, struct arena *arena)
{
	char key[SUBNET_KEY_SIZE];

	return arena_printf(arena, LEASE_SUBNETS "%s", subnet_key(lease, key));
}

static bool is_v6(const struct ip *ip)
{
	return ip_size(ip) == 16;
}

static bool same(const struct cidr *a, const struct cidr *b)
{
	return a->ip.family && cidr_equal(a, b);
}

static int change_begin(struct change *change, const struct options *options, struct arena *arena,
			struct error *err)
{
	struct cidr subnet = cidr_network(&options->subnet);

	change->wanted = (struct subnet_lease){ .type = "", .left_ms = -1 };
	*(is_v6(&subnet.ip) ? &change->wanted.subnet6 : &change->wanted.subnet) = subnet;
	if (lease_place_open(&change->kv, &options->place, err) ||
	    lease_config(change->kv, arena, &change->config, NULL, err) ||
	    lease_list(change->kv, arena, &change->leases, NULL, NULL, err))
		return -err->errnum;
	list_each(lease, &change->leases)
		if (same(&lease->subnet, &subnet) || same(&lease->subnet6, &subnet))
			change->there = lease;
	return 0;
}

/* Of another node, or in the way of one. */
static int refuse_taken(const struct change *change, struct error *err)
{
	char node[IP_TEXT_SIZE], subnet[CIDR_TEXT_SIZE];

	list_each(lease, &change->leases) {
		bool v4 = cidr_overlaps(&lease->subnet, &change->wanted.subnet);

		if (!v4 && !cidr_overlaps(&lease->subnet6, &change->wanted.subnet6))
			continue;
		if (lease != change->there || !subnet_same_node(lease, &change->wanted))
			return fail(err, EEXIST, "%s belongs to %s",
				    cidr_format(v4 ? &lease->subnet : &lease->subnet6, subnet),
				    ip_format(subnet_node(lease), node));
	}
	return 0;
}

/* It is known by one address: that of IPv4, where the network has that. Without it flannel would take the lease for another's. */
static int take_node(struct change *change, const struct ip *node, struct error *err)
{
	bool v6 = !change->config.v4.enabled;
	char text[IP_TEXT_SIZE];

	if (is_v6(node) != v6)
		return fail(err, EINVAL,
			    "nodes of this network are known by their %s addresses: %s is none",
			    v6 ? "IPv6" : "IPv4", ip_format(node, text));
	*(v6 ? &change->wanted.public_ip6 : &change->wanted.public_ip) = *node;
	return 0;
}

static size_t first_of(size_t n unused)
{
	return 0;
}

/* With two families a lease has a subnet of each: what is not named is the first that is free. */
static int complete(struct change *change, struct error *err)
{
	struct subnet_lease *wanted = &change->wanted, all = *wanted;

	if (!change->config.v4.enabled || !change->config.v6.enabled ||
	    (wanted->subnet.ip.family && wanted->subnet6.ip.family))
		return 0;
	if (subnet_allocate(&change->config, &change->leases, &all, first_of, err))
		return -err->errnum;
	if (wanted->subnet.ip.family)
		wanted->subnet6 = all.subnet6;
	else
		wanted->subnet = all.subnet;
	return 0;
}

/* The subnet that goes with it, of the other family; a lease that is there has its own. */
static int take_other(struct change *change, const struct cidr *with, struct error *err)
{
	struct subnet_lease *wanted = &change->wanted;
	struct cidr other = cidr_network(with), *place;
	char is[CIDR_TEXT_SIZE];

	if (change->there) {
		wanted->subnet = change->there->subnet;
		wanted->subnet6 = change->there->subnet6;
	}
	if (!with->ip.family)
		return 0;
	place = is_v6(&with->ip) ? &wanted->subnet6 : &wanted->subnet;
	if (place->ip.family && !cidr_equal(place, &other))
		return fail(err, EINVAL, "--with: in this family it is %s", cidr_format(place, is));
	*place = other;
	return 0;
}

/* The lease that the node has already loses its end; else a new entry, without type: the node's agent adds it. */
static int lease_reserve_run(struct invocation *call, void *options_, struct error *err)
{
	const struct options *options = options_;
	struct change change on_leave(change_end) = { .kv = NULL };
	struct kv_put put = { .when = KV_ABSENT };
	struct subnet_lease *wanted = &change.wanted;
	char v4[CIDR_TEXT_SIZE], v6[CIDR_TEXT_SIZE];
	uint64_t revision;
	int r = change_begin(&change, options, call->arena, err);

	if (r < 0)
		return r;
	if (take_node(&change, &options->node, err) || take_other(&change, &options->with, err) ||
	    refuse_taken(&change, err) || complete(&change, err))
		return -err->errnum;
	if (!subnet_fits(&change.config, wanted))
		return fail(err, EINVAL, "the network gives out no such subnet (see its config)");
	if (change.there) {
		*wanted = *change.there;
		put.when = KV_REVISION;
		put.revision = change.there->revision;
	}
	put.key = key_of(wanted, call->arena);
	put.value = subnet_value(wanted, call->arena);
	r = change.kv->engine->put(change.kv, &put, &revision, err);
	if (r >= 0 && wanted->subnet.ip.family && wanted->subnet6.ip.family)
		fprintf(call->out, "%s and %s\n", cidr_format(&wanted->subnet, v4),
			cidr_format(&wanted->subnet6, v6));
	return r == -EEXIST ? fail(err, EAGAIN, "somebody else changed it meanwhile") : r;
}

static int lease_release_run(struct invocation *call, void *options_, struct error *err)
{
	struct change change on_leave(change_end) = { .kv = NULL };
	int r = change_begin(&change, options_, call->arena, err);

	if (r < 0)
		return r;
	if (!change.there)
		return fail(err, ENOENT, "nobody has this subnet");
	r = change.kv->engine->del(change.kv, key_of(change.there, call->arena),
				   change.there->revision, err);
	if (r == -EEXIST)
		return fail(err, EAGAIN, "somebody else changed it meanwhile");
	return r == -ENOENT ? 0 : r;
}

/* ---- watch ---- */

/* Types are words of other nodes: they must not steer the terminal. */
static void print_line(FILE *out, const char *change, const struct row *row, struct arena *arena)
{
	char *line =
		arena_printf(arena, "%-8s %s%s%s  %s%s%s%s%s", change, row->subnet,
			     *row->subnet && *row->subnet6 ? " " : "", row->subnet6, row->node,
			     *row->type ? "  " : "", row->type, *row->mac ? " " : "", row->mac);

	text_mask(line);
	fprintf(out, "%s\n", line);
}

static void print_change(struct invocation *call, const char *change,
			 const struct subnet_lease *lease, bool as_json)
{
	auto_arena struct arena arena = { 0 };
	struct row row = row_of(lease, &arena);
	auto_json struct json *json = json_encode(row_fields, &row);

	json_set(json, "change", json_new_string(change));
	if (as_json)
		fprintf(call->out, "%s\n", json_text(json, JSON_STYLE_COMPACT, &arena));
	else
		print_line(call->out, change, &row, &arena);
}

static void print_difference(struct invocation *call, const subnet_leases_t *was,
			     const subnet_leases_t *is, bool json)
{
	list_each(lease, is) {
		const struct subnet_lease *before = subnet_find(was, lease);

		if (!before || !subnet_lease_equal(before, lease))
			print_change(call, before ? "changed" : "added", lease, json);
	}
	list_each(lease, was)
		if (!subnet_find(is, lease))
			print_change(call, "removed", lease, json);
	fflush(call->out);
}

static int look(struct kv *kv, struct arena *arena, subnet_leases_t *leases, struct error *err)
{
	arena_free(arena);
	*leases = (subnet_leases_t){ 0 };
	return lease_list(kv, arena, leases, NULL, NULL, err);
}

static int watch(struct invocation *call, struct kv *kv, bool json, struct error *err)
{
	struct arena arenas[2] = { { 0 }, { 0 } };
	subnet_leases_t leases[2] = { { 0 }, { 0 } };
	int r = 0;

	for (unsigned i = 1; r >= 0 && !ferror(call->out); i = 1 - i) {
		r = look(kv, &arenas[i], &leases[i], err);
		if (r < 0)
			break;
		print_difference(call, &leases[1 - i], &leases[i], json);
		if (ferror(call->out)) /* a full disk: it will not be told of what comes */
			break;
		r = kv->engine->wait(kv, -1, -1, err);
	}
	arena_free(&arenas[0]);
	arena_free(&arenas[1]);
	return r < 0 ? r : 0;
}

/* What is there comes first, as additions; then what happens, until somebody ends it. */
static int lease_watch_run(struct invocation *call, void *options_, struct error *err)
{
	const struct options *options = options_;
	struct kv *kv auto_kv = NULL;

	if (lease_place_open(&kv, &options->place, err) || !kv)
		return -err->errnum;
	return watch(call, kv, options->json, err);
}

#define VERB(name_, summary_)                                                                     \
	{                                                                                         \
		.name = #name_, .summary = (summary_), .fields = name_##_fields,                  \
		.size = sizeof(struct options), .defaults = &defaults, .run = lease_##name_##_run \
	}
#define watch_fields list_fields
#define usage_fields list_fields

static const struct verb verbs[] = {
	VERB(list, "who has which subnet, and for how long"),
	VERB(show, "the lease of a subnet, an address or a node"),
	VERB(usage, "how many subnets the network has, and has left"),
	VERB(reserve, "keep a subnet for a node, without end"),
	VERB(release, "remove a lease or a reservation"),
	VERB(watch, "the leases, and what happens to them"),
	{ 0 },
};

static const struct lister lists[] = {
	{ NOUN_SUBNET, "list", "subnet" },
	{ NOUN_SUBNET, "list", "subnet6" },
	{ NOUN_NODE, "list", "node" },
	{ 0 },
};

const struct applet applet_lease = {
	.summary = "the subnets that nodes have leased, and reservations",
	.about =
		"A store is a folder that the nodes of a network share: the file `config` describes the network as"
		" for flannel, each file in `subnets/` is a lease. A lease has an end, which its node's agent keeps"
		" moving; a reservation has none, and stays its node's.",
	.example = "cnibox lease list\n"
		   "cnibox lease show 10.5.7.12        # which node is that pod on?\n"
		   "cnibox lease reserve 10.5.7.0/24 192.0.2.7",
	.verbs = verbs,
	.lists = lists,
};
