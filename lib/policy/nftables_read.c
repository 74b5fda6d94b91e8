/*
 * What the kernel has of our table, as the form that the compiler makes. Rules become clauses, and clauses rules again:
 * what is not the same then is not ours. Everything in the table that has no place in the layout is damage.
 */
#include "policy/nftables_reader.h"

#include <stdlib.h>
#include <sys/socket.h>

#include "base/text.h"
#include "policy/set.h"

#define READ_TRIES 8

/* ---- sets ---- */

/* The compiled set that a set of the kernel is part of, "cnibox-peers-0123456789abcdef4-nets"; NULL: of none. */
static struct set *set_of_part(struct netpol_reader *reader, const struct nft_set_info *info)
{
	struct compiled *compiled = &reader->found->compiled;
	size_t len = strcspn(info->name, "-") + 1;
	enum set_kind kind;
	const char *name;
	symbol_t number;

	if (!set_kind_of(info->name, &kind) || kind == SET_MEMBERS || kind == SET_SUBJECTS)
		return NULL;
	len += strcspn(info->name + len, "-") + 1 + NAME_HASH_LEN;
	name = arena_printf(reader->arena, "%.*s", (int)len, info->name);
	number = symbol_add(&compiled->names, name);
	if (number > compiled->sets.n)
		*list_add(reader->arena, &compiled->sets) =
			(struct set){ .name = name, .comment = info->comment, .kind = kind };
	return &compiled->sets.items[number - 1];
}

static bool part_named(struct netpol_reader *reader, const struct set *set, const char *name,
		       struct netpol_part *part)
{
	struct netpol_part parts[NETPOL_PARTS];
	unsigned n = netpol_parts(set, reader->arena, parts);

	for (unsigned i = 0; i < n; i++)
		if (streq(parts[i].set.name, name)) {
			*part = parts[i];
			return true;
		}
	return false;
}

static int read_part(struct netpol_reader *reader, const struct nft_set_info *info,
		     struct error *err)
{
	struct set *set = set_of_part(reader, info);
	struct netpol_part part;

	if (!set || !part_named(reader, set, info->name, &part) ||
	    !nft_set_is(info, NFT_INET, &part.set)) {
		netpol_damage(reader, info->name, "is no set of ours");
		return 0;
	}
	symbol_add(&reader->parts, info->name);
	return netpol_read_elements(reader, &part, set, err);
}

static bool is_layout_set(const struct nft_set_info *info)
{
	for (size_t i = 0; i < ARRAY_SIZE(netpol_families); i++) {
		struct nft_set own = netpol_own(netpol_families[i]);

		if (streq(info->name, own.name) && nft_set_is(info, NFT_INET, &own))
			return true;
		for (int direction = 0; direction < DIRECTIONS; direction++) {
			struct nft_set map =
				netpol_map((enum direction)direction, netpol_families[i]);

			if (streq(info->name, map.name) && nft_set_is(info, NFT_INET, &map))
				return true;
		}
	}
	return false;
}

static int read_set(struct netpol_reader *reader, const struct nft_set_info *info,
		    struct error *err)
{
	struct nft_set ports = netpol_ports_set(info->name);

	if (is_layout_set(info)) {
		symbol_add(&reader->parts, info->name);
		return 0; /* when the groups are known */
	}
	if (has_prefix(info->name, NETPOL_RANGES) && nft_set_is(info, NFT_INET, &ports))
		return netpol_read_ports(reader, info->name, err);
	return read_part(reader, info, err);
}

/* Every part has to be there. */
static void finish_sets(struct netpol_reader *reader)
{
	struct compiled *compiled = &reader->found->compiled;

	for (uint32_t i = 0; i < compiled->sets.n; i++) {
		struct netpol_part parts[NETPOL_PARTS];
		unsigned n = netpol_parts(&compiled->sets.items[i], reader->arena, parts);

		for (unsigned j = 0; j < n; j++)
			if (!symbol_find(&reader->parts, parts[j].set.name))
				netpol_damage(reader, parts[j].set.name, "is missing");
		set_finish(compiled, i);
		if (compiled->sets.items[i].kind == SET_KNOWN)
			compiled->known = i;
	}
}

