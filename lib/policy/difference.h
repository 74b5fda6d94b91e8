/*
 * What has to change to bring a node from one compiled form to another. Both have the same names for the same things, so
 * it does not matter whether the first was compiled a moment ago or read back from the kernel (backend.h).
 */
#ifndef POLICY_DIFFERENCE_H
#define POLICY_DIFFERENCE_H

#include "policy/compiled.h"

/* Of a set that stays: elements that come and go. */
struct set_change {
	const struct set *from, *to;
	elements_t more, gone;
};

/* Of a group that stays: its clauses are others. */
struct group_change {
	const struct group *from, *to;
};

struct difference {
	const struct compiled *from, *to;
	LIST(const struct set *) new_sets, old_sets; /* of to; of from */
	LIST(struct set_change) sets;
	LIST(const struct group *) new_groups, old_groups;
	LIST(struct group_change) groups;
	bool closed;  /* the closed addresses are others */
	bool damaged; /* what stands around sets and groups has to be written again (struct found) */
};

/* Borrows from both, whose sets are in order (set_finish). The order of what a group allows is no difference. */
void difference_of(const struct compiled *from, const struct compiled *to, struct arena *arena,
		   struct difference *difference);
/* Both are sorted; what is equal in both is in neither list. */
void set_change_of(const struct set *from, const struct set *to, struct arena *arena,
		   struct set_change *change);
bool difference_is_empty(const struct difference *difference);

#endif
