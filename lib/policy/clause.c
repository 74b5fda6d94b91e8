/* See clause.h. */
#include "policy/clause.h"

#include <stdio.h>

#include "base/text.h"
#include "policy/recipe.h"
#include "policy/set.h"

struct work {
	struct build *build;
	const struct clauses_request *request;
	clauses_t *clauses;
	size_t first;   /* of ours among them */
	uint32_t pairs; /* the set; NO_SET = none yet */
	bool chosen;    /* between pairs and a clause, once */
	bool fresh;     /* it is; else another group of this node has filled it with the same */
	size_t n_pairs; /* that came into it */
};

/* ---- clauses ---- */

static struct clause *clause_add(struct work *work)
{
	struct clause *clause = list_add(work->build->compiled->arena, work->clauses);

	clause->action = work->request->action;
	clause->peers = clause->pairs = clause->named = NO_SET;
	return clause;
}

/* Ranges of one protocol with the same peers are one clause. */
static void put_range(struct work *work, uint32_t peers, const struct port_spec *port)
{
	struct clause *found = NULL;

	for (size_t i = work->first; i < work->clauses->n; i++) {
		struct clause *clause = &work->clauses->items[i];

		if (clause->ported && clause->ports.n && clause->peers == peers &&
		    clause->protocol == port->protocol)
			found = clause;
	}
	if (!found) {
		found = clause_add(work);
		found->peers = peers;
		found->ported = true;
		found->protocol = port->protocol;
	}
	*list_add(work->build->compiled->arena, &found->ports) =
		(struct ports){ port->first, port->last };
}

static int compare_ranges(const void *a, const void *b)
{
	const struct ports *x = a, *y = b;

	return x->first != y->first ? x->first - y->first : x->last - y->last;
}

static void join_ranges(port_ranges_t *ranges)
{
	size_t n = 0;

	if (!ranges->n)
		return;
	qsort(ranges->items, ranges->n, sizeof(*ranges->items), compare_ranges);
	for (size_t i = 1; i < ranges->n; i++) {
		struct ports *last = &ranges->items[n], *next = &ranges->items[i];

		if (next->first > last->last + 1)
			ranges->items[++n] = *next;
		else if (next->last > last->last)
			last->last = next->last;
	}
	ranges->n = n + 1;
}

/* ---- peers ---- */

static int compare_set_names(const void *a, const void *b, void *compiled_)
{
	const struct compiled *compiled = compiled_;

	return strcmp(compiled->sets.items[*(const uint32_t *)a].name,
		      compiled->sets.items[*(const uint32_t *)b].name);
}

static const char *union_text(const struct compiled *compiled, const uint32_t *sets, size_t n,
			      struct arena *arena)
{
	auto_free char *text = NULL;
	size_t size = 0;
	FILE *out = text_stream(&text, &size);

	for (size_t i = 0; i < n; i++)
		fprintf(out, "%s%s", i ? " + " : "", compiled->sets.items[sets[i]].name);
	fclose(out);
	return arena_strdup(arena, text);
}

/* One set is itself; several are put together in another, named after them. */
static uint32_t peers_set(struct work *work, const struct atom *atoms, size_t n)
{
	struct compiled *compiled = work->build->compiled;
	auto_free uint32_t *sets = xrealloc(NULL, n * sizeof(*sets));
	uint32_t set;
	bool fresh;

	for (size_t i = 0; i < n; i++)
		sets[i] = atoms[i].peers;
	if (n == 1)
		return sets[0];
	qsort_r(sets, n, sizeof(*sets), compare_set_names, compiled);
	set = set_open(compiled, SET_PEERS, union_text(compiled, sets, n, work->build->scratch),
		       &fresh);
	if (!fresh)
		return set;
	for (size_t i = 0; i < n; i++) {
		recipe_add(compiled->recipes, set,
			   &(struct ingredient){ INGREDIENT_SET, sets[i], PROTOCOL_TCP, 0 });
		list_each(element, &compiled->sets.items[sets[i]].elements)
			set_add(compiled, set, &element->cidr, PROTOCOL_TCP, 0);
	}
	set_finish(compiled, set);
	return set;
}

