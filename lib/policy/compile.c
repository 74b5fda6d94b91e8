/*
 * Compilation: groups of local pods, and for each the fewest look-ups that say what its policies allow. Ports by number
 * with few peers go into one set of pairs, so that a new connection costs the same however many policies there are; what
 * would make that set large (many peers) becomes a rule over a set that is shared. See compiled.h.
 */
#include "policy/compiled.h"

#include <stdio.h>

#include "policy/atom.h"
#include "policy/set.h"

#define PAIRS_OF_A_PORT 1024  /* peers; more, and the port gets a rule of its own */
#define PAIRS_OF_A_SET  32768 /* elements */

struct build {
	const struct world *world;
	struct compiled *compiled;
	struct arena *scratch; /* of the group at work */
	numbers_t local;       /* pods of the node that take part and have an address */
	/* the group at work */
	struct group *group;
	uint32_t pairs; /* its set; NO_SET = none yet */
};

/* ---- matches ---- */

static struct clause *clause_add(struct build *build)
{
	struct clause *clause = list_add(build->compiled->arena, &build->group->allows);

	clause->peers = clause->pairs = clause->named = NO_SET;
	return clause;
}

/* Ranges of one protocol with the same peers are one clause. */
static void allow_range(struct build *build, uint32_t peers, const struct port_spec *port)
{
	struct clause *found = NULL;

	list_each(clause, &build->group->allows)
		if (clause->ported && clause->ports.n && clause->peers == peers &&
		    clause->protocol == port->protocol)
			found = clause;
	if (!found) {
		found = clause_add(build);
		found->peers = peers;
		found->ported = true;
		found->protocol = port->protocol;
	}
	*list_add(build->compiled->arena, &found->ports) =
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
	FILE *out = open_memstream(&text, &size);

	if (!out)
		abort();
	for (size_t i = 0; i < n; i++)
		fprintf(out, "%s%s", i ? " + " : "", compiled->sets.items[sets[i]].name);
	fclose(out);
	return arena_strdup(arena, text);
}

/* One set is itself; several are put together in another, named after them. */
static uint32_t peers_set(struct build *build, const struct atom *atoms, size_t n)
{
	struct compiled *compiled = build->compiled;
	auto_free uint32_t *sets = xrealloc(NULL, n * sizeof(*sets));
	uint32_t set;
	bool fresh;

	for (size_t i = 0; i < n; i++)
		sets[i] = atoms[i].peers;
	if (n == 1)
		return sets[0];
	qsort_r(sets, n, sizeof(*sets), compare_set_names, compiled);
	set = set_open(compiled, SET_PEERS, union_text(compiled, sets, n, build->scratch), &fresh);
	if (!fresh)
		return set;
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < compiled->sets.items[sets[i]].elements.n; j++) {
			const struct cidr cidr =
				compiled->sets.items[sets[i]].elements.items[j].cidr;

			set_add(compiled, set, &cidr, PROTOCOL_TCP, 0);
		}
	set_finish(compiled, set);
	return set;
}

static bool is_peer(const struct build *build, const struct atom *atoms, size_t n,
		    const struct ip *ip)
{
	for (size_t i = 0; i < n; i++)
		if (atoms[i].peers == NO_SET ||
		    set_has(&build->compiled->sets.items[atoms[i].peers], ip, PROTOCOL_TCP, 0))
			return true;
	return false;
}

/* ---- pairs ---- */

static uint32_t pairs_set(struct build *build)
{
	bool fresh;

	if (build->pairs == NO_SET)
		build->pairs = set_open(
			build->compiled, SET_PAIRS,
			arena_printf(build->scratch, "peers with ports, %s", build->group->comment),
			&fresh);
	return build->pairs;
}

static size_t pairs_size(const struct build *build)
{
	return build->pairs == NO_SET ? 0 : build->compiled->sets.items[build->pairs].elements.n;
}

static void allow_pairs(struct build *build, const struct atom *atoms, size_t n)
{
	const struct port_spec *port = &atoms->port;
	struct compiled *compiled = build->compiled;
	uint32_t pairs = pairs_set(build);

	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < compiled->sets.items[atoms[i].peers].elements.n; j++) {
			const struct cidr cidr =
				compiled->sets.items[atoms[i].peers].elements.items[j].cidr;

			set_add(compiled, pairs, &cidr, port->protocol, port->first);
		}
}

/* A name towards others: at each pod that has it, the number that it means there. */
static void allow_names_of_peers(struct build *build, const struct atom *atoms, size_t n)
{
	const struct port_spec *port = &atoms->port;

	list_each(pod, &build->world->pods) {
		uint16_t number =
			pod_takes_part(pod) ? pod_port(pod, port->name, port->protocol) : 0;

		list_each(ip, &pod->ips) {
			struct cidr cidr = cidr_host(ip);

			if (number && is_peer(build, atoms, n, ip))
				set_add(build->compiled, pairs_set(build), &cidr, port->protocol,
					number);
		}
	}
}

