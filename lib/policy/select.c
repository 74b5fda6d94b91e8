/* See select.h. */
#include "policy/select.h"

#include <stdio.h>

/* Counted first, so that the lists take no more room than they need. */
void select_index(struct world *world)
{
	size_t n = world->symbols.texts.n;
	auto_free size_t *counts = xrealloc(NULL, (n + 1) * sizeof(*counts));

	memset(counts, 0, (n + 1) * sizeof(*counts));
	list_each(pod, &world->pods)
		for (size_t i = 0; pod_takes_part(pod) && i < pod->labels.n; i++) {
			counts[pod->labels.items[i].key]++;
			counts[pod->labels.items[i].pair]++;
		}
	world->labelled = arena_alloc(world->indexes, (n + 1) * sizeof(*world->labelled));
	for (size_t i = 0; i < n; i++)
		if (counts[i])
			world->labelled[i].items = arena_alloc(
				world->indexes, counts[i] * sizeof(*world->labelled->items));
	for (uint32_t i = 0; i < world->pods.n; i++) {
		const struct pod *pod = &world->pods.items[i];

		if (!pod_takes_part(pod))
			continue;
		list_each(label, &pod->labels) {
			numbers_t *key = &world->labelled[label->key];
			numbers_t *pair = &world->labelled[label->pair];

			key->items[key->n++] = i;
			pair->items[pair->n++] = i;
		}
	}
}

/* ---- one selection ---- */

struct search {
	struct world *world;
	struct pod_set *set;
	bool *spaces;  /* by number: it is one of those; NULL: only the set's own is */
	size_t n_pods; /* in them */
};

static void choose_spaces(struct search *search)
{
	const struct world *world = search->world;
	const struct pod_set *set = search->set;

	search->n_pods = set->spaces ? 0 : world->spaces.items[set->space].pods.n;
	if (!set->spaces)
		return;
	search->spaces = xrealloc(NULL, world->spaces.n * sizeof(*search->spaces));
	for (uint32_t i = 0; i < world->spaces.n; i++) {
		const struct space *space = &world->spaces.items[i];

		search->spaces[i] = selector_matches(set->spaces, &space->labels);
		search->n_pods += search->spaces[i] ? space->pods.n : 0;
	}
}

static bool space_chosen(const struct search *search, uint32_t space)
{
	return search->spaces ? search->spaces[space] : space == search->set->space;
}

static size_t postings_size(const struct world *world, const struct requirement *requirement)
{
	size_t n = 0;

	if (requirement->op == SELECTOR_EXISTS)
		return world->labelled[requirement->key].n;
	list_each(pair, &requirement->pairs)
		n += world->labelled[*pair].n;
	return n;
}

/* The requirement that the fewest pods fulfil, when going through those is less than going through the namespaces. */
static const struct requirement *narrowest(const struct search *search)
{
	const struct requirement *best = NULL;
	size_t least = search->n_pods;

	list_each(requirement, &search->set->pods->requirements) {
		bool positive =
			requirement->op == SELECTOR_IN || requirement->op == SELECTOR_EXISTS;
		size_t size = positive ? postings_size(search->world, requirement) : SIZE_MAX;

		if (size < least) {
			best = requirement;
			least = size;
		}
	}
	return best;
}

static void try_pods(struct search *search, const numbers_t *numbers)
{
	struct world *world = search->world;

	list_each(number, numbers) {
		const struct pod *pod = &world->pods.items[*number];

		if (space_chosen(search, pod->space) &&
		    selector_matches(search->set->pods, &pod->labels))
			*list_add(world->indexes, &search->set->pods_in) = *number;
	}
}

static int compare_numbers(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* No pod comes twice: it has one value for a key, and is in one namespace. */
static void find_pods(struct world *world, struct pod_set *set)
{
	struct search search = { .world = world, .set = set };
	const struct requirement *best;

	choose_spaces(&search);
	best = narrowest(&search);
	if (best && best->op == SELECTOR_EXISTS)
		try_pods(&search, &world->labelled[best->key]);
	else if (best)
		list_each(pair, &best->pairs)
			try_pods(&search, &world->labelled[*pair]);
	else if (!search.spaces)
		try_pods(&search, &world->spaces.items[set->space].pods);
	else
		for (uint32_t i = 0; i < world->spaces.n; i++)
			if (search.spaces[i])
				try_pods(&search, &world->spaces.items[i].pods);
	if (set->pods_in.n)
		qsort(set->pods_in.items, set->pods_in.n, sizeof(uint32_t), compare_numbers);
	list_each(pod, &set->pods_in)
		set->n_ips += world->pods.items[*pod].ips.n;
	free(search.spaces);
}

uint32_t select_pods(struct world *world, uint32_t space, const struct selector *spaces,
		     const struct selector *pods)
{
	char key[64];
	symbol_t number;

	if (spaces)
		snprintf(key, sizeof(key), "s%u %u", spaces->text, pods->text);
	else
		snprintf(key, sizeof(key), "n%u %u", space, pods->text);
	number = symbol_add(&world->set_names, key);
	if (number > world->sets.n) {
		struct pod_set *set = list_add(world->indexes, &world->sets);

		*set = (struct pod_set){ .pods = pods, .spaces = spaces, .space = space };
		find_pods(world, set);
	}
	return number - 1;
}

uint32_t select_peer(struct world *world, uint32_t space, const struct peer *peer)
{
	static const struct selector everything = { 0 };
	const struct selector *pods = peer->has_pods ? &peer->pods : &everything;

	return select_pods(world, space, peer->has_spaces ? &peer->spaces : NULL, pods);
}

bool pod_set_wants(const struct world *world, const struct pod_set *set, const struct pod *pod)
{
	if (!pod_takes_part(pod) || !selector_matches(set->pods, &pod->labels))
		return false;
	return set->spaces ? selector_matches(set->spaces, &world->spaces.items[pod->space].labels)
			   : set->space == pod->space;
}

bool pod_set_has(const struct pod_set *set, uint32_t pod)
{
	return set->pods_in.n &&
	       bsearch(&pod, set->pods_in.items, set->pods_in.n, sizeof(uint32_t), compare_numbers);
}
