/* --peers: what each other node's lease asks for, and what the kernel has of it, in the words of `ip` and `bridge`. */
#include "dump.h"

#include <inttypes.h>

#include "agent/peers.h"
#include "describe/table.h"

/* In words; NULL = there is none. */
struct words {
	const char *route, *neighbour, *fdb;
	int mtu;
};

static const struct field words_fields[] = {
	{ "route", FIELD_STRING, offsetof(struct words, route) },
	{ "neighbour", FIELD_STRING, offsetof(struct words, neighbour) },
	{ "fdb", FIELD_STRING, offsetof(struct words, fdb) },
	{ "mtu", FIELD_INT, offsetof(struct words, mtu) },
	FIELDS_END
};

struct device {
	const char *name;
	int mtu;
	uint64_t sent, received;
	peer_losses_t lost; /* of packets of nobody's */
};

static const struct field device_fields[] = {
	{ "name", FIELD_STRING, offsetof(struct device, name) },
	{ "mtu", FIELD_INT, offsetof(struct device, mtu) },
	{ "sent", FIELD_UINT64, offsetof(struct device, sent), FIELD_KEEP_EMPTY },
	{ "received", FIELD_UINT64, offsetof(struct device, received), FIELD_KEEP_EMPTY },
	{ "lost", FIELD_LIST, offsetof(struct device, lost), .size = sizeof(struct peer_loss),
	  .element = FIELD_OBJECT, .fields = dump_loss_fields },
	FIELDS_END
};

struct row {
	const char *subnet, *node, *type, *left, *route, *neighbour, *fdb, *verdict;
	int mtu, path_mtu;
	struct words expected, actual;
	struct device device;
	struct packets packets;
};

#define ROW(member) offsetof(struct row, member)

static const struct field text_fields[] = { { "subnet", FIELD_STRING, ROW(subnet) },
					    { "node", FIELD_STRING, ROW(node) },
					    { "type", FIELD_STRING, ROW(type) },
					    { "left", FIELD_STRING, ROW(left) },
					    { "mtu", FIELD_INT, ROW(mtu) },
					    { "route", FIELD_STRING, ROW(route) },
					    { "neighbour", FIELD_STRING, ROW(neighbour) },
					    { "fdb", FIELD_STRING, ROW(fdb) },
					    { "verdict", FIELD_STRING, ROW(verdict) },
					    FIELDS_END };

static const struct field json_fields[] = {
	{ "subnet", FIELD_STRING, ROW(subnet) },
	{ "node", FIELD_STRING, ROW(node) },
	{ "type", FIELD_STRING, ROW(type) },
	{ "left", FIELD_STRING, ROW(left) },
	{ "route", FIELD_STRING, ROW(route) },
	{ "neighbour", FIELD_STRING, ROW(neighbour) },
	{ "fdb", FIELD_STRING, ROW(fdb) },
	{ "verdict", FIELD_STRING, ROW(verdict) },
	{ "pathMtu", FIELD_INT, ROW(path_mtu) },
	{ "expected", FIELD_OBJECT, ROW(expected), FIELD_KEEP_EMPTY, .fields = words_fields },
	{ "actual", FIELD_OBJECT, ROW(actual), FIELD_KEEP_EMPTY, .fields = words_fields },
	{ "device", FIELD_OBJECT, ROW(device), .fields = device_fields },
	{ "packets", FIELD_OBJECT, ROW(packets), .fields = dump_packets_fields },
	FIELDS_END
};

struct showing {
	const struct dump *dump;
	LIST(struct row) rows;
	LIST(struct device) devices;
	peers_packets_t packets;
	bool verbose;
};

static struct words words_of(const struct dump *dump, const struct peer_entries *entries)
{
	return (struct words){
		.route = dump_route(dump, entries->route, false),
		.neighbour = dump_neigh(dump, entries->neighbour),
		.fdb = dump_neigh(dump, entries->fdb),
		.mtu = entries->mtu,
	};
}

/* ---- devices ---- */

static void add_device(struct showing *showing, struct netlink *nl, int index)
{
	const struct dump *dump = showing->dump;
	struct link_packets packets;

	list_each(link, &dump->links)
		if (index && link->index == index && link_packets(nl, index, &packets, NULL) == 0)
			*list_add(dump->call->arena, &showing->devices) =
				(struct device){ .name = link->name,
						 .mtu = link->mtu,
						 .sent = packets.sent,
						 .received = packets.received };
}

static struct device device_of(const struct showing *showing, const struct peer_entries *expected)
{
	const char *name = expected->route ? dump_dev(showing->dump, expected->route->oif) : "";

	list_each(device, &showing->devices)
		if (name && streq(device->name, name))
			return *device;
	return (struct device){ 0 };
}

