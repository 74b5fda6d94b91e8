/* See follow.h. */
#include "policy/follow.h"

#include <sys/socket.h>

#include "policy/clause.h"
#include "policy/limit.h"
#include "policy/select.h"
#include "policy/set.h"

enum { ROOM = 32 };

/* One address that the pod has or had, and who takes part with it by now. */
struct host {
	struct ip ip;
	numbers_t owners;
};

struct step {
	struct follow *follow;
	const struct pod *before, *after;
	uint32_t number;
	struct arena scratch;
	LIST(struct host) hosts;
	uint8_t *pods, *sets; /* by number: its part in this address or that may have changed */
};

void follow_start(struct follow *follow, struct world *world, struct compiled *compiled,
		  struct recipes *recipes, struct arena *arena)
{
	*follow = (struct follow){
		.world = world, .compiled = compiled, .recipes = recipes, .arena = arena
	};
	follow->places = arena_alloc(arena, (recipes->all.n + 1) * sizeof(*follow->places));
	follow->owned = arena_alloc(arena, recipes->all.n + 1);
}

/* ---- sets that change ---- */

static struct followed *open_set(struct follow *follow, uint32_t number)
{
	struct set *set = &follow->recipes->all.items[number];
	struct followed *followed;

	if (follow->places[number])
		return &follow->sets[follow->places[number] - 1];
	follow->sets = xrealloc(follow->sets, (follow->n_sets + 1) * sizeof(*follow->sets));
	followed = &follow->sets[follow->n_sets++];
	follow->places[number] = (uint32_t)follow->n_sets;
	*followed = (struct followed){ .number = number,
				       .before = *set,
				       .room = set->elements.n + ROOM };
	followed->items = xrealloc(NULL, followed->room * sizeof(*followed->items));
	if (set->elements.n)
		memcpy(followed->items, set->elements.items,
		       set->elements.n * sizeof(*followed->items));
	set->elements.items = followed->items;
	return followed;
}