static bool is_peer(const struct work *work, const struct atom *atoms, size_t n,
		    const struct ip *ip)
{
	for (size_t i = 0; i < n; i++)
		if (atoms[i].peers == NO_SET ||
		    set_has(&work->build->compiled->sets.items[atoms[i].peers], ip, PROTOCOL_TCP,
			    0))
			return true;
	return false;
}

/* ---- pairs ---- */

/* Also without elements: the clause is there when they come. */
static void open_pairs(struct work *work)
{
	if (work->pairs == NO_SET)
		work->pairs = set_open(work->build->compiled, SET_PAIRS, work->request->comment,
				       &work->fresh);
}

static void put_pair(struct work *work, const struct cidr *cidr, enum protocol protocol,
		     uint16_t port)
{
	if (work->fresh)
		set_add(work->build->compiled, work->pairs, cidr, protocol, port);
	work->n_pairs++;
}

static void note_pairs(struct work *work, const struct ingredient *from)
{
	if (work->fresh)
		recipe_add(work->build->compiled->recipes, work->pairs, from);
}

static void put_pairs(struct work *work, const struct atom *atoms, size_t n)
{
	const struct port_spec *port = &atoms->port;
	const struct compiled *compiled = work->build->compiled;

	open_pairs(work);
	for (size_t i = 0; i < n; i++) {
		note_pairs(work, &(struct ingredient){ INGREDIENT_SET, atoms[i].peers,
						       port->protocol, port->first });
		for (size_t j = 0; j < compiled->sets.items[atoms[i].peers].elements.n; j++) {
			const struct cidr cidr =
				compiled->sets.items[atoms[i].peers].elements.items[j].cidr;

			put_pair(work, &cidr, port->protocol, port->first);
		}
	}
}

/* A name towards others: at each pod that has it, the number that it means there. */
static void put_names_of_peers(struct work *work, const struct atom *atoms, size_t n)
{
	const struct port_spec *port = &atoms->port;

	open_pairs(work);
	for (size_t i = 0; i < n; i++)
		note_pairs(work, &(struct ingredient){ INGREDIENT_NAME, atoms[i].peers,
						       port->protocol, .name = port->name });
	list_each(pod, &work->build->world->pods) {
		uint16_t number =
			pod_takes_part(pod) ? pod_port(pod, port->name, port->protocol) : 0;

		list_each(ip, &pod->ips) {
			struct cidr cidr = cidr_host(ip);

			if (number && is_peer(work, atoms, n, ip))
				put_pair(work, &cidr, port->protocol, number);
		}
	}
}

/* A name of our own pods: what it means on each of this node's. */
static uint32_t named_set(struct work *work, const struct port_spec *port)
{
	const struct world *world = work->build->world;
	bool fresh;
	uint32_t set = set_open(work->build->compiled, SET_NAMED,
				arena_printf(work->build->scratch, "port \"%s\" of %s on this node",
					     symbol_text(&world->symbols, port->name),
					     protocol_names[port->protocol]),
				&fresh);

	if (!fresh)
		return set;
	list_each(number, &work->build->local) {
		const struct pod *pod = &world->pods.items[*number];
		uint16_t value = pod_port(pod, port->name, port->protocol);

		if (value)
			set_add_pod(work->build->compiled, set, pod, port->protocol, value);
	}
	set_finish(work->build->compiled, set);
	return set;
}

/* ---- one port with all its peers ---- */

