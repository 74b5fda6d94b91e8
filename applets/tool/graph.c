/*
 * graph: the node's network as a picture. Namespaces with their interfaces, and what joins them: ports and their bridge, both
 * ends of a veth pair, what lies above another interface, tunnels and the nodes that they lead to. As a tree for a terminal, for
 * Graphviz, or as JSON.
 */
#include "base/log.h"
#include "base/text.h"
#include "describe/applet.h"
#include "describe/json.h"
#include "describe/table.h"
#include "kernel/inventory.h"
#include "kernel/neigh.h"

#define DEPTH_MAX 8 /* masters of masters, as the kernel allows them */

struct options {
	bool dot, json;
};

struct node {
	const char *id; /* "namespace/interface" */
	const char *name, *kind;
	int mtu;
	bool up;
	words_t addresses;
	const char *bridge, *peer, *above; /* ids; NULL = none */
	words_t tunnels;                   /* addresses of the nodes behind it */
	int index, master;                 /* not shown */
};

struct space {
	const char *name, *path;
	bool unseen; /* nobody let us look into it */
	LIST(int) pids;
	LIST(struct node) nodes;
};
typedef LIST(struct space) spaces_t;

/* clang-format off */
#define NODE(key_, kind_, member, ...) \
	{ .key = (key_), .type = (kind_), .offset = offsetof(struct node, member), ##__VA_ARGS__ }
#define WORDS .element = FIELD_STRING, .size = sizeof(char *)
static const struct field node_fields[] = {
	NODE("id",        FIELD_STRING, id),
	NODE("name",      FIELD_STRING, name),
	NODE("kind",      FIELD_STRING, kind),
	NODE("up",        FIELD_BOOL,   up, .flags = FIELD_KEEP_EMPTY),
	NODE("mtu",       FIELD_INT,    mtu),
	NODE("addresses", FIELD_LIST,   addresses, WORDS, .flags = FIELD_KEEP_EMPTY),
	NODE("bridge",    FIELD_STRING, bridge),
	NODE("peer",      FIELD_STRING, peer),
	NODE("above",     FIELD_STRING, above),
	NODE("tunnels",   FIELD_LIST,   tunnels, WORDS),
	FIELDS_END
};

#define SPACE(key_, kind_, member, ...) \
	{ .key = (key_), .type = (kind_), .offset = offsetof(struct space, member), ##__VA_ARGS__ }
static const struct field space_fields[] = {
	SPACE("name",       FIELD_STRING, name),
	SPACE("path",       FIELD_PATH,   path),
	SPACE("unseen",     FIELD_BOOL,   unseen),
	SPACE("pids",       FIELD_LIST,   pids, .element = FIELD_INT, .size = sizeof(int)),
	SPACE("interfaces", FIELD_LIST,   nodes, .element = FIELD_OBJECT, .size = sizeof(struct node),
	      .fields = node_fields, .flags = FIELD_KEEP_EMPTY),
	FIELDS_END
};

static const struct field option_fields[] = {
	{ .key = "dot", .type = FIELD_BOOL, .offset = offsetof(struct options, dot), .letter = 'd',
	  .help = "for Graphviz: cnibox graph --dot | dot -Tsvg" },
	{ .key = "json", .type = FIELD_BOOL, .offset = offsetof(struct options, json), .letter = 'j',
	  .help = "JSON instead of text" },
	FIELDS_END
};
/* clang-format on */

/* ---- who is joined to whom ---- */

static const char *id_of(const struct inventory_item *item, const struct link *link,
			 struct arena *arena)
{
	return arena_printf(arena, "%s/%s", item->name, link->name);
}

/* Is `item` the namespace that the other end of this link is in? */
static bool is_there(const struct inventory_item *own, const struct inventory_item *item,
		     const struct link *link)
{
	if (link->peer_netns < 0)
		return item == own;
	if (item == own)
		return false;
	return own->info.current
		       ? item->info.id == link->peer_netns
		       : netns_known_as(own->info.path, item->info.path, link->peer_netns);
}

/* The other end of a veth, which names this one back; of other links what they are made on. NULL: it cannot be seen. */
static const char *other_end(const inventory_t *all, const struct inventory_item *own,
			     const struct link *link, struct arena *arena)
{
	bool is_veth = streq(link->kind, "veth");

	list_each(item, all) {
		const struct link *other = link->peer ? links_at(&item->links, link->peer) : NULL;

		if (!other || other == link ||
		    (is_veth && (!streq(other->kind, "veth") || other->peer != link->index)))
			continue;
		if (is_there(own, item, link))
			return id_of(item, other, arena);
	}
	return NULL;
}

/* What a tunnel's own packets leave by, else what the link is made on. */
static const char *lower_of(const inventory_t *all, const struct inventory_item *own,
			    const struct link *link, struct arena *arena)
{
	const struct link *below =
		link->vxlan.link ? links_at(&own->links, link->vxlan.link) : NULL;

	return below ? id_of(own, below, arena) : other_end(all, own, link, arena);
}

static void read_tunnels(const struct inventory_item *item, struct node *node, struct arena *arena)
{
	auto_netlink struct netlink *nl = NULL;
	auto_close int fd = -1;
	struct error err = { 0 };
	neighs_t entries = { 0 };
	char text[IP_TEXT_SIZE];
	int r = netns_open(item->info.path, &fd, &err);

	if (r >= 0)
		r = netlink_open(&nl, NETLINK_SESSION_ROUTE, fd, &err);
	if (r >= 0)
		r = neigh_list(nl, node->index, true, arena, &entries, &err);
	if (r < 0)
		log_debug("%s: %s", node->id, err.message);
	list_each(entry, &entries)
		if (entry->ip.family)
			*list_add(arena, &node->tunnels) =
				arena_strdup(arena, ip_format(&entry->ip, text));
}

static struct node make_node(const inventory_t *all, const struct inventory_item *item,
			     const struct link *link, struct arena *arena)
{
	const struct link *master = link->master ? links_at(&item->links, link->master) : NULL;
	bool is_veth = streq(link->kind, "veth");
	char text[CIDR_TEXT_SIZE];
	struct node node = {
		.id = id_of(item, link, arena),
		.name = link->name,
		.kind = link->kind,
		.mtu = link->mtu,
		.up = link->flags & LINK_UP,
		.index = link->index,
		.master = master ? link->master : 0,
		.bridge = master ? id_of(item, master, arena) : NULL,
		.peer = is_veth ? other_end(all, item, link, arena) : NULL,
		.above = is_veth ? NULL : lower_of(all, item, link, arena),
	};

	list_each(addr, &item->addrs)
		if (addr->index == link->index && !ip_is_link_local(&addr->cidr.ip))
			*list_add(arena, &node.addresses) =
				arena_strdup(arena, cidr_format(&addr->cidr, text));
	if (streq(link->kind, "vxlan"))
		read_tunnels(item, &node, arena);
	return node;
}

/* Loopback says nothing, and is in all of them. */
static void make_spaces(const inventory_t *all, struct arena *arena, spaces_t *spaces)
{
	list_each(item, all) {
		struct space *space = list_add(arena, spaces);

		*space = (struct space){ .name = item->name,
					 .path = item->info.path,
					 .unseen = item->unseen,
					 .pids = { item->info.pids.items, item->info.pids.n } };
		list_each(link, &item->links)
			if (!(link->flags & LINK_LOOPBACK))
				*list_add(arena, &space->nodes) = make_node(all, item, link, arena);
	}
}

/* For a person: whoever may name a link could steer the terminal. */
static const char *masked(const char *text, struct arena *arena)
{
	char *copy = text ? arena_strdup(arena, text) : NULL;

	if (copy)
		text_mask(copy);
	return copy;
}

static void mask_names(spaces_t *spaces, struct arena *arena)
{
	list_each(space, spaces) {
		space->name = masked(space->name, arena);
		list_each(node, &space->nodes) {
			node->id = masked(node->id, arena);
			node->name = masked(node->name, arena);
			node->bridge = masked(node->bridge, arena);
			node->peer = masked(node->peer, arena);
			node->above = masked(node->above, arena);
		}
	}
}

/* ---- a tree ---- */

static void print_words(FILE *out, const char *before, const words_t *words)
{
	list_each(word, words)
		fprintf(out, "%s%s", word == words->items ? before : ", ", *word);
}

/* The name alone where it is in the same namespace. */
static const char *seen_from(const struct node *node, const char *id)
{
	size_t len = (size_t)(strrchr(node->id, '/') - node->id) + 1;

	return strncmp(node->id, id, len) == 0 ? id + len : id;
}

static void print_node(FILE *out, const struct node *node, int depth)
{
	fprintf(out, "%*s%s", 2 * depth, "", node->name);
	if (*node->kind)
		fprintf(out, " (%s)", node->kind);
	print_words(out, "  ", &node->addresses);
	if (!node->up)
		fputs("  down", out);
	if (node->above)
		fprintf(out, "  above %s", seen_from(node, node->above));
	if (node->peer)
		fprintf(out, "  <-> %s", node->peer);
	else if (streq(node->kind, "veth"))
		fputs("  <-> ?", out);
	print_words(out, "  -> ", &node->tunnels);
	fputc('\n', out);
}

/* A port may have ports of its own: a bond in a bridge, a bridge in a VRF. */
static void print_ports(FILE *out, const struct space *space, int master, int depth)
{
	list_each(node, &space->nodes) {
		if (node->master != master)
			continue;
		print_node(out, node, depth);
		if (depth < DEPTH_MAX)
			print_ports(out, space, node->index, depth + 1);
	}
}

static void print_tree(FILE *out, const spaces_t *spaces)
{
	list_each(space, spaces) {
		fprintf(out, "%s%s\n", space->name, space->unseen ? "  ?" : "");
		print_ports(out, space, 0, 1);
	}
}

/* ---- Graphviz ---- */

/* Names may have anything in them but a slash. */
static void print_quoted(FILE *out, const char *text)
{
	fputc('"', out);
	for (; *text; text++)
		fprintf(out, *text == '"' || *text == '\\' ? "\\%c" : "%c", *text);
	fputc('"', out);
}

static void print_edge(FILE *out, const char *from, const char *to, const char *style)
{
	fputc('\t', out);
	print_quoted(out, from);
	fputs(" -- ", out);
	print_quoted(out, to);
	fprintf(out, " [%s]\n", style);
}

static void print_edges(FILE *out, const struct node *node)
{
	if (node->bridge)
		print_edge(out, node->bridge, node->id, "style=bold");
	/* Each pair once. */
	if (node->peer && strcmp(node->id, node->peer) < 0)
		print_edge(out, node->id, node->peer, "label=veth");
	if (node->above)
		print_edge(out, node->above, node->id, "style=dotted");
	list_each(tunnel, &node->tunnels)
		print_edge(out, node->id, *tunnel, "style=dashed");
}

static void print_box(FILE *out, const struct node *node, struct arena *arena)
{
	const char *label =
		*node->kind ? arena_printf(arena, "%s\n%s", node->name, node->kind) : node->name;

	list_each(address, &node->addresses)
		label = arena_printf(arena, "%s\n%s", label, *address);
	fputs("\t\t", out);
	print_quoted(out, node->id);
	fputs(" [label=", out);
	print_quoted(out, label);
	fprintf(out, "%s]\n", node->up ? "" : ", color=gray");
}

static void print_dot(FILE *out, const spaces_t *spaces, struct arena *arena)
{
	fputs("graph {\n\tnode [shape=box]\n\trankdir=LR\n", out);
	list_each(space, spaces) {
		fprintf(out,
			"\tsubgraph cluster_%zu {\n\t\tlabel=", (size_t)(space - spaces->items));
		print_quoted(out, space->name);
		fputc('\n', out);
		list_each(node, &space->nodes)
			print_box(out, node, arena);
		if (!space->nodes.n) /* Graphviz draws no cluster without a node */
			fprintf(out, "\t\tempty_%zu [label=\"\", style=invis]\n",
				(size_t)(space - spaces->items));
		fputs("\t}\n", out);
	}
	list_each(space, spaces)
		list_each(node, &space->nodes)
			print_edges(out, node);
	fputs("}\n", out);
}

static int graph_run(struct invocation *call, void *options_, struct error *err)
{
	const struct options *options = options_;
	inventory_t inventory = { 0 };
	spaces_t spaces = { 0 };
	int r = inventory_read(call->arena, &inventory, err);

	if (r < 0)
		return r;
	make_spaces(&inventory, call->arena, &spaces);
	if (!options->json)
		mask_names(&spaces, call->arena);
	if (options->json)
		table_print(call->out, space_fields, spaces.items, spaces.n, sizeof(*spaces.items),
			    true);
	else if (options->dot)
		print_dot(call->out, &spaces, call->arena);
	else
		print_tree(call->out, &spaces);
	return 0;
}

static const struct verb run = {
	.fields = option_fields,
	.size = sizeof(struct options),
	.run = graph_run,
};

const struct applet applet_graph = {
	.summary = "the node's network as a picture",
	.about =
		"Every namespace that can be seen, with its interfaces and their addresses; ports stand under their bridge,"
		" a veth names its other end, a tunnel the nodes that it leads to. A `?` is an other end that cannot be"
		" seen from here; behind a namespace, it cannot be looked into, which needs root.",
	.example = "cnibox graph\n"
		   "cnibox graph --dot | dot -Tsvg >node.svg",
	.run = &run,
};
