/*
 * A difference as transactions of nf_tables; what is not different stays as it is, its counters too. Elements alone are one.
 * When rules change they are three: a packet that is on its way during a commit goes on by the old rules, but looks at
 * sets and maps as they are after it, so first what is new is added, then rules and maps change, then what is old goes.
 * Where the kernel says that it is not what it was when it was read, or it was damaged, the table is made anew, in one
 * transaction; while it is replaced, one that is complete already stands guard beside it: a packet that has passed the new base chain
 * before the commit and comes to the old one after it finds neither with rules.
 */
#include "policy/nftables.h"

#include <errno.h>
#include <stdlib.h>

#include "policy/set.h"

#define TRIES 8

struct writer {
	struct netlink *nl;
	const struct difference *difference;
	const struct treatment *treatment;
	struct arena *arena;
	const char *table;
	bool anew; /* the table is new: nothing needs to be emptied */
};

/* ---- sets ---- */

static void fill_part(struct writer *writer, const struct netpol_part *part,
		      const elements_t *elements, bool gone)
{
	struct nft_fill fill = { .nl = writer->nl,
				 .family = NFT_INET,
				 .table = writer->table,
				 .set = &part->set,
				 .gone = gone };

	list_each(element, elements)
		if (netpol_has(part, element)) {
			struct nft_element out = netpol_element(part, element);

			nft_fill_add(&fill, &out);
		}
	nft_fill_end(&fill);
}

static void create_set(struct writer *writer, const struct nft_set *set)
{
	nft_queue_set(writer->nl, NFT_INET, writer->table, set);
	if (!writer->anew)
		nft_queue_flush_set(writer->nl, NFT_INET, writer->table, set->name);
}

