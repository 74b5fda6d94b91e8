/* The nested data that a kind of link takes at its creation; inside lib/kernel only. */
#ifndef KERNEL_LINK_KINDS_H
#define KERNEL_LINK_KINDS_H

#include "kernel/link.h"

/* Put IFLA_LINKINFO: the kind and, for those with a fill function, its data. */
void link_put_kind(struct nl_msg *msg, const struct link_spec *spec);

/* Number of transmit and receive queues; 0 = the kernel's default. */
void link_put_queues(struct nl_msg *msg, unsigned queues);

#endif