/* ---- groups: members and pods to themselves ---- */

static struct group *group_named(struct netpol_reader *reader, const char *name)
{
	symbol_t number = symbol_find(&reader->groups, name);

	return number ? &reader->found->compiled.groups.items[number - 1] : NULL;
}

static void add_member(const struct nft_element *element, void *arg)
{
	struct netpol_reader *reader = arg;
	struct compiled *compiled = &reader->found->compiled;
	struct group *group = group_named(reader, element->chain);
	char text[IP_TEXT_SIZE];
	size_t at = 0;
	struct ip ip = nft_value_get_ip(&element->key, reader->family, &at);
	struct cidr cidr = cidr_host(&ip);

	if (!group || group->direction != reader->direction ||
	    element->verdict != NFT_VERDICT_JUMP) {
		netpol_damage(reader, reader->place,
			      arena_printf(reader->arena, "element %s does not lead to a group",
					   ip_format(&ip, text)));
		return;
	}
	set_add(compiled, group->members, &cidr, PROTOCOL_TCP, 0);
	set_add(compiled, compiled->subjects[group->direction], &cidr, PROTOCOL_TCP, 0);
}

static int read_map(struct netpol_reader *reader, enum direction direction, int family,
		    struct error *err)
{
	struct nft_set map = netpol_map(direction, family);

	reader->place = map.name;
	reader->family = family;
	reader->direction = direction;
	if (symbol_find(&reader->parts, map.name))
		return nft_each_element(reader->nl, NFT_INET, NETPOL_TABLE, map.name, reader->arena,
					add_member, reader, err);
	netpol_damage(reader, map.name, "is missing");
	return 0;
}

static void add_own(const struct nft_element *element, void *arg)
{
	struct netpol_reader *reader = arg;
	size_t at = 0;
	struct ip from = nft_value_get_ip(&element->key, reader->family, &at),
		  to = nft_value_get_ip(&element->key, reader->family, &at);
	struct cidr cidr = cidr_host(&from);

	if (ip_equal(&from, &to))
		set_add(&reader->own, 0, &cidr, PROTOCOL_TCP, 0);
	else
		netpol_damage(reader, reader->place, "an element is not from a pod to itself");
}

static int read_own(struct netpol_reader *reader, int family, struct error *err)
{
	struct nft_set own = netpol_own(family);

	reader->place = own.name;
	reader->family = family;
	if (symbol_find(&reader->parts, own.name))
		return nft_each_element(reader->nl, NFT_INET, NETPOL_TABLE, own.name, reader->arena,
					add_own, reader, err);
	netpol_damage(reader, own.name, "is missing");
	return 0;
}

static void compare_own(struct netpol_reader *reader)
{
	elements_t subjects, *own = &reader->own.sets.items[0].elements;
	bool same;

	netpol_subjects(&reader->found->compiled, reader->arena, &subjects);
	set_finish(&reader->own, 0);
	same = subjects.n == own->n;
	for (size_t i = 0; same && i < own->n; i++)
		same = !element_compare(&subjects.items[i], &own->items[i]);
	if (!same)
		netpol_damage(reader, "own4, own6", "elements are not the pods of the groups");
}

static int read_members(struct netpol_reader *reader, struct error *err)
{
	struct compiled *compiled = &reader->found->compiled;
	int r = 0;

	for (int direction = 0; direction < DIRECTIONS; direction++)
		for (size_t i = 0; i < ARRAY_SIZE(netpol_families) && r == 0; i++)
			r = read_map(reader, (enum direction)direction, netpol_families[i], err);
	for (size_t i = 0; i < ARRAY_SIZE(netpol_families) && r == 0; i++)
		r = read_own(reader, netpol_families[i], err);
	for (int direction = 0; direction < DIRECTIONS; direction++)
		set_finish(compiled, compiled->subjects[direction]);
	list_each(group, &compiled->groups)
		set_finish(compiled, group->members);
	if (r == 0)
		compare_own(reader);
	return r;
}

