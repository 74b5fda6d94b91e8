/* The nested data that a kind of link takes at its creation; inside lib/kernel only. */
#ifndef KERNEL_LINK_KINDS_H
#define KERNEL_LINK_KINDS_H

#include "kernel/link.h"

struct nlattr;

/* Put IFLA_LINKINFO: the kind and, for those with a fill function, its data. */
void link_put_kind(struct nl_msg *msg, const struct link_spec *spec);

/* IFLA_INFO_DATA read back into *link, whose kind is known. */
void link_read_kind(const struct nlattr *data, struct link *link);
/* The module that brings a kind. */
const char *link_kind_module(const char *kind);

/* Number of transmit and receive queues; 0 = the kernel's default. */
void link_put_queues(struct nl_msg *msg, unsigned queues);

#endif
