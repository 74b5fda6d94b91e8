/* See atom.h. */
#include "policy/atom.h"

#include <stdio.h>

#include "policy/prefix.h"
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
	list_each(pod, &from->pods_in)
		set_add_pod(compiled, set, &world->pods.items[*pod], PROTOCOL_TCP, 0);
	set_finish(compiled, set);
	return set;
}

/* "10.0.0.0/8 except 10.1.0.0/16, 192.0.2.0/24": the same words are the same set. */
static const char *blocks_text(const struct block *const *blocks, size_t n, struct arena *arena)
{
	auto_free char *text = NULL;
	char cidr[CIDR_TEXT_SIZE];
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		abort();
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
static void add_rule(const struct world *world, struct compiled *compiled, const struct rule *rule,
		     struct arena *arena, atoms_t *atoms)
{
	static const struct port_spec all = { .kind = PORT_ALL };
	uint32_t blocks = blocks_set(compiled, rule, arena);
	numbers_t peers = { 0 };

	list_each(peer, &rule->peers)
		if (!peer->has_block)
			*list_add(arena, &peers) = pods_set(world, compiled, peer->set, arena);
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

void atoms_of(const struct world *world, struct compiled *compiled, const struct group *group,
	      struct arena *arena, atoms_t *atoms)
{
	size_t n = 0;

	list_each(number, &group->policies)
		list_each(rule, &world->policies.items[*number].rules[group->direction])
			add_rule(world, compiled, rule, arena, atoms);
	if (!atoms->n)
		return;
	qsort(atoms->items, atoms->n, sizeof(*atoms->items), compare_atoms);
	for (size_t i = 0; i < atoms->n; i++)
		if (!n || compare_atoms(&atoms->items[n - 1], &atoms->items[i]) != 0)
			atoms->items[n++] = atoms->items[i];
	atoms->n = n;
}
