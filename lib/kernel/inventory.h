/* Every network namespace of this node with what is in it: links and addresses. For tools that show or judge the whole. */
#ifndef KERNEL_INVENTORY_H
#define KERNEL_INVENTORY_H

#include "kernel/addr.h"
#include "kernel/link.h"
#include "kernel/netns.h"

struct inventory_item {
	struct netns_info info;
	const char *name; /* its name, else "pid 12", else its path */
	bool unseen;      /* it could not be looked into */
	links_t links;
	addrs_t addrs;
};
typedef LIST(struct inventory_item) inventory_t;

/* A namespace that is gone by now, or that is another user's, is there without links. */
int inventory_read(struct arena *arena, inventory_t *inventory, struct error *err) must_check;

#endif
