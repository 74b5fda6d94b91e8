/* See change.h. */
#include "change.h"

#include <sys/socket.h>

#define WORDS(key_, type_, member)                                                    \
	{                                                                             \
		(key_), FIELD_LIST, offsetof(type_, member), .element = FIELD_STRING, \
							     .size = sizeof(char *)   \
	}
#define OF(member) offsetof(struct change, member)

static const struct field thing_fields[] = {
	{ "name", FIELD_STRING, offsetof(struct thing_change, name) },
	{ "change", FIELD_STRING, offsetof(struct thing_change, change) },
	{ "comment", FIELD_STRING, offsetof(struct thing_change, comment) },
	WORDS("more", struct thing_change, more),
	WORDS("gone", struct thing_change, gone),
	FIELDS_END,
};
const struct field damage_fields[] = {
	{ "place", FIELD_STRING, offsetof(struct damage, place) },
	{ "what", FIELD_STRING, offsetof(struct damage, what) },
	FIELDS_END,
};
const struct field connection_fields[] = {
	{ "from", FIELD_STRING, offsetof(struct connection_change, from) },
	{ "to", FIELD_STRING, offsetof(struct connection_change, to) },
	{ "port", FIELD_INT, offsetof(struct connection_change, port) },
	{ "protocol", FIELD_STRING, offsetof(struct connection_change, protocol) },
	{ "family", FIELD_STRING, offsetof(struct connection_change, family) },
	{ "allowed", FIELD_BOOL, offsetof(struct connection_change, allowed), FIELD_KEEP_EMPTY },
	FIELDS_END,
};

const struct field change_fields[] = {
	{ "backend", FIELD_STRING, OF(backend) },
	{ "node", FIELD_STRING, OF(node) },
	{ "changed", FIELD_BOOL, OF(changed), FIELD_KEEP_EMPTY },
	{ "rewritten", FIELD_BOOL, OF(rewritten), FIELD_KEEP_EMPTY },
	{ "chains", FIELD_LIST, OF(chains), FIELD_KEEP_EMPTY, .element = FIELD_OBJECT,
	  .fields = thing_fields, .size = sizeof(struct thing_change) },
	{ "sets", FIELD_LIST, OF(sets), FIELD_KEEP_EMPTY, .element = FIELD_OBJECT,
	  .fields = thing_fields, .size = sizeof(struct thing_change) },
	{ "damages", FIELD_LIST, OF(damages), FIELD_KEEP_EMPTY, .element = FIELD_OBJECT,
	  .fields = damage_fields, .size = sizeof(struct damage) },
	WORDS("removed", struct change, removed),
	{ "connections", FIELD_LIST, OF(connections), FIELD_KEEP_EMPTY, .element = FIELD_OBJECT,
	  .fields = connection_fields, .size = sizeof(struct connection_change) },
	{ "denied", FIELD_INT64, OF(denied), FIELD_KEEP_EMPTY },
	{ "allowed", FIELD_INT64, OF(allowed), FIELD_KEEP_EMPTY },
	{ "cut", FIELD_INT64, OF(cut) },
	FIELDS_END,
};

/* ---- chains and sets ---- */

static void add_chain(struct arena *arena, struct change *change, const char *what,
		      const struct group *group)
{
	*list_add(arena, &change->chains) = (struct thing_change){ .name = group->name,
								   .change = what,
								   .comment = group->comment };
}

static const char *element_text(const struct element *element, bool ported, struct arena *arena)
{
	char text[CIDR_TEXT_SIZE];
	const struct cidr *cidr = &element->cidr;

	if (cidr->prefix == ip_bits(&cidr->ip))
		ip_format(&cidr->ip, text);
	else
		cidr_format(cidr, text);
	if (!ported)
		return arena_strdup(arena, text);
	return arena_printf(arena, "%s %s %u", text, protocol_names[element->protocol],
			    element->port);
}

static void add_elements(struct arena *arena, words_t *words, const struct set *set,
			 const elements_t *elements, int family)
{
	bool ported = set->kind == SET_PAIRS || set->kind == SET_NAMED;

	list_each(element, elements)
		if (!family || element->cidr.ip.family == family)
			*list_add(arena, words) = element_text(element, ported, arena);
}

struct set_words {
	const char *what;
	const struct set *set;
	const elements_t *more, *gone;
};

static void add_family(const struct backend *backend, const struct set_words *words, int family,
		       struct arena *arena, struct change *change)
{
	struct thing_change thing = { .change = words->what, .comment = words->set->comment };

	thing.name = backend->set_name(words->set, family ? family : AF_INET, arena);
	if (words->more)
		add_elements(arena, &thing.more, words->set, words->more, family);
	if (words->gone)
		add_elements(arena, &thing.gone, words->set, words->gone, family);
	if (!streq(words->what, "changed") || thing.more.n || thing.gone.n)
		*list_add(arena, &change->sets) = thing;
}

/* Where each family has a set of its own, each is told. */
static void add_set(const struct backend *backend, const struct set_words *words,
		    struct arena *arena, struct change *change)
{
	const char *four = backend->set_name(words->set, AF_INET, arena);
	const char *six = backend->set_name(words->set, AF_INET6, arena);

