/*
 * Sets, maps and their elements as messages of nf_tables: made, grown, shrunk and removed as a difference says. What may not
 * be there beside another yet waits for the end (nftables_write.c has the order of commits).
 */
#include "policy/nftables_writer.h"

#include "policy/set.h"

/* ---- sets ---- */

/* As long as anybody on the machine, in whatever namespace, listens to nf_tables, the kernel holds some 4 KiB for each element of a
 * transaction until its end: half a million in one took 2 GB, and 10 s of CPU in place of one. */
#define TURN_SIZE (128 << 10)

static int commit_many(struct netpol_writer *writer, struct nft_fill *fill, struct error *err)
{
	if (writer->whole || netlink_queued_size(writer->nl) < TURN_SIZE)
		return 0;
	nft_fill_end(fill);
	return netlink_commit(writer->nl, err);
}

static int fill_part(struct netpol_writer *writer, const struct netpol_part *part,
		     const elements_t *elements, bool gone, struct error *err)
{
	struct nft_fill fill = { .nl = writer->nl,
				 .family = NFT_INET,
				 .table = writer->table,
				 .set = &part->set,
				 .gone = gone };
	int r = 0;

	for (size_t i = 0; i < elements->n && r == 0; i++)
		if (netpol_has(part, &elements->items[i])) {
			struct nft_element out = netpol_element(part, &elements->items[i]);

			nft_fill_add(&fill, &out);
			r = commit_many(writer, &fill, err);
		}
	nft_fill_end(&fill);
	return r;
}

static void create_set(struct netpol_writer *writer, const struct nft_set *set)
{
	nft_queue_set(writer->nl, NFT_INET, writer->table, set);
	if (!writer->anew)
		nft_queue_flush_set(writer->nl, NFT_INET, writer->table, set->name);
}

int netpol_add_set(struct netpol_writer *writer, const struct set *set, struct error *err)
{
	struct netpol_part parts[NETPOL_PARTS];
	unsigned n = netpol_parts(set, writer->arena, parts);
	int r = 0;

	for (unsigned i = 0; i < n && r == 0; i++) {
		create_set(writer, &parts[i].set);
		r = fill_part(writer, &parts[i], &set->elements, false, err);
	}
	return r;
}

static bool is_host(const struct element *element)
{
	return element->cidr.prefix == ip_bits(&element->cidr.ip);
}

/* Among ranges none may overlap: it has to wait for one that goes. */
static bool has_to_wait(const struct element *element, const elements_t *gone)
{
	if (is_host(element))
		return false;
	list_each(other, gone)
		if (!is_host(other) && other->protocol == element->protocol &&
		    other->port == element->port && cidr_overlaps(&other->cidr, &element->cidr))
			return true;
	return false;
}

static void split(const struct netpol_writer *writer, const struct set_change *change,
		  elements_t *now, elements_t *later)
{
	list_each(element, &change->more)
		*list_add(writer->arena, has_to_wait(element, &change->gone) ? later : now) =
			*element;
}

/* All parts of a set that is there. */
static int fill_parts(struct netpol_writer *writer, const struct set *set,
		      const elements_t *elements, bool gone, struct error *err)
{
	struct netpol_part parts[NETPOL_PARTS];
	unsigned n = netpol_parts(set, writer->arena, parts);
	int r = 0;

	for (unsigned i = 0; i < n && r == 0; i++)
		r = fill_part(writer, &parts[i], elements, gone, err);
	return r;
}

static int grow_set(struct netpol_writer *writer, const struct set_change *change,
		    struct error *err)
{
	elements_t now = { 0 }, later = { 0 };

	split(writer, change, &now, &later);
	return fill_parts(writer, change->to, &now, false, err);
}

static int shrink_set(struct netpol_writer *writer, const struct set_change *change,
		      struct error *err)
{
	elements_t now = { 0 }, later = { 0 };
	int r;

	split(writer, change, &now, &later);
	writer->whole = later.n > 0;
	r = fill_parts(writer, change->to, &change->gone, true, err);
	if (r == 0)
		r = fill_parts(writer, change->to, &later, false, err);
	writer->whole = false;
	return r;
}

void netpol_del_set(struct netpol_writer *writer, const struct set *set)
{
	struct netpol_part parts[NETPOL_PARTS];
	unsigned n = netpol_parts(set, writer->arena, parts);

	for (unsigned i = 0; i < n; i++)
		nft_queue_del_set(writer->nl, NFT_INET, writer->table, parts[i].set.name);
}

void netpol_add_ports(struct netpol_writer *writer, const struct netpol_ports *ports)
{
	struct nft_set set = netpol_ports_set(ports->name);
	struct nft_fill fill = {
		.nl = writer->nl, .family = NFT_INET, .table = writer->table, .set = &set
	};

	nft_queue_set(writer->nl, NFT_INET, writer->table, &set); /* its name says what is in it */
	list_each(range, ports->ranges) {
		struct nft_element element = { .verdict = 0 };

		nft_value_port(&element.key, range->first);
		nft_value_port(&element.last, range->last);
		nft_fill_add(&fill, &element);
	}
	nft_fill_end(&fill);
}

/* ---- verdict maps ---- */