/* A name of our own pods: what it means on each of this node's. */
static uint32_t named_set(struct build *build, const struct port_spec *port)
{
	const struct world *world = build->world;
	bool fresh;
	uint32_t set = set_open(build->compiled, SET_NAMED,
				arena_printf(build->scratch, "port \"%s\" of %s on this node",
					     symbol_text(&world->symbols, port->name),
					     protocol_names[port->protocol]),
				&fresh);

	if (!fresh)
		return set;
	list_each(number, &build->local) {
		const struct pod *pod = &world->pods.items[*number];
		uint16_t value = pod_port(pod, port->name, port->protocol);

		if (value)
			set_add_pod(build->compiled, set, pod, port->protocol, value);
	}
	set_finish(build->compiled, set);
	return set;
}

/* ---- one port with all its peers ---- */

static void allow_range_of(struct build *build, const struct atom *atoms, size_t n)
{
	const struct port_spec *port = &atoms->port;
	size_t size = 0;

	for (size_t i = 0; i < n; i++)
		size += build->compiled->sets.items[atoms[i].peers].elements.n;
	if (port->first == port->last && size <= PAIRS_OF_A_PORT &&
	    size + pairs_size(build) <= PAIRS_OF_A_SET)
		allow_pairs(build, atoms, n);
	else
		allow_range(build, peers_set(build, atoms, n), port);
}

static void allow_name(struct build *build, const struct atom *atoms, size_t n, bool anybody)
{
	struct clause *clause;

	if (build->group->direction == EGRESS) {
		allow_names_of_peers(build, atoms, n);
		return;
	}
	clause = clause_add(build);
	clause->named = named_set(build, &atoms->port);
	clause->peers = anybody ? NO_SET : peers_set(build, atoms, n);
}