static bool choose_pairs(struct work *work, const struct atom *atoms, size_t n)
{
	struct recipes *recipes = work->build->compiled->recipes;
	struct choice *choice;
	size_t size = 0;
	bool paired;

	for (size_t i = 0; i < n; i++)
		size += work->build->compiled->sets.items[atoms[i].peers].elements.n;
	paired = pairs_fit(size, work->n_pairs);
	choice = recipe_choice(recipes, !work->chosen, paired);
	work->chosen = true;
	for (size_t i = 0; choice && i < n; i++)
		*list_add(recipes->arena, &choice->peers) = atoms[i].peers;
	return paired;
}

static void put_range_of(struct work *work, const struct atom *atoms, size_t n)
{
	const struct port_spec *port = &atoms->port;

	if (port->first == port->last && choose_pairs(work, atoms, n))
		put_pairs(work, atoms, n);
	else
		put_range(work, peers_set(work, atoms, n), port);
}

static void put_name(struct work *work, const struct atom *atoms, size_t n, bool anybody)
{
	struct clause *clause;

	if (work->build->group->direction == EGRESS) {
		put_names_of_peers(work, atoms, n);
		return;
	}
	clause = clause_add(work);
	clause->named = named_set(work, &atoms->port);
	clause->peers = anybody ? NO_SET : peers_set(work, atoms, n);
}

/* n atoms of one port. Anybody is the last of them, and makes the others needless. */
static void put_port(struct work *work, const struct atom *atoms, size_t n)
{
	const struct port_spec *port = &atoms->port;
	bool anybody = atoms[n - 1].peers == NO_SET;
	struct clause *clause;

	if (port->kind == PORT_NAME) {
		put_name(work, atoms, n, anybody);
	} else if (port->kind == PORT_RANGE && anybody) {
		put_range(work, NO_SET, port);
	} else if (port->kind == PORT_RANGE) {
		put_range_of(work, atoms, n);
	} else {
		clause = clause_add(work);
		clause->peers = anybody ? NO_SET : peers_set(work, atoms, n);
		clause->ported = port->kind == PORT_PROTOCOL;
		clause->protocol = port->protocol;
	}
}

static bool allows_anybody(const struct atom *atom, enum port_kind kind)
{
	return atom->port.kind == kind && atom->peers == NO_SET;
}

/* What is open to anybody makes narrower atoms needless: all of them, or those of a protocol. */
static void drop_needless(atoms_t *atoms)
{
	bool all = false, protocols[PROTOCOL_OTHER + 1] = { 0 };
	size_t n = 0;

	list_each(atom, atoms) {
		all = all || allows_anybody(atom, PORT_ALL);
		if (allows_anybody(atom, PORT_PROTOCOL))
			protocols[atom->port.protocol] = true;
	}
	list_each(atom, atoms) {
		bool covered = atom->port.kind != PORT_ALL && protocols[atom->port.protocol] &&
			       !allows_anybody(atom, PORT_PROTOCOL);

		if (all ? allows_anybody(atom, PORT_ALL) : !covered)
			atoms->items[n++] = *atom;
	}
	atoms->n = n;
}

void clauses_add(struct build *build, const struct clauses_request *request, clauses_t *clauses)
{
	struct work work = { .build = build,
			     .request = request,
			     .clauses = clauses,
			     .first = clauses->n,
			     .pairs = NO_SET };
	atoms_t atoms = request->atoms;
	struct clause *clause;
	size_t end;

	drop_needless(&atoms);
	for (size_t i = 0; i < atoms.n; i = end) {
		for (end = i + 1; end < atoms.n; end++)
			if (!port_spec_equal(&atoms.items[i].port, &atoms.items[end].port))
				break;
		put_port(&work, &atoms.items[i], end - i);
	}
	if (work.pairs != NO_SET) {
		if (work.fresh)
			set_finish(build->compiled, work.pairs);
		clause = clause_add(&work);
		clause->pairs = work.pairs;
	}
	for (size_t i = work.first; i < clauses->n; i++)
		join_ranges(&clauses->items[i].ports);
}