/* group: NULL = elements go. */
static void fill_map(struct netpol_writer *writer, enum direction direction,
		     const struct group *group, const elements_t *elements)
{
	for (size_t i = 0; i < ARRAY_SIZE(netpol_families); i++) {
		struct nft_set map = netpol_map(direction, netpol_families[i]);
		struct nft_fill fill = { .nl = writer->nl,
					 .family = NFT_INET,
					 .table = writer->table,
					 .set = &map,
					 .gone = !group };

		list_each(element, elements) {
			struct nft_element out = { .verdict = NFT_VERDICT_JUMP,
						   .chain = group ? group->name : "" };

			if (element->cidr.ip.family != netpol_families[i])
				continue;
			nft_value_ip(&out.key, &element->cidr.ip);
			nft_fill_add(&fill, &out);
		}
		nft_fill_end(&fill);
	}
}

/* Whose members these are. */
static const struct group *group_of(const struct compiled *compiled, const struct set *set)
{
	list_each(group, &compiled->groups)
		if (&compiled->sets.items[group->members] == set)
			return group;
	return NULL;
}

void netpol_change_maps(struct netpol_writer *writer)
{
	const struct difference *difference = writer->difference;
	const struct group *group;

	list_each(set, &difference->old_sets)
		if ((*set)->kind == SET_MEMBERS && (group = group_of(difference->from, *set)))
			fill_map(writer, group->direction, NULL, &(*set)->elements);
	list_each(change, &difference->sets)
		if (change->to->kind == SET_MEMBERS &&
		    (group = group_of(difference->from, change->from)))
			fill_map(writer, group->direction, NULL, &change->gone);
	list_each(set, &difference->new_sets)
		if ((*set)->kind == SET_MEMBERS && (group = group_of(difference->to, *set)))
			fill_map(writer, group->direction, group, &(*set)->elements);
	list_each(change, &difference->sets)
		if (change->to->kind == SET_MEMBERS &&
		    (group = group_of(difference->to, change->to)))
			fill_map(writer, group->direction, group, &change->more);
}

/* ---- pods to themselves ---- */

static void fill_own(struct netpol_writer *writer, const elements_t *elements, bool gone)
{
	for (size_t i = 0; i < ARRAY_SIZE(netpol_families); i++) {
		struct nft_set own = netpol_own(netpol_families[i]);
		struct nft_fill fill = { .nl = writer->nl,
					 .family = NFT_INET,
					 .table = writer->table,
					 .set = &own,
					 .gone = gone };

		list_each(element, elements) {
			struct nft_element out = { .verdict = 0 };

			if (element->cidr.ip.family != netpol_families[i])
				continue;
			nft_value_ip(&out.key, &element->cidr.ip);
			nft_value_ip(&out.key, &element->cidr.ip);
			nft_fill_add(&fill, &out);
		}
		nft_fill_end(&fill);
	}
}

static void change_own(struct netpol_writer *writer, bool grow)
{
	elements_t from, to, more = { 0 }, gone = { 0 };
	size_t i = 0, j = 0;

	netpol_subjects(writer->difference->from, writer->arena, &from);
	netpol_subjects(writer->difference->to, writer->arena, &to);
	while (i < from.n || j < to.n) {
		int order = i == from.n ? 1
			    : j == to.n ? -1
					: element_compare(&from.items[i], &to.items[j]);

		if (order < 0)
			*list_add(writer->arena, &gone) = from.items[i];
		else if (order > 0)
			*list_add(writer->arena, &more) = to.items[j];
		i += order <= 0;
		j += order >= 0;
	}
	fill_own(writer, grow ? &more : &gone, !grow);
}

/* ---- all of them ---- */

void netpol_add_layout(struct netpol_writer *writer)
{
	for (size_t i = 0; i < ARRAY_SIZE(netpol_families); i++) {
		struct nft_set own = netpol_own(netpol_families[i]);

		create_set(writer, &own);
		for (int direction = 0; direction < DIRECTIONS; direction++) {
			struct nft_set map =
				netpol_map((enum direction)direction, netpol_families[i]);

			create_set(writer, &map);
		}
	}
}

void netpol_fill_layout(struct netpol_writer *writer)
{
	const struct compiled *compiled = writer->difference->to;
	elements_t subjects;

	list_each(group, &compiled->groups)
		fill_map(writer, group->direction, group,
			 &compiled->sets.items[group->members].elements);
	netpol_subjects(compiled, writer->arena, &subjects);
	fill_own(writer, &subjects, false);
}

int netpol_grow_sets(struct netpol_writer *writer, struct error *err)
{
	const struct difference *difference = writer->difference;
	int r = 0;

	for (size_t i = 0; i < difference->new_sets.n && r == 0; i++)
		r = netpol_add_set(writer, difference->new_sets.items[i], err);
	for (size_t i = 0; i < difference->sets.n && r == 0; i++)
		r = grow_set(writer, &difference->sets.items[i], err);
	change_own(writer, true);
	return r;
}

int netpol_shrink_sets(struct netpol_writer *writer, struct error *err)
{
	int r = 0;

	for (size_t i = 0; i < writer->difference->sets.n && r == 0; i++)
		r = shrink_set(writer, &writer->difference->sets.items[i], err);
	change_own(writer, false);
	return r;
}
