/* Addresses of links. */
#ifndef KERNEL_ADDR_H
#define KERNEL_ADDR_H

#include "base/ip.h"
#include "kernel/netlink.h"

struct addr {
	int index; /* of the link */
	struct cidr cidr;
	uint8_t scope;  /* RT_SCOPE_* */
	uint32_t flags; /* IFA_F_* */
	/* The kernel's own words, by addr_records() (in its arena): whatever we know of the address, and the rest. */
	const struct nlmsghdr *record;
};
#define ADDR_SECONDARY  0x01u /* of IPv4; of IPv6: temporary */
#define ADDR_NODAD      0x02u
#define ADDR_DADFAILED  0x08u
#define ADDR_DEPRECATED 0x20u
#define ADDR_TENTATIVE  0x40u
#define ADDR_PERMANENT  0x80u

typedef LIST(struct addr) addrs_t;

enum addr_how {
	ADDR_QUEUE_DAD = 1 << 0,      /* IPv6: with duplicate address detection */
	ADDR_QUEUE_NO_ROUTE = 1 << 1, /* the kernel adds no route to its subnet */
};
/* Queue an exclusive add; IPv4 gets the broadcast address for prefixes below 31. */
void addr_queue_add(struct netlink *nl, int index, const char *name, const struct cidr *cidr,
		    unsigned how);
void addr_queue_del(struct netlink *nl, int index, const char *name, const struct cidr *cidr);
/* Addresses of one link (index 0 = all), family 0 = both; filtered in the kernel. */
int addr_list(struct netlink *nl, int family, int index, struct arena *arena, addrs_t *addrs,
	      struct error *err) must_check;
/* The same with their records. */
int addr_records(struct netlink *nl, int family, int index, struct arena *arena, addrs_t *addrs,
		 struct error *err) must_check;
/* By its record: add the address again where it is missing, as it was (time to live, peer, metric); without duplicate
 * address detection, unless that was still going on. With replace: change the one that is there, if it is. */
void addr_queue_again(struct netlink *nl, const struct addr *addr, const char *name, bool replace);
/* Does this thread's namespace have IPv6 at all? */
bool addr_has_ipv6(void);

#endif