static void add_set(struct writer *writer, const struct set *set)
{
	struct netpol_part parts[NETPOL_PARTS];
	unsigned n = netpol_parts(set, writer->arena, parts);

	for (unsigned i = 0; i < n; i++) {
		create_set(writer, &parts[i].set);
		fill_part(writer, &parts[i], &set->elements, false);
	}
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

static void split(const struct writer *writer, const struct set_change *change, elements_t *now,
		  elements_t *later)
{
	list_each(element, &change->more)
		*list_add(writer->arena, has_to_wait(element, &change->gone) ? later : now) =
			*element;
}

static void grow_set(struct writer *writer, const struct set_change *change)
{
	struct netpol_part parts[NETPOL_PARTS];
	unsigned n = netpol_parts(change->to, writer->arena, parts);
	elements_t now = { 0 }, later = { 0 };

	split(writer, change, &now, &later);
	for (unsigned i = 0; i < n; i++)
		fill_part(writer, &parts[i], &now, false);
}

static void shrink_set(struct writer *writer, const struct set_change *change)
{
	struct netpol_part parts[NETPOL_PARTS];
	unsigned n = netpol_parts(change->to, writer->arena, parts);
	elements_t now = { 0 }, later = { 0 };

	split(writer, change, &now, &later);
	for (unsigned i = 0; i < n; i++)
		fill_part(writer, &parts[i], &change->gone, true);
	for (unsigned i = 0; i < n; i++)
		fill_part(writer, &parts[i], &later, false);
}

static void del_set(struct writer *writer, const struct set *set)
{
	struct netpol_part parts[NETPOL_PARTS];
	unsigned n = netpol_parts(set, writer->arena, parts);

	for (unsigned i = 0; i < n; i++)
		nft_queue_del_set(writer->nl, NFT_INET, writer->table, parts[i].set.name);
}

static void add_ports(struct writer *writer, const struct netpol_ports *ports)
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
static void fill_map(struct writer *writer, enum direction direction, const struct group *group,
		     const elements_t *elements)
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

static void change_maps(struct writer *writer)
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

static void fill_own(struct writer *writer, const elements_t *elements, bool gone)
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

static void change_own(struct writer *writer, bool grow)
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

/* ---- chains ---- */

static struct netpol_plan new_plan(const struct writer *writer, const struct compiled *compiled)
{
	return (struct netpol_plan){ .compiled = compiled,
				     .treatment = writer->treatment,
				     .arena = writer->arena };
}

static void queue_plan(struct writer *writer, const struct netpol_plan *plan)
{
	list_each(counter, &plan->counters)
		nft_queue_counter(writer->nl, NFT_INET, writer->table, *counter);
	list_each(ports, &plan->ports)
		add_ports(writer, ports);
	list_each(chain, &plan->chains) {
		struct nft_chain out = { .name = chain->name,
					 .comment = chain->comment,
					 .type = chain->base ? "filter" : NULL,
					 .hook = NFT_FORWARD,
					 .accept_policy = chain->base };

		nft_queue_chain(writer->nl, NFT_INET, writer->table, &out);
		if (!writer->anew)
			nft_queue_flush_chain(writer->nl, NFT_INET, writer->table, chain->name);
	}
	list_each(line, &plan->lines)
		nft_queue_line(writer->nl, NFT_INET, writer->table, line);
}

static void del_chain(struct writer *writer, const char *name)
{
	nft_queue_flush_chain(writer->nl, NFT_INET, writer->table, name);
	nft_queue_del_chain(writer->nl, NFT_INET, writer->table, name);
}

static void del_group(struct writer *writer, const struct group *group)
{
	del_chain(writer, group->name);
	if (group->admin.n)
		del_chain(writer, netpol_chain_of(group, NETPOL_NEXT, writer->arena));
	del_chain(writer, netpol_chain_of(group, NETPOL_DENY, writer->arena));
	nft_queue_del_counter(writer->nl, NFT_INET, writer->table, group->name);
}

static void plan_fresh_group(struct netpol_plan *plan, const struct group *group)
{
	netpol_plan_denial(plan, group->name, group->comment);
	netpol_plan_group(plan, group);
}

static void add_groups(struct writer *writer)
{
	struct netpol_plan plan = new_plan(writer, writer->difference->to);

	list_each(group, &writer->difference->new_groups)
		plan_fresh_group(&plan, *group);
	queue_plan(writer, &plan);
}

static void change_groups(struct writer *writer)
{
	const struct difference *difference = writer->difference;
	struct netpol_plan plan = new_plan(writer, difference->to);

	list_each(change, &difference->groups)
		netpol_plan_group(&plan, change->to);
	if (difference->closed)
		netpol_plan_forward(&plan);
	queue_plan(writer, &plan);
	list_each(change, &difference->groups)
		if (change->from->admin.n && !change->to->admin.n)
			del_chain(writer, netpol_chain_of(change->to, NETPOL_NEXT, writer->arena));
}

/* Ranges of ports that no group asks for any more. */
static void del_ports(struct writer *writer)
{
	const struct difference *difference = writer->difference;
	struct netpol_plan old = new_plan(writer, difference->from),
			   new = new_plan(writer, difference->to);
	struct symbols kept = { .arena = writer->arena };

	list_each(group, &difference->old_groups)
		netpol_plan_group(&old, *group);
	list_each(change, &difference->groups)
		netpol_plan_group(&old, change->from);
	if (!old.ports.n)
		return;
	list_each(group, &difference->to->groups)
		netpol_plan_group(&new, group);
	list_each(ports, &new.ports)
		symbol_add(&kept, ports->name);
	list_each(ports, &old.ports)
		if (!symbol_find(&kept, ports->name))
			nft_queue_del_set(writer->nl, NFT_INET, writer->table, ports->name);
}

/* ---- the transactions ---- */

static void queue_growth(struct writer *writer)
{
	list_each(set, &writer->difference->new_sets)
		add_set(writer, *set);
	list_each(change, &writer->difference->sets)
		grow_set(writer, change);
	change_own(writer, true);
	add_groups(writer);
}

static void queue_change(struct writer *writer)
{
	change_groups(writer);
	change_maps(writer);
}

static void queue_end(struct writer *writer)
{
	list_each(change, &writer->difference->sets)
		shrink_set(writer, change);
	change_own(writer, false);
	list_each(group, &writer->difference->old_groups)
		del_group(writer, *group);
	list_each(set, &writer->difference->old_sets)
		del_set(writer, *set);
	del_ports(writer);
}

static bool changes_rules(const struct difference *difference)
{
	list_each(change, &difference->sets)
		if (change->to->kind == SET_MEMBERS)
			return true;
	return difference->closed || difference->groups.n || difference->new_groups.n ||
	       difference->old_groups.n;
}

static int write_difference(struct writer *writer, struct error *err)
{
	bool apart = changes_rules(writer->difference);
	int r = 0;

	queue_growth(writer);
	if (apart)
		r = netlink_commit(writer->nl, err);
	if (r < 0)
		return r;
	queue_change(writer);
	if (apart)
		r = netlink_commit(writer->nl, err);
	if (r < 0)
		return r;
	queue_end(writer);
	return netlink_commit(writer->nl, err);
}

/* A table that is there is gone with the same commit. */
static void queue_anew(struct writer *writer)
{
	static const char comment[] = "NetworkPolicies of cnibox";
	const struct compiled *compiled = writer->difference->to;
	struct netpol_plan plan = new_plan(writer, compiled);
	elements_t subjects;

	writer->anew = true;
	nft_queue_table(writer->nl, NFT_INET, writer->table, comment);
	nft_queue_del_table(writer->nl, NFT_INET, writer->table);
	nft_queue_table(writer->nl, NFT_INET, writer->table, comment);
	for (size_t i = 0; i < ARRAY_SIZE(netpol_families); i++) {
		struct nft_set own = netpol_own(netpol_families[i]);

		create_set(writer, &own);
		for (int direction = 0; direction < DIRECTIONS; direction++) {
			struct nft_set map =
				netpol_map((enum direction)direction, netpol_families[i]);

			create_set(writer, &map);
		}
	}
	list_each(set, &compiled->sets)
		add_set(writer, set);
	netpol_plan_around(&plan);
	list_each(group, &compiled->groups)
		plan_fresh_group(&plan, group);
	queue_plan(writer, &plan);
	list_each(group, &compiled->groups)
		fill_map(writer, group->direction, group,
			 &compiled->sets.items[group->members].elements);
	netpol_subjects(compiled, writer->arena, &subjects);
	fill_own(writer, &subjects, false);
}

/* The kernel's words for a table that is not what was read, and for a commit that has to be tried again. */
static bool is_other_now(int r)
{
	return r == -ENOENT || r == -EEXIST || r == -EBUSY || r == -ENOTEMPTY || r == -ERESTART ||
	       r == -EAGAIN || r == -EINTR;
}

static int write_table(struct writer *writer, const char *table, struct error *err)
{
	int r = -EAGAIN;

	writer->table = table;
	for (unsigned i = 0; i < TRIES && is_other_now(r); i++) {
		if (err)
			*err = (struct error){ 0 };
		queue_anew(writer);
		r = netlink_commit(writer->nl, err);
	}
	return r;
}

static int remove_guard(struct writer *writer, struct error *err)
{
	nft_queue_del_table(writer->nl, NFT_INET, NETPOL_GUARD);
	netlink_tolerate(writer->nl, ENOENT);
	return netlink_commit(writer->nl, err);
}

static int write_anew(struct writer *writer, struct error *err)
{
	const struct compiled *from = writer->difference->from;
	bool guarded = from->sets.n || from->groups.n;
	struct error why = { 0 };
	int r = guarded ? write_table(writer, NETPOL_GUARD, err) : 0, removed;

	if (r < 0)
		return r;
	r = write_table(writer, NETPOL_TABLE, err);
	removed = remove_guard(writer, r < 0 ? &why : err);
	return r < 0 ? r : removed;
}

int netpol_write(const struct difference *difference, const struct treatment *treatment,
		 struct error *err)
{
	auto_arena struct arena arena = { 0 };
	auto_netlink struct netlink *nl = NULL;
	struct writer writer = { .difference = difference,
				 .treatment = treatment,
				 .arena = &arena,
				 .table = NETPOL_TABLE };
	int r;

	if (difference_is_empty(difference))
		return 0;
	r = nft_open(&nl, err);
	if (r < 0)
		return r;
	writer.nl = nl;
	if (!difference->damaged && difference->from->sets.n) {
		r = write_difference(&writer, err);
		if (!is_other_now(r))
			return r;
	}
	return write_anew(&writer, err);
}