static void read_packets(struct showing *showing, int tun)
{
	const char *name = tun ? dump_dev(showing->dump, tun) : NULL;
	const struct peer_packets *nobodys;

	dump_read_packets(showing->dump, tun, &showing->packets);
	nobodys = peer_packets_of(&showing->packets, &(struct cidr){ 0 });
	list_each(device, &showing->devices)
		if (nobodys && name && streq(device->name, name))
			device->lost = nobodys->lost;
}

/* ---- rows ---- */

static struct row row_of(const struct showing *showing, const struct peer_state *state)
{
	const struct dump *dump = showing->dump;
	const struct subnet_lease *lease = state->lease;
	const struct ip *node = subnet_node(lease);
	struct arena *arena = dump->call->arena;
	char text[CIDR_TEXT_SIZE];

	return (struct row){
		.subnet = arena_strdup(arena, cidr_format(&state->subnet, text)),
		.node = dump_ip(node, arena),
		.type = *lease->type ? lease->type : "udp",
		.left = subnet_life_text(lease, arena),
		.mtu = state->actual.mtu,
		.path_mtu = state->path_mtu,
		.route = state->route,
		.neighbour = state->neighbour,
		.fdb = state->fdb,
		.verdict = state->verdict,
		.expected = words_of(dump, &state->expected),
		.actual = words_of(dump, &state->actual),
		.device = device_of(showing, &state->expected),
		.packets = dump_packets(dump, &showing->packets, &state->subnet),
	};
}

static void print_pair(const struct showing *showing, FILE *out, const char *name, bool right,
		       const char *expected, const char *actual)
{
	if ((right && !showing->verbose) || (!expected && !actual))
		return;
	fprintf(out, "    %-9s  expected %s / is %s\n", name, expected ? expected : "nothing",
		actual ? actual : "missing");
}

static bool is_right(const char *word)
{
	return streq(word, "ok") || streq(word, "-");
}

static const char *mtu_words(const struct showing *showing, int mtu)
{
	return mtu ? arena_printf(showing->dump->call->arena, "%d", mtu) : NULL;
}

static void print_under(void *arg, size_t i, FILE *out)
{
	const struct showing *showing = arg;
	const struct row *row = &showing->rows.items[i];
	const struct words *expected = &row->expected, *actual = &row->actual;
	bool fits = !actual->mtu || actual->mtu >= expected->mtu;

	print_pair(showing, out, "route", is_right(row->route), expected->route, actual->route);
	print_pair(showing, out, "neighbour", is_right(row->neighbour), expected->neighbour,
		   actual->neighbour);
	print_pair(showing, out, "fdb", is_right(row->fdb), expected->fdb, actual->fdb);
	print_pair(showing, out, "mtu", fits, mtu_words(showing, expected->mtu),
		   mtu_words(showing, actual->mtu));
	if (showing->verbose && row->packets.heard)
		dump_packets_text(out, &row->packets);
}

static void print_rows(struct showing *showing)
{
	FILE *out = showing->dump->call->out;

	table_print_under(out, text_fields, showing->rows.items, showing->rows.n,
			  sizeof(struct row), print_under, showing);
	list_each(device, &showing->devices) {
		fprintf(out, "%s in all: %" PRIu64 " packets sent, %" PRIu64 " received, MTU %d\n",
			device->name, device->sent, device->received, device->mtu);
		if (!showing->verbose || !device->lost.n)
			continue;
		fprintf(out, "%s, of no peer: ", device->name);
		dump_losses_text(out, &device->lost);
	}
}

int dump_peers(const struct dump *dump, const struct options *options, struct error *err)
{
	struct arena *arena = dump->call->arena;
	struct showing showing = { .dump = dump, .verbose = options->verbose };
	struct peers_scene scene;
	peer_states_t states = { 0 };
	int status = 0, r = peers_read(dump->nl, &options->place, true, arena, &scene, err);

	if (r >= 0)
		r = peers_look(dump->nl, &scene.node, &scene.leases, arena, &states, err);
	if (r >= 0)
		r = peers_measure(dump->nl, &scene.node, arena, &states, err);
	if (r < 0)
		return r;
	add_device(&showing, dump->nl, scene.node.vtep);
	add_device(&showing, dump->nl, scene.node.vtep6);
	add_device(&showing, dump->nl, scene.node.tun);
	read_packets(&showing, scene.node.tun);
	list_each(state, &states) {
		*list_add(arena, &showing.rows) = row_of(&showing, state);
		status |= !streq(state->verdict, "ok");
	}
	if (options->json)
		table_print(dump->call->out, json_fields, showing.rows.items, showing.rows.n,
			    sizeof(struct row), true);
	else
		print_rows(&showing);
	return status;
}