/* Chains that have the name of a group, before their rules are looked at. */
static void open_groups(struct netpol_reader *reader)
{
	struct compiled *compiled = &reader->found->compiled;
	bool fresh;

	for (int direction = 0; direction < DIRECTIONS; direction++) {
		compiled->subjects[direction] =
			set_open(compiled, SET_SUBJECTS, subjects_comments[direction], &fresh);
		list_each(chain, &reader->chains) {
			struct group *group;
			const char *members;

			if (symbol_find(&reader->groups, chain->name) ||
			    !has_prefix(chain->name, group_words[direction]) ||
			    strlen(chain->name) != strlen(group_words[direction]) + NAME_HASH_LEN)
				continue;
			members = set_name_of_group(SET_MEMBERS, chain->name, reader->arena);
			group = list_add(reader->arena, &compiled->groups);
			*group = (struct group){ .name = chain->name,
						 .comment = chain->comment,
						 .direction = (enum direction)direction };
			group->members = symbol_add(&compiled->names, members) - 1;
			*list_add(reader->arena, &compiled->sets) = (struct set){
				.name = members, .comment = chain->comment, .kind = SET_MEMBERS
			};
			symbol_add(&reader->groups, chain->name);
		}
	}
}

/* ---- all of it ---- */

static int read_lists(struct netpol_reader *reader, struct error *err)
{
	struct arena *arena = reader->arena;
	int r = nft_sets(reader->nl, NFT_INET, NETPOL_TABLE, arena, &reader->sets, err);

	if (r == 0)
		r = nft_chain_entries(reader->nl, NFT_INET, NETPOL_TABLE, arena, &reader->chains,
				      err);
	if (r == 0)
		r = nft_lines(reader->nl, NFT_INET, NETPOL_TABLE, arena, &reader->lines, err);
	if (r == 0)
		r = nft_counters(reader->nl, NFT_INET, NETPOL_TABLE, arena, &reader->counters, err);
	return r;
}

static int read_table(struct netpol_reader *reader, struct error *err)
{
	int r = read_lists(reader, err);

	for (size_t i = 0; i < reader->sets.n && r == 0; i++)
		r = read_set(reader, &reader->sets.items[i], err);
	if (r < 0)
		return r;
	finish_sets(reader);
	open_groups(reader);
	r = read_members(reader, err);
	if (r == 0)
		netpol_read_chains(reader);
	return r;
}

/* The generation tells whether anybody changed anything between the dumps. */
static int look(struct netlink *nl, bool there[2], uint32_t *generation, struct error *err)
{
	nft_queue_get_generation(nl, generation);
	nft_queue_find_table(nl, NFT_INET, NETPOL_TABLE, &there[0]);
	nft_queue_find_table(nl, NFT_INET, NETPOL_GUARD, &there[1]);
	return netlink_commit(nl, err);
}

static void start(struct netpol_reader *reader, struct netlink *nl, struct arena *arena,
		  struct found *found)
{
	*found = (struct found){ .compiled = { .arena = arena,
					       .names.arena = arena,
					       .known = NO_SET,
					       .subjects = { NO_SET, NO_SET } } };
	*reader = (struct netpol_reader){ .nl = nl,
					  .arena = arena,
					  .found = found,
					  .parts.arena = arena,
					  .groups.arena = arena,
					  .own.arena = arena };
	list_add(arena, &reader->own.sets);
}

int netpol_read_from(struct netlink *nl, struct arena *arena, struct found *found,
		     struct error *err)
{
	struct netpol_reader reader;
	uint32_t before = 0, after = 0;
	bool there[2] = { false, false };
	int r = look(nl, there, &before, err);

	for (unsigned i = 0; i < READ_TRIES && r == 0; i++) {
		start(&reader, nl, arena, found);
		found->present = there[0];
		if (there[1])
			netpol_damage(&reader, NETPOL_GUARD, "is left over");
		if (!there[0])
			return 0;
		r = read_table(&reader, err);
		if (r == 0)
			r = look(nl, there, &after, err);
		if (before == after)
			break;
		before = after;
	}
	return r;
}

int netpol_read(struct arena *arena, struct found *found, struct error *err)
{
	auto_netlink struct netlink *nl = NULL;
	int r = nft_open(&nl, err);

	return r < 0 ? r : netpol_read_from(nl, arena, found, err);
}
