/* One network namespace of a scene (scene.h): what is in it, and what a person types to get at it. */
#ifndef NODE_PLACE_H
#define NODE_PLACE_H

#include "cni/cache.h"
#include "kernel/addr.h"
#include "kernel/fdb.h"
#include "kernel/link.h"
#include "kernel/neigh.h"
#include "kernel/netns.h"
#include "kernel/qdisc.h"

struct filter;
struct fib_rules; /* kernel/fib.h */

/* One namespace. */
struct place {
	const struct netns_info *info;
	const char *
		name; /* "host": the one that we are in; else its name, container's id, or first process */
	links_t links;
	addrs_t addrs;
	const struct cached *attachment; /* of a runtime's, the first; NULL = none is remembered */
	/* From scene_enter() on: */
	int fd;
	struct netlink *nl; /* NULL = not entered */
	neighs_t neighs;
	fdbs_t fdbs;
	link_vlans_t vlans;
	struct fib_rules *rules;
	qdiscs_t qdiscs;       /* none where the kernel has no such thing */
	struct filter *filter; /* by filter.h */
};

const struct link *place_link(const struct place *place, int index);
/* The VRF that a link is in, or that it is; NULL = none. */
const struct link *place_vrf(const struct place *place, const struct link *link);
const struct addr *place_addr(const struct place *place, const struct ip *ip);
/* One of a link in that VRF (NULL: in none). */
const struct addr *place_addr_in(const struct place *place, const struct ip *ip,
				 const struct link *vrf);
/* The first address of a link (0 = any but loopback's) in a family that others can reach it by. */
const struct addr *place_first_addr(const struct place *place, int index, int family);

/* What a person types to run a program's command there: `ip -n blue link ...`. In the arena. */
const char *place_command(const struct place *place, struct arena *arena, const char *program,
			  const char *format, ...) printf_like(4, 5);
/* IPv4's of a link, as the program sysctl takes it: names of links may have dots in them. */
const char *link_sysctl(const char *link, const char *key, struct arena *arena);
/* A sysctl there; `missing` when there is no such. */
int place_sysctl(const struct place *place, int missing, const char *format, ...) printf_like(3, 4);

#endif