/* Where the element is, or would be. */
static size_t place_of(const struct set *set, const struct element *element, bool *there)
{
	size_t low = 0, high = set->elements.n;

	*there = false;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = element_compare(&set->elements.items[middle], element);

		if (order == 0)
			*there = true;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void set_lengths(struct set *set, struct arena *arena)
{
	memset(set->lengths, 0, sizeof(set->lengths));
	list_each(element, &set->elements) {
		bool v6 = element->cidr.ip.family == AF_INET6;
		uint8_t prefix = element->cidr.prefix;
		size_t n = set->lengths[v6].n;

		if (!n || set->lengths[v6].items[n - 1] != prefix)
			*list_add(arena, &set->lengths[v6]) = prefix;
	}
}

/* Hosts come and go at the end of their family's elements; the lengths are others when its first came or its last went. */
static void check_lengths(struct set *set, const struct element *element, struct arena *arena)
{
	bool there = set->elements.n && set_has_length(set, &element->cidr);
	bool known = false;

	list_each(length, &set->lengths[element->cidr.ip.family == AF_INET6])
		known = known || *length == element->cidr.prefix;
	if (there != known)
		set_lengths(set, arena);
}

static void put_element(struct follow *follow, uint32_t number, const struct element *element,
			bool wanted)
{
	struct set *set = &follow->recipes->all.items[number];
	struct followed *followed;
	bool there;
	size_t place = place_of(set, element, &there);

	if (there == wanted)
		return;
	followed = open_set(follow, number);
	if (wanted && set->elements.n == followed->room) {
		followed->room *= 2;
		followed->items =
			xrealloc(followed->items, followed->room * sizeof(*followed->items));
		set->elements.items = followed->items;
	}
	if (wanted) {
		memmove(&followed->items[place + 1], &followed->items[place],
			(set->elements.n - place) * sizeof(*followed->items));
		followed->items[place] = *element;
		set->elements.n++;
	} else {
		set->elements.n--;
		memmove(&followed->items[place], &followed->items[place + 1],
			(set->elements.n - place) * sizeof(*followed->items));
	}
	check_lengths(set, element, follow->arena);
}

/* ---- what a set should have ---- */

static const struct host *find_host(const struct step *step, const struct ip *ip)
{
	list_each(host, &step->hosts)
		if (ip_equal(&host->ip, ip))
			return host;
	return NULL;
}

static bool has_element(const struct set *set, const struct cidr *cidr)
{
	const struct element element = { *cidr, PROTOCOL_TCP, 0 };
	bool there;

	(void)place_of(set, &element, &there);
	return there;
}

static bool gives_name(const struct step *step, const struct ingredient *from,
		       const struct host *host, uint16_t port)
{
	const struct recipes *recipes = step->follow->recipes;

	if (from->from != NO_SET &&
	    !set_has(&recipes->all.items[from->from], &host->ip, PROTOCOL_TCP, 0))
		return false;
	list_each(owner, &host->owners)
		if (pod_port(&step->follow->world->pods.items[*owner], from->name,
			     from->protocol) == port)
			return true;
	return false;
}

static bool gives(const struct step *step, const struct ingredient *from, const struct host *host,
		  const struct element *element)
{
	const struct follow *follow = step->follow;

	if (from->protocol != element->protocol)
		return false;
	if (from->kind == INGREDIENT_NAME)
		return element->port && gives_name(step, from, host, element->port);
	if (from->port != element->port)
		return false;
	if (from->kind == INGREDIENT_SET)
		return has_element(&follow->recipes->all.items[from->from], &element->cidr);
	list_each(owner, &host->owners)
		if (pod_set_has(&follow->world->sets.items[from->from], *owner))
			return true;
	return false;
}

static void settle_element(struct step *step, uint32_t number, const struct host *host,
			   enum protocol protocol, uint16_t port)
{
	const struct recipes *recipes = step->follow->recipes;
	const struct element element = { cidr_host(&host->ip), (uint8_t)protocol, port };
	bool wanted = false;

	list_each(from, &recipes->sets.items[number].ingredients)
		wanted = wanted || gives(step, from, host, &element);
	put_element(step->follow, number, &element,
		    wanted && !set_covers(&recipes->all.items[number], &element));
}

/* A name means on each pod what it says there, and on this one perhaps something else than before. */
static void settle_names(struct step *step, uint32_t number, const struct ingredient *from,
			 const struct host *host)
{
	const struct follow *follow = step->follow;
	uint16_t port = pod_port(step->before, from->name, from->protocol);

	if (from->from != NO_SET && !step->sets[from->from] &&
	    !set_has(&follow->recipes->all.items[from->from], &host->ip, PROTOCOL_TCP, 0))
		return;
	if (port)
		settle_element(step, number, host, from->protocol, port);
	list_each(owner, &host->owners) {
		port = pod_port(&follow->world->pods.items[*owner], from->name, from->protocol);
		if (port)
			settle_element(step, number, host, from->protocol, port);
	}
}

static void settle_set(struct step *step, uint32_t number)
{
	const struct recipe *recipe = &step->follow->recipes->sets.items[number];

	list_each(from, &recipe->ingredients) {
		bool touched = from->kind == INGREDIENT_NAME  ? true
			       : from->kind == INGREDIENT_SET ? step->sets[from->from]
							      : step->pods[from->from];

		if (!touched)
			continue;
		list_each(host, &step->hosts) {
			if (from->kind == INGREDIENT_NAME)
				settle_names(step, number, from, host);
			else
				settle_element(step, number, host, from->protocol, from->port);
		}
		step->sets[number] |= from->kind != INGREDIENT_NAME;
	}
}

/* ---- the pod's part in sets of pods ---- */

static void put_member(struct step *step, struct pod_set *set, bool wanted)
{
	size_t place = 0;

	while (place < set->pods_in.n && set->pods_in.items[place] < step->number)
		place++;
	if (wanted)
		list_add(step->follow->world->indexes, &set->pods_in);
	else
		set->pods_in.n--;
	memmove(&set->pods_in.items[place + wanted], &set->pods_in.items[place + !wanted],
		(set->pods_in.n - place - wanted) * sizeof(*set->pods_in.items));
	if (wanted)
		set->pods_in.items[place] = step->number;
}

static void update_pod_sets(struct step *step)
{
	const struct world *world = step->follow->world;

	list_each(set, &world->sets) {
		bool was = pod_set_has(set, step->number);
		bool is = pod_set_wants(world, set, step->after);

		if (was != is)
			put_member(step, set, is);
		set->n_ips -= was ? step->before->ips.n : 0;
		set->n_ips += is ? step->after->ips.n : 0;
		step->pods[set - world->sets.items] = was || is;
	}
}

static void add_hosts(struct step *step, const struct pod *pod)
{
	const struct world *world = step->follow->world;

	list_each(ip, &pod->ips) {
		struct host *host;

		if (find_host(step, ip))
			continue;
		host = list_add(&step->scratch, &step->hosts);
		host->ip = *ip;
		for (uint32_t i = 0; i < world->pods.n; i++)
			if (pod_takes_part(&world->pods.items[i]) &&
			    pod_has_ip(&world->pods.items[i], ip))
				*list_add(&step->scratch, &host->owners) = i;
	}
}

/* What is a pair, and what a clause of its own, is still so. */
static bool choices_hold(const struct follow *follow)
{
	size_t total = 0;

	list_each(choice, &follow->recipes->choices) {
		size_t size = 0;

		if (choice->first)
			total = 0;
		list_each(set, &choice->peers)
			size += follow->recipes->all.items[*set].elements.n;
		if (pairs_fit(size, total) != choice->paired)
			return false;
		total += choice->paired ? size : 0;
	}
	return true;
}

/* The sets of what is compiled share their elements with those of the recipes. */
static void show(const struct follow *follow)
{
	for (size_t i = 0; i < follow->n_sets; i++) {
		uint32_t number = follow->sets[i].number;
		uint32_t shown = follow->recipes->numbers[number];

		if (shown != NO_SET)
			follow->compiled->sets.items[shown] = follow->recipes->all.items[number];
	}
}

static void step_free(struct step *step)
{
	arena_free(&step->scratch);
}

bool follow_pod(struct follow *follow, uint32_t number, const struct pod *before)
{
	struct step step on_leave(step_free) = {
		.follow = follow,
		.before = before,
		.after = &follow->world->pods.items[number],
		.number = number,
	};

	step.pods = arena_alloc(&step.scratch, follow->world->sets.n + 1);
	step.sets = arena_alloc(&step.scratch, follow->recipes->all.n + 1);
	if (pod_takes_part(before))
		add_hosts(&step, before);
	if (pod_takes_part(step.after))
		add_hosts(&step, step.after);
	update_pod_sets(&step);
	/* A set comes behind those that it is made of. */
	for (uint32_t i = 0; step.hosts.n && i < follow->recipes->sets.n; i++)
		settle_set(&step, i);
	show(follow);
	return choices_hold(follow) && !world_limit(follow->world);
}

/* ---- what has changed ---- */

void follow_difference(const struct follow *follow, struct arena *arena,
		       struct difference *difference)
{
	*difference = (struct difference){ .from = follow->compiled, .to = follow->compiled };
	for (size_t i = 0; i < follow->n_sets; i++) {
		const struct followed *followed = &follow->sets[i];
		uint32_t shown = follow->recipes->numbers[followed->number];
		struct set_change change;

		if (shown == NO_SET)
			continue;
		set_change_of(&followed->before, &follow->compiled->sets.items[shown], arena,
			      &change);
		if (change.more.n || change.gone.n)
			*list_add(arena, &difference->sets) = change;
	}
}

void follow_settle(struct follow *follow)
{
	for (size_t i = 0; i < follow->n_sets; i++) {
		uint32_t number = follow->sets[i].number;

		if (follow->owned[number])
			free(follow->sets[i].before.elements.items);
		follow->owned[number] = true;
		follow->places[number] = 0;
	}
	follow->n_sets = 0;
}

void follow_revert(struct follow *follow)
{
	for (size_t i = 0; i < follow->n_sets; i++) {
		uint32_t shown = follow->recipes->numbers[follow->sets[i].number];

		if (shown != NO_SET)
			follow->compiled->sets.items[shown] = follow->sets[i].before;
	}
}

void follow_end(struct follow *follow)
{
	if (!follow->recipes)
		return;
	follow_settle(follow);
	for (size_t i = 0; i < follow->recipes->all.n; i++)
		if (follow->owned[i])
			free(follow->recipes->all.items[i].elements.items);
	free(follow->sets);
	*follow = (struct follow){ 0 };
}
