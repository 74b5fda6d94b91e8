/* Routes. */
#ifndef KERNEL_ROUTE_H
#define KERNEL_ROUTE_H

#include "base/ip.h"
#include "kernel/netlink.h"

#define ROUTE_TABLE_DEFAULT 253 /* the three that the kernel's own rules look into */
#define ROUTE_TABLE_MAIN    254
#define ROUTE_TABLE_LOCAL   255
#define ROUTE_IPV4          2 /* families */
#define ROUTE_IPV6          10
#define ROUTE_LOCAL         2 /* types */
#define ROUTE_BROADCAST     3
#define ROUTE_BLACKHOLE     6
#define ROUTE_UNREACHABLE   7
#define ROUTE_PROHIBIT      8
#define ROUTE_SCOPE_GLOBAL  0
#define ROUTE_SCOPE_LINK    253
#define ROUTE_SCOPE_HOST    254

/* Proof that a route is ours: nobody else uses this number (/etc/iproute2/rt_protos; bird 12, Calico 80, FRR 186-192). */
enum { ROUTE_PROTOCOL_CNIBOX = 118 };

/* One of several next hops. */
struct route_hop {
	struct ip gw;
	int oif;
	unsigned weight;
	uint8_t flags; /* ROUTE_DEAD and its like */
};

enum {
	ROUTE_DEAD = 1,
	ROUTE_PERVASIVE = 2,
	ROUTE_ONLINK = 4,
	ROUTE_OFFLOAD = 8,
	ROUTE_LINKDOWN = 16,
	ROUTE_TRAP = 64,
};

struct route {
	struct cidr dst;      /* prefix 0 = default route; family is always set */
	struct ip gw;         /* not set = none */
	struct ip src;        /* preferred source, not set = none */
	int oif;              /* link index, 0 = none */
	int scope;            /* -1 = choose: link without gateway, else global */
	uint32_t table;       /* 0 = main */
	uint32_t priority;    /* metric, 0 = kernel default */
	uint32_t mtu, advmss; /* 0 = none */
	uint8_t protocol;     /* 0 = boot */
	uint8_t type;         /* RTN_*, 0 = unicast */
	bool onlink;
	bool shared; /* several next hops, not all of them through oif */
	/* IPv6: the frame inside a packet is sent to this link (SRv6 behaviour End.DX2, RFC 8986 section 4.11); 0 = it is an ordinary
	 * route. */
	int frame_oif;
	/* Of one that is there: */
	uint8_t flags;               /* ROUTE_DEAD and its like */
	bool has_metric;             /* priority was said, be it 0 */
	bool has_pref;               /* IPv6: */
	uint8_t pref;                /* of its router: 0 medium, 1 high, 3 low */
	LIST(struct route_hop) hops; /* where there are several; the first one is gw and oif, too */
	/* The kernel's own words, by route_records() (in its arena): whatever we know of the route, and the rest. */
	const struct nlmsghdr *record;
	bool by_hops; /* say it again without the next hop object, which went with its link */
};
typedef LIST(struct route) routes_t;

enum route_add {
	ROUTE_EXCLUSIVE,
	ROUTE_REPLACE,
	ROUTE_APPEND
}; /* append: as the reference, duplicates are fine */
void route_queue_add(struct netlink *nl, const struct route *route, enum route_add how);
void route_queue_del(struct netlink *nl, const struct route *route);
/* By its record: add the route again, with table and src as they are in *route now, all the rest as it was (metrics, next
 * hops, flags, time to live); and delete just this one. */
void route_queue_again(struct netlink *nl, const struct route *route, enum route_add how);
void route_queue_remove(struct netlink *nl, const struct route *route);

/* The link that leads to the address: its index, 0 = there is no way. */
int route_to(struct netlink *nl, const struct ip *ip, int *oif, struct error *err) must_check;
/* The same, with the largest packet that passes there as far as the kernel knows by now: the route's, or one learnt on the
 * way; *mtu 0 = no less than the link's. */
int route_way(struct netlink *nl, const struct ip *ip, int *oif, uint32_t *mtu,
	      struct error *err) must_check;
/* Routes of a family (0 = both), through one link (0 = all), of one table (0 = all); filtered in the kernel. */
int route_list(struct netlink *nl, int family, int oif, uint32_t table, struct arena *arena,
	       routes_t *routes, struct error *err) must_check;
/* The same with their records. */
int route_records(struct netlink *nl, int family, int oif, uint32_t table, struct arena *arena,
		  routes_t *routes, struct error *err) must_check;

/* Both families' routes of the main table that have this protocol number, filtered in the kernel. */
int route_list_protocol(struct netlink *nl, uint8_t protocol, struct arena *arena, routes_t *routes,
			struct error *err) must_check;
/* Order of struct route: by destination. */
int route_dst_order(const void *a, const void *b);
/* By where the kernel keeps it: destination and metric. */
int route_place_order(const void *a, const void *b);
/* Not a blackhole, a local or a broadcast route. */
bool route_is_unicast(const struct route *route);

#endif
