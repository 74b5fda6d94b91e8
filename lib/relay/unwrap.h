/*
 * Where the relay's segments lose the mark of the tunnel they came through, so that bridges pass them on whole
 * (kernel/tunnel_program.h): a pair of links of our own, a route of the device that unwraps what the program for the way in has
 * wrapped and sends it to the first of them, and the program that gives it to the device there. All of it stays when the agent
 * ends, as the other programs do.
 */
#ifndef RELAY_UNWRAP_H
#define RELAY_UNWRAP_H

#include "kernel/netlink.h"
#include "kernel/tunnel_program.h"

struct unwrap {
	char device[16];
	int device_index, index; /* index: of the first link */
	struct mac from, to;     /* the links' */
	int programs[2];         /* IPv4, IPv6; -1 = not this family */
};

/* For a device that is there: the links, which are made where they are missing. The error says what this node lacks. */
int unwrap_open(struct unwrap *unwrap, struct netlink *nl, const char *device, int device_index,
		struct error *err) must_check;
void unwrap_close(struct unwrap *unwrap); /* what is in place stays */
/* The programs at the first link's hook, by family: unwrap's from then on. */
int unwrap_load(struct unwrap *unwrap, const struct tunnel_program *program,
		struct error *err) must_check;
/* All of it is in place. */
int unwrap_ensure(struct unwrap *unwrap, struct netlink *nl, struct error *err) must_check;
bool unwrap_is_link(const struct unwrap *unwrap, int index);
void unwrap_queue_remove(struct netlink *nl); /* of any agent of this node */

#endif