	if (streq(four, six)) {
		add_family(backend, words, 0, arena, change);
		return;
	}
	add_family(backend, words, AF_INET, arena, change);
	add_family(backend, words, AF_INET6, arena, change);
}

static void add_difference(const struct backend *backend, const struct difference *difference,
			   struct arena *arena, struct change *change)
{
	list_each(group, &difference->new_groups)
		add_chain(arena, change, "new", *group);
	list_each(group, &difference->groups)
		add_chain(arena, change, "changed", group->to);
	list_each(group, &difference->old_groups)
		add_chain(arena, change, "gone", *group);
	list_each(set, &difference->new_sets)
		add_set(backend, &(struct set_words){ "new", *set, &(*set)->elements, NULL }, arena,
			change);
	list_each(set, &difference->sets)
		add_set(backend, &(struct set_words){ "changed", set->to, &set->more, &set->gone },
			arena, change);
	list_each(set, &difference->old_sets)
		add_set(backend, &(struct set_words){ "gone", *set, NULL, NULL }, arena, change);
}

void change_of(const struct job *job, const rivals_t *rivals, struct change *change)
{
	const struct enforcement *enforcement = &job->enforcement;
	const struct difference *difference = &enforcement->difference;
	struct arena *arena = job->session.call->arena;

	*change = (struct change){
		.backend = enforcement->backend->name,
		.node = job->node_name,
		.changed = !difference_is_empty(difference) || rivals->n,
		.rewritten = difference->damaged || difference->closed,
	};
	add_difference(enforcement->backend, difference, arena, change);
	list_each(damage, &enforcement->found.damages)
		*list_add(arena, &change->damages) = *damage;
	list_each(rival, rivals)
		*list_add(arena, &change->removed) = rival->backend->name;
}

void change_connections(const struct flips *flips, struct arena *arena,
			connection_changes_t *connections)
{
	list_each(flip, &flips->items)
		*list_add(arena, connections) = (struct connection_change){
			.from = flip->from->text,
			.to = flip->to->text,
			.protocol = protocol_names[flip->connection.protocol],
			.family = ip_size(&flip->connection.from.ip) == 4 ? "IPv4" : "IPv6",
			.port = flip->connection.port,
			.allowed = flip->allowed,
		};
}

/* ---- for people ---- */

#define ELEMENTS_SHOWN 8

static void print_words(FILE *out, char sign, const words_t *words)
{
	for (size_t i = 0; i < words->n && i < ELEMENTS_SHOWN; i++)
		fprintf(out, " %c%s", sign, words->items[i]);
	if (words->n > ELEMENTS_SHOWN)
		fprintf(out, " and %zu more", words->n - ELEMENTS_SHOWN);
}

static char sign_of(const struct thing_change *thing)
{
	return streq(thing->change, "new") ? '+' : streq(thing->change, "gone") ? '-' : '~';
}

static void print_things(FILE *out, const char *kind, const thing_changes_t *things)
{
	list_each(thing, things) {
		fprintf(out, "%c %s %s", sign_of(thing), kind, thing->name);
		if (thing->comment && *thing->comment)
			fprintf(out, " (%s)", thing->comment);
		fprintf(out, "%s", thing->more.n || thing->gone.n ? ":" : "");
		print_words(out, '+', &thing->more);
		print_words(out, '-', &thing->gone);
		fputc('\n', out);
	}
}

void change_print(FILE *out, const struct change *change)
{
	list_each(damage, &change->damages)
		fprintf(out, "%s: %s\n", damage->place, damage->what);
	print_things(out, "chain", &change->chains);
	print_things(out, "set", &change->sets);
	list_each(name, &change->removed)
		fprintf(out, "- all that %s has in force\n", *name);
}

void change_print_connections(FILE *out, const connection_changes_t *connections, int64_t n,
			      const char *allowed, const char *denied)
{
	for (size_t i = 0; i < connections->n && i < CONNECTIONS_SHOWN; i++) {
		const struct connection_change *one = &connections->items[i];

		fprintf(out, "%s -> %s, %s %d, %s: %s\n", one->from, one->to, one->protocol,
			one->port, one->family, one->allowed ? allowed : denied);
	}
	if (n > CONNECTIONS_SHOWN)
		fprintf(out, "and %lld more\n", (long long)n - CONNECTIONS_SHOWN);
}

static size_t count(const thing_changes_t *things, char sign)
{
	size_t n = 0;

	list_each(thing, things)
		n += sign_of(thing) == sign;
	return n;
}

void change_print_sum(FILE *out, const struct change *change)
{
	size_t more = 0, gone = 0;

	list_each(set, &change->sets) {
		more += set->more.n;
		gone += set->gone.n;
	}
	fprintf(out, "chains +%zu ~%zu -%zu, sets +%zu ~%zu -%zu, elements +%zu -%zu",
		count(&change->chains, '+'), count(&change->chains, '~'),
		count(&change->chains, '-'), count(&change->sets, '+'), count(&change->sets, '~'),
		count(&change->sets, '-'), more, gone);
	if (change->rewritten)
		fprintf(out, ", hooks");
}
