/*
 * A difference while it is written: shared by nftables_write.c and nftables_write_sets.c. Each function queues messages; those that
 * may queue many elements commit when there are too many of them for one transaction.
 */
#ifndef POLICY_NFTABLES_WRITER_H
#define POLICY_NFTABLES_WRITER_H

#include "policy/nftables.h"

struct netpol_writer {
	struct netlink *nl;
	const struct difference *difference;
	const struct treatment *treatment;
	struct arena *arena;
	const char *table;
	bool anew;  /* the table is new: nothing needs to be emptied */
	bool whole; /* what is queued now must not be divided */
};

int netpol_add_set(struct netpol_writer *writer, const struct set *set,
		   struct error *err) must_check;
void netpol_del_set(struct netpol_writer *writer, const struct set *set);
void netpol_add_ports(struct netpol_writer *writer, const struct netpol_ports *ports);
/* Maps and sets that are there whatever the policies are. */
void netpol_add_layout(struct netpol_writer *writer);
/* All members of all groups, and pods to themselves, into those. */
void netpol_fill_layout(struct netpol_writer *writer);

/* Of the difference: what is added first, what changes with the rules, and what goes, or comes in place of that, last. */
int netpol_grow_sets(struct netpol_writer *writer, struct error *err) must_check;
void netpol_change_maps(struct netpol_writer *writer);
int netpol_shrink_sets(struct netpol_writer *writer, struct error *err) must_check;

#endif
