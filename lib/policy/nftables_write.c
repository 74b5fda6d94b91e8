/*
 * A difference as transactions of nf_tables; what is not different stays as it is, its counters too. Elements alone are one.
 * When rules change they are three: a packet that is on its way during a commit goes on by the old rules, but looks at
 * sets and maps as they are after it, and those of ranges find what is new a moment later than rules are in force; so first what is
 * new is added, then rules and maps change, then what is old goes.
 * Where the kernel says that it is not what it was when it was read, or it was damaged, the table is made anew, hooked in with its
 * last commit; while it is replaced, one that is complete already stands guard beside it, and there is no moment without rules for a
 * packet on its way.
 */
#include "policy/nftables_writer.h"

#include <errno.h>

#define TRIES 8

/* ---- chains ---- */

static struct netpol_plan new_plan(const struct netpol_writer *writer,
				   const struct compiled *compiled)
{
	return (struct netpol_plan){ .compiled = compiled,
				     .treatment = writer->treatment,
				     .arena = writer->arena };
}

static void queue_ports(struct netpol_writer *writer, const struct netpol_plan *plan)
{
	list_each(ports, &plan->ports)
		netpol_add_ports(writer, ports);
}

static void queue_plan(struct netpol_writer *writer, const struct netpol_plan *plan)
{
	list_each(counter, &plan->counters)
		nft_queue_counter(writer->nl, NFT_INET, writer->table, *counter);
	queue_ports(writer, plan);
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

static void del_chain(struct netpol_writer *writer, const char *name)
{
	nft_queue_flush_chain(writer->nl, NFT_INET, writer->table, name);
	nft_queue_del_chain(writer->nl, NFT_INET, writer->table, name);
}

static void del_group(struct netpol_writer *writer, const struct group *group)
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

static void add_groups(struct netpol_writer *writer)
{
	struct netpol_plan plan = new_plan(writer, writer->difference->to);

	list_each(group, &writer->difference->new_groups)
		plan_fresh_group(&plan, *group);
	queue_plan(writer, &plan);
}

/* What changed groups will ask for. */
static void add_ports_of_changes(struct netpol_writer *writer)
{
	struct netpol_plan plan = new_plan(writer, writer->difference->to);

	list_each(change, &writer->difference->groups)
		netpol_plan_group(&plan, change->to);
	queue_ports(writer, &plan);
}

static void change_groups(struct netpol_writer *writer)
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
static void del_ports(struct netpol_writer *writer)
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

static void queue_change(struct netpol_writer *writer)
{
	change_groups(writer);
	netpol_change_maps(writer);
}

static void queue_end(struct netpol_writer *writer)
{
	list_each(group, &writer->difference->old_groups)
		del_group(writer, *group);
	list_each(set, &writer->difference->old_sets)
		netpol_del_set(writer, *set);
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

static int write_difference(struct netpol_writer *writer, struct error *err)
{
	bool apart = changes_rules(writer->difference);
	int r = netpol_grow_sets(writer, err);

	if (r < 0)
		return r;
	add_groups(writer);
	add_ports_of_changes(writer);
	if (apart)
		r = netlink_commit(writer->nl, err);
	if (r < 0)
		return r;
	queue_change(writer);
	if (apart)
		r = netlink_commit(writer->nl, err);
	if (r == 0)
		r = netpol_shrink_sets(writer, err);
	if (r < 0)
		return r;
	queue_end(writer);
	return netlink_commit(writer->nl, err);
}

/* The first commit takes away a table that is there, and has sets; then come what asks for them, and last the hook: sets of ranges
 * find nothing until a moment after their commit. */
static int build_anew(struct netpol_writer *writer, struct error *err)
{
	static const char comment[] = "NetworkPolicies of cnibox";
	const struct compiled *compiled = writer->difference->to;
	struct netpol_plan plan = new_plan(writer, compiled), hook = plan;
	int r = 0;

	writer->anew = true;
	nft_queue_table(writer->nl, NFT_INET, writer->table, comment);
	nft_queue_del_table(writer->nl, NFT_INET, writer->table);
	nft_queue_table(writer->nl, NFT_INET, writer->table, comment);
	netpol_add_layout(writer);
	for (size_t i = 0; i < compiled->sets.n && r == 0; i++)
		r = netpol_add_set(writer, &compiled->sets.items[i], err);
	if (r < 0)
		return r;
	netpol_plan_ends(&plan);
	list_each(group, &compiled->groups)
		plan_fresh_group(&plan, group);
	queue_plan(writer, &plan);
	netpol_fill_layout(writer);
	r = netlink_commit(writer->nl, err);
	if (r < 0)
		return r;
	netpol_plan_forward(&hook);
	queue_plan(writer, &hook);
	return netlink_commit(writer->nl, err);
}

/* The kernel's words for a table that is not what was read, and for a commit that has to be tried again. */
static bool is_other_now(int r)
{
	return r == -ENOENT || r == -EEXIST || r == -EBUSY || r == -ENOTEMPTY || r == -ERESTART ||
	       r == -EAGAIN || r == -EINTR;
}

static int write_table(struct netpol_writer *writer, const char *table, struct error *err)
{
	int r = -EAGAIN;

	writer->table = table;
	for (unsigned i = 0; i < TRIES && is_other_now(r); i++) {
		if (err)
			*err = (struct error){ 0 };
		netlink_discard(writer->nl);
		r = build_anew(writer, err);
	}
	return r;
}

static int remove_guard(struct netpol_writer *writer, struct error *err)
{
	nft_queue_del_table(writer->nl, NFT_INET, NETPOL_GUARD);
	netlink_tolerate(writer->nl, ENOENT);
	return netlink_commit(writer->nl, err);
}

/* Its hook comes last, and goes first. */
static bool is_complete(struct netpol_writer *writer, const char *table)
{
	bool there = false;

	nft_queue_find_chain(writer->nl, NFT_INET, table, "forward", &there);
	return netlink_commit(writer->nl, NULL) == 0 && there;
}

/* One that somebody left guards still. It goes when the table is complete, be it the old one. */
static int write_anew(struct netpol_writer *writer, struct error *err)
{
	const struct compiled *from = writer->difference->from;
	bool guarded = (from->sets.n || from->groups.n) && !is_complete(writer, NETPOL_GUARD);
	struct error why = { 0 };
	int r = guarded ? write_table(writer, NETPOL_GUARD, err) : 0, removed = 0;

	if (r < 0)
		return r;
	r = write_table(writer, NETPOL_TABLE, err);
	if (r == 0 || is_complete(writer, NETPOL_TABLE))
		removed = remove_guard(writer, r < 0 ? &why : err);
	return r < 0 ? r : removed;
}

int netpol_write(const struct difference *difference, const struct treatment *treatment,
		 struct error *err)
{
	auto_arena struct arena arena = { 0 };
	auto_netlink struct netlink *nl = NULL;
	struct netpol_writer writer = { .difference = difference,
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
