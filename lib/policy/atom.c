/* See atom.h. */
#include "policy/atom.h"

#include <stdio.h>

#include "base/text.h"
#include "policy/prefix.h"
#include "policy/recipe.h"
#include "policy/set.h"

/* ---- sets of peers ---- */

static uint32_t pods_set(const struct world *world, struct compiled *compiled, uint32_t number,
			 struct arena *arena)
{
	const struct pod_set *from = &world->sets.items[number];
	const char *pods = symbol_text(&world->symbols, from->pods->text);
	const char *where =
		from->spaces ? symbol_text(&world->symbols, from->spaces->text)
			     : symbol_text(&world->symbols, world->spaces.items[from->space].name);
	bool fresh;
	uint32_t set = set_open(compiled, SET_PODS,
				arena_printf(arena, "pods \"%s\" in %s \"%s\"", pods,
					     from->spaces ? "namespaces" : "namespace", where),
				&fresh);

	if (!fresh)
		return set;
	recipe_add(compiled->recipes, set, &(struct ingredient){ INGREDIENT_PODS, number });
	list_each(pod, &from->pods_in)
		set_add_pod(compiled, set, &world->pods.items[*pod], PROTOCOL_TCP, 0);
	set_finish(compiled, set);
	return set;
}

static uint32_t nodes_set(const struct world *world, struct compiled *compiled,
			  const struct selector *selector, struct arena *arena)
{
	const char *text = symbol_text(&world->symbols, selector->text);
	bool fresh;
	uint32_t set =
		set_open(compiled, SET_NODES, arena_printf(arena, "nodes \"%s\"", text), &fresh);

	if (!fresh)
		return set;
	list_each(node, &world->nodes)
		for (size_t i = 0; selector_matches(selector, &node->labels) && i < node->ips.n;
		     i++) {
			struct cidr cidr = cidr_host(&node->ips.items[i]);

			set_add(compiled, set, &cidr, PROTOCOL_TCP, 0);
		}
	set_finish(compiled, set);
	return set;
}

/* "10.0.0.0/8 except 10.1.0.0/16, 192.0.2.0/24": the same words are the same set. */
static const char *blocks_text(const struct block *const *blocks, size_t n, struct arena *arena)
{
	auto_free char *text = NULL;
	char cidr[CIDR_TEXT_SIZE];
	size_t size = 0;
	FILE *out = text_stream(&text, &size);

	for (size_t i = 0; i < n; i++) {
		fprintf(out, "%s%s", i ? ", " : "blocks ", cidr_format(&blocks[i]->cidr, cidr));
		list_each(except, &blocks[i]->except)
			fprintf(out, " except %s", cidr_format(except, cidr));
	}
	fclose(out);
	return arena_strdup(arena, text);
}

/* All blocks of a rule. */
static uint32_t blocks_set(struct compiled *compiled, const struct rule *rule, struct arena *arena)
{
	LIST(const struct block *) blocks = { 0 };
	cidrs_t prefixes = { 0 };
	bool fresh;
	uint32_t set;

	list_each(peer, &rule->peers)
		if (peer->has_block)
			*list_add(arena, &blocks) = &peer->block;
	if (!blocks.n)
		return NO_SET;
	set = set_open(compiled, SET_BLOCKS, blocks_text(blocks.items, blocks.n, arena), &fresh);
	if (!fresh)
		return set;
	prefixes_of_blocks(blocks.items, blocks.n, arena, &prefixes);
	list_each(prefix, &prefixes)
		set_add(compiled, set, prefix, PROTOCOL_TCP, 0);
	set_finish(compiled, set);
	return set;
}

/* ---- atoms ---- */

static struct port_spec spec_of(const struct port_match *match)
{
	struct port_spec spec = { .kind = PORT_PROTOCOL, .protocol = match->protocol };

	if (match->name) {
		spec.kind = PORT_NAME;
		spec.name = match->name;
	} else if (match->first) {
		spec.kind = PORT_RANGE;
		spec.first = match->first;
		spec.last = match->last;
	}
	return spec;
}

/* Each port with each kind of peers. */
void atoms_add_rule(const struct world *world, struct compiled *compiled, const struct rule *rule,
		    struct arena *arena, atoms_t *atoms)
{
	static const struct port_spec all = { .kind = PORT_ALL };
	uint32_t blocks = blocks_set(compiled, rule, arena);
	numbers_t peers = { 0 };

	list_each(peer, &rule->peers)
		if (!peer->has_block)
			*list_add(arena, &peers) =
				peer->has_nodes ? nodes_set(world, compiled, &peer->nodes, arena)
						: pods_set(world, compiled, peer->set, arena);
	if (blocks != NO_SET || !rule->peers.n)
		*list_add(arena, &peers) = blocks;
	list_each(number, &peers) {
		if (!rule->ports.n)
			*list_add(arena, atoms) = (struct atom){ all, *number };
		list_each(port, &rule->ports)
			*list_add(arena, atoms) = (struct atom){ spec_of(port), *number };
	}
}

static int compare_specs(const struct port_spec *a, const struct port_spec *b)
{
	int order = (int)a->kind - (int)b->kind;

	if (!order)
		order = (int)a->protocol - (int)b->protocol;
	if (!order)
		order = a->first - b->first;
	if (!order)
		order = a->last - b->last;
	return order ? order : (a->name > b->name) - (a->name < b->name);
}

bool port_spec_equal(const struct port_spec *a, const struct port_spec *b)
{
	return compare_specs(a, b) == 0;
}

static int compare_atoms(const void *a, const void *b)
{
	const struct atom *x = a, *y = b;
	int order = compare_specs(&x->port, &y->port);

	return order ? order : (x->peers > y->peers) - (x->peers < y->peers);
}

void atoms_finish(atoms_t *atoms)
{
	size_t n = 0;

	if (!atoms->n)
		return;
	qsort(atoms->items, atoms->n, sizeof(*atoms->items), compare_atoms);
	for (size_t i = 0; i < atoms->n; i++)
		if (!n || compare_atoms(&atoms->items[n - 1], &atoms->items[i]) != 0)
			atoms->items[n++] = atoms->items[i];
	atoms->n = n;
}

static const char *atom_text(const struct world *world, const struct compiled *compiled,
			     const struct atom *atom, struct arena *arena)
{
	const struct port_spec *port = &atom->port;
	bool anybody = atom->peers == NO_SET;

	return arena_printf(arena, "%d %d %u-%u \"%s\" %s", (int)port->kind, (int)port->protocol,
			    port->first, port->last, symbol_text(&world->symbols, port->name),
			    anybody ? "anybody" : compiled->sets.items[atom->peers].name);
}

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

const char *atoms_hash(const struct world *world, const struct compiled *compiled,
		       const atoms_t *atoms, struct arena *arena)
{
	auto_arena struct arena scratch = { 0 };
	auto_free char *text = NULL;
	LIST(const char *) texts = { 0 };
	size_t size = 0;
	FILE *out = text_stream(&text, &size);

	list_each(atom, atoms)
		*list_add(&scratch, &texts) = atom_text(world, compiled, atom, &scratch);
	if (texts.n)
		qsort(texts.items, texts.n, sizeof(*texts.items), compare_texts);
	list_each(line, &texts)
		fprintf(out, "%s\n", *line);
	fclose(out);
	return name_of("", text, arena);
}