/* n atoms of one port. Anybody is the last of them, and makes the others needless. */
static void allow_port(struct build *build, const struct atom *atoms, size_t n)
{
	const struct port_spec *port = &atoms->port;
	bool anybody = atoms[n - 1].peers == NO_SET;
	struct clause *clause;

	if (port->kind == PORT_NAME) {
		allow_name(build, atoms, n, anybody);
	} else if (port->kind == PORT_RANGE && anybody) {
		allow_range(build, NO_SET, port);
	} else if (port->kind == PORT_RANGE) {
		allow_range_of(build, atoms, n);
	} else {
		clause = clause_add(build);
		clause->peers = anybody ? NO_SET : peers_set(build, atoms, n);
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

static void build_clauses(struct build *build)
{
	atoms_t atoms = { 0 };
	size_t end;

	build->pairs = NO_SET;
	atoms_of(build->world, build->compiled, build->group, build->scratch, &atoms);
	drop_needless(&atoms);
	for (size_t i = 0; i < atoms.n; i = end) {
		for (end = i + 1; end < atoms.n; end++)
			if (!port_spec_equal(&atoms.items[i].port, &atoms.items[end].port))
				break;
		allow_port(build, &atoms.items[i], end - i);
	}
	if (build->pairs != NO_SET) {
		set_finish(build->compiled, build->pairs);
		clause_add(build)->pairs = build->pairs;
	}
	list_each(clause, &build->group->allows)
		join_ranges(&clause->ports);
	arena_free(build->scratch);
}

/* ---- groups ---- */

struct order {
	const struct world *world;
	enum direction direction;
};

/* Policies of two pods as words: equal ones are one group. */
static int compare_policies(const void *a, const void *b, void *order_)
{
	const struct order *order = order_;
	const numbers_t *x, *y;

	x = &order->world->pods.items[*(const uint32_t *)a].policies[order->direction];
	y = &order->world->pods.items[*(const uint32_t *)b].policies[order->direction];
	for (size_t i = 0; i < x->n && i < y->n; i++)
		if (x->items[i] != y->items[i])
			return x->items[i] < y->items[i] ? -1 : 1;
	return (x->n > y->n) - (x->n < y->n);
}

static int compare_words(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* "ingress by default/a default/b": in the order of names, which stays the same when objects come in another. */
static const char *group_text(const struct world *world, const struct group *group,
			      struct arena *arena)
{
	auto_arena struct arena scratch = { 0 };
	auto_free char *text = NULL;
	LIST(const char *) words = { 0 };
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		abort();
	list_each(number, &group->policies)
		*list_add(&scratch, &words) =
			policy_text(world, &world->policies.items[*number], &scratch);
	if (words.n)
		qsort(words.items, words.n, sizeof(*words.items), compare_words);
	fprintf(out, "%s by", direction_names[group->direction]);
	list_each(word, &words)
		fprintf(out, " %s", *word);
	fclose(out);
	return arena_strdup(arena, text);
}

static void add_group(struct build *build, enum direction direction, const uint32_t *pods, size_t n)
{
	struct compiled *compiled = build->compiled;
	struct group *group = list_add(compiled->arena, &compiled->groups);
	bool fresh;

	group->direction = direction;
	group->isolated = true;
	group->policies = build->world->pods.items[*pods].policies[direction];
	group->comment = group_text(build->world, group, compiled->arena);
	group->name = name_of(group_words[direction], group->comment, compiled->arena);
	group->members = set_open(compiled, SET_MEMBERS, group->comment, &fresh);
	for (size_t i = 0; i < n; i++) {
		const struct pod *pod = &build->world->pods.items[pods[i]];

		*list_add(compiled->arena, &group->pods) = pods[i];
		set_add_pod(compiled, group->members, pod, PROTOCOL_TCP, 0);
		set_add_pod(compiled, compiled->subjects[direction], pod, PROTOCOL_TCP, 0);
	}
	set_finish(compiled, group->members);
	build->group = group;
	build_clauses(build);
}

static void build_direction(struct build *build, enum direction direction)
{
	const struct world *world = build->world;
	struct order order = { world, direction };
	auto_arena struct arena scratch = { 0 };
	numbers_t pods = { 0 };
	bool fresh;
	size_t end;

	build->compiled->subjects[direction] =
		set_open(build->compiled, SET_SUBJECTS, subjects_comments[direction], &fresh);
	list_each(number, &build->local)
		if (world->pods.items[*number].policies[direction].n)
			*list_add(&scratch, &pods) = *number;
	if (pods.n)
		qsort_r(pods.items, pods.n, sizeof(uint32_t), compare_policies, &order);
	for (size_t i = 0; i < pods.n; i = end) {
		for (end = i + 1; end < pods.n; end++)
			if (compare_policies(&pods.items[i], &pods.items[end], &order) != 0)
				break;
		add_group(build, direction, &pods.items[i], end - i);
	}
	set_finish(build->compiled, build->compiled->subjects[direction]);
}

/* ---- what is left of the sets ---- */

typedef void visit_fn(uint32_t *set, void *arg);

static void visit_clauses(clauses_t *clauses, visit_fn *visit, void *arg)
{
	list_each(clause, clauses) {
		visit(&clause->peers, arg);
		visit(&clause->pairs, arg);
		visit(&clause->named, arg);
	}
}

/* Every place that names a set. */
static void visit_sets(struct compiled *compiled, visit_fn *visit, void *arg)
{
	for (int direction = 0; direction < DIRECTIONS; direction++)
		visit(&compiled->subjects[direction], arg);
	visit(&compiled->known, arg);
	list_each(group, &compiled->groups) {
		visit(&group->members, arg);
		visit_clauses(&group->admin, visit, arg);
		visit_clauses(&group->allows, visit, arg);
		visit_clauses(&group->baseline, visit, arg);
	}
}

static void mark_used(uint32_t *set, void *used)
{
	if (*set != NO_SET)
		((bool *)used)[*set] = true;
}

static void renumber(uint32_t *set, void *numbers)
{
	if (*set != NO_SET)
		*set = ((const uint32_t *)numbers)[*set];
}

/* Sets that only lent their elements to others go. */
static void drop_unused(struct compiled *compiled)
{
	auto_free bool *used = xrealloc(NULL, compiled->sets.n);
	auto_free uint32_t *numbers = xrealloc(NULL, compiled->sets.n * sizeof(*numbers));
	uint32_t n = 0;

	memset(used, 0, compiled->sets.n);
	visit_sets(compiled, mark_used, used);
	for (uint32_t i = 0; i < compiled->sets.n; i++) {
		numbers[i] = n;
		if (used[i])
			compiled->sets.items[n++] = compiled->sets.items[i];
	}
	compiled->sets.n = n;
	visit_sets(compiled, renumber, numbers);
}

void compile(const struct world *world, symbol_t node, struct arena *arena,
	     struct compiled *compiled)
{
	auto_arena struct arena scratch = { 0 }, shared = { 0 };
	struct build build = { .world = world, .compiled = compiled, .scratch = &scratch };

	*compiled = (struct compiled){
		.node = node, .arena = arena, .names.arena = &shared, .known = NO_SET
	};
	for (uint32_t i = 0; i < world->pods.n; i++) {
		const struct pod *pod = &world->pods.items[i];

		if (pod->node == node && pod->ips.n && pod_takes_part(pod))
			*list_add(&shared, &build.local) = i;
	}
	for (int direction = 0; direction < DIRECTIONS; direction++)
		build_direction(&build, (enum direction)direction);
	drop_unused(compiled);
	compiled->names = (struct symbols){ 0 };
}
