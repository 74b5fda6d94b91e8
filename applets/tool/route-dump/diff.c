/* --diff: what an agent of ours would do now. Its own plan and its own comparison, of which nothing is done. */
#include "dump.h"

#include "agent/peers.h"
#include "agent/reconcile.h"
#include "describe/table.h"

struct row {
	const char *kind, *was, *would;
};

static const struct field row_fields[] = { { "kind", FIELD_STRING, offsetof(struct row, kind) },
					   { "was", FIELD_STRING, offsetof(struct row, was) },
					   { "would", FIELD_STRING, offsetof(struct row, would) },
					   FIELDS_END };

struct diff {
	const struct dump *dump;
	routes_t main; /* everybody's */
	LIST(struct row) rows;
};

static void add_row(void *arg, const char *kind, const char *was, const char *would)
{
	struct diff *diff = arg;

	*list_add(diff->dump->call->arena, &diff->rows) = (struct row){ kind, was, would };
}

/* Somebody else's route in the place of ours would go. */
static const struct route *in_its_place(const struct diff *diff, const struct route *route)
{
	list_each(there, &diff->main)
		if (cidr_equal(&there->dst, &route->dst) &&
		    dump_metric(there) == dump_metric(route))
			return there;
	return NULL;
}

static void take_change(void *arg, const struct reconcile_change *change)
{
	struct diff *diff = arg;
	const struct dump *dump = diff->dump;
	const struct route *was = change->route_was;

	if (change->neigh || change->neigh_was) {
		const struct neigh *neigh = change->neigh ? change->neigh : change->neigh_was;

		add_row(diff, neigh->fdb ? "fdb" : "neigh", dump_neigh(dump, change->neigh_was),
			dump_neigh(dump, change->neigh));
		return;
	}
	if (!was)
		was = in_its_place(diff, change->route);
	add_row(diff, "route", dump_route(dump, was, true), dump_route(dump, change->route, true));
}

/* An agent has the devices of its own way only, and blackholes only when it is told to: those that are there tell. */
static void be_agent(struct plan_node *node, const struct diff *diff)
{
	if (!plan_is_udp(node->own))
		node->tun = 0;
	if (!streq(node->own->type, "vxlan"))
		node->vtep = node->vtep6 = 0;
	list_each(route, &diff->main)
		node->blackhole |= route->type == ROUTE_BLACKHOLE &&
				   route->protocol == ROUTE_PROTOCOL_CNIBOX &&
				   (cidr_equal(&route->dst, &node->own->subnet) ||
				    cidr_equal(&route->dst, &node->own->subnet6));
}

static void print_rows(const struct diff *diff)
{
	FILE *out = diff->dump->call->out;

	list_each(row, &diff->rows) {
		if (row->was)
			fprintf(out, "- %-5s  %s\n", row->kind, row->was);
		if (row->would)
			fprintf(out, "+ %-5s  %s\n", row->kind, row->would);
	}
}

int dump_diff(const struct dump *dump, const struct options *options, struct error *err)
{
	struct arena *arena = dump->call->arena;
	struct diff diff = { .dump = dump };
	struct peers_scene scene;
	struct plan plan;
	int r = peers_read(dump->nl, &options->place, false, arena, &scene, err);

	if (r >= 0)
		r = route_list(dump->nl, 0, 0, ROUTE_TABLE_MAIN, arena, &diff.main, err);
	if (r < 0)
		return r;
	be_agent(&scene.node, &diff);
	dump_diff_missing(dump, &scene.node, add_row, &diff);
	/* What leads through a device cannot be told before it is there. */
	if (!diff.rows.n) {
		plan_make(&scene.node, &scene.leases, arena, &plan);
		r = dump_diff_devices(dump, &scene.node, add_row, &diff, err);
		if (r >= 0)
			r = reconcile_look(dump->nl, &scene.node, &plan, true, take_change, &diff,
					   err);
	}
	if (r >= 0)
		r = dump_diff_rules(dump, options, &scene.node, add_row, &diff, err);
	if (r < 0)
		return r;
	if (options->json)
		table_print(dump->call->out, row_fields, diff.rows.items, diff.rows.n,
			    sizeof(struct row), true);
	else
		print_rows(&diff);
	return diff.rows.n ? DIFF_STATUS : 0;
}
