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
};
#define ADDR_NODAD     0x02u
#define ADDR_DADFAILED 0x08u
#define ADDR_TENTATIVE 0x40u
#define ADDR_PERMANENT 0x80u

typedef LIST(struct addr) addrs_t;

/* Queue an exclusive add; IPv4 gets the broadcast address for prefixes below 31; IPv6 is added without duplicate
 * address detection unless dad is set. */
void addr_queue_add(struct netlink *nl, int index, const char *name, const struct cidr *cidr,
		    bool dad);
void addr_queue_del(struct netlink *nl, int index, const char *name, const struct cidr *cidr);
/* Addresses of one link (index 0 = all), family 0 = both; filtered in the kernel. */
int addr_list(struct netlink *nl, int family, int index, struct arena *arena, addrs_t *addrs,
	      struct error *err) must_check;

#endif
